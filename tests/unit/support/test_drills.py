"""Drills take a lab away: never by accident, and each so that it can be repeated."""

from __future__ import annotations

import subprocess
import sys

import pytest

from province.lab import up
from tests.support import drills, neighbours
from tests.support.repository import ROOT


@pytest.mark.parametrize(("words", "status"), [((), 5), (("--drill-kills=2",), 0)])
def test_drills_are_collected_only_when_they_are_asked_for(words: tuple[str, ...], status: int) -> None:
    """5 is pytest's status for: nothing was selected."""
    argv = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *words]
    done = subprocess.run([*argv, "tests/drills"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "seed 1/1" in done.stdout) == (status, status == 0), done.stdout


def test_the_same_seed_draws_the_same_kills_and_another_one_others() -> None:
    assert drills.kills(9, 7) == drills.kills(9, 7)
    assert drills.kills(9, 7) != drills.kills(9, 8)
    assert drills.kills(9, 7)[:3] == drills.kills(3, 7)


def test_every_third_kill_is_at_the_beginning_of_a_step_and_none_is_out_of_reach() -> None:
    drawn = drills.kills(300, 1)
    assert {kill.depth for kill in drawn[::3]} == {0.0}
    assert all(0 <= kill.depth <= 1 for kill in drawn)
    assert {kill.step for kill in drawn} == set(drills.STEPS)
    assert {kill.wound for kill in drawn} == set(drills.WOUNDS)


def test_a_drill_knows_every_step_of_up_by_its_title() -> None:
    """The engine is left out: to build it takes minutes, and its file comes into place in one move."""
    steps = up._steps("first", on_incus=True, on_this_machine=True)
    assert {step.title for step in steps} - {"Pulumi engine"} == set(drills.STEPS)


def test_what_differs_between_two_descriptions_is_said_place_by_place() -> None:
    before = {"rules": [1], "written": "alive", "gone": 1}
    told = neighbours.differences(before, {"rules": [1, 2], "written": "alive", "new": 1})
    assert told == ["gone: 1 became null", "new: null became 1", "rules: [1] became [1, 2]"]
