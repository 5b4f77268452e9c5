"""What the progress callback computes; what it prints is seen in test_managed_tree_action.py."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "60:00")])
def test_times_read_as_on_a_clock(progress: ModuleType, seconds: float, text: str) -> None:
    assert progress.span(seconds) == text


def test_what_is_left_counts_only_the_layers_of_this_run_and_not_what_is_done(progress: ModuleType) -> None:
    known = {"base/a": 10.0, "base/b": 5.0, "network/a": 100.0}
    assert progress.estimate(known, ["base"], {}) == 15.0
    assert progress.estimate(known, ["base"], {"base/a": 10.0}) == 5.0
    assert progress.estimate(known, ["base", "network"], {"base/a": 10.0, "base/b": 5.0}) == 100.0


def test_what_is_left_follows_the_pace_of_this_run(progress: ModuleType) -> None:
    """The first run installs, the second only looks: it must not promise minutes until its end."""
    assert progress.estimate({"base/a": 10.0, "base/b": 50.0}, ["base"], {"base/a": 1.0}) == 5.0


def test_nothing_is_promised_of_layers_never_run(progress: ModuleType) -> None:
    assert progress.estimate({"base/a": 10.0}, ["mirror"], {}) is None


def test_a_layer_is_named_by_its_playbook(progress: ModuleType) -> None:
    assert progress.layer_of("/somewhere/playbooks/layers/network.yml:3") == "network"


def test_a_failure_without_words_still_says_so(progress: ModuleType) -> None:
    assert progress.message_of({}) == "No reason was given."
    assert progress.message_of({"msg": "a", "stderr": "a", "module_stderr": "b"}) == "a\nb"
