"""How fast BFD may be before it calls a neighbour gone that is there: six intervals, and nothing fails.

Two hosts, FRR's bfdd of the host image in each, a session of each family for each interval: on a bare line,
and again in a tunnel of user-space WireGuard as the lab's gateways and hubs have, whose process has to be
given the processor in time as well. All are up at the same time, for as many seconds as `size` says, and each
time that one goes down is counted: with nothing failing it is a false alarm, for which BGP would have changed
the hub. What may make one is other work on the same cores, so that is told beside it (the load average);
how long an observation is trusted is rounds × seconds. The daemons have the usual priority, as in the lab's
containers; where FRR's unit may have its own (nice -5), alarms are rarer.
"""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_hub import PATIENCE, _root
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.eventually import eventually
from tests.support.host_root import Space, joined, spaces, tunnelled, unpack

INTERVALS = (50, 100, 150, 200, 250, 300)  # milliseconds
USED = 250  # what `routing_bfd_interval` is
MULTIPLIER = 3
LENGTH = 120  # seconds of a round
WAYS = {"line": "on a line", "tunnel": "in a tunnel"}
FAMILIES = {"4": "10.9.{way}.{interval}", "6": "fd09:{way}::{interval}"}
LEFT, RIGHT = "left", "right"


def _make(folder: Path, size: int) -> None:
    del size
    unpack(folder)


def _address(family: str, way: str, interval: int, end: str) -> str:
    place = 1 + list(WAYS).index(way) * 2 + (end == RIGHT)
    number = INTERVALS.index(interval) + 1
    return FAMILIES[family].format(way=place, interval=number)


def _sessions() -> list[tuple[str, str, int]]:
    return [(family, way, interval) for way in WAYS for interval in INTERVALS for family in FAMILIES]


def _prepare_end(space: Space, root: Path, end: str) -> None:
    """Addresses and routes of all sessions, zebra and bfdd with their own sockets: both ends share a root."""
    other = RIGHT if end == LEFT else LEFT
    lines, configuration = [], ["bfd"]
    for interval in INTERVALS:
        configuration += [
            f" profile every-{interval}",
            f"  detect-multiplier {MULTIPLIER}",
            f"  transmit-interval {interval}",
            f"  receive-interval {interval}",
            " exit",
        ]
    for family, way, interval in _sessions():
        own, theirs = (_address(family, way, interval, which) for which in (end, other))
        bits = 32 if family == "4" else 128
        lines += [
            f"address add {own}/{bits} dev {way} nodad",
            f"route add {theirs}/{bits} dev {way} src {own}",
        ]
        configuration += [
            f" peer {theirs} local-address {own} interface {way}",
            f"  profile every-{interval}",
            " exit",
        ]
    space.run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    for folder in (f"/run/frr/{end}", f"/etc/frr/{end}"):
        space.run("install", "-d", "-o", "frr", "-g", "frr", folder)
    file = root / f"etc/frr/{end}/frr.conf"
    file.write_text("\n".join([*configuration, "exit"]) + "\n", encoding="utf-8")
    for name in ("mgmtd", "zebra", "bfdd"):
        (root / f"run/frr/{end}/{name}.vty").unlink(missing_ok=True)
        space.start(f"/usr/lib/frr/{name}", "-N", end, "-A", "127.0.0.1", "-P", "0")
        eventually((root / f"run/frr/{end}/{name}.vty").is_socket, PATIENCE, every=0.05)
    space.run("vtysh", "-N", end, "-b")


def _asked(space: Space, end: str, what: str) -> dict[str, dict[str, Any]]:
    shown = json.loads(space.run("vtysh", "-N", end, "-c", f"show bfd peers {what}json"))
    return {peer["peer"]: peer for peer in shown}


def _downs(ends: dict[str, Space]) -> dict[tuple[str, str, int], int]:
    """How often each session went down; when one end calls it gone, it goes down at the other too."""
    counted = {end: _asked(space, end, "counters ") for end, space in ends.items()}
    return {
        (family, way, interval): max(
            counted[end][_address(family, way, interval, RIGHT if end == LEFT else LEFT)]["session-down"]
            for end in ends
        )
        for family, way, interval in _sessions()
    }


def _run(given: tuple[Path, Path, int], meter: Meter) -> dict[str, int]:
    _, root, size = given
    with spaces(root, LEFT, RIGHT) as (left, right):
        joined(left, right, ("line", "line"))
        tunnelled(left, right, "tunnel")
        ends = {LEFT: left, RIGHT: right}
        for end, space in ends.items():
            _prepare_end(space, root, end)

        def all_up() -> bool:
            peers = [peer for end, space in ends.items() for peer in _asked(space, end, "").values()]
            return len(peers) == 2 * len(_sessions()) and all(peer["status"] == "up" for peer in peers)

        eventually(all_up, PATIENCE)
        negotiated = {
            (peer["transmit-interval"], peer["remote-receive-interval"], peer["detect-multiplier"])
            for end, space in ends.items()
            for peer in _asked(space, end, "").values()
        }
        assert negotiated == {(i, i, MULTIPLIER) for i in INTERVALS}, negotiated
        before = _downs(ends)
        worked = {name: _worked(ends, name) for name in ("bfdd", "wireguard-go")}
        loads = []
        with meter.whole():
            until = time.monotonic() + size
            while time.monotonic() < until:
                loads.append(os.getloadavg()[0])
                # Nothing is waited for: sessions are watched standing.
                threading.Event().wait(min(1.0, size / 5))
        after = _downs(ends)
        for way, words in WAYS.items():
            for interval in INTERVALS:
                meter.parts[_alarms(interval, words)] = float(
                    sum(after[f, way, interval] - before[f, way, interval] for f in FAMILIES)
                )
        for name, seconds in worked.items():
            meter.parts[f"{name}, s of the processor"] = _worked(ends, name) - seconds
        meter.parts |= {
            "load average, least": min(loads),
            "load average, median": statistics.median(loads),
            "load average, most": max(loads),
        }
        eventually(all_up, PATIENCE)
    return {"sessions": len(before)}


def _worked(ends: dict[str, Space], program: str) -> float:
    return sum(space.worked(program) for space in ends.values())


def _alarms(interval: int, words: str) -> str:
    return f"{interval} ms × {MULTIPLIER} {words}: false alarms"


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="false-alarms",
        title="BFD sessions at six intervals at the same time, while nothing fails",
        sides=(
            Side(
                name="frr",
                words="two hosts of this machine, a session of each family for each interval and way; "
                "`size` is the seconds of a round, false alarms are those of all rounds together",
                prepare=_root,
                run=_run,
                content=lambda made: made,
            ),
        ),
        sizes=(LENGTH,),
        tiny=3,
        needs="image",
        make=_make,
        sums=tuple(_alarms(interval, words) for words in WAYS.values() for interval in INTERVALS),
        bounds=(
            Bound(
                claim=f"false alarms of BFD at {USED} ms × {MULTIPLIER} in a tunnel, all rounds together",
                figure=Figure(side="frr", size=LENGTH, of=_alarms(USED, WAYS["tunnel"]), total=True),
                most=0,
                unit="",
            ),
        ),
    ),
)
