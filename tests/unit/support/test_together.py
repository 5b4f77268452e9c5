"""Checks that ask together: few round trips, a check that fails alone, answers that are the shell's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra.host

from tests.support.places import Local
from tests.support.remote import answers
from tests.support.together import together


class Asked:
    """A place that answers by a table, and notes what it was asked at once."""

    name = "here"

    def __init__(self, **said: tuple[int, str, str]) -> None:
        self.said, self.rounds, self.finished = said, list[list[str]](), 0

    def start(self, program: str, request: Any) -> Asked:
        """Begin with the first questions."""
        assert program == "answers"
        assert not self.rounds
        self.say(request)
        return self

    def say(self, request: Any) -> None:
        """Ask more."""
        self.rounds.append(request)

    def line(self) -> Any:
        """What was asked last, answered."""
        return [self.said.get(command, (0, f"{command}!", "")) for command in self.rounds[-1]]

    def finish(self) -> Any:
        """Nobody asks any more."""
        self.finished += 1


def says(command: str, wanted: str) -> Callable[[testinfra.host.Host], None]:
    def check(host: testinfra.host.Host) -> None:
        assert host.check_output(command) == wanted

    return check


def test_what_many_checks_ask_first_is_one_round_trip_and_each_question_is_asked_once() -> None:
    place = Asked()
    checks = {f"{n}": says(f"c{n % 3}", f"c{n % 3}!") for n in range(9)}
    assert together(place, checks) == {}
    assert place.rounds == [["c0", "c1", "c2"]]
    assert place.finished == 1


def test_a_question_that_follows_from_an_answer_is_another_round_trip_of_the_same_program() -> None:
    place = Asked(first=(0, "second", ""))

    def chain(host: testinfra.host.Host) -> None:
        assert host.check_output(host.check_output("first")) == "second!"

    assert together(place, {"chain": chain, "other": says("first", "second")}) == {}
    assert place.rounds == [["first"], ["second"]]


def test_a_check_that_fails_says_why_and_leaves_the_others_alone() -> None:
    def broken(host: testinfra.host.Host) -> None:
        host.run("a")
        raise ZeroDivisionError

    place = Asked(b=(1, "", "no such thing"))
    failed = together(place, {"broken": broken, "good": says("a", "a!"), "bad": says("b", "b!")})
    assert list(failed) == ["broken", "bad"]
    assert failed["broken"] == "ZeroDivisionError"
    assert "no such thing" in failed["bad"]


def test_a_check_that_catches_everything_does_not_take_a_question_for_an_answer() -> None:
    found = []

    def careful(host: testinfra.host.Host) -> None:
        try:
            found.append(host.check_output("a"))
        except Exception:
            found.append("caught")

    assert together(Asked(), {"careful": careful}) == {}
    assert found == ["a!"]


def test_checks_that_ask_nothing_start_nothing() -> None:
    place = Asked()
    assert together(place, {"nothing": lambda _: None}) == {}
    assert (place.rounds, place.finished) == ([], 0)


def test_testinfra_finds_on_a_host_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    """The whole way, with the program of the hosts run here."""
    there, gone = tmp_path / "with a space", tmp_path / "gone"
    there.write_text("one\n")
    there.chmod(0o640)

    def mode(host: testinfra.host.Host) -> None:
        assert host.file(str(there)).mode == 0o640

    def size(host: testinfra.host.Host) -> None:
        assert host.file(str(there)).size == 5

    def absent(host: testinfra.host.Host) -> None:
        assert not host.file(str(gone)).exists

    failed = together(Local("here"), {"mode": mode, "size": size, "absent": absent})
    assert list(failed) == ["size"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("one\n")
    (tmp_path / "file").chmod(0o4750)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


def in_the_shell(command: str) -> tuple[int, str, str]:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["", "/file", "/link", "/dangling", "/gone"])
def test_what_is_answered_without_a_shell_is_word_for_word_what_the_shell_says(
    folder: Path, name: str
) -> None:
    path = f"{folder}{name}"
    commands = [f"test -{letter} {path}" for letter in "efdL"]
    commands += [f"stat -Lc %{letter} {path}" for letter in "augUGs"]
    commands += [f"sha256sum {path} | cut -d ' ' -f 1"]
    found = answers.known(commands)
    assert found == {command: in_the_shell(command) for command in found}
    there = [command for command in commands if in_the_shell(command)[0] == 0 and "sha256" not in command]
    assert set(there) <= set(found)
    assert answers.answers(commands) == (
        [in_the_shell(command) for command in commands],
        len(commands) - len(found),
    )


def test_a_value_of_the_kernel_is_what_sysctl_would_say() -> None:
    command = "/usr/sbin/sysctl -n kernel.ostype"
    assert answers.known([command, "/usr/sbin/sysctl -n kernel.no.such"]) == {command: (0, "Linux\n", "")}


@pytest.mark.parametrize(
    "command",
    ["test -e /", "test -e '/a b'", "test -e / && rm x", "stat -Lc %a ../x", "systemctl is-active a*", "id"],
)
def test_what_is_not_known_to_the_letter_is_left_to_the_shell(command: str) -> None:
    assert set(answers.known([command])) == ({command} if command == "test -e /" else set())


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program on the path that writes down what it was called with, and says something."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(name: str, says: str) -> None:
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.calls\nprintf "{says}"\n')
        (tmp_path / name).chmod(0o755)

    return put


def test_units_are_asked_in_one_go_and_only_those_at_work_are_taken(
    programs: Callable[[str, str], None], tmp_path: Path
) -> None:
    programs("systemctl", "active\\\\ninactive\\\\nactive\\\\n")
    commands = [f"systemctl is-active {name}" for name in ("a.service", "b.timer", "c@x.service")]
    assert answers.known(commands) == dict.fromkeys(commands[::2], (0, "active\n", ""))
    assert (tmp_path / "systemctl.calls").read_text() == "is-active a.service b.timer c@x.service\n"


def test_no_unit_is_taken_where_systemctl_does_not_say_a_word_for_each(
    programs: Callable[[str, str], None],
) -> None:
    programs("systemctl", "active\\\\n")
    assert answers.known(["systemctl is-active a", "systemctl is-active b"]) == {}


def test_only_packages_that_are_installed_once_are_taken(programs: Callable[[str, str], None]) -> None:
    ok = "install ok installed\\\\n"
    programs("dpkg-query", f"one {ok}two deinstall ok config-files\\\\nthree {ok}three {ok}")
    commands = {name: f"dpkg-query -f '${{Status}}' -W {name}" for name in ("one", "two", "three", "four")}
    assert answers.known(commands.values()) == {commands["one"]: (0, "install ok installed", "")}


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SECONDS", 0.2)
    assert answers.by_shell("echo begun; exec sleep 60") == (124, "begun\n", "time was up")


def test_each_line_has_its_answer_and_the_last_says_how_many_the_shell_gave() -> None:
    running = Local("here").start("answers", ["test -e /", "echo one"])
    assert running.line() == [[0, "", ""], [0, "one\n", ""]]
    running.say(["exit 3"])
    assert running.line() == [[3, "", ""]]
    assert running.finish() == 2
