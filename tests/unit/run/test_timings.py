"""Estimates: measured wins over shipped, and a broken file counts as none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from province.run.timings import SHIPPED, Timings, words


def test_what_was_measured_here_wins_over_what_is_shipped(tmp_path: Path) -> None:
    timings = Timings(tmp_path / "timings.json")
    assert timings.expected("image:build") == SHIPPED["image:build"]
    timings.record("image:build", 10.0)
    assert Timings(tmp_path / "timings.json").expected("image:build") == 10.0


def test_the_last_duration_weighs_more_than_those_before(tmp_path: Path) -> None:
    timings = Timings(tmp_path / "timings.json")
    timings.record("smoke", 100.0)
    timings.record("smoke", 10.0)
    assert 10.0 < timings.expected("smoke") < 55.0


def test_what_is_left_is_the_sum_of_the_steps_to_come(tmp_path: Path) -> None:
    timings = Timings(tmp_path / "timings.json")
    keys = ["ledger", "smoke"]
    assert timings.left(keys) == SHIPPED["ledger"] + SHIPPED["smoke"]


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"smoke": "soon"}', '{"smoke": -3}', '{"smoke": 1e99}'])
def test_a_broken_file_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "timings.json"
    path.write_text(content)
    assert Timings(path).expected("smoke") == SHIPPED["smoke"]


def test_a_file_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Timings(tmp_path / "file" / "timings.json").record("smoke", 3.0)


@given(st.floats(min_value=0, max_value=86400))
def test_every_duration_has_words_with_a_unit(seconds: float) -> None:
    assert words(seconds).split()[1] in ("s", "min", "h")
