"""A plan as plain data: docs/reference/plan.schema.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from province.plan.model import (
    Endpoint,
    Interface,
    Peer,
    Plan,
    PlannedFlow,
    PlannedHost,
    PlannedService,
    PlannedUnit,
    Port,
    Segment,
    Zone,
)

JSON = dict[str, Any]


def as_json(plan: Plan) -> JSON:
    """The whole plan. Addresses are text, order is the plan's."""
    zones = {zone: [s.id for s in plan.segments if s.zone is zone] for zone in Zone}
    return {
        "province": plan.province,
        "name": plan.name,
        "domain": plan.domain,
        "control_points": list(plan.control_points),
        "units": [unit(u) for u in plan.units],
        "zones": [{"id": zone.value, "segments": ids} for zone, ids in zones.items()],
        "segments": [segment(s) for s in plan.segments],
        "hosts": [host(h) for h in plan.hosts],
        "services": [service(s) for s in plan.services],
        "flows": [flow(f) for f in plan.flows],
        "peers": [peer(p) for p in plan.peers],
        "dns_zones": [
            {
                "name": zone.name,
                "records": [
                    {"name": r.name, "type": r.type, "ttl": r.ttl, "data": r.data} for r in zone.records
                ],
            }
            for zone in plan.dns_zones
        ],
    }


def unit(planned: PlannedUnit) -> JSON:
    """A unit with its block and segments."""
    return {
        "id": planned.id,
        "code": planned.code,
        "name": planned.name,
        "kind": planned.kind,
        "sphere": planned.sphere,
        "parent": planned.parent,
        "index": planned.index,
        "pool": planned.pool,
        "state": planned.state,
        "prefix4": str(planned.prefix4),
        "prefix6": str(planned.prefix6),
        "asn": planned.asn,
        "segments": [segment(s) for s in planned.segments],
        "aliases": [
            {"name": a.name, "until": a.until, "by": a.by, "code": a.code or None, "unit": a.unit or None}
            for a in planned.aliases
        ],
        "closed": planned.closed or None,
        "successors": list(planned.successors),
        "services": list(planned.services),
        "links": [
            {
                "access": link.access,
                "bandwidth_mbps": link.bandwidth_mbps,
                "assigned4": str(link.assigned4) if link.assigned4 else None,
                "assigned6": str(link.assigned6) if link.assigned6 else None,
            }
            for link in planned.links
        ],
        "contacts": [{"role": c.role, "mailbox": c.mailbox} for c in planned.contacts],
        "wave": planned.wave,
        "level": planned.level,
    }


def segment(planned: Segment) -> JSON:
    """A segment."""
    return {
        "id": planned.id,
        "owner": planned.owner,
        "name": planned.name,
        "code": planned.code,
        "zone": planned.zone.value,
        "vlan": planned.vlan,
        "network4": str(planned.network4),
        "network6": str(planned.network6),
        "gateway4": str(planned.gateway4) if planned.gateway4 is not None else None,
        "gateway6": str(planned.gateway6) if planned.gateway6 is not None else None,
    }


def host(planned: PlannedHost) -> JSON:
    """A host with its interfaces."""
    return {
        "name": planned.name,
        "fqdn": planned.fqdn,
        "owner": planned.owner,
        "machine": planned.machine,
        "member": planned.member,
        "interfaces": [interface(i) for i in planned.interfaces],
        "roles": list(planned.roles),
    }


def interface(planned: Interface) -> JSON:
    """An interface."""
    return {
        "name": planned.name,
        "segment": planned.segment,
        "zone": planned.zone.value,
        "addresses": _texts(planned.addresses),
        "vips": _texts(planned.vips),
        "method": planned.method,
        "default_route": planned.default_route,
    }


def service(planned: PlannedService) -> JSON:
    """A service."""
    return {
        "id": planned.id,
        "machine": planned.machine,
        "segment": planned.segment,
        "ports": _ports(planned.ports),
        "names": list(planned.names),
        "hosts": list(planned.hosts),
        "addresses4": _texts(planned.addresses4),
        "addresses6": _texts(planned.addresses6),
        "pending": [{"field": name, "layer": layer} for name, layer in planned.pending],
    }


def flow(planned: PlannedFlow) -> JSON:
    """A flow."""
    return {
        "id": planned.id,
        "source": _endpoint(planned.source),
        "destination": _endpoint(planned.destination),
        "service": planned.service,
        "ports": _ports(planned.ports),
        "reason": planned.reason,
        "owner": planned.owner,
        "sphere": planned.sphere or None,
    }


def peer(planned: Peer) -> JSON:
    """A tunnel."""
    return {
        "unit": planned.unit,
        "gateway": planned.gateway,
        "hub": planned.hub,
        "gateway_interface": planned.gateway_interface,
        "hub_interface": planned.hub_interface,
        "endpoint4": str(planned.endpoint4),
        "endpoint6": str(planned.endpoint6),
        "port": planned.port,
        "gateway_address4": str(planned.gateway_address4),
        "gateway_address6": str(planned.gateway_address6),
        "hub_address4": str(planned.hub_address4),
        "hub_address6": str(planned.hub_address6),
        "allowed4": _texts(planned.allowed4),
        "allowed6": _texts(planned.allowed6),
        "preferred": planned.preferred,
    }


def _endpoint(planned: Endpoint) -> JSON:
    return {
        "zone": planned.zone.value,
        "segments": list(planned.segments),
        "machine": planned.machine,
        "networks4": _texts(planned.networks4),
        "networks6": _texts(planned.networks6),
    }


def _ports(ports: Iterable[Port]) -> list[JSON]:
    return [{"protocol": port.protocol, "number": port.number} for port in ports]


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]
