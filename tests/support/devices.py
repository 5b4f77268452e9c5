"""A device that nobody planned, plugged into a segment: what a visitor's laptop or a stolen port can do.

The lab's bridges are on the controller, so a network namespace with one leg on a bridge is such a device.
Where the controller does not hold the bridges the checks that need one cannot run and say so.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from netaddr import IPAddress

from province.hosts import networks
from province.plan.model import Segment
from tests.support import environment
from tests.support.places import Local

DEVICE = "eth0"


def bridge(segment: Segment) -> str:
    """The bridge that stands for a segment; skips where the environment has none."""
    declared = environment.environment()
    if declared.provider != "incus":
        pytest.skip(f"{environment.name()} has no bridges here: a foreign device must be plugged in by hand")
    for network in networks(declared, environment.plan()):
        if segment.id in network.segment_ids:
            return network.name
    raise AssertionError(f"{segment.id} has no network in {environment.name()}")


def own_addresses(segment: Segment) -> tuple[IPAddress, IPAddress]:
    """Addresses that a device may give itself without asking: from the far end of the segment."""
    return segment.network4[-2], IPAddress(segment.network6.first + 0xFFFE, 6)


@contextmanager
def stranger(
    segment: Segment, gateway4: IPAddress | None = None, gateway6: IPAddress | None = None
) -> Iterator[Local]:
    """A device with static addresses in the segment and a default route through it.

    Gateways default to the segment's. Leaves nothing behind: with the namespace its leg is gone.
    """
    tag = secrets.token_hex(3)
    namespace, leg = f"province-{tag}", f"pvt{tag}"
    address4, address6 = own_addresses(segment)
    via4, via6 = gateway4 or segment.gateway4, gateway6 or segment.gateway6
    inside = ["ip", "-n", namespace]
    commands = [
        ["ip", "netns", "add", namespace],
        ["ip", "link", "add", leg, "type", "veth", "peer", "name", DEVICE, "netns", namespace],
        ["ip", "link", "set", leg, "master", bridge(segment), "up"],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "link", "set", DEVICE, "up"],
        [
            *inside,
            "addr",
            "add",
            f"{address4}/{segment.network4.prefixlen}",
            "dev",
            DEVICE,
        ],
        [*inside, "addr", "add", f"{address6}/{segment.network6.prefixlen}", "dev", DEVICE, "nodad"],
    ]
    for via in (via4, via6):
        if via is not None:
            commands.append([*inside, f"-{via.version}", "route", "add", "default", "via", str(via)])
    try:
        for command in commands:
            _run(command)
        yield Local(f"a device in {segment.id}", namespace)
    finally:
        subprocess.run(["ip", "link", "del", leg], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
