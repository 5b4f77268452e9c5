"""The fall of a border router, again and again, on the living lab.

A round takes the power from the member that carries the addresses; its time is not what the work took but the
longest time that any probe went without an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side


def _run(_: object, meter: Meter) -> Any:
    from tests.support.edges import fall

    with meter.whole():
        seen = fall()
    meter.seconds = max(gap.seconds for gap in seen.gaps)
    meter.cpu = 0.0
    meter.parts["longest page"] = max(page["longest"] for page in seen.pages)
    meter.parts["questions lost"] = float(max(gap.lost for gap in seen.gaps))
    return seen


def _content(seen: Any) -> dict[str, Any]:
    """No connection broke, whoever fell."""
    return {"broken": [page["error"] for page in seen.pages if page["error"]]}


def _nothing(folder: Path, size: int) -> None:
    del folder, size


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="edge-failover",
        title="A border router loses its power, under 100 Hz probes and running transfers",
        sides=(
            Side(
                name="pair",
                words="VRRP version 3, ten signs of life a second; the longest time without an answer, in "
                "both families, from a hub and from the DMZ",
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
                claim="a border router without power costs so long, the median of rounds",
                figure=Figure(side="pair", size=1),
                most=0.5,
            ),
        ),
    ),
)
