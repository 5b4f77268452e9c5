"""The hubs of a unit under probes: which of them it takes in each direction, and what a fall costs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tests.support import environment
from tests.support.edges import download, names, start_page
from tests.support.eventually import eventually
from tests.support.places import batch, machine
from tests.support.survival import Gap, power_off, power_on, probing, told

PC = environment.only("workstation")
UNIT = environment.unit(environment.facts(PC)["unit"])
GATEWAY = next(h for h in environment.in_group("unit_gateway") if environment.facts(h)["unit"] == UNIT.id)
PEERS = {
    peer.hub: peer
    for peer in environment.plan().peers
    if peer.gateway == GATEWAY and peer.hub in {host.name for host in environment.built()}
}
STEADY = 2.0  # seconds for which nothing may change any more before probes end


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What a unit noticed when the hub that it takes fell, and when it came back."""

    off: list[Gap]
    back: list[Gap]
    pages: list[dict[str, Any]]
    hub: str


def fall() -> Fall:
    """Take the power from the hub that the unit takes, give it back, until both directions take it again."""
    hub = preferred()
    other = next(name for name in PEERS if name != hub)
    with ExitStack() as stack:
        browsing = stack.enter_context(probing(machine(PC), pages=start_page()))
        # A server closes a connection after a thousand requests.
        pages = [replace(page, every=0.1) for page in download()]
        loading = stack.enter_context(probing(machine(GATEWAY), pages=pages))
        try:
            with probing(machine(GATEWAY), names=names()) as off:
                eventually(lambda: told(hub, other), within=10)
                power_off(hub)
                eventually(steadily(lambda: taken() == {other}), within=20, every=0.2)
        finally:
            with probing(machine(GATEWAY), names=names()) as back:
                power_on(hub)
                eventually(steadily(lambda: taken() == {hub}), within=60, every=0.2)
    return Fall(off=off.gaps, back=back.gaps, pages=[*browsing.pages, *loading.pages], hub=hub)


def preferred() -> str:
    """The hub that the plan says the unit takes while both are there."""
    return next(name for name, peer in PEERS.items() if peer.preferred)


def taken() -> set[str]:
    """Hubs that the unit's traffic takes: out, by the gateway, and back, by every border router."""
    found = set()
    resolvers = environment.facts(GATEWAY)["resolvers"]
    out = batch(machine(GATEWAY), {a: f"ip -o route get {a}" for a in resolvers})
    for said in out.values():
        device = _after(said.checked(), "dev")
        found |= {name for name, peer in PEERS.items() if peer.gateway_interface == device} or {device}
    for edge in environment.in_group("edge"):
        ways = batch(machine(edge), {a: f"ip -o route get {a}" for a in _inside()})
        found |= {_hub_at(_after(said.checked(), "via")) for said in ways.values()}
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


@cache
def _inside() -> tuple[str, ...]:
    """Addresses of the unit's gateway on the staff's network."""
    primary = next(i for i in environment.planned(GATEWAY).interfaces if i.name == "staff")
    return tuple(str(address.ip) for address in primary.addresses)


def _hub_at(address: str) -> str:
    for name in PEERS:
        for interface in environment.planned(name).interfaces:
            if address in {str(own.ip) for own in interface.addresses}:
                return name
    return address


def _after(shown: str, word: str) -> str:
    words = shown.split()
    return words[words.index(word) + 1] if word in words else shown.strip()
