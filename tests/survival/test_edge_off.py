"""The border routers are a pair: one without power costs tenths of a second and no connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, batch_all, machine
from tests.support.survival import Page, power_on, probing, without

EDGES = environment.in_group("edge")
# The field's word for what VRRP version 3 reaches with signs of life ten times a second, with room for a busy
# machine: the issue's own figure.
LONGEST = 0.5
# What is asked through the border router: names, by a hub and by a server of the DMZ.
ASKERS = (environment.only("hub"), environment.only("ns"))
PC = environment.only("workstation")


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Both members carry on before and after."""
    assert len(EDGES) == 2, f"{environment.name()} has no pair of border routers: members {{edge: 2}}"
    eventually(lambda: len(carriers()) == 1, within=30)
    yield
    for edge in EDGES:
        power_on(edge)
    eventually(lambda: len(carriers()) == 1, within=30)


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


@pytest.mark.requirement("tcvn-14423/5.12.2.2a-standby")
@pytest.mark.parametrize("turn", ["first", "second"])
def test_power_off_costs_half_a_second_at_most_and_no_connection(turn: str) -> None:
    """The carrier of the addresses loses its power, and its return costs no more; then the other does."""
    del turn  # the second time the other member carries them
    (carrier,) = carriers()
    with ExitStack() as stack:
        asking = [stack.enter_context(probing(machine(host), names=names())) for host in ASKERS]
        browsing = stack.enter_context(probing(machine(PC), pages=start_page()))
        loading = stack.enter_context(probing(machine(ASKERS[1]), pages=download()))
        with without(carrier):
            (other,) = eventually(lambda: survivors(carrier), within=10)
            assert other != carrier
    gaps = [gap for heard in asking for gap in heard.gaps]
    assert len(gaps) == 2 * len(ASKERS)
    for gap in gaps:
        assert 0 < gap.seconds <= LONGEST, str(gap)
    for page in (*browsing.pages, *loading.pages):
        assert page["error"] == "", page
        assert page["fetched"] > 10, page
    assert carriers() == [other], "the member that came back took over: that is a second interruption"


def survivors(off: str) -> list[str]:
    """Border routers with power that carry the addresses."""
    vip = next(str(vip.ip) for i in environment.planned(off).interfaces for vip in i.vips)
    on = [edge for edge in EDGES if edge != off]
    return [
        edge for edge in on if f"{vip}/" in batch(machine(edge), {"own": "ip -brief address show"})["own"]
    ]
