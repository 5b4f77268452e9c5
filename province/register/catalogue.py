"""The catalogue: what a province's centre and its units consist of. Loading and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from province.plan.model import Port, Zone
from province.problems import ProblemsFoundError
from province.register.document import Document, Path_, near, read_document, shown
from province.register.shape import Choice, Field, Flag, Integer, ListOf, MapOf, Record, Shape, Text

NAME = Text(
    words="lower-case letters, digits and hyphens, a letter first", pattern=r"[a-z][a-z0-9-]*", maximum=30
)
WORD = Text(
    words="lower-case letters, digits and underscores, a letter first", pattern=r"[a-z][a-z0-9_]*", maximum=30
)
CODE = Text(
    words="1 to 6 lower-case letters or digits, a letter first", pattern=r"[a-z][a-z0-9]{0,5}", maximum=6
)
SENTENCE = Text(words="a sentence", maximum=300)
LAYERS = (
    "base",
    "network",
    "logs",
    "naming",
    "mirror",
    "trust",
    "data",
    "identity",
    "applications",
    "monitoring",
    "security",
    "backup",
)
CARE = ("tls", "metrics", "logs", "backup", "probe")
_PORT_NUMBER = (
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # to 65535
)
PORT = Text(words="a protocol and a port such as tcp/53", pattern=rf"(tcp|udp)/{_PORT_NUMBER}", maximum=9)
# Bits of an IPv4 address inside a segment of the centre, and inside the smallest block of a unit, a /24.
CENTRE_WIDTH, SMALLEST_BLOCK = 8, 8
# The centre has a block of 64 networks of /24, in every province alike.
CENTRE_BLOCK4, CENTRE_SEGMENTS = 18, 64
# In segments of a unit that give out addresses, leases begin at this number and go on to the end.
FIRST_LEASE = 10
# In segments of the centre nearly all is planned; the first and last number given to a machine that is not.
CENTRE_LEASES = (200, 239)
# What one member of a machine has in service: the catalogue gives it, a province may give others.
SIZES: Mapping[str, tuple[Integer, str]] = {
    "cores": (Integer(minimum=1, maximum=256, unit="cores"), "processor cores of one member"),
    "memory_mib": (Integer(minimum=128, maximum=4_194_304, unit="MiB"), "memory of one member"),
    "disk_gib": (Integer(minimum=1, maximum=1_048_576, unit="GiB"), "disk of one member"),
}
# Routing domains of units that meet in named shared services only. What names none is the first one's.
SPHERES = ("government", "party")
# Classes of traffic, most urgent first: what is sent into tunnels waits in a queue of its class.
CLASSES = ("realtime", "interactive", "bulk")
# Machines that are not ours, in services and flows.
OUTSIDE = "outside"
ANY = "any"
# Connections that one address may hold at once by a flow that does not say it, where we trust less: units
# with their counters, lines of carriers, the Internet; fewer for guests. The kernel remembers a question by
# UDP for half a minute after its last packet, so of those there are more.
CONNECTIONS: Mapping[str, Mapping[str, int]] = {
    "away": {"tcp": 200, "udp": 2000},
    "wireless": {"tcp": 100, "udp": 1000},
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was said: the file as messages call it, and the line; "" and 0 for nowhere."""

    file: str = ""
    line: int = 0


NOWHERE = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreSegment:
    """A segment of the centre; `place` counts /24 and /64 networks, `gateway` is a machine or `outside`.

    `announced` are the spheres whose units learn the way to it.
    """

    name: str
    code: str
    zone: Zone
    vlan: int
    place: int
    gateway: str = ""
    announced: tuple[str, ...] = ()
    tunnel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSegment:
    """A segment of every unit; a block's 2**-`share`, at `place` counted in its own size."""

    name: str
    code: str
    letter: str
    zone: Zone
    vlan: int
    share: int
    place: int
    place6: int
    leases: bool = False
    time: bool = False
    tunnel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A kind of machine: where it stands, in which segments, what it does, and how large a member is.

    `cores` counts processor cores, `memory_mib` MiB, `disk_gib` GiB, of each member. `sphere` is that of the
    units whose hub it is, "" for what is no hub; `group` another machine whose group of hosts it joins.
    """

    id: str
    title: str
    short: str
    where: str  # centre | unit | carrier | everywhere
    members: int
    place: int
    vip: bool
    cores: int
    memory_mib: int
    disk_gib: int
    interfaces: tuple[str, ...]
    dynamic: tuple[str, ...]
    primary: str
    default: str
    forwards: tuple[str, ...]
    asn: int
    roles: tuple[str, ...]
    needs: tuple[str, ...]
    sphere: str = ""
    group: str = ""

    def own(self, member: int) -> int:
        """The place of a member: pairs leave the number itself to their virtual address."""
        return self.place + member if self.members > 1 else self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a machine offers in a segment, and the class of its traffic.

    `care` are the fields of CARE and the runbook, as given.
    """

    id: str
    title: str
    machine: str
    segment: str
    ports: tuple[Port, ...]
    names: tuple[str, ...]
    base: bool
    care: Mapping[str, Any]
    traffic: str = CLASSES[-1]
    origin: Origin = field(default=NOWHERE, compare=False, repr=False)

    @property
    def pending(self) -> tuple[tuple[str, str], ...]:
        """(field, layer) of everything that waits for a layer; nested fields are joined by a dot."""
        return tuple(_pending("", self.care))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a flow of the catalogue: `at` is centre, unit, any or outside."""

    zone: Zone
    at: str
    segments: tuple[str, ...]
    machine: str  # "" for every machine of the segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Traffic that is allowed, before it is resolved into addresses; for units of `spheres`."""

    id: str
    source: Side
    destination: Side
    services: tuple[str, ...]
    applications: bool
    same_segment: bool
    reason: str
    owner: str
    spheres: tuple[str, ...] = SPHERES[:1]
    connections: int = 0  # 0: not said
    origin: Origin = field(default=NOWHERE, compare=False, repr=False)

    def most(self, protocol: str) -> int:
        """Connections of a protocol that one address may hold at once by this flow; 0 for any number."""
        if protocol not in CONNECTIONS["away"]:
            return 0
        if self.connections:
            return self.connections
        if self.source.zone is Zone.WIRELESS:
            return CONNECTIONS["wireless"][protocol]
        return CONNECTIONS["away"][protocol] if self.source.at in ("unit", OUTSIDE) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of unit."""

    id: str
    title: Mapping[str, str]
    pool: str
    parents: tuple[str, ...]
    rate_mbps: int = 1000  # what a unit of it is sent and sends at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that all provinces have in common."""

    centre: tuple[CentreSegment, ...]
    unit: tuple[UnitSegment, ...]
    machines: Mapping[str, Machine]
    base_roles: tuple[str, ...]
    services: tuple[Service, ...]
    flows: tuple[Flow, ...]
    kinds: Mapping[str, Kind]
    unit_machines: tuple[str, ...]

    def machines_at(self, where: str) -> tuple[Machine, ...]:
        """Machines of the centre, of a unit, or of the carrier, in the file's order."""
        return tuple(machine for machine in self.machines.values() if machine.where == where)

    @property
    def hubs(self) -> tuple[Machine, ...]:
        """Hubs of the WAN, one machine for each sphere that has any."""
        return tuple(machine for machine in self.machines.values() if machine.sphere)

    def tunnel_of(self, machine: Machine) -> str:
        """The centre's segment in which tunnels of a hub end."""
        tunnels = {segment.name for segment in self.centre if segment.tunnel}
        return next(name for name in machine.interfaces if name in tunnels)


def _pending(prefix: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return []
    if set(value) == {"pending"}:
        return [(prefix, str(value["pending"]))]
    inner = (_pending(f"{prefix}.{key}" if prefix else key, item) for key, item in value.items())
    return [pair for pairs in inner for pair in pairs]


@dataclass(frozen=True, slots=True)
class _Care:
    """What a service says about one duty: pending on a layer, not needed with a reason, or its data."""

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """The three forms."""
        if isinstance(value, dict) and set(value) == {"pending"}:
            Choice(LAYERS).check(document, (*path, "pending"), value["pending"])
        elif isinstance(value, dict) and set(value) == {"not_needed"}:
            SENTENCE.check(document, (*path, "not_needed"), value["not_needed"])
        elif not isinstance(value, dict) or not value:
            document.problem(
                "012",
                path,
                shown(value),
                "`pending: <layer>`, `not_needed: <reason>` or what there is",
                "Say which of the three it is.",
            )

    def schema(self) -> dict[str, Any]:
        """An object with something in it."""
        return {"type": "object", "minProperties": 1}


_ZONE = Choice(tuple(zone.value for zone in Zone))
_PURPOSE = Field(SENTENCE, "what it is for")
_SHAPES: dict[str, Shape] = {
    "zones.yml": Record(
        "the file",
        {
            "zones": Field(
                ListOf(item=Record("a zone", {"id": Field(_ZONE, "its id"), "purpose": _PURPOSE}), minimum=1),
                "zones",
            )
        },
    ),
    "segments.yml": Record(
        "the file",
        {
            "centre": Field(
                ListOf(
                    item=Record(
                        "a segment",
                        {
                            "name": Field(NAME, "its name"),
                            "code": Field(CODE, "name of the interface"),
                            "zone": Field(_ZONE, "its zone"),
                            "vlan": Field(Integer(minimum=0, maximum=4094), "802.1Q number, 0 for none"),
                            "place": Field(
                                Integer(minimum=0, maximum=CENTRE_SEGMENTS - 1), "number of its network"
                            ),
                            "gateway": Field(NAME, "machine that routes it, or `outside`", required=False),
                            "announced": Field(
                                ListOf(item=Choice(SPHERES), minimum=1, unique=True),
                                "spheres whose units learn the way to it",
                                required=False,
                            ),
                            "tunnel": Field(
                                Flag(), "whether it is addresses of tunnels only", required=False
                            ),
                            "purpose": _PURPOSE,
                        },
                    ),
                    minimum=1,
                ),
                "segments of the centre",
            ),
            "unit": Field(
                ListOf(
                    item=Record(
                        "a segment",
                        {
                            "name": Field(NAME, "its name"),
                            "code": Field(CODE, "name of the interface"),
                            "letter": Field(
                                Text(words="one letter", pattern="[a-z]", maximum=1), "its letter"
                            ),
                            "zone": Field(_ZONE, "its zone"),
                            "vlan": Field(Integer(minimum=0, maximum=4094), "802.1Q number, 0 for none"),
                            "share": Field(Integer(minimum=0, maximum=4), "halvings of the unit's block"),
                            "place": Field(Integer(minimum=0, maximum=255), "position in its own size"),
                            "place6": Field(Integer(minimum=0, maximum=255), "number of its /64"),
                            "leases": Field(Flag(), "whether addresses are given out", required=False),
                            "time": Field(Flag(), "whether the gateway gives it the time", required=False),
                            "tunnel": Field(
                                Flag(), "whether it is addresses of tunnels only", required=False
                            ),
                            "purpose": _PURPOSE,
                        },
                    ),
                    minimum=1,
                ),
                "segments of a unit",
            ),
        },
    ),
    "machines.yml": Record(
        "the file",
        {
            "machines": Field(
                MapOf(
                    key=WORD,
                    item=Record(
                        "a machine",
                        {
                            "title": Field(SENTENCE, "what it is"),
                            "short": Field(NAME, "short name, in names of hosts", required=False),
                            "sphere": Field(
                                Choice(SPHERES), "sphere of the units whose hub it is", required=False
                            ),
                            "group": Field(
                                WORD, "machine whose group of hosts it joins besides its own", required=False
                            ),
                            "where": Field(
                                Choice(("centre", "unit", "carrier", "everywhere")), "where it stands"
                            ),
                            "members": Field(Integer(minimum=1, maximum=2), "1, or 2 for a pair"),
                            "place": Field(Integer(minimum=1, maximum=252), "number of its addresses"),
                            "vip": Field(
                                Flag(), "whether services are asked at the pair's address", required=False
                            ),
                            **{name: Field(shape, words) for name, (shape, words) in SIZES.items()},
                            "size_reason": Field(SENTENCE, "why a member has that size"),
                            "interfaces": Field(ListOf(item=NAME, minimum=1, unique=True), "its segments"),
                            "dynamic": Field(
                                ListOf(item=NAME), "segments that lease it an address", required=False
                            ),
                            "primary": Field(NAME, "segment of the address its name means"),
                            "default": Field(NAME, "segment of its default route", required=False),
                            "forwards": Field(
                                ListOf(item=NAME), "segments it routes between", required=False
                            ),
                            "asn": Field(Integer(minimum=1, maximum=4294967294), "AS number", required=False),
                            "roles": Field(ListOf(item=WORD, unique=True), "its roles"),
                            "needs": Field(
                                ListOf(item=Choice(("tun", "nesting"))),
                                "rights of its container",
                                required=False,
                            ),
                        },
                    ),
                    minimum=1,
                ),
                "machines by id",
            ),
            "base_roles": Field(ListOf(item=WORD, minimum=1, unique=True), "roles of every machine of ours"),
        },
    ),
    "services.yml": Record(
        "the file",
        {
            "services": Field(
                ListOf(
                    item=Record(
                        "a service",
                        {
                            "id": Field(NAME, "its id"),
                            "title": Field(SENTENCE, "what it is"),
                            "machine": Field(WORD, "who offers it; `any`, `outside`"),
                            "segment": Field(NAME, "where it is asked"),
                            "ports": Field(ListOf(item=PORT, minimum=1, unique=True), "protocol/port"),
                            "names": Field(ListOf(item=NAME, unique=True), "names in the domain"),
                            "class": Field(
                                Choice(CLASSES),
                                "class of its traffic; bulk where nothing is said",
                                required=False,
                            ),
                            "base": Field(Flag(), "let in by the base of every ruleset", required=False),
                            **{field: Field(_Care(), "how it is cared for, or pending") for field in CARE},
                            "runbook": Field(
                                Text(words="a page", pattern=r"docs/runbooks/[a-z0-9-]+\.md"), "what to do"
                            ),
                        },
                    ),
                    minimum=1,
                ),
                "services",
            )
        },
    ),
    "flows.yml": Record(
        "the file",
        {
            "flows": Field(
                ListOf(
                    item=Record(
                        "a flow",
                        {
                            "id": Field(NAME, "first part of the flows' ids"),
                            **{
                                side: Field(
                                    Record(
                                        "an endpoint",
                                        {
                                            "zone": Field(_ZONE, "its zone"),
                                            "at": Field(Choice(("centre", "unit", ANY, OUTSIDE)), "where"),
                                            "segments": Field(
                                                ListOf(item=NAME, minimum=1), "segments", required=False
                                            ),
                                            "machine": Field(WORD, "machine", required=False),
                                        },
                                    ),
                                    words,
                                )
                                for side, words in (("from", "who begins"), ("to", "who answers"))
                            },
                            "spheres": Field(
                                ListOf(item=Choice(SPHERES), minimum=1, unique=True),
                                "spheres whose units it is for; the government's where nothing is said",
                                required=False,
                            ),
                            "services": Field(
                                ListOf(item=NAME, minimum=1, unique=True), "services", required=False
                            ),
                            "applications": Field(Flag(), "one flow for each application", required=False),
                            "same_segment": Field(Flag(), "within one network", required=False),
                            "connections": Field(
                                Integer(minimum=1, maximum=60000, unit="connections"),
                                "connections that one address may hold at once, by TCP and by UDP each",
                                required=False,
                            ),
                            "reason": Field(SENTENCE, "why it is allowed"),
                            "owner": Field(NAME, "who answers for it"),
                        },
                    ),
                    minimum=1,
                ),
                "flows",
            )
        },
    ),
    "kinds.yml": Record(
        "the file",
        {
            "kinds": Field(
                MapOf(
                    key=WORD,
                    item=Record(
                        "a kind",
                        {
                            "title": Field(
                                Record("a title", {lang: Field(Text(), lang) for lang in ("vi", "en")}),
                                "title",
                            ),
                            "pool": Field(NAME, "pool of the register"),
                            "parents": Field(ListOf(item=WORD), "kinds that may stand above"),
                            "rate_mbps": Field(
                                Integer(minimum=1, maximum=100_000, unit="Mbit/s"),
                                "what a unit of it sends and is sent at most; its line may hold less",
                            ),
                        },
                    ),
                    minimum=1,
                ),
                "kinds by id",
            ),
            "machines": Field(ListOf(item=WORD, minimum=1, unique=True), "machines of every unit"),
        },
    ),
}
FILES = tuple(_SHAPES)


def load_catalogue(directory: Path, called: Callable[[Path], str], roles: frozenset[str]) -> Catalogue:
    """Read and check a catalogue. `called` names a file in messages, `roles` are all there are.

    Raises ProblemsFoundError with every problem of every file (CAT-nnn).
    """
    documents: dict[str, Document] = {}
    for name, shape in _SHAPES.items():
        document = read_document(directory / name, called(directory / name), "CAT")
        if not document.problems:
            shape.check(document, (), document.data)
        documents[name] = document
    _stop_on(documents)
    catalogue = _build(documents)
    _cross_check(catalogue, documents)
    _check_roles(catalogue, documents["machines.yml"], roles)
    _stop_on(documents)
    return catalogue


def _stop_on(documents: Mapping[str, Document]) -> None:
    problems = tuple(problem for document in documents.values() for problem in document.problems)
    if problems:
        raise ProblemsFoundError(problems)


def _build(documents: Mapping[str, Document]) -> Catalogue:
    data = {name: document.data for name, document in documents.items()}

    def origin(name: str, *path: str | int) -> Origin:
        return Origin(documents[name].file, documents[name].line(path))

    def segment(kind: Any, record: dict[str, Any]) -> Any:
        fields = {key: value for key, value in record.items() if key != "purpose"}
        if "announced" in fields:
            fields["announced"] = tuple(fields["announced"])
        return kind(**{**fields, "zone": Zone(record["zone"])})

    def side(record: dict[str, Any]) -> Side:
        return Side(
            zone=Zone(record["zone"]),
            at=record["at"],
            segments=tuple(record.get("segments", ())),
            machine=record.get("machine", ""),
        )

    return Catalogue(
        centre=tuple(segment(CentreSegment, record) for record in data["segments.yml"]["centre"]),
        unit=tuple(segment(UnitSegment, record) for record in data["segments.yml"]["unit"]),
        machines={
            name: Machine(
                id=name,
                title=record["title"],
                short=record.get("short", name),
                where=record["where"],
                members=record["members"],
                place=record["place"],
                vip=record.get("vip", False),
                cores=record["cores"],
                memory_mib=record["memory_mib"],
                disk_gib=record["disk_gib"],
                interfaces=tuple(record["interfaces"]),
                dynamic=tuple(record.get("dynamic", ())),
                primary=record["primary"],
                default=record.get("default", ""),
                forwards=tuple(record.get("forwards", ())),
                asn=record.get("asn", 0),
                roles=tuple(record["roles"]),
                needs=tuple(record.get("needs", ())),
                sphere=record.get("sphere", ""),
                group=record.get("group", ""),
            )
            for name, record in data["machines.yml"]["machines"].items()
        },
        base_roles=tuple(data["machines.yml"]["base_roles"]),
        services=tuple(
            Service(
                id=record["id"],
                title=record["title"],
                machine=record["machine"],
                segment=record["segment"],
                ports=tuple(port(text) for text in record["ports"]),
                names=tuple(record["names"]),
                base=record.get("base", False),
                traffic=record.get("class", CLASSES[-1]),
                care={key: record[key] for key in (*CARE, "runbook")},
                origin=origin("services.yml", "services", number),
            )
            for number, record in enumerate(data["services.yml"]["services"])
        ),
        flows=tuple(
            Flow(
                id=record["id"],
                source=side(record["from"]),
                destination=side(record["to"]),
                services=tuple(record.get("services", ())),
                applications=record.get("applications", False),
                same_segment=record.get("same_segment", False),
                reason=record["reason"],
                owner=record["owner"],
                spheres=tuple(record.get("spheres", SPHERES[:1])),
                connections=record.get("connections", 0),
                origin=origin("flows.yml", "flows", number),
            )
            for number, record in enumerate(data["flows.yml"]["flows"])
        ),
        kinds={
            name: Kind(
                id=name,
                title=record["title"],
                pool=record["pool"],
                parents=tuple(record["parents"]),
                rate_mbps=record["rate_mbps"],
            )
            for name, record in data["kinds.yml"]["kinds"].items()
        },
        unit_machines=tuple(data["kinds.yml"]["machines"]),
    )


def port(text: str) -> Port:
    """`tcp/53` as a Port."""
    protocol, _, number = text.partition("/")
    return Port(protocol=protocol, number=int(number))


def _cross_check(catalogue: Catalogue, documents: Mapping[str, Document]) -> None:
    """References between the files, and places that would collide."""
    zone_file = documents["zones.yml"]
    given = [zone["id"] for zone in zone_file.data["zones"]]
    _unique(zone_file, "zones", given)
    for zone in Zone:
        if zone.value not in given:
            zone_file.problem(
                "020", ("zones",), f"no zone '{zone.value}'", "every zone that segments may be in", "Add it."
            )
    _check_segments(catalogue, documents["segments.yml"])
    segments = {
        "centre": {s.name for s in catalogue.centre} | {"wan"},
        "unit": {s.name for s in catalogue.unit} | {"wan"},
    }
    segments["carrier"] = segments["everywhere"] = segments["centre"]
    machines = documents["machines.yml"]
    for name, machine in catalogue.machines.items():
        at: Path_ = ("machines", name)
        for number, segment in enumerate(machine.interfaces):
            _known(machines, (*at, "interfaces", number), segment, segments[machine.where], "segment")
        inside = {*machine.forwards, *machine.dynamic, machine.primary} | ({machine.default} - {""})
        for segment in sorted(inside - set(machine.interfaces)):
            machines.problem(
                "020",
                at,
                f"the segment '{segment}', in which it has no interface",
                "one of " + ", ".join(machine.interfaces),
                "Add the interface, or correct the name.",
            )
    _check_places(catalogue, machines)
    _check_machines(catalogue, machines)
    services = documents["services.yml"]
    _unique(services, "services", [service.id for service in catalogue.services])
    for number, service in enumerate(catalogue.services):
        if service.machine not in (ANY, OUTSIDE):
            _known(
                services, ("services", number, "machine"), service.machine, set(catalogue.machines), "machine"
            )
        offers = catalogue.machines.get(service.machine)
        asked = set(offers.interfaces) if offers else segments["centre"] | segments["unit"]
        _known(services, ("services", number, "segment"), service.segment, asked, "segment of its machine")
    _once(
        services,
        [(("services", n, "names"), name) for n, s in enumerate(catalogue.services) for name in s.names],
        "name",
    )
    known = {service.id for service in catalogue.services}
    flows = documents["flows.yml"]
    for number, flow in enumerate(catalogue.flows):
        here: Path_ = ("flows", number)
        for position, wanted in enumerate(flow.services):
            _known(flows, (*here, "services", position), wanted, known, "service")
        if bool(flow.services) == flow.applications:
            flows.problem(
                "021",
                here,
                "a flow for nothing, or for both",
                "`services` or `applications`",
                "Give one of the two.",
            )
        for name, side in (("from", flow.source), ("to", flow.destination)):
            if side.machine:
                _known(flows, (*here, name, "machine"), side.machine, set(catalogue.machines), "machine")
            if side.at in segments:
                zones = {
                    s.name: s.zone for s in (catalogue.centre if side.at == "centre" else catalogue.unit)
                }
                zones["wan"] = Zone.BORDER
                for segment in side.segments:
                    _known(flows, (*here, name, "segments"), segment, segments[side.at], "segment")
                    if zones.get(segment, side.zone) is not side.zone:
                        flows.problem(
                            "022",
                            (*here, name, "zone"),
                            f"the zone {side.zone.value} for the segment '{segment}'",
                            f"its zone, {zones[segment].value}",
                            "Correct the zone.",
                        )
    kinds = documents["kinds.yml"]
    for name, kind in catalogue.kinds.items():
        for number, parent in enumerate(kind.parents):
            _known(kinds, ("kinds", name, "parents", number), parent, set(catalogue.kinds), "kind")
    for number, machine_id in enumerate(catalogue.unit_machines):
        units = {machine.id for machine in catalogue.machines_at("unit")}
        _known(kinds, ("machines", number), machine_id, units, "machine of a unit")


def _known(document: Document, path: Path_, word: str, words: set[str], what: str) -> None:
    if word not in words:
        document.problem(
            "020",
            path,
            f"the unknown {what} '{word}'",
            "one of " + ", ".join(sorted(words)),
            near(word, sorted(words)) + "Correct the name, or add it to the catalogue.",
        )


def _unique(document: Document, where: str, values: list[str]) -> None:
    first: dict[str, int] = {}
    for number, value in enumerate(values):
        if value in first:
            document.problem(
                "023",
                (where, number),
                f"'{value}' twice, first in line {document.line((where, first[value]))}",
                "each once",
                "Remove or rename one of the two.",
            )
        first.setdefault(value, number)


def _check_segments(catalogue: Catalogue, document: Document) -> None:
    for where, segments in (("centre", catalogue.centre), ("unit", catalogue.unit)):
        _unique(document, where, [segment.name for segment in segments])
        for key in ("code", "vlan", "letter", "place6"):
            # Names of interfaces, tags on a cable, names of bridges, IPv6 networks. 0 is no VLAN.
            values = [(n, getattr(segment, key, None)) for n, segment in enumerate(segments)]
            _once(document, [((where, n, key), v) for n, v in values if v not in (None, 0, "")], key)
    places: dict[int, str] = {}
    for number, segment in enumerate(catalogue.centre):
        if segment.gateway not in ("", OUTSIDE):
            there = {m.id for m in catalogue.machines_at("centre") if segment.name in m.interfaces}
            _known(document, ("centre", number, "gateway"), segment.gateway, there, "gateway in the segment")
        if segment.place in places:
            document.problem(
                "024",
                ("centre", number, "place"),
                f"place {segment.place}, which '{places[segment.place]}' has",
                "a place of its own",
                "Choose a free place.",
            )
        places[segment.place] = segment.name
    taken: dict[int, str] = {}
    for number, part in enumerate(catalogue.unit):
        size = 256 >> part.share
        for slot in range(part.place * size, (part.place + 1) * size):
            if slot >= 256 or slot in taken:
                document.problem(
                    "024",
                    ("unit", number, "place"),
                    f"place {part.place} of share {part.share}, "
                    + (f"which overlaps '{taken[slot]}'" if slot in taken else "which is outside the block"),
                    "a free part of the unit's block",
                    "Choose another place.",
                )
                break
            taken[slot] = part.name


def _once(document: Document, values: list[tuple[Path_, Any]], what: str) -> None:
    first: dict[Any, Path_] = {}
    for path, value in values:
        if value in first:
            document.problem(
                "023",
                path,
                f"the {what} {shown(value)} twice, first in line {document.line(first[value])}",
                "each once",
                "Change one of the two.",
            )
        first.setdefault(value, path)


def _check_machines(catalogue: Catalogue, document: Document) -> None:
    """Names of hosts, the way of the administration, and what routing cannot do without."""
    managed = {
        "centre": {s.name for s in catalogue.centre if s.zone is Zone.MANAGEMENT},
        "unit": {s.name for s in catalogue.unit if s.zone is Zone.MANAGEMENT},
    }
    for side in ("centre", "unit"):
        named = [(("machines", m.id, "short"), m.short) for m in catalogue.machines_at(side)]
        _once(document, [*named], "name of hosts")
    _once(
        document,
        [(("machines", m.id, "asn"), m.asn) for m in catalogue.machines.values() if m.asn],
        "AS number",
    )
    _check_hubs(catalogue, document)
    for machine in catalogue.machines.values():
        here = managed["unit" if machine.where == "unit" else "centre"]
        if not here & set(machine.interfaces):
            document.problem(
                "020",
                ("machines", machine.id, "interfaces"),
                "no segment of the zone management",
                "one of " + ", ".join(sorted(here)),
                "Add it: every machine is administered from there.",
            )
        if machine.default in here or here & set(machine.forwards):
            document.problem(
                "022",
                ("machines", machine.id),
                "a way out of the zone management",
                "no default route and no forwarding there",
                "Take it out of `default` and `forwards`.",
            )
        if machine.where == "centre" and "routing" in machine.roles and not machine.asn:
            document.problem(
                "020", ("machines", machine.id), "a router without 'asn'", "an AS number", "Add `asn:`."
            )


def _check_hubs(catalogue: Catalogue, document: Document) -> None:
    """Every sphere has a hub of its own, with a transit and a tunnel segment that no other hub stands in."""
    tunnels = {segment.name for segment in catalogue.centre if segment.tunnel}
    ends: list[tuple[Path_, str]] = []
    for hub in catalogue.hubs:
        own = [name for name in hub.interfaces if name in tunnels]
        if hub.where != "centre" or len(own) != 1 or "wan" not in hub.interfaces or hub.primary in own:
            document.problem(
                "020",
                ("machines", hub.id, "sphere"),
                "a hub without its place",
                "a machine of the centre with a line (wan), one tunnel segment and another primary one",
                "Correct its segments, or take `sphere` away.",
            )
        ends += [(("machines", hub.id, "interfaces"), name) for name in (hub.primary, *own)]
    _once(document, [(("machines", hub.id, "sphere"), hub.sphere) for hub in catalogue.hubs], "sphere")
    _once(document, [*ends], "segment of a hub")
    for sphere in SPHERES:
        if sphere not in {hub.sphere for hub in catalogue.hubs}:
            document.problem(
                "020",
                ("machines",),
                f"no hub of the sphere '{sphere}'",
                "a machine for each sphere",
                f"Write `sphere: {sphere}` at its hub.",
            )
    for machine in catalogue.machines.values():
        if machine.group:
            _known(
                document, ("machines", machine.id, "group"), machine.group, set(catalogue.machines), "machine"
            )


def _check_roles(catalogue: Catalogue, document: Document, roles: frozenset[str]) -> None:
    """A role that is not there would only be missed once machines stand."""
    given: list[tuple[Path_, tuple[str, ...]]] = [(("base_roles",), catalogue.base_roles)]
    given += [(("machines", m.id, "roles"), m.roles) for m in catalogue.machines.values()]
    for path, names in given:
        for number, name in enumerate(names):
            if name not in roles:
                document.problem(
                    "020",
                    (*path, number),
                    f"the unknown role '{name}'",
                    "one of " + ", ".join(sorted(roles)),
                    near(name, sorted(roles)) + "Correct the name, or write the role in roles/.",
                )


def _check_places(catalogue: Catalogue, document: Document) -> None:
    """A pair takes three numbers, and so does what may become one."""
    for where in ("centre", "unit"):
        taken: dict[int, str] = {}
        for machine in catalogue.machines.values():
            if (machine.where == "unit") != (where == "unit"):
                continue
            for slot in range(machine.place, machine.place + 3):
                if slot in taken:
                    document.problem(
                        "024",
                        ("machines", machine.id, "place"),
                        f"place {machine.place}, which overlaps '{taken[slot]}'",
                        "three free numbers",
                        "Choose another place.",
                    )
                    break
                taken[slot] = machine.id
        _check_reach(catalogue, document, where)


def _check_reach(catalogue: Catalogue, document: Document, where: str) -> None:
    """Places lie inside every segment that gives the machine an address, however small the unit."""
    widths = (
        {segment.name: CENTRE_WIDTH for segment in catalogue.centre if not segment.tunnel}
        if where == "centre"
        else {s.name: SMALLEST_BLOCK - s.share for s in catalogue.unit if not s.tunnel}
    )
    leased = {s.name for s in catalogue.unit if s.leases} if where == "unit" else set()
    for machine in catalogue.machines.values():
        if (machine.where == "unit") != (where == "unit"):
            continue
        for name in machine.interfaces:
            if name in leased and name not in machine.dynamic and machine.place + 2 >= FIRST_LEASE:
                document.problem(
                    "025",
                    ("machines", machine.id, "place"),
                    f"place {machine.place} in the segment '{name}', which leases addresses "
                    f"from {FIRST_LEASE} on",
                    f"three numbers below {FIRST_LEASE}",
                    "Choose a lower place, or let it lease its address (`dynamic`).",
                )
            # The last address of a network is its broadcast address.
            last = (1 << widths[name]) - 2 if name in widths and name not in machine.dynamic else 0
            if last and machine.place + 2 > last:
                document.problem(
                    "024",
                    ("machines", machine.id, "place"),
                    f"place {machine.place}, which leads out of the segment '{name}'",
                    f"three numbers up to {last}, the last address of its smallest network",
                    "Choose another place, or a larger share for the segment.",
                )
