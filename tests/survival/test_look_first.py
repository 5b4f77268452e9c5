"""Hosts say what is to be done on them before a converge, which then goes to those alone that need it."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.support import environment
from tests.support.fingerprint import managed_units
from tests.support.places import batch, machine
from tests.support.wounds import Converge, wound

# One of each kind: of the centre, with applications, of a unit.
HOSTS = tuple(map(environment.only, ("ns", "app", "unit_gateway")))
SEEDS = (11, 12, 13)


def newest_log() -> str:
    """The log of the last run."""
    logs: list[Path] = sorted((environment.state_directory() / "logs").glob("*-make-converge.log"))
    return logs[-1].read_text()


def to_be_done(log: str) -> dict[str, list[str]]:
    """By host, what it said is to be done."""
    found: dict[str, list[str]] = {}
    for line in log.splitlines():
        said = re.match(r"\S+ to be done on ([^,]+), \S+: (.*)", line)
        if said:
            found.setdefault(said[1], []).append(said[2])
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_converge_goes_only_to_the_hosts_that_say_what_is_to_be_done_and_they_say_all(seed: int) -> None:
    everybody = environment.ours()
    assert (
        "nothing to change" in Converge(everybody).well() or "nothing to change" in Converge(everybody).well()
    )
    dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
    wounded = sorted(dice.sample(HOSTS, 2))
    units = managed_units(wounded)
    wounds = {host: wound(host, units[host], dice) for host in wounded}
    said = Converge(everybody).well()
    log = newest_log()
    asked = to_be_done(log)
    assert sorted(asked) == wounded, asked
    for host, done in wounds.items():
        for what in done:
            kind, _, subject = what.rpartition(" ")
            subject = f"{subject}/zz-wounded" if kind.startswith("foreign") else subject
            assert any(subject in sentence for sentence in asked[host]), (what, asked[host])
    # From the log of the playbook: nobody else was spoken to.
    reached = set(re.findall(r"^(?:ok|changed|skipped): \[([^\]]+)\]", log, re.MULTILINE))
    assert sorted(reached) == wounded
    assert re.search(rf"\d+ changes on 2 of {len(everybody)} hosts", said), said
    assert f"nothing to change on {len(everybody)} hosts" in Converge(everybody).well()


def test_a_unit_that_stopped_by_itself_is_seen_without_any_file_being_touched() -> None:
    host = environment.only("ns")
    batch(machine(host), {"kill": "systemctl kill --signal=KILL knot.service; systemctl stop knot.service"})
    said = Converge((host,)).well()
    assert "Started knot.service." in "".join(to_be_done(newest_log())[host])
    assert re.search(r"changes? on 1 of 1 hosts", said), said
