"""What `province new` says when it writes nothing: pinned in problems/<case>.txt.

PROVINCE_UPDATE_GOLDEN=1 rewrites the files: review the diff.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from province import new
from province.cli import main
from province.sources import load_sources
from tests.support.repository import ROOT

HERE = Path(__file__).parent
UPDATE = "PROVINCE_UPDATE_GOLDEN"
# A province of three tiers: a city and a district, of which both have a commune of the same name.
LIST: dict[str, Any] = {
    "id": "tinh-cu",
    "code": "98",
    "name": "Tỉnh Cũ",
    "source": "a list of these tests",
    "slot": 41,
    "bodies": "bodies-three-tiers.yml",
    "units": [
        {"code": "26500", "name": "Phường 1", "type": "phường", "parent": "747"},
        {"code": "26501", "name": "Xã Long Sơn", "type": "xã", "parent": "747"},
        {"code": "26600", "name": "Xã Long Sơn", "type": "xã", "parent": "748"},
        {"code": "26601", "name": "Thị trấn Ngãi Giao", "type": "thị trấn", "parent": "748"},
        {"code": "747", "name": "Thành phố Biển", "type": "thành phố", "parent": None},
        {"code": "748", "name": "Huyện Đồi", "type": "huyện", "parent": None},
    ],
}


def with_(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one value of the list."""

    def change(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = to

    return change


def many(data: dict[str, Any]) -> None:
    data["units"] += [
        {"code": f"3{number:04}", "name": f"Phường {number}", "type": "phường", "parent": "747"}
        for number in range(2, 400)
    ]


LISTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "list-without-a-name": lambda data: data.pop("name"),
    "list-with-an-unknown-field": with_("wards", to=[]),
    "list-with-a-slot-of-today": with_("slot", to=12),
    "list-with-a-slot-of-nobody": with_("slot", to=64),
    "list-of-nothing": with_("units", to=[]),
    "list-with-a-code-as-number": with_("units", 0, "code", to=26500),
    "list-with-a-strange-name": with_("units", 0, "name", to="Phường <1>"),
    "list-with-a-code-twice": with_("units", 1, "code", to="26500"),
    "list-with-an-unknown-type": with_("units", 3, "type", to="thị tran"),
    "list-with-an-unknown-parent": with_("units", 3, "parent", to="749"),
    "list-with-unknown-bodies": with_("bodies", to="bodies-of-nobody.yml"),
    "list-with-bodies-elsewhere": with_("bodies", to="../secrets.yml"),
    "list-with-bodies-that-know-two-tiers": with_("bodies", to="bodies.yml"),
    "list-with-a-parent-of-a-wrong-kind": with_("units", 4, "parent", to="748"),
    "list-with-too-many": many,
}
BODIES: dict[str, tuple[str, str]] = {
    "bodies-of-an-unknown-kind": ("  hospital:\n", "  hospitals:\n"),
    "bodies-with-an-unknown-word": ("{cap}", "{cab}"),
    "bodies-of-a-commune-too-many": ("code: THPTC,", "code: THPTC, commune: 5,"),
    "bodies-without-a-code": ("{code: SNV, name", "{name"),
    "bodies-with-a-code-twice": ("code: SNV", "code: STP"),
    "bodies-with-an-id-twice": ("name: Sở Nội vụ}", "name: Sở Nội vụ, id: so-tu-phap}"),
}


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says, which fails and leaves nothing."""
    before = sorted(tmp_path.rglob("*"))
    assert main(["new", *words]) == 1
    assert sorted(tmp_path.rglob("*")) == before
    heard = capsys.readouterr()
    assert heard.out == ""
    for line in heard.err.splitlines():
        assert re.fullmatch(r"[A-Z]{3}-\d{3} \S.*: found .+; wanted .+\. .+\.", line), line
    return heard.err.replace(f"{tmp_path}/", "")


def pinned(name: str, words: str) -> None:
    golden = HERE / "problems" / f"{name}.txt"
    if os.environ.get(UPDATE):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def write(tmp_path: Path, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> Path:
    data = json.loads(json.dumps(LIST))
    change(data)
    file = tmp_path / "list.json"
    file.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def test_a_list_of_three_tiers_becomes_a_register(tmp_path: Path) -> None:
    """Tiers are parents; ids of equal names differ by their codes."""
    out = tmp_path / "out"
    assert main(["new", "--from", str(write(tmp_path)), "--out", str(out)]) == 0
    assert main(["check", str(out)]) == 0
    register = load_sources(out).register
    units = {unit.code: unit for unit in register.units}
    assert {code: (u.id, u.kind, u.parent, u.index) for code, u in units.items() if "-" not in code} == {
        "26500": ("phuong-1", "ward", "thanh-pho-bien", 1),
        "26501": ("xa-long-son", "commune", "thanh-pho-bien", 2),
        "26600": ("xa-long-son-26600", "commune", "huyen-doi", 3),
        "26601": ("thi-tran-ngai-giao", "township", "huyen-doi", 4),
        "747": ("thanh-pho-bien", "provincial_city", None, 1),
        "748": ("huyen-doi", "district", None, 2),
    }
    assert [unit.name for unit in register.units if unit.kind == "hospital"] == ["Bệnh viện Đa khoa tỉnh Cũ"]
    # Slot 41: a /14 each from 10.0.0.0, a /16 each from 100.64.0.0, a million AS numbers each.
    centre = register.pools["centre"]
    assert (str(centre.network4), str(centre.carrier4), centre.asn) == (
        "10.164.0.0/18",
        "100.105.0.0/20",
        4241000000,
    )
    assert str(centre.carrier6) == "2001:db8:2900::/48"
    assert sorted(path.name for path in (out / "units").iterdir()) == [
        "communes.yml",
        "departments.yml",
        "districts.yml",
        "hospitals.yml",
        "party.yml",
        "schools.yml",
    ]


def test_a_list_in_another_order_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, change in (("one", lambda _: None), ("other", lambda data: data["units"].reverse())):
        file = write(tmp_path, change)
        assert main(["new", "--from", str(file), "--out", str(tmp_path / name)]) == 0
    for path in (tmp_path / "one").rglob("*.yml"):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_makes_no_register_is_refused_in_these_words(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, LISTS[name])
    pinned(name, said(tmp_path, capsys, "--from", str(file), "--out", str(tmp_path / "out")))


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_make_no_register_are_refused_in_these_words(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path)
    for path in ("bodies-three-tiers.yml", "slots.yml"):
        shutil.copy(ROOT / "province" / path, tmp_path)
    bodies = tmp_path / "bodies-three-tiers.yml"
    right, wrong = BODIES[name]
    text = bodies.read_text(encoding="utf-8")
    assert right in text
    bodies.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    monkeypatch.setattr(new, "HERE", tmp_path)
    pinned(name, said(tmp_path, capsys, "--from", str(file), "--out", str(tmp_path / "out")))


def test_other_refusals_have_these_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = write(tmp_path), tmp_path / "out"
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.yml").write_text("mine", encoding="utf-8")
    (tmp_path / "registers").mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    cases = {
        "unknown-code": ["99", "--out", str(out)],
        "something-there": ["11", "--out", str(full)],
        "where-the-command-runs": ["11", "--out", str(empty)],
        "no-folder": ["11", "--out", str(full / "mine.yml" / "x")],
        "another-name-among-registers": ["11", "--out", str(tmp_path / "registers/dienbien")],
        "neither-code-nor-list": ["--out", str(out)],
        "both-code-and-list": ["11", "--from", str(file), "--out", str(out)],
        "no-list": ["--from", str(tmp_path / "lists.json"), "--out", str(out)],
    }
    for name, words in cases.items():
        pinned(name, said(tmp_path, capsys, *words))
    left = {path.stem for path in (HERE / "problems").iterdir()}
    assert left == {*cases, *LISTS, *BODIES}, "no golden message is left over"
