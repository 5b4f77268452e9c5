"""Findings that somebody has accepted, with a reason: `inventories/ENVIRONMENT/accepted-drift.yml`.

```yaml
accepted:
  - id: app-1/user/anna
    reason: second operator until the directory stands
    since: 2026-11-23
```
"""

from __future__ import annotations

import datetime
import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from province.problems import Problem, ProblemsFoundError

FILE = "accepted-drift.yml"
_HEAD = (
    '# What drift was accepted, and why; `province drift ENVIRONMENT --accept ID --reason "…"` adds to it.\n'
    "# Take an entry out when its reason is gone: what is not there any more is told as well.\n"
)
_KEYS = ("id", "reason", "since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One accepted finding: why, and since when."""

    id: str
    reason: str
    since: str


def read(path: Path, called: str) -> tuple[Accepted, ...]:
    """What is accepted; nothing where there is no file. What is wrong with it is a problem with its place."""
    if not path.exists():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise _stop(called, 0, "", f"no file that can be read ({why})", "a YAML file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "not readable"
        raise _stop(called, mark.line + 1 if mark else 0, "", f"no YAML: {said}", "a YAML file") from None
    if data is None:
        return ()
    entries = data.get("accepted") if isinstance(data, Mapping) and set(data) == {"accepted"} else None
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise _stop(called, 0, "", "something else than one list `accepted`", "the list `accepted`")
    return tuple(_entry(called, number, one) for number, one in enumerate(entries))


def _entry(called: str, number: int, one: Any) -> Accepted:
    place = f"accepted[{number}]"
    if not isinstance(one, Mapping) or set(one) != set(_KEYS):
        keys = ", ".join(map(str, one)) if isinstance(one, Mapping) else str(one)
        raise _stop(called, 0, place, f"`{keys}`", f"exactly {', '.join(_KEYS)}")
    for key in ("id", "reason"):
        if not isinstance(one[key], str) or not one[key].strip():
            raise _stop(called, 0, f"{place}.{key}", f"{one[key]!r}", "words")
    since = one["since"]
    if not isinstance(since, datetime.date):
        raise _stop(called, 0, f"{place}.since", f"{since!r}", "a date, as 2026-11-23")
    return Accepted(id=one["id"], reason=one["reason"].strip(), since=since.isoformat()[:10])


def write(path: Path, entries: Sequence[Accepted]) -> None:
    """Write all of it; sorted, so that two branches seldom collide."""
    listed = [
        {"id": one.id, "reason": one.reason, "since": datetime.date.fromisoformat(one.since)}
        for one in sorted(entries, key=lambda one: one.id)
    ]
    body = yaml.safe_dump({"accepted": listed}, allow_unicode=True, sort_keys=False, width=100)
    # yamllint asks for an indented list.
    lines = [f"  {line}" if not line.startswith("accepted:") else line for line in body.splitlines()]
    beside = path.with_name(f".{path.name}.new")
    beside.write_text("---\n" + _HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(path)


def add(path: Path, called: str, entry: Accepted) -> None:
    """Add an entry, or put it in the place of that with its id; two that do so at once lose neither."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        write(path, [*(one for one in read(path, called) if one.id != entry.id), entry])
    finally:
        os.close(folder)


def _stop(called: str, line: int, place: str, found: str, wanted: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        (
            Problem(
                code="DRF-001",
                file=called,
                line=line,
                path=place,
                found=found,
                wanted=wanted,
                remedy="Correct the file: docs/runbooks/drift.md shows one.",
            ),
        )
    )
