"""Readers of `chronyc -c tracking` and `chronyc -c sources`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """How this clock stands. Offsets in seconds; stratum 0 or leap "Not synchronised": no time yet."""

    reference: str
    stratum: int
    offset: float
    leap: str

    @property
    def synchronised(self) -> bool:
        """Whether the clock follows something, be it only its own (orphan)."""
        return self.leap != "Not synchronised" and 0 < self.stratum < 16

    @property
    def alone(self) -> bool:
        """Whether the clock follows nothing but itself (orphan)."""
        return self.synchronised and not self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of time; `selected` when the clock follows it, `reach` the eight last polls as bits."""

    name: str
    selected: bool
    stratum: int
    reach: int


def tracking(text: str) -> Tracking:
    """From `chronyc -c tracking`: one line of comma-separated fields."""
    fields = text.strip().split(",")
    return Tracking(reference=fields[1], stratum=int(fields[2]), offset=float(fields[4]), leap=fields[-1])


def sources(text: str) -> tuple[Source, ...]:
    """From `chronyc -n -c sources`: mode, state, name, stratum, poll and reach (octal)."""
    lines = (line.split(",") for line in text.splitlines() if line.strip())
    return tuple(
        Source(name=fields[2], selected=fields[1] == "*", stratum=int(fields[3]), reach=int(fields[5], 8))
        for fields in lines
    )
