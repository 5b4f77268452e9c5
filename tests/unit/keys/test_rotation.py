"""A key is replaced in a small world of tunnels: killed at any moment, it goes on, and no way in use breaks.

The world does what the hosts' facts say, host by host; what is asked of it are the questions that living
hosts are asked. `test_keys_rotate.py` of tests/survival does the same with packets.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from province import rotation
from province.hosts import Environment, built_hosts, load_environment, plan_for
from province.lab import converge, keys
from province.lab.up import make_keys
from province.ledger import Ledger, state_dir
from province.plan.model import Peer, Plan
from province.run.failure import RunFailedError
from province.run.progress import Progress
from province.run.timings import Timings

ROOT = Path(__file__).resolve().parents[3]
LAB = load_environment(ROOT / "inventories/lab/environment.yml")
PLAN = plan_for(LAB)
UNIT = LAB.units[0]
GATEWAY = f"{UNIT}-cpe-1"


class KilledError(BaseException):
    """The run ends here, without a chance to tidy up."""


@dataclass
class World:
    """Hosts with what they were told last. `kill_at`: the moment, counted from 1, that no run survives."""

    environment: Environment
    plan: Plan
    state: Path
    kill_at: int = 0
    moments: int = 0
    whole: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    publics: dict[str, dict[str, str]] = field(default_factory=dict)
    moves: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    @cached_property
    def peers(self) -> list[Peer]:
        """Tunnels of built hosts."""
        names = {host.name for host in built_hosts(self.environment, self.plan)}
        return [peer for peer in self.plan.peers if {peer.gateway, peer.hub} <= names]

    def moment(self) -> None:
        """Something is about to change; perhaps it does not come to it."""
        self.moments += 1
        if self.moments == self.kill_at:
            raise KilledError

    def tell(self, names: list[str]) -> None:
        """Converge hosts, one after the other: the way that traffic takes may not break by it."""
        for host in built_hosts(self.environment, self.plan):
            if host.name not in names:
                continue
            self.moment()
            used = {gateway: self.ways(gateway) for gateway in self.gateways} if self.whole else {}
            facts = host.facts()
            self.told[host.name] = facts
            ledger = Ledger.open(self.state)
            self.publics[host.name] = {
                tunnel["name"]: ledger.public(tunnel["key"]) for tunnel in facts.get("wireguard", [])
            }
            for gateway, before in used.items():
                broken = before - {p.hub for p in self.peers if p.gateway == gateway and self.works(p)}
                assert not broken, f"{gateway} goes by {broken}, which {host.name} has just broken"
                self.moves.append((gateway, frozenset(self.ways(gateway))))

    @cached_property
    def gateways(self) -> list[str]:
        """Gateways of built units."""
        return list(dict.fromkeys(peer.gateway for peer in self.peers))

    def works(self, peer: Peer) -> bool:
        """Whether both ends of a tunnel know each other's key."""
        (at_gateway,) = (
            t for t in self.told[peer.gateway]["wireguard"] if t["name"] == peer.gateway_interface
        )
        (at_hub,) = self.told[peer.hub]["wireguard"]
        return self.publics[peer.gateway][at_gateway["name"]] in {
            known["public_key"] for known in at_hub["peers"]
        } and self.publics[peer.hub][at_hub["name"]] in {known["public_key"] for known in at_gateway["peers"]}

    def ways(self, gateway: str) -> set[str]:
        """The hubs that a unit goes out by and is reached by."""
        return {self.way(gateway, "preference"), self.way(gateway, "prepend")}

    def way(self, gateway: str, by: str) -> str:
        """The hub that it goes out by (preference), or is reached by (prepend)."""
        chosen: dict[str, int] = {}
        for peer in self.peers:
            if peer.gateway == gateway and self.works(peer):
                (four,) = (
                    n
                    for n in self.told[gateway]["routing"]["neighbors"]
                    if n["address"] == str(peer.hub_address4)
                )
                drained = self.told[peer.hub]["routing"]["drained"]
                chosen[peer.hub] = -1000 if drained else four[by] if by == "preference" else -four[by]
        return max(chosen, key=lambda hub: chosen[hub])

    def answer(self, host: str, question: str) -> str:
        """What a living host says to one of the questions."""
        if question == keys.HANDSHAKES:
            return "".join(
                f"{tunnel['name']}\t{peer['public_key']}\t{int(self.heard(host, peer['public_key']))}\n"
                for tunnel in self.told[host]["wireguard"]
                for peer in tunnel["peers"]
            )
        if question == keys.SESSIONS:
            said: dict[str, Any] = {"ipv4Unicast": {"peers": {}}, "ipv6Unicast": {"peers": {}}}
            for peer in self.peers:
                if peer.gateway == host and self.works(peer):
                    one = {"remoteAs": 1, "state": "Established", "pfxRcd": 3}
                    said["ipv4Unicast"]["peers"][str(peer.hub_address4)] = one
                    said["ipv6Unicast"]["peers"][str(peer.hub_address6)] = one
            return json.dumps(said)
        version = next(number for number, words in keys.LEARNT.items() if words == question)
        return json.dumps(self.learnt(host, version))

    def heard(self, host: str, public: str) -> bool:
        """Whether a host has a tunnel that works with the holder of a key."""
        for peer in self.peers:
            if host in (peer.gateway, peer.hub) and self.works(peer):
                other = peer.hub if host == peer.gateway else peer.gateway
                if public in self.publics[other].values():
                    return True
        return False

    def learnt(self, host: str, version: int) -> list[dict[str, str]]:
        """Routes by BGP: at a gateway to the centre, at a border router to units."""
        if host in self.gateways:
            out = self.way(host, "preference")
            (device,) = (p.gateway_interface for p in self.peers if (p.gateway, p.hub) == (host, out))
            return [{"dst": "10.0.0.0/8" if version == 4 else "fd00::/8", "dev": device}]
        units = {unit.id: unit for unit in self.plan.units}
        routes = []
        for gateway in self.gateways:
            peer = next(p for p in self.peers if p.gateway == gateway)
            unit, back = units[peer.unit], self.way(gateway, "prepend")
            hub = next(host for host in self.plan.hosts if host.name == back)
            address = next(
                str(a.ip)
                for i in hub.interfaces
                if i.name != "mgmt"
                for a in i.addresses
                if a.version == version
            )
            block = unit.prefix4 if version == 4 else unit.prefix6
            routes.append({"dst": str(block), "gateway": address, "dev": "trans"})
        return routes


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The lab with its keys, converged, and a command that finds it instead of machines."""
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path / "state"))
    make_keys(LAB.name, built_hosts(LAB, PLAN))
    made = World(LAB, PLAN, state_dir(LAB.name))

    def converged(_name: str, _progress: object, _running: object, *, playbook: str, limit: str) -> None:
        assert (converge.PLAYBOOKS / playbook).is_file()
        made.tell(limit.split(","))

    for owner, name in ((rotation, "write"), (Ledger, "ensure_keypair"), (Ledger, "succeed")):
        monkeypatch.setattr(owner, name, _counted(made, getattr(owner, name)))
    monkeypatch.setattr(Ledger, "forget", _counted(made, Ledger.forget))
    monkeypatch.setattr(converge, "converge", converged)
    monkeypatch.setattr(keys.Work, "_said", lambda _self, host, question: made.answer(host, question))
    monkeypatch.setattr(keys, "MOVED_WITHIN", 0.0)
    monkeypatch.setattr(keys, "STEADY", 0.0)
    made.tell([host.name for host in built_hosts(LAB, PLAN)])
    made.moments, made.whole = 0, True
    return made


def _counted(world: World, fn: Any) -> Any:
    def counted(*arguments: Any, **options: Any) -> Any:
        world.moment()
        return fn(*arguments, **options)

    return counted


def rotate(host: str, tmp_path: Path) -> None:
    """One run of the command."""
    progress = Progress(Timings(tmp_path / "timings.json"), None, io.StringIO())
    keys.Work(LAB, PLAN, built_hosts(LAB, PLAN), host, progress).run()


HOSTS = (GATEWAY, next(peer.hub for peer in PLAN.peers if peer.gateway == GATEWAY))


@pytest.mark.parametrize("host", HOSTS)
def test_every_tunnel_gets_the_new_key_and_none_keeps_the_old_one(
    world: World, host: str, tmp_path: Path
) -> None:
    ledger = Ledger.open(world.state)
    old, others = ledger.public(f"wireguard/{host}"), ledger.publics()
    rotate(host, tmp_path)
    new = ledger.public(f"wireguard/{host}")
    assert new != old
    assert set(world.publics[host].values()) == {new}
    known = {
        peer["public_key"] for f in world.told.values() for t in f.get("wireguard", []) for peer in t["peers"]
    }
    assert new in known
    assert old not in known
    assert {name: key for name, key in ledger.publics().items() if key != new} == {
        name: key for name, key in others.items() if key != old
    }
    assert rotation.read(world.state) == rotation.NONE


@pytest.mark.parametrize("host", HOSTS)
def test_both_hubs_were_free_of_traffic_in_turn_and_the_usual_way_is_taken_again(
    world: World, host: str, tmp_path: Path
) -> None:
    before = {gateway: world.ways(gateway) for gateway in world.gateways}
    rotate(host, tmp_path)
    assert {gateway: world.ways(gateway) for gateway in world.gateways} == before
    taken = {way for gateway, way in world.moves if gateway == GATEWAY}
    hubs = {peer.hub for peer in world.peers if peer.gateway == GATEWAY}
    assert taken >= {frozenset({hub}) for hub in hubs}


@pytest.mark.parametrize("host", HOSTS)
def test_a_run_killed_at_any_moment_goes_on_and_breaks_no_way_in_use(
    world: World, host: str, tmp_path: Path
) -> None:
    """Every moment, one after the other; between the two runs everything is converged, as `make up` does."""
    everybody = [found.name for found in built_hosts(LAB, PLAN)]
    for kill_at in range(1, 100):
        old = Ledger.open(world.state).public(f"wireguard/{host}")
        world.moments, world.kill_at = 0, kill_at
        try:
            rotate(host, tmp_path)
        except KilledError:
            world.kill_at = 0
            world.tell(everybody)
            rotate(host, tmp_path)
        else:
            world.kill_at = 0
            break
        ledger = Ledger.open(world.state)
        new = ledger.public(f"wireguard/{host}")
        assert new != old, f"killed at {kill_at}"
        assert set(world.publics[host].values()) == {new}
        assert f"wireguard/{rotation.heir(host)}" not in ledger.publics()
        assert ledger.entries()
    assert 10 < kill_at < 99, "no run came to its end"


def test_one_key_at_a_time(world: World, tmp_path: Path) -> None:
    rotation.write(world.state, rotation.Rotation(host=HOSTS[1]))
    with pytest.raises(RunFailedError) as refused:
        rotate(GATEWAY, tmp_path)
    assert f"the key of {HOSTS[1]} is being replaced" in str(refused.value)
    assert f"make keys DO=rotate HOST={HOSTS[1]}" in str(refused.value)


def test_what_was_begun_for_a_host_that_is_gone_stops_nobody(world: World, tmp_path: Path) -> None:
    rotation.write(world.state, rotation.Rotation(host="xa-da-dong-cpe-1", moved=("hub-1",)))
    old = Ledger.open(world.state).public(f"wireguard/{GATEWAY}")
    rotate(GATEWAY, tmp_path)
    assert Ledger.open(world.state).public(f"wireguard/{GATEWAY}") != old
    assert rotation.read(world.state) == rotation.NONE


def test_a_unit_whose_other_tunnel_is_down_keeps_its_key(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun: neither a key nor a note."""
    before = Ledger.open(world.state).publics()
    monkeypatch.setattr(keys, "_ANSWER_WITHIN", 0.0)
    world.publics[HOSTS[1]] = dict.fromkeys(world.publics[HOSTS[1]], "of somebody else")
    with pytest.raises(RunFailedError, match="wait for every session"):
        rotate(GATEWAY, tmp_path)
    assert rotation.read(world.state) == rotation.NONE
    assert Ledger.open(world.state).publics() == before


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("host", ["edge-1", "nobody-1"])
def test_a_host_without_a_tunnel_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="no built hub or gateway"):
        rotate(host, tmp_path)
