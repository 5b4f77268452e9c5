"""Benchmarks compare like with like: every side of each makes the same content. Nothing is timed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import harness
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side

BENCHMARKS = harness.benchmarks()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_all_sides_of_a_benchmark_make_the_same(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    benchmark.make(tmp_path, benchmark.tiny)
    contents = {}
    for side in benchmark.sides:
        contents[side.name] = side.content(side.run(side.prepare(tmp_path, benchmark.tiny), Meter()))
    first = contents[benchmark.sides[0].name]
    assert first
    for which, content in contents.items():
        assert content == first, which


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_bound_is_about_sides_and_sizes_that_are_run(name: str) -> None:
    benchmark: Benchmark = BENCHMARKS[name]
    assert benchmark.bounds
    for bound in benchmark.bounds:
        assert (bound.most is None) != (bound.least is None)
        for figure in filter(None, (bound.figure, bound.over)):
            assert figure.side in [side.name for side in benchmark.sides]
            assert figure.size in benchmark.sizes


def runs(*seconds: tuple[str, float]) -> list[dict[str, Any]]:
    return [
        {"side": side, "size": 10, "seconds": took, "mib": 8.0, "parts": {"read": took / 2}}
        for side, took in seconds
    ]


def test_a_bound_compares_medians_and_is_missed_beyond_it() -> None:
    made = runs(("a", 1.0), ("a", 2.0), ("a", 99.0), ("b", 1.0), ("b", 1.0), ("b", 0.1))
    a, b = Figure(side="a", size=10), Figure(side="b", size=10)
    bound = Bound(claim="a is fast", figure=a, over=b, most=3)
    assert bound.seen(made) == 2.0
    assert bound.kept(3.0)
    assert not bound.kept(3.01)
    assert not Bound(claim="b is 15 times faster", figure=a, over=b, least=15).kept(bound.seen(made))
    assert Bound(claim="a second", figure=a, most=1).seen(made) == 2.0
    assert Bound(claim="each", figure=Figure(side="a", size=10, each=True), most=1).seen(made) == 0.2
    assert Bound(claim="a part", figure=Figure(side="a", size=10, of="read"), most=1).seen(made) == 1.0
    assert Bound(claim="memory", figure=Figure(side="a", size=10, of="mib"), most=1).seen(made) == 8.0


def test_memory_is_that_of_the_work() -> None:
    meter = Meter()
    held = bytearray(40 << 20)
    with meter.whole():
        made = bytearray(b"x" * (24 << 20))
    assert held is not made
    # The literal and its copy.
    assert 24 << 10 <= meter.peak_kib - meter.before_kib < 80 << 10


def sample(*contents: str) -> Benchmark:
    """A benchmark without work, of one side for each content."""

    def made(content: str) -> Side:
        return Side(
            name=content,
            words=content,
            prepare=lambda *_: None,
            run=lambda *_: None,
            content=lambda _: content.lower(),
        )

    sides = tuple(made(content) for content in contents)
    return Benchmark(name="sample", title="", sides=sides, sizes=(1, 2), tiny=1, bounds=())


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "_in_a_process", harness.one_round)


@pytest.mark.usefixtures("in_this_process")
def test_sides_that_make_different_things_are_no_benchmark() -> None:
    with pytest.raises(RuntimeError, match="do not make the same content at size 1"):
        harness.run(sample("a", "b"), 1, lambda _: None)


@pytest.mark.usefixtures("in_this_process")
def test_sides_alternate_from_round_to_round() -> None:
    made = harness.run(sample("a", "A"), 2, lambda _: None)
    assert [(run["size"], run["round"], run["side"]) for run in made] == [
        (1, 1, "a"), (1, 1, "A"), (1, 2, "A"), (1, 2, "a"),
        (2, 1, "a"), (2, 1, "A"), (2, 2, "A"), (2, 2, "a"),
    ]  # fmt: skip


def test_the_page_is_that_of_the_rounds_kept() -> None:
    assert harness.PAGE.read_text(encoding="utf-8") == harness.page(harness.kept_runs())


def test_of_a_machine_only_its_kind_is_kept() -> None:
    assert set(harness.machine()) == {"cores", "memory_gib", "cpu", "python"}
