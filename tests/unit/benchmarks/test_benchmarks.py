"""Benchmarks compare like with like: every side of each makes the same content. Nothing is timed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest

from province.render.configurations import Renderer
from tests.benchmarks import harness
from tests.benchmarks.__main__ import main
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side

BENCHMARKS = harness.benchmarks()
# Those that need a machine are run small by tests/components (an image) and tests/survival (a lab).
ANYWHERE = [name for name, benchmark in BENCHMARKS.items() if not benchmark.needs]


@pytest.mark.parametrize("name", ANYWHERE)
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
    assert benchmark.needs in ("", "image", "lab")
    for bound in benchmark.bounds:
        assert (bound.most is None) != (bound.least is None)
        for figure in filter(None, (bound.figure, bound.over)):
            assert figure.side in [side.name for side in benchmark.sides]
            assert figure.size in benchmark.sizes


def test_a_benchmark_that_takes_the_lab_away_is_run_by_name_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = replace(BENCHMARKS["plan"], name="one", bounds=())
    known = {"one": one, "away": replace(one, name="away", by_name=True)}
    ran: list[str] = []
    monkeypatch.setattr(harness, "benchmarks", lambda: known)

    def run(benchmark: Benchmark, *_: object) -> list[Any]:
        ran.append(benchmark.name)
        return []

    monkeypatch.setattr(harness, "run", run)
    for given in ([], ["away"]):
        monkeypatch.setattr("sys.argv", ["bench", *given, "--rounds", "1"])
        assert main() == 0, capsys.readouterr()
    assert ran == ["one", "away"]
    assert [name for name, benchmark in BENCHMARKS.items() if benchmark.by_name] == ["cold"]


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


def test_what_happens_seldom_is_counted_in_all_rounds_together() -> None:
    made = runs(("a", 0.0), ("a", 0.0), ("a", 4.0))
    bound = Bound(claim="none", figure=Figure(side="a", size=10, of="read", total=True), most=0, unit="")
    assert bound.seen(made) == 2.0
    assert not bound.kept(2.0)
    assert bound.wanted() == "≤ 0"
    told = {
        "benchmark": "alarms",
        "title": "",
        "date": "",
        "machine": harness.machine(),
        "packages": {},
        "sums": ["read"],
        "sides": {"a": ""},
        "bounds": [{"claim": "none", "wanted": "≤ 0", "seen": 2.0, "kept": False}],
        "rounds": made,
    }
    page = harness.page([told])
    assert "| none | ≤ 0 | 2 | **missed** |" in page
    assert "| read 2 |" in page


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


# What is promised of speed and memory: benchmark, figure, ratio or not, bound. No more may be allowed.
PROMISED = [
    ("plan", "seconds", False, "≤ 1 s"),
    ("plan", "seconds", True, "≤ 3×"),
    ("plan", "check and plan", True, "≤ 3×"),
    ("subnets", "seconds", False, "≤ 10 s"),
    ("inventory", "load", True, "≤ 1.5×"),
    ("inventory", "seconds", True, "≤ 1.5×"),
    ("inventory-yaml", "load", True, "≥ 15×"),
    ("inventory-yaml", "seconds", True, "≥ 15×"),
    ("inventory-yaml", "mib", True, "≤ 0.2×"),
    ("render", "seconds", True, "≤ 2×"),
    ("render-folder", "seconds", True, "≤ 2×"),
    ("checks", "seconds", True, "≥ 50×"),
    ("checks", "seconds", True, "≥ 0.5×"),
    ("checks-all", "seconds", True, "≥ 0.5×"),
]


@pytest.mark.parametrize("promise", PROMISED)
def test_what_is_promised_is_what_is_judged(promise: tuple[str, str, bool, str]) -> None:
    name, of, ratio, wanted = promise
    judged = [(b.figure.of, b.over is not None, b.wanted()) for b in BENCHMARKS[name].bounds]
    assert (of, ratio, wanted) in judged


def test_no_bound_is_wider_than_what_is_promised() -> None:
    for benchmark in BENCHMARKS.values():
        for bound in benchmark.bounds:
            if bound.over is None:
                assert bound.most is not None
                assert bound.most <= 10
            else:
                assert (bound.most or 0) <= 3
                assert bound.least is None or bound.least >= 15 or benchmark.needs


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_this_process: None) -> Callable[..., int]:
    """The command on other benchmarks, with a page and rounds of its own; its status."""
    del in_this_process
    monkeypatch.setattr(harness, "ROUNDS", tmp_path / "rounds")
    monkeypatch.setattr(harness, "PAGE", tmp_path / "page.md")

    def run(*given: Benchmark, rounds: int = 5) -> int:
        monkeypatch.setattr(harness, "benchmarks", lambda *_: {b.name: b for b in given})
        monkeypatch.setattr("sys.argv", ["bench", "--rounds", str(rounds)])
        return main()

    return run


def judged(name: str, *, kept: bool, contents: tuple[str, ...] = ("a", "A")) -> Benchmark:
    """A benchmark of no work, with a bound that is kept or missed."""
    most, least = (1.0, None) if kept else (None, 1.0)
    bound = Bound(claim=f"{name} is judged", figure=Figure(side="a", size=1), most=most, least=least)
    return replace(sample(*contents), name=name, bounds=(bound,))


def test_a_missed_bound_is_the_status_of_the_command_whatever_follows(
    bench: Callable[..., int], tmp_path: Path
) -> None:
    assert bench(judged("fine", kept=True)) == 0
    assert bench(judged("slow", kept=False), judged("fine", kept=True)) == 1
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| slow is judged | ≥ 1 s | 0 s | **missed** |" in page
    assert "| fine is judged | ≤ 1 s | 0 s | kept |" in page


def test_a_benchmark_that_compares_different_things_fails_and_is_not_kept(
    bench: Callable[..., int], tmp_path: Path
) -> None:
    assert bench(judged("unlike", kept=True, contents=("a", "b")), judged("fine", kept=True)) == 1
    assert [path.name for path in (tmp_path / "rounds").iterdir()] == ["fine.json"]


def test_fewer_than_five_rounds_are_shown_and_not_kept(
    bench: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(judged("slow", kept=False), rounds=4) == 1
    assert "MISSED: slow is judged" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_round_that_fails_is_no_round() -> None:
    unknown = replace(sample("a"), name="no-such-benchmark", file="bench_plan")
    with pytest.raises(RuntimeError, match="no-such-benchmark a 1: "):
        harness.run(replace(unknown, sizes=(1,)), 1, lambda _: None)


def test_rendering_is_measured_while_it_is_done_and_jinja2_compiles_each_template_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A yardstick that does needless work would be a short one, and work beside the clock none."""
    running: list[bool] = []
    compiled: list[str] = []
    outside: list[str] = []

    class Watched(Meter):
        @contextmanager
        def whole(self) -> Iterator[None]:
            """The work."""
            with super().whole():
                running.append(True)
                yield
                running.pop()

    def watch(patch: pytest.MonkeyPatch, where: Any, name: str) -> None:
        honest = getattr(where, name)

        def call(*given: Any, **named: Any) -> Any:
            if not running:
                outside.append(name)
            return honest(*given, **named)

        patch.setattr(where, name, call)

    honest_load = jinja2.BaseLoader.load

    def load(loader: jinja2.BaseLoader, environment: jinja2.Environment, name: str, *rest: Any) -> Any:
        compiled.append(name)
        return honest_load(loader, environment, name, *rest)

    benchmark = BENCHMARKS["render"]
    benchmark.make(tmp_path, benchmark.tiny)
    for side in benchmark.sides:
        prepared = side.prepare(tmp_path, benchmark.tiny)
        with monkeypatch.context() as patch:
            watch(patch, Renderer, "render")
            watch(patch, jinja2.Template, "render")
            patch.setattr(jinja2.FileSystemLoader, "load", load)
            made = side.run(prepared, Watched())
        assert made
        assert outside == [], side.name
        if side.name == "jinja2":
            assert len(compiled) == len(set(compiled)) > 10
