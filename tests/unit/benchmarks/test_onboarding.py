"""A unit that joins: those alone are asked whom it concerns, however large the register."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from province.asked import known
from tests.benchmarks.bench_onboarding import BENCHMARKS, Estate, joined
from tests.benchmarks.harness import Benchmark

JOINING = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "onboarding")
ENVIRONMENT = "after/inventories/country/environment.yml"


def concerned(folder: Path, size: int) -> tuple[Estate, list[str]]:
    folder.mkdir()
    JOINING.make(folder, size)
    return joined(known(folder), folder / ENVIRONMENT)


def test_as_many_hosts_are_concerned_in_a_large_register_as_in_a_small_one(tmp_path: Path) -> None:
    _, few = concerned(tmp_path / "few", 3)
    _, more = concerned(tmp_path / "more", 30)
    assert [name for name in few if not name.startswith("don-vi-")] == [
        name for name in more if not name.startswith("don-vi-")
    ]
    assert {name for name in more if name.startswith("don-vi-")} == {
        "don-vi-00030-cpe-1",
        "don-vi-00030-pc-1",
    }


def test_only_those_are_asked_whom_it_concerns(tmp_path: Path) -> None:
    estate, names = concerned(tmp_path / "few", 3)
    asked: list[str] = []

    def ask(host: str, _: str) -> str:
        asked.append(host)
        return json.dumps({})

    assert all(one.settled for one in estate.looked_at(names, ask))
    assert sorted(asked) == sorted(names)
    assert len(names) < len(estate.hosts)


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_both_are_judged_at_a_fifth_more(benchmark: Benchmark) -> None:
    assert [bound.wanted() for bound in benchmark.bounds] == ["≤ 1.2×"]
