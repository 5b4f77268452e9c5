"""Tests that never run, wait for a guess or skip in silence prove nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT, shown

TESTS = sorted((ROOT / "tests").rglob("*.py"))
COLLECTED = [path for path in TESTS if path.name.startswith("test_")]
# `make bench` runs the benchmarks; tests/unit/benchmarks runs every one of them at a tiny size.
SUPPORT = {ROOT / "tests/support", ROOT / "tests/benchmarks"}
WAITING = ROOT / "tests/support/eventually.py"
ADDRESS = re.compile(r"(?<![\d.])(?:10|172|192)(?:\.\d{1,3}){3}(?![\d.])")


def calls(path: Path) -> list[ast.Call]:
    """Every call in a file."""
    return [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]


def test_every_file_is_collected_or_support() -> None:
    lost = [
        shown(path)
        for path in TESTS
        if path not in COLLECTED and path.name != "conftest.py" and not SUPPORT & set(path.parents)
    ]
    assert lost == []


@pytest.mark.parametrize("path", COLLECTED, ids=shown)
def test_a_file_of_tests_holds_tests(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert any(name.startswith("test_") for name in names)


def test_names_of_tests_are_claims() -> None:
    """At least three words: `test_firewall` says nothing about what holds."""
    short = [
        f"{shown(path)}: {node.name}"
        for path in COLLECTED
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name.count("_") < 3
    ]
    assert short == []


def test_nobody_sleeps_for_a_guess() -> None:
    """`eventually` waits for a condition and says what it saw last."""
    found = [
        f"{shown(path)}:{call.lineno}"
        for path in TESTS
        if path not in (WAITING, Path(__file__))
        for call in calls(path)
        if ast.unparse(call.func).rsplit(".", 1)[-1] == "sleep"
    ]
    in_shell = [
        f"{shown(path)}: {match[0]}"
        for path in TESTS
        if path.relative_to(ROOT).parts[1] in ("layers", "flows", "browser", "survival", "support")
        for match in re.finditer(r"\bsleep [\d.]+", path.read_text(encoding="utf-8"))
    ]
    assert found + in_shell == []


def test_a_skip_says_why() -> None:
    found = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(
                ("mark.skip", "mark.skipif", "mark.xfail")
            ):
                found.append((path, node))
    reasons = {
        (path, call.lineno)
        for path in TESTS
        for call in calls(path)
        if any(word.arg == "reason" and ast.unparse(word.value) not in ("''", '""') for word in call.keywords)
    }
    assert [
        f"{shown(path)}:{node.lineno}" for path, node in found if (path, node.lineno) not in reasons
    ] == []


# The one file whose addresses are meant: if plan and checks were wrong together, it would tell.
BY_HAND = "tests/flows/test_by_hand.py"


@pytest.mark.parametrize("folder", ["tests/layers", "tests/flows", "tests/survival"])
def test_living_checks_retype_no_address(folder: str) -> None:
    """Expected values come from the plan; a number typed here would agree with nobody's register but one."""
    found = [
        f"{shown(path)}: {match[0]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if shown(path) != BY_HAND
        for match in ADDRESS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
