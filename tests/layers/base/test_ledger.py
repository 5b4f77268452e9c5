"""The key ledger: three open it, each of them all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from province.cli import main
from province.ledger import AT_LEAST, Ledger
from tests.support import environment

STATE = environment.state_directory()


def test_at_least_three_open_the_ledger_and_all_of_it_is_encrypted_for_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipients", "list", environment.name()]) == 0, capsys.readouterr().out
    assert len(Ledger.open(STATE).recipients) >= AT_LEAST


@pytest.mark.parametrize("identity", sorted((STATE / "identities").glob("*.txt")), ids=lambda path: path.stem)
def test_every_identity_that_was_made_here_brings_the_whole_ledger_to_a_bare_controller(
    identity: Path, tmp_path: Path
) -> None:
    """Where none was made here, those of other people are not here to be tried."""
    here = Ledger.open(STATE)
    here.copy_to(tmp_path / "copy.tar")
    there = tmp_path / "there"
    there.mkdir()
    (there / "identity.txt").write_bytes(identity.read_bytes())
    (there / "identity.txt").chmod(0o600)
    restored = Ledger.restore(there, tmp_path / "copy.tar")
    assert len(restored.entries()) > len(environment.ours())
    assert restored.entries() == here.entries()
    assert all(restored.secret(e.name) == here.secret(e.name) for e in here.entries())
