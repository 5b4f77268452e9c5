"""Machines of the province and their places in its segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netaddr import IPAddress, IPNetwork

from province.plan.addressing import WAN, alone, carrier_segment, line_name, nth, with_length
from province.plan.model import Interface, PlannedHost, PlannedUnit, Segment, Zone
from province.register.catalogue import Catalogue, Machine
from province.register.model import CENTRE, Register, Unit

CARRIER = "carrier"
TUNNEL = "tun"


def hub_interface(number: int) -> str:
    """The tunnel of a unit's gateway to hub `number` (from 1)."""
    return f"wg-hub{number}"


HUB_TUNNEL = "wg0"


def centre_hosts(
    register: Register, catalogue: Catalogue, segments: Mapping[str, Segment]
) -> list[PlannedHost]:
    """Every member of every pair of the centre."""
    return [
        _host(
            catalogue,
            machine,
            member,
            name=f"{machine.short}-{member}" if machine.roles else machine.short,
            fqdn=f"{machine.short}{f'-{member}' if machine.roles else ''}.dc.{register.domain}",
            owner=CENTRE,
            segments={name: segments[f"{CENTRE}/{name}"] for name in machine.interfaces if name != WAN}
            | (
                {WAN: segments[f"carrier/{machine.short}-{member}-{WAN}"]}
                if WAN in machine.interfaces
                else {}
            ),
        )
        for machine in catalogue.machines_at("centre")
        for member in range(1, machine.members + 1)
    ]


def unit_hosts(
    register: Register, catalogue: Catalogue, unit: PlannedUnit, lines: Iterable[Segment], hubs: int
) -> list[PlannedHost]:
    """The machines of a unit."""
    own = {segment.name: segment for segment in unit.segments}
    hosts = []
    for machine_id in catalogue.unit_machines:
        machine = catalogue.machines[machine_id]
        segments = {name: own[name] for name in machine.interfaces if name in own}
        if WAN in machine.interfaces:
            segments |= {line.name: line for line in lines}
        hosts += [
            _host(
                catalogue,
                machine,
                member,
                name=f"{unit.id}-{machine.short}-{member}",
                fqdn=f"{machine.short}-{member}.{unit.id}.{register.domain}",
                owner=unit.id,
                segments=segments,
                hubs=hubs,
            )
            for member in range(1, machine.members + 1)
        ]
    return hosts


def carrier_host(
    register: Register, catalogue: Catalogue, segments: Mapping[str, Segment], lines: Iterable[Segment]
) -> PlannedHost:
    """The stand-in for all carriers: the first address of every line."""
    machine = catalogue.machines[CARRIER]
    management = segments[f"{CENTRE}/mgmt"]
    interfaces = [_interface(machine, 1, management, catalogue)]
    interfaces += [
        Interface(
            name=line.code,
            segment=line.id,
            zone=Zone.BORDER,
            addresses=(
                with_length(nth(line.network4, 1), line.network4),
                with_length(nth(line.network6, 1), line.network6),
            ),
        )
        for line in lines
    ]
    return PlannedHost(
        name=f"{CARRIER}-1",
        fqdn=f"{CARRIER}-1.dc.{register.domain}",
        owner=CARRIER,
        machine=CARRIER,
        member=1,
        interfaces=tuple(interfaces),
        roles=machine.roles,
    )


def hub_line(register: Register, name: str, member: int) -> Segment:
    """The line of a hub: the centre's lines are numbered by member."""
    line = carrier_segment(name, name.replace("-", ""), register.pools[CENTRE], 0, member - 1, None)
    return _renamed(line, name)


def unit_lines(register: Register, pool_name: str, unit: Unit) -> list[Segment]:
    """The lines of a unit, in the order of its links."""
    pool = register.pools[pool_name]
    return [
        carrier_segment(
            unit.id,
            f"{pool.letter}{unit.index}{'' if number == 0 else 'abcdef'[number]}",
            pool,
            unit.index,
            number,
            link,
        )
        for number, link in enumerate(unit.links)
    ]


def _renamed(line: Segment, name: str) -> Segment:
    """A hub has one line, whichever number that line has among the centre's."""
    return Segment(
        id=f"carrier/{name}-{WAN}",
        owner=line.owner,
        name=WAN,
        code=line.code,
        zone=line.zone,
        vlan=line.vlan,
        network4=line.network4,
        network6=line.network6,
        gateway4=line.gateway4,
        gateway6=line.gateway6,
    )


def _host(
    catalogue: Catalogue,
    machine: Machine,
    member: int,
    *,
    name: str,
    fqdn: str,
    owner: str,
    segments: Mapping[str, Segment],
    hubs: int = 0,
) -> PlannedHost:
    interfaces: list[Interface] = []
    for wanted in machine.interfaces:
        if wanted == TUNNEL:
            interfaces += _tunnels(machine, member, segments[TUNNEL], hubs)
        elif wanted == WAN:
            interfaces += [
                _line(segment, first=segment.name == line_name(0), default=machine.default == WAN)
                for segment in segments.values()
                if segment.owner == CARRIER
            ]
        else:
            interfaces.append(_interface(machine, member, segments[wanted], catalogue))
    ours = machine.where != CARRIER and bool(machine.roles)
    return PlannedHost(
        name=name,
        fqdn=fqdn,
        owner=owner,
        machine=machine.id,
        member=member,
        interfaces=tuple(interfaces),
        roles=(*catalogue.base_roles, *machine.roles) if ours else machine.roles,
    )


def _interface(machine: Machine, member: int, segment: Segment, catalogue: Catalogue) -> Interface:
    dynamic = segment.name in machine.dynamic
    own, shared = machine.own(member), machine.place
    routes_it = segment.owner == CENTRE and any(
        s.name == segment.name and s.gateway == machine.id for s in catalogue.centre
    )
    carries = machine.members > 1 and (routes_it or (machine.vip and segment.name == machine.primary))
    return Interface(
        name=segment.code,
        segment=segment.id,
        zone=segment.zone,
        addresses=() if dynamic else _both(segment, own),
        vips=(alone(nth(segment.network4, shared)), alone(nth(segment.network6, shared))) if carries else (),
        method="dynamic" if dynamic else "static",
        default_route=segment.name == machine.default,
    )


def _both(segment: Segment, number: int) -> tuple[IPNetwork, ...]:
    return (
        with_length(nth(segment.network4, number), segment.network4),
        with_length(nth(segment.network6, number), segment.network6),
    )


def _line(segment: Segment, first: bool, default: bool) -> Interface:
    return Interface(
        name=segment.name,
        segment=segment.id,
        zone=segment.zone,
        addresses=_both(segment, 2),
        default_route=default and first,
    )


def _tunnels(machine: Machine, member: int, segment: Segment, hubs: int) -> list[Interface]:
    """A hub has one tunnel interface for all units, a unit's gateway one for each hub."""
    places = (
        {HUB_TUNNEL: machine.own(member)} if not hubs else {hub_interface(n): n for n in range(1, hubs + 1)}
    )
    return [
        Interface(
            name=name,
            segment=segment.id,
            zone=segment.zone,
            addresses=(alone(nth(segment.network4, place)), alone(nth(segment.network6, place))),
            method="tunnel",
        )
        for name, place in places.items()
    ]


def address(host: PlannedHost, interface: str, version: int) -> IPAddress:
    """The host's own address on an interface, of IP version 4 or 6."""
    found = next(i for i in host.interfaces if i.name == interface)
    return next(a.ip for a in found.addresses if a.version == version)
