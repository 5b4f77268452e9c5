"""A register's first form, from an official list of divisions and the usual list of bodies.

The same input gives the same bytes. Every province has a slot of its own in the private IPv4 space, in the
stand-ins of lines and among AS numbers (slots.yml), and a unique local IPv6 /40 whose 32 random bits are a
digest of its official code: whoever runs this twice gets the same, and two provinces share nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, TypeVar

from province.problems import Problem, ProblemsFoundError
from province.register.catalogue import SPHERES, WORD, Catalogue, Kind, load_catalogue
from province.register.document import Document, Path_, near, read_document, shown
from province.register.model import NAME_VI, OFFICIAL, UNIT_ID
from province.register.shape import Choice, Field, Integer, ListOf, MapOf, Network, Record, Shape, Text
from province.sources import REPOSITORY, called, load_sources, roles_in

HERE = Path(__file__).parent
SLOTS, BODIES = HERE / "slots.yml", "bodies.yml"
PACKAGE = "vietnam-provinces"
SERVICES = ("dns", "ntp", "packages", "start")
LEVEL = 2
BASIS = "Infrastructure of one body (Decree 331/2026, article 12.3, as read by third parties)"
Wide = TypeVar("Wide", IPv4Network, IPv6Network)

_COMMON = {
    "bandwidth_mbps": Field(Integer(minimum=1, maximum=100_000, unit="Mbit/s"), "rate of the line, each way"),
    "wave": Field(Integer(minimum=0, maximum=99), "when it is rolled out"),
}
_BODY = Record(
    "a body",
    {
        "code": Field(OFFICIAL, "its code, behind the province's"),
        "name": Field(
            Text(words="a name, with {tinh}, {xa}, {cap} and {uy}", pattern=r"([^{}]|\{(tinh|xa|cap|uy)\})*"),
            "its name in Vietnamese",
        ),
        "id": Field(
            Text(words="an id, with {tinh_id} and {xa_id}", pattern=r"([a-z0-9-]|\{(tinh_id|xa_id)\})*"),
            "its id, where the name makes too long a one",
            required=False,
        ),
        "parent": Field(UNIT_ID, "id of the unit above", required=False),
        "commune": Field(Integer(minimum=1, maximum=1000), "which commune {xa} is", required=False),
    },
)
_BODIES = Record(
    "the file",
    {
        "divisions": Field(
            MapOf(key=WORD, item=Record("divisions of a pool", _COMMON)),
            "divisions by the pool of their kind",
        ),
        "bodies": Field(
            MapOf(
                key=WORD,
                item=Record(
                    "a kind of bodies",
                    {
                        "file": Field(UNIT_ID, "where they go: units/<file>.yml"),
                        "about": Field(Text(words="a sentence"), "first line of the file"),
                        "sphere": Field(Choice(SPHERES), "government or party"),
                        **_COMMON,
                        "parent": Field(UNIT_ID, "id of the unit above", required=False),
                        "bodies": Field(ListOf(item=_BODY), "bodies"),
                    },
                ),
            ),
            "bodies by kind",
        ),
        "provinces": Field(
            MapOf(
                key=OFFICIAL,
                item=Record(
                    "what a province has besides",
                    {
                        "control_points": Field(
                            ListOf(item=UNIT_ID), "units that moderate conferences", required=False
                        ),
                        "bodies": Field(
                            MapOf(key=WORD, item=ListOf(item=_BODY)), "bodies by kind", required=False
                        ),
                    },
                ),
            ),
            "what single provinces have besides, by official code",
            required=False,
        ),
    },
)
_LENGTH4, _PLACE4 = Integer(minimum=8, maximum=32), Integer(minimum=0, maximum=65_535)
_SLOTS = Record(
    "the file",
    {
        "space": Field(
            Record(
                "the space",
                {
                    "provinces": Field(Integer(minimum=1, maximum=64), "slots of provinces of today"),
                    "network4": Field(Network(family=4, longest=32), "IPv4 addresses of all"),
                    "slot4": Field(_LENGTH4, "prefix length of a slot"),
                    "carrier4": Field(Network(family=4, longest=32), "lines of all, IPv4"),
                    "carrier_slot4": Field(_LENGTH4, "prefix length of a slot of lines"),
                    "carrier6": Field(Network(family=6, longest=64), "lines of all, IPv6"),
                    "carrier_slot6": Field(Integer(minimum=32, maximum=48), "the same for IPv6"),
                    "asn": Field(Integer(minimum=1, maximum=4_294_967_294), "first AS number of all"),
                    "asns": Field(Integer(minimum=1, maximum=10_000_000), "AS numbers of a slot"),
                },
            ),
            "what is shared",
        ),
        "pools": Field(
            MapOf(
                key=WORD,
                item=Record(
                    "a pool",
                    {
                        "letter": Field(Text(words="one letter", pattern="[a-z]", maximum=1), "its letter"),
                        "number": Field(Integer(minimum=0, maximum=9), "its number"),
                        **{key: Field(_PLACE4, "number of its first /24") for key in ("at4", "carrier_at4")},
                        **{
                            key: Field(_LENGTH4, "a prefix length")
                            for key in ("length4", "block4", "carrier_length4")
                        },
                        **{
                            key: Field(Integer(minimum=44, maximum=64), "a prefix length")
                            for key in ("length6", "block6")
                        },
                    },
                ),
                minimum=1,
            ),
            "pools of a slot",
        ),
    },
)
_DIVISIONS = Record(
    "the file",
    {
        "id": Field(UNIT_ID, "id of the register"),
        "code": Field(OFFICIAL, "official code of the province"),
        "name": Field(NAME_VI, "its name in Vietnamese, with its kind"),
        "source": Field(Text(words="a few words"), "the list that the divisions come from"),
        "slot": Field(Integer(minimum=0, maximum=63), "its share of the address space"),
        "bodies": Field(
            Text(words="a file beside bodies.yml", pattern=r"[a-z][a-z0-9-]*\.yml"), "its bodies, by a file"
        ),
        "units": Field(
            ListOf(
                item=Record(
                    "a division",
                    {
                        "code": Field(OFFICIAL, "its official code, as text"),
                        "name": Field(NAME_VI, "its official name"),
                        "type": Field(Text(words="a word"), "what it is, in Vietnamese: xã, phường, …"),
                        "parent": Field(OFFICIAL, "code of the division above", required=False),
                    },
                ),
                minimum=1,
            ),
            "divisions",
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisions:
    """A province as an official list has it, sound but not yet a register.

    `data` is what _DIVISIONS says, `kinds` are the kinds of its divisions by the list's word for them,
    `bodies` is what _BODIES says, `slots` what _SLOTS says.
    """

    data: Mapping[str, Any]
    kinds: Mapping[str, Kind]
    bodies: Mapping[str, Any]
    slots: Mapping[str, Any]


def official(code: int) -> Divisions:
    """A province of today, from the package. Raises ProblemsFoundError (NEW-001) for an unknown code."""
    from vietnam_provinces import Province, Ward  # a large table, wanted by this command alone

    provinces = sorted(Province.iter_all(), key=lambda province: int(province.code))
    slot = next((number for number, p in enumerate(provinces) if int(p.code) == code), None)
    if slot is None:
        raise _unknown(str(code))
    province = provinces[slot]
    name = _nfc(province.name).removeprefix("Thành phố ").removeprefix("Tỉnh ")
    kind = "Tỉnh" if _nfc(str(province.division_type.value)) == "tỉnh" else "Thành phố"
    source = f"package {PACKAGE} {version(PACKAGE)}"
    data = {
        "id": slug(name),
        "code": f"{code:02d}",
        "name": f"{kind} {name}",
        "source": source,
        "slot": slot,
        "bodies": BODIES,
        "units": [
            {
                "code": f"{int(ward.code):05d}",
                "name": _nfc(ward.name),
                "type": _nfc(str(ward.division_type.value)),
            }
            for ward in Ward.iter_all()
            if int(ward.province_code) == code
        ],
    }
    return _checked(Document(file=source, family="DIV", data=data))


def read_divisions(path: Path) -> Divisions:
    """A province of another list or time, from a file in JSON or YAML.

    It says `id`, `code`, `name` with its kind, `source` (the list in a few words), `slot`, `bodies` (a file
    beside bodies.yml) and `units`, each with `code`, `name`, `type` (the Vietnamese word for its kind) and
    perhaps `parent`, a code. Raises ProblemsFoundError (DIV-nnn) with all that is wrong with it.
    """
    document = read_document(path, called(path), "DIV")
    data = document.data
    for division in data.get("units") or () if isinstance(data, dict) else ():
        # JSON says that there is none by a word.
        if isinstance(division, dict) and "parent" in division and division["parent"] is None:
            del division["parent"]
    return _checked(document, of_today=False)


def _checked(document: Document, *, of_today: bool = True) -> Divisions:
    """What a list says, once nothing is wrong with it nor with what it is to be joined to."""
    catalogue = load_catalogue(REPOSITORY / "inventories/catalogue", called, roles_in(REPOSITORY / "roles"))
    slots = _read(SLOTS, _SLOTS).data
    if not document.problems:
        _DIVISIONS.check(document, (), document.data)
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))
    data: dict[str, Any] = document.data
    kinds = {kind.title["vi"].lower(): kind for kind in catalogue.kinds.values()}
    codes: dict[str, int] = {}
    for number, division in enumerate(data["units"]):
        at = ("units", number)
        if division["code"] in codes:
            first = document.line(("units", codes[division["code"]]))
            document.problem(
                "021",
                (*at, "code"),
                f"the code '{division['code']}' a second time"
                + (f", first in line {first}" if first else ""),
                "a code of its own",
                "Correct one of the two.",
            )
        codes.setdefault(division["code"], number)
        if division["type"] not in kinds:
            document.problem(
                "022",
                (*at, "type"),
                f"the unknown type {shown(division['type'])}",
                "the Vietnamese title of a kind of catalogue/kinds.yml: " + ", ".join(kinds),
                near(division["type"], list(kinds)) + "Correct it, or add the kind to the catalogue.",
            )
    for number, division in enumerate(data["units"]):
        if division.get("parent", division["code"]) not in codes:
            document.problem(
                "020",
                ("units", number, "parent"),
                f"the unknown parent {shown(division['parent'])}",
                "the code of a division of this file",
                near(division["parent"], list(codes)) + "Correct it, or leave it out.",
            )
        elif "parent" in division:
            above = data["units"][codes[division["parent"]]]
            kind, other = kinds.get(division["type"]), kinds.get(above["type"])
            if kind and other and other.id not in kind.parents:
                document.problem(
                    "027",
                    ("units", number, "parent"),
                    f"'{above['name']}' ({other.id}) above '{division['name']}' ({kind.id})",
                    "a parent of kind " + ", ".join(kind.parents) if kind.parents else "no parent",
                    "Correct the parent, or allow it in catalogue/kinds.yml.",
                )
    for name, pool in slots["pools"].items():
        number = sum(kinds[d["type"]].pool == name for d in data["units"] if d["type"] in kinds)
        # Index 0 stays free: blocks are told apart more easily from the pool itself.
        room = (1 << max(pool["block4"] - pool["length4"], 0)) - 1
        if number > room:
            document.problem(
                "026",
                ("units",),
                f"{number} divisions of the pool '{name}'",
                f"at most {room}, which have a block in a slot (province/slots.yml)",
                "Split the list, or widen the pool of slots.yml before the first register is written.",
            )
    own = slots["space"]["provinces"]
    if not of_today and data["slot"] < own:
        document.problem(
            "023",
            ("slot",),
            f"the slot {data['slot']}, which a province of today has",
            f"a slot from {own} to 63 that no other register has",
            "Choose another.",
        )
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))
    types = {division["type"] for division in data["units"]}
    used = {word: kind for word, kind in kinds.items() if word in types}
    bodies = _read(HERE / data["bodies"], _BODIES)
    _check_bodies(bodies, catalogue, used, data)
    return Divisions(data=data, kinds=used, bodies=bodies.data, slots=slots)


def _check_bodies(
    document: Document, catalogue: Catalogue, kinds: Mapping[str, Kind], data: Mapping[str, Any]
) -> None:
    """Whether bodies and a list go together."""
    own = document.data.get("provinces", {}).get(data["code"], {}).get("bodies", {})
    above = {division.get("parent") for division in data["units"]}
    communes = sum(division["code"] not in above for division in data["units"])
    for pool in sorted({kind.pool for kind in kinds.values()} - set(document.data["divisions"])):
        document.problem(
            "024",
            ("divisions",),
            f"nothing about divisions of the pool '{pool}'",
            "lines and wave of every pool of divisions",
            "Add it.",
        )
    lists: list[tuple[Path_, str, list[dict[str, Any]]]] = [
        (("bodies", kind, "bodies"), kind, group["bodies"]) for kind, group in document.data["bodies"].items()
    ]
    lists += [(("provinces", data["code"], "bodies", kind), kind, listed) for kind, listed in own.items()]
    codes: dict[str, int] = {}
    for path, kind, listed in lists:
        if kind not in catalogue.kinds or kind not in document.data["bodies"]:
            document.problem(
                "022",
                path,
                f"the unknown kind '{kind}' of bodies",
                "a kind of catalogue/kinds.yml, with its bodies under `bodies:`",
                near(kind, list(catalogue.kinds)) + "Correct it, or add the kind.",
            )
        for number, body in enumerate(listed):
            if body["code"] in codes:
                document.problem(
                    "021",
                    (*path, number, "code"),
                    f"the code '{body['code']}' a second time, first in line {codes[body['code']]}",
                    "a code of its own",
                    "Correct one of the two.",
                )
            codes.setdefault(body["code"], document.line((*path, number)))
            if body.get("commune", 1) > communes:
                document.problem(
                    "025",
                    (*path, number, "commune"),
                    f"the commune {body['commune']} of {communes}",
                    "the number of a commune that there is",
                    "Lower the number.",
                )
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))


def _read(path: Path, shape: Shape) -> Document:
    """A file of ours that people edit."""
    document = read_document(path, called(path), "DIV")
    if not document.problems:
        shape.check(document, (), document.data)
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))
    return document


def slug(text: str) -> str:
    """Vietnamese as ASCII words joined by hyphens: `Phường Điện Biên Phủ` is phuong-dien-bien-phu."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    letters = (
        c.lower() if c.isascii() and c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain
    )
    return "-".join("".join(letters).split())


def ula(code: str) -> IPv6Network:
    """The /40 of a province: fd and 32 bits of a digest of its official code."""
    digest = hashlib.sha256(f"vn-province-{code}".encode()).digest()
    return IPv6Network((b"\xfd" + digest[:4] + bytes(11), 40))


def new_register(code: int) -> dict[str, str]:
    """The files of the register of a province of today, by path. Raises as `official`."""
    return register_files(official(code))


def register_files(divisions: Divisions) -> dict[str, str]:
    """The files of a register by path: the province, its divisions by pool, its bodies by kind."""
    data, bodies = divisions.data, divisions.bodies
    name = data["name"]
    own = bodies.get("provinces", {}).get(data["code"], {})
    units = list(_divided(divisions))
    above = {unit.get("parent") for _, unit in units}
    lowest = [unit for _, unit in units if unit["id"] not in above]
    files = {"province.yml": _province(divisions, own.get("control_points", ()))}
    for pool in bodies["divisions"]:
        here = [unit for kind, unit in units if kind.pool == pool]
        if here:
            kinds = ", ".join(k.title["en"].lower() for k in divisions.kinds.values() if k.pool == pool)
            about = f"Divisions ({kinds}), from the official list ({data['source']})."
            files[f"units/{pool}s.yml"] = _file(about, here)
    words = {
        "tinh": _lower(name),
        "cap": "tỉnh" if name.startswith("Tỉnh") else "thành phố",
        "uy": "Tỉnh ủy" if name.startswith("Tỉnh") else "Thành ủy",
        "tinh_id": slug(name),
    }
    for kind, group in bodies["bodies"].items():
        listed = [*group["bodies"], *own.get("bodies", {}).get(kind, ())]
        files[f"units/{group['file']}.yml"] = _file(
            group["about"], list(_bodies(kind, group, listed, data["code"], words, lowest))
        )
    return files


def _unknown(code: str) -> ProblemsFoundError:
    from vietnam_provinces import Province

    known = ", ".join(
        f"{int(p.code):02d} {p.name}" for p in sorted(Province.iter_all(), key=lambda p: int(p.code))
    )
    return _stop("001", code, "the code of a province", f"Take one of: {known}.")


def _divided(divisions: Divisions) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Divisions as units, in the order of official codes, with their kinds.

    An id is the name's slug. Where names differ in accents only, or not at all, the lowest code keeps the
    slug and others have theirs behind it: whoever else is in the list, and in which order, changes nothing.
    """
    listed = sorted(divisions.data["units"], key=lambda division: (len(division["code"]), division["code"]))
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for division in listed:
        ident = slug(division["name"])
        ids[division["code"]] = ident if ident not in taken else f"{ident}-{slug(division['code'])}"
        taken.add(ident)
    places: dict[str, int] = {}
    for division in listed:
        kind = divisions.kinds[division["type"]]
        line = divisions.bodies["divisions"][kind.pool]
        places[kind.pool] = places.get(kind.pool, 0) + 1
        yield (
            kind,
            _unit(
                ids[division["code"]],
                division["code"],
                places[kind.pool],
                division["name"],
                kind.id,
                ids[division["parent"]] if "parent" in division else None,
                "government",
                line["bandwidth_mbps"],
                line["wave"],
            ),
        )


def _bodies(
    kind: str,
    group: Mapping[str, Any],
    listed: list[Mapping[str, Any]],
    official: str,
    words: Mapping[str, str],
    communes: list[dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    for number, body in enumerate(listed, start=1):
        commune = communes[body.get("commune", 1) - 1]
        filled = {**words, "xa": _lower(commune["name"]), "xa_id": commune["id"]}
        name = body["name"].format(**filled)
        yield _unit(
            body["id"].format(**filled) if "id" in body else slug(name),
            f"{official}-{body['code']}",
            number,
            name,
            kind,
            body.get("parent", group.get("parent")),
            group["sphere"],
            group["bandwidth_mbps"],
            group["wave"],
        )


def _unit(
    ident: str,
    code: str,
    index: int,
    name: str,
    kind: str,
    parent: str | None,
    sphere: str,
    mbps: int,
    wave: int,
) -> dict[str, Any]:
    return {
        "id": ident,
        "code": code,
        "index": index,
        "name": name,
        "kind": kind,
        **({"parent": parent} if parent else {}),
        "sphere": sphere,
        "links": [{"access": "fibre", "bandwidth_mbps": mbps}],
        "services": list(SERVICES),
        "contacts": [{"role": "network_administrator", "mailbox": f"qtm.{ident}"}],
        "wave": wave,
        "state": "planned",
        "level": LEVEL,
        "level_basis": BASIS,
    }


def _file(title: str, units: list[dict[str, Any]]) -> str:
    lines = [f"# {title}", "units:"]
    for unit in units:
        lines.append("")
        for number, (key, value) in enumerate(unit.items()):
            lines.append(f"{'  - ' if number == 0 else '    '}{key}: {_inline(key, value)}")
    return "\n".join(lines) + "\n"


def _inline(key: str, value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_inline(key, item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_inline(k, v)}" for k, v in value.items()) + "}"
    if key == "code" or (isinstance(value, str) and any(c in value for c in ":#,[]{}\"'&*!|>%@`")):
        return '"' + str(value) + '"'
    return str(value)


def _province(divisions: Divisions, control_points: Sequence[str]) -> str:
    data, space = divisions.data, divisions.slots["space"]
    slot = data["slot"]
    own4 = _part(IPv4Network(space["network4"]), space["slot4"], slot)
    lines4 = _part(IPv4Network(space["carrier4"]), space["carrier_slot4"], slot)
    lines6 = _part(IPv6Network(space["carrier6"]), space["carrier_slot6"], slot)
    own6 = ula(data["code"])
    lines = [
        "# The province, and the addresses it plans with. A unit's block is its index counted in blocks",
        "# from the start of the pool of its kind: pools never move, blocks never change size. A pool that",
        "# is full goes on in further networks (`more4`).",
        "#",
        f"# IPv6 is a unique local /40, IPv4 is private ({own4}, no other province's); lines have stand-ins",
        "# (RFC 6598, RFC 3849) until a carrier assigns its own. Addresses that the national network allots",
        "# replace them (`assigned4`, `assigned6` of a unit or of a line).",
        f"id: {data['id']}",
        f'code: "{data["code"]}"',
        f"name: {_inline('name', data['name'])}",
        f"domain: {_domain(data['name'])}",
        "pools:",
    ]
    for pool, record in divisions.slots["pools"].items():
        number = record["number"]
        network4 = IPv4Network((int(own4.network_address) + (record["at4"] << 8), record["length4"]))
        carrier4 = IPv4Network(
            (int(lines4.network_address) + (record["carrier_at4"] << 8), record["carrier_length4"])
        )
        lines += [
            f"  {pool}:",
            f"    network4: {network4}",
            f"    block4: {record['block4']}",
            f"    network6: {IPv6Address(int(own6.network_address) + (number << 84))}/{record['length6']}",
            f"    block6: {record['block6']}",
            f"    carrier4: {carrier4}",
            f"    carrier6: {IPv6Address(int(lines6.network_address) + (number << 80))}/48",
            f"    asn: {space['asn'] + slot * space['asns'] + number * (space['asns'] // 10)}",
            f"    letter: {record['letter']}",
        ]
    if control_points:
        lines += [f"control_points: {_inline('control_points', list(control_points))}"]
    return "\n".join(lines) + "\n"


def _part(wide: Wide, length: int, number: int) -> Wide:
    """The part of a network with a number, counted in parts of a prefix length."""
    first = int(wide.network_address) + (number << (wide.max_prefixlen - length))
    return type(wide)((first, length))


def _domain(name: str) -> str:
    """The usual domain of a province: its name in plain letters."""
    return slug(re.sub("^(Tỉnh|Thành phố) ", "", name)).replace("-", "") + ".gov.vn"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _stop(code: str, found: str, wanted: str, remedy: str, file: str = "province new") -> ProblemsFoundError:
    return ProblemsFoundError(
        (Problem(code=f"NEW-{code}", file=file, line=0, path="", found=found, wanted=wanted, remedy=remedy),)
    )


def write_register(divisions: Divisions, out: Path) -> list[Path]:
    """Write a register into a folder that does not exist or is empty; the paths written.

    All of it is there or nothing: it is written beside the folder, checked as `province check` does it, and
    then given its name. Raises ProblemsFoundError: NEW-002 when something is there, as a register is edited
    by people; NEW-003 when it cannot be written; NEW-004 when among registers it would not have its own
    name; REG-nnn, with files as they would be called, when the list makes no sound register.
    """
    files = register_files(divisions)
    ident = divisions.data["id"]
    try:
        place = out.resolve()
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise _stop(
                "002",
                "something there",
                "a folder that is empty or not there",
                "Choose another folder.",
                str(out),
            )
        if place == Path.cwd():
            raise _stop(
                "002",
                "the folder in which the command runs",
                "a folder of the register's own",
                "Name another folder.",
                str(out),
            )
        if place.parent.name == "registers" and place.name != ident:
            raise _stop(
                "004",
                f"the name '{place.name}' for the register '{ident}'",
                f"'{ident}': environments name a register by its folder",
                f"Take --out {out.with_name(ident)}.",
                str(out),
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        # Hidden, and with no name of a register: whoever is stopped here leaves nothing that looks like one.
        hidden = place.with_name(f".{place.name}.{os.getpid()}.new")
        draft = hidden / place.name
        draft.mkdir(parents=True)
        try:
            for name, text in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_text(text, encoding="utf-8", newline="\n")
            load_sources(draft, lambda path: _as_if_at(path, draft, out))
            draft.rename(place)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        words = getattr(error, "strerror", None) or str(error)
        raise _stop(
            "003",
            f"'{words}'",
            "a folder that can be written",
            "Choose another folder.",
            str(getattr(error, "filename", None) or out),
        ) from None
    return [out / name for name in files]


def _as_if_at(path: Path, draft: Path, out: Path) -> str:
    """How messages call a file of a draft."""
    return str(out / path.relative_to(draft)) if path.is_relative_to(draft) else called(path)


def add_commands(subparsers: Any) -> None:
    """Add `province new`."""
    parser = subparsers.add_parser(
        "new", help="write the register of a province from official lists", description=__doc__
    )
    parser.add_argument("code", nargs="?", help="official code of a province of today, such as 11")
    parser.add_argument(
        "--from", dest="list", type=Path, metavar="FILE", help="another list of divisions, in JSON or YAML"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if (arguments.code is None) == (arguments.list is None):
        both = "both a code and a file" if arguments.list else "neither a code nor a file"
        raise _stop(
            "005", both, "one of `province new CODE` and `province new --from FILE`", "Give one of them."
        )
    if arguments.list:
        divisions = read_divisions(arguments.list)
    # No affair of the parser's: its refusal would have neither a code nor a list of what there is.
    elif not re.fullmatch(r"[0-9]{1,3}", arguments.code):
        raise _unknown(shown(arguments.code))
    else:
        divisions = official(int(arguments.code))
    for path in write_register(divisions, arguments.out):
        sys.stdout.write(f"{path}\n")
    return 0
