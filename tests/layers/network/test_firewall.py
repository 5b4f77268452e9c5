"""Network: what each host lets through is what was planned, no more and no less."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from netaddr import IPAddress, IPNetwork

from province.plan.model import Segment
from tests.support import environment, expected
from tests.support.devices import DEVICE, own_addresses, stranger
from tests.support.edges import EDGES, carriers
from tests.support.places import batch, machine
from tests.support.probes import Listener, Outcome, Question, listening, questions
from tests.support.refusals import PATIENCE, forbidden, refuse_all, targets
from tests.support.state import state

HOSTS = environment.ours()


def edge() -> str:
    """The border router that carries the gateways' addresses now."""
    (carrier,) = carriers()
    return carrier


@pytest.mark.requirement(
    "tcvn-14423/5.5.2.1c-host-firewall", "tcvn-14423/5.12.2.2b-matrix", "tcvn-14423/5.13.2-ports"
)
@pytest.mark.parametrize("host", HOSTS)
def test_ruleset_is_exactly_the_planned_one(host: str) -> None:
    """A rule nobody planned is an open door; a missing one is an outage. Both fail here."""
    wanted = expected.planned(environment.facts(host)["firewall"])
    found = expected.loaded(state(host).ruleset)
    assert wanted, f"{host} has no flow at all: this check would pass by absence"
    extra, missing = sorted(map(str, found - wanted)), sorted(map(str, wanted - found))
    assert not extra, "open without a plan:\n" + "\n".join(extra)
    assert not missing, "planned, not open:\n" + "\n".join(missing)


@pytest.mark.requirement("tcvn-14423/5.5.2.1c-host-firewall")
@pytest.mark.parametrize("host", HOSTS)
def test_what_no_rule_names_is_dropped_and_counted(host: str) -> None:
    """Policy drop in all three directions, and a counter before it, so that drops can be seen."""
    ruleset = state(host).ruleset
    for name in expected.CHAINS:
        chain = ruleset.chain(name)
        assert (chain.hook, chain.policy) == (name, "drop")
        assert chain.rules[-1].verdict in ("drop", "reject")
        assert chain.rules[-1].packets is not None
        assert chain.rules[-1].comment == "drop"


@pytest.mark.requirement("tcvn-14423/5.5.2.1c-host-firewall", "tcvn-14423/5.12.2.4-spoofing")
@pytest.mark.parametrize("host", HOSTS)
def test_every_table_is_loaded_as_its_file_says(host: str) -> None:
    """All of it: lines of the log, false senders, marks and queues of services, on second members as well.

    The kernel lists the file's rules as it lists the loaded ones: loaded once more, in a namespace apart.
    """
    files = {"province": "/etc/province/firewall/rules.nft"}
    if environment.facts(host).get("shaping"):
        files["shaping"] = "/etc/traffic-shaping/marks.nft"
    load = " && ".join(f"nft -f {path}" for path in files.values())
    said = batch(
        machine(host),
        {
            "meant": f"unshare --net sh -c '{load} && nft -j -s list ruleset'",
            "found": "nft -j -s list ruleset",
        },
    )
    meant, found = (_rules(said[which].checked(), files) for which in ("meant", "found"))
    assert len(meant) > 50
    assert [line for line in meant if line not in found] == [], "in the file, not in the kernel"
    assert [line for line in found if line not in meant] == [], "in the kernel, not in the file"


def _rules(listed: str, tables: Iterable[str]) -> dict[str, int]:
    """Lines of tables without what changes by itself; rules with what stands before them in their chain."""
    lines: dict[str, int] = {}
    before: dict[tuple[str, str], str] = {}
    for entry in json.loads(listed)["nftables"]:
        for kind, item in entry.items():
            if item.get("table", item.get("name")) not in tables:
                continue
            if "dynamic" in item.get("flags", ()):
                item.pop("elem", None)
            kept = {key: value for key, value in item.items() if key not in ("handle", "packets", "bytes")}
            line = json.dumps({kind: kept}, sort_keys=True)
            if kind == "rule":
                chain = item["table"], item["chain"]
                before[chain], line = line, f"{line} after {before.get(chain, 'nothing')}"
            lines[line] = lines.get(line, 0) + 1
    return lines


@pytest.mark.requirement("tcvn-14423/5.5.2.1c-host-firewall")
def test_the_base_is_the_same_on_every_host() -> None:
    """What no flow can take away is short, and nobody adds to it on one host."""
    bases = {host: expected.base(state(host).ruleset) for host in HOSTS}
    common = set.intersection(*bases.values())
    beyond = {host: sorted(found - common) for host, found in bases.items() if found - common}
    # Only hosts that take or give addresses speak DHCP and router advertisements, and only members of a pair
    # that takes turns listen for each other.
    leases = {
        host
        for host in HOSTS
        if environment.facts(host)["unit"] or "dhcp_server" in environment.planned(host).roles
    }
    pairs = {host for host in HOSTS if environment.facts(host)["firewall"]["pairs"]}
    for host, found in beyond.items():
        for _, name in found:
            assert host in (pairs if name == "base: pair" else leases), (host, found)
    assert {host for host, found in beyond.items() if ("input", "base: pair") in found} == pairs
    assert ("input", "base: management ssh") in common


@pytest.mark.requirement("tcvn-14423/5.12.2.4-in-and-out", "tcvn-14423/5.12.2.2b-matrix")
@pytest.mark.parametrize("host", environment.in_group("centre"))
def test_a_centre_host_reaches_no_neighbour_but_for_planned_flows(host: str) -> None:
    """Every service port on every other host of the centre is tried; only planned ones come through.

    What must be refused is refused by the host's own output chain, which counts it.
    """
    me = environment.planned(host)
    sources = [a.ip for interface in me.interfaces for a in (*interface.addresses, *interface.vips)]
    others = [other for other in environment.in_group("centre") if other != host]
    shared = {vip.ip for interface in me.interfaces for vip in interface.vips}
    reached = [(other, address) for other, address in targets(others) if address not in shared]
    refuse_all(machine(host), (host, "output"), forbidden(sources, reached), sources)


def _segment(identifier: str) -> Segment:
    return next(segment for segment in environment.plan().segments if segment.id == identifier)


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix", "tcvn-14423/5.12.2.5-admin-addresses")
@pytest.mark.parametrize("segment", ["centre/dmz", "centre/srv", "centre/trans"])
def test_a_foreign_device_in_the_centre_gets_past_the_edge_nowhere(segment: str) -> None:
    """A device without a firewall of its own: here the edge has to refuse, whatever network it joins."""
    here = _segment(segment)
    sources = own_addresses(here)
    joined = {interface.segment for interface in environment.planned(EDGES[0]).interfaces} - {segment}
    beyond = targets((host for host in environment.in_group("centre") if host not in EDGES), within=joined)
    with stranger(here) as device:
        refuse_all(device, (edge(), "forward"), forbidden(sources, beyond, DEVICE), sources)


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
def test_the_management_network_is_not_a_way_around() -> None:
    """A device that routes by a host's management address gets nowhere.

    In the lab the machine that holds it refuses first, so the host's own refusal is not counted here; that no
    rule forwards from management is the next check.
    """
    management = _segment("centre/mgmt")
    gateway = IPAddress(environment.facts(edge())["management"]["address4"])
    resolver = environment.only("resolver")
    target = next(
        address.ip
        for interface in environment.planned(resolver).interfaces
        if interface.zone == "servers"
        for address in interface.addresses
        if address.version == 4
    )
    with (
        stranger(management, gateway4=gateway) as device,
        listening(machine(resolver), [Listener("tcp", str(target), 8022)]) as guests,
    ):
        question = Question(protocol="tcp", address=str(target), port=8022, device=DEVICE, timeout=PATIENCE)
        (answer,) = questions(device, [question])
    assert answer.outcome in (Outcome.TIMEOUT, Outcome.REFUSED)
    assert guests.from_address(own_addresses(management)[0]) == []


@pytest.mark.requirement("tcvn-14423/5.12.2.5-admin-addresses")
@pytest.mark.parametrize("host", HOSTS)
def test_management_has_no_way_out(host: str) -> None:
    """No default route, no rule that forwards from or to it, no route beyond the planned ones."""
    facts = environment.facts(host)
    interface = facts["management"]["interface"]
    by_management = {route.destination for route in state(host).routes if route.interface == interface}
    assert "default" not in by_management
    connected = {IPNetwork(address).cidr for address in facts["management"]["addresses"]}
    planned = {IPNetwork(route) for route in facts["management_routes"]}
    beyond = {IPNetwork(route) for route in by_management} - connected - planned
    assert beyond <= {IPNetwork("fe80::/64"), IPNetwork("ff00::/8")}
    forwarding = [
        rule
        for rule in state(host).ruleset.walk("forward")
        if rule.verdict == "accept" and interface in (*rule.interface_in, *rule.interface_out)
    ]
    assert forwarding == []


@pytest.mark.parametrize("host", [host for host in HOSTS if not environment.facts(host).get("published")])
def test_only_planned_routers_forward(host: str) -> None:
    """A host that forwards without being a router is a way around the edge.

    Hosts of containers forward to their own containers; there the forward chain is what refuses.
    """
    wanted = "1" if environment.facts(host)["forwards"] else "0"
    assert state(host).said["forwarding"].checked().split() == [wanted, wanted]
