"""The image's identity, the engine's pin, the kernel's limits, the suite's arithmetic."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from province.lab import kernel
from province.lab.engine import MODULE, pinned_version
from province.lab.image import RECIPE, cached_image, packages, recipe_hash
from province.lab.suite import read_report
from province.run.failure import RunFailedError


def test_the_engine_is_pinned_to_the_version_of_the_sdk() -> None:
    lock = (Path(__file__).resolve().parents[3] / "requirements" / "environment.txt").read_text()
    assert f"\npulumi=={pinned_version()} " in lock


def test_a_go_mod_without_the_engine_is_told(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n")
    with pytest.raises(RunFailedError, match=MODULE):
        pinned_version(tmp_path)


def test_packages_are_listed_once_and_comments_are_none(tmp_path: Path) -> None:
    listed = packages()
    assert len(set(listed)) == len(listed)
    (tmp_path / "packages.txt").write_text("# base\nchrony\n\nfrr # routing\n")
    assert packages(tmp_path) == ("chrony", "frr")


@pytest.mark.parametrize(
    "changed", ["packages.txt", "customize.sh", "metadata.yaml", "templates/hostname.tpl"]
)
def test_every_file_of_the_recipe_makes_the_image_another(tmp_path: Path, changed: str) -> None:
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy)
    assert recipe_hash(copy) == recipe_hash()
    with (copy / changed).open("a") as file:
        file.write("\n# more\n")
    assert recipe_hash(copy) != recipe_hash()


def test_the_newest_image_of_the_present_recipe_is_taken_whatever_its_packages(tmp_path: Path) -> None:
    for age, name in enumerate((f"{recipe_hash()}-new", f"{recipe_hash()}-old", "of-another-recipe")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "rootfs.tar").write_text("")
        os.utime(folder / "rootfs.tar", (1000 - age, 1000 - age))
    found = cached_image(tmp_path)
    assert found is not None
    assert found.identity == f"{recipe_hash()}-new"


def test_an_image_that_was_not_finished_is_none(tmp_path: Path) -> None:
    folder = tmp_path / f"{recipe_hash()}-half"
    folder.mkdir()
    (folder / "metadata.tar").write_text("")
    assert cached_image(tmp_path) is None


def limits(folder: Path, values: dict[str, int]) -> Path:
    for name, value in values.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{value}\n")
    return folder


def read(folder: Path, name: str) -> int:
    return int((folder / name).read_text())


def test_low_limits_are_raised_and_put_back_and_high_ones_left_alone(tmp_path: Path) -> None:
    low, high = "fs/inotify/max_user_instances", "kernel/keys/maxkeys"
    before = {low: 128, high: kernel.WANTED[high] * 2}
    sysctl, record = limits(tmp_path / "sys", before), tmp_path / "kernel.json"
    assert kernel.raise_limits(sysctl, record) == [low]
    assert kernel.raise_limits(sysctl, record) == []
    assert read(sysctl, low) == kernel.WANTED[low]
    assert kernel.put_back(sysctl, record) == [low]
    assert {name: read(sysctl, name) for name in before} == before


def test_a_limit_that_somebody_changed_meanwhile_is_not_put_back(tmp_path: Path) -> None:
    name = "fs/inotify/max_user_instances"
    sysctl, record = limits(tmp_path / "sys", {name: 128}), tmp_path / "kernel.json"
    kernel.raise_limits(sysctl, record)
    (sysctl / name).write_text("65536\n")
    assert kernel.put_back(sysctl, record) == []
    assert read(sysctl, name) == 65536


REPORT = """<?xml version="1.0"?>
<testsuites><testsuite>
<testcase classname="tests.unit.a" name="test_one"/>
<testcase classname="tests.unit.a" name="test_two"><failure message="no">no</failure></testcase>
<testcase classname="tests.unit.a" name="test_three"><error message="no">no</error></testcase>
<testcase classname="tests.unit.a" name="test_four"><skipped/></testcase>
</testsuite></testsuites>
"""


def test_failures_and_errors_both_count_and_skipped_tests_count_as_neither(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    assert read_report(tmp_path / "report.xml") == (
        1,
        ["tests.unit.a::test_two", "tests.unit.a::test_three"],
    )


def test_a_run_that_left_no_report_has_passed_nothing(tmp_path: Path) -> None:
    assert read_report(tmp_path / "report.xml") == (0, [])
