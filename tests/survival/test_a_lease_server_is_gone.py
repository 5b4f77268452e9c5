"""Either member of the pair that leases addresses in the centre is off: new machines still get one."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import NoLabError, ask, batch, machine

RESOLVERS = environment.in_group("resolver")
# On the same segment, and no server of leases: it carries the frames of a machine that is not there.
NEIGHBOUR = environment.only("app")
LEASES = environment.facts(RESOLVERS[0])["dhcp"][0]
WITHIN = 15  # seconds to a lease while a member is off: silence of four seconds, a few tries of the client
pytestmark = pytest.mark.skipif(len(RESOLVERS) < 2, reason="this environment builds one member of the pair")

PROGRAM = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/kea/kea4-ctrl-socket'); "
    """s.sendall(b'{"command": "ha-heartbeat"}'); print(s.recv(4096).decode())"""
)


def address_of(host: str) -> str:
    """Where a member gives leases."""
    interfaces = environment.facts(host)["interfaces"]
    found = next(entry for entry in interfaces if entry["name"] == LEASES["interface"])
    return str(found["addresses"][0].partition("/")[0])


def stands_by(host: str) -> bool:
    """Whether a member is in service beside the other, by its own word."""
    try:
        said = batch(machine(host), {"it": f"python3 -c {shlex.quote(PROGRAM)}"})["it"]
    except NoLabError:  # it boots
        return False
    return '"hot-standby"' in said


@contextmanager
def off(host: str) -> Iterator[None]:
    """The power of a member is cut, and comes back."""
    project = environment.environment().incus.project

    def incus(*words: str) -> None:
        subprocess.run(["incus", *words, "--project", project, host], check=True, timeout=60)

    incus("stop", "--force")
    try:
        yield
    finally:
        incus("start")
        machine.cache_clear()
        eventually(lambda: all(map(stands_by, RESOLVERS)), within=90, every=2)


@pytest.mark.requirement("tcvn-14423/5.2.2.4-dhcp-log")
@pytest.mark.parametrize("gone", RESOLVERS[:2])
def test_a_new_machine_gets_an_address_while_a_member_is_off(gone: str) -> None:
    eventually(lambda: all(map(stands_by, RESOLVERS)), within=60, every=2)
    other = next(host for host in RESOLVERS if host != gone)
    with off(gone):
        said = ask(machine(NEIGHBOUR), "lease", {"interface": LEASES["interface"], "within": WITHIN})
        assert said["address"], f"no lease within {WITHIN} s"
        assert said["server"] == address_of(other)
