"""A register's first form, from the official list of communes and the usual list of bodies.

The same input gives the same bytes. Addresses: the IPv4 plan is the same for every province (they do
not meet except through the national gateway), the IPv6 prefix is a unique local /40 whose 32 random bits
are a digest of the official code: whoever runs this twice gets the same, and two provinces do not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import yaml

from province.problems import Problem, ProblemsFoundError
from province.register.document import shown

BODIES = Path(__file__).with_name("bodies.yml")
KINDS = {"xã": "commune", "phường": "ward", "đặc khu": "special_zone"}
# Name, IPv4, block, letter, ordinal: the ordinal chooses the /44, the carrier's ranges and AS numbers.
POOLS = (
    ("centre", "10.0.0.0/16", 16, "z", 0),
    ("department", "10.16.0.0/14", 22, "d", 1),
    ("party", "10.20.0.0/14", 22, "p", 2),
    ("hospital", "10.24.0.0/13", 21, "h", 3),
    ("commune", "10.64.0.0/12", 24, "c", 4),
    ("district", "10.80.0.0/13", 22, "b", 5),
    ("school", "10.96.0.0/12", 24, "s", 6),
)
SERVICES = ("dns", "ntp", "packages", "start")
LEVEL = 2
BASIS = "Infrastructure of one body (Decree 331/2026, article 12.3, as read by third parties)"
FILES = {
    "commune": (
        "communes",
        "Communes and wards, from the official list (package vietnam-provinces 2025.10.1).",
    ),
    "department": ("departments", "Bodies of the provincial government."),
    "party_body": ("party", "Bodies of the Party: a sphere of their own."),
    "hospital": ("hospitals", "Hospitals: the name is a pattern until the province gives the real ones."),
    "school": ("schools", "Schools: the names are patterns until the province gives the real ones."),
}


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
    """The files of a register by path. Raises ProblemsFoundError (NEW-001) for an unknown code."""
    from vietnam_provinces import Province, Ward  # a large table, wanted by this command alone

    found = [p for p in Province.iter_all() if int(p.code) == code]
    if not found:
        raise _unknown(str(code))
    province = found[0]
    wards = sorted((w for w in Ward.iter_all() if int(w.province_code) == code), key=lambda w: int(w.code))
    official = f"{code:02d}"
    name = _nfc(province.name).removeprefix("Thành phố ").removeprefix("Tỉnh ")
    kind = _nfc(str(province.division_type.value))
    full = f"{'Tỉnh' if kind == 'tỉnh' else 'Thành phố'} {name}"
    ident = slug(name)
    communes = list(_communes(wards))
    files = {"province.yml": _province(ident, official, full, slug(name).replace("-", "") + ".gov.vn")}
    files["units/communes.yml"] = _file(FILES["commune"][1], communes)
    bodies: dict[str, Any] = yaml.safe_load(BODIES.read_text(encoding="utf-8"))
    for group, record in bodies.items():
        units = list(_bodies(group, record, official, _lower(full), communes))
        files[f"units/{FILES[group][0]}.yml"] = _file(FILES[group][1], units)
    return files


def _unknown(code: str) -> ProblemsFoundError:
    from vietnam_provinces import Province

    known = ", ".join(
        f"{int(p.code):02d} {p.name}" for p in sorted(Province.iter_all(), key=lambda p: int(p.code))
    )
    return _stop("001", code, "the code of a province", f"Take one of: {known}.")


def _communes(wards: Iterable[Any]) -> Iterator[dict[str, Any]]:
    taken: set[str] = set()
    for number, ward in enumerate(wards, start=1):
        name, code = _nfc(ward.name), f"{int(ward.code):05d}"
        ident = slug(name)
        # A province has a few pairs of communes whose names differ in accents only.
        ident = ident if ident not in taken else f"{ident}-{code}"
        taken.add(ident)
        yield _unit(
            ident, code, number, name, KINDS[_nfc(str(ward.division_type.value))], None, "government", 100, 2
        )


def _bodies(
    group: str, record: dict[str, Any], official: str, tinh: str, communes: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for number, body in enumerate(record["bodies"], start=1):
        commune = communes[body.get("commune", 1) - 1]
        words = {
            "tinh": tinh,
            "xa": _lower(commune["name"]),
            "cap": "tỉnh" if tinh.startswith("tỉnh") else "thành phố",
            "uy": "Tỉnh uỷ" if tinh.startswith("tỉnh") else "Thành uỷ",
            "tinh_id": slug(tinh),
            "xa_id": commune["id"],
        }
        name = _nfc(body["name"].format(**words))
        yield _unit(
            body["id"].format(**words) if "id" in body else slug(name),
            f"{official}-{body['code']}",
            number,
            name,
            group,
            body.get("parent", record.get("parent")),
            record["sphere"],
            record["bandwidth_mbps"],
            record["wave"],
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


def _province(ident: str, code: str, name: str, domain: str) -> str:
    prefix = ula(code)
    lines = [
        "# The province, and the addresses it plans with. A unit's block is its index counted in blocks from",
        "# the start of the pool of its kind: pools never move and blocks never change size.",
        "#",
        "# IPv6 is a unique local /40, IPv4 is private; lines of carriers have stand-ins (RFC 6598, RFC",
        "# 3849) until a carrier assigns its own. Addresses that the national network allots replace them.",
        f"id: {ident}",
        f'code: "{code}"',
        f"name: {name}",
        f"domain: {domain}",
        "pools:",
    ]
    for pool, network4, block4, letter, ordinal in POOLS:
        base = int(prefix.network_address) + (ordinal << 84)
        centre = pool == "centre"
        lines += [
            f"  {pool}:",
            f"    network4: {network4}",
            f"    block4: {block4}",
            f"    network6: {IPv6Address(base)}/{48 if centre else 44}",
            f"    block6: {48 if centre else 56}",
            f"    carrier4: 100.{64 + ordinal}.0.0/16",
            f"    carrier6: 2001:db8:{ordinal:x}::/48" if ordinal else "    carrier6: 2001:db8::/48",
            f"    asn: {4_200_000_000 + ordinal * 100_000}",
            f"    letter: {letter}",
        ]
    return "\n".join(lines) + "\n"


def _nfc(text: str) -> str:
    """In NFC, and with the apostrophe of keyboards, as the register wants names."""
    return unicodedata.normalize("NFC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _stop(code: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        (
            Problem(
                code=f"NEW-{code}",
                file="province new",
                line=0,
                path="",
                found=found,
                wanted=wanted,
                remedy=remedy,
            ),
        )
    )


def write_register(code: int, out: Path) -> list[Path]:
    """Write a register into a folder that does not exist or is empty; the paths written.

    All of it is there or nothing: it is written beside the folder and then given its name. Raises
    ProblemsFoundError: NEW-002 when something is there, as a register is edited by people; NEW-003 when
    it cannot be written.
    """
    files = new_register(code)
    try:
        place = out.resolve()
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise _stop(
                "002", f"something in {out}", "a folder that is empty or not there", "Choose another folder."
            )
        if place == Path.cwd():
            raise _stop(
                "002",
                f"{out}, where the command runs",
                "a folder of the register's own",
                "Name another folder.",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        # Hidden, and with no name of a register: whoever is stopped here leaves nothing that looks like one.
        draft = place.with_name(f".{place.name}.{os.getpid()}.new")
        draft.mkdir()
        try:
            for name, text in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_text(text, encoding="utf-8", newline="\n")
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        words = getattr(error, "strerror", None) or str(error)
        raise _stop(
            "003",
            f"'{words}' at {getattr(error, 'filename', None) or out}",
            "a folder that can be written",
            "Choose another folder.",
        ) from None
    return [out / name for name in files]


def add_commands(subparsers: Any) -> None:
    """Add `province new`."""
    parser = subparsers.add_parser(
        "new", help="write the register of a province from official lists", description=__doc__
    )
    parser.add_argument("code", help="official code of the province, such as 11")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # No affair of the parser's: its refusal would have neither a code nor a list of what there is.
    if not re.fullmatch(r"[0-9]{1,3}", arguments.code):
        raise _unknown(shown(arguments.code))
    for path in write_register(int(arguments.code), arguments.out):
        sys.stdout.write(f"{path}\n")
    return 0
