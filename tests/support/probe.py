"""The stranger of the lab: a leg in every segment, from which anything may be asked, and which may answer.

probe.run("xa-na-tau/guest", ["nmap", "-sS", "10.12.30.32"]).checked()
questions(probe.leg("centre/dmz"), [Question(...)])       # a leg is a Place
with listening(probe.leg("centre/db"), [Listener("tcp", address, 5432)]): ...
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from netaddr import IPAddress, IPNetwork

from tests.support import environment
from tests.support.places import Machine, Running, Said, batch, machine

HOST = "probe-1"


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """A place: one segment, one address of each family, no firewall of its own."""

    name: str  # id of the segment
    namespace: str
    device: str
    zone: str
    address4: IPAddress
    address6: IPAddress

    @property
    def addresses(self) -> tuple[IPAddress, IPAddress]:
        """Its own addresses, IPv4 first."""
        return self.address4, self.address6

    def start(self, program: str, request: object) -> Running:
        """Start a program of tests/support/remote in the leg's namespace."""
        return _connection(self.namespace).start(program, request, within=self.namespace)


@cache
def _connection(namespace: str) -> Machine:
    """A connection of the leg's own: one holds ten programs, and every leg may hold listeners."""
    assert namespace
    return Machine(HOST)


@cache
def legs() -> tuple[Leg, ...]:
    """Every leg, in the plan's order of segments."""
    told = environment.facts(environment.only("probe"))["probe"]["legs"]
    return tuple(
        Leg(
            name=entry["segment"],
            namespace=entry["namespace"],
            device=entry["device"],
            zone=entry["zone"],
            address4=IPNetwork(entry["address4"]).ip,
            address6=IPNetwork(entry["address6"]).ip,
        )
        for entry in told
    )


def leg(segment: str) -> Leg:
    """The leg in a segment, by the segment's id: `centre/dmz`, `<unit>/guest`."""
    found = next((candidate for candidate in legs() if candidate.name == segment), None)
    assert found, f"no leg in {segment}; there are {', '.join(one.name for one in legs())}"
    return found


def run(segment: str, argv: Sequence[str], timeout: float = 60) -> Said:
    """Run a command in a leg and return what it said."""
    command = f"nsenter --net=/run/netns/{leg(segment).namespace} {shlex.join(argv)}"
    return batch(machine(HOST), {"run": command}, timeout)["run"]


def state(segment: str) -> list[dict[str, object]]:
    """Addresses of a leg as the kernel has them."""
    found: list[dict[str, object]] = json.loads(run(segment, ["ip", "-json", "address"]).checked())
    return found
