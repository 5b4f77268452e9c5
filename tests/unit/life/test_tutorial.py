"""The tutorial for changing the register: its commands are run, and what it shows is what they print.

PROVINCE_UPDATE_GOLDEN=1 writes what they print into the page: review the diff.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import ROOT

PAGE = ROOT / "docs/tutorials/changing-the-register.md"
UPDATE = "PROVINCE_UPDATE_GOLDEN"
BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
SOURCES = ("inventories/registers/dien-bien", "inventories/catalogue", "apps", "docs/reference")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own, with what a plan is made from."""
    for source in SOURCES:
        shutil.copytree(ROOT / source, tmp_path / source)
    for words in (["init", "-q", "-b", "practice"], ["add", "-A"], ["commit", "-q", "-m", "As it was"]):
        subprocess.run(["git", *words], cwd=tmp_path, env=environment(tmp_path), check=True)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    """Git without anybody's own settings, and our commands first."""
    who = {
        f"GIT_{role}_{what}": "x@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    plain = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat", "LC_ALL": "C.UTF-8"}
    return who | plain | {"PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "100"}


def printed(command: str, folder: Path) -> str:
    """What a command of the page prints, on either stream."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def told(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what is shown below it."""
    parts = re.split(r"^\$ (.+)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def agrees(shown: str, real: str) -> bool:
    """Whether an output is as shown; a line `…` stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)+?" if line == "…\n" else re.escape(line) for line in shown.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, real) is not None


def test_the_tutorial_shows_what_its_commands_print(repository: Path) -> None:
    wrong: list[str] = []
    count = 0

    def block(found: re.Match[str]) -> str:
        nonlocal count
        fresh = ""
        for command, shown in told(found[1]):
            real, count = printed(command, repository), count + 1
            same = agrees(shown, real)
            wrong.extend([] if same else [f"$ {command}\n{real}"])
            fresh += f"$ {command}\n{shown if same else real}"
        return f"```console\n{fresh}```\n"

    text = BLOCK.sub(block, PAGE.read_text(encoding="utf-8"))
    assert count > 15
    if os.environ.get(UPDATE):
        PAGE.write_text(text, encoding="utf-8")
    else:
        assert "".join(wrong) == ""
    left = subprocess.run(
        ["git", "status", "--short"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert left.stdout == "", "every change of the tutorial is committed in it"


def test_every_kind_of_change_is_in_the_tutorial() -> None:
    text = "".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    for command in ("add", "close", "move", "merge", "split", "rename", "returned", "returns"):
        assert f"$ province unit {command} " in text


def test_lines_left_out_are_the_only_ones_that_may_differ() -> None:
    assert agrees("a\n…\nc\n", "a\nb\nb\nc\n")
    assert not agrees("a\n…\nc\n", "a\nc\n")
    assert not agrees("a\nc\n", "a\nb\nc\n")
    assert not agrees("a.c\n", "abc\n")
