"""Whether an environment is whole, and what it says that it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from province.hosts import built_hosts, load_environment, plan_for
from province.lab import up
from province.lab.places import environment_file


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A lab whose last run ended well; the set of those of its machines that run."""
    environment = load_environment(environment_file("lab"))
    names = {host.name for host in built_hosts(environment, plan_for(environment))}
    (tmp_path / "up.json").write_text(json.dumps({"hosts": sorted(names)}), encoding="utf-8")
    monkeypatch.setattr(up, "_mark", lambda _: tmp_path / "up.json")
    monkeypatch.setattr(up, "_running", lambda _: names)
    return names


def test_an_environment_that_was_built_and_runs_lacks_nothing(built: set[str]) -> None:
    assert built
    assert up.missing("lab") == ""
    assert up.complete("lab")


def test_machines_that_do_not_run_are_named(built: set[str]) -> None:
    built -= {"edge-2", "ns-1"}
    assert up.missing("lab") == "without power: edge-2, ns-1"
    assert not up.complete("lab")


def test_a_machine_whose_power_is_all_gone_is_not_a_list_of_every_host(built: set[str]) -> None:
    built.clear()
    assert up.missing("lab") == "none of its machines runs"


def test_a_plan_that_has_moved_on_says_what_is_new_and_what_is_left(built: set[str], tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text(
        json.dumps({"hosts": sorted(built - {"ns-2"} | {"old-1"})}), encoding="utf-8"
    )
    assert up.missing("lab") == "not built yet: ns-2; not wanted any more: old-1"


@pytest.mark.parametrize("left", ["", "{", '{"hosts": null}'])
def test_a_run_that_left_no_mark_or_half_of_one_is_not_whole(
    built: set[str], tmp_path: Path, left: str
) -> None:
    del built
    (tmp_path / "up.json").write_text(left, encoding="utf-8")
    assert up.missing("lab")
