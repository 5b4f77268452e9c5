"""The Incus daemon of this machine: found, or started; stopped only when it was started here.

Where systemd runs it starts the daemon. Elsewhere it is started by hand; a machine that mounts cgroup
v1 controllers gets it in a mount namespace of its own with the unified hierarchy (looked for, not
assumed: under version 1 no container of Debian 13 boots).
"""

from __future__ import annotations

import grp
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

LOG = Path("/var/log/incus/incusd-by-hand.log")
# In the environment of a daemon that was started here: it cannot be lost as a file can, and whoever is
# killed right after the start leaves it as well.
MARK = "PROVINCE_INCUSD"
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
    silent = daemons()
    if silent:  # a run that was killed may have started it a moment ago
        _await_answer(running, silent[0])
        running.done("was starting")
        return
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
    for pid in daemons():
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile
            continue
        if f"{MARK}=started".encode() in variables:
            return Started(pid=pid, ticks=_ticks(pid))
    return None


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
    # It outlives this run: a session of its own, and not marked as part of the run.
    environment = {key: value for key, value in os.environ.items() if key != RUN_VARIABLE}
    environment[MARK] = "started"
    with LOG.open("ab") as log:
        subprocess.Popen(  # noqa: S603 - argv is ours
            argv,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _await_answer(running: Running, pid: int = 0) -> None:
    """Wait for a daemon that was started; `pid` is known of one that somebody else started."""
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while not answers():
        if time.monotonic() > deadline:
            tail = LOG.read_text(encoding="utf-8", errors="replace") if LOG.is_file() else ""
            raise fail(
                tried="ask the Incus daemon" if pid else "start the Incus daemon",
                where=f"process {pid}" if pid else "this machine",
                came_back=f"{tail}\nno answer on its socket within {_ANSWERS_WITHIN:.0f} s",
                next_command=f"read {LOG} (or journalctl -u incus), "
                + (f"end it (kill {pid}), then: make up" if pid else "then: make up"),
            )
        running.now("wait for its answer")
        time.sleep(0.3)


def daemons() -> list[int]:
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
