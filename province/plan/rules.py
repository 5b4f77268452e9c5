"""From flows to the rules of one host: what it lets out, in and through. Everything else is refused.

A rule is plain data, see `province.ansible.nftables`: flow, protocol, ports, in, out, source4, source6,
destination4, destination6, connections. Addresses that a rule names are exact; none named means any.

What is the same for many hosts is made once: the networks of a flow's end, as text, are one list that all
rules share which name that end. A host's own rules cost what the host has, not what the province has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from netaddr import IPNetwork

from province.plan import addressing
from province.plan.addressing import number_of
from province.plan.flows import Class, Hop, class_of, declared, ports_of, ways
from province.plan.model import Endpoint, Interface, Plan, PlannedFlow, PlannedHost, Segment
from province.register.catalogue import ANY, OUTSIDE, Catalogue, Flow, Side
from province.register.model import CENTRE

Rule = dict[str, Any]
Rules = dict[str, list[Rule]]
# One side of a rule: its networks of IPv4 and of IPv6, as text.
Texts = tuple[list[str], list[str]]
_WIDTH = {4: 32, 6: 128}
# A unit's addresses stand in many places of its hosts' facts, and hosts of a unit come one after the other.
text_of = lru_cache(maxsize=4096)(addressing.text_of)


class _Network(NamedTuple):
    """A network as numbers, so that order is that of networks."""

    version: int
    first: int
    prefix: int

    def __str__(self) -> str:
        return f"{text_of(self.first, self.version)}/{self.prefix}"

    def text(self) -> str:
        """As nft prints it: a single address without its length."""
        if self.prefix == _WIDTH[self.version]:
            return text_of(self.first, self.version)
        return str(self)


def _of(network: IPNetwork) -> _Network:
    """Of a network that begins with its own address, as those of segments and flows do."""
    return _Network(network.version, number_of(network), network.prefixlen)


class _Family:
    """Networks of one IP version, sorted and none inside another, as the plan's flows have them."""

    def __init__(self, networks: Sequence[IPNetwork]) -> None:
        self.networks = networks

    @cached_property
    def _firsts(self) -> list[int]:
        return list(map(number_of, self.networks))

    @cached_property
    def texts(self) -> list[str]:
        """All of them; one list for everybody who names them all."""
        return [_of(network).text() for network in self.networks]

    def has(self, network: _Network) -> bool:
        at = bisect_left(self._firsts, network.first)
        return (
            at < len(self._firsts)
            and self._firsts[at] == network.first
            and self.networks[at].prefixlen == network.prefix
        )

    def inside(self, network: IPNetwork) -> Iterator[_Network]:
        """Those that lie in `network`, of the same version."""
        last = network.last
        for at in range(bisect_left(self._firsts, network.first), len(self._firsts)):
            if self._firsts[at] > last:
                return
            if self.networks[at].last <= last:
                yield _of(self.networks[at])


class End:
    """One end of a flow: all its networks, to be asked without walking over them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._families = {4: _Family(endpoint.networks4), 6: _Family(endpoint.networks6)}

    def __contains__(self, network: _Network) -> bool:
        return self._families[network.version].has(network)

    def __len__(self) -> int:
        return sum(len(family.networks) for family in self._families.values())

    def __iter__(self) -> Iterator[_Network]:
        return (_of(network) for family in self._families.values() for network in family.networks)

    @property
    def texts(self) -> Texts:
        """All networks."""
        return self._families[4].texts, self._families[6].texts

    def inside(self, *networks: IPNetwork) -> list[_Network]:
        """Those that lie in one of some networks, in their order."""
        return [found for network in networks for found in self._families[network.version].inside(network)]


class _Traffic(NamedTuple):
    """A planned flow with what was declared, where it may pass, and its ends."""

    planned: PlannedFlow
    flow: Flow
    target: Side
    ports: list[tuple[str, list[int]]]
    hops: tuple[Hop, ...]  # of all its ways
    routed: frozenset[tuple[str, Class]]  # routers that take it first, and the class they take it from
    source: End
    destination: End


class _Task(NamedTuple):
    """What a machine that has interfaces of some classes does for a flow."""

    traffic: _Traffic
    sends: tuple[Class, ...]
    takes: tuple[Class, ...]
    passes: tuple[tuple[Class, Class], ...]


class Rulebook:
    """The rules of a plan, host by host. What it remembers is of this plan and dies with it."""

    def __init__(self, plan: Plan, catalogue: Catalogue) -> None:
        self._plan = plan
        base = {service.id for service in catalogue.services if service.base}
        machines = {service.id: service.machine for service in plan.services}
        self._spheres = {unit.id: unit.sphere for unit in plan.units}
        self._spheres |= {machine.id: machine.sphere for machine in catalogue.hubs}
        self.ends: Mapping[str, tuple[End, End]] = {
            flow.id: (End(flow.source), End(flow.destination)) for flow in plan.flows
        }
        self._traffic: list[_Traffic] = []
        for planned, flow in declared(catalogue, plan.flows):
            wanted = planned.service
            if wanted in base:
                continue
            target = flow.destination
            if not target.machine and machines[wanted] not in (ANY, OUTSIDE):
                target = Side(
                    zone=target.zone, at=target.at, segments=target.segments, machine=machines[wanted]
                )
            found = ways(catalogue, flow, target.machine, planned.sphere)
            source, destination = self.ends[planned.id]
            self._traffic.append(
                _Traffic(
                    planned=planned,
                    flow=flow,
                    target=target,
                    ports=ports_of(planned.ports),
                    hops=tuple(hop for way in found.values() for hop in way or ()),
                    routed=frozenset((way[0].machine, start) for (start, _), way in found.items() if way),
                    source=source,
                    destination=destination,
                )
            )
        self._tasks: dict[tuple[str, str, frozenset[Class]], list[_Task]] = {}

    @cached_property
    def _segments(self) -> Mapping[str, Segment]:
        return {segment.id: segment for segment in self._plan.segments}

    @cached_property
    def _hosts(self) -> Mapping[str, list[PlannedHost]]:
        """Hosts by owner: who else stands in a host's own segments."""
        found: dict[str, list[PlannedHost]] = {}
        for host in self._plan.hosts:
            found.setdefault(host.owner, []).append(host)
        return found

    def rules(self, host: PlannedHost, interfaces: Iterable[Interface]) -> Rules:
        """The rules of a host that has some of its interfaces (those of the built part of the province)."""
        by_class: dict[Class, list[Interface]] = {}
        for interface in interfaces:
            at = class_of(self._segments[interface.segment], host.owner)
            by_class.setdefault(at, []).append(interface)
        own = {interface.name: self._own(interface) for found in by_class.values() for interface in found}
        # Tunnels stand in for each other: what came from the address of one may leave by another.
        tunnels = [i.name for found in by_class.values() for i in found if i.method == "tunnel"]
        every = sorted({address for name in tunnels for address in own[name]})
        own |= dict.fromkeys(tunnels, every)
        told = _Told()
        # Of one flow there is no second rule for the same interfaces.
        made: dict[str, dict[tuple[str, str, str], list[Rule]]] = {"input": {}, "output": {}, "forward": {}}
        sphere = self._spheres.get(host.machine if host.owner == CENTRE else host.owner, "")
        for traffic, sends, takes, passes in self._duties(host.machine, sphere, frozenset(by_class)):
            name = traffic.planned.id
            for at in sends:
                for interface in by_class[at]:
                    key = (name, "", interface.name)
                    if key not in made["output"]:
                        made["output"][key] = self._out(traffic, host, interface, own[interface.name], told)
            for at in takes:
                for interface in by_class[at]:
                    key = (name, interface.name, "")
                    if key not in made["input"]:
                        made["input"][key] = self._in(traffic, interface, own[interface.name], told)
            for here, there in passes:
                for came in by_class[here]:
                    for goes in by_class[there]:
                        key = (name, came.name, goes.name)
                        if key not in made["forward"]:
                            made["forward"][key] = self._through(traffic, host, came, goes, told)
        return {chain: [rule for rules in found.values() for rule in rules] for chain, found in made.items()}

    def _duties(self, machine: str, sphere: str, classes: frozenset[Class]) -> list[_Task]:
        """What a machine does for flows; one that is of a sphere nothing for those of another."""
        found = self._tasks.get((machine, sphere, classes))
        if found is None:
            found = self._tasks[machine, sphere, classes] = [
                task
                for task in (
                    _task(traffic, machine, classes)
                    for traffic in self._traffic
                    if not sphere or traffic.planned.sphere in ("", sphere)
                )
                if any(task[1:])
            ]
        return found

    def _own(self, interface: Interface) -> list[_Network]:
        """A host's own addresses in a segment, sorted; of a leased one no more than the network is known."""
        if interface.method == "dynamic":
            segment = self._segments[interface.segment]
            return [_of(segment.network4), _of(segment.network6)]
        own = {_Network(a.version, number_of(a), _WIDTH[a.version]) for a in interface.addresses}
        return sorted(own.union(map(_of, interface.vips)))

    def _out(
        self,
        traffic: _Traffic,
        host: PlannedHost,
        interface: Interface,
        own: Sequence[_Network],
        told: _Told,
    ) -> list[Rule]:
        if not traffic.flow.source.machine:
            # The flow is the whole segment's, and so this host's as well.
            segment = self._segments[interface.segment]
            if not (_of(segment.network4) in traffic.source or _of(segment.network6) in traffic.source):
                return []
        else:
            own = [address for address in own if address in traffic.source]
        if not own:
            return []
        if traffic.flow.same_segment:
            there = {
                address
                for other in self._hosts[host.owner]
                if other.machine == traffic.target.machine
                for place in other.interfaces
                if place.segment == interface.segment
                for address in self._own(place)
            }
            if there <= set(own) and there:
                return []  # to itself, by the loopback interface
            to = told[tuple(sorted(there))]
        elif 0 < len(traffic.destination) <= len(own) and set(traffic.destination) <= set(own):
            return []
        else:
            to = traffic.destination.texts
        return _rules(traffic, told[tuple(own)], to, out=interface.name)

    def _in(
        self, traffic: _Traffic, interface: Interface, own: Sequence[_Network], told: _Told
    ) -> list[Rule]:
        own = [address for address in own if address in traffic.destination]
        if not own:
            return []
        if traffic.flow.same_segment:
            segment = self._segments[interface.segment]
            sources = told[_of(segment.network4), _of(segment.network6)]
        else:
            sources = traffic.source.texts
        return _rules(traffic, sources, told[tuple(own)], into=interface.name)

    def _through(
        self, traffic: _Traffic, host: PlannedHost, came: Interface, goes: Interface, told: _Told
    ) -> list[Rule]:
        if host.owner == CENTRE:
            sources = traffic.source.texts
        else:
            # A unit's gateway lets its own networks through, each from its own side.
            inside = self._segments[came.segment]
            sources = told[tuple(traffic.source.inside(inside.network4, inside.network6))]
        return _rules(traffic, sources, traffic.destination.texts, into=came.name, out=goes.name)


def _task(traffic: _Traffic, machine: str, classes: frozenset[Class]) -> _Task:
    """What a machine does for a flow, interface class by interface class."""
    sends: tuple[Class, ...] = ()
    takes: tuple[Class, ...] = ()
    if traffic.flow.source.machine in ("", machine):
        # What a router forwards for a segment it does not send into it itself.
        sends = tuple(at for at in _classes(traffic.flow.source) if (machine, at) not in traffic.routed)
    if traffic.target.machine in ("", machine):
        takes = tuple(_classes(traffic.target))
    return _Task(
        traffic=traffic,
        sends=tuple(at for at in sends if at in classes),
        takes=tuple(at for at in takes if at in classes),
        passes=tuple(
            (hop.source, hop.destination)
            for hop in traffic.hops
            if hop.machine == machine and {hop.source, hop.destination} <= classes
        ),
    )


def _classes(side: Side) -> Iterator[Class]:
    for at in (CENTRE, "unit") if side.at == ANY else (side.at,):
        for name in side.segments:
            yield (at, name)


class _Told(dict[tuple[_Network, ...], Texts]):
    """Sides of the rules of one host: those with the same sorted networks are the same lists."""

    def __missing__(self, networks: tuple[_Network, ...]) -> Texts:
        four, six = ([n.text() for n in networks if n.version == version] for version in (4, 6))
        self[networks] = four, six
        return four, six


def _rules(
    traffic: _Traffic, source: Texts, destination: Texts, *, into: str = "", out: str = ""
) -> list[Rule]:
    anywhere = not traffic.planned.destination.segments
    # No address must never read as any address: a family is meant where both ends have it.
    families = [bool(source[at]) and (anywhere or bool(destination[at])) for at in (0, 1)]
    if not any(families):
        return []
    return [
        {
            "flow": traffic.planned.id,
            "protocol": protocol,
            "ports": ports,
            **({"in": into} if into else {}),
            **({"out": out} if out else {}),
            "source4": source[0] if families[0] else [],
            "source6": source[1] if families[1] else [],
            "destination4": destination[0] if families[0] else [],
            "destination6": destination[1] if families[1] else [],
            # Whoever sends is not held by itself: routers on the way and who answers count.
            **({"connections": most} if into and (most := traffic.flow.most(protocol)) else {}),
        }
        for protocol, ports in traffic.ports
    ]
