"""What roles declare for each host, and what they would change there, as findings (province/look.py)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from province.drift.findings import Finding
from province.look import Request, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What all roles of a host say together."""

    roles: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    exclusive: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def together(requests: Iterable[Request]) -> Declared:
    """What several roles declare, as one."""
    asked = [(one["role"], one["options"]) for one in requests]
    units: dict[str, dict[str, Any]] = {}
    for unit in _all(asked, "units"):
        kept = units.setdefault(unit["name"], {"state": None, "enabled": None, "masked": False})
        kept.update({key: unit[key] for key in kept if unit.get(key) is not None})
    folders = _all(asked, "directories")
    files = [entry["dest"] for entry in _all(asked, "files")]
    links = [entry["path"] for entry in _all(asked, "links")]
    return Declared(
        roles=tuple(role for role, _ in asked),
        files=frozenset([*files, *links]),
        folders=frozenset(entry["path"].rstrip("/") for entry in folders),
        exclusive=tuple(entry["path"].rstrip("/") for entry in folders if entry.get("exclusive")),
        absent=frozenset(_all(asked, "absent")),
        packages=frozenset(_all(asked, "packages")),
        users={user["name"]: user for user in _all(asked, "users")},
        units=units,
    )


def _all(asked: Iterable[tuple[str, Mapping[str, Any]]], part: str) -> list[Any]:
    return [entry for _, options in asked for entry in options.get(part) or ()]


def found(seen: Iterable[Seen]) -> list[Finding]:
    """What roles would change, as findings."""
    return [
        _finding(one.host, role, sentence)
        for one in seen
        for role, sentences in one.changes.items()
        for sentence in sentences
    ]


# A sentence of managed_tree (what it would do), the kind, what is there, what was planned.
_SENTENCES: tuple[tuple[str, str, str, str], ...] = (
    (r"Wrote (?P<it>\S+)\.", "file", "{it} is gone", "the file that the role {role} lays down"),
    (r"Rewrote (?P<it>\S+)\.", "file", "{it} has another content", "that of the role {role}"),
    (
        r"Replaced the link (?P<it>\S+) by a file\.",
        "file",
        "{it} is no plain file",
        "that of the role {role}",
    ),
    (
        r"Set (?P<it>\S+) to (?P<to>\S+ \S+); it was (?P<was>\S+ \S+)\.",
        "file",
        "{it} has mode and owner {was}",
        "{to} (role {role})",
    ),
    (r"Made the directory (?P<it>\S+)\.", "file", "{it} is gone", "the folder of the role {role}"),
    (
        r"Set the directory (?P<it>\S+) to (?P<to>.+)\.",
        "file",
        "{it} has another mode or owner",
        "{to} (role {role})",
    ),
    (
        r"Linked (?P<it>\S+) to (?P<to>.+)\.",
        "file",
        "{it} leads elsewhere, or is gone",
        "to {to} (role {role})",
    ),
    (r"Removed (?P<it>.+)\.", "file", "{it} is there", "nothing (the place is the role {role}'s alone)"),
    (r"Installed (?P<it>.+)\.", "package", "the package {it} is not installed", "installed (role {role})"),
    (r"Made the user (?P<it>\S+)\.", "user", "there is no user {it}", "the user of the role {role}"),
    (
        r"Put the user (?P<it>\S+) into (?P<to>.+)\.",
        "user",
        "the user {it} is not in {to}",
        "in it (role {role})",
    ),
    (
        r"Locked the password of (?P<it>\S+)\.",
        "user",
        "a password opens the account {it}",
        "locked (role {role})",
    ),
    (r"Started (?P<it>\S+)\.", "unit", "{it} does not run", "running (role {role})"),
    (r"Stopped (?P<it>\S+)\.", "unit", "{it} runs", "stopped (role {role})"),
    (
        r"(Restarted|Reloaded) (?P<it>\S+)\.",
        "unit",
        "{it} runs with another configuration than is declared",
        "what its files say (role {role})",
    ),
    (r"Unmasked (?P<it>.+)\.", "unit", "{it} is masked", "not masked (role {role})"),
    (r"Masked (?P<it>.+)\.", "unit", "{it} is not masked", "masked (role {role})"),
    (
        r"Have systemd read (?P<it>.+) again\.",
        "unit",
        "{it} is not as its file says",
        "as it says (role {role})",
    ),
    (r"Enabled (?P<it>.+)\.", "unit", "{it} does not start at boot", "enabled (role {role})"),
    (r"Disabled (?P<it>.+)\.", "unit", "{it} starts at boot", "disabled (role {role})"),
)


def _finding(host: str, role: str, sentence: str) -> Finding:
    for pattern, kind, found, wanted in _SENTENCES:
        if match := re.fullmatch(pattern, sentence, re.DOTALL):
            words = {**match.groupdict(), "role": role}
            return Finding(
                host=host,
                kind=kind,
                subject=words["it"],
                found=found.format(**words),
                wanted=wanted.format(**words),
                healer="converge",
            )
    command = re.fullmatch(r"(?:Ran|Confirm by) `(.+)`\.", sentence, re.DOTALL)
    if command:
        return Finding(
            host=host,
            kind="state",
            subject=command[1],
            found=f"what `{command[1]}` brings about is not so",
            wanted=f"as the role {role} says",
            healer="converge",
        )
    return Finding(
        host=host,
        kind="role",
        subject=role,
        found=f"the role {role} cannot go on: {' '.join(sentence.split())}",
        wanted="a role that can be laid down",
        advice="mend what it says, then look again: make drift",
    )


def below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path lies in one of these folders, or is one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
