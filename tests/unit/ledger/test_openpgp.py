"""The key that packages are signed with: what gpg makes of it, and what is refused."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from province import openpgp
from province.facts import ARCHIVE_KEY
from province.ledger import Kind, Ledger

CREATED = 1_700_000_000


def gpg(home: Path, *words: str, program: str = "gpg") -> subprocess.CompletedProcess[str]:
    """A program of GnuPG with a home of its own."""
    return subprocess.run(
        [program, *(["--batch"] if program == "gpg" else []), *words],
        env={**os.environ, "GNUPGHOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_the_key_signs_is_verified_with_its_public_half_and_no_other(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    secret = openpgp.generate("packages/archive", CREATED)
    (tmp_path / "secret").write_bytes(secret)
    text = tmp_path / "text"
    text.write_text("Origin: province\n")
    try:
        assert gpg(home, "--import", str(tmp_path / "secret")).returncode == 0
        assert gpg(home, "--clearsign", "--output", f"{text}.asc", str(text)).returncode == 0
        for name, key in (("ours", secret), ("another", openpgp.generate("packages/archive", CREATED))):
            (tmp_path / name).write_bytes(openpgp.public_half(key))
        good = gpg(home, "--keyring", str(tmp_path / "ours"), f"{text}.asc", program="gpgv")
        assert good.returncode == 0, good.stderr
        assert openpgp.fingerprint(openpgp.public_half(secret)) in good.stderr
        assert gpg(home, "--keyring", str(tmp_path / "another"), f"{text}.asc", program="gpgv").returncode
    finally:
        gpg(home, "--kill", "all", program="gpgconf")


def test_the_ascii_form_is_what_gpg_takes_off(tmp_path: Path) -> None:
    public = openpgp.public_half(openpgp.generate("name", CREATED))
    (tmp_path / "key.asc").write_text(openpgp.armored(openpgp.in_base64(public)))
    plain = subprocess.run(
        ["gpg", "--batch", "--dearmor", "--output", "-", tmp_path / "key.asc"],
        capture_output=True,
        check=True,
    )
    assert plain.stdout == public


def test_the_public_half_has_nothing_of_the_private_number() -> None:
    secret = openpgp.generate("name", CREATED)
    first = openpgp.packets_of(secret)[0].body
    number = first[-34:-2]
    assert number in secret
    assert number not in openpgp.public_half(secret)


@pytest.mark.parametrize("damage", ["public", "cut", "nothing", "text"])
def test_something_else_than_a_secret_key_is_refused(damage: str) -> None:
    secret = openpgp.generate("name", CREATED)
    given = {"public": openpgp.public_half(secret), "cut": secret[:-3], "nothing": b"", "text": b"-----BEGIN"}
    with pytest.raises(ValueError, match=r"not|cut|no packet"):
        openpgp.public_half(given[damage])


def test_the_ledger_holds_it_like_its_other_pairs(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "lab")
    public = ledger.ensure_keypair(ARCHIVE_KEY, Kind.OPENPGP)
    assert ledger.ensure_keypair(ARCHIVE_KEY, Kind.OPENPGP) == public
    secret = base64.b64decode(ledger.secret(ARCHIVE_KEY), validate=True)
    assert openpgp.public_half(secret) == base64.b64decode(public, validate=True)
    assert ARCHIVE_KEY.encode() in secret
