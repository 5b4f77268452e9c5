"""Who may ask whom: every ordered pair of addresses with every port in use, judged by the declared flows.

This is a second opinion. It reads flows of the plan and nothing of `province.plan.rules`, so that rulebook
and proof cannot err together. It is small because it knows no routes, no interfaces and no chains: a
question is allowed when a flow names both its ends, and refused otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from province.plan.model import Endpoint, Plan, PlannedFlow, PlannedHost
from province.register.catalogue import OUTSIDE, Catalogue
from province.register.model import CARRIER, CENTRE

# A port that nothing uses, so that "everything else" is asked as well.
UNUSED = ("tcp", 54321)
Port = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """An address that somebody has: who, in which segment, and what machine that is ("": a stranger)."""

    holder: str
    machine: str
    segment: str
    zone: str
    address: IPAddress
    shared: bool = False  # a pair's address: asked, never asking

    @property
    def version(self) -> int:
        """Of the Internet Protocol."""
        version: int = self.address.version
        return version

    @property
    def name(self) -> str:
        """Segment without its owner."""
        return self.segment.partition("/")[2]

    def __str__(self) -> str:
        return f"{self.holder} {self.segment} ({self.zone}) {self.address}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with the flows that allow it; none: it must be refused."""

    source: Stand
    target: Stand
    protocol: str
    port: int
    flows: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{self.source} → {self.target} {self.protocol}/{self.port}"
        return (
            f"{said}, allowed by {', '.join(self.flows)}" if self.flows else f"{said}, which no flow allows"
        )


def host_stands(host: PlannedHost, carried: Mapping[str, Sequence[str]]) -> Iterator[Stand]:
    """Where a host stands now. `carried` are the addresses that its interfaces have, by name of the device.

    Addresses that the plan gave count only where they are carried (a pair's is on one member); leased ones
    are known from there alone.
    """
    everywhere = {IPAddress(address) for addresses in carried.values() for address in addresses}
    for interface in host.interfaces:
        leased = carried.get(interface.name, ()) if interface.method == "dynamic" else ()
        own = [address.ip for address in interface.addresses] + [IPAddress(address) for address in leased]
        for shared, addresses in ((False, own), (True, [vip.ip for vip in interface.vips])):
            for address in addresses:
                if address in everywhere:
                    yield Stand(
                        holder=host.name,
                        machine=host.machine,
                        segment=interface.segment,
                        zone=interface.zone.value,
                        address=address,
                        shared=shared,
                    )


class Oracle:
    """The judge of questions: the flows of a plan, as they are declared."""

    def __init__(self, plan: Plan, catalogue: Catalogue) -> None:
        self._flows = plan.flows
        # Lines of carriers are theirs, and as far away as the rest of the Internet.
        self._segments = [n for s in plan.segments if s.owner != CARRIER for n in (s.network4, s.network6)]
        self._outer = {
            f"{CENTRE}/{segment.name}" for segment in catalogue.centre if segment.gateway == OUTSIDE
        }
        self._routes = {machine.id: frozenset(machine.forwards) for machine in catalogue.machines.values()}
        # Who declared "within one network": the plan's ends alone do not say it.
        self._near = {
            planned.id
            for flow in catalogue.flows
            if flow.same_segment
            for planned in plan.flows
            if planned.id.startswith(f"{flow.id}-") and planned.reason == flow.reason
        }
        self.ports: tuple[Port, ...] = tuple(
            sorted(
                {(port.protocol, port.number) for flow in plan.flows for port in flow.ports} - {("icmp", 0)}
                | {UNUSED, ("tcp", 22)}
            )
        )
        self._by_port: dict[Port, list[PlannedFlow]] = {
            (protocol, number): [
                flow
                for flow in plan.flows
                if any((port.protocol, port.number) == (protocol, number) for port in flow.ports)
            ]
            for protocol, number in self.ports
        }
        self._known: dict[tuple[str, str, IPAddress], bool] = {}

    def allowing(self, source: Stand, target: Stand, protocol: str, port: int) -> tuple[str, ...]:
        """Ids of the flows that allow a question."""
        return tuple(
            flow.id
            for flow in self._by_port.get((protocol, port), ())
            if self._inside(flow, "from", flow.source, source.address)
            and self._reached(flow, source, target)
            and (flow.id not in self._near or source.segment == target.segment)
            and not self._only_forwards(flow, source, target)
        )

    def _reached(self, flow: PlannedFlow, source: Stand, target: Stand) -> bool:
        if flow.destination.segments:
            return self._inside(flow, "to", flow.destination, target.address)
        # Outside: what is in no network of the province, and what else hangs on the line that leads there.
        return source.segment == target.segment or not any(target.address in n for n in self._segments)

    def _only_forwards(self, flow: PlannedFlow, source: Stand, target: Stand) -> bool:
        """A segment's flows are those of its machines: its router only passes them on, unless it is named."""
        routes = source.name in self._routes.get(source.machine, ())
        return routes and flow.source.machine is None and source.segment != target.segment

    def _inside(self, flow: PlannedFlow, side: str, end: Endpoint, address: IPAddress) -> bool:
        key = (flow.id, side, address)
        if key not in self._known:
            networks: Iterable[IPNetwork] = end.networks4 if address.version == 4 else end.networks6
            self._known[key] = any(address in network for network in networks)
        return self._known[key]

    def ours(self, source: Stand, target: Stand) -> bool:
        """Whether anything of the province stands between two addresses, or is one of them.

        From the line to the Internet to a line of a carrier all is others' affair, and what they answer is
        not ours to promise.
        """
        return not (source.segment in self._outer and target.segment.startswith(f"{CARRIER}/"))

    def questions(self, source: Stand, targets: Iterable[Stand]) -> Iterator[Asked]:
        """Everything that one address asks: all others of its version, with every port."""
        for target in targets:
            if target.version != source.version or target.holder == source.holder:
                continue
            if not self.ours(source, target):
                continue
            for protocol, port in self.ports:
                yield Asked(source, target, protocol, port, self.allowing(source, target, protocol, port))
