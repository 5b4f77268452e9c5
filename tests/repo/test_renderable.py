"""Whatever roles say, `province render` understands: no host needs a connection to be prepared."""

from __future__ import annotations

from pathlib import Path

import pytest

from province.render.roles import Program
from tests.support.repository import ENVIRONMENTS, ROLES, ROOT, shown


@pytest.fixture(scope="module")
def program() -> Program:
    """The roles and plays of this tree."""
    return Program(ROOT, ROOT / "inventories/common/group_vars", shown)


def test_the_renderer_knows_the_roles_of_all_plays(program: Program) -> None:
    assert set(program.names()) == {role.name for role in ROLES}


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_the_tasks_and_templates_of_a_role_are_understood(program: Program, role: Path) -> None:
    """Raises with role, file and line where Ansible might understand more."""
    program.understand(role.name)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_the_wiring_of_an_environment_is_understood_for_every_group(environment: Path) -> None:
    from province.hosts import built_hosts, load_environment, plan_for

    folder = ROOT / "inventories" / environment.name
    loaded = load_environment(folder / "environment.yml")
    program = Program(ROOT, folder / "group_vars", shown)
    for host in built_hosts(loaded, plan_for(loaded), {}):
        roles = {role.name for role in program.roles(host.groups)}
        assert set(host.planned.roles) <= roles, host.name
