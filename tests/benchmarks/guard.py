"""Whether a ratio has lost: a few benchmarks again, against the rounds kept of the same kind of machine.

What is compared are seconds of the processor and memory, which other work on the machine moves less than the
time on the clock; both sides run alternately, as always. A ratio that seems to have lost is measured again,
with the rounds before, and fails only when it has lost each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.benchmarks import harness
from tests.benchmarks.harness import Benchmark, Bound, Figure

# Quick ones, that need no machine: which, and at which size.
GUARDED = {"plan": 3321, "inventory": 1000}
MAY_LOSE = 0.15
ROUNDS = 3
TIMES = 3
Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A ratio: as it is kept, as it is now; and whether much is better."""

    claim: str
    before: float
    now: float
    much_is_better: bool

    @property
    def lost(self) -> float:
        """How much worse it is now: 0.15 is 15 %."""
        return (self.before / self.now if self.much_is_better else self.now / self.before) - 1

    def __str__(self) -> str:
        word = "lost" if self.lost > MAY_LOSE else "held"
        return f"{word}: {self.claim}: {self.now:.3g}× now, {self.before:.3g}× kept ({-self.lost:+.0%})"


def guarded(benchmark: Benchmark, size: int) -> tuple[Bound, ...]:
    """Ratios of a benchmark between its sides at one size; parts have no seconds of the processor."""
    return tuple(
        replace(bound, figure=_of_processor(bound.figure), over=_of_processor(bound.over))
        for bound in benchmark.bounds
        if bound.over is not None
        and {bound.figure.size, bound.over.size} == {size}
        and {bound.figure.of, bound.over.of} <= {"seconds", "mib"}
    )


def _of_processor(figure: Figure) -> Figure:
    return replace(figure, of="cpu") if figure.of == "seconds" else figure


def compared(bounds: Iterable[Bound], before: Runs, now: Runs) -> list[Guarded]:
    """Each ratio as it is kept, and as it is now."""
    return [
        Guarded(
            claim=bound.claim,
            before=bound.seen(before),
            now=bound.seen(now),
            much_is_better=bound.least is not None,
        )
        for bound in bounds
    ]


def guard(say: Callable[[str], object]) -> int:
    """1 when a ratio has lost, each time it was measured."""
    known, status = harness.benchmarks(), 0
    kept = {made["benchmark"]: made for made in harness.kept_runs()}
    for name, size in GUARDED.items():
        if kept[name]["machine"] != harness.machine():
            say(f"{name}: not judged, no rounds are kept of a machine such as this")
            continue
        status |= _judged(replace(known[name], sizes=(size,)), kept[name]["rounds"], say)
    return status


def _judged(benchmark: Benchmark, before: Runs, say: Callable[[str], object]) -> int:
    bounds = guarded(benchmark, benchmark.sizes[0])
    assert bounds, benchmark.name
    now: list[Mapping[str, Any]] = []
    found: list[Guarded] = []
    for _ in range(TIMES):
        now += harness.run(benchmark, ROUNDS, lambda _: None)
        found = compared(bounds, before, now)
        if all(one.lost <= MAY_LOSE for one in found):
            break
    for one in found:
        say(f"{benchmark.name}: {one}")
    return int(any(one.lost > MAY_LOSE for one in found))
