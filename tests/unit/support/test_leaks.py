"""The search for secrets finds them: in any form that they have, and where they were only once."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from province.ledger import Kind, Ledger
from tests.support.leaks import files, found, history, needles


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """A secret of each kind."""
    return _made(Ledger.create(tmp_path / "lab"))


def _made(ledger: Ledger) -> dict[str, str]:
    for kind in Kind:
        ledger.ensure_keypair(f"{kind}/one", kind)
    return {str(kind): ledger.secret(f"{kind}/one").decode() for kind in Kind}


@pytest.mark.parametrize("kind", [str(kind) for kind in Kind])
def test_a_secret_of_each_kind_is_found_by_its_name_and_no_other(
    kind: str, secrets: dict[str, str], tmp_path: Path
) -> None:
    sought = needles(secrets, _made(Ledger.create(tmp_path / "other")).values())
    assert found(sought, "a log", f"before\n{secrets[kind]}\nafter") == [f"{kind} in a log"]
    indented = "\n".join(f"  | {line}" for line in secrets[kind].splitlines())
    assert found(sought, "a log", indented) == [f"{kind} in a log"]


def test_a_tunnels_key_is_found_in_the_form_that_programs_tell_each_other(secrets: dict[str, str]) -> None:
    raw = base64.b64decode(secrets["wireguard"]).hex()
    assert found(needles(secrets), "a socket", f"private_key={raw}\n") == ["wireguard in a socket"]


def test_what_is_public_or_another_secret_is_not_found(secrets: dict[str, str], tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "lab")
    other = _made(Ledger.create(tmp_path / "other"))
    sought = needles(secrets, other.values(), ledger.publics().values())
    for entry in ledger.entries():
        assert found(sought, "a file", entry.public) == []
    for text in other.values():
        assert found(sought, "a file", text) == []
    certificate = secrets["tls"].partition("-----END PRIVATE KEY-----")[2]
    assert "CERTIFICATE" in certificate
    assert found(sought, "a file", certificate) == []


def test_what_a_private_half_has_of_its_public_one_is_not_sought_and_the_rest_is(
    secrets: dict[str, str], tmp_path: Path
) -> None:
    """A certificate of a host has its authority's public key in it, at another place of base64's fours."""
    public = Ledger.open(tmp_path / "lab").public("ssh/one").split()[1]
    sought = needles(secrets, public=[public])
    for before in (b"", b"a", b"ab"):
        shifted = base64.b64encode(before + base64.b64decode(public) + bytes(4)).decode()
        assert found(sought, "a certificate", shifted) == []
    lines = secrets["ssh"].splitlines()
    assert found(sought, "a file", lines[-2]) == found(sought, "a file", lines[-3]) == ["ssh in a file"]


def test_a_secret_that_cannot_be_sought_is_an_error() -> None:
    with pytest.raises(AssertionError, match="short"):
        needles({"short": "abc"})


def test_what_was_committed_once_and_taken_out_again_is_found(
    secrets: dict[str, str], tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()

    def git(*words: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *names, *words], cwd=repository, check=True, capture_output=True)

    git("init", "--quiet")
    (repository / "key").write_text(secrets["wireguard"], encoding="utf-8")
    git("add", "key")
    git("commit", "--quiet", "--message", "one")
    git("rm", "--quiet", "key")
    git("commit", "--quiet", "--message", f"two {secrets['password']}")
    assert list(files(repository, without=(".git",))) == []
    assert found(needles(secrets), "history", history(repository)) == [
        "wireguard in history",
        "password in history",
    ]


def test_files_are_read_but_those_that_are_left_out(secrets: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "logs").mkdir(parents=True)
    (state / "logs/a.log").write_bytes(b"\xff\xfe" + secrets["ssh"].encode())
    (state / "identity.txt").write_text(secrets["password"], encoding="utf-8")
    sought = needles(secrets)
    told = [one for path, text in files(state, without=("identity",)) for one in found(sought, path, text)]
    assert told == [f"ssh in {state / 'logs/a.log'}"]
