"""What a converge says when it ends: how much changed, or which host of which layer, and what next."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from province.lab import converge as module
from province.lab.converge import Converged, converge, layers, playbook_of
from province.problems import ProblemsFoundError
from province.run.failure import RunFailedError
from province.run.progress import Progress
from province.run.timings import Timings

Playbook = Callable[[dict[str, Any], int], None]


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(Timings(tmp_path / "timings.json"), tmp_path / "run.log", io.StringIO())


@pytest.fixture
def playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playbook:
    """Put a program in the place of ansible-playbook, that leaves a recap and ends with a status."""

    def pretend(recap: dict[str, Any], status: int) -> None:
        program = tmp_path / "ansible-playbook"
        lines = ["#!/bin/sh", 'echo "$@"', "cat > \"$PROVINCE_RECAP\" <<'END'", json.dumps(recap), "END"]
        program.write_text("\n".join([*lines, f"exit {status}", ""]))
        program.chmod(0o755)
        monkeypatch.setattr(module, "PROGRAMS", tmp_path)

    return pretend


def run(progress: Progress, **words: str) -> Converged:
    with progress.step("converge:again", "converge") as running:
        return converge("lab", progress, running, **words)


def test_a_converge_counts_changes_and_the_hosts_they_are_on(progress: Progress, playbook: Playbook) -> None:
    playbook({"changed": 3, "hosts": {"edge-1": {"changed": 3}, "ns-1": {"changed": 0}}}, 0)
    result = run(progress)
    assert (result.changed, result.changed_hosts, result.hosts) == (3, 1, 2)


def test_a_converge_that_changed_nothing_says_so(progress: Progress, playbook: Playbook) -> None:
    playbook({"changed": 0, "hosts": {"edge-1": {"changed": 0}}}, 0)
    assert str(run(progress)) == "nothing to change on 1 hosts"


def test_a_failure_names_layer_host_task_and_the_command_for_that_part(
    progress: Progress, playbook: Playbook
) -> None:
    failures = [
        {"host": "edge-1", "layer": "network", "task": "Filter as declared", "message": "no such zone"},
        {"host": "hub-1", "layer": "network", "task": "Filter as declared", "message": "no such zone"},
    ]
    playbook({"changed": 0, "hosts": {}, "failures": failures}, 2)
    with pytest.raises(RunFailedError) as told:
        run(progress)
    failure = told.value.failure
    assert failure.where == "layer network, host edge-1"
    assert failure.came_back == "no such zone"
    assert failure.next_command.endswith("make converge LAYER=network LIMIT=edge-1")
    assert "hub-1" in failure.notes[0]


def test_a_playbook_that_does_not_even_begin_is_told_with_its_last_words(
    progress: Progress, playbook: Playbook
) -> None:
    playbook({}, 4)
    with pytest.raises(RunFailedError) as told:
        run(progress)
    assert "exit status 4" in told.value.failure.came_back


def test_one_layer_and_some_hosts_are_handed_on(
    progress: Progress, playbook: Playbook, tmp_path: Path
) -> None:
    playbook({"changed": 0, "hosts": {}}, 0)
    run(progress, layer="network", limit="edge-1")
    asked = (tmp_path / "run.log").read_text()
    assert "playbooks/layers/network.yml" in asked
    assert "--limit edge-1" in asked


def test_what_the_playbook_prints_is_logged_once(
    progress: Progress, playbook: Playbook, tmp_path: Path
) -> None:
    """By its callback, in order; what others print, by us."""
    playbook({"changed": 0, "hosts": {}}, 0)
    program = tmp_path / "ansible-playbook"
    speak = 'echo "[0:01] base" | tee -a "$PROVINCE_LOG"; echo "[WARNING]: of Ansible"'
    program.write_text(program.read_text().replace("#!/bin/sh", f"#!/bin/sh\n{speak}"))
    run(progress)
    said = (tmp_path / "run.log").read_text()
    assert said.count("[0:01] base") == 1
    assert said.count("[WARNING]: of Ansible") == 1


def test_every_layer_has_its_playbook_and_an_unknown_one_is_told_with_those_there_are() -> None:
    assert {playbook_of(layer).is_file() for layer in ["", *layers()]} == {True}
    with pytest.raises(ProblemsFoundError, match="network"):
        playbook_of("of-tomorrow")
