"""Many checks of a host, written with testinfra's API, in a few round trips for all of them.

A check is a function of testinfra's host that raises when something is not so. Whatever it asks that nobody
has asked yet stops it there; the questions of all checks then go to the host at once
(tests/support/remote/answers.py), and each check begins again with what is known. So the number of round
trips is that of the questions that follow from one another in one check, and not that of checks.

A command is run once for all that ask it: checks see one picture of the host, and do nothing but ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import testinfra.backend.base
import testinfra.host

from tests.support.places import Place, Running, machine

WORKERS = 6  # hosts at the same time
Check = Callable[[testinfra.host.Host], object]


class _UnansweredError(BaseException):
    """Not an Exception: a check that catches those must not take it for an answer."""


class TogetherBackend(testinfra.backend.base.BaseBackend):  # type: ignore[misc]  # it has no types
    """Testinfra's way to a host, which knows answers and notes questions."""

    NAME = "together"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._encoding = "utf-8"
        self.known: dict[str, tuple[int, str, str]] = {}
        self.open: dict[str, None] = {}

    def run(self, command: str, *args: str, **_: Any) -> testinfra.backend.base.CommandResult:
        """What the command said, if it is known."""
        text = self.get_command(command, *args)
        try:
            rc, out, err = self.known[text]
        except KeyError:
            self.open[text] = None
            raise _UnansweredError from None
        return self.result(rc, text.encode(), out, err)


def together(place: Place, checks: Mapping[str, Check]) -> dict[str, str]:
    """Run checks of one place; those that fail, by name, with what they say."""
    backend = TogetherBackend(place.name)
    host = testinfra.host.Host(backend)
    failed: dict[str, str] = {}
    left, running = dict(checks), None
    while left:
        for name, check in list(left.items()):
            try:
                check(host)
            except _UnansweredError:
                continue
            except Exception as error:
                failed[name] = str(error) or type(error).__name__
            del left[name]
        if backend.open:
            questions = list(backend.open)
            running = _asked(place, running, questions)
            backend.known.update(zip(questions, map(tuple, running.line()), strict=True))
            backend.open.clear()
    if running is not None:
        running.finish()
    return {name: failed[name] for name in checks if name in failed}


def _asked(place: Place, running: Running | None, questions: list[str]) -> Running:
    if running is None:
        return place.start("answers", questions)
    running.say(questions)
    return running


def together_all(checks: Mapping[str, Mapping[str, Check]]) -> dict[str, dict[str, str]]:
    """The same for many hosts, by name, several at the same time."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        failed = pool.map(lambda host: together(machine(host), checks[host]), checks)
        return dict(zip(checks, failed, strict=True))
