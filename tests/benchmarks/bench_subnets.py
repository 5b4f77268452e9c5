"""A pool cut into a million blocks, and each block into its segments, by the functions that the plan uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netaddr import IPNetwork

from province.plan.addressing import Blocks, Cut
from province.plan.model import Segment
from province.register.catalogue import Catalogue
from province.register.model import Pool
from province.sources import REPOSITORY, load_sources, uncollected
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side

MILLION = 1 << 20
# One block of so many is kept whole and compared; of all others the sums.
KEPT = 4099
FIRST4, FIRST6 = 64 << 24, 0xFDFD1475 << 96
POOL = Pool(
    name="commune",
    network4=IPNetwork("64.0.0.0/4"),
    network6=IPNetwork("fdfd:1475::/32"),
    block4=24,
    block6=56,
    carrier4=IPNetwork("100.64.0.0/10"),
    carrier6=IPNetwork("2001:db8::/32"),
    asn=4_200_000_000,
    letter="c",
)
Made = tuple[int, int, int, list[Any]]


def _catalogue(_folder: Path, size: int) -> tuple[Catalogue, int]:
    return load_sources(REPOSITORY / "inventories/registers/dien-bien").catalogue, size


def _ours(given: tuple[Catalogue, int], meter: Meter) -> Made:
    catalogue, size = given
    number = sum4 = sum6 = 0
    kept: list[Any] = []
    with meter.whole(), uncollected():
        blocks, cut = Blocks(POOL), Cut(catalogue)
        for index in range(size):
            segments, areas = cut.segments(f"unit-{index}", *blocks.at(index))
            number += len(segments)
            for _, _, four, _, six, _ in areas:
                sum4 += four
                sum6 += six
            if index % KEPT == 0:
                kept.append(segments)
    return number, sum4, sum6, [_plain(segment) for segments in kept for segment in segments]


def _plain(segment: Segment) -> tuple[Any, ...]:
    four, six = segment.network4, segment.network6
    gateways = (segment.gateway4, segment.gateway6)
    return (
        *(segment.id, int(four.ip), four.prefixlen, int(six.ip), six.prefixlen),
        *(None if gateway is None else int(gateway) for gateway in gateways),
    )


def _integers(given: tuple[Catalogue, int], meter: Meter) -> Made:
    catalogue, size = given
    number = sum4 = sum6 = 0
    kept: list[Any] = []
    with meter.whole(), uncollected():
        for index in range(size):
            first4, first6 = FIRST4 + (index << 8), FIRST6 + (index << 72)
            segments = []
            for share in catalogue.unit:
                four, six = first4 + (share.place << 8 - share.share), first6 + (share.place6 << 64)
                gateways = (four + 1, six + 1) if share.leases else (None, None)
                length = 24 + share.share
                segments.append((f"unit-{index}/{share.name}", four, length, six, 64, *gateways))
                sum4 += four
                sum6 += six
            number += len(segments)
            if index % KEPT == 0:
                kept += segments
    return number, sum4, sum6, kept


BENCHMARKS = (
    Benchmark(
        name="subnets",
        title="a pool cut into 1,048,576 blocks, each into the segments of a unit, in both families",
        sides=(
            Side(
                name="ours",
                words="the plan's own functions, with its segments and netaddr's networks and addresses.",
                prepare=_catalogue,
                run=_ours,
                content=list,
            ),
            Side(
                name="integers",
                words="the same as plain integers and tuples.",
                prepare=_catalogue,
                run=_integers,
                content=list,
            ),
        ),
        sizes=(MILLION,),
        tiny=KEPT + 2,
        bounds=(
            Bound(
                claim="A million blocks of both families are cut into six million segments",
                figure=Figure(side="ours", size=MILLION),
                most=10,
            ),
        ),
        packages=("netaddr",),
    ),
)
