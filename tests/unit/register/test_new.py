"""`province new`: the official list becomes a register; the same input gives the same bytes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from vietnam_provinces import Province, Ward

from province.cli import main
from province.new import new_register, slug, ula, write_register
from province.problems import ProblemsFoundError
from province.sources import load_sources
from tests.support.repository import ROOT

COMMITTED = ROOT / "inventories/registers/dien-bien"


def test_the_committed_register_is_exactly_what_the_command_writes() -> None:
    files = {path.relative_to(COMMITTED).as_posix(): path for path in COMMITTED.rglob("*.yml")}
    written = new_register(11)
    assert set(files) == set(written)
    for name, text in written.items():
        assert files[name].read_text(encoding="utf-8") == text


def test_the_command_writes_what_the_function_gives_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "11", "--out", str(tmp_path / "dien-bien")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "dien-bien" / name) for name in new_register(11)
    ]
    assert main(["check", str(tmp_path / "dien-bien")]) == 0


def test_every_official_commune_is_there_once_with_its_code_and_name() -> None:
    units = load_sources(COMMITTED).register.units
    communes = {unit.code: unit.name for unit in units if unit.kind in ("commune", "ward", "special_zone")}
    official = {
        f"{int(ward.code):05d}": ward.name for ward in Ward.iter_all() if int(ward.province_code) == 11
    }
    assert len(official) == 45
    assert communes == {code: unicodedata.normalize("NFC", name) for code, name in official.items()}


def test_all_kinds_that_the_province_has_are_there() -> None:
    kinds = Counter(unit.kind for unit in load_sources(COMMITTED).register.units)
    assert kinds == {"commune": 42, "ward": 3, "department": 15, "party_body": 6, "hospital": 1, "school": 4}


@pytest.mark.parametrize("code", sorted(int(province.code) for province in Province.iter_all()))
def test_every_province_of_the_country_becomes_a_register_without_problems(code: int, tmp_path: Path) -> None:
    write_register(code, tmp_path / "register")
    sources = load_sources(tmp_path / "register")
    wards = [ward for ward in Ward.iter_all() if int(ward.province_code) == code]
    assert len([u for u in sources.register.units if len(u.code) == 5 and u.code.isdigit()]) == len(wards) > 0
    for unit in sources.register.units:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", unit.id)
        assert unicodedata.is_normalized("NFC", unit.name)


def test_provinces_have_prefixes_of_their_own() -> None:
    prefixes = {ula(f"{int(province.code):02d}") for province in Province.iter_all()}
    assert len(prefixes) == 34
    assert all(str(prefix).startswith("fd") and prefix.prefixlen == 40 for prefix in prefixes)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Phường Điện Biên Phủ", "phuong-dien-bien-phu"),
        ("Xã Pú Nhung", "xa-pu-nhung"),
        ("Sở Văn hoá, Thể thao và Du lịch", "so-van-hoa-the-thao-va-du-lich"),
        (unicodedata.normalize("NFD", "Xã Tủa Chùa"), "xa-tua-chua"),
        ("Uỷ ban Kiểm tra Tỉnh uỷ", "uy-ban-kiem-tra-tinh-uy"),
    ],
)
def test_names_become_ids_of_plain_letters(name: str, wanted: str) -> None:
    assert slug(name) == wanted


@pytest.mark.parametrize("code", [0, 3, 99, -1])
def test_an_unknown_code_is_refused_with_the_codes_there_are(code: int) -> None:
    with pytest.raises(ProblemsFoundError, match=r"NEW-001 .*11 Điện Biên"):
        new_register(code)


def test_what_people_have_edited_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yml").write_text("mine", encoding="utf-8")
    assert main(["new", "11", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("NEW-002 ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yml"]
    assert main(["new", "11", "--out", str(tmp_path / "mine.yml")]) == 1
    assert main(["new", "11", "--out", str(tmp_path / "mine.yml" / "x")]) == 1
    assert capsys.readouterr().err.startswith("NEW-00")
