"""Limits of the machine's kernel that a dozen systemd containers run into: raised, and put back.

All containers share one range of ids, so these limits, counted for each user, hold for the whole lab.
Values: https://linuxcontainers.org/incus/docs/main/reference/server_settings/ (production setup).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from province.ledger import write_atomically

SYSCTL = Path("/proc/sys")
RECORD = Path("/run/province/kernel.json")
WANTED: Mapping[str, int] = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1048576,
    "kernel/keys/maxbytes": 2000000,
    "kernel/keys/maxkeys": 2000,
}


def raise_limits(sysctl: Path = SYSCTL, record: Path = RECORD) -> list[str]:
    """Raise what is lower than wanted, remember what it was; returns the names of what was raised."""
    before = _read(record)
    raised = []
    for name, wanted in WANTED.items():
        path = sysctl / name
        if not path.is_file():
            continue
        now = int(path.read_text(encoding="ascii"))
        if now < wanted:
            before.setdefault(name, now)
            raised.append(name)
    if raised:
        write_atomically(record, json.dumps(before).encode(), 0o644)
        for name in raised:
            (sysctl / name).write_text(f"{WANTED[name]}\n", encoding="ascii")
    return raised


def put_back(sysctl: Path = SYSCTL, record: Path = RECORD) -> list[str]:
    """Set what was raised to what it was, unless somebody else has changed it since."""
    restored = []
    for name, value in _read(record).items():
        path = sysctl / name
        if path.is_file() and int(path.read_text(encoding="ascii")) == WANTED.get(name):
            path.write_text(f"{value}\n", encoding="ascii")
            restored.append(name)
    record.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or somebody else's things are in it
        record.parent.rmdir()
    return restored


def _read(record: Path) -> dict[str, int]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): int(value) for key, value in content.items()} if isinstance(content, dict) else {}
