"""Addresses: arithmetic on places and indexes that never change, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from netaddr import IPAddress, IPNetwork

from province.plan.model import Segment, Zone, new_segment
from province.register.catalogue import OUTSIDE, Catalogue
from province.register.model import CENTRE, LINES_PER_UNIT, Link, Pool, Register, Unit

WAN = "wan"
# A segment in numbers: owner, name, first IPv4 and length, first IPv6 and length.
Area = tuple[str, str, int, int, int, int]

_new = object.__new__
# What says which version an object is of; netaddr keeps it in the objects.
_OF_VERSION: dict[int, Any] = {version: IPAddress(0, version)._module for version in (4, 6)}  # type: ignore[attr-defined] # private, see `network`
_IPV4, _IPV6 = _OF_VERSION[4], _OF_VERSION[6]
# The number of an address, and of a network that begins with it: `.first` works it out, every time.
number_of: Callable[[IPAddress | IPNetwork], int] = attrgetter("value")


def network(first: int, prefix: int, version: int) -> IPNetwork:
    """A network from its first address, as a number.

    Filled by hand: what netaddr's constructor does to find out what it was given takes six times as long,
    and the plan of thousands of units has hundreds of thousands of networks. A test holds the objects to
    those of the constructor.
    """
    made: Any = _new(IPNetwork)
    made._value = first
    made._prefixlen = prefix
    made._module = _OF_VERSION[version]
    return made  # type: ignore[no-any-return] # what was made above


def networks(first4: int, prefix4: int, first6: int, prefix6: int) -> tuple[IPNetwork, IPNetwork]:
    """A network of each family, made as `network` makes one."""
    four: Any = _new(IPNetwork)
    four._value = first4
    four._prefixlen = prefix4
    four._module = _IPV4
    six: Any = _new(IPNetwork)
    six._value = first6
    six._prefixlen = prefix6
    six._module = _IPV6
    return four, six


def address(number: int, version: int) -> IPAddress:
    """An address from its number; made as `network` is."""
    made: Any = _new(IPAddress)
    made._value = number
    made._module = _OF_VERSION[version]
    return made  # type: ignore[no-any-return] # what was made above


def block(pool: IPNetwork, index: int, prefix: int) -> IPNetwork:
    """The block of an index: counted in blocks of `prefix` from the start of the pool.

    Whether it lies inside the pool is the register's check (REG-027).
    """
    width = 32 if pool.version == 4 else 128
    return network(pool.first + (index << (width - prefix)), prefix, pool.version)


class Blocks:
    """The blocks of a pool, by index. IPv4 blocks go on in the next network where one ends."""

    def __init__(self, pool: Pool) -> None:
        self._prefix4, self._prefix6 = pool.block4, pool.block6
        self._size4, self._size6 = 1 << (32 - pool.block4), 1 << (128 - pool.block6)
        self._first6 = pool.network6.first
        # (indexes before it, first address of the network): the last that begins at or before an index.
        self._parts4: list[tuple[int, int]] = []
        before = 0
        for inside in pool.networks4:
            self._parts4.insert(0, (before, inside.first))
            before += inside.size // self._size4

    def of(self, unit: Unit) -> tuple[IPNetwork, IPNetwork]:
        """A unit's IPv4 and IPv6 blocks: those that others gave it, or those of its index.

        Once a closed unit's block was given back, the block of its index is left to it, which is nobody
        else's.
        """
        four, six = self.at(unit.index)
        if unit.returned:
            return four, six
        return unit.assigned4 or four, unit.assigned6 or six

    def at(self, index: int) -> tuple[IPNetwork, IPNetwork]:
        """The blocks of an index. Whether the pool has them is the register's check (REG-027)."""
        before, first4 = next(part for part in self._parts4 if index >= part[0])
        return networks(
            first4 + (index - before) * self._size4,
            self._prefix4,
            self._first6 + index * self._size6,
            self._prefix6,
        )


class Cut:
    """How a unit's block is cut into its segments: the same shares of every block, whatever its size."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._segments = catalogue.unit
        self._by_length: dict[int, list[tuple[str, str, str, Zone, int, int, int, int, bool]]] = {}

    def segments(
        self, owner: str, block4: IPNetwork, block6: IPNetwork
    ) -> tuple[tuple[Segment, ...], tuple[Area, ...]]:
        """The segments of a block, and the same in numbers.

        The gateway is the first address of each that has leases.
        """
        length = block4.prefixlen
        shares = self._by_length.get(length) or self._by_length.setdefault(length, self._shares(length))
        first4, first6 = number_of(block4), number_of(block6)
        made = []
        areas = []
        for name, suffix, code, zone, vlan, offset4, length4, offset6, leases in shares:
            four, six = first4 + offset4, first6 + offset6
            areas.append((owner, name, four, length4, six, 64))
            gateway4, gateway6 = (address(four + 1, 4), address(six + 1, 6)) if leases else (None, None)
            both = networks(four, length4, six, 64)
            made.append(new_segment(owner + suffix, owner, name, code, zone, vlan, *both, gateway4, gateway6))
        return tuple(made), tuple(areas)

    def _shares(self, length: int) -> list[tuple[str, str, str, Zone, int, int, int, int, bool]]:
        """What is the same for all IPv4 blocks of one length, in the order in which `segments` takes it."""
        return [
            (
                segment.name,
                f"/{segment.name}",
                segment.code,
                segment.zone,
                segment.vlan,
                segment.place << (32 - length - segment.share),
                length + segment.share,
                segment.place6 << 64,
                segment.leases,
            )
            for segment in self._segments
        ]


def nth(inside: IPNetwork, number: int) -> IPAddress:
    """Address number `number` of a network, counted from its first."""
    return address(inside.first + number, inside.version)


def with_length(inside: IPNetwork, number: int) -> IPNetwork:
    """Address number `number` of a network with that network's length, as an interface carries it."""
    return network(inside.first + number, inside.prefixlen, inside.version)


def alone(given: IPAddress | IPNetwork) -> IPNetwork:
    """An address as a network of one: /32 or /128. Of an interface's address its own, without the length."""
    return network(number_of(given), 32 if given.version == 4 else 128, given.version)


def text_of(number: int, version: int) -> str:
    """An address as netaddr writes it, from its number."""
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(address(number, 6))


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


def area_of(segment: Segment) -> Area:
    """A segment in numbers."""
    four, six = segment.network4, segment.network6
    return (segment.owner, segment.name, four.first, four.prefixlen, six.first, six.prefixlen)


def line_name(number: int) -> str:
    """The interface of the nth line (from 0) inside its customer: wan, wan2."""
    return WAN if number == 0 else f"{WAN}{number + 1}"


class Lines:
    """The lines between customers and carriers: address 1 is the carrier's, 2 the customer's.

    What the carrier assigned is kept; without it the pool's stand-ins hold, a /30 and a /64 for each of
    `LINES_PER_UNIT` lines of an index.
    """

    def __init__(self, pool: Pool) -> None:
        self._first4, self._first6 = pool.carrier4.first, pool.carrier6.first

    def segment(
        self, owner: str, name: str, code: str, index: int, number: int, link: Link | None
    ) -> Segment:
        """Line `number` (from 0) of an index; `link` is what the register says of it."""
        slot = index * LINES_PER_UNIT + number
        four = (link and link.assigned4) or network(self._first4 + (slot << 2), 30, 4)
        six = (link and link.assigned6) or network(self._first6 + (slot << 64), 64, 6)
        return Segment(
            id=f"carrier/{owner}-{name}",
            owner="carrier",
            name=name,
            code=code,
            zone=Zone.BORDER,
            vlan=0,
            network4=four,
            network6=six,
            gateway4=address(number_of(four) + 1, 4),
            gateway6=address(number_of(six) + 1, 6),
        )


def merged(given: Iterable[tuple[int, int]], version: int) -> tuple[IPNetwork, ...]:
    """Networks, given as (first address, prefix length), sorted and without what others contain.

    Neighbours are not joined: each stays visible.
    """
    width = 32 if version == 4 else 128
    kept = []
    last = -1
    # In order of the first address, the larger network first: whatever begins inside lies inside.
    for first, prefix in sorted(given):
        if first > last:
            kept.append(network(first, prefix, version))
            last = first if prefix == width else first + (1 << (width - prefix)) - 1
    return tuple(kept)
