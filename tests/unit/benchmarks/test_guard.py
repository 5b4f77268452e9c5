"""A ratio that has lost fails the guard, chance does not, and other machines are not judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks import guard as module
from tests.benchmarks import harness
from tests.benchmarks.guard import GUARDED, Guarded, guard, guarded
from tests.benchmarks.harness import Benchmark, Bound, Figure, Side

A, B = Figure(side="a", size=9), Figure(side="b", size=9)
FASTER = Bound(claim="b takes longer", figure=B, over=A, least=15)
LESS = Bound(claim="a takes less", figure=A, over=B, most=1)
PART = replace(LESS, figure=Figure(side="a", size=9, of="read"), over=Figure(side="b", size=9, of="read"))
OTHER = replace(LESS, over=Figure(side="b", size=8))
BENCHMARK = Benchmark(
    name="sample",
    title="",
    sides=tuple(
        Side(name=name, words="", prepare=lambda *_: None, run=lambda *_: None, content=lambda _: None)
        for name in "ab"
    ),
    sizes=(9,),
    tiny=1,
    bounds=(FASTER, LESS, PART, OTHER),
)


def rounds(a: float, b: float) -> list[dict[str, Any]]:
    return [{"side": side, "size": 9, "cpu": cpu, "seconds": 5.0} for side, cpu in (("a", a), ("b", b))]


@pytest.fixture
def guards(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    """The guard over a sample whose side `a` took 1 s, now so many one time after the other."""

    def run(*now: float, machine: Any = None) -> tuple[int, list[str]]:
        left = list(now)
        kept = {
            "benchmark": "sample",
            "machine": machine or harness.machine(),
            "rounds": rounds(1, 20),
        }
        monkeypatch.setattr(module, "GUARDED", {"sample": 9})
        monkeypatch.setattr(harness, "benchmarks", lambda *_: {"sample": BENCHMARK})
        monkeypatch.setattr(harness, "kept_runs", lambda: [kept])
        monkeypatch.setattr(harness, "run", lambda *_: rounds(left.pop(0), 20))
        said: list[str] = []
        return guard(said.append), said

    return run


def test_a_ratio_that_has_lost_each_time_fails(guards: Callable[..., tuple[int, list[str]]]) -> None:
    status, said = guards(1.2, 1.2, 1.2)
    assert status == 1
    assert said == [
        "sample: lost: b takes longer: 16.7× now, 20× kept (-20%)",
        "sample: lost: a takes less: 0.06× now, 0.05× kept (-20%)",
    ]


def test_a_ratio_that_lost_by_chance_is_measured_again_and_holds(
    guards: Callable[..., tuple[int, list[str]]],
) -> None:
    assert guards(2.0, 1.0, 1.0)[0] == 0
    assert guards(1.1)[0] == 0


def test_another_kind_of_machine_is_not_judged_and_said(
    guards: Callable[..., tuple[int, list[str]]],
) -> None:
    status, said = guards(machine={"cores": 1})
    assert status == 0
    assert said == ["sample: not judged, no rounds are kept of a machine such as this"]


def test_what_is_better_is_no_loss() -> None:
    assert Guarded(claim="", before=20, now=30, much_is_better=True).lost < 0
    assert Guarded(claim="", before=1, now=0.5, much_is_better=False).lost < 0


def test_ratios_of_one_size_are_guarded_by_the_processor_and_parts_are_not() -> None:
    assert [bound.claim for bound in guarded(BENCHMARK, 9)] == [FASTER.claim, LESS.claim]
    assert {bound.figure.of for bound in guarded(BENCHMARK, 9)} == {"cpu"}


@pytest.mark.parametrize("name", GUARDED)
def test_what_is_guarded_is_kept_and_has_a_ratio(name: str) -> None:
    benchmark = harness.benchmarks()[name]
    assert not benchmark.needs
    (kept,) = (made for made in harness.kept_runs() if made["benchmark"] == name)
    for bound in guarded(benchmark, GUARDED[name]):
        assert bound.seen(kept["rounds"]) > 0
    assert guarded(benchmark, GUARDED[name])
