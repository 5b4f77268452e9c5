"""What a change means: pinned for each kind of change, held against the files that hosts would be given."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from province.hosts import built_hosts, plan_for
from province.reading.difference import State, as_json, compare
from province.reading.screen import HEIGHT, WIDTH, lines_of
from province.render.configurations import Renderer, as_if_built, program_for
from province.sources import load_sources
from tests.support.changes import CHANGES, REGISTER, change, state, tree
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
