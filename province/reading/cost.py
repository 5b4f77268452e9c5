"""What a plan costs: machines and their sizes, lines and their contracted rates, public addresses, money.

Whole numbers throughout. Sizes are those of the catalogue, with what the province gives in `machines:`;
money is counted only from the province's own `prices:` (VND), never from prices of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netaddr import IPNetwork

from province.plan.model import Plan
from province.register.catalogue import Catalogue, Machine
from province.register.model import CENTRE, Register

UNITS = "units"
MONTHS = 12
MIB_PER_GIB = 1024
# Quantities in the order they are shown, with their units.
QUANTITIES: Mapping[str, str] = {
    "machines": "",
    "cores": "",
    "memory_mib": "MiB",
    "disk_gib": "GiB",
    "lines": "",
    "line_mbps": "Mbit/s",
    "public_addresses": "",
}
# Price → the quantity it is for, times a year, and by what the quantity is divided first.
_PRICED: Mapping[str, tuple[str, int, int]] = {
    "core_year": ("cores", 1, 1),
    "memory_gib_year": ("memory_mib", 1, MIB_PER_GIB),
    "disk_gib_year": ("disk_gib", 1, 1),
    "line_mbps_month": ("line_mbps", MONTHS, 1),
    "public_address_year": ("public_addresses", 1, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one member has: `cores`, `memory_mib` (MiB), `disk_gib` (GiB)."""

    cores: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCost:
    """All members of one kind of machine at one place (`centre` or `units`); sizes are sums over them."""

    place: str
    machine: str
    count: int
    cores: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCost:
    """All lines of one kind; `mbps` is the sum of their contracted rates, each way."""

    access: str
    count: int
    mbps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one of the province's prices comes to: VND a year, rounded half up to a whole VND."""

    price: str
    quantity: str
    vnd: int
    vnd_year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a plan costs. `totals` are the QUANTITIES; `unpriced` are quantities without a price."""

    machines: tuple[MachineCost, ...]
    lines: tuple[LineCost, ...]
    totals: Mapping[str, int]
    prices: tuple[Price, ...]
    unpriced: tuple[str, ...]

    @property
    def vnd_year(self) -> int | None:
        """The sum of what has a price, VND a year; None where the province gives no price."""
        return sum(price.vnd_year for price in self.prices) if self.prices else None


NOTHING = Cost(machines=(), lines=(), totals=dict.fromkeys(QUANTITIES, 0), prices=(), unpriced=())


def size_of(machine: Machine, register: Register) -> Size:
    """The size of one member: the catalogue's, where the province gives no other."""
    given = register.machines.get(machine.id, {})
    return Size(
        cores=given.get("cores", machine.cores),
        memory_mib=given.get("memory_mib", machine.memory_mib),
        disk_gib=given.get("disk_gib", machine.disk_gib),
    )


def cost_of(plan: Plan, register: Register, catalogue: Catalogue) -> Cost:
    """The cost of all planned machines and lines, whether built yet or not; the simulated carrier is none."""
    given = register.prices
    sizes = {name: size_of(machine, register) for name, machine in catalogue.machines.items()}
    counts: dict[tuple[str, str], int] = {}
    for host in plan.hosts:
        if catalogue.machines[host.machine].where != "carrier":
            key = (CENTRE if host.owner == CENTRE else UNITS, host.machine)
            counts[key] = counts.get(key, 0) + 1
    machines = tuple(
        MachineCost(
            place=place,
            machine=machine,
            count=count,
            cores=count * sizes[machine].cores,
            memory_mib=count * sizes[machine].memory_mib,
            disk_gib=count * sizes[machine].disk_gib,
        )
        for (place, machine), count in counts.items()
    )
    lines: dict[str, tuple[int, int]] = {}
    assigned: list[IPNetwork] = []
    for unit in register.units:
        if unit.state == "closed":
            continue
        assigned += [block for block in (unit.assigned4, unit.assigned6) if block]
        for link in unit.links:
            count, mbps = lines.get(link.access, (0, 0))
            lines[link.access] = (count + 1, mbps + link.bandwidth_mbps)
            assigned += [network for network in (link.assigned4, link.assigned6) if network]
    totals = {
        "machines": sum(entry.count for entry in machines),
        "cores": sum(entry.cores for entry in machines),
        "memory_mib": sum(entry.memory_mib for entry in machines),
        "disk_gib": sum(entry.disk_gib for entry in machines),
        "lines": sum(count for count, _ in lines.values()),
        "line_mbps": sum(mbps for _, mbps in lines.values()),
        "public_addresses": public_addresses(assigned),
    }
    prices = tuple(
        Price(price=name, quantity=quantity, vnd=given[name], vnd_year=_yearly(name, totals, given))
        for name, (quantity, _, _) in _PRICED.items()
        if name in given
    )
    unpriced = [quantity for name, (quantity, _, _) in _PRICED.items() if name not in given]
    return Cost(
        machines=machines,
        lines=tuple(
            LineCost(access=access, count=count, mbps=mbps) for access, (count, mbps) in sorted(lines.items())
        ),
        totals=totals,
        prices=prices,
        unpriced=tuple(unpriced) if prices else (),
    )


def _yearly(name: str, totals: Mapping[str, int], given: Mapping[str, int]) -> int:
    quantity, times, divisor = _PRICED[name]
    return (2 * totals[quantity] * times * given[name] + divisor) // (2 * divisor)


def public_addresses(networks: Iterable[IPNetwork]) -> int:
    """How many IPv4 addresses of the Internet are in networks: those are scarce; of IPv6 none is counted."""
    return sum(network.size for network in networks if network.version == 4 and network.ip.is_global())


def as_json(cost: Cost) -> dict[str, Any]:
    """The cost as plain data."""
    return {
        "totals": dict(cost.totals),
        "machines": [
            {
                "place": entry.place,
                "machine": entry.machine,
                "count": entry.count,
                "cores": entry.cores,
                "memory_mib": entry.memory_mib,
                "disk_gib": entry.disk_gib,
            }
            for entry in cost.machines
        ],
        "lines": [{"access": line.access, "count": line.count, "mbps": line.mbps} for line in cost.lines],
        "prices": [
            {"price": p.price, "quantity": p.quantity, "vnd": p.vnd, "vnd_year": p.vnd_year}
            for p in cost.prices
        ],
        "unpriced": list(cost.unpriced),
        "vnd_year": cost.vnd_year,
    }
