"""Wait for a condition instead of sleeping for a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotYetError(AssertionError):
    """The condition did not come true in time; the message says what was seen last."""


def eventually(fn: Callable[[], T], within: float, every: float = 0.5) -> T:
    """Return the first truthy value of `fn`, asked again every `every` seconds for `within` seconds.

    An AssertionError or OSError of `fn` counts as "not yet". When time is up, NotYetError says the last
    value or error seen, so that the reader need not run it again to learn what was wrong.
    """
    deadline = time.monotonic() + within
    while True:
        last: object
        try:
            value = fn()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if value:
                return value
            last = value
        if time.monotonic() + every > deadline:
            raise NotYetError(f"not within {within:g} s; last seen: {last!r}")
        time.sleep(every)
