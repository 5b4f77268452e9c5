"""A second opinion on a register: which rules its data breaks, and where.

Slow, plain and pairwise on purpose, written from the wording of the rules, and without anything of
province.register: where the two disagree, one of them is wrong. Data are what a reader of YAML 1.2 gives:
`files` maps the name of a file (province.yml, units/<name>.yml) to what it holds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from ipaddress import ip_network
from itertools import combinations, product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Where = tuple[str, tuple[str | int, ...]]
PROVINCE = "province.yml"


@dataclass(frozen=True)
class Fault:
    """A broken rule: codes it may be told by, and places one of which is told.

    What `may` be told need not be: it follows from another fault.
    """

    codes: frozenset[str]
    places: frozenset[Where]
    may: bool = False


def fault(codes: str, *places: Where, may: bool = False) -> Fault:
    """A fault told by one of some codes (REG-…) at one of some places."""
    return Fault(frozenset(f"REG-{code}" for code in codes.split()), frozenset(places), may)


@dataclass(frozen=True)
class Facts:
    """What the catalogue and the applications say, as far as rules of a register speak of it."""

    kinds: Mapping[str, tuple[str, tuple[str, ...]]]
    services: frozenset[str]
    members: Mapping[str, int]
    routers: frozenset[int]
    reserved: frozenset[str]


def facts(root: Path) -> Facts:
    """Read them from a tree, with another reader than the product's."""

    def read(path: Path) -> Any:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))

    catalogue = root / "inventories/catalogue"
    machines = read(catalogue / "machines.yml")["machines"]
    offered = read(catalogue / "services.yml")["services"]
    services = {s["id"] for s in offered if s["names"]} | {
        p.parent.name for p in (root / "apps").glob("*/app.yml")
    }
    hosts = {
        f"{machine.get('short', name)}-{number}"
        for name, machine in machines.items()
        for number in range(1, machine["members"] + 1)
    }
    return Facts(
        kinds={
            name: (kind["pool"], tuple(kind["parents"]))
            for name, kind in read(catalogue / "kinds.yml")["kinds"].items()
        },
        services=frozenset(services),
        members={name: machine["members"] for name, machine in machines.items()},
        routers=frozenset(machine["asn"] for machine in machines.values() if "asn" in machine),
        # What the plan and the domain call something else.
        reserved=frozenset(
            {"centre", "carrier", "dc"} | hosts | services | {n for s in offered for n in s["names"]}
        ),
    )


# --- one value ---------------------------------------------------------------------------------------

Rule = Callable[[str, tuple[str | int, ...], Any], Iterator[Fault]]
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Vowels of Vietnamese with each of its tones, and đ.
LETTERS = frozenset(
    "".join(
        unicodedata.normalize("NFC", vowel + tone)
        for vowel in "aăâeêioôơuưy"
        for tone in ("", *"\u0300\u0301\u0303\u0309\u0323")
    )
    + "đbcdfghjklmnpqrstvwxz"
)
SIGNS = frozenset("0123456789 –-,.()'’/&+")


@lru_cache(100_000)
def invisible(text: str) -> bool:
    """Whether a text holds what cannot be seen."""
    return any(unicodedata.category(char) in INVISIBLE for char in text)


def whole(low: int, high: int) -> Rule:
    """A whole number."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not int:
            yield fault("012", (file, path))
        elif value < low or value > high:
            yield fault("013", (file, path))

    return rule


def words(pattern: str = "", longest: int = 200, name: bool = False) -> Rule:
    """A text in one line, of visible characters, in NFC."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not str:
            yield fault("012", (file, path))
            return
        codes = set()
        if unicodedata.normalize("NFC", value) != value:
            codes.add("014")
        if not value or value[:1].isspace() or value[-1:].isspace() or len(value) > longest:
            codes.add("013")
        if "\n" in value or (pattern and not re.fullmatch(pattern, value)):
            codes.add("013")
        if name and any(c.lower() not in LETTERS and c not in SIGNS for c in value):
            codes.add("017")
        if codes:
            yield fault(" ".join(codes), (file, path))

    return rule


def one_of(*values: str) -> Rule:
    """One of some words."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not str or value not in values:
            yield fault("013", (file, path))

    return rule


def day(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
    """A day of the calendar."""
    if type(value) is not str:
        yield fault("012", (file, path))
    elif not is_day(value):
        yield fault("018", (file, path))


def is_day(value: Any) -> bool:
    """Whether it is YYYY-MM-DD, and there is such a day."""
    if type(value) is not str or [c.isdigit() and c.isascii() for c in value] != [
        True, True, True, True, False, True, True, False, True, True
    ]:  # fmt: skip
        return False
    if value[4] + value[7] != "--":
        return False
    try:
        date(int(value[:4]), int(value[5:7]), int(value[8:]))
    except ValueError:
        return False
    return True


# Networks of whose addresses no machine has one.
NOBODYS = tuple(
    ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
) + tuple(ip_network(text) for text in ("::/8", "fe80::/10", "ff00::/8"))


def span(value: Any, family: int = 0) -> tuple[int, int, int] | None:
    """Family, first and last address of a network in CIDR form; None for anything else."""
    return _span(value, family) if type(value) is str else None


@lru_cache(100_000)
def _span(value: str, family: int) -> tuple[int, int, int] | None:
    if not re.fullmatch(r"[0-9.]+/[0-9]+|[0-9a-f:]+/[0-9]+", value):
        return None
    try:
        network = ip_network(value)
    except ValueError:
        return None
    if family and network.version != family:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def net(family: int, longest: int) -> Rule:
    """A network in CIDR form without host bits."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not str:
            yield fault("012", (file, path))
            return
        found = span(value, family)
        nobodys = (span(str(other)) for other in NOBODYS)
        if not found or int(value.partition("/")[2]) > longest or any(_meet(found, o) for o in nobodys if o):
            yield fault("013", (file, path))

    return rule


def many(item: Rule, least: int = 0, most: int = 100_000, once: bool = False) -> Rule:
    """A list."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not list:
            yield fault("012", (file, path))
            return
        if len(value) < least or len(value) > most:
            yield fault("013", (file, path))
        for number, entry in enumerate(value):
            yield from item(file, (*path, number), entry)
            if once and any(type(entry) is type(other) and entry == other for other in value[:number]):
                yield fault("013", (file, (*path, number)))

    return rule


def record(fields: Mapping[str, tuple[bool, Rule]]) -> Rule:
    """A mapping of known fields; True where they must be there."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not dict:
            yield fault("012", (file, path))
            return
        for key, entry in value.items():
            if key in fields:
                yield from fields[key][1](file, (*path, key), entry)
            else:
                yield fault("010", (file, (*path, key)))
        for key, (needed, _) in fields.items():
            if needed and key not in value:
                yield fault("011", (file, path))

    return rule


def mapping(key_rule: Rule, item: Rule, least: int = 0) -> Rule:
    """A mapping of free names."""

    def rule(file: str, path: tuple[str | int, ...], value: Any) -> Iterator[Fault]:
        if type(value) is not dict or len(value) < least:
            yield fault("012", (file, path))
            return
        for key, entry in value.items():
            yield from key_rule(file, (*path, key), key)
            yield from item(file, (*path, key), entry)

    return rule


NEEDED, FREE = True, False
IDENT = words(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", 50)
NAME = words(longest=200, name=True)
OFFICIAL = words(r"[A-Za-z0-9][A-Za-z0-9.-]*", 30)
SHORT = words(r"[a-z][a-z0-9-]*", 30)
WORD = words(r"[a-z][a-z0-9_]*", 30)
DONG = whole(0, 1_000_000_000_000)
LINE = record(
    {
        "access": (NEEDED, one_of("fibre", "copper", "microwave", "mobile", "satellite")),
        "bandwidth_mbps": (NEEDED, whole(1, 100_000)),
        "assigned4": (FREE, net(4, 30)),
        "assigned6": (FREE, net(6, 64)),
    }
)
CONTACT = record(
    {
        "role": (NEEDED, one_of("network_administrator", "office", "security")),
        "mailbox": (NEEDED, words(r"[a-z][a-z0-9.-]{1,62}", 63)),
    }
)
ALIAS = {
    "name": (NEEDED, NAME),
    "code": (FREE, OFFICIAL),
    "until": (NEEDED, day),
    "by": (NEEDED, one_of("rename", "merge", "split")),
    "unit": (FREE, IDENT),
}
UNIT = {
    "id": (NEEDED, IDENT),
    "code": (NEEDED, OFFICIAL),
    "index": (NEEDED, whole(0, 65_535)),
    "name": (NEEDED, NAME),
    "kind": (NEEDED, WORD),
    "parent": (FREE, IDENT),
    "sphere": (NEEDED, one_of("government", "party")),
    "org_code": (FREE, words(r"[A-Z][0-9]{2}(\.[A-Z0-9]{1,3})*", 20)),
    "assigned4": (FREE, net(4, 24)),
    "assigned6": (FREE, net(6, 56)),
    "aliases": (FREE, many(record(ALIAS))),
    "links": (NEEDED, many(LINE, 1, 2)),
    "services": (NEEDED, many(SHORT, once=True)),
    "contacts": (NEEDED, many(CONTACT, 1)),
    "wave": (NEEDED, whole(0, 99)),
    "state": (NEEDED, one_of("planned", "provisioned", "live", "closed")),
    "closed": (FREE, day),
    "successors": (FREE, many(IDENT, once=True)),
    "returned": (FREE, day),
    "level": (NEEDED, whole(1, 5)),
    "level_basis": (NEEDED, words(longest=300)),
}
POOL = {
    "network4": (NEEDED, net(4, 24)),
    "more4": (FREE, many(net(4, 24), 1)),
    "network6": (NEEDED, net(6, 56)),
    "block4": (NEEDED, whole(8, 24)),
    "block6": (NEEDED, whole(32, 56)),
    "carrier4": (NEEDED, net(4, 28)),
    "carrier6": (NEEDED, net(6, 60)),
    "asn": (NEEDED, whole(4_200_000_000, 4_294_967_294)),
    "letter": (NEEDED, words("[a-z]", 1)),
}
SIZES = {
    "members": (FREE, whole(1, 2)),
    "cores": (FREE, whole(1, 256)),
    "memory_mib": (FREE, whole(128, 4_194_304)),
    "disk_gib": (FREE, whole(1, 1_048_576)),
}
PRICES = ("line_mbps_month", "core_year", "memory_gib_year", "disk_gib_year", "public_address_year")
DOMAIN = words(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", 120)
WHOLE_PROVINCE = {
    "id": (NEEDED, IDENT),
    "code": (NEEDED, OFFICIAL),
    "name": (NEEDED, NAME),
    "domain": (NEEDED, DOMAIN),
    "pools": (NEEDED, mapping(SHORT, record(POOL), 1)),
    "control_points": (FREE, many(IDENT, once=True)),
    "machines": (FREE, mapping(WORD, record(SIZES))),
    "prices": (FREE, record(dict.fromkeys(PRICES, (FREE, DONG)))),
}
LAST_ASN = 4_294_967_294
OPEN = ("planned", "provisioned", "live")


# --- texts of a file ---------------------------------------------------------------------------------


def _texts(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every text and every number with its place, keys among them."""
    if type(value) in (str, int, float):
        yield path, value
    elif type(value) is dict:
        for key, entry in value.items():
            yield (*path, key), key
            yield from _texts((*path, key), entry)
    elif type(value) is list:
        for number, entry in enumerate(value):
            yield from _texts((*path, number), entry)


def unreadable(file: str, data: Any, *, blocks: bool) -> list[Fault]:
    """What makes a file no file of ours, whatever record it stands in.

    With `blocks` texts may have several lines, as they stand in the file; else these came by escapes.
    """
    found = []
    for path, text in _texts((), data):
        # More digits than any number of a register, and than some readers can hold.
        if type(text) is not str:
            if len(repr(text)) > 18:
                found.append(fault("019", (file, path)))
            continue
        if invisible(text.replace("\n", "") if blocks else text):
            # Half a character of UTF-16 cannot even be read.
            found.append(fault("007 003", (file, path)))
        if any(braces in text for braces in ("{{", "{%", "{#")):
            found.append(fault("009", (file, path)))
    return found


# --- records among each other ------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A unit's record and its place."""

    file: str
    path: tuple[str | int, ...]
    record: dict[str, Any]

    def at(self, *path: str | int) -> Where:
        """A place inside the record."""
        return self.file, (*self.path, *path)

    def text(self, key: str) -> str | None:
        """A field that is a text."""
        value = self.record.get(key)
        return value if type(value) is str else None

    def items(self, key: str) -> list[Any]:
        """A field that is a list."""
        value = self.record.get(key)
        return value if type(value) is list else []


def faults(files: Mapping[str, Any], folder: str, known: Facts, *, blocks: bool = False) -> list[Fault]:
    """Every rule that a register breaks; `folder` is the name of its folder, `blocks` as above."""
    found: list[Fault] = []
    sound: dict[str, Any] = {}
    for file, data in files.items():
        here = unreadable(file, data, blocks=blocks)
        if not here:
            sound[file] = data
            rule = record(WHOLE_PROVINCE if file == PROVINCE else {"units": (NEEDED, many(record(UNIT)))})
            here = list(rule(file, (), data))
        found += here
    # Of a file that cannot be read only that is told, not that others speak of what stands in it.
    complete = all(
        file in sound and type(data) is dict and type(data.get("units")) is list
        for file, data in files.items()
        if file != PROVINCE
    )
    province = sound.get(PROVINCE)
    province = province if type(province) is dict else {}
    entries = [
        Entry(file, ("units", number), unit)
        for file, data in sorted(sound.items())
        if file != PROVINCE and type(data) is dict and type(data.get("units")) is list
        for number, unit in enumerate(data["units"])
        if type(unit) is dict
    ]
    if type(province.get("id")) is str and province["id"] != folder:
        found.append(fault("016", (PROVINCE, ("id",))))
    pools = _pools(province, found)
    found += _pool_faults(province, pools, known)
    found += _twice(entries, known)
    found += _belonging(entries, known, pools, complete)
    found += _life(entries, complete)
    found += _same_looks(entries)
    found += _own(province, entries, known, complete)
    found += _networks(entries, pools)
    return found


def _pools(province: dict[str, Any], found: list[Fault]) -> dict[str, dict[str, Any]]:
    """Pools without a fault of their own."""
    given = province.get("pools")
    bad = {
        path[1]
        for one in found
        for file, path in one.places
        if file == PROVINCE and len(path) > 1 and path[0] == "pools"
    }
    if type(given) is not dict:
        return {}
    return {name: pool for name, pool in given.items() if name not in bad and type(pool) is dict}


def _blocks(network: str, block: int) -> int:
    length = int(network.partition("/")[2])
    return 2 ** (block - length) if block >= length else 0


def capacity(pool: dict[str, Any]) -> int:
    """How many indexes a pool has: blocks of both families, and two lines each (/30, /64)."""
    return min(
        sum(_blocks(network, pool["block4"]) for network in (pool["network4"], *pool.get("more4", ()))),
        _blocks(pool["network6"], pool["block6"]),
        _blocks(pool["carrier4"], 30) // 2,
        _blocks(pool["carrier6"], 64) // 2,
    )


def _pool_networks(pools: Mapping[str, dict[str, Any]]) -> Iterator[tuple[Where, tuple[int, int, int]]]:
    for name, pool in pools.items():
        values: list[tuple[tuple[str | int, ...], str]]
        values = [(("network4",), pool["network4"]), (("network6",), pool["network6"])]
        values += [(("carrier4",), pool["carrier4"]), (("carrier6",), pool["carrier6"])]
        values += [(("more4", n), text) for n, text in enumerate(pool.get("more4", ()))]
        for path, text in values:
            found = span(text)
            assert found
            yield (PROVINCE, ("pools", name, *path)), found


def _meet(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]


def _pool_faults(
    province: dict[str, Any], pools: Mapping[str, dict[str, Any]], known: Facts
) -> Iterator[Fault]:
    given = province.get("pools")
    if type(given) is dict:
        for name in {pool for pool, _ in known.kinds.values()} | {"centre"}:
            if name not in given:
                yield fault("024", (PROVINCE, ("pools",)))
    for name, pool in pools.items():
        at = ("pools", name)
        four: list[tuple[tuple[str | int, ...], str]]
        four = [(("block4",), pool["network4"])]
        four += [(("more4", n), text) for n, text in enumerate(pool.get("more4", ()))]
        for path, network in four:
            if not _blocks(network, pool["block4"]):
                yield fault("025", (PROVINCE, (*at, *path)))
        if not _blocks(pool["network6"], pool["block6"]):
            yield fault("025", (PROVINCE, (*at, "block6")))
        # The centre has 64 networks of /24 and of /64.
        if name == "centre" and (pool["block4"] > 18 or pool["block6"] > 56):
            yield fault("025", (PROVINCE, at))
        last = pool["asn"] + capacity(pool) - 1
        if last > LAST_ASN or any(pool["asn"] <= asn <= last for asn in known.routers):
            yield fault("025", (PROVINCE, (*at, "asn")))
    for (one, first), (other, second) in combinations(pools.items(), 2):
        places = ((PROVINCE, ("pools", one)), (PROVINCE, ("pools", other)))
        if first["letter"] == second["letter"]:
            yield fault("025", *((file, (*path, "letter")) for file, path in places))
        ends = [pool["asn"] + capacity(pool) - 1 for pool in (first, second)]
        if first["asn"] <= ends[1] and second["asn"] <= ends[0]:
            yield fault("025", *((file, (*path, "asn")) for file, path in places))
        elif not capacity(first) or not capacity(second):
            yield fault("025", *((file, (*path, "asn")) for file, path in places), may=True)
    for (place, one_span), (other_place, other_span) in combinations(_pool_networks(pools), 2):
        if _meet(one_span, other_span):
            yield fault("026", place, other_place)


def _twice(entries: list[Entry], known: Facts) -> Iterator[Fault]:
    for entry in entries:
        if entry.text("id") in known.reserved:
            yield fault("020", entry.at("id"))
    for one, other in combinations(entries, 2):
        for key, code in (("id", "020"), ("code", "021"), ("org_code", "021")):
            if one.text(key) is not None and one.text(key) == other.text(key):
                yield fault(code, other.at(key))
    # A code that went out of use is never another's, nor the unit's own again.
    codes = [(entry.at("code"), entry.text("code")) for entry in entries]
    former = [
        (entry.at("aliases", number, "code"), alias["code"])
        for entry in entries
        for number, alias in enumerate(entry.items("aliases"))
        if type(alias) is dict and type(alias.get("code")) is str
    ]
    for (_, code_of), (place, old) in [*product(codes, former), *combinations(former, 2)]:
        if code_of == old:
            yield fault("021", place)


def _first(entries: list[Entry], ident: Any) -> Entry | None:
    if type(ident) is not str:
        return None
    return next((entry for entry in entries if entry.text("id") == ident), None)


def _belonging(
    entries: list[Entry], known: Facts, pools: Mapping[str, dict[str, Any]], complete: bool
) -> Iterator[Fault]:
    def pool_of(entry: Entry) -> str | None:
        kind = entry.text("kind")
        return known.kinds[str(kind)][0] if kind in known.kinds else None

    def index_of(entry: Entry) -> int | None:
        index = entry.record.get("index")
        return index if type(index) is int else None

    for entry in entries:
        kind, sphere, parent = entry.text("kind"), entry.text("sphere"), entry.text("parent")
        if kind is not None and kind not in known.kinds:
            yield fault("022", entry.at("kind"))
        party = (kind == "party_body", sphere == "party")
        if kind in known.kinds and sphere in ("government", "party") and party[0] != party[1]:
            yield fault("032", entry.at("sphere"))
        pool, index = pool_of(entry), index_of(entry)
        if pool in pools and index is not None and index >= capacity(pools[str(pool)]) > 0:
            yield fault("027", entry.at("index"))
        for number, service in enumerate(entry.items("services")):
            if type(service) is str and service not in known.services:
                yield fault("031", entry.at("services", number))
        above = _first(entries, parent)
        if parent is not None and above is None and complete:
            yield fault("028", entry.at("parent"))
        if above is not None:
            over = above.text("kind")
            if kind in known.kinds and over in known.kinds and over not in known.kinds[str(kind)][1]:
                yield fault("030", entry.at("parent"))
            if above.text("state") == "closed" and entry.text("state") in OPEN:
                yield fault("040", entry.at("parent"))
    for one, other in combinations(entries, 2):
        blocks = [(pool_of(entry), index_of(entry)) for entry in (one, other)]
        if blocks[0] == blocks[1] and None not in blocks[0]:
            yield fault("023", other.at("index"))
    yield from _circles(entries, lambda entry: [entry.record.get("parent")], "parent", "029")


def _circles(
    entries: list[Entry], following: Callable[[Entry], list[Any]], key: str, code: str
) -> Iterator[Fault]:
    """A unit that is reached from itself. Of circles that share a unit one is told."""
    reached: dict[str, set[str]] = {}
    for entry in entries:
        ident = entry.text("id")
        if ident is None or ident in reached:
            continue
        seen: set[str] = set()
        todo = [entry]
        while todo:
            for name in following(todo.pop()):
                further = _first(entries, name)
                if further is not None and name not in seen:
                    seen.add(name)
                    todo.append(further)
        reached[ident] = seen
    inside = {ident for ident, seen in reached.items() if ident in seen}
    for ident in inside:
        circle = {other for other in inside if other in reached[ident] and ident in reached[other]}
        places = [entry.at(key) for entry in entries if entry.text("id") in circle]
        places += [
            entry.at(key, n)
            for entry in entries
            if entry.text("id") in circle
            for n, _ in enumerate(entry.items(key))
        ]
        yield fault(code, *places)


def _life(entries: list[Entry], complete: bool) -> Iterator[Fault]:
    for entry in entries:
        state = entry.text("state")
        if state == "closed" and "closed" not in entry.record:
            yield fault("034", entry.at("state"))
        if state in OPEN:
            for key in ("closed", "successors", "returned"):
                if key in entry.record:
                    yield fault("034", entry.at(key))
        closed, returned = entry.text("closed"), entry.text("returned")
        if closed is not None and returned is not None:
            sound = is_day(closed) and is_day(returned)
            if returned < closed:
                yield fault("035", entry.at("returned"), may=not sound)
        ident = entry.text("id")
        for number, heir in enumerate(entry.items("successors")):
            unknown = type(heir) is str and _first(entries, heir) is None
            if (unknown and complete) or (type(heir) is str and heir == ident):
                yield fault("036", entry.at("successors", number))
        names: list[tuple[str, Any]] = []
        for number, alias in enumerate(entry.items("aliases")):
            if type(alias) is not dict:
                continue
            name, unit = alias.get("name"), alias.get("unit")
            if type(name) is str:
                if name == entry.record.get("name"):
                    yield fault("037", entry.at("aliases", number, "name"))
                bearer = unit if type(unit) is str else ""
                if (name, bearer) in names:
                    yield fault("037", entry.at("aliases", number, "name"))
                names.append((name, bearer))
            if type(unit) is str:
                if "code" in alias:
                    yield fault("037", entry.at("aliases", number, "code"))
                other = _first(entries, unit)
                if (
                    (other is None and complete)
                    or (other is not None and other.text("state") in OPEN)
                    or alias.get("by") == "rename"
                ):
                    yield fault("037", entry.at("aliases", number, "unit"))

    def heirs(entry: Entry) -> list[Any]:
        return [heir for heir in entry.items("successors") if heir != entry.text("id")]

    yield from _circles(entries, heirs, "successors", "036")
    if any(one.text("id") == other.text("id") for one, other in combinations(entries, 2)):
        # Whose successors those of an id are is then open.
        yield fault("036", *(entry.at("successors") for entry in entries), may=True)


TONES = "\u0300\u0301\u0303\u0309\u0323"
SAME = str.maketrans({"’": "'", "–": "-"})
# Signs that are one stroke or one ring in many fonts.
GLYPHS = str.maketrans({"I": "l", "1": "l", "O": "0"})


def _syllable(text: str) -> str:
    """A syllable with its tone behind it: old and new spellings place the tone on another vowel."""
    parts = unicodedata.normalize("NFD", text)
    tones = "".join(c for c in parts if c in TONES)
    return unicodedata.normalize("NFC", "".join(c for c in parts if c not in TONES)) + tones


def looks(name: str) -> tuple[str, str]:
    """What a person sees of a name: without case, and without knowing strokes and rings apart."""
    plain = " ".join(_syllable(part) for part in name.translate(SAME).split())
    return plain.casefold(), plain.translate(GLYPHS)


def _same_looks(entries: list[Entry]) -> Iterator[Fault]:
    """Open units under one parent have names that a person can tell apart."""
    named = [
        (entry, looks(entry.record["name"]))
        for entry in entries
        if entry.text("name") is not None and entry.text("state") in OPEN
    ]
    for (one, seen), (other, also) in combinations(named, 2):
        if one.record.get("parent") == other.record.get("parent") and (
            seen[0] == also[0] or seen[1] == also[1]
        ):
            odd = any(list(NAME(entry.file, (), entry.record["name"])) for entry in (one, other))
            yield fault("042", one.at("name"), other.at("name"), may=odd)


def _own(province: dict[str, Any], entries: list[Entry], known: Facts, complete: bool) -> Iterator[Fault]:
    points = province.get("control_points")
    for number, ident in enumerate(points if type(points) is list else ()):
        there = _first(entries, ident)
        if type(ident) is str and (
            (there is None and complete) or (there is not None and there.text("state") == "closed")
        ):
            yield fault("038", (PROVINCE, ("control_points", number)))
    machines = province.get("machines")
    for name, sizes in machines.items() if type(machines) is dict else ():
        if name not in known.members:
            yield fault("039", (PROVINCE, ("machines", name)))
            continue
        members = sizes.get("members") if type(sizes) is dict else None
        if type(members) is int and members > known.members[name]:
            yield fault("039", (PROVINCE, ("machines", name, "members")))


def _networks(entries: list[Entry], pools: Mapping[str, dict[str, Any]]) -> Iterator[Fault]:
    """What others gave overlaps neither our pools nor anything else given, until it was given back."""
    own = list(_pool_networks(pools))
    given: list[tuple[Where, tuple[int, int, int]]] = []
    for entry in entries:
        if entry.text("returned") is not None:
            continue
        holders: list[tuple[Any, ...]]
        holders = [((), entry.record, net(4, 24), net(6, 56))]
        holders += [
            (("links", n), line, net(4, 30), net(6, 64))
            for n, line in enumerate(entry.items("links"))
            if type(line) is dict
        ]
        for path, holder, *rules in holders:
            for key, rule in zip(("assigned4", "assigned6"), rules, strict=True):
                found = span(holder.get(key))
                if found and not list(rule("", (), holder[key])):
                    given.append((entry.at(*path, key), found))
    for place, here in given:
        for _, there in own:
            if _meet(here, there):
                yield fault("033 041", place)
    for (place, here), (other, there) in combinations(given, 2):
        if _meet(here, there):
            yield fault("033 041", place, other)
