"""What Ansible itself sees of the wiring; a broken link or plugin would mean roles with their defaults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.repository import ENVIRONMENTS, ROOT, load

COMMON = ROOT / "inventories/common/group_vars"


def listed(environment: Path, state: Path) -> dict[str, Any]:
    """The inventory of an environment with all variables, not rendered."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-inventory"),
            "-i",
            environment / "environment.yml",
            "--list",
        ],
        cwd=ROOT,
        env=dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), PROVINCE_STATE_DIR=str(state)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_every_host_has_every_variable_bound_for_its_groups(environment: Path, tmp_path: Path) -> None:
    inventory = listed(environment, tmp_path)
    hosts = inventory["_meta"]["hostvars"]
    assert hosts, "an environment without hosts proves nothing"
    bound: dict[str, set[str]] = {}
    for file in COMMON.rglob("*.yml"):
        bound.setdefault(file.relative_to(COMMON).parts[0], set()).update(load(file) or {})
    groups = {name for name in inventory if name != "_meta"}
    assert sum(len(names) for names in bound.values()) >= 40, "the wiring was not found"
    for name, variables in hosts.items():
        mine = {"all"} | {group for group in groups if name in inventory[group].get("hosts", [])}
        wanted = set().union(*(names for group, names in bound.items() if group in mine))
        assert wanted - set(variables) == set(), name


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_wiring_is_for_groups_that_a_plan_knows(environment: Path, tmp_path: Path) -> None:
    """A folder of a misspelt group would bind nothing and nobody would notice."""
    from province.hosts import built_hosts, load_environment, plan_for

    loaded = load_environment(environment / "environment.yml")
    known = {host.machine for host in plan_for(loaded).hosts}
    known |= {group for host in built_hosts(loaded, plan_for(loaded)) for group in host.groups} | {"all"}
    known |= {"probe"}  # a stranger is in no plan, and built in labs alone
    assert tmp_path.exists()
    assert {path.name for path in COMMON.iterdir()} - known == set()
