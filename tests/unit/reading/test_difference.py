"""What a change means: pinned for each kind of change, held against the files that hosts would be given."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from province.hosts import built_hosts, plan_for
from province.reading.difference import Entry, Part, State, as_json, compare
from province.reading.screen import HEIGHT, WIDTH, lines_of
from province.render.configurations import Renderer, as_if_built, program_for
from province.sources import load_sources
from tests.support.changes import CHANGES, PROVINCE, REGISTER, UNITS, change, more, state, text, tree
from tests.support.repository import ROOT

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((ROOT / "docs/reference/plan-diff.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> State:
    return state(tree(tmp_path_factory.mktemp("before")), "v1")


def changed(folder: Path, name: str) -> Path:
    change(tree(folder), name)
    return folder


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_said_in_these_words_on_one_screen(name: str, before: State, tmp_path: Path) -> None:
    found = compare(before, state(changed(tmp_path, name), "the working tree"))
    jsonschema.validate(as_json(found), SCHEMA)
    lines = lines_of(found)
    assert len(lines) <= HEIGHT
    assert [line for line in lines if len(line) > WIDTH] == []
    golden = GOLDEN / f"{name}.txt"
    said = "\n".join(lines) + "\n"
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_no_golden_screen_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CHANGES)


def files_of(folder: Path) -> dict[str, dict[str, bytes]]:
    """What every planned host of ours would be given, if all of them were built: host → path → content."""
    sources = load_sources(folder / REGISTER)
    environment = as_if_built(sources)
    units = tuple(unit.id for unit in sources.register.units if unit.state != "closed")
    pcs = sources.catalogue.machines["workstation"].members
    environment = replace(environment, units=units, workstations=pcs)
    plan = plan_for(environment)
    keys = {host.name: f"key of {host.name}" for host in plan.hosts}
    program = program_for(ROOT, ROOT / "inventories/common/group_vars")
    renderer = Renderer(program, environment, plan)
    return {
        host.name: {file.path: file.content for file in renderer.render(host).files}
        for host in built_hosts(environment, plan, keys)
    }


@pytest.fixture(scope="module")
def files_before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return files_of(tree(tmp_path_factory.mktemp("files")))


@pytest.mark.parametrize("name", CHANGES)
def test_machines_to_touch_are_those_whose_files_become_others(
    name: str, before: State, files_before: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    found = compare(before, state(changed(tmp_path, name), "after"))
    after = files_of(tmp_path)
    differ = {host for host in after if host in files_before and after[host] != files_before[host]}
    assert set(found.touched) == differ
    assert set(found.made) == set(after) - set(files_before)
    assert set(found.taken_away) == set(files_before) - set(after)


def test_what_changes_in_the_centre_itself_does_not_hide_behind_units(before: State, tmp_path: Path) -> None:
    file = tree(tmp_path) / PROVINCE
    fewer = more("machines: {mirror: {members: 1}}\n")
    file.write_text(fewer(file.read_text(encoding="utf-8")), encoding="utf-8")
    found = compare(before, state(tmp_path, "after"))
    changed = [c.id for part in ("services", "flows") for c in found.parts[part].changed]
    assert {"packages", "management", "mirror-internet-web"} <= set(changed)
    assert found.follows == frozenset()
    lines = lines_of(found)
    assert "  ~ packages: hosts -mirror-2" in lines
    assert not [line for line in lines if "follow the units" in line]


def test_a_line_that_a_carrier_assigns_is_another_address_of_its_unit(before: State, tmp_path: Path) -> None:
    file = tree(tmp_path) / UNITS
    line = text(("bandwidth_mbps: 100}", "bandwidth_mbps: 100, assigned4: 198.51.100.4/30}"))
    file.write_text(line(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert compare(before, state(tmp_path, "after")).moved == ("phuong-mot",)


def test_what_more_a_year_is_what_comes_after_less_what_was_before(tmp_path: Path) -> None:
    prices = more("prices: {line_mbps_month: 10}\n")
    states = []
    for name in ("nothing", "add"):
        file = tree(tmp_path / name) / PROVINCE
        file.write_text(prices(file.read_text(encoding="utf-8")), encoding="utf-8")
        change(tmp_path / name, name)
        states.append(state(tmp_path / name, name))
    assert compare(*states).vnd_year == 100 * 12 * 10
    assert compare(*states[::-1]).vnd_year == -100 * 12 * 10
    assert compare(None, states[0]).vnd_year == states[0].cost.vnd_year


def test_what_one_screen_does_not_show_it_counts(before: State, tmp_path: Path) -> None:
    """Also when that is a single entry."""
    found = compare(before, state(changed(tmp_path, "add"), "after"))
    counted = set()
    for number in range(60):
        services = tuple(Entry(id=f"s-{n}", owner="centre", value={}) for n in range(number))
        parts = {**dict.fromkeys(found.parts, Part()), "services": Part(added=services)}
        lines = lines_of(replace(found, parts=parts))
        shown = sum(line.startswith("  + s-") for line in lines)
        hidden = sum(int(line.split()[2]) for line in lines if line.startswith("… and ") and "--all" in line)
        assert shown + hidden == number
        assert len(lines) <= HEIGHT
        counted.add(hidden)
    assert {0, 1, 2} <= counted
