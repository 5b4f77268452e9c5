"""Flows: who may talk to whom, resolved into addresses; and the way a flow takes through the routers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netaddr import IPNetwork

from province.plan.addressing import WAN, merged, number_of
from province.plan.hosts import TUNNEL
from province.plan.model import Endpoint, PlannedFlow, PlannedService, Port, Segment
from province.plan.places import Class as Class
from province.plan.places import Places
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Flow, Service, Side
from province.register.model import CENTRE, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What flows are resolved on: units of the register by id, where everything stands, and services."""

    catalogue: Catalogue
    units: Mapping[str, Unit]
    places: Places
    services: Mapping[str, PlannedService]


def class_of(segment: Segment, owner: str) -> Class:
    """The class of a segment for a host of `owner`: lines belong to their customer."""
    return (CENTRE if owner == CENTRE else "unit", WAN if segment.owner == "carrier" else segment.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Takers:
    """Units that are given an application: of these kinds, in these spheres, on these networks of theirs."""

    kinds: frozenset[str]
    spheres: frozenset[str]
    segments: frozenset[str]


def planned_flows(
    ground: Ground, services: Mapping[str, Service], applications: Mapping[str, Takers]
) -> tuple[PlannedFlow, ...]:
    """All flows of the catalogue. `applications` are who is given each, by id."""
    known: dict[tuple[object, ...], Networks] = {}
    flows = []
    for flow, wanted, sphere in _declared(ground.catalogue, applications):
        service = services[wanted]
        takers = applications[wanted].kinds if flow.applications else None
        of = frozenset((sphere,) if sphere else flow.spheres)
        source = _endpoint(ground, known, flow.source, of, takers, wanted if flow.applications else "")
        target = _narrowed(flow.destination, service)
        destination = _endpoint(ground, known, target, of, None, "")
        offered = ground.services.get(wanted)
        if offered and target.machine == offered.machine and _asked_at_vip(ground, service):
            destination = Endpoint(
                zone=destination.zone,
                segments=destination.segments,
                machine=destination.machine,
                networks4=merged(((number_of(a), 32) for a in offered.addresses4), 4),
                networks6=merged(((number_of(a), 128) for a in offered.addresses6), 6),
            )
        flows.append(
            PlannedFlow(
                id=flow_id(flow, wanted, sphere),
                source=source,
                destination=destination,
                service=wanted,
                ports=service.ports,
                reason=flow.reason,
                owner=flow.owner,
                sphere=sphere,
            )
        )
    return tuple(flows)


def _declared(catalogue: Catalogue, applications: Mapping[str, Takers]) -> list[tuple[Flow, str, str]]:
    """Each flow of the catalogue with each of its services and spheres: the flows of the plan, in order."""
    return [
        (flow, wanted, sphere)
        for flow in catalogue.flows
        for wanted in (applications if flow.applications else flow.services)
        for sphere in spheres_of(flow)
        if not flow.applications or _is_for(flow, applications[wanted], sphere)
    ]


def _is_for(flow: Flow, takers: Takers, sphere: str) -> bool:
    """Whether a flow for applications is for this one: by sphere, and from units by where it is opened."""
    return sphere in takers.spheres and (
        flow.source.at != "unit" or not takers.segments.isdisjoint(flow.source.segments)
    )


def declared(catalogue: Catalogue, flows: Iterable[PlannedFlow]) -> list[tuple[PlannedFlow, Flow]]:
    """Planned flows, each with what the catalogue says of it."""
    known: dict[str, Flow] = {}
    begun: dict[str, list[Flow]] = {}
    for flow in catalogue.flows:
        if flow.applications:
            begun.setdefault(flow.id, []).append(flow)
        known |= {flow_id(flow, wanted, sphere): flow for wanted in flow.services for sphere in flow.spheres}
    made = []
    for planned in flows:
        found = known.get(planned.id)
        if found is None:
            # Applications are not in the catalogue: the id begins with the flow's, and ends as it must.
            found = next(
                flow
                for flows_ in begun.values()
                for flow in flows_
                if planned.id in {flow_id(flow, planned.service, sphere) for sphere in flow.spheres}
            )
        made.append((planned, found))
    return made


def spheres_of(flow: Flow) -> tuple[str, ...]:
    """The spheres that a flow is planned for apart: only where one of its ends is a unit's."""
    return flow.spheres if "unit" in (flow.source.at, flow.destination.at) else ("",)


def flow_id(flow: Flow, service: str, sphere: str) -> str:
    """The id of a planned flow: `<flow>-<service>`, in a further sphere of the same flow with its name."""
    return f"{flow.id}-{service}" + (f"-{sphere}" if sphere and sphere != flow.spheres[0] else "")


def _asked_at_vip(ground: Ground, service: Service) -> bool:
    machine = ground.catalogue.machines.get(service.machine)
    return bool(machine and machine.vip and machine.members > 1)


def _narrowed(side: Side, service: Service) -> Side:
    """A destination without a machine means the machine that offers the service."""
    if side.machine or service.machine in (ANY, OUTSIDE) or side.at == OUTSIDE:
        return side
    return Side(zone=side.zone, at=side.at, segments=side.segments, machine=service.machine)


Networks = tuple[tuple[IPNetwork, ...], tuple[IPNetwork, ...]]


def _endpoint(
    ground: Ground,
    known: dict[tuple[object, ...], Networks],
    side: Side,
    spheres: frozenset[str],
    takers: frozenset[str] | None,
    application: str,
) -> Endpoint:
    """A side with its addresses. Flows share ends: what was worked out once is in `known`."""
    key = (side.at, side.segments, side.machine, side.at != CENTRE and spheres, takers, application)
    if key not in known:
        known[key] = _networks(ground, side, spheres, takers, application)
    four, six = known[key]
    return Endpoint(
        zone=side.zone,
        segments=side.segments,
        machine=side.machine or None,
        networks4=four,
        networks6=six,
    )


def _networks(
    ground: Ground, side: Side, spheres: frozenset[str], takers: frozenset[str] | None, application: str
) -> Networks:
    """Addresses of the machine of a side, or the side's whole segments.

    Of units only those of some spheres, and only those that take an application.
    """
    places, machine = ground.places, side.machine
    refused = frozenset(
        unit.id
        for unit in ground.units.values()
        if unit.sphere not in spheres
        or (takers is not None and (unit.kind not in takers or application not in unit.services))
    )
    fours: list[tuple[int, int]] = []
    sixes: list[tuple[int, int]] = []
    for at in (CENTRE, "unit") if side.at == ANY else () if side.at == OUTSIDE else (side.at,):
        for name in side.segments:
            areas = places.areas.get((at, name), [])
            if machine:
                areas = [area for here, area in places.leased.get((at, name), ()) if here == machine]
                for stands in (places.own, places.pairs):
                    for owner, here, _, four, six in stands.get((at, name), ()):
                        if here == machine and owner not in refused:
                            fours.append((four, 32))
                            sixes.append((six, 128))
            for owner, _, four, prefix4, six, prefix6 in areas:
                if owner not in refused:
                    fours.append((four, prefix4))
                    sixes.append((six, prefix6))
    return merged(fours, 4), merged(sixes, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A router on the way of a flow: the machine, and the classes of segments it takes it from and to."""

    machine: str
    source: Class
    destination: Class


def ways(
    catalogue: Catalogue, flow: Flow, machine: str = "", sphere: str = ""
) -> Mapping[tuple[Class, Class], tuple[Hop, ...] | None]:
    """For each pair of classes of a flow's ends, the routers between; None where there is no way.

    `machine` is who answers where the flow itself does not say. Tunnels of units lead to the hubs of
    `sphere`. Nothing leaves management, and flows inside one network or into a line of a carrier pass no
    router of ours.
    """
    links = _links(catalogue, sphere or flow.spheres[0])
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


def _links(catalogue: Catalogue, sphere: str) -> dict[Class, list[tuple[str, Class]]]:
    """Which router takes traffic from one class of segments to another; tunnels join those of both ends."""
    links: dict[Class, list[tuple[str, Class]]] = {}
    for machine in catalogue.machines.values():
        at = machine.where
        for here in machine.forwards:
            for there in machine.forwards:
                if here != there:
                    links.setdefault((at, here), []).append((machine.id, (at, there)))
    for hub in catalogue.hubs:
        if hub.sphere == sphere:
            tunnels = (CENTRE, catalogue.tunnel_of(hub)), ("unit", TUNNEL)
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
