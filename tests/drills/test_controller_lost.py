"""The controller burns: a bare one, a copy of the ledger and one recipient's identity bring it back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from province.cli import main
from province.ledger import Ledger
from tests.support import drills, environment, wounds
from tests.support.fingerprint import fingerprints
from tests.support.places import batch_all, forget


def test_a_controller_is_built_again_from_the_repository_the_ledger_and_one_recipient(
    make: Callable[[str], drills.Ran], tmp_path: Path
) -> None:
    hosts = tuple(environment.ours())
    units, wanted = wounds.whole(hosts)
    boots, made = _boots(hosts), drills.objects()
    state, name = environment.state_directory(), environment.name()
    keys = Ledger.open(state).publics()
    Ledger.open(state).copy_to(tmp_path / "copy.tar")
    lost = tmp_path / "lost"
    shutil.move(state, lost)

    state.mkdir(mode=0o700)
    shutil.copy2(lost / "identities/operator-2.txt", state / "identity.txt")
    assert main(["recipients", "restore", name, str(tmp_path / "copy.tar")]) == 0
    make("up").well()
    assert "\nNothing changed." in make("up").well()

    forget()
    assert Ledger.open(state).publics() == keys
    assert drills.objects() == made, "machines or networks were made again"
    assert _boots(hosts) == boots, "hosts were restarted"
    assert fingerprints(hosts, units) == wanted


def _boots(hosts: Iterable[str]) -> dict[str, str]:
    """Since when each host's init runs."""
    shown = {"since": "stat --format=%Z /proc/1"}
    return {host: said["since"].checked().strip() for host, said in batch_all(hosts, shown).items()}
