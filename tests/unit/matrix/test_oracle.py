"""The judge of the flow proof: agrees with the rulebook where both speak, and knows what no rule says."""

from __future__ import annotations

from functools import cache

import pytest
from netaddr import IPAddress

from province.hosts import built_hosts, load_environment, plan_for
from province.plan.model import Plan, PlannedHost
from tests.support.matrix import UNUSED, Oracle, Stand, host_stands
from tests.support.repository import ROOT

LAB = load_environment(ROOT / "inventories/lab/environment.yml")
UNIT = LAB.units[0]


@cache
def plan() -> Plan:
    return plan_for(LAB)


@cache
def oracle() -> Oracle:
    return Oracle(plan(), LAB.sources.catalogue)


@cache
def stands() -> tuple[Stand, ...]:
    """Everybody of the lab, with the addresses of the plan."""
    found: list[Stand] = []
    for host in built_hosts(LAB, plan(), {}):
        if host.planned.machine not in ("probe", "carrier"):
            found += host_stands(host.planned, carried(host.planned))
    return tuple(found)


def carried(host: PlannedHost) -> dict[str, list[str]]:
    return {i.name: [str(a.ip) for a in (*i.addresses, *i.vips)] for i in host.interfaces}


def at(holder: str, segment: str, version: int = 4) -> Stand:
    return next(s for s in stands() if (s.holder, s.segment, s.version) == (holder, segment, version))


def stranger(segment: str, version: int = 4) -> Stand:
    found = next(s for s in plan().segments if s.id == segment)
    network = found.network4 if version == 4 else found.network6
    return Stand(
        holder=segment,
        machine="",
        segment=segment,
        zone=found.zone.value,
        address=network[8],
    )


@pytest.mark.parametrize("version", [4, 6])
def test_names_are_asked_where_a_flow_says_so_and_nowhere_else(version: int) -> None:
    resolver = at("resolver-1", "centre/srv", version)
    assert oracle().allowing(at("app-1", "centre/srv", version), resolver, "udp", 53) == ("servers-dns",)
    assert oracle().allowing(at("ns-1", "centre/dmz", version), resolver, "udp", 53) == ("dmz-dns",)
    assert oracle().allowing(stranger("centre/dmz", version), resolver, "udp", 53) == ()
    assert oracle().allowing(stranger("centre/db", version), resolver, "udp", 53) == ()
    assert oracle().allowing(at("app-1", "centre/srv", version), resolver, *UNUSED) == ()


def test_a_flow_within_one_network_does_not_reach_the_gateway_in_another() -> None:
    gateway = f"{UNIT}-cpe-1"
    staff, counter = at(gateway, f"{UNIT}/staff"), at(gateway, f"{UNIT}/count")
    assert oracle().allowing(stranger(f"{UNIT}/staff"), staff, "udp", 53) == ("lan-unit-dns",)
    assert oracle().allowing(stranger(f"{UNIT}/staff"), counter, "udp", 53) == ()


def test_a_router_does_not_ask_in_the_name_of_the_network_it_serves() -> None:
    mirror = next(s for s in stands() if s.shared and s.holder == "mirror-1" and s.version == 4)
    service = next(s for s in plan().services if s.id == "packages")
    port = service.ports[0]
    staff = stranger(f"{UNIT}/staff")
    assert oracle().allowing(staff, mirror, port.protocol, port.number) == ("staff-packages",)
    gateway = at(f"{UNIT}-cpe-1", f"{UNIT}/staff")
    assert oracle().allowing(gateway, mirror, port.protocol, port.number) == ()


def test_only_the_line_to_the_internet_leads_outside() -> None:
    mirror = at("mirror-1", "centre/upl")
    away = Stand(holder="x", machine="", segment="", zone="border", address=IPAddress("203.0.113.9"))
    assert oracle().allowing(mirror, away, "tcp", 80) == ("mirror-internet-web",)
    assert oracle().allowing(mirror, stranger("centre/upl"), "tcp", 443) == ("mirror-internet-web",)
    assert oracle().allowing(mirror, stranger("centre/dmz"), "tcp", 80) == ()
    assert oracle().allowing(at("app-1", "centre/srv"), away, "tcp", 80) == ()


def test_a_shared_address_counts_where_it_is_carried_alone() -> None:
    edge = next(host.planned for host in built_hosts(LAB, plan(), {}) if host.planned.machine == "edge")
    own = {i.name: [str(a.ip) for a in i.addresses] for i in edge.interfaces}
    assert not [stand for stand in host_stands(edge, own) if stand.shared]
    assert [stand for stand in host_stands(edge, carried(edge)) if stand.shared]


def test_everybody_is_asked_every_port_but_by_itself() -> None:
    source = stranger("centre/dmz")
    asked = list(oracle().questions(source, [*stands(), source]))
    assert {(a.protocol, a.port) for a in asked} == set(oracle().ports)
    assert {a.target.version for a in asked} == {4}
    assert source not in {a.target for a in asked}
