"""Where hosts stand, in numbers: what flows, names and services are computed from.

The same is in the plan's hosts as objects; to take it out of them again, for every flow of thousands of
units, would take longer than all the rest of the plan. Plain tuples for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from province.plan.addressing import Area

# A class of segments: ("centre", "srv") or ("unit", "staff").
Class = tuple[str, str]
# A host's own address in a segment, or its pair's: owner, machine, member, IPv4 and IPv6 as numbers.
Stand = tuple[str, str, int, int, int]
# A host with the address that its name means: fully qualified name, IPv4 and IPv6.
Named = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Places:
    """Everything but the carriers' stand-in, in the order of the plan's hosts: the centre, then units.

    `own` and `pairs` are addresses by class of segments, `areas` all segments, `leased` those in which a
    machine takes DHCP, with the machine.
    """

    own: dict[Class, list[Stand]] = field(default_factory=dict)
    pairs: dict[Class, list[Stand]] = field(default_factory=dict)
    areas: dict[Class, list[Area]] = field(default_factory=dict)
    leased: dict[Class, list[tuple[str, Area]]] = field(default_factory=dict)
    names: list[Named] = field(default_factory=list)
