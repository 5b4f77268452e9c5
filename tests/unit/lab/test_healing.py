"""What a killed run leaves on the machine itself, and what becomes of it on the next."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from province.lab import apt, engine, image, incusd, machine
from province.run.command import Ended
from province.run.failure import RunFailedError
from province.run.progress import Progress
from province.run.session import CACHE_DIR_VARIABLE
from province.run.timings import Timings
from tests.support.eventually import eventually


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(Timings(tmp_path / "timings.json"), tmp_path / "run.log", io.StringIO())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


class Packages:
    """A package manager in memory: what is installed, what is missing, what was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed, self.missing = {"base"}, ["incus-base"]
        self.calls: list[str] = []
        self.during: Callable[[], None] = lambda: None
        monkeypatch.setattr(machine, "run_program", self.run)
        monkeypatch.setattr(machine, "must_run", self.run)
        monkeypatch.setattr(machine, "installed", lambda: set(self.installed))
        monkeypatch.setattr(machine, "missing_packages", lambda *_: list(self.missing))

    def run(self, argv: list[str], *_: object, **__: object) -> Ended:
        """Stand in for run_program and must_run."""
        self.calls.append(" ".join(argv))
        if "install" in argv and "-s" not in argv:
            self.installed.add("libuv")
            self.during()
            self.installed |= set(self.missing)
            self.missing = []
        return Ended(argv=tuple(argv), code=0, tail="")


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Packages:
    return Packages(monkeypatch)


def install(progress: Progress) -> str:
    with progress.step("packages:install", "packages") as running:
        machine.install_packages(progress, running)
    return running.result


class Killed(BaseException):
    """Nothing that runs afterwards sees it: as after SIGKILL."""


def killed() -> None:
    raise Killed


def test_what_a_killed_installation_brought_is_ours_to_name(
    progress: Progress, packages: Packages, cache: Path
) -> None:
    packages.during = killed
    with pytest.raises(Killed):
        install(progress)
    packages.during = lambda: None
    install(progress)
    assert "dpkg --configure -a" in packages.calls
    assert (cache / "installed-packages").read_text().split() == ["incus-base", "libuv"]


def test_an_installation_killed_when_the_programs_were_there_is_still_mended(
    progress: Progress, packages: Packages, cache: Path
) -> None:
    packages.during = killed
    with pytest.raises(Killed):
        install(progress)
    packages.missing, packages.during = [], lambda: None
    packages.calls.clear()
    assert install(progress) == "mended"
    assert packages.calls[0] == "dpkg --configure -a"
    assert any(call.endswith("--fix-broken install") for call in packages.calls)
    packages.calls.clear()
    assert install(progress) == "all there"
    assert packages.calls == []
    assert sorted(path.name for path in cache.iterdir()) == ["installed-packages"]


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> subprocess.Popen[bytes]:
    """A process that has the name of the daemon, and does nothing until it is ended."""
    name = str(folder / "incusd")
    monkeypatch.setattr(incusd, "INCUS_PROGRAMS", (name,))
    environment = {key: value for key, value in os.environ.items() if key != incusd.MARK}
    return subprocess.Popen(
        [name], executable="/bin/cat", stdin=subprocess.PIPE, env={**environment, **variables}
    )


@pytest.mark.parametrize("ours", [True, False])
def test_a_daemon_is_known_as_started_here_by_its_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    """A record in a file would be missing when the run was killed right after the start."""
    process = pretend(tmp_path, monkeypatch, **({incusd.MARK: "started"} if ours else {}))
    try:
        eventually(lambda: process.pid in incusd.daemons(), within=5)
        started = incusd.started_by_us()
        assert (started.pid if started else None) == (process.pid if ours else None)
    finally:
        process.kill()
        process.wait()


def test_a_daemon_that_a_killed_run_had_just_started_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    process = pretend(tmp_path, monkeypatch)
    said = iter([False, False, False, True])
    monkeypatch.setattr(incusd, "answers", lambda: next(said))
    try:
        eventually(lambda: process.pid in incusd.daemons(), within=5)
        with progress.step("incus:there", "Incus") as running:
            incusd.ensure(progress, running)
        assert running.result == "was starting"
    finally:
        process.kill()
        process.wait()


def test_a_daemon_that_never_answers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    process = pretend(tmp_path, monkeypatch)
    monkeypatch.setattr(incusd, "answers", lambda: False)
    monkeypatch.setattr(incusd, "_ANSWERS_WITHIN", 0.5)
    try:
        eventually(lambda: process.pid in incusd.daemons(), within=5)
        with (
            pytest.raises(RunFailedError, match=f"kill {process.pid}"),
            progress.step("incus:there", "Incus") as running,
        ):
            incusd.ensure(progress, running)
    finally:
        process.kill()
        process.wait()


def test_the_image_is_made_where_its_mounts_go_with_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    """Below the tree are mounts of this machine's /dev/shm: a later removal must never reach them."""
    called: list[list[str]] = []

    def stop(argv: list[str], *_: object, **__: object) -> Ended:
        called.append(argv)
        raise Killed

    monkeypatch.setattr(image, "must_run", stop)
    monkeypatch.setattr(apt, "mirror", lambda *_: "http://mirror.invalid")
    monkeypatch.setattr(apt, "security_mirror", lambda *_: "http://mirror.invalid")
    with pytest.raises(Killed), progress.step("image:build", "image") as running:
        image.ensure_image(progress, running)
    assert called[0][:3] == ["unshare", "--mount", "mmdebstrap"]
    assert list((cache / "images").iterdir()) == []


def test_what_the_engine_was_built_from_goes_also_when_the_run_was_killed_before(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    (cache / "go" / "mod").mkdir(parents=True)
    monkeypatch.setattr(engine, "engine_root", lambda: tmp_path)
    with progress.step("engine:there", "engine") as running:
        engine.ensure_engine(progress, running)
    assert not (cache / "go").exists()
