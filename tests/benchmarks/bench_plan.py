"""The plan of all communes of the country against the same numbers as plain integers."""

from __future__ import annotations

from tests.benchmarks.harness import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = ()
