"""The register: what a province tells us about itself and its units. Loading and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netaddr import IPNetwork

from province.problems import ProblemsFoundError
from province.register.catalogue import NAME, SIZES, WORD, Catalogue
from province.register.document import Document, Path_, near, read_document, shown
from province.register.shape import Choice, Date, Field, Integer, ListOf, MapOf, Network, Record, Text

STATES = ("planned", "provisioned", "live", "closed")
SPHERES = ("government", "party")
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
    characters="A-Za-zÀ-ÃÈ-ÊÌÍÒ-ÕÙÚÝà-ãè-êìíò-õùúýĂăĐđĨĩŨũƠơƯưẠ-ỹ0-9 –,.()'/&+-",
    characters_words="Latin letters with the marks of Vietnamese, digits, spaces and – - , . ( ) ' / & +",
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

    `unit` is the id of the closed unit that bore it, "" where the unit itself did.
    """

    name: str
    until: str
    by: str
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
        self.catalogue = catalogue
        self.services = services
        self.places = [
            _Place(document, ("units", number), record)
            for document in documents
            if isinstance(document.data, dict) and isinstance(document.data.get("units"), list)
            for number, record in enumerate(document.data["units"])
            if isinstance(record, dict)
        ]
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
        for place in self.places:
            if place.record.get("id") in (CENTRE, CARRIER):
                place.document.problem(
                    "020",
                    (*place.path, "id"),
                    f"the id {shown(place.record['id'])}, by which the plan calls something else",
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
        self._networks()

    def _sound_pools(self) -> dict[str, dict[str, Any]]:
        """Pools without a problem of their own."""
        data = self.province.data
        pools = data.get("pools") if isinstance(data, dict) else None
        if not isinstance(pools, dict):
            return {}
        bad = {
            problem.path.split(".")[1]
            for problem in self.province.problems
            if problem.path.startswith("pools.")
        }
        return {name: pool for name, pool in pools.items() if name not in bad and isinstance(pool, dict)}

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
        for key in ("letter",):
            self._once(key)
        for name, pool in self.pools.items():
            for family in ("4", "6"):
                network = IPNetwork(pool[f"network{family}"])
                if pool[f"block{family}"] < network.prefixlen:
                    self.province.problem(
                        "025",
                        ("pools", name, f"block{family}"),
                        f"blocks of /{pool[f'block{family}']} in {network}",
                        f"/{network.prefixlen} or longer",
                        "Make the blocks smaller or the pool larger.",
                    )
        if CENTRE in self.pools:
            pool = self.pools[CENTRE]
            if pool["block4"] > 16 or pool["block6"] > 56:
                self.province.problem(
                    "025",
                    ("pools", CENTRE),
                    f"a block of /{pool['block4']} and /{pool['block6']} for the centre",
                    "/16 or shorter and /56 or shorter: 256 segments",
                    "Make the centre's block larger.",
                )
        spans: list[tuple[IPNetwork, Document, Path_, str]] = []
        for name, pool in self.pools.items():
            capacity = _pool(name, pool).capacity
            if any(
                other != name and pool["asn"] <= p["asn"] < pool["asn"] + capacity
                for other, p in self.pools.items()
            ):
                self.province.problem(
                    "025",
                    ("pools", name, "asn"),
                    f"AS numbers {pool['asn']} to {pool['asn'] + capacity - 1}, some of another pool",
                    "a range of its own",
                    "Choose another first number.",
                )
            routers = [m.asn for m in self.catalogue.machines.values() if m.asn]
            last = pool["asn"] + capacity - 1
            if last > MAXIMUM_ASN or any(pool["asn"] <= asn <= last for asn in routers):
                self.province.problem(
                    "025",
                    ("pools", name, "asn"),
                    f"AS numbers {pool['asn']} to {last}, some of a machine of the centre or of nobody",
                    f"a range of its own up to {MAXIMUM_ASN}",
                    "Choose another first number.",
                )
            for key in ("network4", "network6", "carrier4", "carrier6"):
                spans.append(
                    (IPNetwork(pool[key]), self.province, ("pools", name, key), f"the pool {name} ({key})")
                )
        self._overlaps(spans, "026")

    def _once(self, key: str) -> None:
        first: dict[Any, str] = {}
        for name, pool in self.pools.items():
            if pool[key] in first:
                self.province.problem(
                    "025",
                    ("pools", name, key),
                    f"the {key} {shown(pool[key])}, which the pool {first[pool[key]]} has",
                    f"a {key} of its own",
                    "Choose another.",
                )
            first.setdefault(pool[key], name)

    def _overlaps(
        self,
        spans: list[tuple[IPNetwork, Document, Path_, str]],
        code: str,
        pools_too: bool = True,
    ) -> None:
        """One sweep over sorted ranges: linear after sorting, whatever the number."""
        for version in (4, 6):
            last: tuple[IPNetwork, Document, Path_, str] | None = None
            chosen = sorted(
                (span for span in spans if span[0].version == version), key=lambda s: (s[0].first, -s[0].last)
            )
            for network, document, path, words in chosen:
                this = (network, document, path, words)
                if (
                    last
                    and network.first <= last[0].last
                    and (pools_too or last[1] is not document or document is not self.province)
                ):
                    # Where one is a pool and the other a line, the line is what has to move.
                    late, early = (last, this) if document is self.province is not last[1] else (this, last)
                    late[1].problem(
                        code,
                        late[2],
                        f"{late[0]} for {late[3]}, which overlaps {early[0]} of {early[3]}",
                        "addresses of its own",
                        "Move or shrink one of the two.",
                    )
                if not last or network.last > last[0].last:
                    last = this

    def _unique(self, key: str, code: str, why: str) -> None:
        first: dict[str, _Place] = {}
        for place in self.places:
            value = place.record.get(key)
            if not isinstance(value, str):
                continue
            if value in first:
                place.document.problem(
                    code,
                    (*place.path, key),
                    f"the {key} '{value}' a second time, first in {first[value].words}",
                    f"another {key}: {why}",
                    "Give one of the two units its own.",
                )
            first.setdefault(value, place)

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
        for place in self.places:
            index, pool = place.record.get("index"), self._pool_of(place)
            if not isinstance(index, int) or isinstance(index, bool) or not pool:
                continue
            if (pool, index) in first:
                other = first[pool, index]
                place.document.problem(
                    "023",
                    (*place.path, "index"),
                    f"the index {index} a second time in the pool {pool}, first in {other.words}",
                    "an index of its own: it is the unit's address block",
                    f"Give the newer unit the next free index, {self._free(pool)}.",
                )
            first.setdefault((pool, index), place)
            if pool in self.pools:
                sound = _pool(pool, self.pools[pool])
                # A pool without any block is reported itself.
                if index >= sound.capacity > 0:
                    place.document.problem(
                        "027",
                        (*place.path, "index"),
                        f"the index {index} in the pool {pool}, which ends with {sound.capacity - 1}",
                        f"0 to {sound.capacity - 1}",
                        "Use a free lower index, or widen the pool in province.yml.",
                    )

    def _free(self, pool: str) -> int:
        taken = [
            p.record["index"]
            for p in self.places
            if isinstance(p.record.get("index"), int) and self._pool_of(p) == pool
        ]
        return int(max(taken)) + 1

    def _parents(self) -> None:
        by_id = {p.record["id"]: p for p in reversed(self.places) if isinstance(p.record.get("id"), str)}
        reported: set[str] = set()
        for place in self.places:
            parent = place.record.get("parent")
            if not isinstance(parent, str):
                continue
            if parent not in by_id:
                place.document.problem(
                    "028",
                    (*place.path, "parent"),
                    f"the unknown parent {shown(parent)}",
                    "the id of a unit of this register",
                    near(parent, list(by_id))
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
        done: set[str] = set()
        for start in by_id:
            chain: dict[str, None] = {}
            here: Any = start
            while isinstance(here, str) and here in by_id and here not in done and here not in chain:
                chain[here] = None
                here = by_id[here].record.get("parent")
            if isinstance(here, str) and here in chain and here not in reported:
                loop = list(chain)[list(chain).index(here) :]
                reported.update(loop)
                place = by_id[loop[0]]
                place.document.problem(
                    "029",
                    (*place.path, "parent"),
                    "a loop of parents: " + " -> ".join([*loop, loop[0]]),
                    "a way up to the province",
                    "Correct one of the parents.",
                )
            done.update(chain)

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

    def _networks(self) -> None:
        """What carriers assigned lies outside our own pools, and twice nowhere."""
        spans: list[tuple[IPNetwork, Document, Path_, str]] = []
        for name, pool in self.pools.items():
            spans += [
                (IPNetwork(pool[key]), self.province, ("pools", name, key), f"the pool {name}")
                for key in ("network4", "network6", "carrier4", "carrier6")
            ]
        for place in self.places:
            links = place.record.get("links")
            for number, link in enumerate(links if isinstance(links, list) else ()):
                for key in ("assigned4", "assigned6"):
                    value = link.get(key) if isinstance(link, dict) else None
                    if isinstance(value, str) and _is_network(value):
                        path = (*place.path, "links", number, key)
                        spans.append(
                            (IPNetwork(value), place.document, path, f"the line of {place.record.get('id')}")
                        )
        self._overlaps(spans, "033", pools_too=False)


def _is_network(text: str) -> bool:
    try:
        IPNetwork(text)
    except ValueError:
        return False
    except Exception:  # netaddr raises its own AddrFormatError, no ValueError in every version
        return False
    return True


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


def units_by_pool(register: Register, catalogue: Catalogue) -> Iterator[tuple[Pool, Unit]]:
    """Units with their pools, in the register's order."""
    for unit in register.units:
        yield register.pools[catalogue.kinds[unit.kind].pool], unit


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
