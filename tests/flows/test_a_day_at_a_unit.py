"""A unit's PC is switched on: it gets an address, the time, names, and the start page.

    PC ── staff ── CPE ══ tunnel over the carrier ══ hub ── edge ── resolver, time server, application

All of it bound to the LAN, away from the management network of the lab.
"""

from __future__ import annotations

import time

import pytest
from netaddr import IPAddress, IPNetwork

from province.observe import iproute, ntp
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.names import ask_names, code, data
from tests.support.places import batch, machine
from tests.support.probes import Outcome, Question, questions
from tests.support.web import page, request

PC = environment.only("workstation")
LAN = "staff"
UNIT = environment.unit(environment.facts(PC)["unit"])
GATEWAY = next(
    host for host in environment.in_group("unit_gateway") if environment.facts(host)["unit"] == UNIT.id
)
SEGMENT = next(segment for segment in UNIT.segments if segment.name == LAN)
START = environment.service("start")


def leased() -> list[iproute.Address]:
    """Addresses of the PC on the LAN that were given to it."""
    said = batch(machine(PC), {"addr": f"ip -j addr show dev {LAN}"})["addr"].checked()
    found = [entry for entry in iproute.addresses(said) if entry.scope == "global" and entry.dynamic]
    assert {IPNetwork(entry.address).version for entry in found} == {4, 6}, f"so far {found}"
    return found


def gateway_addresses() -> list[str]:
    """The unit gateway's addresses on the LAN, IPv4 first."""
    interfaces = environment.facts(GATEWAY)["interfaces"]
    return [
        address.partition("/")[0]
        for interface in interfaces
        if interface["name"] == LAN
        for address in (*interface["addresses"], *interface["vips"])
    ]


def test_the_pc_holds_a_lease_from_the_planned_pool() -> None:
    """Inside the pool, not merely inside the network: fixed addresses of the segment stay free."""
    pool = next(entry for entry in environment.facts(GATEWAY)["dhcp"] if entry["interface"] == LAN)
    addresses = eventually(leased, within=60)
    lease = next(IPNetwork(entry.address) for entry in addresses if ":" not in entry.address)
    assert IPAddress(pool["pool_start"]) <= lease.ip <= IPAddress(pool["pool_end"])
    assert lease.prefixlen == SEGMENT.network4.prefixlen


def test_the_pc_made_itself_an_address_from_the_announced_prefix() -> None:
    addresses = eventually(leased, within=60)
    made = [IPNetwork(entry.address).ip for entry in addresses if ":" in entry.address]
    assert made
    assert all(address in SEGMENT.network6 for address in made)


def test_the_default_routes_lead_to_the_unit_gateway() -> None:
    commands = {"4": "ip -j -4 route show default", "6": "ip -j -6 route show default"}
    said = batch(machine(PC), commands)
    routes = [route for family in "46" for route in iproute.routes(said[family].checked())]
    assert {route.interface for route in routes} == {LAN}
    assert [route.gateway for route in routes if ":" not in route.gateway] == [str(SEGMENT.gateway4)]
    # A router announces itself by its link-local address.
    assert [
        route.gateway for route in routes if ":" in route.gateway and not route.gateway.startswith("fe80:")
    ] == []
    assert len(routes) == 2


@pytest.mark.requirement("tcvn-14423/5.2.2.4-dhcp-log")
def test_the_gateway_logged_the_lease_that_the_pc_holds() -> None:
    """Who had this address then? The log of the DHCP server is the only one who knows."""
    lease = next(
        IPNetwork(entry.address).ip for entry in eventually(leased, within=60) if ":" not in entry.address
    )
    command = f"journalctl --no-pager -u kea-dhcp4-server | grep -F LEASE | grep -Fw {lease}"
    said = batch(machine(GATEWAY), {"log": command})["log"]
    assert said.rc == 0, f"no line about {lease} in the log of {GATEWAY}"


@pytest.mark.requirement("tcvn-14423/5.8.2.1-time")
def test_the_pc_gets_the_time_from_its_gateway() -> None:
    asked = [
        Question(protocol="udp", address=address, port=123, payload=ntp.request(), device=LAN)
        for address in gateway_addresses()
    ]
    for answer in questions(machine(PC), asked):
        assert answer.outcome is Outcome.OPEN, answer
        reply = ntp.reply(answer.payload)
        assert reply.usable
        assert abs(reply.time - time.time()) < 5


def test_the_pc_resolves_names_of_the_centre_and_of_its_own_unit() -> None:
    """Asked of the gateway, which passes it on through the tunnel; both families of servers and records."""
    own = environment.planned(GATEWAY)
    for server in gateway_addresses():
        asked = [(f"{name}.", kind) for name in START.names for kind in ("A", "AAAA")]
        heard = ask_names(machine(PC), server, [*asked, (f"{own.fqdn}.", "AAAA")], device=LAN)
        for key in asked:
            planned = START.addresses4 if key[1] == "A" else START.addresses6
            assert set(data(heard[key], key[1])) == set(map(str, planned)), (
                f"{key} of {server}: {code(heard[key])}"
            )
        assert code(heard[f"{own.fqdn}.", "AAAA"]) == "NOERROR"


def test_the_pc_asks_the_gateway_for_names_by_itself() -> None:
    """What DHCP and router advertisements gave it ends up in its own resolver configuration."""
    said = batch(machine(PC), {"hosts": f"getent ahosts {START.names[0]}"})["hosts"].checked()
    found = {line.split()[0] for line in said.splitlines()}
    assert found == set(map(str, (*START.addresses4, *START.addresses6)))


def test_the_pc_opens_the_start_page_over_the_wan() -> None:
    """Both families; the page speaks Vietnamese and English."""
    asked = [
        Question(
            protocol="tcp",
            address=str(address),
            port=80,
            payload=request(START.names[0]),
            until="close",
            timeout=5,
            device=LAN,
        )
        for address in (*START.addresses4, *START.addresses6)
    ]
    for answer in questions(machine(PC), asked):
        assert answer.outcome is Outcome.OPEN
        served = page(answer.payload)
        assert served.status == 200
        assert environment.plan().name in served.body.decode("utf-8")
