"""All 34 provinces become registers: every commune with code and name, and nothing that two of them share."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPNetwork
from vietnam_provinces import Province, Ward

from province.cli import main
from province.new import Divisions, official, register_files
from province.register.model import Register
from province.sources import load_sources

CODES = sorted(int(province.code) for province in Province.iter_all())
DIVISIONS = ("commune", "ward", "special_zone")


@cache
def listed() -> Mapping[int, Mapping[str, str]]:
    """Province: official code of a commune: its name in the package."""
    found: dict[int, dict[str, str]] = {code: {} for code in CODES}
    for ward in Ward.iter_all():
        found[int(ward.province_code)][f"{int(ward.code):05d}"] = ward.name
    return found


@cache
def given(code: int) -> Divisions:
    return official(code)


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Register]:
    """Registers of all provinces, read back from what was written."""
    folder = tmp_path_factory.mktemp("registers")
    made = {}
    for code in CODES:
        for name, text in register_files(given(code)).items():
            file = folder / f"{code}" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        made[code] = load_sources(folder / f"{code}").register
    return made


def test_the_country_has_34_provinces_and_3321_communes() -> None:
    assert len(CODES) == 34
    assert sum(len(communes) for communes in listed().values()) == 3321


def test_every_commune_of_the_country_comes_back_with_its_code_and_name(
    registers: Mapping[int, Register],
) -> None:
    """Compared with the package itself, through the written file and the reader; NFC is the only change."""
    for code, register in registers.items():
        found = Counter((u.code, u.name) for u in register.units if u.kind in DIVISIONS)
        wanted = Counter(
            (commune, unicodedata.normalize("NFC", name)) for commune, name in listed()[code].items()
        )
        assert found == wanted
    names = [unit.name for register in registers.values() for unit in register.units]
    assert sum("\N{RIGHT SINGLE QUOTATION MARK}" in name for name in names) == 5, "as the list writes them"


def test_every_kind_is_the_one_of_the_list(registers: Mapping[int, Register]) -> None:
    kinds = {unit.code: unit.kind for register in registers.values() for unit in register.units}
    words = {"xã": "commune", "phường": "ward", "đặc khu": "special_zone"}
    assert {f"{int(w.code):05d}": words[str(w.division_type.value)] for w in Ward.iter_all()} == {
        code: kind for code, kind in kinds.items() if kind in DIVISIONS
    }


def test_ids_are_plain_and_nobody_elses(registers: Mapping[int, Register]) -> None:
    for register in registers.values():
        ids = [unit.id for unit in register.units]
        assert len(set(ids)) == len(ids)
        assert [i for i in ids if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", i)] == []


@pytest.mark.parametrize("code", CODES)
def test_the_command_accepts_what_it_wrote(code: int, tmp_path: Path) -> None:
    assert main(["new", f"{code:02d}", "--out", str(tmp_path / "out")]) == 0
    assert main(["check", str(tmp_path / "out")]) == 0


def ids(divisions: Divisions) -> dict[str, str]:
    """Official code: id, of the divisions of a register."""
    text = register_files(divisions)["units/communes.yml"]
    return {code: ident for ident, code in re.findall(r'- id: (\S+)\n    code: "(\d+)"', text)}


def changed(divisions: Divisions, units: list[Any]) -> Divisions:
    return replace(divisions, data={**divisions.data, "units": units})


# Provinces with communes whose names differ in accents only.
ALIKE = {
    19: ("xa-van-lang",),
    31: ("xa-cam-giang",),
    51: ("xa-son-ha", "xa-ba-to"),
    75: ("xa-loc-thanh",),
    79: ("xa-thanh-an",),
    80: ("xa-tan-thanh",),
    82: ("xa-tan-thanh",),
}


@pytest.mark.parametrize("code", CODES)
def test_an_id_depends_on_the_name_alone_and_on_the_code_where_names_are_alike(code: int) -> None:
    made = ids(given(code))
    slugs = Counter(re.sub(r"-\d{5}$", "", ident) for ident in made.values())
    assert sorted(slug for slug, number in slugs.items() if number > 1) == sorted(ALIKE.get(code, ()))
    for alike in ALIKE.get(code, ()):
        first, *others = sorted(c for c, ident in made.items() if re.sub(r"-\d{5}$", "", ident) == alike)
        assert made[first] == alike
        assert [made[other] for other in others] == [f"{alike}-{other}" for other in others]


@pytest.mark.parametrize("code", [11, 31, 51])
def test_neither_order_nor_others_change_an_id(code: int) -> None:
    divisions = given(code)
    units, made = divisions.data["units"], ids(divisions)
    assert ids(changed(divisions, units[::-1])) == made
    half = {u["code"]: made[u["code"]] for u in units[: len(units) // 2]}
    alone = ids(changed(divisions, units[: len(units) // 2]))
    assert {c for c, ident in alone.items() if ident != half[c]} <= {
        c for c, ident in made.items() if ident.endswith(c)
    }


@pytest.mark.parametrize(
    ("code", "commune", "ident"),
    [
        (11, "03127", "phuong-dien-bien-phu"),
        (11, "03158", "xa-sin-thau"),
        (66, "24412", "xa-m-drak"),
        (1, "00070", "phuong-hoan-kiem"),
        (79, "26740", "phuong-sai-gon"),
    ],
)
def test_these_ids_stay(code: int, commune: str, ident: str) -> None:
    assert ids(given(code))[commune] == ident


def networks(register: Register) -> list[IPNetwork]:
    return [
        network
        for pool in register.pools.values()
        for network in (*pool.networks4, pool.network6, pool.carrier4, pool.carrier6)
    ]


def test_no_two_provinces_share_an_address(registers: Mapping[int, Register]) -> None:
    spans = sorted(
        ((n.version, n.first, n.last, code) for code, r in registers.items() for n in networks(r)),
    )
    assert len(spans) == 34 * 7 * 4
    for one, other in pairwise(spans):
        assert one[0] != other[0] or one[2] < other[1], f"{one} and {other} overlap"


def test_no_two_provinces_share_a_number_a_domain_or_an_id(registers: Mapping[int, Register]) -> None:
    ranges = sorted(
        (pool.asn, pool.asn + pool.capacity - 1) for r in registers.values() for pool in r.pools.values()
    )
    assert [pair for pair in pairwise(ranges) if pair[0][1] >= pair[1][0]] == []
    assert len({register.domain for register in registers.values()}) == 34
    assert len({register.id for register in registers.values()}) == 34
    assert len({unit.code for r in registers.values() for unit in r.units}) == sum(
        len(register.units) for register in registers.values()
    )


def test_a_pool_has_lines_and_numbers_for_all_its_blocks(registers: Mapping[int, Register]) -> None:
    """What bounds a pool is its IPv4 network, so that a further one makes it larger."""
    for register in registers.values():
        for pool in register.pools.values():
            blocks = 1 << (pool.block4 - pool.network4.prefixlen)
            assert pool.capacity == blocks
            more = replace(pool, more4=(IPNetwork("172.16.0.0/16"),))
            assert more.capacity > pool.capacity or pool.name == "centre"


def test_the_ula_prefix_of_a_province_is_that_of_its_code(registers: Mapping[int, Register]) -> None:
    prefixes = {str(r.pools["centre"].network6.supernet(40)[0]) for r in registers.values()}
    assert len(prefixes) == 34
    assert str(registers[11].pools["centre"].network6.supernet(40)[0]) == "fdfd:1475:4900::/40"
