"""Who may speak with whom in the lab's province, written by hand.

Everywhere else expected values come from the plan. Here a few do not, so that plan and checks cannot be
wrong together. A line that fails is either a mistake or a decision: then it is changed here too, by hand.
"""

from __future__ import annotations

import pytest
from netaddr import IPAddress

from tests.support import environment
from tests.support.guards import permitted

# From a segment of a unit or from a machine; to a machine; protocol and port; whether it is allowed.
MATRIX = [
    ("staff", "app", "tcp", 80, True),
    ("staff", "mirror", "tcp", 80, True),
    ("staff", "app", "tcp", 22, False),
    ("staff", "resolver", "udp", 53, False),  # PCs ask their own gateway
    ("staff", "resolver", "udp", 123, False),
    ("staff", "ns", "udp", 53, False),
    ("staff", "hub", "tcp", 179, False),
    ("guest", "app", "tcp", 80, False),
    ("guest", "mirror", "tcp", 80, False),
    ("guest", "resolver", "udp", 53, False),
    ("guest", "ns", "udp", 53, False),
    ("app", "resolver", "udp", 53, True),
    ("app", "resolver", "udp", 123, True),
    ("app", "mirror", "tcp", 80, True),
    ("app", "ns", "udp", 53, False),  # only resolvers ask the authority
    ("app", "hub", "tcp", 179, False),
    ("resolver", "ns", "udp", 53, True),
    ("resolver", "ns", "tcp", 53, True),
    ("ns", "resolver", "udp", 53, True),
    ("ns", "app", "tcp", 80, False),
    ("mirror", "app", "tcp", 80, False),
    ("hub", "edge", "tcp", 179, True),
    ("hub", "app", "tcp", 22, False),
]


def _addresses(end: str, version: int) -> list[IPAddress]:
    """Addresses of a unit's segment (one out of its middle) or of a machine of the centre."""
    plan = environment.plan()
    for unit in plan.units:
        for segment in unit.segments:
            if segment.name == end:
                network = segment.network4 if version == 4 else segment.network6
                return [network[min(77, network.size // 2)]]
    host = next(host for host in plan.hosts if host.machine == end and host.member == 1)
    interfaces = [entry for entry in host.interfaces if entry.zone not in ("management", "border")]
    found = [a.ip for entry in interfaces for a in (*entry.addresses, *entry.vips) if a.version == version]
    assert found, f"{end} has no IPv{version} address"
    return found


@pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("source", "target", "protocol", "port", "allowed"),
    MATRIX,
    ids=[f"{line[0]} {'to' if line[4] else 'not to'} {line[1]} {line[2]} {line[3]}" for line in MATRIX],
)
def test_the_flows_say_what_was_written_by_hand(
    source: str, target: str, protocol: str, port: int, allowed: bool, version: int
) -> None:
    pairs = [(a, b) for a in _addresses(source, version) for b in _addresses(target, version)]
    flows = {flow for a, b in pairs for flow in permitted(a, b, protocol, port)}
    assert bool(flows) is allowed, f"allowed by {sorted(flows)}" if flows else "no flow allows it"


def test_only_the_mirror_gets_out_for_packages() -> None:
    """The flows that lead anywhere (to the border) come from the mirror and from the tunnels' ends."""
    outward = {
        (flow.source.machine, port.protocol, port.number)
        for flow in environment.plan().flows
        if flow.destination.zone == "border"
        for port in flow.ports
    }
    assert {machine for machine, _protocol, _port in outward} == {"mirror", "unit_gateway"}
    assert {entry[1:] for entry in outward if entry[0] != "mirror"} == {("udp", 51820)}
