"""Addresses written by hand: the plan must agree with arithmetic done on paper.

10.64.1.0/24 is block 1 of 10.64.0.0/12 in /24 blocks; half of it is the staff's, an eighth each the
counter's, the meeting room's and the guests', a sixteenth each for management and tunnels. The same
fractions hold in a department's /22 and a hospital's /21. Pairs: .n is the pair's, .n+1 and .n+2 its
members'.
"""

from __future__ import annotations

from functools import cache

import pytest

from province.plan.model import Plan, PlannedHost
from province.sources import load_sources
from tests.support.repository import ROOT


@cache
def plan() -> Plan:
    return load_sources(ROOT / "inventories/registers/dien-bien").plan()


def host(name: str) -> PlannedHost:
    return next(host for host in plan().hosts if host.name == name)


# Segment: IPv4, IPv6 and the gateway's last part in both.
UNITS = {
    "phuong-dien-bien-phu": {
        "prefixes": ("10.64.1.0/24", "fdfd:1475:4940:100::/56"),
        "asn": 4200400001,
        "staff": ("10.64.1.0/25", "fdfd:1475:4940:101::/64", "10.64.1.1", "fdfd:1475:4940:101::1"),
        "count": ("10.64.1.128/27", "fdfd:1475:4940:102::/64", "10.64.1.129", "fdfd:1475:4940:102::1"),
        "meet": ("10.64.1.160/27", "fdfd:1475:4940:103::/64", "10.64.1.161", "fdfd:1475:4940:103::1"),
        "guest": ("10.64.1.192/27", "fdfd:1475:4940:104::/64", "10.64.1.193", "fdfd:1475:4940:104::1"),
        "mgmt": ("10.64.1.224/28", "fdfd:1475:4940:10e::/64", None, None),
        "tun": ("10.64.1.240/28", "fdfd:1475:4940:10f::/64", None, None),
    },
    "so-y-te": {
        "prefixes": ("10.16.48.0/22", "fdfd:1475:4910:c00::/56"),
        "asn": 4200100012,
        "staff": ("10.16.48.0/23", "fdfd:1475:4910:c01::/64", "10.16.48.1", "fdfd:1475:4910:c01::1"),
        "count": ("10.16.50.0/25", "fdfd:1475:4910:c02::/64", "10.16.50.1", "fdfd:1475:4910:c02::1"),
        "meet": ("10.16.50.128/25", "fdfd:1475:4910:c03::/64", "10.16.50.129", "fdfd:1475:4910:c03::1"),
        "guest": ("10.16.51.0/25", "fdfd:1475:4910:c04::/64", "10.16.51.1", "fdfd:1475:4910:c04::1"),
        "mgmt": ("10.16.51.128/26", "fdfd:1475:4910:c0e::/64", None, None),
        "tun": ("10.16.51.192/26", "fdfd:1475:4910:c0f::/64", None, None),
    },
    "benh-vien-da-khoa-tinh-dien-bien": {
        "prefixes": ("10.24.8.0/21", "fdfd:1475:4930:100::/56"),
        "asn": 4200300001,
        "staff": ("10.24.8.0/22", "fdfd:1475:4930:101::/64", "10.24.8.1", "fdfd:1475:4930:101::1"),
        "count": ("10.24.12.0/24", "fdfd:1475:4930:102::/64", "10.24.12.1", "fdfd:1475:4930:102::1"),
        "meet": ("10.24.13.0/24", "fdfd:1475:4930:103::/64", "10.24.13.1", "fdfd:1475:4930:103::1"),
        "guest": ("10.24.14.0/24", "fdfd:1475:4930:104::/64", "10.24.14.1", "fdfd:1475:4930:104::1"),
        "mgmt": ("10.24.15.0/25", "fdfd:1475:4930:10e::/64", None, None),
        "tun": ("10.24.15.128/25", "fdfd:1475:4930:10f::/64", None, None),
    },
}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_the_addresses_of_its_index(name: str) -> None:
    unit = next(unit for unit in plan().units if unit.id == name)

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    found: dict[str, object] = {
        "prefixes": (str(unit.prefix4), str(unit.prefix6)),
        "asn": unit.asn,
    }
    for s in unit.segments:
        found[s.name] = (text(s.network4), text(s.network6), text(s.gateway4), text(s.gateway6))
    assert found == UNITS[name]


# Host: interface → (own addresses, the pair's).
HOSTS: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "edge-1": {
        "mgmt": (["10.0.1.2/24", "fdfd:1475:4900:1::2/64"], []),
        "trans": (["10.0.10.2/24", "fdfd:1475:4900:a::2/64"], ["10.0.10.1/32", "fdfd:1475:4900:a::1/128"]),
        "dmz": (["10.0.20.2/24", "fdfd:1475:4900:14::2/64"], ["10.0.20.1/32", "fdfd:1475:4900:14::1/128"]),
        "srv": (["10.0.30.2/24", "fdfd:1475:4900:1e::2/64"], ["10.0.30.1/32", "fdfd:1475:4900:1e::1/128"]),
        "db": (["10.0.40.2/24", "fdfd:1475:4900:28::2/64"], ["10.0.40.1/32", "fdfd:1475:4900:28::1/128"]),
        "conf": (["10.0.50.2/24", "fdfd:1475:4900:32::2/64"], ["10.0.50.1/32", "fdfd:1475:4900:32::1/128"]),
    },
    "hub-1": {
        "mgmt": (["10.0.1.12/24", "fdfd:1475:4900:1::c/64"], []),
        "trans": (["10.0.10.12/24", "fdfd:1475:4900:a::c/64"], []),
        "wan": (["100.64.0.2/30", "2001:db8::2/64"], []),
        "wg0": (["10.0.62.12/32", "fdfd:1475:4900:3e::c/128"], []),
    },
    "hub-2": {
        "mgmt": (["10.0.1.13/24", "fdfd:1475:4900:1::d/64"], []),
        "trans": (["10.0.10.13/24", "fdfd:1475:4900:a::d/64"], []),
        "wan": (["100.64.0.6/30", "2001:db8:0:1::2/64"], []),
        "wg0": (["10.0.62.13/32", "fdfd:1475:4900:3e::d/128"], []),
    },
    "resolver-2": {
        "mgmt": (["10.0.1.33/24", "fdfd:1475:4900:1::21/64"], []),
        "srv": (["10.0.30.33/24", "fdfd:1475:4900:1e::21/64"], []),
    },
    "mirror-1": {
        "mgmt": (["10.0.1.42/24", "fdfd:1475:4900:1::2a/64"], []),
        "srv": (
            ["10.0.30.42/24", "fdfd:1475:4900:1e::2a/64"],
            ["10.0.30.41/32", "fdfd:1475:4900:1e::29/128"],
        ),
        "upl": (["10.0.60.42/24", "fdfd:1475:4900:3c::2a/64"], []),
    },
    "controller": {"mgmt": (["10.0.1.250/24", "fdfd:1475:4900:1::fa/64"], [])},
    "phuong-dien-bien-phu-cpe-1": {
        "wan": (["100.68.0.10/30", "2001:db8:4:2::2/64"], []),
        "staff": (["10.64.1.1/25", "fdfd:1475:4940:101::1/64"], []),
        "count": (["10.64.1.129/27", "fdfd:1475:4940:102::1/64"], []),
        "meet": (["10.64.1.161/27", "fdfd:1475:4940:103::1/64"], []),
        "guest": (["10.64.1.193/27", "fdfd:1475:4940:104::1/64"], []),
        "mgmt": (["10.64.1.225/28", "fdfd:1475:4940:10e::1/64"], []),
        "wg-hub1": (["10.64.1.241/32", "fdfd:1475:4940:10f::1/128"], []),
        "wg-hub2": (["10.64.1.242/32", "fdfd:1475:4940:10f::2/128"], []),
    },
    "phuong-dien-bien-phu-pc-1": {
        "staff": ([], []),
        "mgmt": (["10.64.1.228/28", "fdfd:1475:4940:10e::4/64"], []),
    },
    # The twelfth index has lines 24 and 25 of its pool.
    "so-y-te-cpe-1": {
        "wan": (["100.65.0.98/30", "2001:db8:1:18::2/64"], []),
        "staff": (["10.16.48.1/23", "fdfd:1475:4910:c01::1/64"], []),
        "count": (["10.16.50.1/25", "fdfd:1475:4910:c02::1/64"], []),
        "meet": (["10.16.50.129/25", "fdfd:1475:4910:c03::1/64"], []),
        "guest": (["10.16.51.1/25", "fdfd:1475:4910:c04::1/64"], []),
        "mgmt": (["10.16.51.129/26", "fdfd:1475:4910:c0e::1/64"], []),
        "wg-hub1": (["10.16.51.193/32", "fdfd:1475:4910:c0f::1/128"], []),
        "wg-hub2": (["10.16.51.194/32", "fdfd:1475:4910:c0f::2/128"], []),
    },
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_stands_where_it_is_written(name: str) -> None:
    found = {i.name: ([str(a) for a in i.addresses], [str(a) for a in i.vips]) for i in host(name).interfaces}
    assert found == HOSTS[name]


def test_the_centre_has_these_hosts() -> None:
    assert [host.name for host in plan().hosts if host.owner == "centre"] == [
        "edge-1", "edge-2", "hub-1", "hub-2", "ns-1", "ns-2", "resolver-1", "resolver-2",
        "mirror-1", "mirror-2", "app-1", "app-2", "controller",
    ]  # fmt: skip


def test_names_lead_to_addresses_and_back() -> None:
    records = {(r.name, r.type, r.data) for zone in plan().dns_zones for r in zone.records}
    for wanted in [
        ("start.dienbien.gov.vn.", "A", "10.0.30.51"),
        ("start.dienbien.gov.vn.", "AAAA", "fdfd:1475:4900:1e::33"),
        ("51.30.0.10.in-addr.arpa.", "PTR", "start.dienbien.gov.vn."),
        ("dns.dienbien.gov.vn.", "A", "10.0.30.32"),
        ("dns.dienbien.gov.vn.", "A", "10.0.30.33"),
        ("edge-1.dc.dienbien.gov.vn.", "A", "10.0.10.2"),
        ("cpe-1.phuong-dien-bien-phu.dienbien.gov.vn.", "A", "10.64.1.1"),
        ("1.1.64.10.in-addr.arpa.", "PTR", "cpe-1.phuong-dien-bien-phu.dienbien.gov.vn."),
        (
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.0.0.4.9.4.5.7.4.1.d.f.d.f.ip6.arpa.",
            "PTR",
            "cpe-1.phuong-dien-bien-phu.dienbien.gov.vn.",
        ),
        ("dienbien.gov.vn.", "NS", "ns-1.dc.dienbien.gov.vn."),
    ]:
        assert wanted in records
    # Who sees a name must not learn where machines are administered.
    assert not {r for r in records if r[1] == "A" and r[2].startswith("10.0.1.")} - {
        ("controller.dc.dienbien.gov.vn.", "A", "10.0.1.250")
    }


def test_a_tunnel_has_its_ends_and_takes_only_the_units_block() -> None:
    peer = next(p for p in plan().peers if (p.unit, p.hub) == ("phuong-dien-bien-phu", "hub-2"))
    assert (str(peer.endpoint4), str(peer.endpoint6), peer.port) == ("100.64.0.6", "2001:db8:0:1::2", 51820)
    assert (str(peer.gateway_address4), str(peer.gateway_address6)) == (
        "10.64.1.242",
        "fdfd:1475:4940:10f::2",
    )
    assert (str(peer.hub_address4), str(peer.hub_address6)) == ("10.0.62.13", "fdfd:1475:4900:3e::d")
    assert (peer.gateway_interface, peer.hub_interface) == ("wg-hub2", "wg0")
    assert [str(n) for n in (*peer.allowed4, *peer.allowed6)] == ["10.64.1.0/24", "fdfd:1475:4940:100::/56"]


def test_a_flow_names_exactly_its_ends() -> None:
    flows = {flow.id: flow for flow in plan().flows}
    flow = flows["resolver-dns-authoritative"]
    assert [str(n) for n in flow.source.networks4] == ["10.0.30.32/32", "10.0.30.33/32"]
    assert [str(n) for n in flow.destination.networks4] == ["10.0.20.22/32", "10.0.20.23/32"]
    assert {(p.protocol, p.number) for p in flow.ports} == {("udp", 53), ("tcp", 53)}
    flow = flows["staff-start"]
    assert "10.64.1.0/25" in {str(n) for n in flow.source.networks4}
    assert [str(n) for n in flow.destination.networks6] == ["fdfd:1475:4900:1e::33/128"]
    assert [str(n) for n in flows["controller-management"].source.networks4] == ["10.0.1.250/32"]
