"""A failure as its reader needs it: what was tried, where, what came back, and the next command."""

from __future__ import annotations

from dataclasses import dataclass, field

_SHOWN_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the screen says when a run ends early. `came_back` may be many lines: its last are shown."""

    tried: str
    where: str
    came_back: str
    next_command: str
    notes: tuple[str, ...] = field(default=())

    def lines(self) -> list[str]:
        """The failure as lines for a terminal, without colour."""
        came_back = [line for line in self.came_back.rstrip().splitlines() if line.strip()] or ["(nothing)"]
        shown = came_back[-_SHOWN_LINES:]
        if len(came_back) > _SHOWN_LINES:
            shown = [f"… {len(came_back) - _SHOWN_LINES} lines more in the log", *shown]
        block = [f"  tried:      {self.tried}", f"  where:      {self.where}"]
        block += [f"  {'came back:' if number == 0 else '':11} {line}" for number, line in enumerate(shown)]
        block += [f"  {'note:':11} {note}" for note in self.notes]
        block.append(f"  next:       {self.next_command}")
        return block


class RunFailedError(Exception):
    """Ends a run; the command prints the failure and exits with status 1."""

    def __init__(self, failure: Failure) -> None:
        super().__init__("\n".join(failure.lines()))
        self.failure = failure


def fail(
    *, tried: str, where: str, came_back: str, next_command: str, notes: tuple[str, ...] = ()
) -> RunFailedError:
    """Build the exception in one call, to be raised by the caller."""
    return RunFailedError(
        Failure(tried=tried, where=where, came_back=came_back, next_command=next_command, notes=notes)
    )
