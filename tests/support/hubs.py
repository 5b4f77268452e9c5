"""The hubs of a unit under probes: which of them it takes in each direction, and what a fall costs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from province.plan.model import Peer, PlannedUnit
from tests.support import environment
from tests.support.edges import download, names, start_page
from tests.support.eventually import eventually
from tests.support.places import batch, machine
from tests.support.survival import Gap, power_off, power_on, probing, told

STEADY = 2.0  # seconds for which nothing may change any more before probes end


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What a unit noticed when the hub that it takes fell, and when it came back."""

    off: list[Gap]
    back: list[Gap]
    pages: list[dict[str, Any]]
    hub: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A built unit's way into the centre: its gateway, and by name the hubs that it has a tunnel to."""

    unit: PlannedUnit
    gateway: str
    peers: Mapping[str, Peer]

    def fall(self) -> Fall:
        """Take the power from the hub that the unit takes, give it back, until both directions take it."""
        hub = self.preferred()
        other = next(name for name in self.peers if name != hub)
        with ExitStack() as stack:
            browsing = [
                stack.enter_context(probing(machine(pc), pages=start_page())) for pc in self._workstations()
            ]
            # A server closes a connection after a thousand requests.
            pages = [replace(page, every=0.1) for page in download()]
            loading = stack.enter_context(probing(machine(self.gateway), pages=pages))
            try:
                with probing(machine(self.gateway), names=names()) as off:
                    eventually(lambda: told(hub, other), within=10)
                    power_off(hub)
                    eventually(steadily(lambda: self.taken() == {other}), within=20, every=0.2)
            finally:
                with probing(machine(self.gateway), names=names()) as back:
                    power_on(hub)
                    eventually(steadily(lambda: self.taken() == {hub}), within=60, every=0.2)
        fetched = [page for heard in (*browsing, loading) for page in heard.pages]
        return Fall(off=off.gaps, back=back.gaps, pages=fetched, hub=hub)

    def preferred(self) -> str:
        """The hub that the plan says the unit takes while both are there."""
        return next(name for name, peer in self.peers.items() if peer.preferred)

    def taken(self) -> set[str]:
        """Hubs that the unit's traffic takes: out, by the gateway, and back, by every border router."""
        found = set()
        resolvers = environment.facts(self.gateway)["resolvers"]
        out = batch(machine(self.gateway), {a: f"ip -o route get {a}" for a in resolvers})
        for said in out.values():
            device = _after(said.checked(), "dev")
            found |= {name for name, peer in self.peers.items() if peer.gateway_interface == device} or {
                device
            }
        for edge in environment.in_group("edge"):
            ways = batch(machine(edge), {a: f"ip -o route get {a}" for a in self._inside()})
            found |= {self._hub_at(_after(said.checked(), "via")) for said in ways.values()}
        return found

    def _workstations(self) -> list[str]:
        return [
            h for h in environment.in_group("workstation") if environment.facts(h)["unit"] == self.unit.id
        ]

    def _inside(self) -> tuple[str, ...]:
        """Addresses of the unit's gateway on the staff's network."""
        primary = next(i for i in environment.planned(self.gateway).interfaces if i.name == "staff")
        return tuple(str(address.ip) for address in primary.addresses)

    def _hub_at(self, address: str) -> str:
        for name in self.peers:
            for interface in environment.planned(name).interfaces:
                if address in {str(own.ip) for own in interface.addresses}:
                    return name
        return address


@cache
def ways() -> dict[str, Way]:
    """By sphere, the way of the unit that the environment names first."""
    built = {host.name for host in environment.built()}
    found: dict[str, Way] = {}
    gateways = {environment.facts(host)["unit"]: host for host in environment.in_group("unit_gateway")}
    for identifier in environment.environment().units:
        unit, gateway = environment.unit(identifier), gateways[identifier]
        peers = {p.hub: p for p in environment.plan().peers if p.gateway == gateway and p.hub in built}
        assert len(peers) == 2, f"{identifier} has no two hubs: members {{hub: 2, hub_party: 2}}"
        found.setdefault(unit.sphere, Way(unit=unit, gateway=gateway, peers=peers))
    return found


def steadily(fn: Callable[[], bool]) -> Callable[[], bool]:
    """The same, only true once it has been so for a while."""
    since: list[float] = []

    def asked() -> bool:
        if not fn():
            since.clear()
            return False
        since.append(time.monotonic())
        return since[-1] - since[0] >= STEADY

    return asked


def _after(shown: str, word: str) -> str:
    words = shown.split()
    return words[words.index(word) + 1] if word in words else shown.strip()
