"""What a change of a register means: two plans compared, part by part and unit by unit.

Linear in the size of the plans: parts are told apart by their keys, and only what differs becomes text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any

from netaddr import IPNetwork

from province.apps import App
from province.plan import as_json as plan_json
from province.plan.flows import Class, class_of, declared, ways
from province.plan.model import Interface, Plan, PlannedFlow, PlannedHost, PlannedUnit, Segment
from province.reading.cost import NOTHING, QUANTITIES, Cost, cost_of, size_of
from province.reading.cost import as_json as cost_json
from province.register.catalogue import ANY, OUTSIDE, SPHERES, Catalogue, Side
from province.register.model import CENTRE, Register, Unit

JSON = dict[str, Any]
CARRIER = "carrier"
CLOSED = "closed"
_OF_SERVICES = {"hosts", "addresses4", "addresses6"}
_OF_FLOWS = {f"{side}.networks{family}" for side in ("source", "destination") for family in "46"}
# Parts of a plan in the order they are shown.
PARTS = ("units", "segments", "hosts", "services", "flows", "names", "peers")


@dataclass(frozen=True, kw_only=True)
class State:
    """A plan with what it was made from. `label` is what people call it: a commit, "the working tree"."""

    label: str
    plan: Plan
    register: Register
    catalogue: Catalogue
    apps: tuple[App, ...] = ()

    @cached_property
    def cost(self) -> Cost:
        """What it costs."""
        return cost_of(self.plan, self.register, self.catalogue)

    @cached_property
    def segments(self) -> Mapping[str, Segment]:
        """Segments by id."""
        return {segment.id: segment for segment in self.plan.segments}

    @cached_property
    def hosts(self) -> Mapping[str, PlannedHost]:
        """Hosts by name."""
        return {host.name: host for host in self.plan.hosts}

    @cached_property
    def owners(self) -> Mapping[IPNetwork, str]:
        """Whose a network or a single address is, of all segments and interfaces."""
        found: dict[IPNetwork, str] = {}
        for segment in self.plan.segments:
            found[segment.network4] = found[segment.network6] = segment.owner
        for host in self.plan.hosts:
            if host.owner != CARRIER:
                for interface in host.interfaces:
                    found.update(dict.fromkeys((IPNetwork(a.ip) for a in interface.addresses), host.owner))
        return found

    @cached_property
    def line_owners(self) -> Mapping[str, str]:
        """Whose line a segment of a carrier is: the unit, or the centre."""
        return {
            interface.segment: host.owner
            for host in self.plan.hosts
            if host.owner != CARRIER
            for interface in host.interfaces
            if interface.segment.startswith(f"{CARRIER}/")
        }

    @cached_property
    def name_owners(self) -> Mapping[str, str]:
        """Whose a host's name is, absolute with the final dot."""
        return {f"{host.fqdn}.": host.owner for host in self.plan.hosts}

    @cached_property
    def units(self) -> Mapping[str, PlannedUnit]:
        """Units by id."""
        return {unit.id: unit for unit in self.plan.units}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that came or went: its key, whose it is (a unit's id or `centre`), and it as plain data."""

    id: str
    owner: str
    value: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that stayed under its key; `fields` are [before, after], or what lists gained and lost."""

    id: str
    owner: str
    fields: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came, went and changed in one part of the plan."""

    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    changed: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs. `touched` are the hosts that stay and are told something else, each with what.

    `moved` are hosts and units that stay and have another address; empty is what a province wants.
    `sizes` are machines of which a member has another size, with the fields of it that differ.
    `follows` are ids of services and flows that changed by nothing but units' coming and going.
    """

    province: str
    name: str
    before: str
    after: str
    notes: tuple[str, ...]
    fields: JSON
    parts: Mapping[str, Part]
    made: tuple[str, ...]
    taken_away: tuple[str, ...]
    touched: Mapping[str, tuple[str, ...]]
    moved: tuple[str, ...]
    follows: frozenset[str]
    sizes: Mapping[str, JSON]
    cost_before: Cost
    cost_after: Cost
    units_before: Mapping[str, PlannedUnit] = field(repr=False)
    units_after: Mapping[str, PlannedUnit] = field(repr=False)
    records: Mapping[str, Unit] = field(repr=False)  # units of the register, as it is after

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do at all."""
        return not (
            any(self.parts.values()) or self.fields or self.touched or self.cost_before != self.cost_after
        )

    @property
    def vnd_year(self) -> int | None:
        """How much more a year, VND; None where one of the two has no prices to say it with."""
        before = 0 if self.cost_before is NOTHING else self.cost_before.vnd_year
        after = self.cost_after.vnd_year
        return None if before is None or after is None else after - before


def compare(before: State | None, after: State, *, since: str = "", notes: Iterable[str] = ()) -> Difference:
    """What differs between two states; without a state before, everything is new since `since`."""
    parts = {name: _part(name, before, after) for name in PARTS}
    gone, come = parts["hosts"].removed, parts["hosts"].added
    return Difference(
        province=after.plan.province,
        name=after.plan.name,
        before=before.label if before else since,
        after=after.label,
        notes=tuple(notes),
        fields={
            key: [getattr(before.plan, key), getattr(after.plan, key)]
            for key in ("name", "domain")
            if before and getattr(before.plan, key) != getattr(after.plan, key)
        },
        parts=parts,
        made=tuple(entry.id for entry in come if entry.value["owner"] != CARRIER),
        taken_away=tuple(entry.id for entry in gone if entry.value["owner"] != CARRIER),
        touched=_Touched(before, after, parts).found() if before else {},
        moved=_moved(parts, before, after) if before else (),
        follows=_follows(parts, before, after) if before else frozenset(),
        sizes=_sizes(before, after) if before else {},
        cost_before=before.cost if before else NOTHING,
        cost_after=after.cost,
        units_before=before.units if before else {},
        units_after=after.units,
        records={unit.id: unit for unit in after.register.units},
    )


def _listed(part: str, state: State) -> dict[str, tuple[str, Any, Callable[[Any], JSON]]]:
    """Entries of a part by key: whose each is, the thing itself, and how it becomes plain data."""
    plan = state.plan
    if part == "units":
        return {unit.id: (unit.id, _alone(unit), _unit) for unit in plan.units}
    if part == "segments":
        return {s.id: (state.line_owners.get(s.id, s.owner), s, plan_json.segment) for s in plan.segments}
    if part == "hosts":
        return {host.name: (host.owner, (host, _exact(host)), _host) for host in plan.hosts}
    if part == "services":
        return {service.id: (CENTRE, service, plan_json.service) for service in plan.services}
    if part == "flows":
        return {flow.id: (CENTRE, flow, plan_json.flow) for flow in plan.flows}
    if part == "peers":
        return {f"{p.gateway} {p.hub}": (p.unit, p, plan_json.peer) for p in plan.peers}
    owners = state.name_owners
    return {
        f"{r.name} {r.type} {r.data}": (
            owners.get(r.name) or owners.get(r.data) or _heir(r.name, state),
            r,
            _record,
        )
        for zone in plan.dns_zones
        for r in zone.records
    }


def _heir(name: str, state: State) -> str:
    """Whose a name is that no host has: `<unit>.<domain>.` lives on after its unit is closed."""
    label = name.removesuffix(f".{state.plan.domain}.")
    return label if label in state.units else CENTRE


def _record(record: Any) -> JSON:
    return {"name": record.name, "type": record.type, "ttl": record.ttl, "data": record.data}


def _alone(unit: PlannedUnit) -> tuple[PlannedUnit, tuple[object, ...]]:
    """A unit with what of it is compared: its segments are a part of their own."""
    return unit, tuple(getattr(unit, name) for name in unit.__dataclass_fields__ if name != "segments")


def _exact(host: PlannedHost) -> tuple[object, ...]:
    """What of a host is compared: two addresses of one network are equal to netaddr, not to us."""
    return (
        *(getattr(host, name) for name in host.__dataclass_fields__ if name != "interfaces"),
        tuple(
            (*(getattr(i, name) for name in i.__dataclass_fields__ if name != "addresses"), _addresses(i))
            for i in host.interfaces
        ),
    )


def _addresses(interface: Interface) -> tuple[tuple[int, int], ...]:
    """Addresses as numbers with their lengths."""
    return tuple((int(address.ip), address.prefixlen) for address in interface.addresses)


def _host(pair: tuple[PlannedHost, object]) -> JSON:
    return plan_json.host(pair[0])


def _unit(pair: tuple[PlannedUnit, object]) -> JSON:
    return {key: value for key, value in plan_json.unit(pair[0]).items() if key != "segments"}


def _part(name: str, before: State | None, after: State) -> Part:
    old, new = _listed(name, before) if before else {}, _listed(name, after)

    def same(key: str) -> bool:
        one, other = old[key][1], new[key][1]
        return bool(one[1] == other[1]) if name in ("units", "hosts") else bool(one == other)

    return Part(
        added=tuple(Entry(id=k, owner=o, value=plain(v)) for k, (o, v, plain) in new.items() if k not in old),
        removed=tuple(
            Entry(id=k, owner=o, value=plain(v)) for k, (o, v, plain) in old.items() if k not in new
        ),
        changed=tuple(
            Change(id=k, owner=o, fields=fields_of(old[k][2](old[k][1]), plain(v)))
            for k, (o, v, plain) in new.items()
            if k in old and not same(k)
        ),
    )


def fields_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> JSON:
    """Fields that differ between two records of plain data, those of inner records joined by a dot."""
    made: JSON = {}
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            made |= {f"{key}.{inner}": value for inner, value in fields_of(before, after).items()}
        elif isinstance(before, list) and isinstance(after, list):
            had, has = {repr(item) for item in before}, {repr(item) for item in after}
            made[key] = {
                "added": [item for item in after if repr(item) not in had],
                "removed": [item for item in before if repr(item) not in has],
            }
        else:
            made[key] = [before, after]
    return made


def _moved(parts: Mapping[str, Part], before: State, after: State) -> tuple[str, ...]:
    """Units and hosts of the centre that are in both plans and have another address in the second."""
    found: dict[str, None] = {}
    for change in parts["units"].changed:
        if {"prefix4", "prefix6"} & set(change.fields):
            found[change.id] = None
    for change in parts["segments"].changed:
        if {"network4", "network6", "gateway4", "gateway6"} & set(change.fields):
            found[change.owner] = None
    for change in parts["hosts"].changed:
        old, new = before.hosts[change.id], after.hosts[change.id]
        if old.owner == CARRIER:
            continue
        has = {i.segment: i for i in new.interfaces}
        if any(
            _addresses(i) != _addresses(has[i.segment]) or i.vips != has[i.segment].vips
            for i in old.interfaces
            if i.segment in has and i.method != "tunnel"
        ):
            found[new.name if new.owner == CENTRE else new.owner] = None
    return tuple(found)


def _sizes(before: State, after: State) -> Mapping[str, JSON]:
    """Machines of both catalogues whose members have another size."""
    found = {
        name: fields_of(
            asdict(size_of(before.catalogue.machines[name], before.register)),
            asdict(size_of(machine, after.register)),
        )
        for name, machine in after.catalogue.machines.items()
        if name in before.catalogue.machines
    }
    return {name: fields for name, fields in found.items() if fields}


def _follows(parts: Mapping[str, Part], before: State, after: State) -> frozenset[str]:
    """Services and flows whose networks, hosts and addresses are others, all of them of units."""
    owners = {str(network): owner for state in (before, after) for network, owner in state.owners.items()} | {
        name: host.owner for state in (before, after) for name, host in state.hosts.items()
    }
    units = {*before.units, *after.units}
    found = set()
    for part, inside in (("services", _OF_SERVICES), ("flows", _OF_FLOWS)):
        for change in parts[part].changed:
            if set(change.fields) <= inside:
                items = [
                    item for value in change.fields.values() for item in (*value["added"], *value["removed"])
                ]
                # A service's addresses are without the length of their network.
                if all(
                    owners.get(i, owners.get(f"{i}/128" if ":" in i else f"{i}/32")) in units for i in items
                ):
                    found.add(change.id)
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A flow of a plan with what the catalogue says of it."""

    planned: PlannedFlow
    source: Side
    target: Side
    same_segment: bool
    most: tuple[int, ...]  # connections of one address, by TCP and by UDP
    hops: tuple[tuple[str, Class], ...]  # machines that forward it, with where each takes it from
    first: frozenset[tuple[str, Class]]  # those that a segment's own traffic enters first


class _Touched:
    """Hosts of both plans whose rules, tunnels, routes or names differ; said after `province.plan.rules`."""

    def __init__(self, before: State, after: State, parts: Mapping[str, Part]) -> None:
        self.before, self.after, self.parts = before, after, parts
        self.reasons: dict[str, dict[str, None]] = {
            host.name: {} for host in after.plan.hosts if host.name in before.hosts and host.owner != CARRIER
        }
        self.by_machine: dict[str, list[PlannedHost]] = {}
        for host in after.plan.hosts:
            if host.name in self.reasons:
                self.by_machine.setdefault(host.machine, []).append(host)
        self.stands_in: dict[str, list[str]] = {}  # hosts by the segments of their interfaces
        for host in after.plan.hosts:
            for segment in dict.fromkeys(interface.segment for interface in host.interfaces):
                self.stands_in.setdefault(segment, []).append(host.name)

    def found(self) -> Mapping[str, tuple[str, ...]]:
        for part in ("hosts", "segments"):
            for change in self.parts[part].changed:
                self._interfaces(part, change)
        peers = self.parts["peers"]
        for key in [*(e.id for e in (*peers.added, *peers.removed)), *(c.id for c in peers.changed)]:
            for name in key.split():
                self._say(name, "tunnels")
        self._routes()
        self._names()
        self._applications()
        self._unit_pages()
        for flow in self._changed_flows():
            self._firewall(*flow)
        if self.before.plan.domain != self.after.plan.domain:
            for name in self.reasons:
                self._say(name, "domain")
        return {name: tuple(reasons) for name, reasons in self.reasons.items() if reasons}

    def _say(self, host: str, reason: str) -> None:
        if host in self.reasons:
            self.reasons[host][reason] = None

    def _interfaces(self, part: str, change: Change) -> None:
        if part == "hosts":
            self._say(change.id, "roles" if set(change.fields) == {"roles"} else "interfaces")
            return
        for name in self.stands_in.get(change.id, ()):
            self._say(name, "interfaces")

    def _routes(self) -> None:
        """Border routers and hubs hear of every open unit, gateways of what the centre announces."""

        def blocks(state: State, sphere: str) -> set[object]:
            return {
                (u.prefix4, u.prefix6, u.asn)
                for u in state.plan.units
                if u.state != CLOSED and sphere in ("", u.sphere)
            }

        def centre(state: State) -> list[object]:
            announced = {s.name: s.announced for s in state.catalogue.centre}
            return [(s, announced.get(s.name)) for s in state.plan.segments if s.owner == CENTRE]

        units_changed = {
            sphere: blocks(self.before, sphere) != blocks(self.after, sphere) for sphere in ("", *SPHERES)
        }
        centre_changed = centre(self.before) != centre(self.after)
        routers = [host for hosts in self.by_machine.values() for host in hosts if "routing" in host.roles]
        for host in routers:
            if centre_changed or (host.owner == CENTRE and units_changed[self._sphere(host)]):
                self._say(host.name, "routes")

        def given(state: State) -> set[object]:
            """Blocks of units that others assigned: they are in no pool."""
            pools = state.register.pools
            return {
                (block, block.prefixlen)
                for u in state.plan.units
                if u.state != CLOSED
                for block, inside in (
                    (u.prefix4, pools[u.pool].networks4),
                    (u.prefix6, (pools[u.pool].network6,)),
                )
                if not any(block in network for network in inside)
            }

        if given(self.before) != given(self.after):
            for host in routers:
                if self._sphere(host) and host.owner == CENTRE:
                    self._say(host.name, "routes")
        if self.before.register.pools != self.after.register.pools:
            for host in self.after.plan.hosts:
                if host.owner == CENTRE:
                    self._say(host.name, "routes")

    def _names(self) -> None:
        """Name servers hold the zones; everybody knows where to ask."""
        zones = [tuple(z.name for z in s.plan.dns_zones) for s in (self.before, self.after)]
        asked = ("dns", "ntp", "packages", "dns-authoritative")
        places = [
            {
                s.id: (s.names, s.ports, s.addresses4, s.addresses6)
                for s in state.plan.services
                if s.id in asked
            }
            for state in (self.before, self.after)
        ]
        for name in self.reasons:
            roles = self.after.hosts[name].roles
            # The first name server has the records in files; others copy the zones from it.
            first = self.after.hosts[name].member == 1
            if "dns_authoritative" in roles and first and self.parts["names"]:
                self._say(name, "names")
            if zones[0] != zones[1] and {"dns_authoritative", "dns_resolver"} & set(roles):
                self._say(name, "names")
            if places[0] != places[1]:
                self._say(name, "services")

    def _applications(self) -> None:
        """Hosts of applications run their records, and the start page names every unit by its networks."""

        def records(state: State) -> list[tuple[str, Any]]:
            return [(app.id, app.record) for app in state.apps]

        def shown(state: State) -> list[object]:
            return [(u.id, u.name, u.prefix4, u.prefix6) for u in state.plan.units if u.state != CLOSED]

        for name in self.reasons:
            if "container_app" in self.after.hosts[name].roles and (
                records(self.before) != records(self.after) or shown(self.before) != shown(self.after)
            ):
                self._say(name, "applications")

    def _unit_pages(self) -> None:
        """The gateway of a unit tells the unit's name, the province's, and whom to call."""

        def told(state: State) -> dict[str, object]:
            desk = next((app.record["owner"] for app in state.apps if app.published), None)
            return {u.id: (u.name, u.contacts, state.plan.name, desk) for u in state.plan.units}

        old, new = told(self.before), told(self.after)
        for name in self.reasons:
            host = self.after.hosts[name]
            if "unit_status" in host.roles and old.get(host.owner) != new.get(host.owner):
                self._say(name, "words")

    def _changed_flows(self) -> Iterable[tuple[_Resolved, bool, frozenset[IPNetwork], frozenset[IPNetwork]]]:
        """Flows that differ: whether for everybody, and the networks that came or went on each side."""
        old, new = self._resolved(self.before), self._resolved(self.after)
        for key in dict.fromkeys((*old, *new)):
            one, other = old.get(key), new.get(key)
            if one is None or other is None:
                flow = one or other
                if flow is not None:
                    yield flow, True, frozenset(), frozenset()
            elif one != other:
                sources, destinations = (
                    frozenset((*getattr(one.planned, s).networks4, *getattr(one.planned, s).networks6))
                    ^ frozenset((*getattr(other.planned, s).networks4, *getattr(other.planned, s).networks6))
                    for s in ("source", "destination")
                )
                rest = [
                    (f.planned.ports, f.planned.service, f.source, f.target, f.same_segment, f.most, f.hops)
                    for f in (one, other)
                ]
                yield other, rest[0] != rest[1], sources, destinations

    def _resolved(self, state: State) -> dict[str, _Resolved]:
        catalogue, plan = state.catalogue, state.plan
        base = {service.id for service in catalogue.services if service.base}
        machines = {service.id: service.machine for service in plan.services}
        found = {}
        for planned, flow in declared(catalogue, plan.flows):
            wanted = planned.service
            if wanted in base:
                continue
            target = flow.destination
            if not target.machine and machines[wanted] not in (ANY, OUTSIDE):
                target = Side(
                    zone=target.zone, at=target.at, segments=target.segments, machine=machines[wanted]
                )
            every = [way for way in ways(catalogue, flow, target.machine, planned.sphere).values() if way]
            found[planned.id] = _Resolved(
                planned=planned,
                source=flow.source,
                target=target,
                same_segment=flow.same_segment,
                most=(flow.most("tcp"), flow.most("udp")),
                hops=tuple(dict.fromkeys((hop.machine, hop.source) for way in every for hop in way)),
                first=frozenset((way[0].machine, way[0].source) for way in every),
            )
        return found

    def _firewall(
        self, flow: _Resolved, whole: bool, sources: frozenset[IPNetwork], destinations: frozenset[IPNetwork]
    ) -> None:
        """Who begins it, who answers it, who lets it through."""
        theirs = self._owners(sources), self._owners(destinations)
        meant = partial(self._meant, flow)
        everybody = whole or (bool(destinations) and not flow.same_segment)
        for host in filter(meant, self._at(flow.source)):
            segments = {c for c in self._classes(host) if c[1] in flow.source.segments}
            if segments - {at for machine, at in flow.first if machine == host.machine} and (
                everybody or host.owner in theirs[0]
            ):
                self._say(host.name, "firewall")
        for host in filter(meant, self._at(flow.target)):
            everyone = whole or (bool(sources) and not flow.same_segment)
            if everyone or host.owner in theirs[1]:
                self._say(host.name, "firewall")
        for machine, _ in flow.hops:
            for host in filter(meant, self.by_machine.get(machine, ())):
                if whole or destinations or (host.owner == CENTRE and sources) or host.owner in theirs[0]:
                    self._say(host.name, "firewall")

    def _sphere(self, host: PlannedHost) -> str:
        """The sphere of a hub or of a unit's host; "" for others."""
        if host.owner == CENTRE:
            return self.after.catalogue.machines[host.machine].sphere
        unit = self.after.units.get(host.owner)
        return unit.sphere if unit else ""

    def _meant(self, flow: _Resolved, host: PlannedHost) -> bool:
        """Whether a host may have rules for a flow: none of one sphere has any for the other."""
        return not flow.planned.sphere or self._sphere(host) in ("", flow.planned.sphere)

    def _owners(self, networks: frozenset[IPNetwork]) -> set[str]:
        owners: set[str] = set()
        for network in networks:
            for state in (self.before, self.after):
                owner = state.owners.get(network)
                if owner is not None:
                    owners.add(owner)
        return owners

    def _at(self, side: Side) -> Iterable[PlannedHost]:
        """Hosts with a place on one side of a flow."""
        chosen = [self.by_machine.get(side.machine, [])] if side.machine else self.by_machine.values()
        for hosts in chosen:
            if hosts and any(
                at[1] in side.segments and side.at in (ANY, at[0]) for at in self._classes(hosts[0])
            ):
                yield from hosts

    def _classes(self, host: PlannedHost) -> set[Class]:
        return {class_of(self.after.segments[i.segment], host.owner) for i in host.interfaces}


def as_json(found: Difference) -> JSON:
    """The difference as plain data: docs/reference/plan-diff.schema.json."""
    return {
        "province": found.province,
        "before": found.before,
        "after": found.after,
        "nothing_to_do": found.nothing,
        "notes": list(found.notes),
        "fields": found.fields,
        "machines": {
            "to_make": list(found.made),
            "to_take_away": list(found.taken_away),
            "to_touch": [{"name": name, "what": list(what)} for name, what in found.touched.items()],
        },
        "moved": list(found.moved),
        "sizes": found.sizes,
        "parts": {
            name: {
                "added": [{"id": e.id, "owner": e.owner, "value": e.value} for e in part.added],
                "removed": [{"id": e.id, "owner": e.owner, "value": e.value} for e in part.removed],
                "changed": [{"id": c.id, "owner": c.owner, "fields": c.fields} for c in part.changed],
            }
            for name, part in found.parts.items()
            if part
        },
        "cost": {
            "before": cost_json(found.cost_before),
            "after": cost_json(found.cost_after),
            "difference": {
                name: found.cost_after.totals[name] - found.cost_before.totals[name] for name in QUANTITIES
            }
            | {"vnd_year": found.vnd_year},
        },
    }
