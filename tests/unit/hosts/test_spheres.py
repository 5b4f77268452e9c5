"""Party and government are routing domains apart: what one is told never holds what is the other's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from netaddr import IPNetwork

from province.hosts import built_hosts, load_environment, plan_for
from province.plan.flows import ways
from province.plan.model import Plan
from province.register.catalogue import SPHERES, Catalogue
from province.sources import load_sources
from tests.support.repository import ROOT

REGISTERS = ("dien-bien", "hai-phong", "ba-ria-vung-tau-2012")
LAB = ROOT / "inventories/lab/environment.yml"
OTHER = {"government": "party", "party": "government"}


@cache
def known(register: str) -> tuple[Plan, Catalogue]:
    sources = load_sources(ROOT / "inventories/registers" / register)
    return sources.plan(), sources.catalogue


@cache
def facts() -> Mapping[str, dict[str, Any]]:
    """Of all hosts of the lab, with every key there is."""
    lab = load_environment(LAB)
    plan = plan_for(lab)
    return {h.name: h.facts() for h in built_hosts(lab, plan, {host.name: host.name for host in plan.hosts})}


def blocks(plan: Plan, sphere: str) -> list[IPNetwork]:
    """All of the units of a sphere."""
    return [net for u in plan.units if u.sphere == sphere for net in (u.prefix4, u.prefix6)]


def of_sphere(host: str) -> str:
    """The sphere of a hub or a unit's gateway of the lab."""
    lab = load_environment(LAB)
    units = {unit.id: unit.sphere for unit in lab.sources.register.units}
    machines = {machine.id: machine.sphere for machine in lab.sources.catalogue.hubs}
    told = facts()[host]
    return units[told["unit"]] if told["unit"] else machines[told["machine"]]


def theirs(networks: list[IPNetwork], foreign: list[IPNetwork]) -> list[str]:
    """Those of some networks that share an address with another sphere's."""
    return [str(n) for n in networks if any(n in f or f in n for f in foreign)]


ROUTERS = ("hub-1", "hub-party-1", "phuong-dien-bien-phu-cpe-1", "van-phong-tinh-uy-cpe-1")


@pytest.mark.parametrize("router", ROUTERS)
def test_no_prefix_of_a_sphere_is_in_any_list_told_to_the_other(router: str) -> None:
    foreign = blocks(known("dien-bien")[0], OTHER[of_sphere(router)])
    routing = facts()[router]["routing"]
    lists = [entry[way] for entry in routing["neighbors"] for way in ("accept", "announce")]
    lists += [entry["announce"] for entry in routing["listen"]]
    lists += [member["accept"] for entry in routing["listen"] for member in entry["members"]]
    lists += [peer["allowed"] for tunnel in facts()[router]["wireguard"] for peer in tunnel["peers"]]
    told = [IPNetwork(network) for found in lists for network in found]
    assert len(lists) >= 4
    assert told
    assert theirs(told, foreign) == []


def test_a_border_router_hears_of_each_hub_its_own_sphere_and_tells_it_nothing_of_units() -> None:
    plan, catalogue = known("dien-bien")
    hubs = {machine.id: machine.sphere for machine in catalogue.hubs}
    spheres = {host.name: hubs[host.machine] for host in plan.hosts if host.machine in hubs}
    seen = set()
    for session in facts()["edge-1"]["routing"]["neighbors"]:
        sphere = spheres[session["description"]]
        seen.add(sphere)
        heard, told = ([IPNetwork(n) for n in session[way]] for way in ("accept", "announce"))
        assert heard
        assert theirs(heard, blocks(plan, OTHER[sphere])) == []
        assert told
        assert theirs(told, blocks(plan, "government") + blocks(plan, "party")) == []
    assert seen == set(SPHERES)


@pytest.mark.parametrize("router", ["hub-1", "hub-party-1"])
def test_a_hub_refuses_whatever_of_the_province_nobody_told_it(router: str) -> None:
    """Its default route leads to the carrier: packets for the other sphere would go there."""
    refused = [IPNetwork(network) for network in facts()[router]["routing"]["discard"]]
    for block in (*blocks(known("dien-bien")[0], "government"), *blocks(known("dien-bien")[0], "party")):
        assert any(block in network for network in refused), block


@pytest.mark.parametrize("router", ROUTERS)
def test_no_rule_of_a_sphere_s_router_lets_the_other_through(router: str) -> None:
    foreign = blocks(known("dien-bien")[0], OTHER[of_sphere(router)])
    rules = facts()[router]["firewall"]
    ends = [
        IPNetwork(network)
        for chain in ("input", "output", "forward")
        for rule in rules[chain]
        for side in ("source4", "source6", "destination4", "destination6")
        for network in rule[side]
    ]
    assert ends
    assert theirs(ends, foreign) == []


def test_no_rule_of_a_border_router_joins_the_transits_of_the_spheres() -> None:
    joined = {(rule["in"], rule["out"]) for rule in facts()["edge-1"]["firewall"]["forward"]}
    assert {("trans", "srv"), ("ptrans", "srv")} <= joined
    assert joined & {("trans", "ptrans"), ("ptrans", "trans")} == set()


@pytest.mark.parametrize(("transit", "other"), [("trans", "party"), ("ptrans", "government")])
def test_a_border_router_lets_no_unit_in_from_the_transit_of_the_other_sphere(
    transit: str, other: str
) -> None:
    rules = [rule for rule in facts()["edge-1"]["firewall"]["forward"] if rule["in"] == transit]
    sources = [IPNetwork(n) for rule in rules for n in (*rule["source4"], *rule["source6"])]
    assert sources
    assert theirs(sources, blocks(known("dien-bien")[0], other)) == []


@pytest.mark.parametrize("register", REGISTERS)
def test_every_unit_has_tunnels_to_the_hubs_of_its_sphere_alone(register: str) -> None:
    plan, catalogue = known(register)
    machines = {host.name: host.machine for host in plan.hosts if host.owner == "centre"}
    spheres = {machine.id: machine.sphere for machine in catalogue.hubs}
    members = {machine.sphere: machine.members for machine in catalogue.hubs}
    for unit in plan.units:
        if unit.state == "closed":
            continue
        peers = [peer for peer in plan.peers if peer.unit == unit.id]
        assert {spheres[machines[peer.hub]] for peer in peers} == {unit.sphere}
        assert len(peers) == members[unit.sphere]
        # An odd index takes the first hub, an even one the second.
        assert [peer.preferred for peer in peers] == [unit.index % 2 == 1, unit.index % 2 == 0]


@pytest.mark.parametrize("register", REGISTERS)
def test_a_flow_names_units_of_one_sphere_and_what_the_party_shares_is_named(register: str) -> None:
    plan, _ = known(register)
    for flow in plan.flows:
        if flow.sphere:
            ends = [n for e in (flow.source, flow.destination) for n in (*e.networks4, *e.networks6)]
            assert theirs(ends, blocks(plan, OTHER[flow.sphere])) == [], flow.id
    shared = {
        flow.service for flow in plan.flows if flow.sphere == "party" and flow.destination.zone == "servers"
    }
    assert shared == {"dns", "logs", "ntp", "packages", "start"}


def test_no_flow_of_the_catalogue_has_a_way_from_sphere_to_sphere() -> None:
    """Hops of one sphere's flows never pass the other's hub or transit."""
    _, catalogue = known("dien-bien")
    own = {"government": {"hub", "trans"}, "party": {"hub_party", "ptrans", "ptun"}}
    walked = 0
    for flow in catalogue.flows:
        for sphere in flow.spheres if "unit" in (flow.source.at, flow.destination.at) else ():
            for hop in (hop for way in ways(catalogue, flow, "", sphere).values() for hop in way or ()):
                walked += 1
                at = {hop.machine, hop.source[1], hop.destination[1]}
                assert not at & own[OTHER[sphere]], (flow.id, sphere, hop)
    assert walked
