"""What tunnels carry at most, and what goes first."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from netaddr import IPNetwork

from province.hosts import built_hosts, load_environment, plan_for
from province.shaping import LAST_NUMBER, number_of_unit, rate_kbit
from province.sources import load_sources
from tests.support.repository import ROOT

LAB = ROOT / "inventories/lab/environment.yml"
REGISTERS = ("dien-bien", "hai-phong", "ba-ria-vung-tau-2012")
WARD, PARTY = "phuong-dien-bien-phu", "van-phong-tinh-uy"


@cache
def facts() -> dict[str, dict[str, Any]]:
    lab = load_environment(LAB)
    plan = plan_for(lab)
    return {h.name: h.facts() for h in built_hosts(lab, plan, {host.name: host.name for host in plan.hosts})}


@pytest.mark.parametrize("register", REGISTERS)
def test_a_unit_is_given_what_its_kind_is_and_never_more_than_its_line_holds(register: str) -> None:
    sources = load_sources(ROOT / "inventories/registers" / register)
    limited = []
    for unit in sources.plan().units:
        kind = sources.catalogue.kinds[unit.kind].rate_mbps * 1000
        rate = rate_kbit(unit, sources.catalogue)
        assert 0 < rate <= kind
        if unit.links:
            assert rate <= unit.links[0].bandwidth_mbps * 1000
            limited.append(rate < kind)
    assert any(limited), "no line is slower than its kind's rate: half of the rule was not asked"


@pytest.mark.parametrize("register", REGISTERS)
def test_numbers_of_units_are_their_own_and_fit(register: str) -> None:
    sources = load_sources(ROOT / "inventories/registers" / register)
    pools = sources.register.pools
    numbers = [number_of_unit(unit, pools) for unit in sources.plan().units]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 0
    assert max(numbers) <= LAST_NUMBER


@pytest.mark.parametrize(
    ("unit", "hubs", "rate", "networks"),
    [
        (WARD, ("hub-1", "hub-2"), 100_000, ["10.13.1.0/24", "fdfd:1475:4940:100::/56"]),
        (
            PARTY,
            ("hub-party-1", "hub-party-2"),
            200_000,
            ["10.12.66.0/23", "fdfd:1475:4920:100::/56"],
        ),
    ],
)
def test_both_ends_of_every_tunnel_send_at_the_same_rate(
    unit: str, hubs: tuple[str, ...], rate: int, networks: list[str]
) -> None:
    devices = facts()[f"{unit}-cpe-1"]["shaping"]["devices"]
    built = [hub for hub in hubs if hub in facts()]
    assert [device["name"] for device in devices] == ["wg-hub1", "wg-hub2"][: len(built)]
    for device in devices:
        assert [(e["rate_kbit"], e["networks4"], e["networks6"]) for e in device["ends"]] == [(rate, [], [])]
    for hub in built:
        (device,) = facts()[hub]["shaping"]["devices"]
        assert device["name"] == "wg0"
        found = [(e["rate_kbit"], [*e["networks4"], *e["networks6"]]) for e in device["ends"]]
        assert found == [(rate, networks)]


def test_time_and_routes_go_before_people_and_people_before_the_rest() -> None:
    services = facts()["hub-1"]["shaping"]["services"]
    asked = {(s["class"], s["protocol"], tuple(s["ports"])) for s in services}
    assert ("realtime", "udp", (123,)) in asked
    assert ("realtime", "tcp", (179,)) in asked
    assert {("interactive", "udp", (53,)), ("interactive", "tcp", (80,))} <= asked
    assert [s["class"] for s in services] == sorted((s["class"] for s in services), reverse=True)
    # Only what the centre answers for is known by address, and by nothing wider than one.
    for service in services:
        for address in (*service["addresses4"], *service["addresses6"]):
            assert IPNetwork(address).size == 1


@pytest.mark.parametrize("host", ["edge-1", "resolver-1", f"{WARD}-pc-1"])
def test_who_ends_no_tunnel_shapes_nothing(host: str) -> None:
    assert "shaping" not in facts()[host]
