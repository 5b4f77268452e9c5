"""A run that is killed anywhere, without a word, is healed by the next; the one after has nothing to do."""

from __future__ import annotations

import difflib
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from province.lab.image import cached_image
from province.lab.up import complete
from tests.support import drills, environment, wounds
from tests.support.drills import WOUNDS
from tests.support.eventually import eventually
from tests.support.fingerprint import Fingerprint, fingerprints
from tests.support.places import forget

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
    hosts = tuple(environment.ours())
    units, found = wounds.whole(hosts)
    wanted = as_built(found, anew=kill.wound == WOUNDS[0])
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
    forget()
    assert differing(as_built(fingerprints(hosts, units), anew=kill.wound == WOUNDS[0]), wanted) == {}


def as_built(found: Mapping[str, Fingerprint], *, anew: bool) -> dict[str, dict[str, str]]:
    """What is the same on hosts that were made again: not the addresses that they were lent.

    `anew`: not keys either, which a lab from nothing makes for itself, nor files, some of which hold them.
    """
    built: dict[str, dict[str, str]] = {}
    for host, lines in found.items():
        lent = any(interface.method != "static" for interface in environment.planned(host).interfaces)
        left = {"addresses"} if lent else set()
        left |= {"tunnels", *(line for line in lines if line.startswith("file "))} if anew else set()
        built[host] = {name: said for name, said in lines.items() if name not in left}
    return built


def differing(found: Mapping[str, Fingerprint], wanted: Mapping[str, Fingerprint]) -> dict[str, list[str]]:
    """By host, what is not the same: is and was."""
    lines = {
        host: [
            f"{name}: {_apart(wanted[host].get(name, ''), found[host].get(name, ''))}"
            for name in sorted({*found[host], *wanted[host]})
            if found[host].get(name) != wanted[host].get(name)
        ]
        for host in wanted
    }
    return {host: said for host, said in lines.items() if said}


def _apart(before: str, now: str) -> str:
    lines = list(difflib.unified_diff(before.splitlines(), now.splitlines(), "was", "is", n=0, lineterm=""))
    return "\n".join(lines[2:])


def test_a_killed_converge_is_healed_by_the_next(killed_converge: wounds.Kill) -> None:
    """As tests/survival has it with ten kills."""
    hosts = killed_converge.hosts
    units, wanted = wounds.whole(hosts)
    assert differing(wounds.healed(killed_converge, units), wanted) == {}


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
