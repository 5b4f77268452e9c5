"""What a converge says when it ends: how much changed, or which host of which layer, and what next."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from province.asked import Asked, keep, known
from province.lab import converge as module
from province.lab.converge import Converged, converge, layers, playbook_of
from province.ledger import STATE_DIR_VARIABLE, state_dir
from province.look import Seen
from province.problems import Problem, ProblemsFoundError
from province.run.failure import RunFailedError
from province.run.progress import Progress
from province.run.timings import Timings

Playbook = Callable[[dict[str, Any], int], None]
NOTED = Asked(made_from="now", secrets={}, roles={"ntp": "now"})


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


@pytest.fixture(autouse=True)
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """What hosts say when they are looked at; nobody is asked as long as it is empty."""
    said: list[Seen] = []

    def look(*given: Any) -> list[Seen]:
        given[-1].update({one.host: NOTED for one in said})
        return said

    monkeypatch.setattr(module, "_look", look)
    return said


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the record of what was asked is kept."""
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "state"))
    return state_dir("lab")


@pytest.fixture
def concerned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hosts that a change concerns."""
    found: list[str] = []
    monkeypatch.setattr(module, "_concerned", lambda *_: found)
    return found


def run(progress: Progress, **options: Any) -> Converged:
    with progress.step("converge:again", "converge") as running:
        return converge("lab", progress, running, **options)


def log(progress: Progress) -> str:
    assert progress.log_path is not None
    return progress.log_path.read_text()


LOOK = module._look  # before tests put another in its place
SETTLED = Seen(host="ns-1", changes={})
OPEN = Seen(host="edge-1", changes={"ntp": ["Wrote /etc/chrony/chrony.conf."]})
SILENT = Seen(host="hub-1", changes={}, error="no route to host")


def test_where_no_host_has_anything_to_do_no_playbook_is_run(
    progress: Progress, playbook: Playbook, hosts: list[Seen]
) -> None:
    playbook({}, 4)
    hosts += [SETTLED, replace(SETTLED, host="ns-2")]
    assert str(run(progress)) == "nothing to change on 2 hosts"
    assert progress.playbook == {"hosts": {"ns-1": {}, "ns-2": {}}}
    assert "ansible-playbook" not in log(progress)


def test_the_playbook_is_run_for_hosts_that_have_something_to_do_and_for_silent_ones(
    progress: Progress, playbook: Playbook, hosts: list[Seen]
) -> None:
    playbook({"changed": 2, "hosts": {"edge-1": {"changed": 2}}}, 0)
    hosts += [SETTLED, OPEN, SILENT]
    assert str(run(progress)) == "2 changes on 1 of 3 hosts"
    assert "--limit edge-1,hub-1" in log(progress)
    assert set(progress.playbook["hosts"]) == {"ns-1", "edge-1", "hub-1"}


@pytest.mark.parametrize("words", [{"layer": "naming"}, {"look_first": False}])
def test_one_layer_or_by_wish_the_playbook_is_run_without_looking(
    progress: Progress, playbook: Playbook, hosts: list[Seen], words: dict[str, Any]
) -> None:
    playbook({"changed": 0, "hosts": {"ns-1": {"changed": 0}}}, 0)
    hosts += [SETTLED]
    run(progress, limit="ns-1", **words)
    assert "--limit ns-1" in log(progress)


def test_where_hosts_cannot_be_looked_at_the_playbook_is_run_for_all_that_were_meant(
    progress: Progress, playbook: Playbook, hosts: list[Seen]
) -> None:
    playbook({"changed": 0, "hosts": {"ns-1": {"changed": 0}}}, 0)
    assert hosts == []
    run(progress, limit="unit_gateway")
    assert "--limit unit_gateway" in log(progress)


@pytest.mark.parametrize("code", ["RND-010", "LED-009"])
def test_what_cannot_be_computed_here_leaves_the_host_to_the_playbook(
    code: str, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "questions", _refusing(code))
    with progress.step("converge:again", "converge") as running:
        assert LOOK("lab", "ns-1", progress, running, {}) == []
    assert f"hosts are not looked at first: {code}" in log(progress)


@pytest.mark.parametrize("codes", [("REG-010",), ("RND-010", "CAT-010")])
def test_a_register_that_is_wrong_is_no_matter_for_a_playbook(
    codes: tuple[str, ...], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "questions", _refusing(*codes))
    with pytest.raises(ProblemsFoundError), progress.step("converge:again", "converge") as running:
        LOOK("lab", "", progress, running, {})


def _refusing(*codes: str) -> Callable[..., object]:
    problems = tuple(
        Problem(code=code, file="f", line=0, path="", found="one", wanted="two", remedy="do")
        for code in codes
    )

    def questions(*_: object) -> object:
        raise ProblemsFoundError(problems)

    return questions


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


def test_hosts_that_are_as_declared_are_put_on_record_settled_ones_and_those_that_were_made_so(
    progress: Progress, playbook: Playbook, hosts: list[Seen], state: Path
) -> None:
    playbook({"changed": 2, "hosts": {"edge-1": {"changed": 2}}}, 0)
    hosts += [SETTLED, OPEN]
    run(progress)
    assert known(state) == {"ns-1": NOTED, "edge-1": NOTED}


def test_a_host_on_which_something_was_begun_and_not_ended_is_off_the_record(
    progress: Progress, playbook: Playbook, hosts: list[Seen], state: Path
) -> None:
    keep(state, {"ns-1": NOTED, "edge-1": NOTED, "hub-1": NOTED})
    playbook({}, 4)
    hosts += [SETTLED, OPEN]
    with pytest.raises(RunFailedError):
        run(progress)
    assert sorted(known(state)) == ["hub-1", "ns-1"]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"layer": "naming", "limit": "ns-1"}, ["edge-1"]),
        ({"look_first": False, "limit": "ns-1,edge-1"}, []),
        ({"limit": "name_server"}, []),
        ({"layer": "naming"}, []),
        ({"playbook": "keys.yml", "limit": "edge-1"}, ["ns-1"]),
    ],
)
def test_what_is_run_without_looking_is_on_no_record(
    progress: Progress, playbook: Playbook, state: Path, options: dict[str, Any], left: list[str]
) -> None:
    keep(state, {"ns-1": NOTED, "edge-1": NOTED})
    playbook({"changed": 0, "hosts": {"ns-1": {}}}, 0)
    run(progress, **options)
    assert sorted(known(state)) == left


def test_only_hosts_that_a_change_concerns_are_spoken_to(
    progress: Progress, playbook: Playbook, hosts: list[Seen], concerned: list[str]
) -> None:
    playbook({"changed": 2, "hosts": {"edge-1": {"changed": 2}}}, 0)
    hosts += [SETTLED, OPEN]
    concerned += ["ns-1", "edge-1"]
    run(progress, changed_only=True)
    assert re.search(r"--limit edge-1$", log(progress), re.MULTILINE)


def test_where_a_change_concerns_nobody_nobody_is_spoken_to(
    progress: Progress, playbook: Playbook, concerned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert concerned == []
    playbook({}, 4)
    monkeypatch.setattr(module, "_look", lambda *_: pytest.fail("somebody was looked at"))
    assert run(progress, changed_only=True).hosts == 0
    assert "ansible-playbook" not in log(progress)
