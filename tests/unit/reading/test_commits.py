"""A difference to a commit: whatever the commit holds, a reader learns what follows, or what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from province.cli import main
from province.reading.screen import HEIGHT, WIDTH
from tests.support.changes import MACHINES, REGISTER, UNITS, change, tree, unit
from tests.support.repository import ROOT

SCHEMA = json.loads((ROOT / "docs/reference/plan-diff.schema.json").read_text(encoding="utf-8"))


def git(folder: Path, *command: str) -> str:
    """Run git in a repository of the test."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *command], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """Commit everything; the commit's id."""
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The small tree under git, as a province would have it, with a tag `v1`."""
    tree(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    git(tmp_path, "tag", "v1")
    return tmp_path


def said(folder: Path, reference: str, capsys: pytest.CaptureFixture[str], *more_: str) -> list[str]:
    """The lines of the text form."""
    assert main(["plan", str(folder / REGISTER), f"--diff={reference}", *more_]) == 0
    return capsys.readouterr().out.splitlines()


def difference(folder: Path, reference: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """The JSON form, held against its schema."""
    found = json.loads("\n".join(said(folder, reference, capsys, "--format", "json")))
    jsonschema.validate(found, SCHEMA)
    return found


def test_nothing_to_do_is_said(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(repository, "HEAD", capsys) == ["Nothing to do: the plan is the same as in HEAD."]
    found = difference(repository, "HEAD", capsys)
    assert (found["nothing_to_do"], found["parts"]) == (True, {})
    change(repository, "nothing")
    assert said(repository, "HEAD", capsys) == ["Nothing to do: the plan is the same as in HEAD."]


def test_tag_branch_and_commit_are_the_same_and_what_is_not_committed_counts(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = git(repository, "rev-parse", "v1")
    change(repository, "add")
    texts = [said(repository, reference, capsys) for reference in ("v1", "main", first, "HEAD")]
    assert {tuple(lines[1:]) for lines in texts} == {tuple(texts[0][1:])}
    assert "  + xa-moi" in "\n".join(texts[0])
    commit(repository)
    assert said(repository, "v1", capsys)[1:] == texts[0][1:]
    assert said(repository, "HEAD", capsys) == ["Nothing to do: the plan is the same as in HEAD."]


def test_a_new_unit_brings_its_own_and_moves_nobody(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(repository, "add")
    found = difference(repository, "HEAD", capsys)
    assert found["moved"] == []
    assert [entry["id"] for entry in found["parts"]["units"]["added"]] == ["xa-moi"]
    assert found["machines"]["to_make"] == ["xa-moi-cpe-1", "xa-moi-pc-1"]
    assert [e["id"] for e in found["parts"]["peers"]["added"]] == ["xa-moi-cpe-1 hub-1", "xa-moi-cpe-1 hub-2"]
    for part in found["parts"].values():
        assert part["removed"] == []
    assert [e["id"] for e in found["parts"]["hosts"]["changed"]] == ["carrier-1"]
    assert found["cost"]["difference"]["machines"] == 2
    assert found["cost"]["difference"]["line_mbps"] == 100


def test_a_register_that_the_commit_does_not_have_is_all_new(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repository, "rm", "-rq", "--cached", REGISTER)
    git(repository, "commit", "-q", "-m", "none")
    lines = said(repository, "HEAD", capsys)
    assert lines[:2] == [
        "Tỉnh Mẫu: HEAD → the working tree",
        f"Note: {REGISTER} is not in HEAD: everything is new",
    ]
    found = difference(repository, "HEAD", capsys)
    assert len(found["parts"]["units"]["added"]) == 6
    assert set(found["cost"]["before"]["totals"].values()) == {0}
    assert found["cost"]["difference"]["machines"] == found["cost"]["after"]["totals"]["machines"] > 0
    assert len(lines) <= HEIGHT


def test_a_commit_with_an_older_catalogue_is_compared_by_todays_and_that_is_said(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machines = repository / MACHINES
    today = machines.read_text(encoding="utf-8")
    older = "".join(line for line in today.splitlines(keepends=True) if "size_reason:" not in line)
    machines.write_text(older, encoding="utf-8")
    commit(repository)
    machines.write_text(today, encoding="utf-8")
    note = "Note: the catalogue in HEAD is not written as today; today's is taken for both sides"
    same = "Nothing to do: the plan is the same as in HEAD."
    assert said(repository, "HEAD", capsys) == [note, same]
    git(repository, "rm", "-rq", "--cached", "inventories/catalogue", "apps", "docs")
    git(repository, "commit", "-q", "-m", "only the register")
    assert said(repository, "HEAD", capsys) == [note, same]


def test_a_change_of_everything_is_still_one_screen(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = repository / UNITS
    words = file.read_text(encoding="utf-8").replace("name: ", "name: Tên mới ").replace("fibre", "mobile")
    words += "".join(unit(f"xa-{n}", f"Xã {n}", index=n, code=f"98{n}") for n in range(10, 200))
    file.write_text(words, encoding="utf-8")
    (repository / MACHINES).write_text(
        (repository / MACHINES).read_text(encoding="utf-8").replace("cores: 2", "cores: 3"), encoding="utf-8"
    )
    for name in ("flow", "domain"):
        change(repository, name)
    lines = said(repository, "HEAD", capsys)
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1].endswith("see all with --all")
    every = said(repository, "HEAD", capsys, "--all")
    assert [f"xa-{n}" for n in range(10, 200) if not any(f"+ xa-{n} " in line for line in every)] == []
    assert "more" not in every[-1]


@pytest.mark.parametrize("reference", ["no-such-branch", "--output=/tmp/x", "--list", f"HEAD:{UNITS}", ""])
def test_a_reference_that_is_none_is_said_so(
    reference: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(repository / REGISTER), f"--diff={reference}"]) == 1
    heard = capsys.readouterr()
    assert heard.err.startswith("PLN-010 ")
    assert "Traceback" not in heard.err


FLOWS = "inventories/catalogue/flows.yml"
TWICE = """  - id: staff
    from: {zone: internal, at: unit, segments: [staff]}
    to: {zone: servers, at: centre, segments: [srv]}
    services: [packages]
    reason: A second time
    owner: platform
"""


def once_was(file: str, do: Callable[[str], str]) -> Callable[[Path], list[str]]:
    """A file that was otherwise in the last commit, and is sound again."""

    def prepare(folder: Path) -> list[str]:
        sound = (folder / file).read_text(encoding="utf-8")
        assert do(sound) != sound
        (folder / file).write_text(do(sound), encoding="utf-8")
        commit(folder)
        (folder / file).write_text(sound, encoding="utf-8")
        return ["plan", str(folder / REGISTER), "--diff", "HEAD"]

    return prepare


def outside(folder: Path) -> list[str]:
    """A register that lies in no tree of its own."""
    (folder / REGISTER).rename(folder / "base")
    return ["plan", str(folder / "base"), "--diff", "HEAD"]


PROBLEMS: dict[str, Callable[[Path], list[str]]] = {
    "no-such-commit": lambda folder: ["plan", str(folder / REGISTER), "--diff", "no-such-branch"],
    "register-outside-a-repository": outside,
    "register-broken-in-a-commit": once_was(UNITS, lambda text: text.replace("index: 2", "index: 1")),
    "plan-impossible-in-a-commit": once_was(FLOWS, lambda text: text + TWICE),
    "environment-of-another-register": lambda folder: [
        "reference",
        str(folder / REGISTER),
        *("--environment", str(ROOT / "inventories/lab/environment.yml")),
        *("--out", str(folder / "out")),
    ],
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_reported_in_these_words(
    name: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = PROBLEMS[name](repository)
    written = sorted(repository.rglob("*"))
    assert main(command) == 1
    heard = capsys.readouterr()
    assert (heard.out, sorted(repository.rglob("*"))) == ("", written)
    words = heard.err.replace(f"{repository}/", "")
    golden = Path(__file__).parent / "problems" / f"{name}.txt"
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def test_a_place_in_a_commit_is_the_line_of_the_file_there(repository: Path) -> None:
    words = (Path(__file__).parent / "problems/register-broken-in-a-commit.txt").read_text(encoding="utf-8")
    lines = (repository / UNITS).read_text(encoding="utf-8").splitlines()
    assert words.startswith(f"REG-023 HEAD:{UNITS}:{lines.index('    index: 2') + 1} ")


def test_no_golden_message_is_left_over() -> None:
    assert {path.stem for path in (Path(__file__).parent / "problems").iterdir()} == set(PROBLEMS)
