"""`province recipients`: what an operator types so that others open the ledger, too."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # ships no types
import pytest

from province.cli import main
from province.lab.up import make_keys
from province.ledger import STATE_DIR_VARIABLE, Kind, Ledger, state_dir
from tests.support.repository import ROOT


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "state"))
    made = Ledger.create(state_dir("lab"))
    made.ensure_keypair("password/stack", Kind.PASSWORD)
    return made


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    status = main(["recipients", *words])
    told = capsys.readouterr()
    return status, told.out + told.err


def test_a_second_operator_joins_by_two_commands(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ledger.secret("password/stack")
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "hers"))
    status, key = said(capsys, "identity", "lab")
    assert status == 0
    assert said(capsys, "identity", "lab") == (0, key), "a second call makes another identity"
    identity = state_dir("lab") / "identity.txt"
    assert identity.stat().st_mode & 0o777 == 0o600
    assert "AGE-SECRET" not in key

    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "state"))
    assert said(capsys, "add", "lab", key.strip(), "--who", "second operator")[0] == 0
    assert said(capsys, "save", "lab", str(tmp_path / "copy.tar"))[0] == 0

    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "hers"))
    assert said(capsys, "restore", "lab", str(tmp_path / "copy.tar"))[0] == 0
    assert Ledger.open(state_dir("lab")).secret("password/stack") == wanted


def test_the_list_says_who_and_fails_until_there_are_three(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = said(capsys, "list", "lab")
    assert status == 1
    assert "1 of at least 3" in text
    for number in (2, 3):
        key = str(pyrage.x25519.Identity.generate().to_public())
        assert said(capsys, "add", "lab", key, "--who", f"operator {number}")[0] == 0
    status, text = said(capsys, "list", "lab")
    assert status == 0
    assert text.splitlines()[-1] == "Each of them opens all 1 entries."
    assert f"{ledger.own}  lab: first operator  (opened here)" in text


def test_what_was_refused_has_changed_nothing(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    before = ledger.people
    assert said(capsys, "add", "lab", "age1x", "--who", "An")[0] == 1
    assert said(capsys, "remove", "lab", "An")[0] == 1
    assert ledger.people == before


def test_where_there_are_no_others_their_identities_are_made_and_open_everything(ledger: Ledger) -> None:
    for _ in range(2):
        make_keys("lab", (), identities=3)
    folder = state_dir("lab") / "identities"
    made = sorted(folder.iterdir())
    assert [path.name for path in made] == ["operator-2.txt", "operator-3.txt"]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}
    assert len(ledger.people) == 3
    wanted = {entry.name: ledger.secret(entry.name) for entry in ledger.entries()}
    for path in made:
        (state_dir("lab") / "identity.txt").write_bytes(path.read_bytes())
        reader = Ledger.open(state_dir("lab"))
        assert {entry.name: reader.secret(entry.name) for entry in reader.entries()} == wanted


def test_a_controller_that_was_built_again_makes_no_further_identities(ledger: Ledger) -> None:
    make_keys("lab", (), identities=3)
    shutil.rmtree(state_dir("lab") / "identities")
    people = ledger.people
    make_keys("lab", (), identities=3)
    assert ledger.people == people
    assert not (state_dir("lab") / "identities").exists()


def test_whoever_is_wanted_beyond_those_that_there_are_gets_a_name_of_their_own(ledger: Ledger) -> None:
    make_keys("lab", (), identities=4)
    ledger.remove_recipient("lab: operator 2, whose identity was made here")
    make_keys("lab", (), identities=4)
    assert len({person.who for person in ledger.people}) == len({one.key for one in ledger.people}) == 4


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, ["recipients", "list", "lab"]),
        (
            {"DO": "add", "KEY": "age1x", "WHO": "Chị An, 2 tay"},
            ["recipients", "add", "lab", "age1x", "--who", "Chị An, 2 tay"],
        ),
        ({"DO": "remove", "WHO": "O'Neil"}, ["recipients", "remove", "lab", "O'Neil"]),
        ({"DO": "save", "FILE": "/tmp/a b.tar"}, ["recipients", "save", "lab", "/tmp/a b.tar"]),  # noqa: S108 - a name only
    ],
)
def test_make_passes_on_what_is_meant(variables: dict[str, str], wanted: list[str]) -> None:
    said = subprocess.run(
        ["make", "--dry-run", "recipients", *(f"{name}={value}" for name, value in variables.items())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    line = said.stdout.strip().splitlines()[-1]
    assert shlex.split(line)[1:] == wanted
