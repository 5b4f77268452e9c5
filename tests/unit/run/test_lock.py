"""One run at a time, and nothing left of a run that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from province.run.failure import RunFailedError
from province.run.lock import BEGAN_VARIABLE, RUN_VARIABLE, end_processes, run_lock, survivors
from tests.support.eventually import eventually

HOLD = """
import subprocess, sys, time
from pathlib import Path
from province.run.lock import run_lock
with run_lock(Path(sys.argv[1]), "make up"):
    child = subprocess.Popen(["sleep", "600"])
    print(child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lock and has a child, with the child's number."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    process.wait()
    end_processes([child])


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_second_run_is_told_at_once_who_holds_the_lock_and_for_how_long(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int]
) -> None:
    began = time.monotonic()
    with pytest.raises(RunFailedError) as told, run_lock(tmp_path / "lock", "make converge"):
        pass
    assert time.monotonic() - began < 1
    assert f"process {holder[0].pid}, `make up`, for " in told.value.failure.came_back
    assert told.value.failure.next_command.endswith("make converge")


def test_the_lock_of_a_killed_run_is_free_and_what_it_started_is_ended(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int]
) -> None:
    process, child = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert alive(child)
    with run_lock(tmp_path / "lock", "make up"):
        eventually(lambda: not alive(child), within=10, every=0.1)


def test_who_only_looks_ends_nothing_of_a_killed_run_and_the_next_that_changes_does(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int]
) -> None:
    process, child = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(2):
        with run_lock(tmp_path / "lock", "make drift", shared=True):
            assert alive(child)
    with suppress(OSError), run_lock(tmp_path / "lock", "make drift", shared=True):
        raise OSError
    assert alive(child)
    with run_lock(tmp_path / "lock", "make up"):
        eventually(lambda: not alive(child), within=10, every=0.1)


def test_a_run_that_ends_well_leaves_its_children_alone(tmp_path: Path) -> None:
    with run_lock(tmp_path / "lock", "make up"):
        child = subprocess.Popen(["sleep", "600"])
    try:
        with run_lock(tmp_path / "lock", "make up"):
            assert alive(child.pid)
    finally:
        child.kill()
        child.wait()


def test_a_lock_file_full_of_nonsense_does_not_stop_a_run(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("{{ not JSON")
    with run_lock(tmp_path / "lock", "make up") as run:
        assert json.loads((tmp_path / "lock").read_text())["run"] == run


def test_the_folder_may_be_removed_under_the_lock_and_locked_again(tmp_path: Path) -> None:
    place = tmp_path / "state" / "lock"
    with run_lock(place, "make down"):
        place.unlink()
        place.parent.rmdir()
    with run_lock(place, "make up"):
        assert place.is_file()


def test_only_processes_of_the_run_are_its_survivors() -> None:
    environment = {**os.environ, RUN_VARIABLE: "of-this-run"}
    ours = subprocess.Popen(["sleep", "600"], env=environment)
    other = subprocess.Popen(["sleep", "600"], env={**os.environ, RUN_VARIABLE: "of-another-run"})
    try:
        eventually(lambda: survivors("of-this-run") == [ours.pid], within=5)
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_later_run_says_a_later_beginning_and_takes_its_word_back(tmp_path: Path) -> None:
    """Hosts go by it: of two runs, the one that was taken for dead changes nothing after the other."""
    said = []
    for _ in range(2):
        with run_lock(tmp_path / "lock", "make converge"):
            said.append(int(os.environ[BEGAN_VARIABLE]))
    assert 0 < said[0] < said[1]
    assert BEGAN_VARIABLE not in os.environ
    assert RUN_VARIABLE not in os.environ


def test_who_only_looks_does_so_beside_others_and_not_beside_who_changes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with run_lock(path, "make drift", shared=True):
        with run_lock(path, "make drift HOST=ns-1", shared=True):
            pass
        with pytest.raises(RunFailedError) as told, run_lock(path, "make converge"):
            pass
        assert "`make drift`" in told.value.failure.came_back
    with run_lock(path, "make converge"):
        with pytest.raises(RunFailedError) as told, run_lock(path, "make drift", shared=True):
            pass
        assert "`make converge`" in told.value.failure.came_back
