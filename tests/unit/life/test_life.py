"""What each change writes, what it takes from units alike, and that doing it twice does it once."""

from __future__ import annotations

import csv
import difflib
import io
import json
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from province.cli import main
from province.sources import load_sources
from province.unit import _Lines
from tests.support.changes import REGISTER, UNITS, text
from tests.support.country import write_country

Run = Callable[..., tuple[int, str, str]]
Text = Callable[[], str]


def changed(before: str, after: str) -> list[str]:
    """Lines that went and came."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_a_new_unit_takes_what_is_not_said_from_its_siblings(unit: Run, units: Text) -> None:
    before = units()
    assert unit("add", "--kind", "commune", "--name", "Xã Mường Nhé", "--code", "99003")[0] == 0
    assert units() == before + (
        "\n"
        "  - id: xa-muong-nhe\n"
        '    code: "99003"\n'
        "    index: 3\n"
        "    name: Xã Mường Nhé\n"
        "    kind: commune\n"
        "    sphere: government\n"
        "    links: [{access: fibre, bandwidth_mbps: 100}]\n"
        "    services: [dns, ntp, packages]\n"
        "    contacts: [{role: network_administrator, mailbox: qtm.xa-muong-nhe}]\n"
        "    wave: 2\n"
        "    state: planned\n"
        "    level: 2\n"
        "    level_basis: Infrastructure of one body\n"
    )


def test_what_is_said_of_a_new_unit_holds(small: Path, unit: Run) -> None:
    given = (
        "--kind", "school", "--name", "Trường Mới", "--code", "99-TM", "--id", "truong-thpt-moi",
        "--parent", "xa-hai",
        "--access", "satellite", "--mbps", "20", "--services", "dns,ntp", "--wave", "3", "--level", "1",
        "--level-basis", "Nothing of its own", "--assigned4", "172.16.4.0/24", "--assigned6", "2001:db9::/56",
    )  # fmt: skip
    assert unit("add", *given)[0] == 0
    made = next(u for u in load_sources(small / REGISTER).register.units if u.id == "truong-thpt-moi")
    assert (made.parent, made.services, made.wave, made.level) == ("xa-hai", ("dns", "ntp"), 3, 1)
    assert (made.links[0].access, made.links[0].bandwidth_mbps) == ("satellite", 20)
    assert (str(made.assigned4), str(made.assigned6)) == ("172.16.4.0/24", "2001:db9::/56")
    # Of the only school, which is closed, the index is not given again.
    assert made.index == 2


def test_the_province_gives_its_own_codes_and_every_id_is_given_once(small: Path, unit: Run) -> None:
    for name, parent in (
        ("Trường Cũ", "xa-hai"),
        ("Trường Cũ", "phuong-mot"),
        ("Trường Tốt Chung", "xa-hai"),
    ):
        assert unit("add", "--kind", "school", "--name", name, "--parent", parent)[0] == 0
    made = {u.id: u.code for u in load_sources(small / REGISTER).register.units if u.kind == "school"}
    assert made == {
        "truong-cu": "99-TC",
        "truong-cu-99-tc2": "99-TC2",
        "truong-cu-99-tc3": "99-TC3",
        "truong-tot-chung": "99-TTC",
    }


def test_a_kind_that_no_file_holds_gets_a_file_of_its_own(small: Path, unit: Run) -> None:
    (small / REGISTER / "units/schools.yml").write_text("units: []\n", encoding="utf-8")
    given = ("--kind", "hospital", "--name", "Bệnh viện Một", "--code", "99-BV1", "--parent", "so-noi-vu")
    assert unit("add", *given)[0] == 0
    made = (small / REGISTER / "units/hospitals.yml").read_text(encoding="utf-8")
    assert made.startswith(
        "units:\n\n  - id: benh-vien-mot\n    code: 99-BV1\n".replace("99-BV1", '"99-BV1"')
    )


def test_decomposed_letters_of_a_keyboard_are_composed(unit: Run, units: Text) -> None:
    decomposed = unicodedata.normalize("NFD", "Xã Đường Mới")
    assert unit("rename", "xa-hai", "--name", decomposed, "--date", "2026-07-01")[0] == 0
    assert "name: Xã Đường Mới\n" in units()


def test_a_renamed_unit_keeps_its_id_and_its_old_name_and_code(unit: Run, units: Text) -> None:
    before = units()
    given = ("rename", "xa-hai", "--name", "Xã Ba", "--code", "99033", "--date", "2026-07-01")
    assert unit(*given)[0] == 0
    assert changed(before, units()) == [
        '-     code: "99002"',
        '+     code: "99033"',
        "-     name: Xã Hai",
        "+     name: Xã Ba",
        "+     aliases:",
        '+       - {name: Xã Hai, until: "2026-07-01", by: rename, code: "99002"}',
    ]
    status, _, err = unit("add", "--kind", "commune", "--name", "Xã Bốn", "--code", "99002")
    assert (status, err.split()[0]) == (1, "UNT-027")


def test_a_unit_that_takes_its_old_name_again_has_it_no_more_as_an_alias(unit: Run, units: Text) -> None:
    before = units()
    unit("rename", "xa-hai", "--name", "Xã Ba", "--date", "2026-07-01")
    unit("rename", "xa-hai", "--name", "Xã Hai", "--date", "2026-08-01")
    assert changed(before, units()) == [
        "+     aliases:",
        '+       - {name: Xã Ba, until: "2026-08-01", by: rename}',
    ]


def test_a_merger_closes_moves_children_and_keeps_names(small: Path, unit: Run) -> None:
    unit("add", "--kind", "school", "--name", "Trường Hai", "--parent", "xa-hai")
    status, _, _ = unit(
        "merge", "xa-hai", "phuong-mot", "--new", "--name", "Phường Chung", "--kind", "ward",
        "--code", "99050", "--under-province", "--date", "2026-07-01",
    )  # fmt: skip
    assert status == 0
    made = {u.id: u for u in load_sources(small / REGISTER).register.units}
    assert made["phuong-chung"].index == 3
    assert [(a.name, a.until, a.by, a.unit) for a in made["phuong-chung"].aliases] == [
        ("Xã Hai", "2026-07-01", "merge", "xa-hai"),
        ("Phường Một", "2026-07-01", "merge", "phuong-mot"),
    ]
    for ident in ("xa-hai", "phuong-mot"):
        assert (made[ident].state, made[ident].closed, made[ident].successors) == (
            "closed", "2026-07-01", ("phuong-chung",),
        )  # fmt: skip
    assert made["truong-hai"].parent == "phuong-chung"


def test_of_a_split_unit_the_heir_has_the_name_and_the_children(small: Path, unit: Run) -> None:
    given = ("--into", "Huyện Bắc=991", "Huyện Nam=992", "--heir", "Huyện Nam", "--date", "2026-07-01")
    assert unit("split", "huyen-dong", *given)[0] == 0
    made = {u.id: u for u in load_sources(small / REGISTER).register.units}
    assert made["huyen-dong"].successors == ("huyen-nam", "huyen-bac")
    assert [(a.name, a.until, a.by, a.unit) for a in made["huyen-nam"].aliases] == [
        ("Huyện Đông", "2026-07-01", "split", "huyen-dong"),
    ]
    assert made["huyen-bac"].aliases == ()
    assert made["phuong-mot"].parent == "huyen-nam"
    assert (made["huyen-bac"].index, made["huyen-nam"].index) == (2, 3)


def test_a_unit_that_is_kept_stays_as_it_is(unit: Run, units: Text) -> None:
    before = units()
    assert unit("split", "huyen-dong", "--into", "Huyện Bắc=991", "--keep")[0] == 0
    assert units().startswith(before)


def test_what_is_closed_keeps_its_place_and_does_not_keep_open_what_is_above_it(
    small: Path, unit: Run, units: Text
) -> None:
    school = ("add", "--kind", "school", "--name", "Trường Hai", "--parent", "xa-hai")
    assert unit(*school)[0] == 0
    assert unit("close", "truong-hai", "--date", "2026-06-01")[0] == 0
    before = units()
    assert unit("merge", "xa-hai", "--into", "phuong-mot", "--date", "2026-07-01")[0] == 0
    assert "    parent: xa-hai\n" in units()
    assert unit("close", "phuong-mot", "--date", "2026-08-01")[0] == 0
    assert [line for line in changed(before, units()) if "parent" in line] == []
    load_sources(small / REGISTER)


def test_nothing_is_given_back_before_its_unit_is_closed(unit: Run, units: Text) -> None:
    before = units()
    status, _, err = unit("returned", "truong-cu", "--date", "2025-06-29")
    assert (status, [line.split()[0] for line in err.splitlines()]) == (1, ["UNT-024"])
    assert units() == before
    assert unit("returned", "truong-cu", "--date", "2025-06-30")[0] == 0


TWICE = {
    "close": ("close", "xa-hai", "--date", "2026-07-01"),
    "move": ("move", "phuong-mot", "--under-province"),
    "rename": ("rename", "xa-hai", "--name", "Xã Ba", "--date", "2026-07-01"),
    "merge": ("merge", "xa-hai", "--into", "phuong-mot", "--date", "2026-07-01"),
    "merge-new": ("merge", "xa-hai", "--new", "--name", "Xã Ba", "--code", "99003", "--date", "2026-07-01"),
    "split": ("split", "xa-hai", "--into", "Xã Ba=99003", "Xã Bốn=99004", "--date", "2026-07-01"),
    "returned": ("returned", "truong-cu", "--date", "2026-07-01"),
}


@pytest.mark.parametrize("name", TWICE)
def test_the_same_again_changes_nothing_and_says_so(unit: Run, units: Text, name: str) -> None:
    assert unit(*TWICE[name])[0] == 0
    once = units()
    status, out, _ = unit(*TWICE[name])
    assert (status, out.startswith("Nothing to change: ")) == (0, True)
    # Also on another day, when none is named.
    undated = [word for word in TWICE[name] if word not in ("--date", "2026-07-01")]
    status, out, _ = unit(*undated)
    assert (status, out.startswith("Nothing to change: ")) == (0, True)
    assert units() == once


@pytest.mark.parametrize(
    "command",
    [
        ("add", "--kind", "commune", "--name", "Xã Ba", "--code", "99003"),
        ("split", "xa-hai", "--into", "Xã Ba=99003", "--keep"),
    ],
)
def test_a_new_unit_is_not_made_twice(unit: Run, units: Text, command: tuple[str, ...]) -> None:
    assert unit(*command)[0] == 0
    once = units()
    status, _, err = unit(*command)
    assert (status, err.split()[0]) == (1, "UNT-027")
    assert units() == once


def test_a_dry_run_shows_the_change_and_writes_nothing(small: Path, unit: Run, units: Text) -> None:
    before = units()
    status, out, _ = unit("close", "xa-hai", "--date", "2026-07-01", "--dry-run")
    assert status == 0
    assert units() == before
    assert f"--- a/{UNITS}\n+++ b/{UNITS}\n" in out
    assert '-    state: planned\n+    state: closed\n+    closed: "2026-07-01"\n' in out
    assert "nobody's address moves" in out
    assert out.endswith("Nothing was written.\n")
    _, told, _ = unit("close", "xa-hai", "--date", "2026-07-01", "--dry-run", "--format", "json")
    data = json.loads(told)
    assert (data["written"], data["files"]) == (False, [UNITS])
    assert data["plan"]["parts"]["units"]["changed"][0]["id"] == "xa-hai"
    assert data["diff"] == out[: out.index("\n\n") + 1]
    assert not (small / REGISTER / ".change").exists()


def test_a_file_without_a_last_line_end_stays_so(small: Path, unit: Run, units: Text) -> None:
    (small / UNITS).write_text(units().rstrip("\n"), encoding="utf-8")
    status, out, _ = unit("add", "--kind", "commune", "--name", "Xã Ba", "--code", "99003", "--dry-run")
    assert (status, out.count("\\ No newline at end of file")) == (0, 1)
    assert unit("add", "--kind", "commune", "--name", "Xã Ba", "--code", "99003")[0] == 0
    assert not units().endswith("\n")


def test_an_environment_that_builds_a_closed_unit_is_named(small: Path, unit: Run) -> None:
    (small / "inventories/lab").mkdir()
    (small / "inventories/lab/environment.yml").write_text(
        "register: base\nunits: [xa-hai, phuong-mot]\n", encoding="utf-8"
    )
    _, out, _ = unit("close", "xa-hai", "--date", "2026-07-01")
    note = "Note: inventories/lab/environment.yml builds xa-hai, which is closed: take it out there, too.\n"
    assert note in out
    assert "builds phuong-mot" not in out


@pytest.fixture
def assigned(small: Path, unit: Run) -> None:
    """A closed commune with everything that others assign."""
    old = "    links: [{access: fibre, bandwidth_mbps: 100}]\n    services: [dns, ntp, packages]\n"
    new = old.replace("100}", "100, assigned4: 198.51.100.4/30, assigned6: '2001:db9:f::/64'}")
    more = '    org_code: H99.2\n    assigned4: 172.16.4.0/24\n    assigned6: "2001:db9:4::/56"\n'
    file = small / UNITS
    file.write_text(text((old, more + new))(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert unit("merge", "xa-hai", "--into", "phuong-mot", "--date", "2026-07-01")[0] == 0


HELD = [
    ("official_code", "99002"),
    ("org_code", "H99.2"),
    ("block4", "172.16.4.0/24"),
    ("block6", "2001:db9:4::/56"),
    ("line4", "198.51.100.4/30"),
    ("line6", "2001:db9:f::/64"),
]


@pytest.mark.usefixtures("assigned")
def test_what_others_assigned_to_a_closed_unit_is_reported_until_it_is_given_back(unit: Run) -> None:
    status, out, _ = unit("returns", "--format", "json")
    found = json.loads(out)["to_return"]
    assert status == 0
    # What the province gave itself (99-TC of truong-cu) goes back to nobody.
    assert [(item["unit"], item["what"], item["value"]) for item in found] == [("xa-hai", *h) for h in HELD]
    assert {(item["closed"], *item["successors"]) for item in found} == {("2026-07-01", "phuong-mot")}
    assert {item["assigned_by"] for item in found} == {
        "statistics office, list of administrative units",
        "issuer of codes, Decision 20/2020/QD-TTg",
        "Central Post Office",
        "carrier of the line",
    }
    rows = list(csv.DictReader(io.StringIO(unit("returns", "--format", "csv")[1])))
    assert [(row["what"], row["value"]) for row in rows] == HELD
    assert {(row["closed"], row["successors"]) for row in rows} == {("2026-07-01", "phuong-mot")}
    words = unit("returns")[1]
    assert all(value in words for _, value in HELD)
    assert "Xã Hai (xa-hai), đóng ngày · closed on 2026-07-01 → phuong-mot\n" in words
    assert unit("returned", "xa-hai", "--date", "2026-08-01")[0] == 0
    assert unit("returns")[1] == "Tỉnh Mẫu: không còn gì phải trả lại · nothing to give back.\n"


@pytest.mark.usefixtures("assigned")
def test_what_was_given_back_may_be_assigned_to_another(unit: Run) -> None:
    given = ("add", "--kind", "commune", "--name", "Xã Ba", "--code", "99003", "--under-province")
    assigned = ("--assigned4", "172.16.4.0/24")
    status, _, err = unit(*given, *assigned)
    assert (status, [line.split()[0] for line in err.splitlines()]) == (1, ["UNT-040", "REG-041"])
    assert unit("returned", "xa-hai", "--date", "2026-08-01")[0] == 0
    assert unit(*given, *assigned)[0] == 0


@given(st.lists(st.sampled_from("abcdef"), max_size=12), st.lists(st.sampled_from("abcdef"), max_size=12))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_is_told_of_two_texts_makes_one_of_the_other(old: list[str], new: list[str]) -> None:
    made: list[str] = []
    place = 0
    for tag, i1, i2, j1, j2 in _Lines(old, new).get_opcodes():
        assert (i1, j1) == (place, len(made))
        assert (tag == "equal") == (old[i1:i2] == new[j1:j2])
        made += old[i1:i2] if tag == "equal" else new[j1:j2]
        place = i2
    assert (made, place) == (new, len(old))


def test_git_takes_what_a_dry_run_shows_and_counts_the_same_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in a file in which most lines stand a hundred times, and for a new one."""
    monkeypatch.chdir(tmp_path)
    register = Path("inventories/registers/country")
    write_country(register, 200)
    (register / "units/schools.yml").write_text("units: []", encoding="utf-8")

    def git(*words: str, given: str = "") -> str:
        done = subprocess.run(["git", *words], check=True, capture_output=True, text=True, input=given)
        return done.stdout

    git("init", "-q")
    git("add", "-A")
    for command in (
        ("merge", "don-vi-00007", "don-vi-00190", "--into", "don-vi-00003"),
        ("rename", "don-vi-00120", "--name", "Xã Mới"),
        ("split", "don-vi-00199", "--into", "Xã Đông=1", "Xã Tây=2"),
        ("add", "--kind", "school", "--name", "Trường Một", "--code", "3"),
        ("add", "--kind", "hospital", "--name", "Bệnh viện Một", "--code", "4"),
    ):
        words = ["unit", command[0], str(register), *command[1:]]
        capsys.readouterr()
        assert main([*words, "--dry-run"]) == 0
        shown = capsys.readouterr().out
        git("apply", "--check", given=shown[: shown.index("\n\n") + 1])
        assert main(words) == 0
        git("apply", "--check", "--reverse", given=shown[: shown.index("\n\n") + 1])
        git("add", "--intent-to-add", "-A")
        counts = [line.split() for line in git("diff", "--numstat").splitlines()]
        told = capsys.readouterr().out.partition("\n\n")[0].splitlines()
        assert told == [f"{name}: +{new} -{gone} lines" for new, gone, name in counts]
        git("add", "-A")
