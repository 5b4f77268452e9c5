"""Services: where each is asked, by which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netaddr import IPAddress

from province.plan.addressing import address
from province.plan.model import PlannedHost, PlannedService
from province.plan.places import Places, Stand
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Service
from province.register.model import CENTRE

Addresses = tuple[tuple[IPAddress, ...], tuple[IPAddress, ...]]


def planned_services(
    domain: str,
    catalogue: Catalogue,
    services: Iterable[Service],
    hosts: Sequence[PlannedHost],
    places: Places,
    members: Mapping[str, int] | None = None,
) -> tuple[PlannedService, ...]:
    """Every service with its hosts, and with the addresses to ask it at: the pair's, or each member's.

    With `members` only so many of each of the centre's machines serve. `hosts` are all but the carriers'.
    """

    def serves(owner: str, machine: str, member: int) -> bool:
        return members is None or owner != CENTRE or member <= members.get(machine, 0)

    names: dict[str, list[str]] = {ANY: []}
    for host in hosts:
        if serves(host.owner, host.machine, host.member):
            names.setdefault(host.machine, []).append(host.name)
            if host.roles:
                names[ANY].append(host.name)
    ours = {machine.id for machine in catalogue.machines.values() if machine.roles}
    known: dict[tuple[str, str, bool], Addresses] = {}
    made = []
    for service in services:
        machine = catalogue.machines.get(service.machine)
        shared = bool(machine and machine.vip and machine.members > 1)
        asked = (service.machine, service.segment, shared)
        if asked not in known:
            wanted = ours if service.machine == ANY else {service.machine} - {OUTSIDE}
            stands = places.pairs if shared else places.own
            known[asked] = _addresses(
                stand
                for at in (CENTRE, "unit")
                for stand in stands.get((at, service.segment), ())
                if stand[1] in wanted and serves(*stand[:3])
            )
        four, six = known[asked]
        made.append(
            PlannedService(
                id=service.id,
                machine=service.machine,
                segment=service.segment,
                ports=service.ports,
                names=tuple(f"{name}.{domain}" for name in service.names),
                hosts=tuple(names.get(service.machine, ())),
                addresses4=four,
                addresses6=six,
                pending=service.pending,
            )
        )
    return tuple(made)


def _addresses(stands: Iterable[Stand]) -> Addresses:
    """Addresses in the order of hosts, each once: a pair's is that of both members."""
    fours: dict[int, None] = {}
    sixes: dict[int, None] = {}
    for _, _, _, four, six in stands:
        fours[four] = sixes[six] = None
    return tuple(address(number, 4) for number in fours), tuple(address(number, 6) for number in sixes)
