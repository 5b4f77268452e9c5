"""Requirement → check: every mark names a control, and every control has a test or says why not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def controls() -> dict[str, dict[str, Any]]:
    """All controls of all catalogues, by id."""
    catalogues = sorted((ROOT / "inventories" / "controls").glob("*.yml"))
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in catalogues]
    return {control["id"]: control for catalogue in loaded for control in catalogue["controls"]}


def marks() -> dict[str, list[str]]:
    """Control id → places of its marks; read from the text, so that no plan and no host is needed."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("mark.requirement"):
                continue
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            assert node.args, f"{place}: a requirement mark that names nothing"
            for argument in node.args:
                # A computed id could not be checked without running the test.
                assert isinstance(argument, ast.Constant), f"{place}: write the id of the control out"
                found.setdefault(str(argument.value), []).append(place)
    return found


def test_every_mark_names_a_control() -> None:
    known = controls()
    assert {control: places for control, places in marks().items() if control not in known} == {}


def test_every_control_has_a_test_or_a_stated_reason() -> None:
    """Not checked is never fine: somebody has said which layer or which people it waits for."""
    marked = marks()
    silent = [
        identifier
        for identifier, control in controls().items()
        if identifier not in marked and not control.get("pending") and not control.get("reason")
    ]
    assert silent == []


def test_no_control_is_both_pending_and_tested() -> None:
    """A pending that stayed behind would be counted as missing although it is proven."""
    marked = marks()
    both = [id_ for id_, control in controls().items() if id_ in marked and control.get("pending")]
    assert both == []
