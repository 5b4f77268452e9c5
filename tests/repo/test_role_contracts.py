"""A role is a contract: what it takes, what it says of it, and what it does not know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

from tests.support.repository import ENVIRONMENTS, ROLES, ROOT, load, shown

FOREIGN = re.compile(r"\b(province_\w+|hostvars|groups\[|group_names|ansible_facts|ansible_play_hosts)\b")
WIRING = sorted((ROOT / "inventories/common/group_vars").rglob("*.yml"))
# Variables of Ansible itself that group_vars may set.
ANSIBLE = {"ansible_python_interpreter", "ansible_managed"}
# What templates may do besides printing: loop, plain if.
TEMPLATE_STATEMENTS = (nodes.For, nodes.If, nodes.Output)
HEADER = re.compile(r"\{\{ ansible_managed( \| comment(\(.*\))?)? \}\}")
# Formats that begin with something else, or have no place for remarks at all.
LATER_HEADER = (".html.j2", ".http.j2")
NO_HEADER = (".json.j2",)


def options(role: Path) -> dict[str, dict[str, Any]]:
    """The role's interface."""
    found: dict[str, dict[str, Any]] = load(role / "meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    return found


def templates() -> list[Path]:
    """All templates of all roles."""
    found = [path for role in ROLES for path in (role / "templates").rglob("*") if path.is_file()]
    assert found
    return sorted(found)


def texts(role: Path) -> dict[Path, str]:
    """Tasks, templates and files of a role."""
    paths = [
        path
        for part in ("tasks", "templates", "files")
        for path in (role / part).rglob("*")
        if path.is_file()
    ]
    return {path: path.read_text(encoding="utf-8") for path in paths}


each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
each_template = pytest.mark.parametrize("template", templates(), ids=shown)


@each_role
def test_defaults_equal_the_specification(role: Path) -> None:
    """Ansible does not apply a specification's default: both are written, and must say the same."""
    wanted = {
        name: option.get("default") for name, option in options(role).items() if not option.get("required")
    }
    assert (load(role / "defaults/main.yml") or {}) == wanted


@each_role
def test_every_option_is_named_after_its_role_and_explained(role: Path) -> None:
    for name, option in options(role).items():
        assert name.startswith((f"{role.name}_", f"__{role.name}_")), name
        assert option.get("description"), name
        assert option.get("type"), name


@each_role
def test_every_default_stands_under_a_comment_that_explains_it(role: Path) -> None:
    """The defaults are the manual. Options that belong together may share one comment."""
    lines = (role / "defaults/main.yml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-z_]+\w*:", line):
            above = number
            while above > 0 and lines[above - 1].strip() and not lines[above - 1].startswith("#"):
                above -= 1
            assert lines[above - 1].startswith("#"), f"{role.name}: {line}"


@each_role
def test_every_option_is_used(role: Path) -> None:
    """A knob that nobody reads is a promise that is not kept."""
    everything = "\n".join(texts(role).values())
    unused = [name for name in options(role) if not re.search(rf"\b{name}\b", everything)]
    assert unused == []


@each_role
def test_a_role_depends_on_no_other(role: Path) -> None:
    assert load(role / "meta/main.yml")["dependencies"] == []


@each_role
def test_a_role_knows_nothing_but_its_own_variables(role: Path) -> None:
    found = [
        f"{shown(path)}: {match[0]}" for path, text in texts(role).items() for match in FOREIGN.finditer(text)
    ]
    assert found == []


@each_role
def test_a_role_has_no_environments_and_computes_no_facts(role: Path) -> None:
    everything = "\n".join(texts(role).values())
    assert not re.search(r"environment\s*==", everything)
    assert "set_fact" not in everything


@each_role
def test_every_template_and_file_of_a_role_is_laid_down(role: Path) -> None:
    tasks = "\n".join(path.read_text(encoding="utf-8") for path in (role / "tasks").rglob("*.yml"))
    left = [
        shown(path)
        for part in ("templates", "files")
        for path in (role / part).rglob("*")
        if path.is_file() and str(path.relative_to(role / part)) not in tasks
    ]
    assert left == []


@each_template
def test_a_template_says_that_it_is_laid_down(template: Path) -> None:
    if str(template).endswith(NO_HEADER):
        return
    text = template.read_text(encoding="utf-8")
    lines = text.splitlines()
    head = lines[1] if lines[0].startswith("#!") else lines[0]
    assert HEADER.search(text if str(template).endswith(LATER_HEADER) else head), head


@each_template
def test_a_template_loops_and_asks_but_does_not_compute(template: Path) -> None:
    """What needs more is a Python function with a name and a test (province/ansible)."""
    tree = jinja2.Environment().parse(template.read_text(encoding="utf-8"))  # noqa: S701 - only parsed
    strange = [
        f"line {node.lineno}: {type(node).__name__}"
        for node in tree.find_all(nodes.Stmt)
        if not isinstance(node, TEMPLATE_STATEMENTS)
    ]
    assert strange == []


# Where plan and role meet --------------------------------------------------------------------------------


def owner(name: str) -> Path | None:
    """The role that a variable belongs to: the longest name that it begins with."""
    found = [role for role in ROLES if name.startswith(f"{role.name}_")]
    return max(found, key=lambda role: len(role.name), default=None)


def assigned() -> list[tuple[Path, str]]:
    """Every variable that group_vars set."""
    found = [(path, name) for path in WIRING for name in load(path) or {}]
    assert len(found) > 20, "the wiring was not found"
    return found


@pytest.mark.parametrize(("file", "name"), assigned(), ids=lambda part: getattr(part, "stem", part))
def test_every_assigned_variable_is_declared_by_its_role(file: Path, name: str) -> None:
    """A misspelt variable would pass in silence, and the role would take its default."""
    role = owner(name)
    if role is None:
        assert name in ANSIBLE, f"{shown(file)}: {name} belongs to no role"
    else:
        assert name in options(role), f"{shown(file)}: {name} is not an option of {role.name}"


@pytest.mark.parametrize("file", WIRING, ids=shown)
def test_wiring_binds_and_does_not_compute(file: Path) -> None:
    text = "\n".join(
        line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    for word in ("{%", "hostvars", "groups[", "ansible_facts", " if "):
        assert word not in text, f"{shown(file)}: {word}"
    lookups = set(re.findall(r"lookup\(\s*'([\w.]+)'", text))
    assert lookups <= {"ledger", "applications"}, lookups


def test_there_are_no_variables_of_single_hosts() -> None:
    """An exception is a line in the register with its reason, not a file that nobody reads again."""
    assert list((ROOT / "inventories").rglob("host_vars")) == []


def test_every_environment_sees_the_same_wiring() -> None:
    """By a link: Ansible reads group_vars beside the inventory source, and nowhere else."""
    assert ENVIRONMENTS
    for environment in ENVIRONMENTS:
        link = environment / "group_vars"
        assert link.is_symlink(), shown(link)
        assert str(link.readlink()) == "../common/group_vars", shown(link)
