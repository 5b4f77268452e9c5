"""What was asked of each host when it last was as declared, and so which hosts a change concerns.

A unit that joins changes files of few hosts: border routers, hubs, servers, its own. Which they are is
computed here without speaking to anybody: what roles ask of a host now (province/render) against what is on
record from the last run that left it as declared. It says nothing of what somebody changed on a host since;
that is what looking (province/look.py) is for.

A host whose facts, roles and secrets are those of the record is not rendered again, so that the cost for a
host that does not change is the cost of its facts.
"""

from __future__ import annotations

import hashlib
import json
import marshal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from province.hosts import Environment, Host
from province.ledger import write_atomically
from province.look import Request, as_request
from province.plan.model import Plan
from province.render.configurations import Renderer, program_for
from province.sources import REPOSITORY

RECORD = "asked.json"
# What of the repository decides what roles ask, beside facts.
_BASIS = ("roles", "playbooks", "apps", "province", "inventories/common/group_vars")
_FILES = ("requirements/environment.txt",)
_SHOWN = 20  # hosts that one sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a host: `roles` by name, as digests; `made_from`, of what that is made.

    `secrets` are the names of the ledger that were asked for, each with a stamp of its entry.
    """

    made_from: str
    secrets: Mapping[str, str]
    roles: Mapping[str, str]

    def differs(self, other: Asked | None) -> list[str]:
        """Roles that ask something else than there, or are there no longer."""
        before = other.roles if other else {}
        return [name for name in {**before, **self.roles} if before.get(name) != self.roles.get(name)]


class Asking:
    """Computes what is asked of hosts of an environment; `secret` and `stamp` are the ledger's."""

    def __init__(
        self, environment: Environment, plan: Plan, secret: Callable[[str], str], stamp: Callable[[str], str]
    ) -> None:
        group_vars = environment.path.parent / "group_vars"
        self._renderer = Renderer(program_for(REPOSITORY, group_vars), environment, plan, self._secret)
        self._from_ledger, self._stamp = secret, stamp
        self._names: dict[str, str] = {}
        self._basis = _digest_of_files([*(REPOSITORY / folder for folder in _BASIS), group_vars])

    def _secret(self, name: str) -> str:
        self._names[name] = self._stamp(name)
        return self._from_ledger(name)

    def requests(self, host: Host) -> tuple[list[Request], Asked]:
        """What roles ask of a host, and that as it is put on record. Raises ProblemsFoundError (RND-nnn)."""
        self._names = {}
        requests = [as_request(tree) for tree in self._renderer.trees(host)]
        roles = {one["role"]: _digest(json.dumps(one, default=str).encode()) for one in requests}
        return requests, Asked(made_from=self._made_from(host), secrets=self._names, roles=roles)

    def _made_from(self, host: Host) -> str:
        facts = host.facts()
        if facts.get("apps"):
            return ""  # files of applications are made from the whole plan
        try:
            said = marshal.dumps((host.groups, facts), 2)
        except ValueError:
            said = json.dumps((host.groups, facts), default=str).encode()
        return _digest(self._basis.encode() + said)

    def changed(self, hosts: Iterable[Host], known: Mapping[str, Asked]) -> dict[str, list[str]]:
        """Hosts of which something else is asked than what is on record, with the roles that ask it."""
        found = {}
        for host in hosts:
            before = known.get(host.name)
            if before and self._same(host, before):
                continue
            differs = self.requests(host)[1].differs(before)
            if differs or before is None:
                found[host.name] = differs
        return found

    def _same(self, host: Host, before: Asked) -> bool:
        if not before.made_from or before.made_from != self._made_from(host):
            return False
        return all(self._stamp(name) == stamp for name, stamp in before.secrets.items())


def known(state: Path) -> dict[str, Asked]:
    """What is on record, by host; nothing where there is no record, or not one that can be read."""
    try:
        found = json.loads((state / RECORD).read_text(encoding="utf-8"))
        return {host: Asked(**said) for host, said in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep(state: Path, asked: Mapping[str, Asked]) -> None:
    """Put on record what was asked of hosts that are as declared; for others the record stays."""
    if asked and (now := {**(before := known(state)), **asked}) != before:
        _write(state, now)


def forget(state: Path, hosts: Iterable[str] | None) -> None:
    """Take hosts (None: all) off the record, before something is done there that may not end well."""
    before = known(state)
    gone = set(before) if hosts is None else set(hosts)
    if gone & set(before):
        _write(state, {host: said for host, said in before.items() if host not in gone})


def sentence(changed: Mapping[str, Sequence[str]], number: int) -> str:
    """Which hosts are concerned, and why, as the screen says it."""
    if not changed:
        return f"Of none of {number} hosts anything else is asked than when it last was as declared."
    shown = [
        f"{host} ({', '.join(roles[:3])}{', …' if len(roles) > 3 else ''})"
        for host, roles in list(changed.items())[:_SHOWN]
    ]
    more = f", and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return (
        f"Of {len(changed)} of {number} hosts something else is asked than when they last were as declared: "
        + ", ".join(shown)
        + more
        + "."
    )


def _write(state: Path, asked: Mapping[str, Asked]) -> None:
    said: dict[str, Any] = {host: asdict(one) for host, one in asked.items()}
    write_atomically(state / RECORD, json.dumps(said, ensure_ascii=False).encode(), 0o600)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def _digest_of_files(folders: Iterable[Path]) -> str:
    """Of names and contents; not of where the folders lie, so that another checkout asks the same."""
    found = hashlib.sha256()
    files = [(-1, name, REPOSITORY / name) for name in _FILES]
    for number, folder in enumerate(folders):
        files += [
            (number, str(path.relative_to(folder)), path)
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
    for number, name, path in sorted(files):
        content = path.read_bytes()
        found.update(f"{number} {name} {len(content)}\n".encode() + content)
    return found.hexdigest()
