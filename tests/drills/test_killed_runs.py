"""A run that is killed anywhere, without a word, is healed by the next; the one after has nothing to do."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from province.lab.image import cached_image
from province.lab.up import complete
from tests.support import drills, environment
from tests.support.eventually import eventually

Make = Callable[[str], drills.Ran]
TRIES = 4


def wound(kind: str, dice: random.Random, make: Make) -> None:
    """Give the next run something to do."""
    if kind == "everything gone":
        make("down").well()
        return
    names = sorted(host.name for host in environment.built())
    project = environment.environment().incus.project
    for name in dice.sample(names, 2):
        drills.incus_command("delete", "--force", "--project", project, name)
    if "daemon dead" in kind:
        drills.kill_daemon()
    if "no image" in kind:
        there = cached_image()
        assert there is not None
        shutil.rmtree(there.rootfs.parent)


def test_a_killed_up_is_healed_by_the_next(kill: drills.Kill, make: Make, tmp_path: Path) -> None:
    dice = random.Random(kill.seed)  # noqa: S311 - chance, not secrecy
    depth = kill.depth
    for _ in range(TRIES):
        wound(kill.wound, dice, make)
        if drills.killed_up(kill.step, depth, tmp_path / "killed"):
            break
        depth /= 2  # this machine was quicker than ever: aim at an earlier moment
    else:
        raise AssertionError(f"in {TRIES} runs nothing was left to kill: {kill}")
    assert not complete(environment.name()), "the killed run counts as one that ended well"
    make("up").well()
    assert "\nNothing changed." in make("up").well()


def test_a_killed_down_is_finished_by_the_next(make: Make, tmp_path: Path) -> None:
    assert drills.left(), "a lab stands, and the search for it finds nothing"
    whole = len(drills.objects())
    started = drills.Run("down", tmp_path / "killed")
    try:
        eventually(lambda: len(drills.objects()) < whole, within=60, every=0.05)
    finally:
        started.kill()
    assert drills.objects(), "it was over before it was killed"
    assert not complete(environment.name())
    make("down").well()
    assert drills.left() == []
