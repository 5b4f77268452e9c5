"""From flows to the rules of one host: what it lets out, in and through. Everything else is refused.

A rule is plain data, see `province.ansible.nftables`: flow, protocol, ports, in, out, source4, source6,
destination4, destination6. Addresses that a rule names are exact; none named means any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from netaddr import IPNetwork

from province.plan.addressing import alone
from province.plan.flows import Class, class_of, declared, ports_of, ways
from province.plan.model import Interface, Plan, PlannedFlow, PlannedHost, Segment
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Flow, Side
from province.register.model import CENTRE

Rule = dict[str, Any]
Rules = dict[str, list[Rule]]


class Rulebook:
    """The rules of a plan, host by host."""

    def __init__(self, plan: Plan, catalogue: Catalogue) -> None:
        self._plan = plan
        self._catalogue = catalogue
        base = {service.id for service in catalogue.services if service.base}
        machines = {service.id: service.machine for service in plan.services}
        known = {service.id for service in catalogue.services}
        applications = [service.id for service in plan.services if service.id not in known]
        pairs = declared(catalogue, applications)
        self._flows: list[tuple[PlannedFlow, Flow, Side]] = []
        self._ways = []
        for planned, (flow, wanted) in zip(plan.flows, pairs, strict=True):
            if wanted in base:
                continue
            target = flow.destination
            if not target.machine and machines[wanted] not in (ANY, OUTSIDE):
                target = Side(
                    zone=target.zone, at=target.at, segments=target.segments, machine=machines[wanted]
                )
            self._flows.append((planned, flow, target))
            self._ways.append(ways(catalogue, flow, target.machine))
        self._networks = [
            (frozenset((*p.source.networks4, *p.source.networks6)),
             frozenset((*p.destination.networks4, *p.destination.networks6)))
            for p, _, _ in self._flows
        ]  # fmt: skip

    @cached_property
    def _segments(self) -> Mapping[str, Segment]:
        return {segment.id: segment for segment in self._plan.segments}

    @cached_property
    def _here(self) -> Mapping[tuple[str, str], tuple[IPNetwork, ...]]:
        """Addresses of machines by segment."""
        found: dict[tuple[str, str], tuple[IPNetwork, ...]] = {}
        for host in self._plan.hosts:
            for interface in host.interfaces:
                key = (interface.segment, host.machine)
                found[key] = (*found.get(key, ()), *_own(interface, self._segments[interface.segment]))
        return found

    def rules(self, host: PlannedHost, interfaces: Iterable[Interface]) -> Rules:
        """The rules of a host that has some of its interfaces (those of the built part of the province)."""
        by_class: dict[Class, list[Interface]] = {}
        for interface in interfaces:
            at = class_of(self._segments[interface.segment], host.owner)
            by_class.setdefault(at, []).append(interface)
        made: Rules = {"input": [], "output": [], "forward": []}
        for (planned, flow, target), hops, (sources, destinations) in zip(
            self._flows, self._ways, self._networks, strict=True
        ):
            if flow.source.machine in ("", host.machine):
                # What a router forwards for a segment it does not send into it itself.
                forwarded = {
                    source for (source, _), way in hops.items() if way and way[0].machine == host.machine
                }
                for interface in _of(by_class, flow.source):
                    if class_of(self._segments[interface.segment], host.owner) in forwarded:
                        continue
                    made["output"] += self._out(planned, flow, target, interface, sources, destinations)
            if target.machine in ("", host.machine):
                for interface in _of(by_class, target):
                    made["input"] += self._in(planned, flow, interface, destinations)
            for way in hops.values():
                for hop in way or ():
                    if hop.machine == host.machine:
                        made["forward"] += self._through(planned, host, by_class, hop.source, hop.destination)
        return {chain: _unique(rules) for chain, rules in made.items()}

    def _out(
        self,
        planned: PlannedFlow,
        flow: Flow,
        target: Side,
        interface: Interface,
        sources: frozenset[IPNetwork],
        destinations: frozenset[IPNetwork],
    ) -> list[Rule]:
        segment = self._segments[interface.segment]
        own = _own(interface, segment)
        if not flow.source.machine:
            # The flow is the whole segment's, and so this host's as well.
            if not {segment.network4, segment.network6} & sources:
                return []
        else:
            own = tuple(address for address in own if address in sources)
        to: Iterable[IPNetwork] = destinations
        if flow.same_segment:
            to = self._here.get((interface.segment, target.machine), ())
        if not own or (to and set(to) <= set(own)):
            return []  # to itself, by the loopback interface
        return _rules(planned, own, to, out=interface.name)

    def _in(
        self, planned: PlannedFlow, flow: Flow, interface: Interface, destinations: frozenset[IPNetwork]
    ) -> list[Rule]:
        segment = self._segments[interface.segment]
        own = tuple(address for address in _own(interface, segment) if address in destinations)
        if not own:
            return []
        if flow.same_segment:
            return _rules(planned, (segment.network4, segment.network6), own, into=interface.name)
        return _rules(
            planned, (*planned.source.networks4, *planned.source.networks6), own, into=interface.name
        )

    def _through(
        self,
        planned: PlannedFlow,
        host: PlannedHost,
        by_class: Mapping[Class, list[Interface]],
        source: Class,
        destination: Class,
    ) -> list[Rule]:
        made: list[Rule] = []
        for came in by_class.get(source, ()):
            for goes in by_class.get(destination, ()):
                sources = (*planned.source.networks4, *planned.source.networks6)
                if host.owner != CENTRE:
                    # A unit's gateway lets its own networks through, each from its own side.
                    inside = self._segments[came.segment]
                    sources = tuple(n for n in sources if n in inside.network4 or n in inside.network6)
                if not sources:
                    continue
                to = (*planned.destination.networks4, *planned.destination.networks6)
                made += _rules(planned, sources, to, into=came.name, out=goes.name)
        return made


def _own(interface: Interface, segment: Segment) -> tuple[IPNetwork, ...]:
    """A host's own addresses in a segment; of a leased one no more than the network is known."""
    if interface.method == "dynamic":
        return (segment.network4, segment.network6)
    return (*(alone(address.ip) for address in interface.addresses), *interface.vips)


def _of(by_class: Mapping[Class, list[Interface]], side: Side) -> Iterable[Interface]:
    for at in (CENTRE, "unit") if side.at == ANY else (side.at,):
        for name in side.segments:
            yield from by_class.get((at, name), ())


def _rules(
    planned: PlannedFlow,
    sources: Iterable[IPNetwork],
    destinations: Iterable[IPNetwork],
    *,
    into: str = "",
    out: str = "",
) -> list[Rule]:
    source, destination = set(sources), set(destinations)
    anywhere = not planned.destination.segments
    # No address must never read as any address: a family is meant where both ends have it.
    families = {n.version for n in source} & ({4, 6} if anywhere else {n.version for n in destination})
    source = {n for n in source if n.version in families}
    destination = {n for n in destination if n.version in families}
    if not families:
        return []
    return [
        {
            "flow": planned.id,
            "protocol": protocol,
            "ports": ports,
            **({"in": into} if into else {}),
            **({"out": out} if out else {}),
            "source4": [_text(n) for n in sorted(source) if n.version == 4],
            "source6": [_text(n) for n in sorted(source) if n.version == 6],
            "destination4": [_text(n) for n in sorted(destination) if n.version == 4],
            "destination6": [_text(n) for n in sorted(destination) if n.version == 6],
        }
        for protocol, ports in ports_of(planned.ports)
    ]


def _text(network: IPNetwork) -> str:
    """A network; a single address without its length, as nft prints it."""
    return str(network.ip) if network.size == 1 else str(network)


def _unique(rules: list[Rule]) -> list[Rule]:
    seen: set[str] = set()
    kept = []
    for rule in rules:
        if repr(rule) not in seen:
            kept.append(rule)
        seen.add(repr(rule))
    return kept
