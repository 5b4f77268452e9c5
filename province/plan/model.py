"""What a plan is: plain, frozen data. Made by `province.plan`, read by everything downstream.

Addresses are netaddr types here and strings in every JSON made from them. Order is always by owner
(centre first, then units by pool and index), so that two plans of the same register are equal text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from netaddr import IPAddress, IPNetwork


class Zone(StrEnum):
    """Where an interface stands. The seven of TCVN 14423:2026 5.12.2.2 b, and conferencing."""

    INTERNAL = "internal"  # unit LANs, and the centre's interfaces towards them
    WIRELESS = "wireless"  # guests of a unit
    BORDER = "border"  # towards carriers and the Internet
    DMZ = "dmz"
    SERVERS = "servers"
    DATABASES = "databases"
    CONFERENCING = "conferencing"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One broadcast domain.

    `id` is `centre/<name>`, `<unit>/<name>` or `carrier/<link>`. `code` (at most 7 characters) goes
    into interface and bridge names. `gateway4`/`gateway6` are what hosts of the segment use as
    default gateway: a VIP where a pair serves it; None where nothing routes (management).
    """

    id: str
    owner: str
    name: str
    code: str
    zone: Zone
    vlan: int
    network4: IPNetwork
    network6: IPNetwork
    gateway4: IPAddress | None
    gateway6: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A host's place in a segment.

    `name` is the name of the device inside the host (at most 15 characters), equal to the segment's
    code. `addresses` are the host's own, with prefix length, IPv4 first; `vips` are the pair's,
    carried by whichever member is active. `method` is `static`; `dynamic` for machines that take DHCP
    and router advertisements (workstations); `tunnel` for ends of a WireGuard tunnel. `default_route`:
    this interface holds the default route, through the segment's gateways.
    """

    name: str
    segment: str
    zone: Zone
    addresses: tuple[IPNetwork, ...]
    vips: tuple[IPNetwork, ...] = ()
    method: str = "static"
    default_route: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedHost:
    """A machine of the province, built or not. `name` is unique in the province and a DNS label."""

    name: str
    fqdn: str
    owner: str  # "centre", a unit's id, or "carrier" (simulated in the lab)
    machine: str  # id of the catalogue's machine: edge, hub, ns, unit_gateway, workstation, …
    member: int  # 1 or 2 in a pair
    interfaces: tuple[Interface, ...]
    roles: tuple[str, ...]  # what it does, names of roles/


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAlias:
    """A former name until a day (YYYY-MM-DD), gone `by` rename, merge or split.

    `code` is the official code that went with it, "" where it stayed. `unit` is the id of the closed unit
    that bore it, "" where the unit itself did.
    """

    name: str
    until: str
    by: str
    code: str = ""
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLink:
    """A line of a unit, and the networks of it that its carrier assigned."""

    access: str
    bandwidth_mbps: int
    assigned4: IPNetwork | None
    assigned6: IPNetwork | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedContact:
    """A functional mailbox of a unit, by what it answers for."""

    role: str
    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUnit:
    """A unit with its block cut into segments, and what of the register goes on to tables and drawings.

    `closed` is a day (YYYY-MM-DD), `successors` are ids of units: both of closed units only. `services` are
    ids of those that it takes.
    """

    id: str
    code: str
    name: str  # Vietnamese, NFC
    kind: str
    sphere: str
    parent: str | None
    index: int
    pool: str
    state: str
    prefix4: IPNetwork
    prefix6: IPNetwork
    asn: int
    segments: tuple[Segment, ...]
    aliases: tuple[PlannedAlias, ...] = ()
    closed: str = ""
    successors: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    links: tuple[PlannedLink, ...] = ()
    contacts: tuple[PlannedContact, ...] = ()
    wave: int = 0
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """`protocol` is tcp, udp or icmp (then `number` is 0)."""

    protocol: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One side of a flow: a zone, narrowed to segments and to machines where the flow says so.

    `networks4`/`networks6` are the resolved sources or destinations, sorted and merged; empty means
    anywhere (only ever for `border`).
    """

    zone: Zone
    segments: tuple[str, ...]  # segment names: "staff", "servers"
    machine: str | None
    networks4: tuple[IPNetwork, ...]
    networks6: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFlow:
    """Traffic that is allowed. What is not listed is refused.

    `sphere` is that of the units at its ends, "" where no unit is meant or those of all spheres are.
    """

    id: str
    source: Endpoint
    destination: Endpoint
    service: str
    ports: tuple[Port, ...]
    reason: str
    owner: str
    sphere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A WAN tunnel between a unit's gateway and one hub of its sphere.

    `preferred`: the way that the unit takes while both are there, in both directions.
    """

    unit: str
    gateway: str  # host names
    hub: str
    gateway_interface: str  # wg-hub1
    hub_interface: str  # wg0
    endpoint4: IPAddress  # the hub's, on the carrier's side
    endpoint6: IPAddress
    port: int
    gateway_address4: IPAddress
    gateway_address6: IPAddress
    hub_address4: IPAddress
    hub_address6: IPAddress
    allowed4: tuple[IPNetwork, ...]  # what the hub accepts from this gateway
    allowed6: tuple[IPNetwork, ...]
    preferred: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One DNS record; `name` is absolute, with the final dot."""

    name: str
    type: str
    ttl: int
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsZone:
    """A zone that the centre answers for. SOA serials are the authoritative server's affair."""

    name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedService:
    """A service of the catalogue or of apps/, with where it is to be asked."""

    id: str
    machine: str
    segment: str
    ports: tuple[Port, ...]
    names: tuple[str, ...]  # absolute DNS names, without final dot
    hosts: tuple[str, ...]
    addresses4: tuple[IPAddress, ...]
    addresses6: tuple[IPAddress, ...]
    pending: tuple[tuple[str, str], ...]  # (field, layer) pairs: ("tls", "trust")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that follows from a register and the catalogue.

    `control_points` are ids of units from which conferences are moderated.
    """

    province: str
    name: str
    domain: str
    units: tuple[PlannedUnit, ...]
    segments: tuple[Segment, ...]
    hosts: tuple[PlannedHost, ...]
    services: tuple[PlannedService, ...]
    flows: tuple[PlannedFlow, ...]
    peers: tuple[Peer, ...]
    dns_zones: tuple[DnsZone, ...]
    control_points: tuple[str, ...] = ()


T = TypeVar("T")


def maker(kind: type[T]) -> Callable[..., T]:
    """A constructor of a frozen class that takes its fields by position, in a quarter of the time.

    The class's own goes round its refusal to be changed, field by field. This one fills an object of a
    class that has the same fields and refuses nothing, and gives it its class at the end. For what a plan
    has by the ten thousand.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type] # a dataclass, which type[T] cannot say
    given: dict[str, Any] = {
        "kind": kind,
        "new": object.__new__,
        "draft": type("Draft", (), {"__slots__": names}),
    }
    lines = [
        f"def make({', '.join(names)}):",
        "made = new(draft)",
        *(f"made.{name} = {name}" for name in names),
    ]
    exec("\n ".join([*lines, "made.__class__ = kind", "return made"]), given)  # noqa: S102 - the names above, nothing else
    make: Callable[..., T] = given["make"]
    return make


new_segment = maker(Segment)
new_interface = maker(Interface)
new_record = maker(Record)
