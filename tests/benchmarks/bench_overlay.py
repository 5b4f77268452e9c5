"""What the overlay costs: TCP through a tunnel beside the same bytes over the bare path, in the same run.

Two hosts with the programs of the host image, a line between them. One's nginx gives a file from memory
(`sendfile`), the other's curl throws it away, in each family; pings follow. Sides: the line itself; the line
when every packet is handled for itself, as it is wherever no card cuts packets up; and user-space WireGuard
over the line, as in the lab.

What it means for the kernel's WireGuard, which this kernel has not: little can be told from here, and nothing
in figures. Kernel WireGuard spares each packet's way to a process and back (copies, TUN, waking up), which is
felt as latency and as the processor's time; the cipher is the same. But it is not sure to be faster: since
2023 `wireguard-go` moves many packets at a time (TUN and UDP segmentation offload), and the authors of that
change saw it pass the kernel's on one of their machines (https://tailscale.com/blog/more-throughput). So the
ratio is no bound for the kernel's, in neither direction. And both ends, the encryption of both and who sends
and receives share the cores of one machine, while a unit's gateway has but one end: read the processor's time
for a GiB, halve it for an end, and ask for the rest on the hardware that is to be bought. That time is what
curl, nginx and wireguard-go were charged; what the kernel does on nobody's account is not in it.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_hub import PATIENCE, _root
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.eventually import eventually
from tests.support.host_root import Space, joined, spaces, tunnelled, unpack

LINE, PACKETS, TUNNEL = "line", "packets", "tunnel"
SIZE = 512  # MiB in each family
PIECE = 256  # MiB, at most: what is given is held in memory
PINGS = 200
ADDRESSES = {"IPv4": ("10.9.9.1", "10.9.9.2"), "IPv6": ("fd09:9::1", "fd09:9::2")}
SERVER = """
user root;
worker_processes 1;
pid /tmp/overlay.pid;
error_log /dev/null;
events {}
http {
  access_log off;
  sendfile on;
  keepalive_requests 100000;
  server { listen 10.9.9.2:8080; listen [fd09:9::2]:8080; root /tmp/overlay; }
}
"""


def _make(folder: Path, size: int) -> None:
    root = unpack(folder)
    (root / "tmp/overlay").mkdir()
    with (root / "tmp/overlay/piece").open("wb") as file:
        file.truncate(min(size, PIECE) * 1024 * 1024)
    (root / "tmp/overlay.conf").write_text(SERVER, encoding="ascii")


def _side(name: str) -> Any:
    def run(given: tuple[Path, Path, int], meter: Meter) -> dict[str, int]:
        _, root, size = given
        with spaces(root, "asks", "gives") as (asks, gives):
            joined(asks, gives, ("line", "line"))
            if name == TUNNEL:
                tunnelled(asks, gives, "tunnel")
            for place, space in enumerate((asks, gives)):
                if name == PACKETS:
                    space.run("ip", "link", "set", "line", "gso_max_segs", "1")
                for own in ADDRESSES.values():
                    bits = 64 if ":" in own[place] else 24
                    link = "tunnel" if name == TUNNEL else "line"
                    space.run("ip", "address", "add", f"{own[place]}/{bits}", "dev", link, "nodad")
            gives.start("nginx", "-c", "/tmp/overlay.conf", "-g", "daemon off;")  # noqa: S108 - inside the root
            for _, other in ADDRESSES.values():
                # The first also makes the tunnel's keys and brings the file into memory.
                eventually(_given(asks, other), PATIENCE, every=0.1)
            made = {}
            with meter.whole():
                for family, (_, other) in ADDRESSES.items():
                    before = _worked(asks, gives)
                    took, received = _fetched(asks, other, max(1, size // PIECE))
                    made[family] = received
                    gib = received / 1024**3
                    meter.parts[f"{family}, Gbit/s"] = received * 8 / took / 1e9
                    meter.parts[f"{family}, s of the processor for a GiB"] = (
                        _worked(asks, gives) - before
                    ) / gib
                for family, (_, other) in ADDRESSES.items():
                    meter.parts[f"{family}, ms there and back"] = _ping(asks, other)
            return made

    return run


def _fetch(asks: Space, address: str, times: int) -> list[dict[str, Any]]:
    host = f"[{address}]" if ":" in address else address
    urls = [word for _ in range(times) for word in (f"http://{host}:8080/piece", "-o", "/dev/null")]
    text = asks.run("curl", "-gs", "--max-time", "120", "-w", "%{json}\n", *urls, check=False)
    return [json.loads(line) for line in text.splitlines()]


def _given(asks: Space, address: str) -> Callable[[], bool]:
    return lambda: [said["http_code"] for said in _fetch(asks, address, 1)] == [200]


def _fetched(asks: Space, address: str, times: int) -> tuple[float, int]:
    """Fetch the file so often over one connection: seconds, bytes."""
    said = _fetch(asks, address, times)
    assert [one["exitcode"] for one in said] == [0] * times, said
    return sum(one["time_total"] for one in said), sum(one["size_download"] for one in said)


def _worked(*both: Space) -> float:
    """Seconds of the processor: daemons that stand, and programs that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    standing = sum(space.worked(name) for space in both for name in ("nginx", "wireguard-go"))
    return standing + ended.ru_utime + ended.ru_stime


def _ping(asks: Space, address: str) -> float:
    text = asks.run("ping", "-n", "-c", str(PINGS), "-i", "0.005", address)
    times = [float(found) for found in re.findall(r"time=([\d.]+) ms", text)]
    assert len(times) == PINGS, f"{len(times)} of {PINGS} answers of {address}"
    return statistics.median(times)


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="overlay",
        title="512 MiB by TCP in each family, over a line and through user-space WireGuard on that line",
        sides=tuple(
            Side(name=name, words=words, prepare=_root, run=_side(name), content=lambda made: made)
            for name, words in (
                (LINE, "a veth between two hosts of this machine, packets of up to 64 KiB inside the kernel"),
                (PACKETS, "the same, every packet of 1,500 bytes for itself, as on a line without offload"),
                (
                    TUNNEL,
                    "`wireguard-go` at both ends, MTU 1,420, over the first; both ends share these cores. "
                    "The ratio is no bound for a kernel's WireGuard, in neither direction: that one spares "
                    "each packet the way to a process, this one moves many at a time and "
                    "[was seen to pass it](https://tailscale.com/blog/more-throughput)",
                ),
            )
        ),
        sizes=(SIZE,),
        tiny=2,
        needs="image",
        make=_make,
        bounds=tuple(
            bound
            for family in ADDRESSES
            for bound in (
                Bound(
                    claim=f"throughput of the user-space overlay to the raw path, TCP over {family}",
                    figure=Figure(side=TUNNEL, size=SIZE, of=f"{family}, Gbit/s"),
                    over=Figure(side=LINE, size=SIZE, of=f"{family}, Gbit/s"),
                    least=0.05,
                ),
                Bound(
                    claim=f"a packet's time there and back through the user-space overlay, {family}",
                    figure=Figure(side=TUNNEL, size=SIZE, of=f"{family}, ms there and back"),
                    most=2,
                    unit=" ms",
                ),
            )
        ),
    ),
)
