"""Golden files of what commands say when they refuse: problems/<case>.txt, one line each problem."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from province.cli import main
from province.problems import Problem
from tests.support.repository import ROOT

PROBLEMS = ROOT / "tests/unit/broken/problems"
UPDATE = "PROVINCE_UPDATE_GOLDEN"
LINE = re.compile(r"[A-Z]{3}-\d{3} \S.*?: found .+; wanted .+\. .+\.")


def compare(case: str, words: str) -> None:
    """Compare what was said with what is kept, and hold each line to the form of a problem."""
    for line in words.splitlines():
        assert LINE.fullmatch(line), line
    golden = PROBLEMS / f"{case}.txt"
    if os.environ.get(UPDATE):
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def pinned(case: str, command: list[str], capsys: pytest.CaptureFixture[str], tree: Path) -> None:
    """Give a command that must fail in sentences; the tree's own place is left out of them."""
    assert main(command) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    compare(case, heard.err.replace(f"{tree}/", "").replace(str(tree), ""))


def problems_as_said(problems: tuple[Problem, ...], *places: Path) -> str:
    """Problems as the command line prints them, without the test's own places."""
    words = "".join(f"{problem}\n" for problem in problems)
    for place in places:
        words = words.replace(f"{place}/", "").replace(str(place), "")
    return words
