"""What routers at the ends of tunnels send at most, to whom, and which services go first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netaddr import IPAddress, IPNetwork

from province.plan.flows import ports_of
from province.plan.model import Interface, Peer, Plan, PlannedUnit
from province.register.catalogue import CLASSES, Catalogue
from province.register.model import Pool

JSON = Any
# Bits of an HTB class below the number of an end; numbers end where its 16 bits do.
LAST_NUMBER = 16383


def rate_kbit(unit: PlannedUnit, catalogue: Catalogue) -> int:
    """What a unit's kind is given, and never more than its line holds."""
    most = catalogue.kinds[unit.kind].rate_mbps
    return 1000 * min([most, *(link.bandwidth_mbps for link in unit.links[:1])])


def number_of_unit(unit: PlannedUnit, pools: Mapping[str, Pool]) -> int:
    """A number of its own from pool and index, which never move; 0 where there are too many."""
    before = 0
    for name, pool in pools.items():
        if name == unit.pool:
            break
        before += pool.capacity
    number = before + unit.index + 1
    return number if number <= LAST_NUMBER else 0


def devices(
    tunnels: Iterable[Interface],
    peers: Iterable[Peer],
    units: Mapping[str, PlannedUnit],
    catalogue: Catalogue,
    pools: Mapping[str, Pool],
    unit: PlannedUnit | None,
) -> list[dict[str, JSON]]:
    """Tunnels of a host: a unit's gateway sends to one end, a hub to each of its units."""
    if unit:
        alone = {"number": 1, "rate_kbit": rate_kbit(unit, catalogue), "networks4": [], "networks6": []}
        return [{"name": tunnel.name, "ends": [alone]} for tunnel in tunnels]
    ends = []
    for peer in peers:
        behind = units[peer.unit]
        number = number_of_unit(behind, pools)
        if number:
            ends.append(
                {
                    "number": number,
                    "rate_kbit": rate_kbit(behind, catalogue),
                    "networks4": [str(network) for network in peer.allowed4],
                    "networks6": [str(network) for network in peer.allowed6],
                }
            )
    return [{"name": tunnel.name, "ends": ends} for tunnel in tunnels]


def services(plan: Plan, catalogue: Catalogue, applications: frozenset[str]) -> list[dict[str, JSON]]:
    """Services of the centre that go before the rest, the most urgent first; applications are interactive.

    Those of units' own machines are known by their ports: who may ask them is the firewall's affair.
    """
    classes = {service.id: service.traffic for service in catalogue.services if not service.base}
    made = []
    for name in CLASSES[:-1]:
        for service in plan.services:
            own = CLASSES[1] if service.id in applications else classes.get(service.id, CLASSES[-1])
            machine = catalogue.machines.get(service.machine)
            if own != name or machine is None:
                continue
            if machine.where == "unit" and not _in_tunnel(service.segment, catalogue):
                continue
            at_centre = machine.where == "centre"
            made += [
                {
                    "class": name,
                    "protocol": protocol,
                    "ports": ports,
                    "addresses4": _texts(service.addresses4) if at_centre else [],
                    "addresses6": _texts(service.addresses6) if at_centre else [],
                }
                for protocol, ports in ports_of(service.ports)
                if protocol in ("tcp", "udp")
            ]
    return made


def _in_tunnel(segment: str, catalogue: Catalogue) -> bool:
    return any(part.name == segment and part.tunnel for part in catalogue.unit)


def _texts(values: Iterable[IPAddress | IPNetwork]) -> list[str]:
    return [str(value) for value in values]
