"""Spheres in routing domains of their own (VRF), as text: no kernel here has any, so every file is read back.

What is proven is what border routers are told; that a kernel does so is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from netaddr import IPNetwork

from province.domains import DEFAULT as DEFAULT_SPHERE
from province.domains import ONE_TABLE, TABLES, VRF
from province.hosts import built_hosts, load_environment
from province.register.catalogue import SPHERES
from tests.support.borders import PRODUCTION, Keys, borders, environment, files, plan, spheres
from tests.support.domains import (
    DEFAULT,
    FRR,
    NETWORKD,
    RULES,
    UnknownLineError,
    chains,
    read,
    touch,
    wrong,
)
from tests.support.repository import ROOT

REGISTERS = ("dien-bien", "hai-phong", "ba-ria-vung-tau-2012")


EVERY = [(name, number) for name in (PRODUCTION, *REGISTERS) for number in (0, 1)]


def test_production_keeps_spheres_in_domains_of_their_own_and_the_lab_says_that_it_cannot() -> None:
    assert environment(PRODUCTION).spheres == VRF
    assert load_environment(ROOT / "inventories/lab/environment.yml").spheres == ONE_TABLE
    assert len(borders(PRODUCTION)) == 2


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_no_sphere_gets_a_way_to_units_of_another(name: str, number: int) -> None:
    """The whole of what `wrong` looks for: routes, what is told, devices, rules."""
    known = spheres(name, number)
    assert {sphere.name for sphere in known} == set(SPHERES)
    assert all(sphere.units and sphere.shared and sphere.hubs and sphere.standing for sphere in known)
    assert wrong(files(name, number), known) == []


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_whoever_a_rule_lets_through_has_a_way_there_and_back(name: str, number: int) -> None:
    """Both ends of every rule of the router, above all of those between domains, are in a table."""
    host, routing = borders(name)[number], read(files(name, number)[FRR])
    domain_of = {sphere.transit: sphere.domain for sphere in spheres(name, number)}
    standing: dict[str, list[IPNetwork]] = {}
    for interface in host.planned.interfaces:
        networks = [address.cidr for address in interface.addresses]
        standing.setdefault(domain_of.get(interface.name, DEFAULT), []).extend(networks)
        for way in (way for ways in routing.ways.values() for way in ways if way.interface == interface.name):
            assert way.of == domain_of.get(interface.name, DEFAULT)
            assert str(way.network) in map(str, networks), "on a segment that the interface is not in"
    crossed = set()
    for rule in host.facts()["firewall"]["forward"]:
        here, there = (domain_of.get(rule[side], DEFAULT) for side in ("in", "out"))
        asked = (
            (there if here == there else here, ("destination4", "destination6")),
            (here if here == there else there, ("source4", "source6")),
        )
        for domain, ends in asked:
            ways = [*routing.table(domain), *standing[domain]]
            for end in (IPNetwork(text) for key in ends for text in rule[key]):
                assert any(end in way for way in ways), f"{rule['flow']}: {domain} has no way to {end}"
        if here != there:
            crossed.add(rule["flow"])
    shared = {
        flow.id
        for flow in plan(name).flows
        if flow.sphere == "party" and flow.destination.segments == ("srv",)
    }
    assert shared
    assert shared <= crossed


@pytest.mark.parametrize("name", [PRODUCTION, *REGISTERS])
def test_rules_differ_in_nothing_but_how_they_know_what_comes_out_of_a_domain(name: str) -> None:
    one, apart = (chains(files(name, 0, how)[RULES]) for how in (ONE_TABLE, VRF))
    assert any("sdifname" in line for lines in apart.values() for line in lines)
    for sphere in spheres(name):
        if sphere.domain != DEFAULT:
            apart["output"].remove(f'oifname "{sphere.domain}" accept comment "base: domain"')
            for lines in apart.values():
                lines[:] = [
                    line.replace(f'iifname "{sphere.domain}" meta sdifname', "iifname").replace(
                        f'"none", "{sphere.domain}"', '"none"'
                    )
                    for line in lines
                ]
    assert apart == one


def test_one_table_knows_nothing_of_domains() -> None:
    """As the lab has it: what is new here stands in no file of it."""
    text = "\n".join(files(PRODUCTION, 0, ONE_TABLE).values())
    assert not re.search(r"vrf|sdifname|Type=unreachable|base: domain", text)


@pytest.mark.parametrize("name", [PRODUCTION, *REGISTERS])
def test_hosts_that_know_one_sphere_have_no_domains(name: str) -> None:
    hosts = built_hosts(environment(name), plan(name), Keys())
    others = [host for host in hosts if host.planned.machine != "edge"]
    assert others
    assert [host.name for host in others if host.facts()["domains"]] == []


def test_names_and_tables_of_domains_are_what_a_kernel_takes() -> None:
    interfaces = {
        name for m in environment(PRODUCTION).sources.catalogue.machines.values() for name in m.interfaces
    }
    assert set(TABLES) == set(SPHERES) - {DEFAULT_SPHERE}
    for sphere, table in TABLES.items():
        assert re.fullmatch(r"[a-z][a-z-]{0,14}", sphere), "the name of a device"
        assert sphere not in interfaces | {DEFAULT, "lo", "none", "all"}
        assert 255 < table < 2**31
    assert len(set(TABLES.values())) == len(TABLES)


def test_what_holds_for_one_instance_of_bgp_stands_in_each() -> None:
    text = files(PRODUCTION)[FRR]
    instances = re.split(r"(?m)^(?=router bgp )", text)[1:]
    assert len(instances) == len(SPHERES)
    for instance in instances:
        for line in (
            "bgp suppress-fib-pending",
            "coalesce-time 50",
            "no bgp default ipv4-unicast",
            "timers bgp 10 30",
        ):
            assert f"\n {line}\n" in instance, line
        assert instance.count(" bfd profile neighbour\n") == instance.count(" remote-as ") == 4
        assert instance.count(" ttl-security hops 1\n") == 4
    reload = files(PRODUCTION)["/etc/systemd/system/frr.service.d/50-failure.conf"]
    assert re.findall(r'-c "(clear.*)"', reload) == ["clear bgp * soft", "clear bgp vrf party * soft"]


# What somebody could write, each a leak or a hole: in which file, what it becomes.


def _unit(sphere: str, version: int = 4) -> str:
    (found,) = (s for s in spheres(PRODUCTION) if s.name == sphere)
    return str(min(n for n in found.units if n.version == version))


def _hub(sphere: str, version: int = 4) -> str:
    (found,) = (s for s in spheres(PRODUCTION) if s.name == sphere)
    return min(a for a in found.hubs if (":" in a) == (version == 6))


def _swap(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, count)

    return change


def _in_party(line: str, family: str = "ipv4") -> Callable[[str], str]:
    """A line more in the Party's instance, in one family."""

    def change(text: str) -> str:
        front, head, rest = text.partition(" vrf party\n bgp router-id")
        assert head
        place = f" address-family {family} unicast\n"
        assert place in rest
        return front + head + rest.replace(place, f"{place}  {line}\n", 1)

    return change


def _listed(name: str, prefix: str) -> Callable[[str], str]:
    """One prefix more in a list."""
    return _swap("\n!\n", f"\nip prefix-list {name} seq 7 permit {prefix}\n!\n")


def _without(pattern: str) -> Callable[[str], str]:
    """Without the lines of a pattern."""
    return lambda text: re.sub(f"(?m)^{pattern}\n", "", text)


def _listed_import(text: str) -> str:
    return _in_party("import vrf route-map from-domains")(_in_party("import vrf default")(text))


PARTYS, WIDE = 'iifname "party" meta sdifname "ptrans" oifname', 'iifname "party" oifname'
SENDER = 'iifname "ptrans" fib saddr . iif oif missing'
CLOSED = "[RoutingPolicyRule]\nIncomingInterface=trans\nTo={}\nType=unreachable\nPriority=900\n\n"
VRF_FILE, DEVICE, TRANSIT = (
    f"{NETWORKD}{n}" for n in ("05-party.network", "05-party.netdev", "10-ptrans.network")
)
LEAKS: dict[str, tuple[str, Callable[[], Callable[[str], str]]]] = {
    "the Party imports the default domain": (FRR, lambda: _in_party("import vrf default")),
    "in IPv6": (FRR, lambda: _in_party("import vrf default", "ipv6")),
    "the Party imports what a list lets through": (FRR, lambda: _listed_import),
    "the default domain imports without a list": (
        FRR,
        lambda: _swap("  import vrf route-map from-domains\n", ""),
    ),
    "a hub of the Party may tell of a unit of the government": (
        FRR,
        lambda: _listed(f"in-{_hub('party')}", _unit("government")),
    ),
    "a hub of the government may tell of a unit of the Party": (
        FRR,
        lambda: _listed(f"in-{_hub('government')}", _unit("party")),
    ),
    "a hub of the government is told of a unit of the Party": (
        FRR,
        lambda: _listed(f"out-{_hub('government')}", _unit("party")),
    ),
    "a hub of the Party is told everything": (
        FRR,
        lambda: _swap(f"  neighbor {_hub('party')} prefix-list out-{_hub('party')} out\n", ""),
    ),
    "a hub of the Party may tell everything": (
        FRR,
        lambda: _swap(f"  neighbor {_hub('party')} prefix-list in-{_hub('party')} in\n", ""),
    ),
    "a static way from the Party to a unit of the government": (
        FRR,
        lambda: _swap(
            "\nvrf party\n", f"\nvrf party\n ip route {_unit('government')} trans nexthop-vrf default\n"
        ),
    ),
    "a static way from the Party to all": (
        FRR,
        lambda: _swap("\nvrf party\n", "\nvrf party\n ipv6 route ::/0 trans nexthop-vrf default\n"),
    ),
    "the default domain takes too much out of the Party's": (
        FRR,
        lambda: _listed("units-party", "0.0.0.0/0"),
    ),
    "a static way of the default domain": (
        FRR,
        lambda: _swap(
            "\nvrf party\n", f"\nip route {_unit('party', 4)} srv nexthop-vrf default\nvrf party\n"
        ),
    ),
    "no way from the Party to what is shared": (
        FRR,
        lambda: _without(r" ip route \S+ srv nexthop-vrf default"),
    ),
    "no way back to the Party's hubs": (FRR, lambda: _without(r"ip route \S+ ptrans nexthop-vrf party")),
    "the Party's hubs in the default domain": (FRR, lambda: _swap(" vrf party\n bgp", "\n bgp")),
    "the Party's hubs in no domain": (
        FRR,
        lambda: _swap("router bgp 4200000001 vrf party", "router bgp 4200000001 vrf p"),
    ),
    "the transit not in the domain": (TRANSIT, lambda: _swap("VRF=party\n", "")),
    "the domain in the kernel's own table": (DEVICE, lambda: _swap("Table=1001", "Table=254")),
    "lookups go on": (VRF_FILE, lambda: _swap("/0\nType=unreachable", "/0\nType=unicast")),
    "lookups of IPv6 go on": (VRF_FILE, lambda: _swap("Destination=::/0", "Destination=::/1")),
    "lookups end in another table": (VRF_FILE, lambda: _swap("Table=1001\n", "Table=1002\n")),
    "the government finds a unit of the Party": (
        VRF_FILE,
        lambda: lambda text: re.sub(r"To=10\.[0-9.]+/22\n", "To=192.0.2.0/24\n", text, count=1),
    ),
    "the government finds the Party from elsewhere": (
        VRF_FILE,
        lambda: _swap("IncomingInterface=trans\n", "IncomingInterface=srv\n"),
    ),
    "what the government may reach is closed": (
        VRF_FILE,
        lambda: _swap("[RoutingPolicyRule]\n", CLOSED.format(_unit("government")) + "[RoutingPolicyRule]\n"),
    ),
    "a rule waits for the interface": (RULES, lambda: _swap(PARTYS, 'iifname "ptrans" oifname')),
    "a rule takes the whole domain": (RULES, lambda: _swap(PARTYS, WIDE)),
    "nobody looks at senders": (RULES, lambda: _swap(SENDER, 'iifname "ptrans" fib saddr type local')),
    "nothing gets out": (RULES, lambda: _swap('oifname "party" accept comment "base: domain"\n', "\n")),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_that_somebody_writes_is_found(leak: str) -> None:
    file, change = LEAKS[leak]
    whole = dict(files(PRODUCTION))
    broken = change()(whole[file])
    assert broken != whole[file]
    assert wrong({**whole, file: broken}, spheres(PRODUCTION))


@pytest.mark.parametrize(
    "line",
    [
        "import vpn",
        "rt vpn both 1:1",
        "redistribute connected",
        "no bgp ebgp-requires-policy",
        "aggregate-address 10.0.0.0/8",
    ],
)
def test_a_word_that_nobody_looked_for_is_no_silent_leak(line: str) -> None:
    with pytest.raises(UnknownLineError, match=re.escape(line)):
        read(_in_party(line)(files(PRODUCTION)[FRR]))


def test_spheres_of_a_province_share_no_address() -> None:
    """Why connections need no zones of their own: one address is one host, in whatever domain."""
    for name in REGISTERS:
        one, other = spheres(name)
        assert not [(a, b) for a in one.units for b in other.units if touch(a, b)]
