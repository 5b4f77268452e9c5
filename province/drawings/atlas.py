"""A plan with its register and catalogue, looked up once for all drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from province.plan.flows import declared
from province.plan.model import Peer, Plan, PlannedFlow, PlannedHost, PlannedService, PlannedUnit, Segment
from province.register.catalogue import Catalogue, Flow
from province.register.model import CENTRE, Register, Unit

CARRIER = "carrier"
GATEWAY = "unit_gateway"
CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """What drawings ask for, by id."""

    plan: Plan
    register: Register
    catalogue: Catalogue
    source: str
    overrides: Mapping[str, Mapping[str, int]]  # of the province, by machine
    units: Mapping[str, PlannedUnit]
    records: Mapping[str, Unit]
    segments: Mapping[str, Segment]
    hosts: Mapping[str, tuple[PlannedHost, ...]]  # by owner
    peers: Mapping[str, tuple[Peer, ...]]  # by unit
    services: Mapping[str, PlannedService]
    flows: tuple[tuple[PlannedFlow, Flow], ...]  # with what the catalogue says of each

    def lines(self, owner: PlannedHost) -> list[Segment]:
        """The lines of carriers that a host ends."""
        found = (self.segments[interface.segment] for interface in owner.interfaces)
        return [segment for segment in found if segment.owner == CARRIER]

    def gateways(self, unit: str) -> list[PlannedHost]:
        """The gateways of a unit."""
        return [host for host in self.hosts.get(unit, ()) if host.machine == GATEWAY]

    def size(self, machine: str, what: str) -> int:
        """Members, cores, memory_mib or disk_gib of a machine: the province's own, or the catalogue's."""
        own = self.overrides.get(machine, {})
        return own[what] if what in own else int(getattr(self.catalogue.machines[machine], what))


def make_atlas(plan: Plan, register: Register, catalogue: Catalogue, source: str = "") -> Atlas:
    """Look everything up."""
    hosts: dict[str, list[PlannedHost]] = {}
    for host in plan.hosts:
        hosts.setdefault(host.owner, []).append(host)
    peers: dict[str, list[Peer]] = {}
    for peer in plan.peers:
        peers.setdefault(peer.unit, []).append(peer)
    return Atlas(
        plan=plan,
        register=register,
        catalogue=catalogue,
        source=source,
        overrides=register.machines,
        units={unit.id: unit for unit in plan.units},
        records={unit.id: unit for unit in register.units},
        segments={segment.id: segment for segment in plan.segments},
        hosts={owner: tuple(found) for owner, found in hosts.items()},
        peers={unit: tuple(found) for unit, found in peers.items()},
        services={service.id: service for service in plan.services},
        flows=tuple(declared(catalogue, plan.flows)),
    )


def centre_hosts(atlas: Atlas) -> tuple[PlannedHost, ...]:
    """The machines of the centre, in the catalogue's order."""
    return atlas.hosts.get(CENTRE, ())


def centre_places(atlas: Atlas) -> list[PlannedHost]:
    """The machines of the centre and, without addresses, the members of pairs that are not planned."""
    made: list[PlannedHost] = []
    for machine in atlas.catalogue.machines_at(CENTRE):
        members = [host for host in centre_hosts(atlas) if host.machine == machine.id]
        made += members
        if members:
            first = members[0]
            there = tuple(
                replace(interface, addresses=(), vips=())
                for interface in first.interfaces
                if atlas.segments[interface.segment].owner == CENTRE
            )
            made += [
                replace(first, name=f"{machine.short}-{member}", member=member, interfaces=there)
                for member in range(len(members) + 1, machine.members + 1)
            ]
    return made
