"""One call of a long command from its first line to its exit status."""

from __future__ import annotations

import datetime
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from province.ledger import STATE_DIR_VARIABLE
from province.problems import ProblemsFoundError
from province.run import record
from province.run.failure import Failure, RunFailedError
from province.run.lock import end_processes, run_lock, survivors
from province.run.progress import Progress
from province.run.timings import Timings, words

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE_DIR_VARIABLE = "PROVINCE_CACHE_DIR"
DEFAULT_CACHE_DIR = Path("/var/cache/province")

Work = Callable[[Progress], int]


class _StoppedError(BaseException):
    """SIGTERM or SIGHUP came: end what was started, then go."""


def cache_dir() -> Path:
    """Return where what is costly to make is kept between environments: engine, images, timings."""
    return Path(os.environ.get(CACHE_DIR_VARIABLE) or DEFAULT_CACHE_DIR)


def timings() -> Timings:
    """Return the durations measured on this machine; they outlive the environments."""
    return Timings(cache_dir() / "timings.json")


def run_session(
    command: str, work: Work, *, state: Path | None = None, lock: bool = True, shared: bool = False
) -> int:
    """Run `work` with a screen, a log and (if `lock`) the environment's lock; return the exit status.

    `shared`: it only looks, beside others that only look (see `run_lock`).

    `command` is what a reader would type again (`make up`). `state` is the environment's state
    directory; None: neither log nor lock. No exception and no traceback leaves this function: what is
    not foreseen goes to the log, and the screen says where that is.
    """
    progress: Progress | None = None
    handlers = {number: signal.signal(number, _stopped) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with ExitStack() as stack:
            run = ""
            if state is not None and lock:
                run = stack.enter_context(run_lock(state / "lock", command, shared=shared))
            progress = Progress(timings(), None if state is None else _log_path(state, command))
            stack.callback(progress.close)
            began, status = time.time(), 1
            try:
                status = work(progress)
            except BaseException as error:
                status = _told(error, progress, command)
                if run:
                    end_processes(survivors(run))  # an engine or a playbook that heard nothing of it
            _keep_record(progress, command, began, status)
            return status
    except RunFailedError as error:  # the lock is somebody else's
        _tell(error.failure, None, command, sys.stderr.write)
        return 1
    except OSError as error:
        reason = Failure(
            tried=f"begin `{command}`",
            where=str(error.filename or state),
            came_back=error.strerror or str(error),
            next_command=f"run it as root, or set {STATE_DIR_VARIABLE} and {CACHE_DIR_VARIABLE}",
        )
        _tell(reason, None, command, sys.stderr.write)
        return 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _told(error: BaseException, progress: Progress, command: str) -> int:
    """Put an exception into words, and return the exit status that belongs to it."""
    progress.erase()
    write = sys.stderr.write
    if isinstance(error, RunFailedError):
        progress.log(str(error))
        _tell(error.failure, progress, command, write)
        return 1
    if isinstance(error, ProblemsFoundError):
        for problem in error.problems:
            progress.log(str(problem))
            write(f"{problem}\n")
        write(f"{len(error.problems)} to mend. Then: {command}\n")
        return 1
    if isinstance(error, KeyboardInterrupt | _StoppedError):
        write(f"Stopped while at: {progress.where}. `{command}` goes on from there.\n")
        return 130 if isinstance(error, KeyboardInterrupt) else 143
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    for line in "".join(traceback.format_exception(error)).splitlines():
        progress.log(line)
    reason = Failure(
        tried=command,
        where=progress.where,
        came_back=f"{type(error).__name__}: {error}",
        next_command=f"{command} (it heals what was left); if it comes back, report it with the log",
    )
    _tell(reason, progress, command, write)
    return 1


def _tell(failure: Failure, progress: Progress | None, command: str, write: Callable[[str], object]) -> None:
    after = f" after {words(time.monotonic() - progress.started)}" if progress else ""
    write(f"\n`{command}` failed{after}\n")
    for line in failure.lines():
        write(line + "\n")
    if progress is not None and progress.log_path is not None:
        write(f"  log:        {progress.log_path}\n")


def _keep_record(progress: Progress, command: str, began: float, status: int) -> None:
    """Keep what a run did beside its log; `make down` has taken the place of both away."""
    path = progress.log_path
    if path is None or not path.exists():
        return
    hosts, changes, tasks = record.of_playbook(progress.playbook)
    kept = record.Record(
        command=command,
        log=str(path),
        began=began,
        user=record.user(),
        revision=record.revision(REPOSITORY),
        seconds=round(time.time() - began, 1),
        status=status,
        where=progress.where if status else "",
        hosts=hosts,
        steps=record.steps_of(progress.told),
        changes=changes,
        tasks=tasks,
    )
    try:
        record.write(path.with_suffix(".json"), kept)
    except OSError as error:
        progress.log(f"the record of this run could not be kept: {error}")


def _log_path(state: Path, command: str) -> Path:
    stamp = datetime.datetime.now(datetime.UTC).strftime(record.STAMP)
    name = "-".join(word for word in command.split() if word.isalnum())
    return state / "logs" / f"{stamp}-{name}.log"


def _stopped(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _StoppedError
