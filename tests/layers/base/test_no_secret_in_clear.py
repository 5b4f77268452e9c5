"""No private half of the ledger is in clear where it must not be; a canary is found in each such place."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from province.ledger import Kind, Ledger
from tests.support import environment, leaks
from tests.support.places import batch, batch_all, machine

STATE = environment.state_directory()
# Of a state: what opens the ledger, and the operator's key, which ssh wants as a file.
PRIVATE = ("identity", "identities/", "ssh/id_ed25519")
HOSTS = environment.ours()
CANARY = "canary"


@cache
def _sought() -> dict[str, list[str]]:
    ledger = Ledger.open(STATE)
    held = {entry.name: ledger.secret(entry.name).decode() for entry in ledger.entries()}
    assert len(held) > len(HOSTS)
    return {**leaks.needles(held, _unused(), ledger.publics().values()), CANARY: [_canary()]}


def _unused() -> list[str]:
    """Secrets of every kind that nobody has: what they have in common with ours is no secret."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.create(Path(folder) / "unused")
        for kind in Kind:
            ledger.ensure_keypair(f"unused/{kind}", kind)
        return [ledger.secret(f"unused/{kind}").decode() for kind in Kind]


@cache
def _canary() -> str:
    return secrets.token_urlsafe(30)


def test_nothing_that_was_ever_committed_has_a_secret_in_it() -> None:
    assert leaks.found(_sought(), "history", leaks.history(environment.ROOT)) == []


def test_no_file_of_the_state_has_one_in_clear_and_a_canary_there_is_found() -> None:
    """Logs and records of runs, the stack's state with its history, what is remembered of hosts."""

    def told() -> list[str]:
        looked = list(leaks.files(STATE, without=PRIVATE))
        assert {"logs", "pulumi", "ledger"} <= {Path(path).relative_to(STATE).parts[0] for path, _ in looked}
        return [one for path, text in looked for one in leaks.found(_sought(), path, text)]

    assert told() == []
    with _file(STATE / "logs" / f".{CANARY}.log"):
        assert told() == [f"{CANARY} in {STATE}/logs/.{CANARY}.log"]


def test_no_process_of_the_controller_has_one_in_its_words_or_surroundings_and_a_canary_there_is_found() -> (
    None
):
    def told() -> list[str]:
        return [one for path, text in leaks.processes() for one in leaks.found(_sought(), path, text)]

    assert told() == []
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "SECRET": _canary()}) as process:
        try:
            assert told() == [f"{CANARY} in /proc/{process.pid}/environ"]
        finally:
            process.kill()


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_no_host_has_one_in_processes_journal_logs_or_files_open_to_all() -> None:
    told = []
    for host, said in batch_all(HOSTS, leaks.ON_HOSTS, timeout=60).items():
        for what, text in said.items():
            assert len(text.checked()) > 1000, f"nothing to look through: {what} of {host}"
            told += leaks.found(_sought(), f"{what} of {host}", text)
    assert told == []


def test_a_canary_on_a_host_is_found_in_each_of_these_places() -> None:
    host = environment.only("ns")
    file, canary = "/etc/canary", shlex.quote(_canary())
    plant = {
        "journal": f"printf %s {canary} | systemd-cat",
        "processes": f"SECRET={canary} setsid --fork timeout 30 tail -f /dev/null </dev/null >/dev/null 2>&1",
        "logs": f"printf %s {canary} > /var/log/canary.log",
        "files": f"(umask 022; printf %s {canary} > {file})",
    }
    place = machine(host)
    try:
        for said in batch(place, plant).values():
            said.checked()
        batch(place, {"sync": "journalctl --sync"})["sync"].checked()
        found = {
            what: leaks.found(_sought(), what, text.checked())
            for what, text in batch(place, leaks.ON_HOSTS, timeout=60).items()
        }
    finally:
        batch(place, {"gone": f"rm -f {file} /var/log/canary.log"})["gone"].checked()
    assert found == {what: [f"{CANARY} in {what}"] for what in leaks.ON_HOSTS}


@contextmanager
def _file(path: Path) -> Iterator[None]:
    path.write_text(_canary(), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink()
