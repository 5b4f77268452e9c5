"""The register: what a province tells us about itself and its units. Loading and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netaddr import IPNetwork

from province.problems import ProblemsFoundError
from province.register.catalogue import (
    CENTRE_BLOCK4,
    CENTRE_SEGMENTS,
    NAME,
    SIZES,
    SPHERES,
    WORD,
    Catalogue,
)
from province.register.document import Document, Path_, dotted, near, read_document, shown
from province.register.names import indistinct
from province.register.shape import Choice, Date, Field, Integer, ListOf, MapOf, Network, Record, Text

CLOSED = "closed"
OPEN = ("planned", "provisioned", "live")
STATES = (*OPEN, CLOSED)
# Host names are `<id>-cpe-1`, labels of DNS (63 characters).
UNIT_ID = Text(
    words="an id of lower-case letters, digits and single hyphens, a letter first, at most 50 characters",
    pattern=r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
    maximum=50,
)
# Names are read by people and compared by eye: a letter of another script that looks the same, a space that
# is none or a sign that changes others would make two names look like one. Letters are those of Vietnamese.
NAME_VI = Text(
    words="its name in Vietnamese",
    characters="A-Za-zÀ-ÃÈ-ÊÌÍÒ-ÕÙÚÝà-ãè-êìíò-õùúýĂăĐđĨĩŨũƠơƯưẠ-ỹ0-9 –,.()'’/&+-",
    characters_words="Latin letters with the marks of Vietnamese, digits, spaces and – - , . ( ) ' ’ / & +",
)
OFFICIAL = Text(
    words="a code of letters, digits, dots and hyphens, as text",
    pattern=r"[A-Za-z0-9][A-Za-z0-9.-]*",
    maximum=30,
)
DOMAIN = Text(
    words="a domain name in lower case without final dot",
    pattern=r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    maximum=120,
)
MAILBOX = Text(words="the local part of a functional mailbox", pattern=r"[a-z][a-z0-9.-]{1,62}", maximum=63)
LINES_PER_UNIT = 2

LINK = Record(
    "a line",
    {
        "access": Field(Choice(("fibre", "copper", "microwave", "mobile", "satellite")), "kind of line"),
        "bandwidth_mbps": Field(
            Integer(minimum=1, maximum=100_000, unit="Mbit/s"), "contracted rate, each way"
        ),
        "assigned4": Field(
            Network(family=4, longest=30),
            "IPv4 network of the line as the carrier assigned it",
            required=False,
        ),
        "assigned6": Field(
            Network(family=6, longest=64),
            "IPv6 network of the line as the carrier assigned it",
            required=False,
        ),
    },
)
CONTACT = Record(
    "a contact",
    {
        "role": Field(Choice(("network_administrator", "office", "security")), "what they answer for"),
        "mailbox": Field(MAILBOX, "functional mailbox in the province's domain, never a person's"),
    },
)
WAYS = ("rename", "merge", "split")
ALIAS = Record(
    "a former name",
    {
        "name": Field(NAME_VI, "the name as it was"),
        "code": Field(OFFICIAL, "its official code then, where that changed with it", required=False),
        "until": Field(Date(), "the day from which it was no longer the name"),
        "by": Field(Choice(WAYS), "how it went out of use"),
        "unit": Field(UNIT_ID, "id of the closed unit that bore it; without it, this one", required=False),
    },
)
UNIT = Record(
    "a unit",
    {
        "id": Field(UNIT_ID, "its id: never renamed, never used again"),
        "code": Field(OFFICIAL, "its official code, in quotes"),
        "index": Field(
            Integer(minimum=0, maximum=65_535), "number of its address block in the pool of its kind"
        ),
        "name": Field(NAME_VI, "its name in Vietnamese"),
        "kind": Field(WORD, "its kind, from catalogue/kinds.yml"),
        "parent": Field(UNIT_ID, "id of the unit above; without it, the province itself", required=False),
        "sphere": Field(Choice(SPHERES), "government or party"),
        "org_code": Field(
            Text(
                words="an organisation code such as H18.2",
                pattern=r"[A-Z]\d{2}(\.[A-Z0-9]{1,3})*",
                maximum=20,
            ),
            "code in the exchange of documents (Decision 20/2020/QD-TTg)",
            required=False,
        ),
        "assigned4": Field(
            Network(family=4, longest=24),
            "its IPv4 block as given from outside, in place of the one of its index",
            required=False,
        ),
        "assigned6": Field(
            Network(family=6, longest=56),
            "its IPv6 block as given from outside, in place of the one of its index",
            required=False,
        ),
        "aliases": Field(ListOf(item=ALIAS), "names it bore, and of units that it followed", required=False),
        "links": Field(ListOf(item=LINK, minimum=1, maximum=LINES_PER_UNIT), "its lines to the centre"),
        "services": Field(ListOf(item=NAME, unique=True), "services it takes, by id"),
        "contacts": Field(ListOf(item=CONTACT, minimum=1), "who answers for it"),
        "wave": Field(Integer(minimum=0, maximum=99), "when it is rolled out: 0 is the pilot"),
        "state": Field(Choice(STATES), "where it stands"),
        "closed": Field(Date(), "the day it was closed; exactly while `state` is closed", required=False),
        "successors": Field(
            ListOf(item=UNIT_ID, unique=True),
            "ids of the units that followed it, once closed",
            required=False,
        ),
        "returned": Field(
            Date(), "the day on which what others assigned was given back, once closed", required=False
        ),
        "level": Field(Integer(minimum=1, maximum=5), "security level of its own systems"),
        "level_basis": Field(Text(words="a sentence", maximum=300), "why that level"),
    },
)
UNITS = Record("the file", {"units": Field(ListOf(item=UNIT), "units")})
POOL = Record(
    "a pool",
    {
        "network4": Field(Network(family=4, longest=24), "its IPv4 addresses"),
        "more4": Field(
            ListOf(item=Network(family=4, longest=24), minimum=1),
            "IPv4 networks in which its blocks go on when those before are full",
            required=False,
        ),
        "network6": Field(Network(family=6, longest=56), "its IPv6 addresses"),
        # A sixteenth of a /24 is the least that leases, pairs and tunnels of a unit fit in.
        "block4": Field(Integer(minimum=8, maximum=24), "prefix length of one block, IPv4"),
        "block6": Field(Integer(minimum=32, maximum=56), "prefix length of one block, IPv6"),
        "carrier4": Field(Network(family=4, longest=28), "stand-in addresses of its lines, IPv4"),
        "carrier6": Field(Network(family=6, longest=60), "stand-in addresses of its lines, IPv6"),
        "asn": Field(Integer(minimum=4_200_000_000, maximum=4_294_967_294), "AS number of index 0"),
        "letter": Field(Text(words="one letter", pattern="[a-z]", maximum=1), "in names of bridges"),
    },
)
OVERRIDE = Record(
    "a machine's counts and sizes",
    {
        "members": Field(
            Integer(minimum=1, maximum=2), "how many there are, of those that are reserved", required=False
        ),
        **{name: Field(shape, words, required=False) for name, (shape, words) in SIZES.items()},
    },
)
_DONG = Integer(minimum=0, maximum=10**12, unit="VND")
PRICES = Record(
    "the prices",
    {
        "line_mbps_month": Field(_DONG, "one Mbit/s of a line, a month", required=False),
        "core_year": Field(_DONG, "one processor core, a year", required=False),
        "memory_gib_year": Field(_DONG, "one GiB of memory, a year", required=False),
        "disk_gib_year": Field(_DONG, "one GiB of disk, a year", required=False),
        "public_address_year": Field(_DONG, "one public IPv4 address, a year", required=False),
    },
)
PROVINCE = Record(
    "the province",
    {
        "id": Field(UNIT_ID, "its id, equal to the folder's name"),
        "code": Field(OFFICIAL, "its official code, in quotes"),
        "name": Field(NAME_VI, "its name in Vietnamese, with its kind"),
        "domain": Field(DOMAIN, "its domain"),
        "pools": Field(
            MapOf(key=NAME, item=POOL, minimum=1), "address pools by name; `centre` is the centre's own block"
        ),
        "control_points": Field(
            ListOf(item=UNIT_ID, unique=True), "units from which conferences are moderated", required=False
        ),
        "machines": Field(
            MapOf(key=WORD, item=OVERRIDE),
            "machines of the catalogue that have another size here, or other counts",
            required=False,
        ),
        "prices": Field(PRICES, "what things cost here, for the cost of a change", required=False),
    },
)
CENTRE, CARRIER = "centre", "carrier"
MAXIMUM_ASN = 4_294_967_294


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Addresses for units of some kinds; the block of index n is n blocks behind the start.

    IPv4 blocks are counted through `networks4` as if they were one: where one network ends, the next goes on.
    """

    name: str
    network4: IPNetwork
    more4: tuple[IPNetwork, ...] = ()
    network6: IPNetwork
    block4: int
    block6: int
    carrier4: IPNetwork
    carrier6: IPNetwork
    asn: int
    letter: str

    @property
    def networks4(self) -> tuple[IPNetwork, ...]:
        """Its IPv4 networks, in the order in which indexes run through them."""
        return (self.network4, *self.more4)

    @property
    def capacity(self) -> int:
        """How many blocks fit, of both families and with their lines."""
        return min(
            sum(
                1 << (self.block4 - network.prefixlen) if self.block4 >= network.prefixlen else 0
                for network in self.networks4
            ),
            1 << (self.block6 - self.network6.prefixlen) if self.block6 >= self.network6.prefixlen else 0,
            (1 << (30 - self.carrier4.prefixlen)) // LINES_PER_UNIT,
            (1 << (64 - self.carrier6.prefixlen)) // LINES_PER_UNIT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A line of a unit."""

    access: str
    bandwidth_mbps: int
    assigned4: IPNetwork | None
    assigned6: IPNetwork | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A functional mailbox, by what it answers for."""

    role: str
    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A former name: `until` which day (YYYY-MM-DD), `by` which of WAYS.

    `code` is the official code that went with it, "" where it stayed. `unit` is the id of the closed unit
    that bore it, "" where the unit itself did.
    """

    name: str
    until: str
    by: str
    code: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as the province describes it.

    Days are text, YYYY-MM-DD, "" for none. `closed`, `successors` and `returned` are those of closed units.
    `assigned4` and `assigned6` are the block that others gave it, in place of the block of its index.
    """

    id: str
    code: str
    index: int
    name: str
    kind: str
    parent: str | None
    sphere: str
    org_code: str
    links: tuple[Link, ...]
    services: tuple[str, ...]
    contacts: tuple[Contact, ...]
    wave: int
    state: str
    level: int
    level_basis: str
    assigned4: IPNetwork | None = None
    assigned6: IPNetwork | None = None
    aliases: tuple[Alias, ...] = ()
    closed: str = ""
    successors: tuple[str, ...] = ()
    returned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A province; `units` in order of pool and index.

    `control_points` are ids of units. `machines` holds, by the catalogue's id, only what differs here:
    `members` and the names of SIZES. `prices` are whole dong by the names of PRICES, those given.
    """

    id: str
    code: str
    name: str
    domain: str
    pools: Mapping[str, Pool]
    units: tuple[Unit, ...]
    control_points: tuple[str, ...] = ()
    machines: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    prices: Mapping[str, int] = field(default_factory=dict)


def load_register(
    directory: Path, catalogue: Catalogue, services: frozenset[str], called: Callable[[Path], str]
) -> Register:
    """Read and check a register against a catalogue.

    `services` are the ids that a unit may take (those with a name), `called` names a file in messages. Raises
    ProblemsFoundError with every problem found (REG-nnn).
    """
    province = read_document(directory / "province.yml", called(directory / "province.yml"), "REG")
    if not province.problems:
        PROVINCE.check(province, (), province.data)
    files = sorted((directory / "units").glob("*.yml"))
    for path in sorted((directory / "units").rglob("*")):
        if path not in files and path.suffix.lower() in (".yml", ".yaml"):
            province.problem(
                "015",
                (),
                f"units in {shown(path.relative_to(directory).as_posix())}, which nothing reads",
                "units/<name>.yml",
                "Rename or move it.",
            )
    documents = [read_document(path, called(path), "REG") for path in files]
    for document in documents:
        if not document.problems:
            UNITS.check(document, (), document.data)
    if not files:
        province.problem(
            "015",
            (),
            "no file units/*.yml beside it",
            "at least one file of units",
            "Create one, see `province new`.",
        )
    folder = directory.name if directory.parent.name == "registers" else ""
    _Checks(folder, province, documents, catalogue, services).run()
    problems = tuple(p for document in (province, *documents) for p in document.problems)
    if problems:
        raise ProblemsFoundError(problems)
    return _build(
        province.data, [record for document in documents for record in document.data["units"]], catalogue
    )


def _build(province: dict[str, Any], records: list[dict[str, Any]], catalogue: Catalogue) -> Register:
    def network(text: str | None) -> IPNetwork | None:
        return IPNetwork(text) if text else None

    pools = {name: _pool(name, record) for name, record in province["pools"].items()}
    units = [
        Unit(
            id=record["id"],
            code=record["code"],
            index=record["index"],
            name=record["name"],
            kind=record["kind"],
            parent=record.get("parent"),
            sphere=record["sphere"],
            org_code=record.get("org_code", ""),
            links=tuple(
                Link(
                    access=link["access"],
                    bandwidth_mbps=link["bandwidth_mbps"],
                    assigned4=network(link.get("assigned4")),
                    assigned6=network(link.get("assigned6")),
                )
                for link in record["links"]
            ),
            services=tuple(record["services"]),
            contacts=tuple(Contact(**contact) for contact in record["contacts"]),
            wave=record["wave"],
            state=record["state"],
            level=record["level"],
            level_basis=record["level_basis"],
            assigned4=network(record.get("assigned4")),
            assigned6=network(record.get("assigned6")),
            aliases=tuple(Alias(**alias) for alias in record.get("aliases", ())),
            closed=record.get("closed", ""),
            successors=tuple(record.get("successors", ())),
            returned=record.get("returned", ""),
        )
        for record in records
    ]
    order = {name: number for number, name in enumerate(pools)}
    units.sort(key=lambda unit: (order[catalogue.kinds[unit.kind].pool], unit.index))
    return Register(
        id=province["id"],
        code=province["code"],
        name=province["name"],
        domain=province["domain"],
        pools=pools,
        units=tuple(units),
        control_points=tuple(province.get("control_points", ())),
        machines=province.get("machines", {}),
        prices=province.get("prices", {}),
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """A network that is somebody's: where it stands, whose it is in words, and the code of its overlaps."""

    network: IPNetwork
    document: Document
    path: Path_
    words: str
    code: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record of a unit stands."""

    document: Document
    path: Path_
    record: dict[str, Any]

    @property
    def words(self) -> str:
        return f"{self.document.file}:{self.document.line(self.path)}"


class _Checks:
    """Checks across records. Each works on what is well-formed, so that all problems come at once."""

    def __init__(
        self,
        folder: str,
        province: Document,
        documents: list[Document],
        catalogue: Catalogue,
        services: frozenset[str],
    ) -> None:
        self.folder = folder
        self.province = province
        self.documents = documents
        self.catalogue = catalogue
        self.services = services
        self.places = [
            _Place(document, ("units", number), record)
            for document in documents
            if isinstance(document.data, dict) and isinstance(document.data.get("units"), list)
            for number, record in enumerate(document.data["units"])
            if isinstance(record, dict)
        ]
        self.by_id = {p.record["id"]: p for p in reversed(self.places) if isinstance(p.record.get("id"), str)}
        # Of a file that cannot be read only that is told, not that others speak of what stands in it.
        self.complete = len(documents) == sum(
            isinstance(document.data, dict) and isinstance(document.data.get("units"), list)
            for document in documents
        )
        self.pools = self._sound_pools()

    def run(self) -> None:
        """All of them."""
        data = self.province.data
        given = data.get("id") if isinstance(data, dict) else None
        # Environments name a register by its folder; a copy elsewhere may be called anything.
        if self.folder and isinstance(given, str) and given != self.folder:
            self.province.problem(
                "016",
                ("id",),
                shown(data["id"]),
                f"'{self.folder}', the folder's name",
                "Rename one of the two.",
            )
        self._pools()
        self._unique("id", "020", "an id is never used twice, not even after a unit is closed")
        machines = self.catalogue.machines.values()
        # Names of the centre in the plan and in the domain, where closed units may live on as names (DNAME).
        ours = {CENTRE, CARRIER, "dc"} | {f"{m.short}-{n}" for m in machines for n in range(1, m.members + 1)}
        ours |= self.services | {name for service in self.catalogue.services for name in service.names}
        for place in self.places:
            ident = place.record.get("id")
            if isinstance(ident, str) and ident in ours:
                place.document.problem(
                    "020",
                    (*place.path, "id"),
                    f"the id {shown(ident)}, by which the plan calls something else",
                    "an id of the unit's own",
                    "Choose another.",
                )
        self._unique("code", "021", "an official code belongs to one unit")
        self._unique("org_code", "021", "a code of the exchange of documents belongs to one unit")
        self._kinds()
        self._indexes()
        self._parents()
        self._taken_services()
        self._spheres()
        self._names()
        self._closing()
        self._successors()
        self._aliases()
        self._control_points()
        self._machines()
        self._networks()

    def _sound_pools(self) -> dict[str, Pool]:
        """Pools without a problem of their own."""
        data = self.province.data
        pools = data.get("pools") if isinstance(data, dict) else None
        if not isinstance(pools, dict):
            return {}
        bad = tuple(f"{problem.path}." for problem in self.province.problems)
        return {
            name: _pool(name, pool)
            for name, pool in pools.items()
            if not any(path.startswith(f"pools.{name}.") for path in bad)
        }

    def _pools(self) -> None:
        """Every kind's pool is there, blocks fit in pools, no two pools overlap."""
        data = self.province.data
        given = data.get("pools") if isinstance(data, dict) else None
        if not isinstance(given, dict):
            return
        for name in sorted({kind.pool for kind in self.catalogue.kinds.values()} | {CENTRE}):
            if name not in given:
                self.province.problem(
                    "024",
                    ("pools",),
                    f"no pool '{name}'",
                    "a pool for every kind of catalogue/kinds.yml",
                    "Add it.",
                )
        self._once("letter")
        for name, pool in self.pools.items():
            parts: list[tuple[Path_, IPNetwork, int]] = [
                (("block4",), pool.network4, pool.block4),
                (("block6",), pool.network6, pool.block6),
            ]
            parts += [(("more4", number), more, pool.block4) for number, more in enumerate(pool.more4)]
            for where, network, block in parts:
                if block < network.prefixlen:
                    self.province.problem(
                        "025",
                        ("pools", name, *where),
                        f"blocks of /{block} in {network}",
                        f"blocks of /{network.prefixlen} or longer there",
                        "Make the blocks smaller or the network larger.",
                    )
        if CENTRE in self.pools:
            pool = self.pools[CENTRE]
            if pool.block4 > CENTRE_BLOCK4 or pool.block6 > 56:
                self.province.problem(
                    "025",
                    ("pools", CENTRE),
                    f"a block of /{pool.block4} and /{pool.block6} for the centre",
                    f"/{CENTRE_BLOCK4} or shorter and /56 or shorter: "
                    f"{CENTRE_SEGMENTS} segments of /24 and /64",
                    "Make the centre's block larger.",
                )
        self._numbers()
        self._overlaps(self._pool_spans("026"))

    def _numbers(self) -> None:
        """AS numbers of a pool are its own, up to the last that there are."""
        routers = [machine.asn for machine in self.catalogue.machines.values() if machine.asn]
        for name, pool in self.pools.items():
            last = pool.asn + pool.capacity - 1
            if any(other != name and pool.asn <= p.asn <= last for other, p in self.pools.items()):
                self.province.problem(
                    "025",
                    ("pools", name, "asn"),
                    f"AS numbers {pool.asn} to {last}, some of another pool",
                    "a range of its own",
                    "Choose another first number.",
                )
            if last > MAXIMUM_ASN or any(pool.asn <= asn <= last for asn in routers):
                self.province.problem(
                    "025",
                    ("pools", name, "asn"),
                    f"AS numbers {pool.asn} to {last}, some of a machine of the centre or of nobody",
                    f"a range of its own up to {MAXIMUM_ASN}",
                    "Choose another first number.",
                )

    def _pool_spans(self, code: str) -> list[_Span]:
        """All networks of all pools."""
        spans = []
        for name, pool in self.pools.items():
            networks: list[tuple[Path_, IPNetwork]] = [(("network4",), pool.network4)]
            networks += [(("more4", number), network) for number, network in enumerate(pool.more4)]
            networks += [
                (("network6",), pool.network6),
                (("carrier4",), pool.carrier4),
                (("carrier6",), pool.carrier6),
            ]
            for where, network in networks:
                path = ("pools", name, *where)
                spans.append(_Span(network, self.province, path, f"the pool {name} ({where[0]})", code))
        return spans

    def _once(self, key: str) -> None:
        first: dict[Any, str] = {}
        for name, pool in self.pools.items():
            value = getattr(pool, key)
            if value in first:
                self.province.problem(
                    "025",
                    ("pools", name, key),
                    f"the {key} {shown(value)}, which the pool {first[value]} has",
                    f"a {key} of its own",
                    "Choose another.",
                )
            first.setdefault(value, name)

    def _overlaps(self, spans: list[_Span], pools_too: bool = True) -> None:
        """One sweep over sorted ranges: linear after sorting, whatever the number."""
        for version in (4, 6):
            last: _Span | None = None
            chosen = sorted(
                (span for span in spans if span.network.version == version),
                key=lambda span: (span.network.first, -span.network.last),
            )
            for this in chosen:
                if (
                    last
                    and this.network.first <= last.network.last
                    and (
                        pools_too or last.document is not this.document or this.document is not self.province
                    )
                ):
                    # Where one is a pool and the other a line, the line is what has to move.
                    ours = this.document is self.province is not last.document
                    late, early = (last, this) if ours else (this, last)
                    late.document.problem(
                        late.code,
                        late.path,
                        f"{late.network} for {late.words}, which overlaps {early.network} of {early.words}",
                        "addresses of its own",
                        "Move or shrink one of the two.",
                    )
                if not last or this.network.last > last.network.last:
                    last = this

    def _unique(self, key: str, code: str, why: str) -> None:
        """No two units have a value, nor one a value that another had under a former name."""
        first: dict[str, _Place] = {}
        given = [(place, place.path, place.record) for place in self.places]
        given += [
            (place, (*place.path, "aliases", number), alias)
            for place in self.places
            if isinstance(place.record.get("aliases"), list)
            for number, alias in enumerate(place.record["aliases"])
            if isinstance(alias, dict)
        ]
        for place, path, record in given:
            value = record.get(key)
            if not isinstance(value, str):
                continue
            if value in first:
                place.document.problem(
                    code,
                    (*path, key),
                    f"the {key} {shown(value)} a second time, first in {first[value].words}",
                    f"another {key}: {why}",
                    "Give one of the two units its own.",
                )
            first.setdefault(value, _Place(place.document, path, record))

    def _kinds(self) -> None:
        for place in self.places:
            kind = place.record.get("kind")
            if isinstance(kind, str) and kind not in self.catalogue.kinds:
                place.document.problem(
                    "022",
                    (*place.path, "kind"),
                    f"the unknown kind {shown(kind)}",
                    "one of " + ", ".join(self.catalogue.kinds),
                    near(kind, list(self.catalogue.kinds)) + "Correct it, or add the kind to the catalogue.",
                )

    def _pool_of(self, place: _Place) -> str:
        kind = place.record.get("kind")
        return (
            self.catalogue.kinds[kind].pool if isinstance(kind, str) and kind in self.catalogue.kinds else ""
        )

    def _indexes(self) -> None:
        first: dict[tuple[str, int], _Place] = {}
        given = [
            (place, place.record["index"], pool)
            for place in self.places
            if isinstance(place.record.get("index"), int)
            and not isinstance(place.record["index"], bool)
            and (pool := self._pool_of(place))
        ]
        highest: dict[str, int] = {}
        for _, index, pool in given:
            highest[pool] = max(index, highest.get(pool, 0))
        capacity = {name: pool.capacity for name, pool in self.pools.items()}
        for place, index, pool in given:
            if (pool, index) in first:
                other = first[pool, index]
                place.document.problem(
                    "023",
                    (*place.path, "index"),
                    f"the index {index} a second time in the pool {pool}, first in {other.words}",
                    "an index of its own: it is the unit's address block",
                    f"Give the newer unit the next free index, {highest[pool] + 1}.",
                )
            first.setdefault((pool, index), place)
            # A pool without any block is reported itself.
            if index >= capacity.get(pool, index + 1) > 0:
                last = capacity[pool] - 1
                place.document.problem(
                    "027",
                    (*place.path, "index"),
                    f"the index {index} in the pool {pool}, which ends with {last}",
                    f"0 to {last}",
                    "Use a free lower index, or widen the pool in province.yml.",
                )

    def _parents(self) -> None:
        by_id = self.by_id
        for place in self.places:
            parent = place.record.get("parent")
            if not isinstance(parent, str):
                continue
            if parent not in by_id:
                if not self.complete:
                    continue
                place.document.problem(
                    "028",
                    (*place.path, "parent"),
                    f"the unknown parent {shown(parent)}",
                    "the id of a unit of this register",
                    place.document.near(parent, by_id)
                    + "Correct it; leave it out for a unit directly under the province.",
                )
                continue
            kind, above = str(place.record.get("kind")), str(by_id[parent].record.get("kind"))
            if kind in self.catalogue.kinds and above in self.catalogue.kinds:
                allowed = self.catalogue.kinds[kind].parents
                if above not in allowed:
                    place.document.problem(
                        "030",
                        (*place.path, "parent"),
                        f"a {above} above a {kind}",
                        "a parent of kind " + ", ".join(allowed) if allowed else "no parent but the province",
                        "Correct the parent, or allow it in catalogue/kinds.yml.",
                    )
            if by_id[parent].record.get("state") == CLOSED and place.record.get("state") in OPEN:
                place.document.problem(
                    "040",
                    (*place.path, "parent"),
                    f"the parent {shown(parent)}, which is closed ({by_id[parent].words})",
                    "an open unit above an open unit",
                    "Give it another parent (`province unit move`), or leave the field out.",
                )
        loops = _loops({ident: [place.record.get("parent")] for ident, place in by_id.items()})
        for loop in loops:
            place = by_id[loop[0]]
            place.document.problem(
                "029",
                (*place.path, "parent"),
                "a loop of parents: " + " -> ".join([*loop, loop[0]]),
                "a way up to the province",
                "Correct one of the parents.",
            )

    def _taken_services(self) -> None:
        for place in self.places:
            services = place.record.get("services")
            for number, service in enumerate(services if isinstance(services, list) else ()):
                if isinstance(service, str) and service not in self.services:
                    place.document.problem(
                        "031",
                        (*place.path, "services", number),
                        f"the unknown service {shown(service)}",
                        "one of " + ", ".join(sorted(self.services)),
                        near(service, sorted(self.services)) + "Correct or remove it.",
                    )

    def _spheres(self) -> None:
        for place in self.places:
            kind, sphere = str(place.record.get("kind")), place.record.get("sphere")
            if (
                sphere in SPHERES
                and (kind == "party_body") != (sphere == "party")
                and kind in self.catalogue.kinds
            ):
                place.document.problem(
                    "032",
                    (*place.path, "sphere"),
                    f"the sphere {sphere} for a {kind}",
                    "party for party bodies, government for all others",
                    "Correct sphere or kind.",
                )

    def _names(self) -> None:
        """People choose a unit by its name and what is above it: there each name differs to the eye."""
        named = (
            (str(place.record.get("parent")), place.record["name"], place)
            for place in self.places
            if isinstance(place.record.get("name"), str) and place.record.get("state") in OPEN
        )
        for place, first in indistinct(named):
            place.document.problem(
                "042",
                (*place.path, "name"),
                f"the name {shown(place.record['name'])}, which people cannot tell from "
                f"{shown(first.record['name'])} ({first.words})",
                "a name that looks like no other under the same parent",
                "Correct one of the two names; if it is one unit, remove one of the records.",
            )

    def _closing(self) -> None:
        """What is only said of closed units, and the days' order."""
        for place in self.places:
            record = place.record
            state = record.get("state")
            if state == CLOSED and "closed" not in record:
                place.document.problem(
                    "034",
                    (*place.path, "state"),
                    "a closed unit without the day",
                    "the field 'closed' exactly while the state is 'closed'",
                    "Add `closed: YYYY-MM-DD`.",
                )
            if state in OPEN:
                for key in ("closed", "successors", "returned"):
                    if key in record:
                        place.document.problem(
                            "034",
                            (*place.path, key),
                            f"'{key}' of a unit that is {state}",
                            f"the field '{key}' of closed units alone",
                            "Remove the field, or close the unit (`province unit close`).",
                        )
            closed, returned = record.get("closed"), record.get("returned")
            if isinstance(closed, str) and isinstance(returned, str) and returned < closed:
                place.document.problem(
                    "035",
                    (*place.path, "returned"),
                    f"what others assigned given back on {shown(returned)}, before the unit was closed",
                    f"the day of closing, {shown(closed)}, or a later one",
                    "Correct one of the two days.",
                )

    def _successors(self) -> None:
        """Who followed is known, and following leads to somebody at last."""
        heirs: dict[str, list[Any]] = {}
        for place in self.places:
            given = place.record.get("successors")
            ident = place.record.get("id")
            for number, successor in enumerate(given if isinstance(given, list) else ()):
                if not isinstance(successor, str):
                    continue
                if successor == ident or (self.complete and successor not in self.by_id):
                    place.document.problem(
                        "036",
                        (*place.path, "successors", number),
                        "the unit itself"
                        if successor == ident
                        else f"the unknown successor {shown(successor)}",
                        "the id of another unit of this register",
                        ("" if successor == ident else place.document.near(successor, self.by_id))
                        + "Correct or remove it.",
                    )
                elif isinstance(ident, str):
                    heirs.setdefault(ident, []).append(successor)
        for loop in _loops(heirs):
            place = self.by_id[loop[0]]
            place.document.problem(
                "036",
                (*place.path, "successors"),
                "a loop of successors: " + " -> ".join([*loop, loop[0]]),
                "a way to units that have none",
                "Remove one of the successors.",
            )

    def _aliases(self) -> None:
        """Former names are others than today's, and belong to the unit or to a closed one."""
        for place in self.places:
            given = place.record.get("aliases")
            seen: set[tuple[str, str]] = set()
            for number, alias in enumerate(given if isinstance(given, list) else ()):
                if not isinstance(alias, dict):
                    continue
                at = (*place.path, "aliases", number)
                name, unit = alias.get("name"), alias.get("unit")
                if isinstance(name, str) and name == place.record.get("name"):
                    place.document.problem(
                        "037",
                        (*at, "name"),
                        f"the former name {shown(name)}, which the unit has",
                        "a name that the unit no longer has",
                        "Remove the former name.",
                    )
                if isinstance(unit, str):
                    if "code" in alias:
                        place.document.problem(
                            "037",
                            (*at, "code"),
                            f"a code of {shown(unit)}",
                            "a code of the unit's own: a closed unit keeps its code in its record",
                            "Remove the code.",
                        )
                    other = self.by_id.get(unit)
                    unknown = other is None and self.complete
                    open_one = other is not None and other.record.get("state") in OPEN
                    if unknown or open_one or alias.get("by") == "rename":
                        place.document.problem(
                            "037",
                            (*at, "unit"),
                            f"the unknown unit {shown(unit)}"
                            if unknown
                            else f"the unit {shown(unit)}, which is {other.record['state']}"
                            if other is not None and alias.get("by") != "rename"
                            else f"the name of {shown(unit)} by a renaming",
                            "the id of a closed unit that was merged or split",
                            "Correct or remove it.",
                        )
                if isinstance(name, str):
                    key = (name, unit if isinstance(unit, str) else "")
                    if key in seen:
                        place.document.problem(
                            "037",
                            (*at, "name"),
                            f"the former name {shown(name)} a second time",
                            "each former name once",
                            "Remove one of the two.",
                        )
                    seen.add(key)

    def _control_points(self) -> None:
        """Conferences are moderated from units that are there."""
        data = self.province.data
        given = data.get("control_points") if isinstance(data, dict) else None
        for number, ident in enumerate(given if isinstance(given, list) else ()):
            place = self.by_id.get(ident) if isinstance(ident, str) else None
            if place is None and not self.complete:
                continue
            if isinstance(ident, str) and (place is None or place.record.get("state") == CLOSED):
                self.province.problem(
                    "038",
                    ("control_points", number),
                    f"the closed unit {shown(ident)}" if place else f"the unknown unit {shown(ident)}",
                    "the id of an open unit of this register",
                    ("" if place else self.province.near(ident, self.by_id)) + "Correct or remove it.",
                )

    def _machines(self) -> None:
        """Counts and sizes are of machines that there are, within what is reserved for them."""
        data = self.province.data
        given = data.get("machines") if isinstance(data, dict) else None
        machines = self.catalogue.machines
        for name, record in given.items() if isinstance(given, dict) else ():
            if name not in machines:
                self.province.problem(
                    "039",
                    ("machines", name),
                    f"the unknown machine {shown(name)}",
                    "one of " + ", ".join(machines),
                    near(name, list(machines))
                    + "Correct it: a province gives sizes, the catalogue machines.",
                )
                continue
            members = record.get("members") if isinstance(record, dict) else None
            if (
                isinstance(members, int)
                and not isinstance(members, bool)
                and members > machines[name].members
            ):
                self.province.problem(
                    "039",
                    ("machines", name, "members"),
                    f"{members} members of {name}",
                    f"at most {machines[name].members}, for which addresses are reserved",
                    "Lower the number.",
                )

    def _networks(self) -> None:
        """What others assigned lies outside our own pools, and twice nowhere; what went back is free."""
        spans = self._pool_spans("026")
        malformed = {
            (problem.file, problem.path) for document in self.documents for problem in document.problems
        }
        for place in self.places:
            if isinstance(place.record.get("returned"), str):
                continue
            links = place.record.get("links")
            given = [((*place.path,), place.record, "041", "the unit")]
            given += [
                ((*place.path, "links", number), link, "033", "the line of")
                for number, link in enumerate(links if isinstance(links, list) else ())
            ]
            for path, record, code, words in given:
                for key in ("assigned4", "assigned6"):
                    value = record.get(key) if isinstance(record, dict) else None
                    if not isinstance(value, str):
                        continue
                    if (place.document.file, dotted((*path, key))) not in malformed:
                        whose = f"{words} {place.record.get('id')}"
                        spans.append(_Span(IPNetwork(value), place.document, (*path, key), whose, code))
        self._overlaps(spans, pools_too=False)


def _loops(following: Mapping[str, list[Any]]) -> Iterator[list[str]]:
    """Every loop once, from the names that follow each name; linear, and without recursion.

    Names that are not among the keys end a way. Of loops that share a name one is told.
    """
    state: dict[str, bool] = {}  # True: on the way that is walked, False: done
    for start in following:
        if start in state:
            continue
        way, waiting = [start], [iter(following[start])]
        state[start] = True
        while way:
            here = next((name for name in waiting[-1] if isinstance(name, str) and name in following), None)
            if here is None:
                state[way.pop()] = False
                waiting.pop()
            elif here not in state:
                state[here] = True
                way.append(here)
                waiting.append(iter(following[here]))
            elif state[here]:
                yield way[way.index(here) :]


def _pool(name: str, record: dict[str, Any]) -> Pool:
    """A pool whose record is sound by itself."""
    return Pool(
        name=name,
        network4=IPNetwork(record["network4"]),
        more4=tuple(IPNetwork(text) for text in record.get("more4", ())),
        network6=IPNetwork(record["network6"]),
        block4=record["block4"],
        block6=record["block6"],
        carrier4=IPNetwork(record["carrier4"]),
        carrier6=IPNetwork(record["carrier6"]),
        asn=record["asn"],
        letter=record["letter"],
    )


def schema() -> dict[str, Any]:
    """The JSON schema of a register's files: docs/reference/register.schema.json.

    It says what one record may hold; what holds between records (unique ids and indexes, parents,
    addresses) is checked by `province check`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "register.schema.json",
        "title": "Register",
        "description": "A file of inventories/registers/<province>: province.yml, or one of units/*.yml.",
        "oneOf": [{"$ref": "#/$defs/province"}, {"$ref": "#/$defs/units"}],
        "$defs": {"province": PROVINCE.schema(), "units": UNITS.schema()},
    }
