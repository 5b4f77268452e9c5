"""A change is there whole or not at all, whenever the process dies, and files keep what is theirs."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from province.cli import main
from province.problems import ProblemsFoundError
from province.sources import load_sources
from tests.support.changes import REGISTER, UNITS

Run = Callable[..., tuple[int, str, str]]
SECOND = f"{REGISTER}/units/schools.yml"


@pytest.fixture
def two(small: Path) -> Path:
    """The tree with its school in a file of its own, below the commune that will be merged."""
    text = (small / UNITS).read_text(encoding="utf-8")
    school = text[text.index("  - id: truong-cu") :]
    (small / UNITS).write_text(text.replace(school, ""), encoding="utf-8")
    closed = school[school.index("    state: closed") : school.index("    level: 2")]
    live = school.replace(closed, "    state: live\n").replace("    sphere", "    parent: xa-hai\n    sphere")
    (small / SECOND).write_text(f"units:\n{live}", encoding="utf-8")
    load_sources(small / REGISTER)
    return small


MERGE = ("merge", "xa-hai", "--into", "phuong-mot", "--date", "2026-07-01")


def state(folder: Path) -> dict[str, str]:
    """The texts of a register, without drafts."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((folder / REGISTER).glob("units/*.yml"))
    }


def dies(folder: Path, monkeypatch: pytest.MonkeyPatch, when: int) -> bool:
    """Make the change in a process that is gone at the nth touch of the disk; whether it died."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        left = [when]

        def counted(honest: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(77)
                return honest(*given, **named)

            return call

        for name in ("replace", "rename", "rmdir", "mkdir"):
            monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
        monkeypatch.setattr(os, "fsync", counted(os.fsync))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(["unit", MERGE[0], str(folder / REGISTER), *MERGE[1:]]))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 77)
    return code == 77


def test_whenever_it_dies_the_register_is_the_old_the_new_or_says_that_it_is_unfinished(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = state(two)
    whole = tmp_path / "whole"
    shutil.copytree(two, whole)
    assert not dies(whole, monkeypatch, 10_000)
    new = state(whole)
    assert {name for name in old if old[name] != new[name]} == {"all.yml", "schools.yml"}
    seen = set()
    for when in range(1, 40):
        tree = tmp_path / f"died-{when}"
        shutil.copytree(two, tree)
        died = dies(tree, monkeypatch, when)
        left = tree / REGISTER / "units/.unfinished"
        if list(left.glob("*")):
            seen.add("unfinished")
            with pytest.raises(ProblemsFoundError, match="REG-015"):
                load_sources(tree / REGISTER)
            # As the remedy of UNT-043 says.
            for path in list(left.iterdir()):
                path.rename(left.parent / path.name)
            left.rmdir()
            assert state(tree) == new
        else:
            assert state(tree) in (old, new)
            seen.add("old" if state(tree) == old else "new")
        load_sources(tree / REGISTER)
        # Given again, the command does it, or says that it is done; whatever lay about is gone.
        assert main(["unit", MERGE[0], str(tree / REGISTER), *MERGE[1:]]) == 0
        assert state(tree) == new
        assert sorted(path.name for path in (tree / REGISTER).iterdir()) == ["province.yml", "units"]
        assert sorted(path.name for path in (tree / REGISTER / "units").iterdir()) == sorted(new)
        if not died:
            break
    assert seen == {"old", "new", "unfinished"}
    assert not died


def test_a_text_is_on_the_disk_before_it_takes_the_place_of_another(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a loss of power could leave the name of the file with nothing behind it."""
    done: list[tuple[str, int]] = []
    honest_sync, honest_replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        done.append(("kept", os.fstat(handle).st_ino))
        honest_sync(handle)

    def replace(path: Path, target: Path) -> Path:
        done.append(("named", path.stat().st_ino))
        return honest_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    assert main(["unit", MERGE[0], str(two / REGISTER), *MERGE[1:]]) == 0
    named = [number for number, (what, _) in enumerate(done) if what == "named"]
    assert len(named) == 2
    for number in named:
        assert ("kept", done[number][1]) in done[:number]
    # And so are the names, before what was left to do is forgotten.
    assert ("kept", (two / REGISTER / "units").stat().st_ino) in done[named[-1] :]


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_what_fails_at_the_second_file_takes_back_the_first(
    two: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    old, honest, calls = state(two), Path.replace, [0]

    def replace(path: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == 2:
            raise error
        return honest(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    if isinstance(error, OSError):
        assert main(["unit", MERGE[0], str(two / REGISTER), *MERGE[1:]]) == 1
    else:
        with pytest.raises(KeyboardInterrupt):
            main(["unit", MERGE[0], str(two / REGISTER), *MERGE[1:]])
    assert calls[0] == 3
    assert state(two) == old
    assert sorted(path.name for path in (two / REGISTER / "units").iterdir()) == sorted(old)


def test_a_file_keeps_its_mode_and_a_link_stays_one(small: Path, unit: Run) -> None:
    file = small / UNITS
    elsewhere = small / "kept-elsewhere.yml"
    file.rename(elsewhere)
    elsewhere.chmod(0o640)
    file.symlink_to(elsewhere)
    assert unit("close", "xa-hai", "--date", "2026-07-01")[0] == 0
    assert file.is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640
    assert 'closed: "2026-07-01"' in elsewhere.read_text(encoding="utf-8")
