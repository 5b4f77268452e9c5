"""The life of units in the plan: given blocks, former names, heirs, members that a province has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from netaddr import IPNetwork

from province.plan.as_json import as_json
from province.plan.build import make_plan
from province.plan.model import Plan, PlannedUnit
from province.register.model import Alias, Link, Register
from province.sources import Sources, load_sources
from tests.support.repository import ROOT

ONE, TWO = "phuong-dien-bien-phu", "phuong-muong-lay"


@cache
def sources() -> Sources:
    return load_sources(ROOT / "inventories/registers/dien-bien")


def register(**changes: Mapping[str, Any]) -> Register:
    """Điện Biên with other fields for some units, by id with underscores."""
    by_id = {name.replace("_", "-"): fields for name, fields in changes.items()}
    base = sources().register
    assert by_id.keys() <= {unit.id for unit in base.units}
    return replace(base, units=tuple(replace(unit, **by_id.get(unit.id, {})) for unit in base.units))


def plan(given: Register) -> Plan:
    return make_plan(given, sources().catalogue, sources().apps)


def unit(made: Plan, name: str) -> PlannedUnit:
    return next(unit for unit in made.units if unit.id == name)


def zone(made: Plan, name: str) -> list[tuple[str, str, str]]:
    """The records of a zone that are not its authority."""
    found = next(zone for zone in made.dns_zones if zone.name == name)
    return [(r.name, r.type, r.data) for r in found.records if r.type != "NS"]


GIVEN: dict[str, Any] = {
    "assigned4": IPNetwork("203.0.112.0/23"),
    "assigned6": IPNetwork("2001:db8:f000:500::/56"),
}
CLOSED: dict[str, Any] = {"state": "closed", "closed": "2026-07-01"}


def test_a_block_given_from_outside_takes_the_place_of_that_of_the_index_and_moves_nobody_else() -> None:
    before, after = plan(register()), plan(register(phuong_muong_lay=GIVEN))
    told = unit(after, TWO)
    assert (str(told.prefix4), str(told.prefix6)) == ("203.0.112.0/23", "2001:db8:f000:500::/56")
    # The same shares as of a block of the pool, whatever its size: half, an eighth, a sixteenth.
    cut = {s.name: (str(s.network4), str(s.network6)) for s in told.segments}
    assert cut["staff"] == ("203.0.112.0/24", "2001:db8:f000:501::/64")
    assert cut["count"] == ("203.0.113.0/26", "2001:db8:f000:502::/64")
    assert cut["tun"] == ("203.0.113.224/27", "2001:db8:f000:50f::/64")
    gateway = next(host for host in after.hosts if host.name == f"{TWO}-cpe-1")
    assert [str(a) for i in gateway.interfaces if i.name == "wg-hub2" for a in i.addresses] == [
        "203.0.113.226/32",
        "2001:db8:f000:50f::2/128",
    ]
    peers = [peer for peer in after.peers if peer.unit == TWO]
    assert {str(n) for peer in peers for n in (*peer.allowed4, *peer.allowed6)} == {
        "203.0.112.0/23",
        "2001:db8:f000:500::/56",
    }
    assert [u for u in after.units if u.id != TWO] == [u for u in before.units if u.id != TWO]
    # Its number as a router is still that of its index.
    assert told.asn == unit(before, TWO).asn


def test_addresses_outside_the_pools_have_reverse_zones_of_their_own() -> None:
    made = plan(register(phuong_muong_lay=GIVEN))
    name = f"cpe-1.{TWO}.dienbien.gov.vn."
    assert zone(made, "112.0.203.in-addr.arpa") == [("1.112.0.203.in-addr.arpa.", "PTR", name)]
    assert zone(made, "113.0.203.in-addr.arpa") == []
    six = "5.0.0.0.0.f.8.b.d.0.1.0.0.2.ip6.arpa"
    assert zone(made, six) == [(f"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.{six}.", "PTR", name)]
    # Inside a pool's zone there is no zone of its own.
    inside = plan(register(phuong_muong_lay={"assigned4": IPNetwork("10.15.240.0/24")}))
    assert [z.name for z in inside.dns_zones] == [z.name for z in plan(register()).dns_zones]
    assert ("1.240.15.10.in-addr.arpa.", "PTR", name) in zone(inside, "15.10.in-addr.arpa")


def test_a_pool_that_goes_on_elsewhere_has_its_reverse_zone_there() -> None:
    given = register()
    pools = {
        name: replace(pool, more4=(IPNetwork("172.16.8.0/22"),)) if name == "commune" else pool
        for name, pool in given.pools.items()
    }
    made = plan(replace(given, pools=pools, units=(replace(given.units[0], kind="commune", index=256),)))
    block = made.units[0].prefix4
    assert str(block) == "172.16.8.0/24"
    assert zone(made, "8.16.172.in-addr.arpa")[0][::2] == (
        "1.8.16.172.in-addr.arpa.",
        f"cpe-1.{made.units[0].id}.dienbien.gov.vn.",
    )


def test_a_province_answers_for_its_own_slot_and_for_no_more_of_10() -> None:
    names = [z.name for z in plan(register()).dns_zones if z.name.endswith("in-addr.arpa")]
    assert names == [f"{number}.10.in-addr.arpa" for number in range(12, 16)]


def test_a_block_that_went_back_is_not_a_closed_units_any_more() -> None:
    """Who it came from may have given it to another; the block of the index is nobody else's, ever."""
    closed = plan(register(phuong_muong_lay={**GIVEN, **CLOSED}))
    assert str(unit(closed, TWO).prefix4) == "203.0.112.0/23"
    returned = plan(
        register(phuong_muong_lay={**GIVEN, **CLOSED, "returned": "2026-08-01"}, phuong_dien_bien_phu=GIVEN)
    )
    assert str(unit(returned, ONE).prefix4) == "203.0.112.0/23"
    assert unit(returned, TWO).prefix4 == unit(plan(register()), TWO).prefix4


def test_a_closed_unit_lives_on_under_the_names_of_its_only_heir() -> None:
    followed = {**CLOSED, "successors": (ONE,)}
    made = plan(register(phuong_muong_lay=followed))
    dnames = [record for record in zone(made, "dienbien.gov.vn") if record[1] == "DNAME"]
    assert dnames == [(f"{TWO}.dienbien.gov.vn.", "DNAME", f"{ONE}.dienbien.gov.vn.")]
    # Nothing may stand below a name that is another's (RFC 6672), nor have an address there.
    assert [r for r in zone(made, "dienbien.gov.vn") if r[0].endswith(f".{TWO}.dienbien.gov.vn.")] == []
    divided = plan(register(phuong_muong_lay={**CLOSED, "successors": (ONE, "xa-sin-thau")}))
    assert [r for r in zone(divided, "dienbien.gov.vn") if r[1] == "DNAME"] == []


def test_the_plan_says_of_a_unit_what_the_register_says() -> None:
    alias = Alias(name="Xã Cũ", until="2026-07-01", by="merge", code="01234", unit=TWO)
    lines = (
        Link(
            access="satellite",
            bandwidth_mbps=20,
            assigned4=IPNetwork("198.51.100.4/30"),
            assigned6=IPNetwork("2001:db8:ffff:1::/64"),
        ),
        Link(access="fibre", bandwidth_mbps=100, assigned4=None, assigned6=None),
    )
    given = register(
        phuong_dien_bien_phu={
            "aliases": (alias,),
            "wave": 3,
            "level": 4,
            "services": ("dns",),
            "links": lines,
        },
        phuong_muong_lay={**CLOSED, "successors": (ONE,)},
    )
    made = plan(replace(given, control_points=(ONE,)))
    records = {entry["id"]: entry for entry in as_json(made)["units"]}
    told = records[ONE]
    assert told["aliases"] == [
        {"name": "Xã Cũ", "until": "2026-07-01", "by": "merge", "code": "01234", "unit": TWO}
    ]
    assert (told["wave"], told["level"], told["services"], told["closed"]) == (3, 4, ["dns"], None)
    assert told["links"] == [
        {
            "access": "satellite",
            "bandwidth_mbps": 20,
            "assigned4": "198.51.100.4/30",
            "assigned6": "2001:db8:ffff:1::/64",
        },
        {"access": "fibre", "bandwidth_mbps": 100, "assigned4": None, "assigned6": None},
    ]
    assert told["contacts"] == [{"role": "network_administrator", "mailbox": f"qtm.{ONE}"}]
    assert (records[TWO]["closed"], records[TWO]["successors"]) == ("2026-07-01", [ONE])
    assert as_json(made)["control_points"] == [ONE]


def test_a_member_that_a_province_does_not_have_leaves_its_addresses_free_and_moves_nobody() -> None:
    whole, single = plan(register()), plan(replace(register(), machines={"hub": {"members": 1}}))
    gone = {"hub-2"}
    assert [h.name for h in single.hosts] == [h.name for h in whole.hosts if h.name not in gone]
    government = {u.id for u in single.units if u.sphere == "government"}
    assert {(p.hub, p.preferred) for p in single.peers if p.unit in government} == {("hub-1", True)}
    before = {h.name: h for h in whole.hosts}
    spheres = {u.id: u.sphere for u in whole.units}
    for host in single.hosts:
        kept = [i for i in before[host.name].interfaces if i.name not in ("wg-hub2", "hub2")]
        if spheres.get(host.owner) == "party":
            kept = list(before[host.name].interfaces)
        assert list(host.interfaces) == kept, host.name
    # No more than the catalogue reserves, whatever is written.
    assert plan(replace(register(), machines={"controller": {"members": 2}})).hosts == whole.hosts
