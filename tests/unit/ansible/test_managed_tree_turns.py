"""Two runs never lay down on a host at the same time, and an older one never after a younger."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HOLD = """
import fcntl, sys, time
with open(sys.argv[1], "a+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def turn(tmp_path: Path) -> Path:
    return tmp_path / "run" / "turn"


@pytest.fixture
def holder(turn: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run that is at work."""
    turn.parent.mkdir()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(turn)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_run_that_another_one_keeps_waiting_says_what_to_look_at(
    module: ModuleType, turn: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.poll() is None
    told = pytest.raises(module.TreeError, match=r"more than 0\.2 seconds.*fuser -v")
    with told, module.in_turn(1, turn, 0.2):
        raise AssertionError("entered")


def test_a_run_waits_for_another_and_goes_on_when_that_one_is_killed(
    module: ModuleType, turn: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def pause(seconds: float) -> None:
        assert seconds == module.TURN_PAUSE
        looked.append(seconds)
        holder.kill()
        holder.wait()

    monkeypatch.setattr(module.time, "sleep", pause)
    with module.in_turn(1, turn, 5):
        assert looked


def test_nobody_else_gets_a_turn_while_one_lays_down(module: ModuleType, turn: Path) -> None:
    with module.in_turn(1, turn), turn.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with turn.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("been", "began"),
    # A playbook that is run by hand is never too late, and makes nobody too late.
    [([], 7), ([7], 7), ([7], 8), ([9], 10), ([8], 0), ([7, 0], 7), ([0], 1)],
)
def test_a_run_has_its_turn_when_none_that_began_later_has_been_here(
    module: ModuleType, turn: Path, been: list[int], began: int
) -> None:
    for earlier in [*been, began]:
        with module.in_turn(earlier, turn):
            entered = earlier
    assert entered == began


@pytest.mark.parametrize(("been", "began"), [([8], 7), ([10], 9), ([7, 8], 7), ([8, 0], 7)])
def test_a_run_that_was_taken_for_dead_is_refused_for_good(
    module: ModuleType, turn: Path, been: list[int], began: int
) -> None:
    for earlier in been:
        with module.in_turn(earlier, turn):
            pass
    for _ in range(2):
        told = pytest.raises(module.TreeError, match=r"began later \(1970-01-01 00:00:00 UTC\)")
        with told, module.in_turn(began, turn):
            raise AssertionError("entered")


@pytest.mark.parametrize("left", ["", "nonsense", "12 34", "-5", "\x00"])
def test_what_a_crash_left_in_the_file_refuses_nobody(module: ModuleType, turn: Path, left: str) -> None:
    turn.parent.mkdir()
    turn.write_text(left)
    with module.in_turn(5, turn):
        assert turn.read_text() == "5"


def test_others_cannot_read_or_hold_the_file(module: ModuleType, turn: Path) -> None:
    with module.in_turn(5, turn):
        assert turn.stat().st_mode & 0o777 == 0o600
