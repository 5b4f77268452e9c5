"""Runs a program of a step: its output goes to the log, line by line, never to the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import termios
import tty
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from province.run.failure import RunFailedError, fail
from province.run.progress import Progress

_TAIL_LINES = 400
_END_WITHIN = 20.0  # seconds that a program has to end after it was asked to
_COLUMNS = 240  # of the terminal that a program is given
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


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
    terminal: bool = False,
    logged: bool = True,
) -> Ended:
    """Run a program to its end; `environment` is added to ours. Standard input is empty.

    `logged` False: it writes to our log itself, so that its output is kept for a failure only.
    `terminal` gives it a terminal to write to, for programs that show there what they are at:
    `on_line` then gets the lines that they rewrite as well. Whatever interrupts us (Ctrl-C, a failure
    of `on_line`) ends the program first.
    """
    progress.log("$ " + shlex.join(argv))
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    ours, theirs = _terminal() if terminal else os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell reads it
            list(argv),
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
    except FileNotFoundError:
        os.close(ours)
        os.close(theirs)
        return Ended(argv=tuple(argv), code=127, tail=f"there is no program {argv[0]}")
    os.close(theirs)
    try:
        for line, stays in _lines(ours, live=terminal):
            if stays:
                if logged:
                    progress.log(line)
                tail.append(line)
            if on_line is not None and line.strip():
                on_line(line)
        code = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    finally:
        os.close(ours)
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


def _terminal() -> tuple[int, int]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # a line ends as the program ends it
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
    return ours, theirs


def _lines(descriptor: int, *, live: bool) -> Iterator[tuple[str, bool]]:
    """Yield what is written, without control sequences, and whether it stays or will be rewritten.

    `live`: also what has no end yet (a line that is being rewritten has none).
    """
    rest = b""
    while block := _read(descriptor):
        *done, rest = re.split(rb"(?<=[\r\n])", rest + block)
        for piece in done:
            if piece.endswith(b"\n") or piece.strip(b"\r"):
                yield _text(piece), piece.endswith(b"\n")
        if live and (text := _text(rest)):
            yield text, False
    if text := _text(rest):
        yield text, True


def _text(piece: bytes) -> str:
    return _CONTROL.sub("", piece.decode(errors="replace")).strip("\r\n")


def _read(descriptor: int) -> bytes:
    with suppress(OSError):  # a terminal whose other side is closed answers with an error, not with an end
        return os.read(descriptor, 65536)
    return b""
