"""What a look at an environment found, in words: what is, what was planned, what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

ESTATE = "machines and networks"  # what belongs to no single host
Healer = Literal["converge", "up", "hand"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that is other than planned. `id` names it: the same thing found again has the same.

    `healer` is who puts it right: a converge, the stack, or somebody by `command` on that host; where `look`
    is set, only after a look, because it may be somebody's data. What no command does is said as `advice`.
    """

    host: str
    kind: str
    subject: str
    found: str
    wanted: str
    healer: Healer = "hand"
    command: str = ""
    look: bool = False
    advice: str = ""

    @property
    def id(self) -> str:
        """How it is named when it is accepted."""
        host = "estate" if self.host == ESTATE else self.host
        return f"{host}/{self.kind}/{self.subject.lstrip('/')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All findings, and why hosts (or the estate) could not be looked at to the end."""

    hosts: tuple[str, ...]
    findings: tuple[Finding, ...]
    unseen: dict[str, str] = field(default_factory=dict)


def once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding of each thing: what a tool of ours would heal is told as that."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        before = kept.get(finding.id)
        if before is None or (before.healer == "hand" and finding.healer != "hand"):
            kept[finding.id] = finding
    return tuple(sorted(kept.values()))
