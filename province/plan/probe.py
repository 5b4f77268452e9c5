"""The stranger of the lab: a machine with a leg in every segment that built hosts stand in.

It is no part of a plan: where it stands depends on what is built. Each leg is in a network namespace of its
own, so that nothing goes from one to another but by the routers between them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from province.plan.hosts import both
from province.plan.model import Interface, Plan, PlannedHost, Segment, Zone
from province.register.catalogue import Catalogue
from province.register.model import CARRIER, CENTRE

PROBE = "probe"
LEG = "leg"
# Its place in networks of units: below the leases, above the machines.
PLACE_IN_UNITS = 8


def namespace(segment: Segment) -> str:
    """The network namespace of its leg in a segment: the segment's id, as a file name."""
    return segment.id.replace("/", ".")


def probe_host(
    plan: Plan, catalogue: Catalogue, stood_in: Collection[str], letters: Mapping[str, str]
) -> PlannedHost:
    """The stranger, where `stood_in` are ids of segments with built hosts.

    `letters` begin names of devices, by unit. Lines of carriers have no address to spare, tunnels no port:
    it has no leg there.
    """
    machine = catalogue.machines[PROBE]
    management = next(s for s in plan.segments if s.owner == CENTRE and s.zone is Zone.MANAGEMENT)
    own = Interface(
        name=management.code,
        segment=management.id,
        zone=management.zone,
        addresses=both(management, machine.place),
    )
    tunnels = {(CENTRE, s.name) for s in catalogue.centre if s.tunnel}
    tunnels |= {("unit", s.name) for s in catalogue.unit if s.tunnel}
    legs = [
        _leg(segment, machine.place, letters)
        for segment in plan.segments
        if segment.id in stood_in
        and segment.owner != CARRIER
        and (CENTRE if segment.owner == CENTRE else "unit", segment.name) not in tunnels
    ]
    return PlannedHost(
        name=f"{PROBE}-1",
        fqdn=f"{PROBE}-1.dc.{plan.domain}",
        owner=PROBE,
        machine=PROBE,
        member=1,
        interfaces=(own, *legs),
        roles=machine.roles,
    )


def _leg(segment: Segment, place: int, letters: Mapping[str, str]) -> Interface:
    if segment.owner != CENTRE:
        name, place = f"{LEG}-{letters[segment.owner]}-{segment.code}", PLACE_IN_UNITS
    else:
        # In the centre's management it stands twice: to be administered, and as a stranger.
        name, place = f"{LEG}-{segment.code}", place + (segment.zone is Zone.MANAGEMENT)
    return Interface(
        name=name, segment=segment.id, zone=segment.zone, addresses=both(segment, place), method=LEG
    )
