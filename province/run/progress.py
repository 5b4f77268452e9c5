"""Steps of a long command on one screen: what runs, on what, for how long, about what is left.

On a terminal the running step is one line that is rewritten; elsewhere (a file, CI) there are plain
lines: one when a step ends, one at the start of a step that will take long. Everything said goes to
the run's log as well, with what the steps' commands print.
"""

from __future__ import annotations

import datetime
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from province.run.timings import Timings, words

_TITLE_WIDTH = 26
_WORTH_ANNOUNCING = 20.0  # seconds; steps expected to take longer say so at their start, off a terminal
_LOGS_KEPT = 300


@dataclass(frozen=True, slots=True)
class Step:
    """`key` finds the expected duration (see `timings`); `title` is what the screen says."""

    key: str
    title: str


class Running:
    """The step that runs, in the hands of who does it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.result = ""

    def now(self, text: str) -> None:
        """Say what is being worked on: `network, host edge-1`. Seen on terminals, kept for a failure."""
        self._progress.set_detail(text)

    def done(self, text: str) -> None:
        """Say in a few words how it ended: `built 3f2a9c`, `nothing changed`."""
        self.result = text


class Progress:
    """The screen and the log of one run."""

    def __init__(self, timings: Timings, log: Path | None, out: TextIO | None = None) -> None:
        """`log` None keeps no log (a command that does next to nothing)."""
        self._timings = timings
        self._out = sys.stdout if out is None else out
        self.terminal = self._out.isatty()
        self._steps: list[Step] = []
        self._number = 0
        self._current: Step | None = None
        self._detail = ""
        self._step_started = 0.0
        self._drawn = False
        self._mutex = threading.Lock()
        self.started = time.monotonic()
        self.durations: list[tuple[str, float]] = []
        self.told: list[tuple[str, float, str]] = []
        self.playbook: dict[str, Any] = {}  # the recap of the playbook that ran, kept with the run's record
        self.log_path = log
        self._log: TextIO | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._log = log.open("a", encoding="utf-8", errors="replace")
            _keep_newest(log.parent)

    def expect(self, steps: Sequence[Step]) -> None:
        """Say which steps are still to come; asked again, it replaces what was not yet begun."""
        self._steps = self._steps[: self._number] + list(steps)

    @property
    def where(self) -> str:
        """The running step and what it is at: for the text of a failure."""
        if self._current is None:
            return "before the first step"
        return f"{self._current.title} ({self._detail})" if self._detail else self._current.title

    def log(self, line: str) -> None:
        """Add a line to the log only."""
        if self._log is not None:
            stamp = datetime.datetime.now().astimezone().strftime("%H:%M:%S")
            self._log.write(f"{stamp} {line.rstrip()}\n")
            self._log.flush()

    def say(self, text: str = "") -> None:
        """Print lines that stay."""
        with self._mutex:
            self._erase()
            for line in text.splitlines() or [""]:
                self._out.write(line + "\n")
                self.log(line)
            self._out.flush()

    def set_detail(self, text: str) -> None:
        """Say what the running step is at."""
        with self._mutex:
            self._detail = text
            self._draw()

    @contextmanager
    def step(self, key: str, title: str = "") -> Iterator[Running]:
        """Run a step; it takes its title from what was expected, its duration is kept when it succeeds."""
        step = self._begin(key, title)
        running = Running(self)
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(stop,), daemon=True)
        if self.terminal:
            ticker.start()
        began = time.monotonic()
        try:
            yield running
        finally:
            stop.set()
            if ticker.is_alive():
                ticker.join()
        took = time.monotonic() - began
        self._timings.record(step.key, took)
        self.durations.append((step.title, took))
        self.told.append((step.title, took, running.result))
        self.say(self._line(step, f"{words(took):>6}", running.result, self._left_text()))
        self._current = None
        self._detail = ""

    def erase(self) -> None:
        """Take away the line of a step that ended early, before a failure is told."""
        with self._mutex:
            self._erase()

    def close(self) -> None:
        """End the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _begin(self, key: str, title: str) -> Step:
        coming = self._steps[self._number :]
        place = next((n for n, step in enumerate(coming) if step.key == key), None)
        if place is None:
            step = Step(key, title or key)
            self._steps.insert(self._number, step)
        else:
            step = coming[place]
            del self._steps[self._number : self._number + place]  # expected, and found needless
        self._number += 1
        self._current, self._detail = step, ""
        self._step_started = time.monotonic()
        self.log(f"--- {step.title}")
        expected = self._timings.expected(step.key)
        if not self.terminal and expected >= _WORTH_ANNOUNCING:
            self.say(self._line(step, "", f"begun, about {words(expected)}", ""))
        with self._mutex:
            self._draw()
        return step

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(1.0):
            with self._mutex:
                self._draw()

    def _draw(self) -> None:
        if not self.terminal or self._current is None:
            return
        took = time.monotonic() - self._step_started
        left = max(0.0, self._timings.expected(self._current.key) - took) + self._left()
        line = self._line(self._current, f"{words(took):>6}", self._detail, f"about {words(left)} left")
        width = shutil.get_terminal_size().columns - 1
        self._out.write(f"\r\x1b[K{line[:width]}")
        self._out.flush()
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._drawn = False

    def _left(self) -> float:
        return self._timings.left(step.key for step in self._steps[self._number :])

    def _left_text(self) -> str:
        left = self._left()
        return f"about {words(left)} left" if left >= _WORTH_ANNOUNCING else ""

    def _line(self, step: Step, took: str, result: str, left: str) -> str:
        count = f"{self._number:>2}/{len(self._steps)}"
        parts = [part for part in (took.strip(), result, left) if part]
        return f"{count} {step.title:<{_TITLE_WIDTH}} {', '.join(parts)}".rstrip()


def _keep_newest(directory: Path) -> None:
    for old in sorted(directory.glob("*.log"))[:-_LOGS_KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".json").unlink(missing_ok=True)
