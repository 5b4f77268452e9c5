"""The fall and return of the hub that a unit takes, again and again, on the living lab.

The time of a round is not what the work took but the longest time that any probe went without an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side


def _run(_: object, meter: Meter) -> Any:
    from tests.support.hubs import ways

    with meter.whole():
        seen = ways()["government"].fall()
    meter.seconds = max(gap.seconds for gap in seen.off)
    meter.cpu = 0.0
    meter.parts["return"] = max(gap.seconds for gap in seen.back)
    meter.parts["questions lost at the return"] = float(max(gap.lost for gap in seen.back))
    meter.parts["longest page"] = max(page["longest"] for page in seen.pages)
    return seen


def _content(seen: Any) -> dict[str, Any]:
    """No connection broke."""
    return {"broken": [page["error"] for page in seen.pages if page["error"]]}


def _nothing(folder: Path, size: int) -> None:
    del folder, size


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="hub-failover",
        title="A unit's hub loses its power and returns, under 100 Hz probes and running transfers",
        sides=(
            Side(
                name="pair",
                words="two tunnels, BGP with BFD of 250 ms × 3; the longest time without an answer, in both "
                "families, from the unit's gateway",
                prepare=_nothing,
                run=_run,
                content=_content,
            ),
        ),
        sizes=(1,),
        tiny=1,
        needs="lab",
        bounds=(
            Bound(
                claim="a hub without power costs a unit so long, the median of rounds",
                figure=Figure(side="pair", size=1),
                most=1.0,
            ),
            Bound(
                claim="its return costs a unit so long, the median of rounds",
                figure=Figure(side="pair", size=1, of="return"),
                most=0.2,
            ),
        ),
    ),
)
