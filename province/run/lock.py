"""One run at a time for an environment, and no left-over of a run that was killed.

The lock is the kernel's (flock): it goes with its holder, however that ends. The file's text only says
who holds it. Every process that a run starts carries the run's id in its environment; the next run
ends what is left of one that was killed (an engine, an ansible-playbook) before it begins.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from province.run.failure import fail
from province.run.timings import words

RUN_VARIABLE = "PROVINCE_RUN"
# When the run began, in nanoseconds: hosts refuse what is left of one that began earlier than another.
BEGAN_VARIABLE = "PROVINCE_BEGAN"
_GRACE = 10.0  # seconds between TERM and KILL for what a killed run left


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock: process id, what was called, since when (seconds since the epoch), the run's id.

    `left`: ids of killed runs whose processes nobody has ended yet, since all who came after only looked.
    """

    pid: int
    command: str
    since: float
    run: str
    left: tuple[str, ...] = ()


@contextmanager
def run_lock(path: Path, command: str, *, shared: bool = False) -> Iterator[str]:
    """Hold the lock while the block runs; yields the id of the run.

    `shared` is for who only looks: several may hold it at the same time, and nobody who changes something.

    Somebody else holding it is a failure at once, which names the holder. Removing the file inside the
    block is allowed (`make down` removes the whole directory).
    """
    descriptor = _acquire(path, command, shared=shared)
    run = uuid.uuid4().hex
    began = time.time_ns()
    before = {name: os.environ.get(name) for name in (RUN_VARIABLE, BEGAN_VARIABLE)}
    try:
        earlier = _read_holder(descriptor)
        unended = (earlier.run, *earlier.left) if earlier is not None else ()
        # Who looks leaves alone what may be somebody's who looks as well: the next that changes ends it.
        if not shared:
            end_processes([pid for one in unended for pid in survivors(one)])
        if not shared or earlier is None or not _alive(earlier.pid):
            left = unended if shared else ()
            own = Holder(pid=os.getpid(), command=command, since=began / 1e9, run=run, left=left)
            _write_holder(descriptor, own)
        os.environ |= {RUN_VARIABLE: run, BEGAN_VARIABLE: str(began)}
        yield run
        now = _read_holder(descriptor)
        if now is None or now.run == run:
            # It ended as it should: nothing of it is left to be ended.
            os.ftruncate(descriptor, 0)
            if now is not None and now.left and earlier is not None:
                _write_holder(descriptor, earlier)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.close(descriptor)


def survivors(run: str) -> list[int]:
    """Return the processes, ours excepted, that carry the run's id in their environment."""
    mark = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile, or somebody else's
            continue
        if mark in variables:
            found.append(int(process.name))
    return found


def end_processes(pids: list[int], grace: float = _GRACE) -> None:
    """Ask the processes to end, and make those end that do not within `grace` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + grace
        while (pids := [pid for pid in pids if _alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"  # a zombie has ended; whoever started it has not looked yet


def _acquire(path: Path, command: str, *, shared: bool) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(5):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise _held(path, command, holder) from None
        try:
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        # A `make down` removed the file between our opening and our locking it: lock the new one.
        os.close(descriptor)
    raise _held(path, command, None)


def _held(path: Path, command: str, holder: Holder | None) -> Exception:
    if holder is None or not _alive(holder.pid):
        who = "another process, which has not yet said who it is"
    else:
        age = words(max(0.0, time.time() - holder.since))
        who = f"process {holder.pid}, `{holder.command}`, for {age}"
    return fail(
        tried=f"take the lock for `{command}`",
        where=str(path),
        came_back=f"held by {who}",
        next_command=f"wait for it to end, then: {command}",
    )


def _read_holder(descriptor: int) -> Holder | None:
    text = os.pread(descriptor, 4096, 0)
    try:
        content = json.loads(text)
        return Holder(
            pid=int(content["pid"]),
            command=str(content["command"]),
            since=float(content["since"]),
            run=str(content["run"]),
            left=tuple(map(str, content.get("left", ()))),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _write_holder(descriptor: int, holder: Holder) -> None:
    text = json.dumps(asdict(holder)).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)
