"""Party and government: neither reaches the other, whatever a gateway does; both reach what they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest
from netaddr import IPAddress

from province.observe import nft
from province.plan.model import Peer, PlannedUnit
from tests.support import environment
from tests.support.devices import DEVICE, own_addresses, stranger
from tests.support.eventually import eventually
from tests.support.places import ask, batch, machine
from tests.support.probes import Listener, listening
from tests.support.refusals import forbidden, refuse_all, targets

GATEWAYS = {environment.facts(host)["unit"]: host for host in environment.in_group("unit_gateway")}
UNITS: Mapping[str, PlannedUnit] = {
    unit.sphere: unit for unit in map(environment.unit, reversed(list(GATEWAYS)))
}
PAIRS = [("party", "government"), ("government", "party")]
PORT, FROM = 53, 40000  # what both share answers there; nobody else asks from there
COUNT = 5
TABLE = "stray"


def test_there_is_a_unit_of_each_sphere() -> None:
    """Else everything below would pass by absence."""
    assert set(UNITS) == {"government", "party"}


def addresses(unit: PlannedUnit) -> list[IPAddress]:
    """Of a unit's gateway in its staff network."""
    planned = environment.planned(GATEWAYS[unit.id])
    return [a.ip for i in planned.interfaces if i.segment == f"{unit.id}/staff" for a in i.addresses]


def way(unit: PlannedUnit) -> Peer:
    """A built tunnel of a unit."""
    names = {host.name for host in environment.built()}
    return next(peer for peer in environment.plan().peers if peer.unit == unit.id and peer.hub in names)


@contextmanager
def counting(host: str, watched: list[IPAddress]) -> Iterator[None]:
    """A table of our own that counts what comes for some addresses, and what goes on to them."""
    rules = [
        f"add chain inet {TABLE} {hook} {{ type filter hook {hook} priority {number}; }}"
        for hook, number in (("prerouting", -350), ("postrouting", 350))
    ]
    rules += [
        line
        for hook, stage in (("prerouting", "in"), ("postrouting", "out"))
        for number, address in enumerate(watched)
        for line in (
            f"add counter inet {TABLE} {stage}_{number}",
            f"add rule inet {TABLE} {hook} {'ip6' if address.version == 6 else 'ip'} daddr {address} "
            f"udp sport {FROM}-{FROM + COUNT - 1} udp dport {PORT} counter name {stage}_{number}",
        )
    ]
    text = "\n".join([f"add table inet {TABLE}", *rules])
    batch(machine(host), {"make": f"nft -f - <<'X'\n{text}\nX"})["make"].checked()
    try:
        yield
    finally:
        batch(machine(host), {"end": f"nft delete table inet {TABLE}"})


def counted(host: str, watched: list[IPAddress]) -> dict[str, list[int]]:
    """What `counting` has counted, address by address: what came in, what went out."""
    said = batch(machine(host), {"nft": f"nft -j list table inet {TABLE}"})["nft"].checked()
    counters = nft.tables(said)["inet", TABLE].counters
    return {
        stage: [counters[f"{stage}_{number}"] for number in range(len(watched))] for stage in ("in", "out")
    }


@contextmanager
def bent(unit: PlannedUnit, towards: list[IPAddress]) -> Iterator[None]:
    """A gateway on which somebody has added routes to strangers, and let the tunnel take them."""
    peer = way(unit)
    tunnel = next(
        t for t in environment.facts(peer.gateway)["wireguard"] if t["name"] == peer.gateway_interface
    )
    (known,) = tunnel["peers"]
    hops = {4: peer.hub_address4, 6: peer.hub_address6}
    routes = [f"{a} via {hops[a.version]} dev {tunnel['name']} onlink" for a in towards]
    allowed = ",".join([*known["allowed"], *map(str, towards)])
    on = [f"ip route add {route}" for route in routes]
    on.append(f"wg set {tunnel['name']} peer {known['public_key']} allowed-ips {allowed}")
    off = [f"ip route del {route}" for route in routes]
    off.append(f"wg set {tunnel['name']} peer {known['public_key']} allowed-ips {','.join(known['allowed'])}")
    try:
        batch(machine(peer.gateway), {"on": " && ".join(on)})["on"].checked()
        yield
    finally:
        batch(machine(peer.gateway), {"off": "; ".join(off)})


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
@pytest.mark.parametrize(("sphere", "other"), PAIRS)
def test_a_packet_to_the_other_sphere_dies_at_the_hub_even_when_its_gateway_sends_it(
    sphere: str, other: str
) -> None:
    """Past the gateway's routes, rules and tunnel: the hub has no way, and its ruleset is not even asked."""
    unit, stranger_unit = UNITS[sphere], UNITS[other]
    peer, far = way(unit), GATEWAYS[stranger_unit.id]
    strangers = addresses(stranger_unit)
    # A service that both share: what shows that our packets do travel.
    service = environment.service("dns")
    shared = [service.addresses4[0], service.addresses6[0]]
    watched = [*strangers, *shared]
    sources = {4: str(peer.gateway_address4), 6: str(peer.gateway_address6)}
    with (
        listening(machine(far), [Listener("udp", str(address), PORT) for address in strangers]) as guests,
        bent(unit, strangers),
        counting(peer.hub, watched),
        ExitStack() as edges,
    ):
        for edge in environment.in_group("edge"):
            edges.enter_context(counting(edge, watched))
        sent = ask(
            machine(peer.gateway),
            "stray",
            {
                "device": peer.gateway_interface,
                "count": COUNT,
                "packets": [
                    {"source": sources[a.version], "destination": str(a), "from": FROM, "port": PORT}
                    for a in watched
                ],
            },
        )
        assert sent == COUNT * len(watched)

        def arrived() -> bool:
            found = counted(peer.hub, watched)["in"]
            assert found == [COUNT] * len(watched), f"came to {peer.hub}: {found}"
            return True

        assert eventually(arrived, within=10, every=0.5)
        at_hub = counted(peer.hub, watched)
        # Whichever of the pair carries it.
        each = [counted(edge, watched)["in"] for edge in environment.in_group("edge")]
        at_edge = [sum(found) for found in zip(*each, strict=True)]
    assert at_hub["out"][: len(strangers)] == [0] * len(strangers)
    assert at_edge[: len(strangers)] == [0] * len(strangers)
    # What is shared went on by the same way.
    assert at_hub["out"][len(strangers) :] == at_edge[len(strangers) :] == [COUNT] * len(shared)
    assert [guest for guest in guests.arrived if guest["peer"] in sources.values()] == []


@pytest.mark.parametrize(("sphere", "other"), PAIRS)
def test_a_hub_has_no_way_to_the_other_sphere(sphere: str, other: str) -> None:
    """Not by the default route either: the kernel refuses before any rule is asked."""
    peer = way(UNITS[sphere])
    blocks = addresses(UNITS[other])
    said = batch(machine(peer.hub), {str(a): f"ip route get {a}" for a in blocks})
    for address in blocks:
        assert said[str(address)].rc != 0, f"{peer.hub} has a way to {address}: {said[str(address)]}"
        assert "No route to host" in said[str(address)].err or "unreachable" in said[str(address)].err


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
@pytest.mark.parametrize(("sphere", "other"), PAIRS)
def test_a_device_in_a_lan_reaches_nobody_of_the_other_sphere(sphere: str, other: str) -> None:
    unit = UNITS[sphere]
    lan = next(segment for segment in unit.segments if segment.name == "staff")
    with stranger(lan) as place:
        sources = list(own_addresses(lan))
        reached = targets([GATEWAYS[UNITS[other].id]], [f"{UNITS[other].id}/staff"])
        refuse_all(place, (GATEWAYS[unit.id], "forward"), forbidden(sources, reached, DEVICE), sources)


@pytest.mark.parametrize("sphere", ["government", "party"])
def test_staff_of_both_spheres_have_what_both_share(sphere: str) -> None:
    """Names, time, packages and the start page, asked from a computer of the staff."""
    host = next(
        name
        for name in environment.in_group("workstation")
        if environment.facts(name)["unit"] == UNITS[sphere].id
    )
    told = environment.facts(host)
    catalogue = environment.environment().sources.catalogue
    packages = next(service for service in catalogue.services if service.id == "packages")
    web = "curl --silent --output /dev/null --max-time 10 --write-out %{http_code} "
    said = batch(
        machine(host),
        {
            "names": f"getent ahosts start.{environment.plan().domain}",
            "time": "chronyc -n tracking",
            "packages": f"{web}{told['mirror_url']}{packages.care['probe']['path']}",
            "start": f"{web}{told['homepage']}",
        },
    )
    assert said["names"].checked()
    assert "Leap status     : Normal" in said["time"].checked()
    assert (said["packages"], said["start"]) == ("200", "200")
