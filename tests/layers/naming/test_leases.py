"""Naming: a machine of the centre without an address gets one, beside all that are planned."""

from __future__ import annotations

import shlex

import pytest
from netaddr import IPAddress

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import ask, batch, machine

RESOLVERS = environment.in_group("resolver")
# On the same segment, and no server of leases: it carries the frames of a machine that is not there.
NEIGHBOUR = environment.only("app")
FACTS = environment.facts(RESOLVERS[0])["dhcp"][0]


@pytest.mark.requirement("tcvn-14423/5.2.2.4-dhcp-log")
def test_a_new_machine_of_the_centre_gets_an_address_that_nobody_has_and_it_is_logged() -> None:
    said = ask(machine(NEIGHBOUR), "lease", {"interface": FACTS["interface"], "within": 20})
    assert IPAddress(FACTS["pool_start"]) <= IPAddress(said["address"]) <= IPAddress(FACTS["pool_end"])
    planned = {
        address.ip
        for host in environment.plan().hosts
        for i in host.interfaces
        for address in (*i.addresses, *i.vips)
    }
    assert IPAddress(said["address"]) not in planned
    assert said["gateway"] == [FACTS["gateway"]]
    assert said["dns"] == FACTS["dns"]
    assert said["ntp"] == FACTS["ntp"]
    (giver,) = [name for name in RESOLVERS if said["server"] in str(environment.facts(name)["interfaces"])]
    logged = f"journalctl --unit kea-dhcp4-server --since -5min | grep --fixed-strings {said['hardware']}"

    def told() -> str:
        return batch(machine(giver), {"it": logged})["it"].checked()

    assert said["address"] in eventually(told, within=20)


def test_no_planned_address_of_any_province_is_in_the_pool() -> None:
    """Of whatever is planned, built or not."""
    first, last = IPAddress(FACTS["pool_start"]), IPAddress(FACTS["pool_end"])
    inside = [
        host.name
        for host in environment.plan().hosts
        for interface in host.interfaces
        for address in (*interface.addresses, *interface.vips)
        if address.version == 4 and first <= address.ip <= last
    ]
    assert inside == []


def test_members_of_the_pair_hold_each_others_leases() -> None:
    """Their own word on their state, through the socket that only root can open."""
    if len(RESOLVERS) < 2:
        assert environment.facts(RESOLVERS[0])["dhcp_pair"] == {}
        return
    program = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/kea/kea4-ctrl-socket'); "
        """s.sendall(b'{"command": "ha-heartbeat"}'); print(s.recv(4096).decode())"""
    )
    ask_state = f"python3 -c {shlex.quote(program)}"

    def ready() -> bool:
        for host in RESOLVERS:
            assert '"hot-standby"' in batch(machine(host), {"it": ask_state})["it"].checked(), host
        return True

    eventually(ready, within=60, every=2)
