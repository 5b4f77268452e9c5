"""The Incus daemon of this machine: found, or started; stopped only when it was started here.

Where systemd runs it starts the daemon. Elsewhere it is started by hand; a machine that mounts cgroup
v1 controllers gets it in a mount namespace of its own with the unified hierarchy (looked for, not
assumed: under version 1 no container of Debian 13 boots).
"""

from __future__ import annotations

import grp
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from province.incus import Endpoint, Incus, IncusError
from province.lab.machine import INCUS_PROGRAMS
from province.run.command import must_run
from province.run.failure import fail
from province.run.lock import RUN_VARIABLE
from province.run.progress import Progress, Running

RECORD = Path("/run/province/incusd.json")
LOG = Path("/var/log/incus/incusd-by-hand.log")
_ANSWERS_WITHIN = 60.0  # seconds from the start; a first start makes its database
_ENDS_WITHIN = 60.0
_UNIFIED = 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@"'
_ADMIN_GROUPS = ("incus-admin", "root")
_MOUNTS = ("guestapi", "devlxd", "shmounts")  # below /var/lib/incus, in the order they go


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A daemon that was started by hand: its process, and when that began (in ticks since boot)."""

    pid: int
    ticks: int


def answers() -> bool:
    """Say whether the daemon of this machine answers."""
    try:
        incus = Incus(Endpoint())
        try:
            incus.request("GET", "", timeout=10.0)
        finally:
            incus.close()
    except IncusError:
        return False
    return True


def ensure(progress: Progress, running: Running) -> None:
    """Return with a daemon that answers; one that runs is taken as it is."""
    if answers():
        running.done("runs already")
        return
    silent = _daemons()
    if silent:
        raise fail(
            tried="ask the Incus daemon",
            where=f"process {silent[0]}",
            came_back="it runs, and does not answer on its socket",
            next_command=f"look at its log, end it (kill {silent[0]}), then: make up",
        )
    if Path("/run/systemd/system").is_dir():
        running.now("systemctl start incus")
        must_run(
            ["systemctl", "start", "incus.socket", "incus.service"],
            progress,
            next_command="journalctl -u incus, then: make up",
        )
    else:
        running.now("start it by hand")
        _start_by_hand(progress)
    _await_answer(running)
    running.done("started")


def started_by_us() -> Started | None:
    """Return the daemon that was started by hand here and still runs, None otherwise."""
    try:
        content = json.loads(RECORD.read_text(encoding="utf-8"))
        record = Started(pid=int(content["pid"]), ticks=int(content["ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if _ticks(record.pid) == record.ticks else None


def stop(started: Started, progress: Progress) -> None:
    """End the daemon that was started here, with its mounts. Nothing may run in it any more."""
    must_run(
        ["incus", "admin", "shutdown", "--timeout=30"],
        progress,
        next_command="make down",
    )
    deadline = time.monotonic() + _ENDS_WITHIN
    while _ticks(started.pid) == started.ticks:
        if time.monotonic() > deadline:
            raise fail(
                tried="incus admin shutdown",
                where=f"process {started.pid}",
                came_back=f"still there after {_ENDS_WITHIN:.0f} s",
                next_command=f"kill {started.pid}, then: make down",
            )
        time.sleep(0.2)
    mounted = Path("/proc/self/mounts").read_text(encoding="utf-8")
    for name in _MOUNTS:
        path = f"/var/lib/incus/{name}"
        if f" {path} " in mounted:
            must_run(["umount", path], progress, next_command=f"umount -l {path}, then: make down")
    RECORD.unlink(missing_ok=True)
    if RECORD.parent.is_dir() and not any(RECORD.parent.iterdir()):
        RECORD.parent.rmdir()


def cgroup_unified(mounts: str) -> bool:
    """Say whether /sys/fs/cgroup is the unified hierarchy alone, from the text of /proc/self/mounts.

    A tmpfs there, or any version 1 controller below it, means a hybrid or a version 1 machine.
    """
    kinds = [
        (fields[1], fields[2])
        for line in mounts.splitlines()
        if len(fields := line.split()) > 2 and fields[1].startswith("/sys/fs/cgroup")
    ]
    top = [kind for path, kind in kinds if path == "/sys/fs/cgroup"]
    return bool(top) and top[-1] == "cgroup2" and all(kind == "cgroup2" for _, kind in kinds)


def _start_by_hand(progress: Progress) -> None:
    program = next((path for path in INCUS_PROGRAMS if Path(path).is_file()), None)
    if program is None:
        raise fail(
            tried="find the Incus daemon",
            where=", ".join(INCUS_PROGRAMS),
            came_back="none of them is there",
            next_command="make up (it installs what is missing)",
        )
    argv = [program, "--group", _admin_group()]
    if not cgroup_unified(Path("/proc/self/mounts").read_text(encoding="utf-8")):
        argv = ["unshare", "--mount", "sh", "-c", _UNIFIED, *argv]
    progress.log("$ " + " ".join(argv))
    LOG.parent.mkdir(parents=True, exist_ok=True)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    # It outlives this run: a session of its own, and not marked as part of the run.
    environment = {key: value for key, value in os.environ.items() if key != RUN_VARIABLE}
    with LOG.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - argv is ours
            argv,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    RECORD.write_text(json.dumps({"pid": process.pid, "ticks": _ticks(process.pid)}), encoding="utf-8")


def _await_answer(running: Running) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while not answers():
        if time.monotonic() > deadline:
            tail = LOG.read_text(encoding="utf-8", errors="replace") if LOG.is_file() else ""
            raise fail(
                tried="start the Incus daemon",
                where="this machine",
                came_back=f"{tail}\nno answer on its socket within {_ANSWERS_WITHIN:.0f} s",
                next_command=f"read {LOG} (or journalctl -u incus), then: make up",
            )
        running.now("wait for its answer")
        time.sleep(0.3)


def _daemons() -> list[int]:
    """Return the processes that are an Incus daemon; containers' monitors, forks of it, are none."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            argv = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        name = argv[0].decode(errors="replace")
        if name in INCUS_PROGRAMS and (len(argv) < 2 or argv[1] in (b"", b"--group", b"--logfile")):
            found.append(int(process.name))
    return found


def _ticks(pid: int) -> int:
    """Return when a process began, in ticks since boot; 0 when it is gone. Tells a reused number apart."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def _admin_group() -> str:
    names = {group.gr_name for group in grp.getgrall()}
    return next(name for name in _ADMIN_GROUPS if name in names)
