"""Machines of the centre, and the stand-in for the carriers, at their places in the segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netaddr import IPNetwork

from province.plan.addressing import WAN, Lines, alone, area_of, nth, number_of, with_length
from province.plan.model import Interface, PlannedHost, Segment, Zone
from province.plan.places import Places
from province.register.catalogue import Catalogue, Machine
from province.register.model import CENTRE, Register

CARRIER = "carrier"
# The segment of a unit with its gateway's ends of tunnels.
TUNNEL = "tun"


def hub_interface(number: int) -> str:
    """The tunnel of a unit's gateway to hub `number` (from 1)."""
    return f"wg-hub{number}"


HUB_TUNNEL = "wg0"


def members_of(machine: Machine, register: Register) -> int:
    """How many a province has of a machine: what its register says, of those that the catalogue reserves."""
    return min(machine.members, register.machines.get(machine.id, {}).get("members", machine.members))


def centre_hosts(
    register: Register, catalogue: Catalogue, segments: Mapping[str, Segment], places: Places
) -> list[PlannedHost]:
    """Every member of every pair of the centre."""
    made = []
    for machine in catalogue.machines_at("centre"):
        for member in range(1, members_of(machine, register) + 1):
            short = f"{machine.short}-{member}" if machine.roles else machine.short
            host = PlannedHost(
                name=short,
                fqdn=f"{short}.dc.{register.domain}",
                owner=CENTRE,
                machine=machine.id,
                member=member,
                interfaces=tuple(_centre_interfaces(machine, member, segments, catalogue)),
                roles=(*catalogue.base_roles, *machine.roles) if machine.roles else (),
            )
            made.append(host)
            _note(places, host, machine, segments)
    return made


def _centre_interfaces(
    machine: Machine, member: int, segments: Mapping[str, Segment], catalogue: Catalogue
) -> Iterable[Interface]:
    tunnels = {segment.name for segment in catalogue.centre if segment.tunnel}
    for wanted in machine.interfaces:
        if wanted == WAN:
            line = segments[f"{CARRIER}/{machine.short}-{member}-{WAN}"]
            yield Interface(
                name=line.name,
                segment=line.id,
                zone=line.zone,
                addresses=both(line, 2),
                default_route=machine.default == WAN,
            )
        elif wanted in tunnels:
            # One interface for the tunnels of all units.
            segment = segments[f"{CENTRE}/{wanted}"]
            yield Interface(
                name=HUB_TUNNEL,
                segment=segment.id,
                zone=segment.zone,
                addresses=_alone(segment, machine.own(member)),
                method="tunnel",
            )
        else:
            yield _interface(machine, member, segments[f"{CENTRE}/{wanted}"], catalogue)


def _note(places: Places, host: PlannedHost, machine: Machine, segments: Mapping[str, Segment]) -> None:
    """Enter a host of the centre where it stands."""
    for interface in host.interfaces:
        segment = segments[interface.segment]
        name = WAN if segment.owner == CARRIER else segment.name
        for addresses, stands in ((interface.addresses, places.own), (interface.vips, places.pairs)):
            if addresses:
                four, six = addresses
                stand = (CENTRE, host.machine, host.member, number_of(four), number_of(six))
                stands.setdefault((CENTRE, name), []).append(stand)
        if interface.method == "dynamic":
            area = area_of(segment)
            places.leased.setdefault((CENTRE, name), []).append((host.machine, area))
        elif name == machine.primary:
            four, six = interface.addresses
            places.names.append((f"{host.fqdn}.", number_of(four), number_of(six)))


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
            addresses=both(line, 1),
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


def hub_lines(register: Register, catalogue: Catalogue) -> list[Segment]:
    """The lines of the hubs, one each: the centre's lines are numbered by hub and member."""
    lines = Lines(register.pools[CENTRE])
    made = []
    before = 0
    for hub in catalogue.hubs:
        first, *others = hub.short.split("-")
        code = first + "".join(word[0] for word in others)  # of few letters: it goes into names of bridges
        made += [
            lines.segment(f"{hub.short}-{member}", WAN, f"{code}{member}", 0, before + member - 1, None)
            for member in range(1, members_of(hub, register) + 1)
        ]
        before += hub.members
    return made


def _interface(machine: Machine, member: int, segment: Segment, catalogue: Catalogue) -> Interface:
    dynamic = segment.name in machine.dynamic
    routes_it = any(s.name == segment.name and s.gateway == machine.id for s in catalogue.centre)
    carries = machine.members > 1 and (routes_it or (machine.vip and segment.name == machine.primary))
    return Interface(
        name=segment.code,
        segment=segment.id,
        zone=segment.zone,
        addresses=() if dynamic else both(segment, machine.own(member)),
        vips=_alone(segment, machine.place) if carries else (),
        method="dynamic" if dynamic else "static",
        default_route=segment.name == machine.default,
    )


def both(segment: Segment, number: int) -> tuple[IPNetwork, IPNetwork]:
    """Address number `number` of a segment in both families, with the segment's length."""
    return with_length(segment.network4, number), with_length(segment.network6, number)


def _alone(segment: Segment, number: int) -> tuple[IPNetwork, IPNetwork]:
    return alone(nth(segment.network4, number)), alone(nth(segment.network6, number))
