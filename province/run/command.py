"""Runs a program of a step: its output goes to the log, line by line, never to the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from province.run.failure import RunFailedError, fail
from province.run.progress import Progress

_TAIL_LINES = 40
_END_WITHIN = 20.0  # seconds that a program has to end after it was asked to


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: exit status (127: there is none of that name) and its last lines."""

    argv: tuple[str, ...]
    code: int
    tail: str


def run_program(
    argv: Sequence[str],
    progress: Progress,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """Run a program to its end; `environment` is added to ours. Standard input is empty.

    Whatever interrupts us (Ctrl-C, a failure of `on_line`) ends the program first.
    """
    progress.log("$ " + shlex.join(argv))
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell reads it
            list(argv),
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        return Ended(argv=tuple(argv), code=127, tail=f"there is no program {argv[0]}")
    try:
        if process.stdout is not None:
            for line in process.stdout:
                progress.log(line)
                tail.append(line.rstrip())
                if on_line is not None:
                    on_line(line.rstrip())
        code = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    return Ended(argv=tuple(argv), code=code, tail="\n".join(tail))


def must_run(
    argv: Sequence[str],
    progress: Progress,
    *,
    next_command: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """Run a program that has to succeed; a failure says what, where and what came back."""
    ended = run_program(argv, progress, cwd=cwd, environment=environment, on_line=on_line)
    if ended.code != 0:
        raise failed(ended, progress, next_command=next_command)
    return ended


def failed(ended: Ended, progress: Progress, *, next_command: str) -> RunFailedError:
    """Make a program's end into the failure of the running step."""
    return fail(
        tried=shlex.join(ended.argv),
        where=progress.where,
        came_back=f"{ended.tail}\nexit status {ended.code}",
        next_command=next_command,
    )
