"""The command: what roles would do, what is accepted, what the exit status means."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from province.cli import main
from province.drift import accepted, command, planned
from province.drift.accepted import Accepted, read, write
from province.drift.command import DRIFT, EMPTY, UNSEEN, as_json, screen, status
from province.drift.findings import ESTATE, Finding, Outcome, once
from province.drift.look import look, program_text, unpacked
from province.lab import places
from province.ledger import STATE_DIR_VARIABLE
from province.look import Seen
from tests.support.repository import ROOT

CALLED = "inventories/lab/accepted-drift.yml"
USER = Finding(
    host="ns-1", kind="user", subject="m", found="there is a user m", wanted="none", command="userdel m"
)
PORT = Finding(host="app-1", kind="port", subject="tcp/4444", found="nc listens", wanted="no listener")
ANNA = Accepted(id="ns-1/user/m", reason="until the directory stands", since="2026-11-23")


def outcome(*findings: Finding, **unseen: str) -> Outcome:
    return Outcome(hosts=("app-1", "ns-1"), findings=findings, unseen=unseen)


@pytest.mark.parametrize(
    ("seen", "accepted", "wanted"),
    [
        (outcome(), (), EMPTY),
        (outcome(USER), (), DRIFT),
        (outcome(USER), (ANNA,), EMPTY),
        (outcome(USER, PORT), (ANNA,), DRIFT),
        (outcome(**{"ns-1": "no route"}), (), UNSEEN),
        (outcome(USER, **{"app-1": "no route"}), (ANNA,), UNSEEN),
    ],
)
def test_the_exit_status_says_none_drift_or_not_looked(
    seen: Outcome, accepted: tuple[Accepted, ...], wanted: int
) -> None:
    assert status(seen, accepted) == wanted


def test_the_screen_groups_by_host_and_says_what_is_what_was_planned_and_what_next() -> None:
    lines = screen("lab", outcome(PORT, USER, **{"app-1": "it is slow"}), (ANNA,), Path("config"))
    text = "\n".join(lines)
    assert lines.index("app-1") < lines.index("ns-1")
    assert "NOT LOOKED AT (to the end): it is slow" in text
    assert "nc listens; planned: no listener" in text
    assert "accepted  there is a user m (until the directory stands; since 2026-11-23)" in text
    assert lines[-1].startswith("lab: 1 of 2 hosts looked at, 1 found on 1, 1 accepted, NOT looked at")


def test_what_is_accepted_and_gone_is_told_unless_its_host_was_not_looked_at() -> None:
    assert "ns-1/user/m (until" in "\n".join(screen("lab", outcome(), (ANNA,), Path("config")))
    assert as_json("lab", outcome(**{"ns-1": "off"}), (ANNA,))["accepted_but_gone"] == []


def test_programs_get_the_same() -> None:
    said = as_json("lab", outcome(USER), (ANNA,))
    assert said["findings"][0]["id"] == "ns-1/user/m"
    assert said["findings"][0]["accepted"] == "until the directory stands"
    assert json.loads(json.dumps(said))["status"] == 0


def test_what_was_accepted_is_read_as_it_was_written(tmp_path: Path) -> None:
    other = Accepted(id="estate/network/x", reason='a "quoted": reason, ừ', since="2026-01-02")
    write(tmp_path / "a.yml", (ANNA, other))
    assert read(tmp_path / "a.yml", "a.yml") == (other, ANNA)
    assert read(tmp_path / "none.yml", "none.yml") == ()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where acceptances of the lab are written to; a look finds the user `m` on ns-1 and a network."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/environment.yml").write_text("", encoding="utf-8")
    monkeypatch.setattr(places, "INVENTORIES", tmp_path)
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "state"))
    network = Finding(host=ESTATE, kind="network", subject="pvl-x", found="a network", wanted="none")

    def observe(*given: Any, estate: bool) -> Outcome:
        _, _, hosts, _ = given
        assert estate != bool(hosts)
        return outcome(network) if estate else outcome(USER)

    monkeypatch.setattr(command, "observe", observe)
    monkeypatch.setattr(command, "_hosts", lambda _, names: (None, None, tuple(names)))
    return tmp_path / "lab"


def test_nothing_is_accepted_without_a_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "lab", "--accept", "ns-1/user/m"]) == UNSEEN
    assert "--reason" in capsys.readouterr().err
    assert not (folder / "accepted-drift.yml").exists()


@pytest.mark.parametrize("identifier", ["ns-1/user/m", "estate/network/pvl-x"])
def test_what_is_found_can_be_accepted(folder: Path, identifier: str) -> None:
    assert main(["drift", "lab", "--accept", identifier, "--reason", "why"]) == EMPTY
    (one,) = read(folder / "accepted-drift.yml", CALLED)
    assert (one.id, one.reason) == (identifier, "why")


def test_two_that_accept_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yml"
    met = threading.Barrier(2)
    slowly = accepted.read

    def read_slowly(path: Path, called: str) -> tuple[Accepted, ...]:
        found = slowly(path, called)
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait(timeout=0.3)  # had they nothing to wait for, both would have read before one writes
        return found

    monkeypatch.setattr(accepted, "read", read_slowly)
    both = [replace(ANNA, id=f"ns-1/user/{name}") for name in "ab"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: accepted.add(file, CALLED, one), both))
    assert list(read(file, CALLED)) == both


def test_accepting_again_replaces_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    for reason in ("first", "second"):
        accepted.add(file, CALLED, replace(ANNA, reason=reason))
    assert [one.reason for one in read(file, CALLED)] == ["second"]


def test_the_command_to_repair_is_one_that_make_takes() -> None:
    healed = replace(USER, healer="converge")
    lines = "\n".join(screen("lab", outcome(healed), (), Path("config")))
    assert "next: make drift HOST=ns-1 DO=repair (a converge)" in lines
    stack = replace(USER, host=ESTATE, healer="up")
    assert "next: make drift ENV=b DO=repair (the stack)" in "\n".join(
        screen("b", outcome(stack), (), Path("config"))
    )


# A sentence of managed_tree, and what it means as drift.
SENTENCES = {
    "Wrote /etc/a.": ("file/etc/a", "/etc/a is gone"),
    "Rewrote /etc/a.": ("file/etc/a", "/etc/a has another content"),
    "Set /etc/a to 0644 0:0; it was 0666 0:0.": ("file/etc/a", "/etc/a has mode and owner 0666 0:0"),
    "Linked /etc/localtime to /usr/x.": ("file/etc/localtime", "/etc/localtime leads elsewhere, or is gone"),
    "Removed /etc/knot/zones/x.": ("file/etc/knot/zones/x", "/etc/knot/zones/x is there"),
    "Installed knot.": ("package/knot", "the package knot is not installed"),
    "Locked the password of root.": ("user/root", "a password opens the account root"),
    "Started knot.service.": ("unit/knot.service", "knot.service does not run"),
    "Unmasked knot.service.": ("unit/knot.service", "knot.service is masked"),
    "Enabled knot.service.": ("unit/knot.service", "knot.service does not start at boot"),
    "Have systemd read knot.service again.": ("unit/knot.service", "knot.service is not as its file says"),
    "Confirm by `check x`.": ("state/check x", "what `check x` brings about is not so"),
    "Ran `hostname x`.": ("state/hostname x", "what `hostname x` brings about is not so"),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_a_role_would_do_is_a_finding_that_converge_heals(sentence: str) -> None:
    (one,) = planned.found([Seen(host="ns-1", changes={"knot": [sentence]})])
    assert (one.id.removeprefix("ns-1/"), one.found) == SENTENCES[sentence]
    assert one.healer == "converge"


def test_a_role_that_cannot_go_on_is_told_with_its_words_and_left_to_somebody() -> None:
    (one,) = planned.found([Seen(host="ns-1", changes={"knot": ["There is no user knot."]})])
    assert one.id == "ns-1/role/knot"
    assert one.found == "the role knot cannot go on: There is no user knot."
    assert one.healer == "hand"
    text = "\n".join(screen("lab", outcome(one), (), Path("config")))
    assert "next: mend what it says, then look again: make drift" in text
    assert "ssh" not in text, "words are no command of that host"


def test_a_command_of_a_host_is_one_that_can_be_copied() -> None:
    text = "\n".join(screen("lab", outcome(USER), (), Path("config")))
    assert "next: ssh -F config ns-1 'userdel m'" in text


def test_every_sentence_of_the_module_is_understood() -> None:
    """A sentence that is said otherwise tomorrow would have no name, and could not be accepted."""
    text = (ROOT / "playbooks/plugins/modules/managed_tree.py").read_text(encoding="utf-8")
    begun = {line.split('"')[1].split(" ")[0] for line in text.splitlines() if 'self.say(f"' in line}
    assert begun
    assert begun - {said.split(" ")[0] for said in SENTENCES} <= {
        "Made",
        "Put",
        "Stopped",
        "Replaced",
        "{words[verb]}",
    }


def test_one_thing_is_told_once_and_as_what_a_tool_heals() -> None:
    healed = Finding(host="ns-1", kind="user", subject="m", found="x", wanted="y", healer="converge")
    assert once([USER, healed, PORT]) == (PORT, healed)


def test_what_belongs_to_no_host_is_named_without_it() -> None:
    assert (
        Finding(host=ESTATE, kind="network", subject="pvl-x", found="", wanted="").id
        == "estate/network/pvl-x"
    )


def test_the_program_for_a_host_has_what_it_is_asked_and_answers_in_the_same_way() -> None:
    text = program_text({"manifest": {"/ừ": ["file"]}, "packages": {}, "rules": []})
    namespace: dict[str, Any] = {"__name__": "sent"}
    heard: list[Any] = []
    program, call = text.rsplit("\n\n", 1)
    exec(compile(program, "probe", "exec"), namespace)  # noqa: S102 - ours; what a host would run
    namespace["main"] = lambda given: heard.append(unpacked(given))
    exec(call, namespace)  # noqa: S102 - the same
    assert heard == [{"manifest": {"/ừ": ["file"]}, "packages": {}, "rules": []}]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError("no route"), "no route"),
        (subprocess.TimeoutExpired("ssh", 240), "no answer within 240 s"),
        ("not ours", "its answer is not to be read"),
    ],
    ids=["no way", "slow", "another answer"],
)
def test_a_host_that_does_not_answer_is_named_with_the_reason(failure: Exception | str, said: str) -> None:
    def ask(*_: str) -> str:
        if isinstance(failure, Exception):
            raise failure
        return failure

    seen, silent = look({"ns-1": {}}, ask)
    assert seen == {}
    assert silent["ns-1"].startswith(said)
