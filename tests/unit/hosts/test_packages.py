"""Which packages are wanted: what the repository says in three places, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from province.packages import containerfile_packages, image_packages, role_packages, wanted

ROOT = Path(__file__).resolve().parents[3]


def test_whatever_the_image_and_any_role_install_is_wanted_for_hosts() -> None:
    """Read once more, by the plainest means."""
    hosts = set(wanted()["hosts"])
    assert set(image_packages(ROOT / "province/lab/host_image/packages.txt")) <= hosts
    named = 0
    for file in (ROOT / "roles").glob("*/tasks/*.yml"):
        for task in yaml.safe_load(file.read_text()):
            packages = (task.get("managed_tree") or {}).get("packages") or []
            if isinstance(packages, list):
                assert set(packages) <= hosts, file
                named += len(packages)
    assert named > 20
    assert {"podman", "haproxy", "chromium"} <= hosts


def test_every_containerfile_that_installs_has_its_set_above_the_base_image() -> None:
    files = [file for file in (ROOT / "apps").rglob("Containerfile") if "apt-get install" in file.read_text()]
    assert files
    for file in files:
        app = file.relative_to(ROOT / "apps").parts[0]
        assert set(wanted()["containers"]) < set(wanted()[f"app-{app}"]), file


def test_an_installation_over_several_lines_is_read_and_its_options_are_none(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text(
        "FROM base\nRUN apt-get update -q \\\n && apt-get -y install --no-install-recommends \\\n"
        "    nginx libfoo1.2 \\\n    g++ && rm -rf /x\nRUN apt-get install -y curl\n"
    )
    assert containerfile_packages(tmp_path / "Containerfile") == ["nginx", "libfoo1.2", "g++", "curl"]


def test_a_variable_is_that_of_the_roles_defaults_and_nothing_else_is_guessed(tmp_path: Path) -> None:
    role = tmp_path / "browser"
    for folder in ("tasks", "defaults"):
        (role / folder).mkdir(parents=True)
    (role / "tasks/main.yml").write_text("- managed_tree: {packages: '{{ browser_packages }}'}\n")
    (role / "defaults/main.yml").write_text("browser_packages: [chromium]\n")
    assert role_packages(role) == ["chromium"]
    (role / "tasks/main.yml").write_text("- managed_tree: {packages: '{{ browser_packages + others }}'}\n")
    with pytest.raises(ValueError, match="no list"):
        role_packages(role)
