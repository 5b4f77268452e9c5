"""A converge killed anywhere is healed by the next; of two at once one runs; the dead change nothing."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.support import environment
from tests.support.fingerprint import Fingerprint, fingerprints
from tests.support.places import batch, machine
from tests.support.wounds import Converge, Kill, healed, kills, whole

SEED = 6
COUNT = 10
HOSTS = environment.ours()
FILE = "/etc/apt/apt.conf.d/80province"  # what the first role of all lays down


@pytest.fixture(scope="module")
def before() -> tuple[dict[str, tuple[str, ...]], dict[str, Fingerprint]]:
    """Units of all hosts, and their fingerprints when nothing is left to do."""
    return whole(HOSTS)


@pytest.mark.parametrize("kill", kills(COUNT, SEED), ids=str)
def test_a_killed_converge_is_healed_by_the_next_to_the_same_files_units_and_running_state(
    kill: Kill, before: tuple[dict[str, tuple[str, ...]], dict[str, Fingerprint]]
) -> None:
    units, wanted = before
    found = healed(kill, units)
    for host in kill.hosts:
        assert found[host] == wanted[host], host


def test_after_all_kills_nothing_is_left_to_do_anywhere(
    before: tuple[dict[str, tuple[str, ...]], dict[str, Fingerprint]],
) -> None:
    units, wanted = before
    assert f"nothing to change on {len(HOSTS)} hosts" in Converge(HOSTS).well()
    assert fingerprints(HOSTS, units) == wanted


def test_of_two_converges_at_once_one_runs_and_the_other_names_it() -> None:
    hosts = (environment.only("ns"),)
    first = Converge(hosts, "--no-look")
    try:
        assert first.began()
        status, said = Converge(hosts).ended()
        assert first.process.poll() is None, "the first was over: they did not meet"
    finally:
        first.well()
    assert status != 0
    assert f"held by process {first.process.pid}, `make converge" in said


def test_what_is_left_of_a_run_that_was_taken_for_dead_changes_nothing_on_a_host() -> None:
    """As a module that a killed controller has left behind: it began before the run that healed the host."""
    host = environment.only("ns")
    Converge((host,)).well()
    batch(machine(host), {"wound": f"echo '# wounded' >> {FILE}"})["wound"].checked()
    try:
        dead = subprocess.run(
            [
                environment.ROOT / ".venv/bin/ansible-playbook",
                environment.ROOT / "playbooks/layers/base.yml",
                "-i",
                environment.environment_file(),
                "--limit",
                host,
            ],
            cwd=environment.ROOT,
            env={**os.environ, "PROVINCE_BEGAN": "1", "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        left = batch(machine(host), {"left": f"tail -n 1 {FILE}"})["left"].checked()
    finally:
        said = Converge((host,)).well()
    assert dead.returncode != 0
    assert "A run that began later" in dead.stdout, dead.stdout[-2000:]
    assert left.strip() == "# wounded"
    assert re.search(r"changes? on 1 of 1 hosts", said), said
