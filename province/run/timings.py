"""How long steps took, and from that about how long they will take.

A step is known by its key (`image:build`, `converge:first`): the part after the colon says which of a
step's very different durations is meant. What was measured on this machine wins over what is shipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

# Seconds, seen on two cores; only a first guess until this machine has measured its own.
SHIPPED: Mapping[str, float] = {
    "packages:install": 45,
    "packages:there": 1,
    "incus:start": 8,
    "incus:there": 1,
    "engine:build": 200,
    "engine:there": 1,
    "image:build": 90,
    "image:there": 1,
    "ledger": 2,
    "stack:first": 60,
    "stack:again": 15,
    "contact:first": 20,
    "contact:again": 5,
    "converge:first": 360,
    "converge:again": 60,
    "smoke": 5,
    "destroy": 30,
    "sweep": 10,
    "ruff": 1,
    "format": 1,
    "mypy": 30,
    "yamllint": 5,
    "shellcheck": 5,
    "ansible-lint": 60,
    "unit": 40,
    "components": 20,
    "repo": 20,
    "layers": 90,
    "flows": 60,
    "browser": 40,
    "drills": 900,
}
_UNKNOWN = 10.0
_WEIGHT_OF_LAST = 0.7


class Timings:
    """Durations of earlier runs, in a JSON file of `{key: seconds}`; a broken file counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _read(path)

    def expected(self, key: str) -> float:
        """Return about how many seconds the step will take."""
        return self._seen.get(key, SHIPPED.get(key, _UNKNOWN))

    def left(self, keys: Iterable[str]) -> float:
        """Return about how many seconds these steps will take together."""
        return sum(map(self.expected, keys))

    def record(self, key: str, seconds: float) -> None:
        """Keep a duration, smoothed by those before; a file that cannot be written is no failure."""
        before = self._seen.get(key)
        smoothed = seconds if before is None else _WEIGHT_OF_LAST * seconds + (1 - _WEIGHT_OF_LAST) * before
        self._seen[key] = round(smoothed, 1)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._seen, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            temporary.replace(self._path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()


def words(seconds: float) -> str:
    """Return a duration as people say it: `4 s`, `75 s`, `6 min`, `1 h 5 min`.

    >>> [words(s) for s in (0.2, 4, 75, 359, 3900)]
    ['0 s', '4 s', '75 s', '6 min', '1 h 5 min']
    """
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _read(path: Path) -> dict[str, float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        key: float(value)
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, int | float) and 0 <= value < 86400
    }
