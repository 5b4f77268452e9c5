"""What holds for every register: addresses never overlap, nobody moves nobody, flows have ends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPNetwork

from province.plan.build import make_plan
from province.plan.model import Plan
from province.register.model import CENTRE, Link, Register, Unit
from province.sources import Sources, load_sources
from tests.support.repository import ROOT


@cache
def sources() -> Sources:
    return load_sources(ROOT / "inventories/registers/dien-bien")


def unit(kind: str, index: int, state: str = "live", lines: int = 1) -> Unit:
    """A unit of a kind at an index."""
    return replace(
        sources().register.units[0],
        id=f"{kind.replace('_', '-')}-{index}",
        code=f"{kind}-{index}",
        index=index,
        name=f"{kind} {index}",
        kind=kind,
        sphere="party" if kind == "party_body" else "government",
        parent=None,
        state=state,
        links=tuple(
            Link(access="fibre", bandwidth_mbps=100, assigned4=None, assigned6=None) for _ in range(lines)
        ),
    )


def register(units: list[Unit]) -> Register:
    """Điện Biên's pools with other units, in the order in which a register keeps them."""
    base, kinds = sources().register, sources().catalogue.kinds
    order = list(base.pools)
    return replace(base, units=tuple(sorted(units, key=lambda u: (order.index(kinds[u.kind].pool), u.index))))


def plan(units: list[Unit]) -> Plan:
    return make_plan(register(units), sources().catalogue, sources().apps)


def capacity(kind: str) -> int:
    return sources().register.pools[sources().catalogue.kinds[kind].pool].capacity


# One kind for each pool, so that an index is unique in its pool; ends of pools are likely.
KINDS = ["commune", "district", "department", "party_body", "hospital", "school"]
PLACES = st.one_of(
    [
        st.tuples(
            st.just(kind),
            st.one_of(st.integers(0, capacity(kind) - 1), st.sampled_from([0, 1, capacity(kind) - 1])),
        )
        for kind in KINDS
    ]
)
UNITS = st.lists(
    st.builds(
        lambda place, state, lines: unit(place[0], place[1], state, lines),
        PLACES,
        st.sampled_from(["planned", "live", "closed"]),
        st.integers(1, 2),
    ),
    max_size=12,
    unique_by=lambda u: u.id,
)


def overlaps(networks: list[IPNetwork]) -> list[tuple[str, str]]:
    """Neighbours in order that share an address."""
    found = []
    for version in (4, 6):
        ordered = sorted((n for n in networks if n.version == version), key=lambda n: n.first)
        pairs = pairwise(ordered)
        found += [(str(a), str(b)) for a, b in pairs if b.first <= a.last]
    return found


@settings(max_examples=60, deadline=None)
@given(UNITS)
def test_no_two_segments_share_an_address(units: list[Unit]) -> None:
    made = plan(units)
    assert overlaps([n for s in made.segments for n in (s.network4, s.network6)]) == []
    blocks = [n for u in made.units for n in (u.prefix4, u.prefix6)]
    pool = sources().register.pools[CENTRE]
    assert overlaps([*blocks, pool.network4, pool.network6]) == []
    for u in made.units:
        for s in u.segments:
            assert s.network4 in u.prefix4
            assert s.network6 in u.prefix6


@settings(max_examples=60, deadline=None)
@given(UNITS)
def test_names_numbers_and_addresses_are_given_once(units: list[Unit]) -> None:
    made = plan(units)
    for values in (
        [h.name for h in made.hosts],
        [h.fqdn for h in made.hosts],
        [u.asn for u in made.units],
        [s.id for s in made.segments],
        [a.ip for h in made.hosts for i in h.interfaces for a in i.addresses],
        [f.id for f in made.flows],
    ):
        assert len(values) == len(set(values))
    for host in made.hosts:
        assert len(host.name) <= 63
        assert all(len(i.name) <= 15 for i in host.interfaces)
        assert len({i.name for i in host.interfaces}) == len(host.interfaces)


@settings(max_examples=60, deadline=None)
@given(UNITS, PLACES)
def test_one_more_unit_moves_nobody(units: list[Unit], place: tuple[str, int]) -> None:
    before = plan(units)
    extra = unit(*place)
    after = plan([*(u for u in units if u.id != extra.id), extra])
    kept = {u.id: u for u in before.units if u.id != extra.id}
    assert {u.id: u for u in after.units if u.id != extra.id} == kept
    hosts = {h.name: h for h in after.hosts}
    for host in before.hosts:
        if host.owner not in (extra.id, "carrier"):
            assert hosts[host.name] == host


@settings(max_examples=40, deadline=None)
@given(UNITS, st.data())
def test_closing_renaming_and_reparenting_move_nobody(units: list[Unit], data: st.DataObject) -> None:
    before = {u.id: (u.prefix4, u.prefix6, u.asn, u.segments) for u in plan(units).units}
    changed = [
        replace(
            u,
            name="Tên khác",
            code=f"{u.code}-x",
            state=data.draw(st.sampled_from(["planned", "provisioned", "live", "closed"])),
        )
        for u in units
    ]
    after = {u.id: (u.prefix4, u.prefix6, u.asn, u.segments) for u in plan(changed).units}
    assert after == before


@settings(max_examples=40, deadline=None)
@given(UNITS)
def test_every_flow_has_ends_and_every_service_a_flow(units: list[Unit]) -> None:
    first = [unit("commune", 1), unit("party_body", 1)]  # one of each sphere
    made = plan([*first, *(u for u in units if u.id not in {one.id for one in first})])
    assert made.flows
    for flow in made.flows:
        assert flow.ports
        assert flow.source.networks4
        assert flow.source.networks6
        if flow.destination.segments:
            assert flow.destination.networks4
            assert flow.destination.networks6
        else:
            assert flow.destination.zone == "border"
    assert {flow.service for flow in made.flows} == {service.id for service in made.services}


@settings(max_examples=30, deadline=None)
@given(UNITS)
def test_an_interface_stands_in_the_zone_of_its_segment_and_management_has_no_way_out(
    units: list[Unit],
) -> None:
    made = plan(units)
    zones = {s.id: s.zone for s in made.segments}
    for host in made.hosts:
        assert sum(i.default_route for i in host.interfaces) <= 1
        for interface in host.interfaces:
            assert interface.zone is zones[interface.segment]
            assert not (interface.zone == "management" and interface.default_route)


def test_closed_units_have_no_machine_and_keep_their_block() -> None:
    made = plan([unit("commune", 1), unit("commune", 2, "closed")])
    assert {h.owner for h in made.hosts} == {"centre", "commune-1", "carrier"}
    assert [str(u.prefix4) for u in made.units] == ["10.13.1.0/24", "10.13.2.0/24"]
    assert {p.unit for p in made.peers} == {"commune-1"}


def test_an_application_is_open_to_the_units_that_take_it_and_to_no_other() -> None:
    without = replace(unit("commune", 2), services=("dns", "ntp", "packages"))
    made = plan([unit("commune", 1), without])
    flow = next(flow for flow in made.flows if flow.id == "staff-start")
    assert [str(n) for n in flow.source.networks4] == ["10.13.1.0/25"]


def test_a_line_that_a_carrier_assigned_is_kept_as_it_is_given() -> None:
    line = Link(
        access="fibre",
        bandwidth_mbps=100,
        assigned4=IPNetwork("198.51.100.4/30"),
        assigned6=IPNetwork("2001:db8:ffff:1::/64"),
    )
    made = plan([replace(unit("commune", 1), links=(line,))])
    gateway = next(h for h in made.hosts if h.name == "commune-1-cpe-1")
    wan = next(i for i in gateway.interfaces if i.name == "wan")
    assert [str(a) for a in wan.addresses] == ["198.51.100.6/30", "2001:db8:ffff:1::2/64"]


def test_the_whole_country_fits_in_one_plan() -> None:
    """As many communes as there are, in one pool; how fast is the benchmarks' affair."""
    base = register([unit("commune", index) for index in range(1, 3322)])
    narrow = base.pools["commune"]
    wide = replace(
        narrow,
        more4=(IPNetwork("172.16.0.0/12"),),
        carrier4=IPNetwork("100.64.0.0/12"),
        carrier6=IPNetwork("2001:db8:4000::/40"),
        network6=IPNetwork("fdfd::/40"),
    )
    assert wide.capacity > 3321
    pools = {**base.pools, "commune": wide}
    made = make_plan(replace(base, pools=pools), sources().catalogue, sources().apps)
    assert len(made.units) == 3321
    assert len(made.peers) == 2 * 3321
    blocks = [network for u in made.units for network in (u.prefix4, u.prefix6)]
    assert overlaps(blocks) == []
    # The first network is full, the next goes on.
    first = 1 << (24 - narrow.network4.prefixlen)
    assert [str(u.prefix4) for u in made.units if u.index == first] == ["172.16.0.0/24"]
