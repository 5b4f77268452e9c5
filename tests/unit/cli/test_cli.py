"""The command line joins its parts, and ends in words instead of tracebacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from province.cli import PARTS, main, parser
from tests.support.repository import ROOT

COMMANDS = (
    "new",
    "check",
    "plan",
    "hosts",
    "ledger",
    "contact",
    "up",
    "down",
    "converge",
    "verify",
    "test",
    "status",
)


def test_every_part_brings_its_commands() -> None:
    help_text = parser().format_help()
    assert len(PARTS) == len(set(PARTS))
    assert [command for command in COMMANDS if f"    {command} " not in help_text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"province {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["plam"], ["plan"], ["new", "11"]])
def test_a_wrong_call_is_refused_with_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: province" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "plan", "hosts"])
def test_what_is_not_there_is_said_in_a_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "nowhere")]) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    assert "-001 " in heard.err
    assert "Traceback" not in heard.err


def test_a_reader_that_has_seen_enough_is_no_failure_to_report() -> None:
    """`province plan … | head` must not end in a traceback."""
    command = [
        sys.executable,
        "-m",
        "province.cli",
        "plan",
        "inventories/registers/dien-bien",
        "--format",
        "json",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(timeout=60)


def test_planning_loads_neither_pulumi_nor_ansible() -> None:
    """The plan is for everybody: a laptop without the tools can make it, and in a moment."""
    program = (
        "import sys; from province.cli import main; main(['check', 'inventories/registers/dien-bien']); "
        "print([m for m in ('pulumi', 'ansible', 'paramiko', 'vietnam_provinces') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
