"""Benchmarks: what they are, how their rounds are run and judged, and the page that tells of them.

A benchmark compares sides that make the same content. Its rounds alternate: every round runs each side
once, forwards and backwards in turn, each in a fresh process, so that a machine that slows down slows
both. Time is measured inside the process, around the work alone; memory is the peak of the resident set
(VmHWM, set back before the work begins) with what the process held before taken off. Judged are medians.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT

FOLDER = ROOT / "tests/benchmarks"
ROUNDS = FOLDER / "rounds"
PAGE = ROOT / "docs/reference/benchmarks.md"
LEAST_ROUNDS = 5  # fewer are shown and not kept
LONGEST_ROUND = 1200  # seconds


class Meter:
    """Measures the work of a side: all that runs inside `whole`, and named parts of it inside `part`."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0
        self.parts: dict[str, float] = {}
        self.before_kib = self.peak_kib = 0

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """The work; once for a round."""
        gc.collect()
        with contextlib.suppress(OSError), Path("/proc/self/clear_refs").open("w") as file:
            file.write("5")  # sets the peak back to what is held now
        self.before_kib = _peak_kib()
        start, worked = time.perf_counter(), time.process_time()
        yield
        self.seconds, self.cpu = time.perf_counter() - start, time.process_time() - worked
        self.peak_kib = _peak_kib()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part of the work; times of the same name are added."""
        start = time.perf_counter()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - start


def _peak_kib() -> int:
    """The peak of this program's own memory; `ru_maxrss` would also tell of who started it."""
    found = re.search(
        r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE
    )
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way to do the work.

    `prepare(folder, size)` gets ready what the claim leaves out (imports, input that is given) and is not
    measured. `run(prepared, meter)` does the work inside `meter.whole()` and gives what it made.
    `content(made)` is that as plain data, the same for all sides; it is not measured either.
    """

    name: str
    words: str
    prepare: Callable[[Path, int], Any]
    run: Callable[[Any, Meter], Any]
    content: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A median of a side at a size; `of` seconds, cpu (seconds), mib (peak) or a part by its name."""

    side: str
    size: int
    of: str = "seconds"
    each: bool = False  # divided by the size
    total: bool = False  # how often something happened in all rounds together, in place of the median


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A claim: a figure, or its ratio to another, is at most or at least so much."""

    claim: str
    figure: Figure
    over: Figure | None = None
    most: float | None = None
    least: float | None = None
    unit: str | None = None  # of a figure that is neither time in seconds nor memory nor a ratio

    def wanted(self) -> str:
        """The bound as the page says it."""
        unit = self.unit
        if unit is None:
            unit = "×" if self.over else " MiB" if self.figure.of == "mib" else " s"
        return f"≤ {self.most:g}{unit}" if self.most is not None else f"≥ {self.least:g}{unit}"

    def seen(self, runs: Sequence[Mapping[str, Any]]) -> float:
        """What the rounds say."""
        value = median(runs, self.figure)
        return value / median(runs, self.over) if self.over else value

    def kept(self, seen: float) -> bool:
        """Whether the bound holds."""
        return (self.most is None or seen <= self.most) and (self.least is None or seen >= self.least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A claim about speed or memory, with the sides that are compared.

    `make(folder, size)` writes what all sides read, once for a run. `tiny` is the size at which the unit
    tests run every side. `packages` are those whose versions matter. `needs` is what must be there beside
    the Python environment: `image` (root and a cached host image) or `lab` (a complete lab, whose name is in
    PROVINCE_ENVIRONMENT, else `lab`); empty for most. `sums` are parts that count what happens seldom: the
    page tells their sum. With `by_name` it is run only when it is named: it takes away what is there.
    """

    name: str
    title: str
    sides: tuple[Side, ...]
    sizes: tuple[int, ...]
    tiny: int
    bounds: tuple[Bound, ...]
    make: Callable[[Path, int], None] = field(default=lambda *_: None)
    packages: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    needs: str = ""
    by_name: bool = False
    file: str = ""  # where it was found


def benchmarks(file: str = "bench_*") -> dict[str, Benchmark]:
    """All of them, by name: `BENCHMARKS` of each bench_*.py, or of one of these files."""
    found: dict[str, Benchmark] = {}
    for path in sorted(FOLDER.glob(f"{file}.py")):
        for benchmark in importlib.import_module(f"tests.benchmarks.{path.stem}").BENCHMARKS:
            found[benchmark.name] = replace(benchmark, file=path.stem)
    return found


def lack(needs: str) -> str:
    """What a benchmark needs and is not there, in words; nothing where all is there."""
    if needs and os.geteuid() != 0:
        return "root"
    if needs == "image":
        from province.lab.image import cached_image

        return "" if cached_image() else "a host image: make up"
    if needs == "lab":
        from province.lab.up import complete
        from tests.support import environment

        return "" if complete(environment.name()) else f"a complete {environment.name()}: make up"
    return ""


def median(runs: Iterable[Mapping[str, Any]], figure: Figure) -> float:
    """The median of a figure over rounds, or its sum."""
    values: list[float] = [
        run[figure.of] if figure.of in ("seconds", "cpu", "mib") else run["parts"][figure.of]
        for run in runs
        if run["side"] == figure.side and run["size"] == figure.size
    ]
    return (sum if figure.total else statistics.median)(values) / (figure.size if figure.each else 1)


def one_round(benchmark: Benchmark, side: Side, size: int, folder: Path) -> dict[str, Any]:
    """Run a side once, in this process."""
    prepared = side.prepare(folder, size)
    meter = Meter()
    made = side.run(prepared, meter)
    text = json.dumps(side.content(made), ensure_ascii=False, sort_keys=True, default=str)
    return {
        "benchmark": benchmark.name,
        "side": side.name,
        "size": size,
        "seconds": round(meter.seconds, 6),
        "cpu": round(meter.cpu, 6),
        "parts": {name: round(seconds, 6) for name, seconds in meter.parts.items()},
        "mib": round((meter.peak_kib - meter.before_kib) / 1024, 3),
        "before_mib": round(meter.before_kib / 1024, 3),
        "content": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def run(benchmark: Benchmark, rounds: int, say: Callable[[str], object]) -> list[dict[str, Any]]:
    """All rounds of a benchmark, each in a fresh process; raises RuntimeError when one fails."""
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="province-bench-") as root:
        for size in benchmark.sizes:
            folder = Path(root) / str(size)
            folder.mkdir()
            benchmark.make(folder, size)
            for number in range(1, rounds + 1):
                sides = benchmark.sides if number % 2 else benchmark.sides[::-1]
                for side in sides:
                    made = _in_a_process(benchmark, side, size, folder)
                    runs.append({"round": number, **made})
                    say(
                        f"  {benchmark.name} {size} round {number} {side.name}: "
                        f"{made['seconds']:.3f} s, {made['mib']:.1f} MiB"
                    )
            contents = {made["content"] for made in runs if made["size"] == size}
            if len(contents) != 1:
                raise RuntimeError(f"{benchmark.name}: the sides do not make the same content at size {size}")
    return runs


def _in_a_process(benchmark: Benchmark, side: Side, size: int, folder: Path) -> dict[str, Any]:
    # Of the files of benchmarks only its own is imported: what a process holds before is part of memory.
    which = [benchmark.file, benchmark.name, side.name, str(size), str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--round", *which],
        cwd=ROOT,
        # Order of sets and dictionaries of text must not differ from round to round.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=LONGEST_ROUND,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{benchmark.name} {side.name} {size}: {done.stderr.strip()[-2000:]}")
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def machine() -> dict[str, Any]:
    """What kind of machine this is; nothing that tells one from another of its kind."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _file("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _file("/proc/meminfo"), re.MULTILINE)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 1024 / 1024) if memory else 0,
        "cpu": cpu[1].strip() if cpu else platform.machine(),
        "python": platform.python_version(),
    }


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def record(benchmark: Benchmark, runs: list[dict[str, Any]], date: str) -> dict[str, Any]:
    """A run as it is kept: claims, what was seen, machine, versions, raw rounds."""
    return {
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "date": date,
        "machine": machine(),
        "packages": {name: version(name) for name in benchmark.packages},
        **({"sums": list(benchmark.sums)} if benchmark.sums else {}),
        "sides": {side.name: side.words for side in benchmark.sides},
        "bounds": [
            {
                "claim": bound.claim,
                "wanted": bound.wanted(),
                "seen": round(seen, 4),
                "kept": bound.kept(seen),
            }
            for bound in benchmark.bounds
            for seen in [bound.seen(runs)]
        ],
        "rounds": [{key: value for key, value in made.items() if key != "benchmark"} for made in runs],
    }


def keep(made: Mapping[str, Any]) -> None:
    """Write a run to rounds/<name>.json."""
    text = json.dumps(made, ensure_ascii=False, indent=1)
    # A round in one line: a difference between two runs is read line by line.
    text = re.sub(r"\n {2}\{[^\[\]]*?\n {2}\}", lambda found: "\n  " + " ".join(found[0].split()), text)
    ROUNDS.mkdir(exist_ok=True)
    (ROUNDS / f"{made['benchmark']}.json").write_text(text + "\n", encoding="utf-8")


def kept_runs() -> list[dict[str, Any]]:
    """The runs that are kept, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ROUNDS.glob("*.json"))]


def page(runs: Iterable[Mapping[str, Any]]) -> str:
    """docs/reference/benchmarks.md, from runs alone."""
    listed = list(runs)
    lines = [
        "# Benchmarks",
        "",
        "Generated by `make bench` from the rounds in tests/benchmarks/rounds; do not edit.",
        "",
        "| claim | wanted | seen | | date | machine |",
        "|---|---|---|---|---|---|",
    ]
    for made in listed:
        kind = _class(made["machine"])
        for bound in made["bounds"]:
            unit = bound["wanted"].lstrip("≤≥ 0123456789.e+-")
            seen = f"{bound['seen']:.3g}{' ' if unit not in ('', '×') else ''}{unit}"
            held = "kept" if bound["kept"] else "**missed**"
            lines.append(
                f"| {bound['claim']} | {bound['wanted']} | {seen} | {held} | {made['date']} | {kind} |"
            )
    lines += [
        "",
        "## How to repeat",
        "",
        "`make bench` runs all but those that take the lab away (`cold`), `make bench ONLY=<name>` one, "
        "`ROUNDS=9` more rounds than five. It exits with status 1 when a bound is missed, keeps the raw "
        "rounds in tests/benchmarks/rounds and writes this page anew; fewer than five rounds are shown and "
        "not kept.",
        "",
        "Both sides of a ratio run alternately in one run, every round in a fresh process, and what they "
        "make is compared: a side that leaves work out fails. Time is that of the work, without the "
        "interpreter's start and without imports; memory is how far the peak of the resident set rises "
        "during the work. What is judged is the median of the rounds. A ratio says more than seconds, "
        "which are those of the machine named; other work on the same machine makes rounds differ, and the "
        "seconds of the processor, beside them, less so.",
        "",
    ]
    for made in listed:
        lines += [f"## {made['benchmark']}: {made['title']}", ""]
        versions = ", ".join(f"{name} {number}" for name, number in made["packages"].items())
        lines += [f"{_class(made['machine'])}" + (f"; {versions}" if versions else "") + ".", ""]
        lines += [f"- `{name}`: {words}" for name, words in made["sides"].items()]
        lines += [
            "",
            "| size | side | rounds | seconds, median (least to most) | of the processor | parts | MiB |",
            "|---|---|---|---|---|---|---|",
        ]
        for size, side in dict.fromkeys((made["size"], made["side"]) for made in made["rounds"]):
            own = [run for run in made["rounds"] if (run["size"], run["side"]) == (size, side)]
            seconds = [run["seconds"] for run in own]
            cpu = [run["cpu"] for run in own if "cpu" in run]
            worked = f"{statistics.median(cpu):.3f}" if cpu else ""
            sums = made.get("sums", ())
            parts = ", ".join(
                f"{name} {sum(values):.0f}" if name in sums else f"{name} {statistics.median(values):.3f}"
                for name in own[0]["parts"]
                for values in [[run["parts"][name] for run in own]]
            )
            lines.append(
                f"| {size:,} | {side} | {len(own)} | {statistics.median(seconds):.3f} "
                f"({min(seconds):.3f} to {max(seconds):.3f}) "
                f"| {worked} | {parts} "
                f"| {statistics.median(run['mib'] for run in own):.1f} |"
            )
        lines.append("")
    return "\n".join(lines)


def _class(kind: Mapping[str, Any]) -> str:
    cpu = re.sub(r"\s+", " ", str(kind["cpu"])).replace("|", "/")
    return f"{kind['cores']} cores, {kind['memory_gib']} GiB, {cpu}, Python {kind['python']}"
