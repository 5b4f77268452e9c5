"""What is asked of hosts, remembered with the digest of everything that it is made from.

Before it is known what is asked of one host, the register of all units is read and planned: seconds, where
there are 10,000. As long as nothing has changed of what that is made from, it is known already. Only the
question is remembered: hosts are asked all the same, and of files the question has digests, no contents.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from province import rotation
from province.asked import Asked, Asking
from province.hosts import built_hosts, load_environment, plan_for
from province.lab import apt
from province.ledger import Ledger, write_atomically
from province.look import Request
from province.sources import REPOSITORY, uncollected

FOLDER = "remembered"
FEW = 50  # hosts; who asks more waits for their answers rather than for the plan
_TREES = ("roles", "playbooks", "apps", "province", "inventories", "docs/reference")
_FILES = ("requirements/environment.txt",)

Known = Mapping[str, tuple[list[Request], Asked]]


class Secrets(Protocol):
    """What is wanted of a ledger."""

    def secret(self, name: str) -> bytes:
        """An entry's secret."""

    def stamp(self, name: str) -> str:
        """What tells whether the entry is still the same."""


def questions(
    environment: Path,
    state: Path,
    names: Sequence[str] = (),
    ledger: Secrets | None = None,
    public_keys: Mapping[str, str] | None = None,
) -> Known | None:
    """What is asked of hosts of an environment file: of these, without names of all.

    None where a name is no host's: groups and patterns are Ansible's to read. `ledger` and `public_keys`
    are otherwise those of the state. Raises ProblemsFoundError for what cannot be read, planned or computed.
    """
    ledger = ledger or Ledger.open(state)
    memory = Memory.now(environment, state) if names else None
    if memory and (known := memory.recall(names, ledger.stamp)):
        return known
    with uncollected():
        declared = load_environment(environment)
        plan = plan_for(declared)
        hosts = {host.name: host for host in built_hosts(declared, plan, public_keys)}
        if not set(names) <= set(hosts):
            return None
        asking = Asking(declared, plan, text_of(ledger), ledger.stamp)
        made = {name: asking.requests(hosts[name]) for name in names or hosts}
    if memory:
        memory.keep(made)
    return made


def text_of(ledger: Secrets) -> Callable[[str], str]:
    """Secrets as the lookup of Ansible gives them."""
    return lambda name: ledger.secret(name).decode().rstrip("\n")


def basis(environment: Path, state: Path) -> str:
    """Digest of everything that questions to hosts are made from.

    The code, the registers, what they have in common, the machine's package sources, a key's replacement
    that is under way: by content. The ledger: by its folders' times, in which every entry is written anew and
    then moved; of the entries that a host is asked with, `recall` compares the contents, too.
    """
    found = hashlib.sha256(f"{sys.version}\n{environment.resolve()}\n{state}\n".encode())
    for path in sorted(_files(environment, state)):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        found.update(f"{path} {len(content)}\n".encode() + content)
    for folder, _, _ in sorted(os.walk(state / "ledger")):
        told = Path(folder).stat()
        found.update(f"{folder} {told.st_ino} {told.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _files(environment: Path, state: Path) -> Iterator[Path]:
    roots = {REPOSITORY, environment.resolve().parents[2]}
    for root in roots:
        yield from (root / name for name in _FILES)
        for name in _TREES:
            yield from _below(root / name)
    yield state / rotation.FILE
    yield from apt.source_files()


def _below(top: Path) -> Iterator[Path]:
    """Files of a folder and of those that links in it lead to."""
    been = set()
    for folder, folders, files in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in been:
            folders.clear()
            continue
        been.add(real)
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder, name) for name in files)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of an environment; `made_from` is its basis when this was made."""

    environment: Path
    state: Path
    made_from: str

    @classmethod
    def now(cls, environment: Path, state: Path) -> Memory:
        """The memory of an environment file as everything is now."""
        return cls(environment, state, basis(environment, state))

    def recall(self, hosts: Iterable[str], stamp: Callable[[str], str]) -> Known | None:
        """What is asked of hosts, if it is known of each of them; `stamp` is the ledger's."""
        found = {}
        for host in hosts:
            try:
                said = json.loads(zlib.decompress(self._place(host).read_bytes()))
                made_from, requests, asked = said["made_from"], said["requests"], Asked(**said["asked"])
            except (OSError, ValueError, KeyError, TypeError, zlib.error):
                return None
            if made_from != self.made_from:
                return None
            if any(stamp(name) != told for name, told in asked.secrets.items()):
                return None
            found[host] = (requests, asked)
        return found

    def keep(self, known: Known) -> None:
        """Remember what is asked of few hosts, unless what it is made from has changed meanwhile."""
        if len(known) > FEW or basis(self.environment, self.state) != self.made_from:
            return
        for host, (requests, asked) in known.items():
            said = {"made_from": self.made_from, "requests": requests, "asked": asdict(asked)}
            write_atomically(self._place(host), zlib.compress(json.dumps(said).encode()), 0o600)

    def _place(self, host: str) -> Path:
        return self.state / FOLDER / f"{host}.json.z"
