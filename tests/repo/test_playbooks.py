"""How plays are written, so that half a province is never converged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.repository import LAYERS, ROLES, ROOT, load, shown

FILES = sorted((ROOT / "playbooks").rglob("*.yml"))
PLAYS = [(shown(path), play) for path in FILES for play in load(path) if "hosts" in play]


def roles_of(play: dict[str, Any]) -> list[str]:
    """Names of a play's roles."""
    return [role if isinstance(role, str) else role["role"] for role in play.get("roles", [])]


def test_there_are_plays_to_look_at() -> None:
    assert len(PLAYS) >= len(LAYERS)


@pytest.mark.parametrize(("file", "play"), PLAYS, ids=[f"{file}:{play['name']}" for file, play in PLAYS])
def test_a_play_stops_everywhere_when_one_host_fails(file: str, play: dict[str, Any]) -> None:
    """No option of ansible.cfg says the second half for us."""
    assert play["any_errors_fatal"] is True, file
    assert play["max_fail_percentage"] == 0, file


@pytest.mark.parametrize(("file", "play"), PLAYS, ids=[f"{file}:{play['name']}" for file, play in PLAYS])
def test_a_play_only_joins_roles(file: str, play: dict[str, Any]) -> None:
    """Work belongs to roles, bindings to group_vars; a play says what stands on one host, in which order."""
    known = {"name", "hosts", "any_errors_fatal", "max_fail_percentage", "roles", "serial"}
    assert set(play) <= known, file
    assert roles_of(play), file
    assert set(roles_of(play)) <= {role.name for role in ROLES}, file


def test_every_layer_has_a_playbook_a_test_folder_and_a_page() -> None:
    playbooks = {path.stem for path in (ROOT / "playbooks/layers").glob("*.yml")}
    tests = {path.name for path in (ROOT / "tests/layers").iterdir() if any(path.glob("test_*.py"))}
    pages = {path.stem for path in (ROOT / "docs/layers").glob("*.md")} - {"README"}
    assert playbooks == tests == pages == set(LAYERS)


def test_the_site_is_all_layers_in_their_order() -> None:
    imported = [play["ansible.builtin.import_playbook"] for play in load(ROOT / "playbooks/site.yml")]
    assert imported == [f"layers/{layer}.yml" for layer in LAYERS]


def test_every_role_is_part_of_a_layer() -> None:
    used = {role for _file, play in PLAYS for role in roles_of(play)}
    assert used == {role.name for role in ROLES}


def test_only_layers_above_the_mirror_install_what_is_not_in_the_image() -> None:
    """Nothing can be fetched before the mirror runs; the image lists what the first layers need."""
    image = (ROOT / "province/lab/host_image/packages.txt").read_text().split()
    before = LAYERS[: LAYERS.index("mirror") + 1]
    needed: dict[str, set[str]] = {}
    for layer in before:
        for play in load(ROOT / f"playbooks/layers/{layer}.yml"):
            for role in roles_of(play):
                for task in load(ROOT / f"roles/{role}/tasks/main.yml"):
                    packages = task.get("managed_tree", {}).get("packages", [])
                    assert isinstance(packages, list), f"{role}: name the packages of {layer} one by one"
                    needed.setdefault(role, set()).update(packages)
    missing = {role: packages - set(image) for role, packages in needed.items() if packages - set(image)}
    assert missing == {}
