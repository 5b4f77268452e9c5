"""What managed_tree does about a killed run's leftovers, and about accounts that a password opens."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ME = pwd.getpwuid(os.getuid()).pw_name


class Commands(list[list[str]]):
    """A note of every command; all succeed."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__()
        self.module = module

    def __call__(self, argv: Sequence[str], *, seconds: int = 300) -> Any:
        """Take the place of `run`."""
        assert seconds > 0
        self.append(list(argv))
        return self.module.Done(0, "", "")


@pytest.fixture
def commands(module: ModuleType) -> Commands:
    return Commands(module)


def tree(module: ModuleType, root: Path, commands: Commands, **options: Any) -> Any:
    return module.Tree(
        {"packages": [], "users": [], **options}, [], check=False, call=commands, root=str(root)
    )


@pytest.mark.parametrize("ours", [True, False])
def test_only_our_own_leftover_lets_services_start_again(
    module: ModuleType, tmp_path: Path, commands: Commands, *, ours: bool
) -> None:
    policy = tmp_path / module.POLICY
    policy.parent.mkdir(parents=True)
    policy.write_text(module.POLICY_TEXT if ours else "#!/bin/sh\nexit 0\n")
    tree(module, tmp_path, commands).install_packages()
    assert policy.exists() is not ours


@pytest.mark.parametrize(("password", "locks"), [("$y$j9T$x", 1), ("", 1), ("!", 0), ("*", 0), ("!$y$x", 0)])
def test_an_account_that_must_be_locked_is_locked_once(
    module: ModuleType, tmp_path: Path, commands: Commands, password: str, locks: int
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text(f"other:!:1::::::\n{ME}:{password}:1::::::\n")
    user = {"name": ME, "system": False, "shell": "/bin/sh", "home": "", "groups": [], "locked": True}
    made = tree(module, tmp_path, commands, users=[user])
    made.make_users()
    assert commands == [["usermod", "--lock", ME]] * locks
    assert len(made.outcome.changes) == locks


def test_nobody_reads_a_file_before_its_mode_is_set(
    module: ModuleType, tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    chmod = os.fchmod

    def watched(handle: int, mode: int) -> None:
        seen.append(os.fstat(handle).st_mode & 0o777)
        chmod(handle, mode)

    monkeypatch.setattr(os, "fchmod", watched)
    file = module.File("/key", b"secret", 0o640, os.geteuid(), os.getegid(), None, True)
    tree(module, tmp_path, commands).write(tmp_path / "key", file)
    assert seen == [0o600]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o640
