"""Firewalls on a path: what they count as dropped, and what the plan's flows allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from province.observe import nft
from province.plan.model import Endpoint, PlannedFlow, Zone
from tests.support import environment
from tests.support.places import batch, machine

TABLE = ("inet", "province")


def ruleset(host: str) -> nft.Table:
    """The table of the host's firewall as it is loaded now."""
    said = batch(machine(host), {"nft": "nft -j list ruleset"})["nft"].checked()
    loaded = nft.tables(said)
    assert TABLE in loaded, f"{host} has no table {' '.join(TABLE)}: it refuses nothing"
    return loaded[TABLE]


@dataclass(slots=True)
class Rise:
    """How many packets a chain dropped while the context was open; complete when it is left."""

    host: str
    chain: str
    packets: int = 0

    def __str__(self) -> str:
        return f"{self.host} {self.chain}: {self.packets} dropped"


@contextmanager
def dropping(host: str, chain: str) -> Iterator[Rise]:
    """Count what one chain of a host drops meanwhile."""
    rise = Rise(host, chain)
    before = ruleset(host).dropped(chain)
    yield rise
    rise.packets = ruleset(host).dropped(chain) - before


def permits(flow: PlannedFlow, source: IPAddress, target: IPAddress, protocol: str, port: int) -> bool:
    """Whether one planned flow lets a conversation through."""
    return (
        any(entry.protocol == protocol and entry.number == port for entry in flow.ports)
        and _inside(source, flow.source)
        and _inside(target, flow.destination)
    )


def permitted(source: IPAddress, target: IPAddress, protocol: str, port: int) -> list[str]:
    """Ids of the planned flows that let a conversation through; empty: it must be refused."""
    return [flow.id for flow in environment.plan().flows if permits(flow, source, target, protocol, port)]


def _inside(address: IPAddress, end: Endpoint) -> bool:
    networks: tuple[IPNetwork, ...] = end.networks4 if address.version == 4 else end.networks6
    # Nothing resolved means anywhere for what lies outside, and nobody everywhere else.
    anywhere = end.zone is Zone.BORDER and not end.networks4 and not end.networks6
    return anywhere or any(address in network for network in networks)
