"""Who may import what (docs/architecture.md): the plan stays pure, shims stay shims."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.repository import ROOT, shown

WORLD = {"subprocess", "socket", "os", "time", "random", "secrets", "httpx", "paramiko", "asyncio", "urllib"}
TOOLS = {"ansible", "pulumi", "testinfra", "province_stack", "provider"}
# The types of a plan are everybody's vocabulary.
TYPES = "province.plan.model"
# Folder → what its files may not import, by the beginning of the dotted name.
FORBIDDEN: dict[str, set[str]] = {
    "province/register": {"province.plan", "province.hosts", "province.lab", *TOOLS, *WORLD},
    "province/plan": {"province.hosts", "province.lab", "yaml", "pathlib", "io", *TOOLS, *WORLD},
    "province/drawings": {"province.hosts", "province.lab", "yaml", "pathlib", "io", *TOOLS, *WORLD},
    "province/observe": {"province.lab", "province.register", *TOOLS, *WORLD},
    "province/ansible": {"province.register", "province.plan", "province.lab", *TOOLS, *WORLD},
    "province": {"ansible", "testinfra", "tests"},
    "inventories/plugins": {"netaddr", "province.plan", "province.register", "pulumi"},
    "playbooks/plugins": {"netaddr", "province.plan", "province.register", "pulumi"},
    "pulumi/province_stack": {"netaddr", "province.register", "ansible", "random"},
    "tests/layers": {"province.register", "ansible", "pulumi", "province.lab"},
    "tests/flows": {"province.register", "ansible"},
    "tests/survival": {"province.register", "ansible"},
}


def imports(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports, wherever in it, with the line."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module))
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_part_imports_only_what_it_may(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"{folder} is not there any more: mend this table and docs/architecture.md"
    found = {
        f"{shown(path)}:{line} imports {name}"
        for path in files
        for line, name in imports(path)
        for forbidden in FORBIDDEN[folder]
        if (name == forbidden or name.startswith(f"{forbidden}.")) and not name.startswith(TYPES)
    }
    assert sorted(found) == []


@pytest.mark.parametrize("folder", ["province/plan", "province/drawings", "province/observe"])
def test_a_pure_part_opens_no_file(folder: str) -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rsplit(".", 1)[-1] in ("open", "read_text", "read_bytes", "print")
    ]
    assert found == []


def test_the_folder_pulumi_is_not_a_package() -> None:
    """With an __init__.py it would hide the SDK of the same name."""
    assert list((ROOT / "pulumi").glob("__init__.py")) == []


def test_entry_points_only_join_what_others_do() -> None:
    entries = [*(ROOT / "pulumi").rglob("__main__.py"), *(ROOT / "province").rglob("__main__.py")]
    assert entries
    long = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in entries}
    assert {name: lines for name, lines in long.items() if lines > 60} == {}
