"""What a change calls for: the table, and everything for what it does not know."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from province.run.scope import ALL, BESIDE, LAYERS, TABLE, changed_files, folders, wanted

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_file_that_the_table_does_not_know_calls_for_everything() -> None:
    assert wanted(["docs/architecture.md", "roles/of_tomorrow/tasks/main.yml"]) == (ALL,)


def test_text_alone_calls_for_nothing_of_the_living_lab() -> None:
    assert wanted(["README.md", "docs/decisions/0001-addressing.md", "tests/unit/run/test_scope.py"]) == ()


@pytest.mark.parametrize("file", ["province/plan/model.py", "roles/firewall/tasks/main.yml", "Makefile", "x"])
def test_what_every_layer_stands_on_calls_for_everything(file: str) -> None:
    assert wanted([file]) == (ALL,)


def test_layers_come_in_their_order_and_once() -> None:
    files = ["roles/package_mirror/a", "roles/ntp/a", "roles/ntp/b", "roles/dns_resolver/a"]
    assert wanted(files) == ("base", "naming", "mirror", "flows")


def test_every_layer_of_the_table_is_a_folder_of_tests() -> None:
    named = {name for _, names in TABLE for name in names}
    assert named == {*LAYERS, *BESIDE}
    missing = [folder for folder in folders(sorted(named)) if not (REPOSITORY / folder).is_dir()]
    assert not missing


def test_every_role_of_the_table_exists() -> None:
    roles = [pattern.split("/")[1] for pattern, _ in TABLE if pattern.startswith("roles/")]
    assert [role for role in roles if not (REPOSITORY / "roles" / role).is_dir()] == []


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with two files and two commits."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name in ("old", "same"):
        (folder / name).write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "second")
    return folder


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_a_changed_and_a_new_file_are_both_found(origin: Path) -> None:
    (origin / "old").write_text("2")
    (origin / "tên mới").write_text("1")
    assert changed_files(origin, "HEAD~1") == ["old", "tên mới"]


def test_a_clone_is_compared_with_where_it_left_its_remote(origin: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    (clone / "same").write_text("2")
    git(clone, "commit", "--quiet", "--all", "-m", "third")
    (clone / "new").write_text("1")
    assert changed_files(clone) == ["new", "same"]


def test_a_clone_that_equals_its_remote_says_nothing_about_what_changed(origin: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    assert changed_files(clone) is None


def test_a_folder_without_git_or_without_a_remote_cannot_be_compared(origin: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert changed_files(tmp_path / "plain") is None
    assert changed_files(origin) is None
