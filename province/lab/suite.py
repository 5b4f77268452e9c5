"""`make test` and `make check`: every check there is, one after the other, one verdict at the end.

A check that fails does not stop those after it: a reader wants all that is wrong, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from province.lab import up as lab
from province.lab.places import PROGRAMS, REPOSITORY, programs_first
from province.run.command import Ended, run_program
from province.run.progress import Progress, Step
from province.run.scope import ALL, BESIDE, changed_files, folders, wanted
from province.run.session import run_session

_SHOWN_LINES = 40  # of a failed check; 400 where nobody can open the log afterwards (CI)
_TYPED = (
    "province",
    "pulumi/province_stack",
    "pulumi/provider",
    "inventories/plugins",
    "playbooks/plugins",
    "tests",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its key among the timings, its title, the program; `tests`: it is a pytest run."""

    key: str
    title: str
    argv: tuple[str, ...]
    tests: bool = False


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What came of all checks so far."""

    passed: int = 0
    failed: int = 0
    failures: list[str] | None = None

    def fail(self, sentence: str, count: int = 1) -> None:
        """Count a failure, in words."""
        self.failed += count
        self.failures = [*(self.failures or []), sentence]


def test(environment: str, *, scope: str, machine: bool) -> int:
    """Run all checks, or those a change calls for; returns the exit status.

    `machine` False leaves out what asks the living lab. The lab is built when there is none.
    """
    command = "make test" if machine else "make check"
    verdict = Verdict()
    place = PROGRAMS.parent / "run"  # needs no root, goes with the Python environment
    status = run_session(
        command,
        lambda progress: _run(_without_machine(components=not machine), progress, environment, verdict),
        state=place,
        lock=False,
    )
    if status == 0 and machine:
        status = _living(environment, scope, command, place, verdict)
    for sentence in verdict.failures or []:
        sys.stdout.write(f"FAILED {sentence}\n")
    if status == 0:
        sys.stdout.write(f"{verdict.passed} passed, {verdict.failed} failed\n")
    return status or (1 if verdict.failed else 0)


def verify(environment: str, layer: str) -> int:
    """Ask the living environment, one layer or all; returns the exit status."""
    names = [layer] if layer else [ALL]
    missing = [folder for folder in folders(names) if not (REPOSITORY / folder).is_dir()]
    if missing:
        known = sorted(path.name for path in (REPOSITORY / "tests" / "layers").iterdir() if path.is_dir())
        sys.stderr.write(f"There is no layer {layer}; known: {', '.join((*known, *BESIDE))}.\n")
        return 2
    verdict = Verdict()
    command = f"make verify{f' LAYER={layer}' if layer else ''}"
    status = run_session(
        command,
        lambda progress: _run(_checks_of(names), progress, environment, verdict),
        state=PROGRAMS.parent / "run",
        lock=False,
    )
    for sentence in verdict.failures or []:
        sys.stdout.write(f"FAILED {sentence}\n")
    sys.stdout.write(f"{verdict.passed} passed, {verdict.failed} failed\n")
    return status or (1 if verdict.failed else 0)


def drill(environment: str, *, kills: int, seed: int, only: str = "") -> int:
    """Take the lab away in every way that is known and build it again; returns the exit status.

    `kills` runs are killed, at moments that `seed` draws; `only` is a pytest expression for names.
    """
    verdict = Verdict()
    chosen = ("-k", only) if only else ()
    check = _tests(
        "drills", "drills", "tests/drills", f"--drill-kills={kills}", f"--drill-seed={seed}", *chosen
    )
    again = f"make drill KILLS={kills} SEED={seed}" + (f" ONLY={only}" if only else "")
    sys.stdout.write(f"The same again: {again}\n")
    status = run_session(
        again,
        lambda progress: _run([check], progress, environment, verdict),
        state=PROGRAMS.parent / "run",  # drills remove the state of the lab
        lock=False,
    )
    for sentence in verdict.failures or []:
        sys.stdout.write(f"FAILED {sentence}\n")
    sys.stdout.write(f"{verdict.passed} passed, {verdict.failed} failed\n")
    return status or (1 if verdict.failed else 0)


def _living(environment: str, scope: str, command: str, place: Path, verdict: Verdict) -> int:
    names: Sequence[str] = (ALL,)
    if scope == "changed":
        files = changed_files(REPOSITORY, os.environ.get("PROVINCE_BASE", ""))
        names = (ALL,) if files is None else wanted(files)
        sys.stdout.write(f"What changed calls for: {', '.join(names) or 'nothing of the living lab'}\n")
    if names and not lab.complete(environment):
        sys.stdout.write("There is no complete lab: building it first\n")
        if status := lab.up(environment):
            return status
    return run_session(
        command,
        lambda progress: _run([_COMPONENTS, *_checks_of(names)], progress, environment, verdict),
        state=place,
        lock=False,
    )


def _without_machine(*, components: bool) -> list[Check]:
    yaml, shell = _files("*.yml", "*.yaml"), _shell_files()
    checks = [
        _program("ruff", "ruff", "ruff", "check", "--quiet", "."),
        _program("format", "ruff format", "ruff", "format", "--quiet", "--check", "."),
        _program("mypy", "mypy", "mypy", "--strict", "--no-error-summary", *_TYPED),
        _program("yamllint", "yamllint", "yamllint", "--strict", *yaml),
        _program("shellcheck", "shellcheck", "shellcheck", *shell),
        _program("ansible-lint", "ansible-lint", "ansible-lint", "--offline", "-q", "--nocolor"),
    ]
    workers = str(min(4, os.cpu_count() or 1))
    checks += [
        _tests("unit", "unit tests", "tests/unit", "-n", workers),
        _tests("repo", "repository tests", "tests/repo"),
    ]
    return [*checks, _COMPONENTS] if components else checks


def _checks_of(names: Sequence[str]) -> list[Check]:
    """Group what is wanted of the living lab: the layers in one run, then the folders beside them."""
    wanted_folders = folders(names)
    layers = [folder for folder in wanted_folders if folder.startswith("tests/layers")]
    checks = [_tests("layers", "layers", *layers)] if layers else []
    beside = {"flows": "flows from a unit's PC", "browser": "browser", "survival": "machines switched off"}
    for name, title in beside.items():
        if f"tests/{name}" in wanted_folders:
            checks.append(_tests(name, title, f"tests/{name}"))
    return checks


def _run(checks: Sequence[Check], progress: Progress, environment: str, verdict: Verdict) -> int:
    progress.expect([Step(check.key, check.title) for check in checks])
    for check in checks:
        with tempfile.TemporaryDirectory(prefix="province-") as folder:
            report = Path(folder) / "report.xml"
            argv = [*check.argv, f"--junit-xml={report}"] if check.tests else list(check.argv)
            with progress.step(check.key) as running:
                ended = run_program(
                    argv,
                    progress,
                    cwd=REPOSITORY,
                    environment={**programs_first(), "PROVINCE_ENVIRONMENT": environment, "NO_COLOR": "1"},
                    on_line=running.now if progress.terminal else None,
                )
                running.done(_judge(check, ended, report, verdict))
            if ended.code != 0:
                _show(ended, progress)
    return 0


def _judge(check: Check, ended: Ended, report: Path, verdict: Verdict) -> str:
    """Count what a check found; returns it in words."""
    if not check.tests:
        if ended.code == 0:
            verdict.passed += 1
            return "clean"
        verdict.fail(
            f"{check.title}: {ended.tail.strip().splitlines()[-1] if ended.tail.strip() else 'failed'}"
        )
        return "FAILED"
    passed, failures = read_report(report)
    verdict.passed += passed
    for sentence in failures:
        verdict.fail(sentence)
    if ended.code != 0 and not failures:
        verdict.fail(f"{check.title}: pytest ended with status {ended.code}")
        return "FAILED"
    return f"{passed} passed" + (f", {len(failures)} FAILED" if failures else "")


def read_report(report: Path) -> tuple[int, list[str]]:
    """Read a pytest report in JUnit form: how many passed, and the names of what failed.

    What was skipped or expected to fail counts as neither.
    """
    if not report.is_file():
        return 0, []
    passed, failures = 0, []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failures.append(f"{case.get('classname', '')}::{case.get('name', '')}")
        elif "skipped" not in kinds:
            passed += 1
    return passed, failures


def _show(ended: Ended, progress: Progress) -> None:
    lines = ended.tail.splitlines()
    shown = lines if os.environ.get("CI") else lines[-_SHOWN_LINES:]
    for line in shown:
        progress.say(f"    {line}")
    if progress.log_path is not None:
        progress.say(f"    all of it: {progress.log_path}")


def _program(key: str, title: str, program: str, *words_: str) -> Check:
    return Check(key=key, title=title, argv=(str(PROGRAMS / program), *words_))


def _tests(key: str, title: str, *words_: str) -> Check:
    argv = (str(PROGRAMS / "python"), "-m", "pytest", "-q", "--color=no", "--durations=8", *words_)
    return Check(key=key, title=title, argv=argv, tests=True)


# With a machine they come after the lab: those that ask a real engine and Incus then find them.
_COMPONENTS = _tests("components", "component tests", "tests/components")


def _files(*patterns: str) -> list[str]:
    """Return the files that git knows or would take, by patterns."""
    said = subprocess.run(  # noqa: S603 - patterns are ours
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],  # noqa: S607 - git of the machine
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted(name for name in said.split("\0") if name and (REPOSITORY / name).is_file())


def _shell_files() -> list[str]:
    """Return the files that a shell runs: by their first line."""
    found = []
    for name in (name for name in _files() if not name.endswith(".j2")):
        with (REPOSITORY / name).open("rb") as file:
            first = file.readline(80)
        if first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in (b"sh", b"bash"):
            found.append(name)
    return found
