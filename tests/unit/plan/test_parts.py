"""Arithmetic and ways of the plan, each by itself: what no whole plan happens to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from province.plan import addressing
from province.plan.addressing import alone, merged, number_of, text_of
from province.plan.flows import ways
from province.plan.model import (
    Interface,
    Record,
    Segment,
    Zone,
    new_interface,
    new_record,
    new_segment,
)
from province.register.catalogue import Catalogue, Flow, Side
from province.sources import load_sources
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_sources(ROOT / "inventories/registers/dien-bien").catalogue


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["10.0.0.0/24", "10.0.0.7/32"], ["10.0.0.0/24"]),
        (["10.0.0.255/32", "10.0.0.0/24", "10.0.0.0/32"], ["10.0.0.0/24"]),
        (["10.0.0.0/16", "10.0.0.0/24", "10.0.9.0/24", "10.1.0.0/24"], ["10.0.0.0/16", "10.1.0.0/24"]),
        (["10.0.1.0/24", "10.0.0.0/24", "10.0.1.0/24"], ["10.0.0.0/24", "10.0.1.0/24"]),
        (["fd00::/64", "fd00::1/128", "fd00:0:0:1::/64"], ["fd00::/64", "fd00:0:0:1::/64"]),
        ([], []),
    ],
)
def test_merging_drops_what_others_contain_and_joins_no_neighbours(
    texts: list[str], wanted: list[str]
) -> None:
    networks = [IPNetwork(text) for text in texts]
    version = networks[0].version if networks else 4
    made = merged(((network.first, network.prefixlen) for network in networks), version)
    assert [str(network) for network in made] == wanted


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((4, 6)), st.data())
def test_what_is_made_from_numbers_is_what_netaddr_makes(version: Literal[4, 6], data: st.DataObject) -> None:
    """Not by its constructor, for speed: equal in all that a network or an address can be asked."""
    width = 32 if version == 4 else 128
    number, prefix = data.draw(st.integers(0, 2**width - 1)), data.draw(st.integers(0, width))
    made, wanted = addressing.network(number, prefix, version), IPNetwork((number, prefix), version=version)
    assert made == wanted
    assert hash(made) == hash(wanted)
    assert (str(made), repr(made), made.version) == (str(wanted), repr(wanted), wanted.version)
    assert (made.first, made.last, made.prefixlen) == (wanted.first, wanted.last, wanted.prefixlen)
    assert (made.ip, made.cidr, made.sort_key()) == (wanted.ip, wanted.cidr, wanted.sort_key())
    one, other = addressing.address(number, version), IPAddress(number, version)
    assert one == other
    assert (hash(one), repr(one), int(one), one.version) == (
        hash(other), repr(other), int(other), other.version
    )  # fmt: skip
    assert text_of(number, version) == str(other)
    assert number_of(made) == number_of(one) == number
    assert str(alone(one)) == str(alone(made)) == f"{other}/{width}"


@pytest.mark.parametrize(
    ("kind", "make"), [(Segment, new_segment), (Interface, new_interface), (Record, new_record)]
)
def test_what_is_made_by_position_is_what_the_class_makes(kind: type[Any], make: Callable[..., Any]) -> None:
    names = [field.name for field in fields(kind)]
    made, wanted = make(*names), kind(**{name: name for name in names})
    assert type(made) is kind
    assert (made, hash(made), repr(made)) == (wanted, hash(wanted), repr(wanted))
    assert replace(made, **{names[0]: "x"}) == replace(wanted, **{names[0]: "x"})
    with pytest.raises(FrozenInstanceError):
        setattr(made, names[0], "x")
    with pytest.raises(TypeError):
        make(*names[1:])


def flow(machine: str) -> Flow:
    """From the transit network down to the staff of units."""
    return Flow(
        id="down",
        source=Side(zone=Zone.INTERNAL, at="centre", segments=("trans",), machine=machine),
        destination=Side(zone=Zone.INTERNAL, at="unit", segments=("staff",), machine="workstation"),
        services=("dns",),
        applications=False,
        same_segment=False,
        reason="A test",
        owner="network",
    )


def test_a_router_that_is_an_end_of_a_flow_does_not_forward_it(catalogue: Catalogue) -> None:
    """It would be asked for a rule for packets it sends or receives itself, by another interface."""
    pair = (("centre", "trans"), ("unit", "staff"))
    found = ways(catalogue, flow("edge"))[pair]
    assert found is not None
    assert [hop.machine for hop in found] == ["hub", "unit_gateway"]
    assert ways(catalogue, flow("hub"))[pair] is None
    answered = replace(flow("edge"), destination=replace(flow("edge").destination, machine=""))
    assert ways(catalogue, answered)[pair] == found
    # Who answers may be known by the service alone.
    assert ways(catalogue, answered, "unit_gateway")[pair] is None


def test_every_planned_address_lies_in_its_segment_between_the_first_and_the_last() -> None:
    """Also in the smallest block: an address outside would be somebody else's."""
    plan = load_sources(ROOT / "inventories/registers/dien-bien").plan()
    segments = {segment.id: segment for segment in plan.segments}
    for host in plan.hosts:
        for interface in host.interfaces:
            segment = segments[interface.segment]
            for address in (*interface.addresses, *interface.vips):
                network = segment.network4 if address.version == 4 else segment.network6
                assert network.first < int(address.ip) < network.last, (host.name, interface.name)
