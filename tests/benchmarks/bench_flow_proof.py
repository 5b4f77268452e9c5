"""Everybody asks everybody, on the living lab: the whole proof of flows, with its listeners and counters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side


def _run(_: object, meter: Meter) -> Any:
    from tests.flows.test_every_pair_of_zones import holes, prove, unanswered
    from tests.support.everybody import everybody

    with meter.whole():
        with meter.part("who is there"):
            stands = everybody()
        with meter.part("listeners, questions and counters"):
            proof = prove(stands)
        with meter.part("judgement"):
            wrong = [*holes(proof), *unanswered(proof)]
    asked = len(proof.answers)
    meter.parts["questions"] = float(asked)
    meter.parts["addresses"] = float(len(stands))
    meter.parts["a thousand questions"] = 1000 * meter.seconds / asked
    return wrong


def _content(wrong: Any) -> dict[str, Any]:
    """Nothing connects that should not, and nothing fails that should."""
    return {"wrong": [str(asked) for asked, _ in wrong]}


def _nothing(folder: Path, size: int) -> None:
    del folder, size


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="flow-proof",
        title="Every address asks every other on every port in use, both families, with a listener on each",
        sides=(
            Side(
                name="batch",
                words="one small program on each host and leg asks all questions of that place",
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
                claim="a thousand questions of the flow proof, listeners and counters included, the median",
                figure=Figure(side="batch", size=1, of="a thousand questions"),
                most=1.0,
            ),
        ),
    ),
)
