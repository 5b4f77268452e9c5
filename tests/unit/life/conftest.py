"""A small register in a tree of its own, and the command on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from province.cli import main
from tests.support.changes import REGISTER, UNITS, tree


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree, which is the working folder as well, so that messages name files from it."""
    made = tree(tmp_path / "tree")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def unit(small: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`province unit COMMAND REGISTER …`: status, output, errors."""

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["unit", command, str(small / REGISTER), *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def units(small: Path) -> Callable[[], str]:
    """The text of the file of units."""
    return lambda: (small / UNITS).read_text(encoding="utf-8")
