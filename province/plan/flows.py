"""Flows: who may talk to whom, resolved into addresses; and the way a flow takes through the routers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netaddr import IPNetwork

from province.plan.addressing import WAN, alone, merged
from province.plan.model import Endpoint, PlannedFlow, PlannedHost, PlannedService, PlannedUnit, Port, Segment
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Flow, Service, Side
from province.register.model import CENTRE, Unit

# A class of segments: ("centre", "srv") or ("unit", "staff").
Class = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What flows are resolved on: open units with their records, segments and hosts of the plan."""

    catalogue: Catalogue
    units: tuple[PlannedUnit, ...]
    records: Mapping[str, Unit]
    segments: Mapping[str, Segment]
    hosts: tuple[PlannedHost, ...]
    services: Mapping[str, PlannedService]


def class_of(segment: Segment, owner: str) -> Class:
    """The class of a segment for a host of `owner`: lines belong to their customer."""
    return (CENTRE if owner == CENTRE else "unit", WAN if segment.owner == "carrier" else segment.name)


def planned_flows(
    ground: Ground, services: Mapping[str, Service], applications: Mapping[str, frozenset[str]]
) -> tuple[PlannedFlow, ...]:
    """All flows of the catalogue. `applications` are the kinds of units that are given each, by id."""
    places = _places(ground)
    flows = []
    for flow, wanted in declared(ground.catalogue, applications):
        service = services[wanted]
        takers = applications.get(wanted) if flow.applications else None
        source = _endpoint(ground, places, flow.source, takers, wanted if flow.applications else "")
        target = _narrowed(flow.destination, service)
        destination = _endpoint(ground, places, target, None, "")
        offered = ground.services.get(wanted)
        if offered and target.machine == offered.machine and _asked_at_vip(ground, service):
            destination = Endpoint(
                zone=destination.zone,
                segments=destination.segments,
                machine=destination.machine,
                networks4=merged([alone(a) for a in offered.addresses4]),
                networks6=merged([alone(a) for a in offered.addresses6]),
            )
        flows.append(
            PlannedFlow(
                id=f"{flow.id}-{wanted}",
                source=source,
                destination=destination,
                service=wanted,
                ports=service.ports,
                reason=flow.reason,
                owner=flow.owner,
            )
        )
    return tuple(flows)


def declared(catalogue: Catalogue, applications: Iterable[str]) -> list[tuple[Flow, str]]:
    """Each flow of the catalogue with each of its services: the flows of the plan, in their order."""
    every = tuple(applications)
    return [
        (flow, wanted)
        for flow in catalogue.flows
        for wanted in (every if flow.applications else flow.services)
    ]


def _asked_at_vip(ground: Ground, service: Service) -> bool:
    machine = ground.catalogue.machines.get(service.machine)
    return bool(machine and machine.vip and machine.members > 1)


def _narrowed(side: Side, service: Service) -> Side:
    """A destination without a machine means the machine that offers the service."""
    if side.machine or service.machine in (ANY, OUTSIDE) or side.at == OUTSIDE:
        return side
    return Side(zone=side.zone, at=side.at, segments=side.segments, machine=service.machine)


Places = Mapping[tuple[Class, str], list[tuple[str, Segment, tuple[IPNetwork, ...]]]]


def _places(ground: Ground) -> Places:
    """For each class of segments and machine: owner, segment, and the addresses that its hosts have there.

    Machine "" stands for the segment as a whole.
    """
    found: dict[tuple[Class, str], list[tuple[str, Segment, tuple[IPNetwork, ...]]]] = {}
    for host in ground.hosts:
        if host.owner == "carrier":
            continue
        for interface in host.interfaces:
            segment = ground.segments[interface.segment]
            at = class_of(segment, host.owner)
            own = tuple(alone(a.ip) for a in interface.addresses) + interface.vips
            if interface.method == "dynamic":
                own = (segment.network4, segment.network6)
            found.setdefault((at, host.machine), []).append((host.owner, segment, own))
    for segment in ground.segments.values():
        if segment.owner != "carrier":
            at = (CENTRE if segment.owner == CENTRE else "unit", segment.name)
            found.setdefault((at, ""), []).append(
                (segment.owner, segment, (segment.network4, segment.network6))
            )
    return found


def _endpoint(
    ground: Ground, places: Places, side: Side, takers: frozenset[str] | None, application: str
) -> Endpoint:
    networks: list[IPNetwork] = []
    ats = (CENTRE, "unit") if side.at == ANY else () if side.at == OUTSIDE else (side.at,)
    for at in ats:
        for name in side.segments:
            for owner, _segment, own in places.get(((at, name), side.machine), ()):
                record = ground.records.get(owner)
                if (
                    takers is not None
                    and record is not None
                    and not (record.kind in takers and application in record.services)
                ):
                    continue
                networks += own
    return Endpoint(
        zone=side.zone,
        segments=side.segments,
        machine=side.machine or None,
        networks4=merged([n for n in networks if n.version == 4]),
        networks6=merged([n for n in networks if n.version == 6]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A router on the way of a flow: the machine, and the classes of segments it takes it from and to."""

    machine: str
    source: Class
    destination: Class


def ways(
    catalogue: Catalogue, flow: Flow, machine: str = ""
) -> Mapping[tuple[Class, Class], tuple[Hop, ...] | None]:
    """For each pair of classes of a flow's ends, the routers between; None where there is no way.

    `machine` is who answers where the flow itself does not say. Nothing leaves management, and flows
    inside one network or into a line of a carrier pass no router of ours.
    """
    links = _links(catalogue)
    found: dict[tuple[Class, Class], tuple[Hop, ...] | None] = {}
    target = flow.destination.machine or machine
    for source in _classes(flow.source):
        for destination in _classes(flow.destination):
            if flow.same_segment and source != destination:
                continue
            near = flow.same_segment or source == destination or WAN in (source[1], destination[1])
            if near or flow.destination.at in (ANY, OUTSIDE):
                found[source, destination] = ()
            else:
                found[source, destination] = _way(
                    links, source, destination, {flow.source.machine, target} - {""}
                )
    if flow.destination.at == OUTSIDE:
        found = {(source, (OUTSIDE, "")): () for source in _classes(flow.source)}
    return found


def _classes(side: Side) -> Iterable[Class]:
    for at in (CENTRE, "unit") if side.at == ANY else (side.at,):
        for name in side.segments:
            yield (at, name)


def _links(catalogue: Catalogue) -> dict[Class, list[tuple[str, Class]]]:
    """Which router takes traffic from one class of segments to another; tunnels join those of both ends."""
    links: dict[Class, list[tuple[str, Class]]] = {}
    for machine in catalogue.machines.values():
        at = machine.where
        for here in machine.forwards:
            for there in machine.forwards:
                if here != there:
                    links.setdefault((at, here), []).append((machine.id, (at, there)))
    tunnels = (CENTRE, "tun"), ("unit", "tun")
    for one, other in (tunnels, tunnels[::-1]):
        links.setdefault(one, []).append(("", other))
    return links


def _way(
    links: Mapping[Class, list[tuple[str, Class]]], source: Class, destination: Class, ends: set[str]
) -> tuple[Hop, ...] | None:
    """The shortest way; a machine that is itself an end of the flow does not forward it."""
    queue: deque[tuple[Class, tuple[Hop, ...]]] = deque([(source, ())])
    seen = {source}
    while queue:
        here, hops = queue.popleft()
        if here == destination:
            return hops
        for machine, there in links.get(here, ()):
            if there in seen or machine in ends:
                continue
            seen.add(there)
            hop = (Hop(machine=machine, source=here, destination=there),) if machine else ()
            queue.append((there, hops + hop))
    return None


def ports_of(ports: Iterable[Port]) -> list[tuple[str, list[int]]]:
    """Ports by protocol, in order: what a rule takes."""
    by_protocol: dict[str, list[int]] = {}
    for port in ports:
        by_protocol.setdefault(port.protocol, []).append(port.number)
    return [(protocol, sorted(numbers)) for protocol, numbers in sorted(by_protocol.items())]
