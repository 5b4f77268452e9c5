"""Addresses: arithmetic on places and indexes that never change, nothing else."""

from __future__ import annotations

from netaddr import IPAddress, IPNetwork

from province.plan.model import PlannedUnit, Segment, Zone
from province.register.catalogue import OUTSIDE, Catalogue
from province.register.model import CENTRE, LINES_PER_UNIT, Link, Pool, Register, Unit

WAN = "wan"


def block(pool: IPNetwork, index: int, prefix: int) -> IPNetwork:
    """The block of an index: counted in blocks of `prefix` from the start of the pool.

    Whether it lies inside the pool is the register's check (REG-027).
    """
    width = 32 if pool.version == 4 else 128
    return network(pool.first + (index << (width - prefix)), prefix, pool.version)


def network(first: int, prefix: int, version: int) -> IPNetwork:
    """A network from its first address, as a number."""
    return IPNetwork((first, prefix), version=6 if version == 6 else 4)


def nth(inside: IPNetwork, number: int) -> IPAddress:
    """Address number `number` of a network, counted from its first."""
    return IPAddress(inside.first + number, inside.version)


def with_length(address: IPAddress, inside: IPNetwork) -> IPNetwork:
    """An address with the prefix length of its network, as an interface carries it."""
    return network(int(address), inside.prefixlen, inside.version)


def alone(address: IPAddress) -> IPNetwork:
    """An address as a network of one: /32 or /128."""
    return IPNetwork(address)


def centre_segments(register: Register, catalogue: Catalogue) -> tuple[Segment, ...]:
    """The segments of the centre, at their places in the centre's block."""
    pool = register.pools[CENTRE]
    made = []
    for segment in catalogue.centre:
        network4, network6 = block(pool.network4, segment.place, 24), block(pool.network6, segment.place, 64)
        # The line to the Internet has its gateway at the first address, ours stand at their machines' places.
        place = (
            0
            if not segment.gateway
            else 1
            if segment.gateway == OUTSIDE
            else catalogue.machines[segment.gateway].place
        )
        made.append(
            Segment(
                id=f"{CENTRE}/{segment.name}",
                owner=CENTRE,
                name=segment.name,
                code=segment.code,
                zone=segment.zone,
                vlan=segment.vlan,
                network4=network4,
                network6=network6,
                gateway4=nth(network4, place) if place else None,
                gateway6=nth(network6, place) if place else None,
            )
        )
    return tuple(made)


def unit_segments(unit: Unit, pool: Pool, catalogue: Catalogue) -> tuple[Segment, ...]:
    """A unit's block cut into its segments; the gateway is the first address of each that has leases."""
    block4, block6 = (
        block(pool.network4, unit.index, pool.block4),
        block(pool.network6, unit.index, pool.block6),
    )
    made = []
    for segment in catalogue.unit:
        network4 = block(block4, segment.place, pool.block4 + segment.share)
        network6 = block(block6, segment.place6, 64)
        made.append(
            Segment(
                id=f"{unit.id}/{segment.name}",
                owner=unit.id,
                name=segment.name,
                code=segment.code,
                zone=segment.zone,
                vlan=segment.vlan,
                network4=network4,
                network6=network6,
                gateway4=nth(network4, 1) if segment.leases else None,
                gateway6=nth(network6, 1) if segment.leases else None,
            )
        )
    return tuple(made)


def planned_unit(unit: Unit, pool: Pool, catalogue: Catalogue) -> PlannedUnit:
    """A unit with its block."""
    return PlannedUnit(
        id=unit.id,
        code=unit.code,
        name=unit.name,
        kind=unit.kind,
        sphere=unit.sphere,
        parent=unit.parent,
        index=unit.index,
        pool=pool.name,
        state=unit.state,
        prefix4=block(pool.network4, unit.index, pool.block4),
        prefix6=block(pool.network6, unit.index, pool.block6),
        asn=pool.asn + unit.index,
        segments=unit_segments(unit, pool, catalogue),
    )


def line_name(number: int) -> str:
    """The interface of the nth line (from 0) inside its customer: wan, wan2."""
    return WAN if number == 0 else f"{WAN}{number + 1}"


def carrier_segment(owner: str, code: str, pool: Pool, index: int, number: int, link: Link | None) -> Segment:
    """The line between a customer and its carrier: address 1 is the carrier's, 2 the customer's.

    `link` keeps what the carrier assigned; without it the pool's stand-in holds, a /30 and a /64 for
    each of `LINES_PER_UNIT` lines of an index.
    """
    slot = index * LINES_PER_UNIT + number
    network4 = link.assigned4 if link and link.assigned4 else block(pool.carrier4, slot, 30)
    network6 = link.assigned6 if link and link.assigned6 else block(pool.carrier6, slot, 64)
    return Segment(
        id=f"carrier/{owner}-{line_name(number)}",
        owner="carrier",
        name=line_name(number),
        code=code,
        zone=Zone.BORDER,
        vlan=0,
        network4=network4,
        network6=network6,
        gateway4=nth(network4, 1),
        gateway6=nth(network6, 1),
    )


def merged(networks: list[IPNetwork]) -> tuple[IPNetwork, ...]:
    """Networks sorted, without what others contain; neighbours are not joined: each stays visible."""
    kept: list[IPNetwork] = []
    for item in sorted(set(networks), key=lambda n: (n.first, n.prefixlen)):
        if not kept or item.first > kept[-1].last:
            kept.append(item)
    return tuple(kept)
