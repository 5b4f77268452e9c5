"""What the screen and the log say, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from province.problems import Problem, ProblemsFoundError
from province.run.command import must_run, run_program
from province.run.failure import RunFailedError
from province.run.progress import Progress, Step
from province.run.session import run_session
from province.run.timings import Timings


def progress_to(out: io.StringIO, folder: Path) -> Progress:
    return Progress(Timings(folder / "timings.json"), folder / "logs" / "run.log", out)


def test_off_a_terminal_a_step_is_one_plain_line_with_its_time_and_result(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = progress_to(out, tmp_path)
    progress.expect([Step("ledger", "keys"), Step("smoke", "smoke check")])
    with progress.step("ledger") as running:
        running.done("3 made")
    assert out.getvalue().split() == ["1/2", "keys", "0", "s,", "3", "made"]
    assert "\x1b" not in out.getvalue()


def test_a_long_step_says_off_a_terminal_that_it_has_begun(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = progress_to(out, tmp_path)
    progress.expect([Step("image:build", "host image")])
    with progress.step("image:build"):
        assert "begun, about" in out.getvalue()


def test_a_terminal_shows_what_a_step_is_at_on_one_line(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = progress_to(out, tmp_path)
    with progress.step("converge:first", "converge") as running:
        running.now("network, host edge-1")
    assert "network, host edge-1" in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_a_step_that_was_expected_and_found_needless_is_passed_over(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = progress_to(out, tmp_path)
    progress.expect([Step("ledger", "keys"), Step("engine:there", "engine"), Step("smoke", "smoke check")])
    with progress.step("ledger"):
        pass
    with progress.step("smoke"):
        pass
    assert out.getvalue().splitlines()[1].split()[0] == "2/2"


def test_a_failed_step_is_not_kept_as_a_duration(tmp_path: Path) -> None:
    progress = progress_to(io.StringIO(), tmp_path)
    with pytest.raises(ValueError, match="broken"), progress.step("smoke"):
        raise ValueError("broken")
    assert not (tmp_path / "timings.json").exists()


def test_a_failed_program_is_told_with_its_last_lines_and_the_next_command(tmp_path: Path) -> None:
    progress = progress_to(io.StringIO(), tmp_path)

    def build() -> None:
        with progress.step("stack:first", "networks and machines") as running:
            running.now("edge-1")
            must_run(["sh", "-c", "echo the pool is full; exit 7"], progress, next_command="make up")

    with pytest.raises(RunFailedError) as told:
        build()
    failure = told.value.failure
    assert failure.where == "networks and machines (edge-1)"
    assert failure.came_back.splitlines() == ["the pool is full", "exit status 7"]
    assert failure.next_command == "make up"


def test_a_long_answer_is_cut_to_its_last_lines_and_says_so(tmp_path: Path) -> None:
    progress = progress_to(io.StringIO(), tmp_path)
    with pytest.raises(RunFailedError) as told:
        must_run(["sh", "-c", "seq 100; exit 1"], progress, next_command="make up")
    lines = told.value.failure.lines()
    assert len(lines) < 20
    assert any("lines more in the log" in line for line in lines)
    assert (tmp_path / "logs" / "run.log").read_text().count("\n") > 100


def test_a_program_that_there_is_none_of_ends_with_127(tmp_path: Path) -> None:
    assert run_program(["no-such-program"], progress_to(io.StringIO(), tmp_path)).code == 127


def test_a_program_with_a_terminal_shows_its_live_lines_and_logs_the_others(tmp_path: Path) -> None:
    progress = progress_to(io.StringIO(), tmp_path)
    seen: list[str] = []
    script = r"test -t 1 && printf '\r\033[Kbusy: edge-1'; printf '\r\033[Kdone\nlast'"
    ended = run_program(["sh", "-c", script], progress, on_line=seen.append, terminal=True)
    assert "busy: edge-1" in seen
    assert ended.tail.splitlines() == ["done", "last"]


def test_a_session_tells_problems_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = Problem(
        code="REG-001", file="f.yml", line=3, path="units[0]", found="x", wanted="y", remedy="Mend it."
    )

    def work(_progress: Progress) -> int:
        raise ProblemsFoundError((problem,))

    assert run_session("make up", work, state=tmp_path) == 1
    said = capsys.readouterr().err
    assert str(problem) in said
    assert "Traceback" not in said


def test_what_nobody_foresaw_is_one_failure_on_the_screen_and_a_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(progress: Progress) -> int:
        with progress.step("smoke", "smoke check"):
            raise KeyError("edge-1")

    assert run_session("make up", work, state=tmp_path) == 1
    said = capsys.readouterr().err
    assert "smoke check" in said
    assert "Traceback" not in said
    (log,) = (tmp_path / "logs").glob("*.log")
    assert "Traceback" in log.read_text()


STOPPED = """
import sys, time
from pathlib import Path
from province.run.command import run_program
from province.run.session import run_session
def work(progress):
    with progress.step("stack:first", "machines") as running:
        run_program(["sh", "-c", "echo $$; exec sleep 600"], progress,
            on_line=lambda line: (sys.stdout.write(line + chr(10)), sys.stdout.flush()))
    return 0
sys.exit(run_session("make up", work, state=Path(sys.argv[1])))
"""


def test_a_run_that_is_asked_to_end_ends_what_it_started_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PROVINCE_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert process.stdout is not None
    child = 0
    while not child:
        line = process.stdout.readline().strip()
        child = int(line) if line.isdigit() else 0
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "`make up` goes on from there" in said
    assert not Path(f"/proc/{child}").exists()
