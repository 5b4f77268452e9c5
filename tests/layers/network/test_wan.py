"""Network: tunnels, BGP, and the routes that units are reached by."""

from __future__ import annotations

import json
import secrets
import time

import pytest
from netaddr import IPNetwork

from province.observe.frr import Session
from province.plan.model import PlannedUnit
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, batch_all, machine
from tests.support.state import state
from tests.support.survival import NOBODY

ROUTERS = tuple(host for host in environment.ours() if environment.facts(host).get("routing"))
TUNNELS = tuple(host for host in environment.ours() if environment.facts(host).get("wireguard"))
BUILT_UNITS = tuple(
    environment.unit(environment.facts(host)["unit"]) for host in environment.in_group("unit_gateway")
)
HANDSHAKE = 180  # seconds: WireGuard makes a new one every two minutes while there is traffic


def test_there_are_routers_and_tunnels_to_check() -> None:
    """The lists above come from facts: empty ones would let everything below pass by absence."""
    assert set(ROUTERS) >= {*environment.in_group("edge"), *environment.in_group("hub", "unit_gateway")}
    assert set(TUNNELS) >= set(environment.in_group("hub", "unit_gateway"))


@pytest.mark.requirement("tcvn-14423/5.4.2.4-wan-encryption")
@pytest.mark.parametrize("host", TUNNELS)
def test_peers_are_exactly_the_planned_ones(host: str) -> None:
    """A peer more is a stranger in the WAN; allowed addresses are what it may claim to be."""
    wanted = {
        (tunnel["name"], peer["public_key"], frozenset(map(_network, peer["allowed"])))
        for tunnel in environment.facts(host)["wireguard"]
        for peer in tunnel["peers"]
    }
    found = {
        (tunnel.name, peer.public_key, frozenset(map(_network, peer.allowed)))
        for tunnel in state(host).tunnels.values()
        for peer in tunnel.peers
    }
    assert found == wanted


@pytest.mark.requirement("tcvn-14423/5.4.2.4-wan-encryption")
@pytest.mark.parametrize("host", TUNNELS)
def test_peers_that_are_built_have_shaken_hands(host: str) -> None:
    """Keys on both sides fit, and packets really went through."""
    names = {built.name for built in environment.built()}
    wanted = {
        peer["public_key"]
        for tunnel in environment.facts(host)["wireguard"]
        for peer in tunnel["peers"]
        if peer["host"] in names
    }
    assert wanted

    def fresh() -> bool:
        peers = [peer for tunnel in state(host, fresh=True).tunnels.values() for peer in tunnel.peers]
        now = time.time()
        late = {peer.public_key: now - peer.handshake for peer in peers if now - peer.handshake > HANDSHAKE}
        assert not wanted & set(late), f"seconds since the last handshake: {late}"
        return True

    assert eventually(fresh, within=60, every=3)


@pytest.mark.parametrize("host", ROUTERS)
def test_bgp_sessions_are_established_exactly_as_planned(host: str) -> None:
    """Both families; a session more is a neighbour that nobody planned."""
    wanted = {(address, asn) for address, asn in _neighbours(host)}
    assert wanted

    def established() -> bool:
        sessions = [session for session in state(host, fresh=True).sessions if _own_family(session)]
        found = {(session.address, session.asn) for session in sessions if session.established}
        assert found == wanted, f"established {sorted(found)}, planned {sorted(wanted)}"
        return True

    assert eventually(established, within=60, every=2)


@pytest.mark.parametrize("host", ROUTERS)
def test_every_neighbour_is_watched_by_bfd_and_missed_within_a_second(host: str) -> None:
    """A session without it would be there as well, and end minutes after its neighbour."""
    wanted = {address for address, _ in _neighbours(host)}

    def watched() -> bool:
        shown = batch(machine(host), {"bfd": "vtysh -c 'show bfd peers json'"})["bfd"].checked()
        peers = {entry["peer"]: entry for entry in json.loads(shown)}
        assert {address for address, entry in peers.items() if entry["status"] == "up"} == wanted
        slow = {
            address: entry
            for address, entry in peers.items()
            if max(entry["receive-interval"], entry["remote-transmit-interval"])
            * entry["remote-detect-multiplier"]
            > 1000
        }
        assert not slow, slow
        return True

    assert eventually(watched, within=60, every=2)


@pytest.mark.parametrize("host", [host for host in ROUTERS if environment.facts(host).get("pair")])
def test_a_connection_that_one_router_of_a_pair_knows_the_other_knows_too(host: str) -> None:
    """One of nobody's is put into the memory of one; all pairs, both ways."""
    peer = environment.facts(host)["pair"]["peer"]
    other = next(name for name in ROUTERS if environment.facts(name).get("pair", {}).get("own") == peer)
    port = 20000 + secrets.randbelow(10000)
    ends = f"-p tcp -s {NOBODY[0]} -d {NOBODY[1]} --sport {port} --dport 80"
    make = f"conntrack -I {ends} --state ESTABLISHED -u ASSURED -t 30"
    known = f"conntrack -L {ends} | grep -q sport={port}"
    batch(machine(host), {"make": make})["make"].checked()
    try:
        assert eventually(lambda: batch(machine(other), {"known": known})["known"].rc == 0, within=10)
    finally:
        batch_all((host, other), {"end": f"conntrack -D {ends}"})


@pytest.mark.parametrize("edge", environment.in_group("edge"))
def test_the_edge_knows_the_way_to_every_built_unit_and_to_no_other(edge: str) -> None:
    """The hub believes a unit only about the unit's own block, so these are the planned prefixes."""
    blocks = {str(block) for unit in environment.plan().units for block in (unit.prefix4, unit.prefix6)}
    wanted = {str(block) for unit in BUILT_UNITS for block in (unit.prefix4, unit.prefix6)}

    def known() -> bool:
        learnt = {route.destination for route in state(edge, fresh=True).routes if route.protocol == "bgp"}
        assert learnt & blocks == wanted, f"learnt {sorted(learnt)}"
        return True

    assert eventually(known, within=60, every=2)


@pytest.mark.parametrize("unit", BUILT_UNITS, ids=lambda unit: unit.id)
def test_a_unit_knows_the_way_to_the_centre(unit: PlannedUnit) -> None:
    """The segments that a unit's flows lead to are routed into the tunnel, in both families."""
    host = next(
        name for name in environment.in_group("unit_gateway") if environment.facts(name)["unit"] == unit.id
    )
    tunnels = {tunnel["name"] for tunnel in environment.facts(host)["wireguard"]}
    targets = [
        address
        for service in ("start",)
        for address in (*environment.service(service).addresses4, *environment.service(service).addresses6)
    ]
    said = batch(machine(host), {str(target): f"ip -o route get {target}" for target in targets})
    for target in targets:
        words = said[str(target)].checked().split()
        assert words[words.index("dev") + 1] in tunnels, f"{target}: {said[str(target)]}"


def _neighbours(host: str) -> list[tuple[str, int]]:
    """Addresses and AS numbers that a router must have a session with: listed ones that are built."""
    routing = environment.facts(host)["routing"]
    instances = [routing, *routing["domains"]]
    listed = [(neighbour["address"], neighbour["asn"]) for one in instances for neighbour in one["neighbors"]]
    dialling = [
        (member["address"], environment.unit(environment.facts(member["description"])["unit"]).asn)
        for group in routing["listen"]
        for member in group["members"]
    ]
    return listed + dialling


def _own_family(session: Session) -> bool:
    """FRR lists a neighbour under every family it may speak; we run one session for each family."""
    return session.family == (6 if ":" in session.address else 4)


def _network(text: str) -> str:
    return str(IPNetwork(text).cidr)
