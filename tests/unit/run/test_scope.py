"""What a change calls for: the table, and everything for what it does not know."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from province.run.scope import ALL, LAYERS, TABLE, changed_files, folders, wanted

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_file_that_the_table_does_not_know_calls_for_everything() -> None:
    assert wanted(["docs/architecture.md", "roles/of_tomorrow/tasks/main.yml"]) == (ALL,)


def test_text_alone_calls_for_nothing_of_the_living_lab() -> None:
    assert wanted(["README.md", "docs/decisions/0001-addressing.md", "tests/unit/run/test_scope.py"]) == ()


@pytest.mark.parametrize("file", ["province/plan/model.py", "roles/firewall/tasks/main.yml", "Makefile", "x"])
def test_what_every_layer_stands_on_calls_for_everything(file: str) -> None:
    assert wanted([file]) == (ALL,)


def test_layers_come_in_their_order_and_once() -> None:
    files = ["roles/package_cache/a", "roles/ntp/a", "roles/ntp/b", "roles/dns_resolver/a"]
    assert wanted(files) == ("base", "naming", "mirror", "flows")


def test_every_layer_of_the_table_is_a_folder_of_tests() -> None:
    named = {name for _, names in TABLE for name in names}
    assert named == {*LAYERS, "flows", "browser"}
    missing = [folder for folder in folders(sorted(named)) if not (REPOSITORY / folder).is_dir()]
    assert not missing


def test_every_role_of_the_table_exists() -> None:
    roles = [pattern.split("/")[1] for pattern, _ in TABLE if pattern.startswith("roles/")]
    assert [role for role in roles if not (REPOSITORY / "roles" / role).is_dir()] == []


def test_a_changed_and_a_new_file_are_both_found(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init", "--quiet")
    (tmp_path / "old").write_text("1")
    (tmp_path / "same").write_text("1")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    git("commit", "--quiet", "--allow-empty", "-m", "second")
    (tmp_path / "old").write_text("2")
    (tmp_path / "tên mới").write_text("1")
    assert changed_files(tmp_path) == ["old", "tên mới"]


def test_a_folder_without_git_cannot_be_compared(tmp_path: Path) -> None:
    assert changed_files(tmp_path) is None
