"""Readers of `systemctl list-units --output=json` and `systemctl list-unit-files --output=json`."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unit:
    """A loaded unit: `active` is active or failed, `sub` is running, exited and others."""

    name: str
    active: str
    sub: str


def units(text: str) -> tuple[Unit, ...]:
    """Loaded units by name."""
    found = (
        Unit(name=unit["unit"], active=unit["active"], sub=unit["sub"]) for unit in json.loads(text or "[]")
    )
    return tuple(sorted(found))


def enabled(text: str) -> tuple[str, ...]:
    """Names of the unit files that start by themselves."""
    return tuple(sorted(unit["unit_file"] for unit in json.loads(text or "[]") if unit["state"] == "enabled"))
