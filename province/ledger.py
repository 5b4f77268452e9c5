"""The key ledger: pairs made on the controller, private halves kept as age ciphertext.

Layout, under the state directory of an environment (root only):

    identity.txt                  the operator's age identity (0600); never leaves the controller
    ledger/recipients             who can read the ledger: one age recipient a line, `#` comments
    ledger/<name>.pub             public half, one line
    ledger/<name>.age             private half, encrypted for every recipient

A name is a path: `wireguard/edge-1`, `ssh-ca/host`, `password/stack`. The plaintext carries its own
name and kind, so a ciphertext moved to another name is refused, and a public half is compared with
the private one on every read. No exception and no log carries private material: exceptions of the
libraries below are not chained.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import string
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # ships no types
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from province import openpgp
from province.problems import Problem, ProblemsFoundError

STATE_DIR_VARIABLE = "PROVINCE_STATE_DIR"
DEFAULT_STATE_DIR = Path("/var/lib/province")

HOST_CA = "ssh-ca/host"
USER_CA = "ssh-ca/user"
OPERATOR_KEY = "ssh/operator"
STACK_PASSPHRASE = "password/stack"  # noqa: S105 - the name under which it is kept

AT_LEAST = 3  # recipients: two can be lost on one day, and who is left adds others

_NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*(?:/[a-z0-9]+(?:[-_.][a-z0-9]+)*)*")
_COPIED = re.compile(rf"recipients|(?:{_NAME.pattern})\.(?:age|pub)")
_CONTENTS = "contents.json"  # of a copy: digests of its files
_ENVIRONMENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PASSWORD_LENGTH = 40
_TERM = datetime.timedelta(days=3650)
_PASSWORD_ALPHABET = string.ascii_letters + string.digits


class Kind(StrEnum):
    """What a name of the ledger holds, and the form its halves have.

    `wireguard`: X25519, both halves base64 of 32 octets, as `wg` reads and writes them.
    `ssh`: ed25519; private half in OpenSSH's own format, public half `ssh-ed25519 AAAA… <name>`.
    `openpgp`: ed25519, both halves as transferable keys in base64; the user id is the name.
    `dnssec`: P-256; private half in PEM, public half the data of the DNSKEY record of a key-signing key.
    `tls`: ECDSA on P-256 with a certificate that it signed itself; private half both as PEM, public half the
    certificate as base64 of DER. Peers know it by its fingerprint, so nobody has to vouch for it.
    `password`: 40 random letters and digits (238 bits); there is no public half.
    """

    WIREGUARD = "wireguard"
    SSH = "ssh"
    OPENPGP = "openpgp"
    DNSSEC = "dnssec"
    TLS = "tls"
    PASSWORD = "password"  # noqa: S105 - the word for the kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody who can read the ledger: an age recipient, `age1…`, and whose it is."""

    key: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name of the ledger; `public` is empty for passwords."""

    name: str
    kind: Kind
    public: str


def state_dir(environment: str) -> Path:
    """Where an environment's state lives: `$PROVINCE_STATE_DIR/<environment>`, never in the tree."""
    if not _ENVIRONMENT.fullmatch(environment):
        raise _stop(
            "LED-001",
            STATE_DIR_VARIABLE,
            f"the environment name {environment!r}",
            "lower-case letters, digits and single hyphens",
            "Give the name of a folder of inventories/.",
        )
    return Path(os.environ.get(STATE_DIR_VARIABLE) or DEFAULT_STATE_DIR) / environment


def secret_for(environment_name: str, name: str) -> str:
    """Return the private half of `name` in the ledger of an environment, as text.

    What the Ansible lookup `ledger` calls. Raises ProblemsFoundError (LED-nnn), whose text is fit
    to be shown.
    """
    return Ledger.open(state_dir(environment_name)).secret(name).decode()


class Ledger:
    """The ledger of one environment. Get one with `Ledger.create` or `Ledger.open`."""

    def __init__(self, directory: Path, identity: pyrage.x25519.Identity) -> None:
        self._directory = directory
        self._identity = identity

    @classmethod
    def create(cls, state: Path) -> Ledger:
        """Open the ledger below `state`, making the directory and the identity on the first call.

        A ledger that has recipients is never given a new identity: it could not read the ledger.
        """
        directory = state / "ledger"
        identity_file = state / "identity.txt"
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.mkdir(exist_ok=True, mode=0o700)
        with _locked(directory):
            recipients = directory / "recipients"
            if not recipients.exists():
                own = make_identity(identity_file)
                write_atomically(recipients, f"# {state.name}: first operator\n{own}\n".encode(), 0o644)
        return cls.open(state)

    @classmethod
    def open(cls, state: Path) -> Ledger:
        """Open a ledger that exists. LED-002 without ledger or identity, LED-006 for a readable one."""
        directory = state / "ledger"
        if not (directory / "recipients").is_file():
            raise _stop(
                "LED-002",
                str(directory),
                "no ledger",
                "the ledger of a built environment",
                "Build the environment first (make up), or restore its state directory.",
            )
        return cls(directory, _read_identity(state / "identity.txt"))

    @property
    def recipients(self) -> tuple[str, ...]:
        """The age recipients that every private half is encrypted for, in the file's order."""
        return tuple(person.key for person in self.people)

    @property
    def people(self) -> tuple[Recipient, ...]:
        """The same, with whose they are: what the comment before the line says."""
        found, who = [], ""
        for line in (self._directory / "recipients").read_text().splitlines():
            text = line.strip()
            if text.startswith("#"):
                who = text.lstrip("# ")
            elif text:
                found.append(Recipient(key=text, who=who))
                who = ""
        return tuple(found)

    @property
    def own(self) -> str:
        """The recipient that the identity of this controller is."""
        return str(self._identity.to_public())

    def ensure_keypair(self, name: str, kind: Kind | str) -> str:
        """Make `name` unless it is there; return its public half ("" for passwords).

        Heals a run killed between the two files. A name that exists with another kind is refused
        (LED-007), as is a public half whose private half is gone (LED-004).
        """
        wanted = Kind(kind)
        with _locked(self._directory):
            return self._ensure(self._name(name), wanted)

    def ensure_for_hosts(self, names: Iterable[str]) -> dict[str, str]:
        """Make a WireGuard pair `wireguard/<host>` for every host; host name → public half."""
        with _locked(self._directory):
            return {name: self._ensure(self._name(f"wireguard/{name}"), Kind.WIREGUARD) for name in names}

    def public(self, name: str) -> str:
        """Return the public half of `name`, without asking for the identity."""
        path = self._path(self._name(name), ".pub")
        if not path.is_file():
            raise self._unknown(name)
        return path.read_text().strip()

    def publics(self) -> dict[str, str]:
        """Every public half by name, in the order of names: what the plan may know of the ledger."""
        return {self._name_of(path): path.read_text().strip() for path in self._files(".pub")}

    def secret(self, name: str) -> bytes:
        """Decrypt the private half of `name`, and compare it with the public half."""
        _, secret = self._read(self._name(name))
        return secret

    def stamp(self, name: str) -> str:
        """What tells whether the entry of `name` is still the same, without decrypting it."""
        path = self._path(self._name(name), ".age")
        return hashlib.sha256(path.read_bytes()).hexdigest()[:24] if path.is_file() else ""

    def entries(self) -> tuple[Entry, ...]:
        """List what the ledger holds, by name. Decrypts every entry, so it is also a check of all of it."""
        found = []
        for path in self._files(".age"):
            name = self._name_of(path)
            kind, secret = self._read(name)
            found.append(Entry(name=name, kind=kind, public=_public_half(kind, secret, name)))
        return tuple(found)

    def succeed(self, name: str, heir: str) -> None:
        """Let `name` be the pair that `heir` is; what it was is gone. Killed half way, it can be repeated."""
        with _locked(self._directory):
            kind, secret = self._read(self._name(heir))
            self._path(self._name(name), ".pub").unlink(missing_ok=True)  # it would contradict the new one
            self._encrypt(name, kind, secret, self.recipients)
            self._ensure(name, kind)

    def forget(self, name: str) -> None:
        """Remove both halves of `name`, if it is there."""
        with _locked(self._directory):
            self._path(self._name(name), ".pub").unlink(missing_ok=True)
            self._path(name, ".age").unlink(missing_ok=True)

    def age(self, name: str) -> float:
        """Seconds since the pair of `name` was made, or took its name."""
        return max(0.0, time.time() - self._path(self._name(name), ".pub").stat().st_mtime)

    def add_recipient(self, recipient: str, who: str) -> None:
        """Let `recipient` read the ledger: encrypt every private half again, then list it.

        Listed last, so that a run killed half way is seen as not done and can be repeated. LED-008 for what
        is no recipient, is nobody's, or bears the name of another.
        """
        self._parse(recipient)
        name = who.strip()
        if not name or len(name.splitlines()) > 1:
            raise self._bad_recipient(
                f"the comment {who!r}", "one line that says whose key it is", "Name the person."
            )
        with _locked(self._directory):
            people = self.people
            if recipient in {person.key for person in people}:
                return
            if name in {person.who for person in people}:
                raise self._bad_recipient(
                    f"a second recipient of {name!r}",
                    "a name for each",
                    "Say which of the two it is, or remove the other first.",
                )
            self._encrypt_all((*self.recipients, recipient))
            self._list((*people, Recipient(key=recipient, who=name)))

    def remove_recipient(self, which: str) -> Recipient:
        """Let somebody, named by recipient or by name, read the ledger no longer; returns who that was.

        Everything is encrypted again for the others, then the line goes: a run killed half way can be
        repeated. What that person has read is still known to them: only new secrets end that.
        LED-010 for nobody, LED-011 for the own recipient, LED-012 if too few are left.
        """
        with _locked(self._directory):
            people = self.people
            gone = next((person for person in people if which in (person.key, person.who)), None)
            file = str(self._directory / "recipients")
            if gone is None:
                raise _stop(
                    "LED-010",
                    file,
                    f"no recipient {which!r}",
                    "one of " + ", ".join(repr(person.who) for person in people),
                    "Name one as it is listed.",
                )
            if gone.key == self.own:
                raise _stop(
                    "LED-011",
                    file,
                    f"the recipient of this controller ({gone.who})",
                    "somebody else's",
                    "Have another operator remove it on another controller: this one could not go on.",
                )
            left = tuple(person for person in people if person != gone)
            if len(left) < AT_LEAST:
                raise _stop(
                    "LED-012",
                    file,
                    f"{len(left)} recipients without {gone.who!r}",
                    f"at least {AT_LEAST}",
                    "Add the successor first.",
                )
            self._encrypt_all(tuple(person.key for person in left))
            self._list(left)
        return gone

    def sealed_otherwise(self) -> tuple[str, ...]:
        """Names of entries that are encrypted for another number of recipients than are listed.

        Who they are cannot be seen in a ciphertext (age keeps that to itself), how many they are can.
        """
        wanted = len(self.recipients)
        return tuple(
            self._name_of(path) for path in self._files(".age") if _stanzas(path.read_bytes()) != wanted
        )

    def copy_to(self, archive: Path) -> None:
        """Write a copy of the ledger, public halves and ciphertext; who restores it needs an identity."""
        with _locked(self._directory):
            paths = (self._directory / "recipients", *self._files(".age"), *self._files(".pub"))
            contents = {str(path.relative_to(self._directory)): path.read_bytes() for path in paths}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        listed = {_CONTENTS: json.dumps(digests, indent=1).encode(), **contents}
        with io.BytesIO() as made:
            with tarfile.open(fileobj=made, mode="w") as tar:
                for name, content in listed.items():
                    member = tarfile.TarInfo(name)
                    member.size, member.mode = len(content), 0o600
                    tar.addfile(member, io.BytesIO(content))
            write_atomically(archive, made.getvalue(), 0o600)

    @classmethod
    def restore(cls, state: Path, archive: Path) -> Ledger:
        """Put a copy in place below `state`, where there is an identity that opens all of it, and no ledger.

        Every entry is opened before anything is in place. LED-013 for what is no copy of a ledger, LED-014
        where there is a ledger; LED-002, LED-003 and LED-005 as `open` and `entries` say.
        """
        directory = state / "ledger"
        if (directory / "recipients").exists():
            raise _stop(
                "LED-014",
                str(directory),
                "a ledger",
                "none yet",
                "Move it aside if it is wrong: what it alone has would be lost.",
            )
        identity = _read_identity(state / "identity.txt")
        beside = Path(tempfile.mkdtemp(dir=state, prefix=".ledger."))
        try:
            _unpack(archive, beside)
            cls(beside, identity).entries()
            if directory.is_dir():
                (directory / ".lock").unlink(missing_ok=True)
                directory.rmdir()
            beside.rename(directory)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return cls(directory, identity)

    def _ensure(self, name: str, kind: Kind) -> str:
        if self._path(name, ".age").is_file():
            found, secret = self._read(name)
            if found is not kind:
                raise _stop(
                    "LED-007",
                    str(self._path(name, ".age")),
                    f"{name} of kind {found}",
                    f"kind {kind}",
                    "Use another name; an entry never changes its kind.",
                )
        else:
            if self._path(name, ".pub").exists():
                raise _stop(
                    "LED-004",
                    str(self._path(name, ".pub")),
                    f"a public half of {name} without its private half",
                    "both halves",
                    f"Restore {name}.age from a copy, or remove {name}.pub to have a new pair made.",
                )
            secret = _generate(kind, name)
            self._encrypt(name, kind, secret, self.recipients)
        public = _public_half(kind, secret, name)
        if public and not self._path(name, ".pub").exists():
            write_atomically(self._path(name, ".pub"), f"{public}\n".encode(), 0o644)
        return public

    def _read(self, name: str) -> tuple[Kind, bytes]:
        path = self._path(name, ".age")
        if not path.is_file():
            raise self._unknown(name)
        failure = ""
        plain = b""
        try:
            plain = pyrage.decrypt(path.read_bytes(), [self._identity])
        except pyrage.DecryptError as error:
            failure = str(error)
        if failure:
            raise _stop(
                "LED-003",
                str(path),
                f"a ciphertext that this identity does not open ({failure})",
                "a ciphertext made for this identity, unchanged",
                "Restore the file from a copy, or use the identity that is listed in ledger/recipients.",
            )
        opened: tuple[Kind, bytes] | None = None
        public = ""
        try:
            record = json.loads(plain)
            if record["name"] == name:
                opened = Kind(record["kind"]), str(record["secret"]).encode()
                public = _public_half(*opened, name)
        except (ValueError, KeyError, TypeError):
            opened = None  # what could not be read is not shown: it may be private
        if opened is None:
            raise _stop(
                "LED-005",
                str(path),
                "the private half of another entry",
                f"the private half of {name}",
                "Restore the file from a copy: someone moved or replaced it.",
            )
        public_file = self._path(name, ".pub")
        if public_file.exists() and public_file.read_text().strip() != public:
            raise _stop(
                "LED-005",
                str(public_file),
                f"a public half that is not that of {name}",
                "the public half of the private one",
                "Restore the file, or remove it to have it written again from the private half.",
            )
        return opened

    def _encrypt(self, name: str, kind: Kind, secret: bytes, recipients: tuple[str, ...]) -> None:
        record = json.dumps({"name": name, "kind": kind.value, "secret": secret.decode()})
        sealed = pyrage.encrypt(record.encode(), [self._parse(text) for text in recipients])
        write_atomically(self._path(name, ".age"), sealed, 0o600)

    def _encrypt_all(self, recipients: tuple[str, ...]) -> None:
        for path in self._files(".age"):
            name = self._name_of(path)
            self._encrypt(name, *self._read(name), recipients)

    def _parse(self, recipient: str) -> pyrage.x25519.Recipient:
        try:
            return pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError:
            raise self._bad_recipient(
                f"the recipient {recipient!r}",
                "an age recipient, as in age1…",
                "Copy the line `public key` of the person's identity file.",
            ) from None

    def _bad_recipient(self, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
        return _stop("LED-008", str(self._directory / "recipients"), found, wanted, remedy)

    def _list(self, people: Iterable[Recipient]) -> None:
        text = "".join(f"# {person.who}\n{person.key}\n" for person in people)
        write_atomically(self._directory / "recipients", text.encode(), 0o644)

    def _files(self, suffix: str) -> list[Path]:
        return sorted(self._directory.rglob(f"*{suffix}"))

    def _name_of(self, path: Path) -> str:
        return str(path.relative_to(self._directory).with_suffix(""))

    def _path(self, name: str, suffix: str) -> Path:
        return self._directory / f"{name}{suffix}"

    def _name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise _stop(
                "LED-001",
                str(self._directory),
                f"the name {name!r}",
                "parts of lower-case letters, digits, '-', '_' and '.', separated by '/'",
                "Correct the name.",
            )
        return name

    def _unknown(self, name: str) -> ProblemsFoundError:
        return _stop(
            "LED-009",
            str(self._directory),
            f"nothing under {name}",
            "an entry of that name",
            "make up makes what the plan needs; a misspelt name is the usual cause.",
        )


def _generate(kind: Kind, name: str) -> bytes:
    if kind is Kind.TLS:
        return _self_signed(name)
    if kind is Kind.WIREGUARD:
        raw = X25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return base64.b64encode(raw)
    if kind is Kind.SSH:
        key = Ed25519PrivateKey.generate()
        return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    if kind is Kind.OPENPGP:
        return openpgp.in_base64(openpgp.generate(name, int(time.time()))).encode()
    if kind is Kind.DNSSEC:
        pair = generate_private_key(SECP256R1())
        return pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH)).encode()


def _self_signed(name: str) -> bytes:
    """A key and its certificate; its term is long, since what peers trust is the fingerprint alone."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[-64:])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of hosts may be behind
        .not_valid_after(now + _TERM)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _certificate(secret: bytes) -> bytes:
    """The certificate beside a private key, as DER; ValueError where the two do not belong together."""
    certificate = x509.load_pem_x509_certificate(secret)
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    own = load_pem_private_key(secret, password=None).public_key().public_bytes(*form)
    if certificate.public_key().public_bytes(*form) != own:
        raise ValueError("another key's certificate")
    return certificate.public_bytes(Encoding.DER)


def fingerprint(public: str) -> str:
    """The SHA-256 fingerprint of a certificate of the ledger, `AA:BB:…`."""
    return hashlib.sha256(base64.b64decode(public)).digest().hex(":").upper()


def _public_half(kind: Kind, secret: bytes, name: str) -> str:
    if kind is Kind.PASSWORD:
        return ""
    if kind is Kind.TLS:
        return base64.b64encode(_certificate(secret)).decode()
    if kind is Kind.WIREGUARD:
        private = X25519PrivateKey.from_private_bytes(base64.b64decode(secret))
        return base64.b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    if kind is Kind.OPENPGP:
        return openpgp.in_base64(openpgp.public_half(base64.b64decode(secret, validate=True)))
    if kind is Kind.DNSSEC:
        return _dnskey(secret)
    public = load_ssh_private_key(secret, password=None).public_key()
    return f"{public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {name}"


def _dnskey(secret: bytes) -> str:
    """DNSKEY data of RFC 6605: zone key with the mark of a secure entry point, algorithm 13, X and Y."""
    key = load_pem_private_key(secret, password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("the ledger's DNSSEC keys are on a curve")
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return f"257 3 13 {base64.b64encode(point[1:]).decode()}"


def _read_identity(path: Path) -> pyrage.x25519.Identity:
    if not path.is_file():
        raise _stop(
            "LED-002",
            str(path),
            "no identity",
            "the age identity that opens the ledger",
            "Restore identity.txt; a new one would not open what is there (a lab: make down, make up).",
        )
    if path.stat().st_mode & 0o077:
        raise _stop(
            "LED-006",
            str(path),
            f"mode {path.stat().st_mode & 0o777:04o}",
            "mode 0600",
            f"Run chmod 600 {path}, and ask who read it.",
        )
    keys = [line.strip() for line in path.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-")]
    if len(keys) == 1:
        try:
            return pyrage.x25519.Identity.from_str(keys[0])
        except pyrage.IdentityError:
            keys = []
    raise _stop(
        "LED-002",
        str(path),
        "no single age identity that can be read" if len(keys) != 1 else "a broken identity",
        "one line AGE-SECRET-KEY-1…",
        "Restore identity.txt from a copy.",
    )


def make_identity(path: Path) -> str:
    """Make an age identity unless there is one; return the recipient that it is, `age1…`."""
    if not path.exists():
        made = pyrage.x25519.Identity.generate()
        write_atomically(path, f"# public key: {made.to_public()}\n{made}\n".encode(), 0o600)
    return str(_read_identity(path).to_public())


def _stanzas(sealed: bytes) -> int:
    """For how many X25519 recipients an age file is encrypted: its header has a line for each (age v1)."""
    header, _, _ = sealed.partition(b"\n---")
    return sum(line.startswith(b"-> X25519 ") for line in header.splitlines())


def _unpack(archive: Path, folder: Path) -> None:
    """All files that a copy of a ledger lists, with the contents that it lists, and nothing else."""
    contents: dict[str, bytes] = {}
    found = ""
    try:
        with tarfile.open(archive, mode="r:") as tar:
            contents = {m.name: file.read() for m in tar if m.isfile() and (file := tar.extractfile(m))}
        digests = json.loads(contents.pop(_CONTENTS, b"{}"))
        told = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        if strange := [name for name in told if not _COPIED.fullmatch(name)]:
            found = f"{strange[0]!r} in it"
        elif "recipients" not in told or told != digests:
            found = "a part of a copy, or one that was changed"
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        found = getattr(error, "strerror", None) or "no archive that can be read"
    if found:
        raise _stop(
            "LED-013",
            str(archive),
            found,
            "a whole copy of a ledger",
            "Take another copy, as `make recipients DO=save` wrote it.",
        )
    for name, content in contents.items():
        write_atomically(folder / name, content, 0o600 if name.endswith(".age") else 0o644)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the kernel drops the lock with the process."""
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Write all of it or nothing, on disk before the name points to it; its folder is made private."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _stop(code: str, file: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    problem = Problem(code=code, file=file, line=0, path="", found=found, wanted=wanted, remedy=remedy)
    return ProblemsFoundError((problem,))


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Join `province ledger` to the command line; it never shows a private half."""
    parser = subparsers.add_parser("ledger", help="what the key ledger of an environment holds")
    parser.add_argument("environment", help="lab, production, …")
    parser.set_defaults(run=_command)


def _command(arguments: argparse.Namespace) -> int:
    for entry in Ledger.open(state_dir(arguments.environment)).entries():
        sys.stdout.write(f"{entry.kind:<10} {entry.name:<32} {entry.public}\n")
    return 0
