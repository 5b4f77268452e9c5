"""From register, catalogue and applications to the plan. Pure: the same input, the same plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from province.apps import App
from province.plan.addressing import area_of, centre_segments
from province.plan.dns import planned_zones
from province.plan.flows import Ground, Takers, flow_id, planned_flows, spheres_of, ways
from province.plan.hosts import CARRIER, carrier_host, centre_hosts, hub_lines
from province.plan.model import Plan, PlannedFlow, PlannedService, Segment
from province.plan.places import Places
from province.plan.services import planned_services
from province.plan.units import Units, hubs_of
from province.problems import Problem, ProblemsFoundError
from province.register.catalogue import NOWHERE, Catalogue, Origin, Service
from province.register.model import CENTRE, Register

CLOSED = "closed"


def make_plan(
    register: Register,
    catalogue: Catalogue,
    apps: Iterable[App] = (),
    members: Mapping[str, int] | None = None,
) -> Plan:
    """Everything that follows. Closed units keep their block and have no machines.

    `members` says how many members of the centre's machines serve: services, and the names that lead to
    them, are theirs alone. Hosts, addresses and flows are always those of the whole pairs, so that a
    second member moves nobody. Without it all members serve.

    Raises ProblemsFoundError (PLN-nnn) when the catalogue allows what cannot be: a flow from or to
    nobody, without a way, or a service that no flow reaches.
    """
    places = Places()
    centre = centre_segments(register, catalogue)
    hub_ends = hub_lines(register, catalogue)
    segments: dict[str, Segment] = {s.id: s for s in (*centre, *hub_ends)}
    places.areas.update({(CENTRE, segment.name): [area_of(segment)] for segment in centre})
    hosts = centre_hosts(register, catalogue, segments, places)
    of_centre = tuple(hosts)
    units = Units(register, catalogue, hubs_of(hosts, catalogue), places)
    for unit in register.units:
        units.add(unit, closed=unit.state == CLOSED)
    hosts += units.hosts
    managed = tuple(hosts)
    if CARRIER in catalogue.machines:
        hosts.append(carrier_host(register, catalogue, segments, [*hub_ends, *units.lines]))

    shown = [app for app in apps if app.published]
    offered = {service.id: service for service in catalogue.services}
    offered |= {app.id: app.service(catalogue.machines[app.record["machine"]].primary) for app in shown}
    services = planned_services(register.domain, catalogue, offered.values(), managed, places)
    flows = planned_flows(
        Ground(
            catalogue=catalogue,
            units={unit.id: unit for unit in register.units},
            places=places,
            services={service.id: service for service in services},
        ),
        offered,
        {
            app.id: Takers(kinds=app.taken_by(catalogue.kinds), spheres=app.spheres, segments=app.segments)
            for app in shown
        },
    )
    serving = services
    if members is not None:
        serving = planned_services(register.domain, catalogue, offered.values(), managed, places, members)
    servers = [
        host
        for host in of_centre
        if host.machine == "ns" and (members is None or host.member <= members.get(host.machine, 0))
    ]
    at_units = {machine.id for machine in catalogue.machines_at("unit")}
    plan = Plan(
        province=register.id,
        name=register.name,
        domain=register.domain,
        units=tuple(units.planned),
        segments=(*segments.values(), *units.segments),
        hosts=tuple(hosts),
        services=serving,
        flows=flows,
        peers=tuple(units.peers),
        # What every unit has for itself is answered by its own gateway, under one name for all of them.
        dns_zones=planned_zones(register, places, [s for s in serving if s.machine not in at_units], servers),
        control_points=register.control_points,
    )
    problems = [*_flow_problems(plan, catalogue), *_service_problems(services, flows, offered)]
    if problems:
        raise ProblemsFoundError(tuple(dict.fromkeys(problems)))  # one for all services of a flow
    return plan


def _problem(code: str, origin: Origin, path: str, found: str, wanted: str, remedy: str) -> Problem:
    return Problem(
        code=f"PLN-{code}",
        file=origin.file or "inventories/catalogue/flows.yml",
        line=origin.line,
        path=path,
        found=found,
        wanted=wanted,
        remedy=remedy,
    )


def _flow_problems(plan: Plan, catalogue: Catalogue) -> Iterable[Problem]:
    known = {service.id for service in catalogue.services}
    services = {service.id: service.machine for service in plan.services}
    # By the id of what follows from them; several may say the same.
    declared: dict[str, list[Origin]] = {}
    for flow in catalogue.flows:
        for service in flow.services or [s for s in services if s not in known]:
            for sphere in flow.spheres:
                declared.setdefault(flow_id(flow, service, sphere), []).append(flow.origin)
    open_units = {unit.sphere for unit in plan.units if unit.state != CLOSED}
    seen: set[str] = set()
    for planned in plan.flows:
        origins = declared.get(planned.id, [NOWHERE])
        if planned.id in seen:
            yield _problem(
                "003", origins[-1], planned.id, "a flow's id twice", "each id once", "Rename one of the two."
            )
        seen.add(planned.id)
        # Flows of units have no end while no unit is open, and an application none while nobody takes it.
        if not (planned.sphere in open_units if planned.sphere else open_units):
            continue
        anywhere = not planned.destination.segments
        taken = planned.service in known
        for side, endpoint in (("source", planned.source), ("destination", planned.destination)):
            if not (endpoint.networks4 and endpoint.networks6) and not (
                anywhere if side == "destination" else not taken
            ):
                yield _problem(
                    "001",
                    origins[0],
                    planned.id,
                    f"no address for its {side}",
                    "at least one of each family",
                    "Correct zone, segments or machine of the flow.",
                )
    for number, flow in enumerate(catalogue.flows):
        for service in flow.services or [s for s in services if s not in known]:
            for sphere in spheres_of(flow):
                for (source, destination), hops in ways(catalogue, flow, services[service], sphere).items():
                    if hops is None:
                        yield _problem(
                            "002",
                            flow.origin,
                            f"flows[{number}]",
                            f"no way from {'/'.join(source)} to {'/'.join(destination)}",
                            "segments that routers join",
                            "Correct the flow, or `forwards` of the machines.",
                        )


def _service_problems(
    services: Iterable[PlannedService], flows: Iterable[PlannedFlow], offered: Mapping[str, Service]
) -> Iterable[Problem]:
    reached = {flow.service for flow in flows}
    for service in services:
        if service.id not in reached:
            yield _problem(
                "004",
                offered[service.id].origin,
                service.id,
                f"no flow to the service '{service.id}'",
                "at least one flow to every service",
                "Add the flow, or remove the service.",
            )
