"""Units: their blocks, lines, machines and tunnels, all in one pass.

What of a unit's machines follows from the catalogue alone is worked out once. What is left to do for each
unit is to add numbers to its block and to make the objects of the plan; thousands of units cost no more
than that.
"""

from __future__ import annotations

from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from province.plan.addressing import WAN, Area, Blocks, Cut, Lines, address, line_name, networks, number_of
from province.plan.hosts import HUB_TUNNEL, TUNNEL, hub_interface
from province.plan.model import (
    Interface,
    Peer,
    PlannedAlias,
    PlannedContact,
    PlannedHost,
    PlannedLink,
    PlannedUnit,
    Segment,
    Zone,
    new_interface,
)
from province.plan.places import Places
from province.register.catalogue import SPHERES, Catalogue, Machine
from province.register.model import Pool, Register, Unit

PORT = 51820
GATEWAY = "unit_gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A hub, as units' gateways need it: where it is reached, and its end of their tunnels."""

    name: str
    member: int
    sphere: str
    endpoint4: IPAddress
    endpoint6: IPAddress
    address4: IPAddress
    address6: IPAddress


def hubs_of(hosts: list[PlannedHost], catalogue: Catalogue) -> tuple[Hub, ...]:
    """The hubs among the hosts of the centre."""
    spheres = {machine.id: machine.sphere for machine in catalogue.hubs}
    found = []
    for host in hosts:
        if host.machine in spheres:
            ends = {i.name: [a.ip for a in i.addresses] for i in host.interfaces}
            (endpoint4, endpoint6), (four, six) = ends[WAN], ends[HUB_TUNNEL]
            found.append(
                Hub(
                    name=host.name,
                    member=host.member,
                    sphere=spheres[host.machine],
                    endpoint4=endpoint4,
                    endpoint6=endpoint6,
                    address4=four,
                    address6=six,
                )
            )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plug:
    """An interface of a unit's machine in one of its segments, before the unit is known."""

    segment: int  # which of the unit's segments
    name: str
    zone: Zone
    number: int  # of the address in the segment; 0 where it is leased
    method: str
    pair: int = 0  # number of the pair's address; 0 for none
    tunnel: bool = False
    default_route: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kit:
    """One member of a machine that every unit has; None among the plugs stands for the unit's lines."""

    machine: Machine
    member: int
    roles: tuple[str, ...]
    plugs: tuple[_Plug | None, ...]


class Units:
    """Makes what of the plan is units', one unit after the other, and enters where their hosts stand."""

    def __init__(
        self, register: Register, catalogue: Catalogue, hubs: tuple[Hub, ...], places: Places
    ) -> None:
        self.planned: list[PlannedUnit] = []
        self.segments: list[Segment] = []
        self.lines: list[Segment] = []
        self.hosts: list[PlannedHost] = []
        self.peers: list[Peer] = []
        self._domain = register.domain
        self._hubs = {sphere: tuple(hub for hub in hubs if hub.sphere == sphere) for sphere in SPHERES}
        self._places = places
        self._cut = Cut(catalogue)
        self._kinds = catalogue.kinds
        self._pools: dict[str, tuple[Pool, Blocks, Lines]] = {
            name: (pool, Blocks(pool), Lines(pool)) for name, pool in register.pools.items()
        }
        self._kits = {
            sphere: [
                _Kit(
                    machine=machine,
                    member=member,
                    roles=(*catalogue.base_roles, *machine.roles) if machine.roles else (),
                    plugs=tuple(self._plugs(machine, member, catalogue, own)),
                )
                for machine in (catalogue.machines[name] for name in catalogue.unit_machines)
                for member in range(1, machine.members + 1)
            ]
            for sphere, own in self._hubs.items()
        }

    def _plugs(
        self, machine: Machine, member: int, catalogue: Catalogue, hubs: tuple[Hub, ...]
    ) -> list[_Plug | None]:
        made: list[_Plug | None] = []
        where = {segment.name: number for number, segment in enumerate(catalogue.unit)}
        for wanted in machine.interfaces:
            if wanted == WAN:
                made.append(None)
                continue
            segment = catalogue.unit[where[wanted]]
            if wanted == TUNNEL:
                # A tunnel to each hub; its end has the hub's number in the segment.
                made += [
                    _Plug(
                        segment=where[wanted],
                        name=hub_interface(hub.member),
                        zone=segment.zone,
                        number=hub.member,
                        method="tunnel",
                        tunnel=True,
                    )
                    for hub in hubs
                ]
                continue
            paired = machine.members > 1 and machine.vip and wanted == machine.primary
            made.append(
                _Plug(
                    segment=where[wanted],
                    name=segment.code,
                    zone=segment.zone,
                    number=0 if wanted in machine.dynamic else machine.own(member),
                    method="dynamic" if wanted in machine.dynamic else "static",
                    pair=machine.place if paired else 0,
                    default_route=wanted == machine.default,
                )
            )
        return made

    def add(self, unit: Unit, closed: bool) -> None:
        """A unit of the register. A closed one keeps its block and has nothing else."""
        pool, blocks, carriers = self._pools[self._kinds[unit.kind].pool]
        block4, block6 = blocks.of(unit)
        segments, areas = self._cut.segments(unit.id, block4, block6)
        planned = PlannedUnit(
            id=unit.id,
            code=unit.code,
            name=unit.name,
            kind=unit.kind,
            sphere=unit.sphere,
            parent=unit.parent,
            index=unit.index,
            pool=pool.name,
            state=unit.state,
            prefix4=block4,
            prefix6=block6,
            asn=pool.asn + unit.index,
            segments=segments,
            aliases=tuple(
                PlannedAlias(name=a.name, until=a.until, by=a.by, code=a.code, unit=a.unit)
                for a in unit.aliases
            ),
            closed=unit.closed,
            successors=unit.successors,
            services=unit.services,
            links=tuple(
                PlannedLink(
                    access=link.access,
                    bandwidth_mbps=link.bandwidth_mbps,
                    assigned4=link.assigned4,
                    assigned6=link.assigned6,
                )
                for link in unit.links
            ),
            contacts=tuple(PlannedContact(role=c.role, mailbox=c.mailbox) for c in unit.contacts),
            wave=unit.wave,
            level=unit.level,
        )
        self.planned.append(planned)
        if closed:
            return
        lines = [
            carriers.segment(
                unit.id,
                line_name(number),
                f"{pool.letter}{unit.index}{'' if number == 0 else 'abcdef'[number]}",
                unit.index,
                number,
                link,
            )
            for number, link in enumerate(unit.links)
        ]
        self.segments += segments
        self.segments += lines
        self.lines += lines
        for area in areas:
            self._places.areas.setdefault(("unit", area[1]), []).append(area)
        for kit in self._kits[unit.sphere]:
            self._host(kit, planned, areas, lines)

    def _host(self, kit: _Kit, unit: PlannedUnit, areas: tuple[Area, ...], lines: list[Segment]) -> None:
        machine, member, places, owner = kit.machine, kit.member, self._places, unit.id
        name = f"{owner}-{machine.short}-{member}"
        fqdn = f"{machine.short}-{member}.{owner}.{self._domain}"
        interfaces: list[Interface] = []
        for plug in kit.plugs:
            if plug is None:
                for line in lines:
                    four, six = number_of(line.network4) + 2, number_of(line.network6) + 2
                    places.own.setdefault(("unit", WAN), []).append((owner, machine.id, member, four, six))
                    first = machine.default == WAN and line is lines[0]
                    ends = networks(four, line.network4.prefixlen, six, line.network6.prefixlen)
                    interfaces.append(new_interface(line.name, line.id, line.zone, ends, (), "static", first))
                continue
            area = areas[plug.segment]
            at = ("unit", area[1])
            addresses: tuple[IPNetwork, ...] = ()
            vips: tuple[IPNetwork, ...] = ()
            if plug.number:
                _, _, first4, prefix4, first6, prefix6 = area
                four, six = first4 + plug.number, first6 + plug.number
                places.own.setdefault(at, []).append((owner, machine.id, member, four, six))
                if area[1] == machine.primary:
                    places.names.append((f"{fqdn}.", four, six))
                addresses = (
                    networks(four, 32, six, 128) if plug.tunnel else networks(four, prefix4, six, prefix6)
                )
                if plug.pair:
                    four, six = first4 + plug.pair, first6 + plug.pair
                    places.pairs.setdefault(at, []).append((owner, machine.id, member, four, six))
                    vips = networks(four, 32, six, 128)
            else:
                places.leased.setdefault(at, []).append((machine.id, area))
            segment = unit.segments[plug.segment].id
            interfaces.append(
                new_interface(plug.name, segment, plug.zone, addresses, vips, plug.method, plug.default_route)
            )
        self.hosts.append(
            PlannedHost(
                name=name,
                fqdn=fqdn,
                owner=owner,
                machine=machine.id,
                member=member,
                interfaces=tuple(interfaces),
                roles=kit.roles,
            )
        )
        if machine.id == GATEWAY:
            self._tunnels(name, unit)

    def _tunnels(self, gateway: str, unit: PlannedUnit) -> None:
        """A tunnel from a unit's gateway to each hub of its sphere.

        Units take the hubs in turn, by their index: so the load is shared, and a unit's way never moves.
        """
        ends = next(segment for segment in unit.segments if segment.name == TUNNEL)
        four, six = number_of(ends.network4), number_of(ends.network6)
        allowed4, allowed6 = (unit.prefix4,), (unit.prefix6,)
        hubs = self._hubs[unit.sphere]
        for number, hub in enumerate(hubs, start=1):
            self.peers.append(
                Peer(
                    unit=unit.id,
                    gateway=gateway,
                    hub=hub.name,
                    gateway_interface=hub_interface(hub.member),
                    hub_interface=HUB_TUNNEL,
                    endpoint4=hub.endpoint4,
                    endpoint6=hub.endpoint6,
                    port=PORT,
                    gateway_address4=address(four + hub.member, 4),
                    gateway_address6=address(six + hub.member, 6),
                    hub_address4=hub.address4,
                    hub_address6=hub.address6,
                    allowed4=allowed4,
                    allowed6=allowed6,
                    preferred=number % len(hubs) == unit.index % len(hubs),
                )
            )
