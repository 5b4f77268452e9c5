"""The rules that hosts are given agree along each path, and everything beside the flows is refused.

A conversation is followed from host to host over the way written here by hand: every host on it must
have a rule for it, sender, routers and receiver. What is not a flow must fail at the sender and, should
the sender be taken over, at the first router.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from province.hosts import Host, built_hosts, load_environment, plan_for
from tests.support.repository import ROOT

UNIT = "phuong-dien-bien-phu"
CPE, PC = f"{UNIT}-cpe-1", f"{UNIT}-pc-1"


@cache
def hosts() -> Mapping[str, Host]:
    environment = load_environment(ROOT / "inventories/lab/environment.yml")
    return {host.name: host for host in built_hosts(environment, plan_for(environment), {})}


@cache
def rules(host: str) -> Any:
    return hosts()[host].facts()["firewall"]


@dataclass(frozen=True)
class Step:
    """A chain of a host that the conversation passes."""

    host: str
    chain: str
    into: str = ""
    out: str = ""


def leaves(host: str, out: str) -> Step:
    return Step(host, "output", out=out)


def enters(host: str, into: str) -> Step:
    return Step(host, "input", into=into)


def through(host: str, into: str, out: str) -> Step:
    return Step(host, "forward", into, out)


UP = (through("hub-1", "wg0", "trans"), through("edge-1", "trans", "srv"))
FROM_PC = (leaves(PC, "staff"), through(CPE, "staff", "wg-hub1"), *UP)
FROM_CPE = (leaves(CPE, "wg-hub1"), *UP)
PC_AT = ("10.13.1.77", "fdfd:1475:4940:101::77")
CPE_AT = ("10.13.1.241", "fdfd:1475:4940:10f::1")
RESOLVER = ("10.12.30.32", "fdfd:1475:4900:1e::20")
MIRROR = ("10.12.30.41", "fdfd:1475:4900:1e::29")
APP = ("10.12.30.51", "fdfd:1475:4900:1e::33")
NS = ("10.12.20.22", "fdfd:1475:4900:14::16")
HUB = ("10.12.10.12", "fdfd:1475:4900:a::c")
EDGE = ("10.12.10.2", "fdfd:1475:4900:a::2")
HUB_WAN = ("100.67.0.2", "2001:db8:300::2")
HUB_TUNNEL = ("10.12.62.12", "fdfd:1475:4900:3e::c")
INTERNET = ("203.0.113.9", "2001:db8:ffff::9")

# Who to whom, protocol and port, the way.
CONVERSATIONS = {
    "staff-start": (PC_AT, APP, "tcp", 80, (*FROM_PC, enters("app-1", "srv"))),
    "staff-packages": (PC_AT, MIRROR, "tcp", 80, (*FROM_PC, enters("mirror-1", "srv"))),
    "lan-unit-dns": (
        PC_AT,
        ("10.13.1.1", "fdfd:1475:4940:101::1"),
        "udp",
        53,
        (leaves(PC, "staff"), enters(CPE, "staff")),
    ),
    "lan-unit-ntp": (
        PC_AT,
        ("10.13.1.1", "fdfd:1475:4940:101::1"),
        "udp",
        123,
        (leaves(PC, "staff"), enters(CPE, "staff")),
    ),
    "guest-unit-dns": (
        ("10.13.1.200", "fdfd:1475:4940:104::200"),
        ("10.13.1.193", "fdfd:1475:4940:104::1"),
        "udp",
        53,
        (enters(CPE, "guest"),),
    ),
    "gateway-dns": (CPE_AT, RESOLVER, "tcp", 53, (*FROM_CPE, enters("resolver-1", "srv"))),
    "gateway-ntp": (CPE_AT, RESOLVER, "udp", 123, (*FROM_CPE, enters("resolver-1", "srv"))),
    "gateway-packages": (CPE_AT, MIRROR, "tcp", 80, (*FROM_CPE, enters("mirror-1", "srv"))),
    "gateway-wan": (
        ("100.67.64.10", "2001:db8:304:2::2"),
        HUB_WAN,
        "udp",
        51820,
        (leaves(CPE, "wan"), enters("hub-1", "wan")),
    ),
    "gateway-wan-routing": (
        CPE_AT,
        HUB_TUNNEL,
        "tcp",
        179,
        (leaves(CPE, "wg-hub1"), enters("hub-1", "wg0")),
    ),
    "hub-unit-liveness": (
        HUB_TUNNEL,
        CPE_AT,
        "udp",
        3784,
        (leaves("hub-1", "wg0"), enters(CPE, "wg-hub1")),
    ),
    "hub-transit-routing": (HUB, EDGE, "tcp", 179, (leaves("hub-1", "trans"), enters("edge-1", "trans"))),
    "edge-transit-routing": (EDGE, HUB, "tcp", 179, (leaves("edge-1", "trans"), enters("hub-1", "trans"))),
    "hub-dns": (
        HUB,
        RESOLVER,
        "udp",
        53,
        (leaves("hub-1", "trans"), through("edge-1", "trans", "srv"), enters("resolver-1", "srv")),
    ),
    "dmz-ntp": (
        NS,
        RESOLVER,
        "udp",
        123,
        (leaves("ns-1", "dmz"), through("edge-1", "dmz", "srv"), enters("resolver-1", "srv")),
    ),
    "resolver-dns-authoritative": (
        RESOLVER,
        NS,
        "udp",
        53,
        (leaves("resolver-1", "srv"), through("edge-1", "srv", "dmz"), enters("ns-1", "dmz")),
    ),
    "servers-packages": (
        ("10.12.30.52", "fdfd:1475:4900:1e::34"),
        MIRROR,
        "tcp",
        80,
        (leaves("app-1", "srv"), enters("mirror-1", "srv")),
    ),
    "servers-dns": (
        ("10.12.30.2", "fdfd:1475:4900:1e::2"),
        RESOLVER,
        "udp",
        53,
        (leaves("edge-1", "srv"), enters("resolver-1", "srv")),
    ),
    "mirror-internet-web": (
        ("10.12.60.42", "fdfd:1475:4900:3c::2a"),
        INTERNET,
        "tcp",
        443,
        (leaves("mirror-1", "upl"),),
    ),
}
# The same, for what nobody planned: at each step alone it must be refused.
REFUSED = {
    "staff signs in at the application host": (PC_AT, APP, "tcp", 22, CONVERSATIONS["staff-start"][4]),
    "staff asks the centre's resolver": (PC_AT, RESOLVER, "udp", 53, CONVERSATIONS["staff-start"][4]),
    "staff goes to the Internet": (
        PC_AT,
        INTERNET,
        "tcp",
        443,
        (leaves(PC, "staff"), through(CPE, "staff", "wan")),
    ),
    "staff asks the authority": (
        PC_AT,
        NS,
        "udp",
        53,
        (*FROM_PC[:3], through("edge-1", "trans", "dmz"), enters("ns-1", "dmz")),
    ),
    "a guest opens the start page": (
        ("10.13.1.200", "fdfd:1475:4940:104::200"),
        APP,
        "tcp",
        80,
        (through(CPE, "guest", "wg-hub1"), *UP, enters("app-1", "srv")),
    ),
    "the public counter signs in at the application host": (
        ("10.13.1.140", "fdfd:1475:4940:102::140"),
        APP,
        "tcp",
        22,
        (through(CPE, "count", "wg-hub1"), *UP, enters("app-1", "srv")),
    ),
    "the public counter reaches the staff": (
        ("10.13.1.140", "fdfd:1475:4940:102::140"),
        PC_AT,
        "tcp",
        445,
        (through(CPE, "count", "staff"), enters(PC, "staff")),
    ),
    "a guest asks the gateway of the staff": (
        ("10.13.1.200", "fdfd:1475:4940:104::200"),
        ("10.13.1.1", "fdfd:1475:4940:101::1"),
        "udp",
        53,
        (enters(CPE, "guest"), enters(CPE, "staff")),
    ),
    "another unit's staff reaches ours": (
        ("10.13.2.7", "fdfd:1475:4940:201::7"),
        PC_AT,
        "tcp",
        445,
        (through("hub-1", "wg0", "wg0"), through(CPE, "wg-hub1", "staff"), enters(PC, "staff")),
    ),
    "the centre reaches into a unit": (
        ("10.12.30.52", "fdfd:1475:4900:1e::34"),
        PC_AT,
        "tcp",
        22,
        (
            leaves("app-1", "srv"),
            through("edge-1", "srv", "trans"),
            through("hub-1", "trans", "wg0"),
            through(CPE, "wg-hub1", "staff"),
            enters(PC, "staff"),
        ),
    ),
    "the Internet reaches the hub's routing": (INTERNET, HUB_WAN, "tcp", 179, (enters("hub-1", "wan"),)),
    "a stranger begins a tunnel": (INTERNET, HUB_WAN, "udp", 51820, (enters("hub-1", "wan"),)),
    "an application host goes out by the mirror's line": (
        ("10.12.30.52", "fdfd:1475:4900:1e::34"),
        INTERNET,
        "tcp",
        443,
        (leaves("app-1", "srv"), through("edge-1", "srv", "trans"), through("mirror-1", "srv", "upl")),
    ),
    "the staff comes from a unit's other network": (
        PC_AT,
        APP,
        "tcp",
        80,
        (through(CPE, "count", "wg-hub1"), through(CPE, "guest", "wg-hub1")),
    ),
}


def lets(step: Step, source: IPAddress, target: IPAddress, protocol: str, port: int) -> list[str]:
    """Flows whose rules let the packet pass the chain."""
    version = source.version

    def inside(rule: Any, end: str, address: IPAddress) -> bool:
        networks = rule[f"{end}{version}"]
        if not networks and not rule[f"{end}{10 - version}"]:
            return True
        return any(address in IPNetwork(network) for network in networks)

    return [
        rule["flow"]
        for rule in rules(step.host)[step.chain]
        if rule["protocol"] == protocol
        and port in rule["ports"]
        and rule.get("in", "") in ("", step.into)
        and rule.get("out", "") in ("", step.out)
        and inside(rule, "source", source)
        and inside(rule, "destination", target)
    ]


FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])


@FAMILIES
@pytest.mark.parametrize("flow", CONVERSATIONS)
def test_sender_routers_and_receiver_agree_on_a_flow(flow: str, family: int) -> None:
    source, target, protocol, port, way = CONVERSATIONS[flow]
    for step in way:
        found = lets(step, IPAddress(source[family]), IPAddress(target[family]), protocol, port)
        assert flow in found, f"{step} does not let {flow} pass"


@FAMILIES
@pytest.mark.parametrize("story", REFUSED)
def test_what_nobody_planned_is_refused_at_every_step(story: str, family: int) -> None:
    source, target, protocol, port, way = REFUSED[story]
    for step in way:
        assert lets(step, IPAddress(source[family]), IPAddress(target[family]), protocol, port) == [], step


def test_every_rule_has_an_interface_and_ends_of_both_families() -> None:
    count = 0
    for name in hosts():
        for chain, entries in rules(name).items():
            for rule in entries if chain in ("input", "output", "forward") else ():
                count += 1
                assert rule["ports"]
                assert bool(rule.get("in")) == (chain != "output")
                assert bool(rule.get("out")) == (chain != "input")
                assert rule["source4"]
                assert rule["source6"]
                outside = rule["flow"].startswith("mirror-internet")
                assert bool(rule["destination4"]) == bool(rule["destination6"]) == (not outside)
    assert count > 60


def test_only_the_mirror_speaks_to_anywhere() -> None:
    anywhere = {
        name
        for name in hosts()
        for chain in ("input", "output", "forward")
        for rule in rules(name)[chain]
        if not rule["destination4"] or not rule["source4"]
    }
    assert anywhere == {"mirror-1"}


def test_no_rule_touches_management() -> None:
    for name in hosts():
        for chain in ("input", "output", "forward"):
            assert [r for r in rules(name)[chain] if "mgmt" in (r.get("in"), r.get("out"))] == []


def test_every_flow_of_built_hosts_has_rules_and_no_rule_is_without_flow() -> None:
    environment = load_environment(ROOT / "inventories/lab/environment.yml")
    base = {service.id for service in environment.sources.catalogue.services if service.base}
    planned = {flow.id for flow in plan_for(environment).flows if flow.service not in base}
    found = {
        rule["flow"] for name in hosts() for c in ("input", "output", "forward") for rule in rules(name)[c]
    }
    assert found == planned


def test_a_gateway_answers_in_a_network_only_those_of_that_very_network() -> None:
    """The same flow exists in every unit and network: none of them is a source in another."""
    told = hosts()[CPE].facts()
    lans = {
        entry["name"]: {str(IPNetwork(address).cidr) for address in entry["addresses"]}
        for entry in told["interfaces"]
    }
    found = [rule for rule in told["firewall"]["input"] if rule["flow"].startswith(("lan-", "guest-"))]
    assert {rule["in"] for rule in found} == {"staff", "count", "meet", "guest"}
    for rule in found:
        assert {*rule["source4"], *rule["source6"]} == lans[rule["in"]], rule


@pytest.mark.parametrize("host", [CPE, "hub-1", "edge-1"])
def test_a_router_sends_nothing_of_its_own_into_a_flow_that_it_passes_on(host: str) -> None:
    """Else whoever takes the router over could ask in the name of the networks behind it."""
    passed = {rule["flow"] for rule in rules(host)["forward"]}
    sent = {rule["flow"] for rule in rules(host)["output"]}
    assert passed
    assert sent
    assert passed & sent == set()
