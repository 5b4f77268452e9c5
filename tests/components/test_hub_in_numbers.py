"""The benchmarks of an image, small: real daemons take the plan's files, and every session is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from province.lab.image import cached_image
from tests.benchmarks import harness
from tests.benchmarks.harness import Meter

BENCHMARKS = {name: made for name, made in harness.benchmarks().items() if made.needs == "image"}
WANTED = {
    "hub-tunnels": {"peers missing": 0, "routes missing": 0, "units": 4},
    "hub-sessions": {"sessions": 4, "routes": 4},
    # Six intervals, both families, on a line and in a tunnel.
    "false-alarms": {"sessions": 24},
    # Bytes that went each way of going, once.
    "overlay": {"IPv4": 2 * 1024**2, "IPv6": 2 * 1024**2},
    # Two records of four gateways, each asked twenty times of who knows them.
    "names": {
        "Knot": {"asked": 160, "answers": 160},
        "Knot, DO": {"asked": 160, "answers": 160},
        "Unbound, unknown": {"asked": 8, "answers": 8},
        "Unbound, known": {"asked": 160, "answers": 160},
    },
}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, which wants root"),
    pytest.mark.skipif(
        cached_image() is None, reason="no host image of the present recipe: make up makes it"
    ),
]


def test_every_benchmark_of_an_image_is_run_here() -> None:
    assert set(BENCHMARKS) == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_daemons_take_what_the_plan_gives_them(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    benchmark.make(tmp_path, benchmark.tiny)
    for side in benchmark.sides:
        assert side.run(side.prepare(tmp_path, benchmark.tiny), Meter()) == WANTED[name], side.name
