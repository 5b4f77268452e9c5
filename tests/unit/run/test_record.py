"""What is kept of a run, and how it is told."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest

from province.run import record
from province.run.failure import fail
from province.run.progress import Progress
from province.run.session import run_session
from province.runs import chosen, ended, in_full, listed

RECAP = {
    "hosts": {"ns-1": {}, "ns-2": {}},
    "changes": [
        {"host": "ns-2", "layer": "naming", "task": "Serve zones", "sentences": ["Wrote /a.", "Restarted b."]}
    ],
    "tasks": [
        {"layer": "naming", "task": "Serve zones", "seconds": 2.5, "hosts": 2, "changed": 1},
        {"layer": "naming", "task": "Serve time", "seconds": 0.5, "hosts": 2, "changed": 0},
    ],
}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVINCE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SUDO_USER", "lan")


def converged(progress: Progress) -> int:
    with progress.step("converge", "converge naming") as running:
        progress.playbook = dict(RECAP)
        running.done("2 changes on 1 of 2 hosts")
    return 0


def broken(progress: Progress) -> int:
    with progress.step("converge", "converge naming"):
        progress.playbook = dict(RECAP)
        raise fail(tried="x", where="y", came_back="z", next_command="make converge")


def test_what_a_run_that_failed_has_started_is_ended_with_it(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def failing(progress: Progress) -> int:
        started.append(subprocess.Popen(["sleep", "600"]))
        return broken(progress)

    try:
        assert run_session("make converge", failing, state=tmp_path) == 1
        assert started[0].wait(timeout=5) != 0
    finally:
        started[0].kill()


def test_a_run_that_ends_well_leaves_who_what_when_and_its_changes(tmp_path: Path) -> None:
    assert run_session("make converge LAYER=naming", converged, state=tmp_path) == 0
    (run,) = record.read_all(tmp_path / "logs")
    assert (run.command, run.user, run.status) == ("make converge LAYER=naming", "lan", 0)
    assert run.hosts == 2
    assert run.changed_hosts == ("ns-2",)
    assert run.changes[0].sentences == ("Wrote /a.", "Restarted b.")
    assert [step.title for step in run.steps] == ["converge naming"]
    assert run.tasks[0].seconds == 2.5
    assert abs(run.began - Path(run.log).stat().st_mtime) < 60
    assert Path(run.log).with_suffix(".json").stat().st_mode & 0o777 == 0o600
    assert ended(run) == "2 changes on 1 of 2 hosts"


def test_a_run_that_failed_says_where_and_what_it_had_changed_until_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_session("make converge", broken, state=tmp_path) == 1
    assert "failed" in capsys.readouterr().err
    (run,) = record.read_all(tmp_path / "logs")
    assert (run.status, run.changed_hosts) == (1, ("ns-2",))
    assert ended(run) == "failed at converge naming"


def test_a_run_that_was_killed_has_no_end_on_record(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "20261123T114557Z-make-converge.log").write_text("--- base\n")
    (logs / "20261123T114600Z-make-up.log").write_text("--- keys\n")
    (logs / "20261123T114600Z-make-up.json").write_text('{"command": "make up"')
    latest, earlier = record.read_all(logs)
    assert (latest.command, latest.status) == ("make up", None)
    assert (earlier.command, earlier.status) == ("make converge", None)
    assert earlier.began == 1795434357.0
    assert "killed, or still at work" in ended(earlier)


def test_a_run_that_takes_its_own_state_away_keeps_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def down(progress: Progress) -> int:
        assert progress.log_path is not None
        progress.log_path.unlink()
        return 0

    assert run_session("make down", down, state=state) == 0
    assert list((state / "logs").iterdir()) == []


def test_only_the_newest_logs_are_kept_each_with_its_record(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(310):
        (logs / f"20250101T{number:06d}Z-make-up.log").touch()
        (logs / f"20250101T{number:06d}Z-make-up.json").touch()
    assert run_session("make converge", converged, state=tmp_path) == 0
    assert len(list(logs.glob("*.log"))) == len(list(logs.glob("*.json"))) == 300
    assert not (logs / "20250101T000000Z-make-up.json").exists()


def runs() -> list[record.Record]:
    hosts, changes, tasks = record.of_playbook(RECAP)
    bare = record.Record(
        command="make converge",
        log="/logs/a.log",
        began=1795434357.0,
        user="lan",
        revision="164ee07b8c55+",
        seconds=12,
        status=0,
        hosts=hosts,
    )
    return [
        dataclasses.replace(bare, log="/logs/b.log", seconds=75, changes=changes, tasks=tasks),
        bare,
        record.Record(command="make up", began=1795434000.0, log="/logs/0.log"),
    ]


def test_the_list_has_a_line_for_each_run_the_latest_first() -> None:
    lines = listed(chosen(runs()))
    assert len(lines) == 4
    assert lines[0].split() == ["no.", "begun", "command", "took", "by", "revision", "end"]
    assert lines[1].startswith("1 ")
    assert "lan  164ee07b8c55+  2 changes on 1 of 2 hosts" in lines[1]
    assert lines[2].endswith("nothing to change on 2 hosts")
    assert lines[3].endswith("no end on record: killed, or still at work")


def test_of_a_host_only_runs_that_changed_it_are_told_and_only_what_they_did_there() -> None:
    assert [number for number, _ in chosen(runs(), host="ns-2", known=["ns-1", "ns-2"])] == [1]
    assert chosen(runs(), host="ns-1", known=["ns-1", "ns-2"]) == []
    lines = in_full(1, runs()[0], "ns-2")
    assert "      Restarted b." in lines
    assert not [line for line in in_full(1, runs()[0], "ns-1") if "Wrote" in line]


def test_in_full_a_run_names_its_log_its_changes_and_the_tasks_that_took_longest() -> None:
    lines = in_full(1, runs()[0])
    assert "   log: /logs/b.log" in lines
    assert "   ns-2, naming: Serve zones" in lines
    assert lines.index("      2.5 s  naming: Serve zones, 2 hosts") < lines.index(
        "      0.5 s  naming: Serve time, 2 hosts"
    )


def test_a_revision_says_when_files_differ_from_it(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}

    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True, env=clean)

    assert record.revision(tmp_path) == ""
    git("init")
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-m", "First")
    first = record.revision(tmp_path)
    assert len(first) == 12
    (tmp_path / "file").write_text("b")
    assert record.revision(tmp_path) == f"{first}+"


def test_a_record_is_text_that_programs_read(tmp_path: Path) -> None:
    record.write(tmp_path / "a.json", runs()[0])
    assert json.loads((tmp_path / "a.json").read_text())["changes"][0]["host"] == "ns-2"
