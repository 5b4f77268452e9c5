"""Services: where each is asked, by which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netaddr import IPAddress

from province.plan.addressing import WAN
from province.plan.model import PlannedHost, PlannedService, Segment
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Service


def planned_services(
    domain: str,
    catalogue: Catalogue,
    services: Iterable[Service],
    hosts: Iterable[PlannedHost],
    segments: Mapping[str, Segment],
) -> tuple[PlannedService, ...]:
    """Every service with its hosts, and with the addresses to ask it at: the pair's, or each member's."""
    listed = list(hosts)
    by_machine: dict[str, list[PlannedHost]] = {}
    for host in listed:
        by_machine.setdefault(host.machine, []).append(host)
    made = []
    for service in services:
        if service.machine == ANY:
            offering = [host for host in listed if host.owner != "carrier" and host.roles]
        elif service.machine == OUTSIDE:
            offering = []
        else:
            offering = by_machine.get(service.machine, [])
        machine = catalogue.machines.get(service.machine)
        shared = bool(machine and machine.vip and machine.members > 1)
        addresses: dict[IPAddress, None] = {}
        for host in offering:
            for interface in host.interfaces:
                segment = segments[interface.segment]
                name = WAN if segment.owner == "carrier" else segment.name
                if name == service.segment:
                    own = interface.vips if shared else interface.addresses
                    addresses.update(dict.fromkeys(a.ip for a in own))
        made.append(
            PlannedService(
                id=service.id,
                machine=service.machine,
                segment=service.segment,
                ports=service.ports,
                names=tuple(f"{name}.{domain}" for name in service.names),
                hosts=tuple(host.name for host in offering),
                addresses4=tuple(a for a in addresses if a.version == 4),
                addresses6=tuple(a for a in addresses if a.version == 6),
                pending=service.pending,
            )
        )
    return tuple(made)
