"""Everybody there is: built hosts with the addresses they carry now, and the stranger's legs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from netaddr import IPNetwork

from province.observe import iproute
from tests.support import environment, probe
from tests.support.matrix import Port, Stand, host_stands
from tests.support.places import Place, batch_all, machine
from tests.support.probes import Guests, Listener, listening

AT_A_TIME = 8  # places that ask or listen at the same time


def place_of(holder: str) -> Place:
    """A host, or a leg of the stranger (its holder is the segment)."""
    return probe.leg(holder) if "/" in holder else machine(holder)


def everybody() -> list[Stand]:
    """Every address of every built host, and of every leg."""
    hosts = [host.name for host in environment.built() if host.planned.machine != "probe"]
    said = batch_all(hosts, {"addr": "ip -j addr"})
    found: list[Stand] = []
    for host in hosts:
        carried: dict[str, list[str]] = {}
        for entry in iproute.addresses(said[host]["addr"].checked()):
            if entry.scope == "global":
                carried.setdefault(entry.interface, []).append(str(IPNetwork(entry.address).ip))
        there = host_stands(environment.planned(host), carried)
        # How a simulator is administered is the lab's affair: it has no firewall.
        found += [s for s in there if not (environment.simulated(host) and s.zone == "management")]
    found += [
        Stand(holder=leg.name, machine="", segment=leg.name, zone=leg.zone, address=address)
        for leg in probe.legs()
        for address in leg.addresses
    ]
    return found


@contextmanager
def listening_to_all(
    stands: Sequence[Stand], ports: Sequence[Port], seconds: float = 300
) -> Iterator[Mapping[str, Guests]]:
    """A listener on every port of every address; who came, by holder, is complete when it is left."""
    with ExitStack() as stack:
        holders = sorted({stand.holder for stand in stands})
        wanted = {
            holder: [
                Listener(protocol, str(stand.address), port)
                for stand in stands
                if stand.holder == holder
                for protocol, port in ports
            ]
            for holder in holders
        }
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
            contexts = [(holder, listening(place_of(holder), wanted[holder], seconds)) for holder in holders]
            entered = pool.map(lambda pair: pair[1].__enter__(), contexts)
            guests = dict(zip(holders, entered, strict=True))
        for _holder, context in contexts:
            stack.push(context.__exit__)
        yield guests
