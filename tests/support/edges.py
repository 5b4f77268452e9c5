"""The pair of border routers under probes: who carries the shared addresses, and what a fall costs others."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, batch_all, machine
from tests.support.state import state
from tests.support.survival import Gap, Page, probing, told, without

EDGES = environment.in_group("edge")
# What is asked through the border router: names, by a hub and by a server of the DMZ.
ASKERS = (environment.only("hub"), environment.only("ns"))
PC = environment.only("workstation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What others noticed of the carrier's fall and return, and who carries now."""

    gaps: list[Gap]
    pages: list[dict[str, Any]]
    successor: str


def fall() -> Fall:
    """Take the power from whoever carries the addresses, see the other take over, give the power back.

    One that has just returned is no stand-in before it has heard its neighbours: this waits for it.
    """
    eventually(ready, within=60)
    (carrier,) = carriers()
    with ExitStack() as stack:
        asking = [stack.enter_context(probing(machine(host), names=names())) for host in ASKERS]
        browsing = stack.enter_context(probing(machine(PC), pages=start_page()))
        loading = stack.enter_context(probing(machine(ASKERS[1]), pages=download()))
        (standby,) = (edge for edge in EDGES if edge != carrier)
        eventually(lambda: told(carrier, standby), within=10)
        with without(carrier):
            (other,) = eventually(lambda: survivors(carrier), within=10)
    return Fall(
        gaps=[gap for heard in asking for gap in heard.gaps],
        pages=[*browsing.pages, *loading.pages],
        successor=other,
    )


def carriers() -> list[str]:
    """Border routers that carry every shared address; one that carries only some of them is wrong."""
    vips = {str(vip.ip) for i in environment.planned(EDGES[0]).interfaces for vip in i.vips}
    assert vips
    found = []
    shown = batch_all(EDGES, {"own": "ip -brief address show"})
    for edge, said in shown.items():
        words = {word.partition("/")[0] for word in said["own"].checked().split()}
        carried = vips & words
        assert carried in (set(), vips), f"{edge} carries {len(carried)} of {len(vips)} shared addresses"
        if carried:
            found.append(edge)
    return found


def ready() -> bool:
    """Whether both border routers have a way to every hub and every hub one to both, in both families."""
    for edge in EDGES:
        sessions = state(edge, fresh=True).sessions
        assert sessions, f"{edge} speaks to nobody"
        silent = [s.address for s in sessions if not (s.established and s.sent)]
        assert not silent, f"{edge} has nothing to say to {silent} yet"
    return True


def names() -> list[tuple[str, str]]:
    """Resolvers in both families, and a name that they know."""
    asked = environment.facts(ASKERS[1])["resolvers"]
    families = {":" in address: address for address in reversed(asked)}
    return [(address, environment.planned(ASKERS[1]).fqdn) for address in families.values()]


def start_page() -> list[Page]:
    """The start page in both families, over the WAN, as often as one address may ask."""
    return [
        Page(address=address, host=name, port=port, every=0.25) for address, name, port in _asked_at("start")
    ]


def download() -> list[Page]:
    """An index of packages in both families, as fast as it comes."""
    (record,) = (s for s in environment.environment().sources.catalogue.services if s.id == "packages")
    return [
        Page(address=address, host=name, port=port, path=record.care["probe"]["path"])
        for address, name, port in _asked_at("packages")
    ]


def _asked_at(identifier: str) -> list[tuple[str, str, int]]:
    service = next(s for s in environment.plan().services if s.id == identifier)
    addresses = (service.addresses4[0], service.addresses6[0])
    return [(str(address), service.names[0], service.ports[0].number) for address in addresses]


def survivors(off: str) -> list[str]:
    """Border routers with power that carry the addresses."""
    vip = next(str(vip.ip) for i in environment.planned(off).interfaces for vip in i.vips)
    on = [edge for edge in EDGES if edge != off]
    return [
        edge for edge in on if f"{vip}/" in batch(machine(edge), {"own": "ip -brief address show"})["own"]
    ]
