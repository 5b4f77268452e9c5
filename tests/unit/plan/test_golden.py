"""Addresses written by hand: the plan must agree with arithmetic done on paper.

10.13.1.0/24 is block 1 of 10.13.0.0/16 in /24 blocks; half of it is the staff's, an eighth each the
counter's, the meeting room's and the guests', a sixteenth each for management and tunnels. The same
fractions hold in the /23 of a department and of a hospital. Pairs: .n is the pair's, .n+1 and .n+2 its
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
        "prefixes": ("10.13.1.0/24", "fdfd:1475:4940:100::/56"),
        "asn": 4203400001,
        "staff": ("10.13.1.0/25", "fdfd:1475:4940:101::/64", "10.13.1.1", "fdfd:1475:4940:101::1"),
        "count": ("10.13.1.128/27", "fdfd:1475:4940:102::/64", "10.13.1.129", "fdfd:1475:4940:102::1"),
        "meet": ("10.13.1.160/27", "fdfd:1475:4940:103::/64", "10.13.1.161", "fdfd:1475:4940:103::1"),
        "guest": ("10.13.1.192/27", "fdfd:1475:4940:104::/64", "10.13.1.193", "fdfd:1475:4940:104::1"),
        "mgmt": ("10.13.1.224/28", "fdfd:1475:4940:10e::/64", None, None),
        "tun": ("10.13.1.240/28", "fdfd:1475:4940:10f::/64", None, None),
    },
    "so-y-te": {
        "prefixes": ("10.12.152.0/23", "fdfd:1475:4910:c00::/56"),
        "asn": 4203100012,
        "staff": ("10.12.152.0/24", "fdfd:1475:4910:c01::/64", "10.12.152.1", "fdfd:1475:4910:c01::1"),
        "count": ("10.12.153.0/26", "fdfd:1475:4910:c02::/64", "10.12.153.1", "fdfd:1475:4910:c02::1"),
        "meet": ("10.12.153.64/26", "fdfd:1475:4910:c03::/64", "10.12.153.65", "fdfd:1475:4910:c03::1"),
        "guest": ("10.12.153.128/26", "fdfd:1475:4910:c04::/64", "10.12.153.129", "fdfd:1475:4910:c04::1"),
        "mgmt": ("10.12.153.192/27", "fdfd:1475:4910:c0e::/64", None, None),
        "tun": ("10.12.153.224/27", "fdfd:1475:4910:c0f::/64", None, None),
    },
    "benh-vien-da-khoa-tinh-dien-bien": {
        "prefixes": ("10.15.2.0/23", "fdfd:1475:4930:100::/56"),
        "asn": 4203300001,
        "staff": ("10.15.2.0/24", "fdfd:1475:4930:101::/64", "10.15.2.1", "fdfd:1475:4930:101::1"),
        "count": ("10.15.3.0/26", "fdfd:1475:4930:102::/64", "10.15.3.1", "fdfd:1475:4930:102::1"),
        "meet": ("10.15.3.64/26", "fdfd:1475:4930:103::/64", "10.15.3.65", "fdfd:1475:4930:103::1"),
        "guest": ("10.15.3.128/26", "fdfd:1475:4930:104::/64", "10.15.3.129", "fdfd:1475:4930:104::1"),
        "mgmt": ("10.15.3.192/27", "fdfd:1475:4930:10e::/64", None, None),
        "tun": ("10.15.3.224/27", "fdfd:1475:4930:10f::/64", None, None),
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
        "mgmt": (["10.12.1.2/24", "fdfd:1475:4900:1::2/64"], []),
        "trans": (["10.12.10.2/24", "fdfd:1475:4900:a::2/64"], ["10.12.10.1/32", "fdfd:1475:4900:a::1/128"]),
        "ptrans": (["10.12.11.2/24", "fdfd:1475:4900:b::2/64"], ["10.12.11.1/32", "fdfd:1475:4900:b::1/128"]),
        "dmz": (["10.12.20.2/24", "fdfd:1475:4900:14::2/64"], ["10.12.20.1/32", "fdfd:1475:4900:14::1/128"]),
        "srv": (["10.12.30.2/24", "fdfd:1475:4900:1e::2/64"], ["10.12.30.1/32", "fdfd:1475:4900:1e::1/128"]),
        "db": (["10.12.40.2/24", "fdfd:1475:4900:28::2/64"], ["10.12.40.1/32", "fdfd:1475:4900:28::1/128"]),
        "conf": (["10.12.50.2/24", "fdfd:1475:4900:32::2/64"], ["10.12.50.1/32", "fdfd:1475:4900:32::1/128"]),
    },
    "hub-1": {
        "mgmt": (["10.12.1.12/24", "fdfd:1475:4900:1::c/64"], []),
        "trans": (["10.12.10.12/24", "fdfd:1475:4900:a::c/64"], []),
        "wan": (["100.67.0.2/30", "2001:db8:300::2/64"], []),
        "wg0": (["10.12.62.12/32", "fdfd:1475:4900:3e::c/128"], []),
    },
    "hub-party-1": {
        "mgmt": (["10.12.1.15/24", "fdfd:1475:4900:1::f/64"], []),
        "ptrans": (["10.12.11.15/24", "fdfd:1475:4900:b::f/64"], []),
        "wan": (["100.67.0.10/30", "2001:db8:300:2::2/64"], []),
        "wg0": (["10.12.63.15/32", "fdfd:1475:4900:3f::f/128"], []),
    },
    "hub-2": {
        "mgmt": (["10.12.1.13/24", "fdfd:1475:4900:1::d/64"], []),
        "trans": (["10.12.10.13/24", "fdfd:1475:4900:a::d/64"], []),
        "wan": (["100.67.0.6/30", "2001:db8:300:1::2/64"], []),
        "wg0": (["10.12.62.13/32", "fdfd:1475:4900:3e::d/128"], []),
    },
    "resolver-2": {
        "mgmt": (["10.12.1.33/24", "fdfd:1475:4900:1::21/64"], []),
        "srv": (["10.12.30.33/24", "fdfd:1475:4900:1e::21/64"], []),
    },
    "mirror-1": {
        "mgmt": (["10.12.1.42/24", "fdfd:1475:4900:1::2a/64"], []),
        "srv": (
            ["10.12.30.42/24", "fdfd:1475:4900:1e::2a/64"],
            ["10.12.30.41/32", "fdfd:1475:4900:1e::29/128"],
        ),
        "upl": (["10.12.60.42/24", "fdfd:1475:4900:3c::2a/64"], []),
    },
    "controller": {"mgmt": (["10.12.1.250/24", "fdfd:1475:4900:1::fa/64"], [])},
    "phuong-dien-bien-phu-cpe-1": {
        "wan": (["100.67.64.10/30", "2001:db8:304:2::2/64"], []),
        "staff": (["10.13.1.1/25", "fdfd:1475:4940:101::1/64"], []),
        "count": (["10.13.1.129/27", "fdfd:1475:4940:102::1/64"], []),
        "meet": (["10.13.1.161/27", "fdfd:1475:4940:103::1/64"], []),
        "guest": (["10.13.1.193/27", "fdfd:1475:4940:104::1/64"], []),
        "mgmt": (["10.13.1.225/28", "fdfd:1475:4940:10e::1/64"], []),
        "wg-hub1": (["10.13.1.241/32", "fdfd:1475:4940:10f::1/128"], []),
        "wg-hub2": (["10.13.1.242/32", "fdfd:1475:4940:10f::2/128"], []),
    },
    "phuong-dien-bien-phu-pc-1": {
        "staff": ([], []),
        "mgmt": (["10.13.1.228/28", "fdfd:1475:4940:10e::4/64"], []),
    },
    # The twelfth index has lines 24 and 25 of its pool.
    "so-y-te-cpe-1": {
        "wan": (["100.67.32.98/30", "2001:db8:301:18::2/64"], []),
        "staff": (["10.12.152.1/24", "fdfd:1475:4910:c01::1/64"], []),
        "count": (["10.12.153.1/26", "fdfd:1475:4910:c02::1/64"], []),
        "meet": (["10.12.153.65/26", "fdfd:1475:4910:c03::1/64"], []),
        "guest": (["10.12.153.129/26", "fdfd:1475:4910:c04::1/64"], []),
        "mgmt": (["10.12.153.193/27", "fdfd:1475:4910:c0e::1/64"], []),
        "wg-hub1": (["10.12.153.225/32", "fdfd:1475:4910:c0f::1/128"], []),
        "wg-hub2": (["10.12.153.226/32", "fdfd:1475:4910:c0f::2/128"], []),
    },
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_stands_where_it_is_written(name: str) -> None:
    found = {i.name: ([str(a) for a in i.addresses], [str(a) for a in i.vips]) for i in host(name).interfaces}
    assert found == HOSTS[name]


def test_the_centre_has_these_hosts() -> None:
    assert [host.name for host in plan().hosts if host.owner == "centre"] == [
        "edge-1", "edge-2", "hub-1", "hub-2", "hub-party-1", "hub-party-2", "ns-1", "ns-2",
        "resolver-1", "resolver-2", "mirror-1", "mirror-2", "app-1", "app-2", "log-1", "log-2", "controller",
    ]  # fmt: skip


def test_names_lead_to_addresses_and_back() -> None:
    records = {(r.name, r.type, r.data) for zone in plan().dns_zones for r in zone.records}
    for wanted in [
        ("start.dienbien.gov.vn.", "A", "10.12.30.51"),
        ("start.dienbien.gov.vn.", "AAAA", "fdfd:1475:4900:1e::33"),
        ("51.30.12.10.in-addr.arpa.", "PTR", "start.dienbien.gov.vn."),
        ("dns.dienbien.gov.vn.", "A", "10.12.30.32"),
        ("dns.dienbien.gov.vn.", "A", "10.12.30.33"),
        ("edge-1.dc.dienbien.gov.vn.", "A", "10.12.10.2"),
        ("cpe-1.phuong-dien-bien-phu.dienbien.gov.vn.", "A", "10.13.1.1"),
        ("1.1.13.10.in-addr.arpa.", "PTR", "cpe-1.phuong-dien-bien-phu.dienbien.gov.vn."),
        (
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.0.0.4.9.4.5.7.4.1.d.f.d.f.ip6.arpa.",
            "PTR",
            "cpe-1.phuong-dien-bien-phu.dienbien.gov.vn.",
        ),
        ("dienbien.gov.vn.", "NS", "ns-1.dc.dienbien.gov.vn."),
    ]:
        assert wanted in records
    # Who sees a name must not learn where machines are administered.
    assert not {r for r in records if r[1] == "A" and r[2].startswith("10.12.1.")} - {
        ("controller.dc.dienbien.gov.vn.", "A", "10.12.1.250")
    }


def test_a_tunnel_has_its_ends_and_takes_only_the_units_block() -> None:
    peer = next(p for p in plan().peers if (p.unit, p.hub) == ("phuong-dien-bien-phu", "hub-2"))
    assert (str(peer.endpoint4), str(peer.endpoint6), peer.port) == ("100.67.0.6", "2001:db8:300:1::2", 51820)
    assert (str(peer.gateway_address4), str(peer.gateway_address6)) == (
        "10.13.1.242",
        "fdfd:1475:4940:10f::2",
    )
    assert (str(peer.hub_address4), str(peer.hub_address6)) == ("10.12.62.13", "fdfd:1475:4900:3e::d")
    assert (peer.gateway_interface, peer.hub_interface) == ("wg-hub2", "wg0")
    assert [str(n) for n in (*peer.allowed4, *peer.allowed6)] == ["10.13.1.0/24", "fdfd:1475:4940:100::/56"]


def test_a_flow_names_exactly_its_ends() -> None:
    flows = {flow.id: flow for flow in plan().flows}
    flow = flows["resolver-dns-authoritative"]
    assert [str(n) for n in flow.source.networks4] == ["10.12.30.32/32", "10.12.30.33/32"]
    assert [str(n) for n in flow.destination.networks4] == ["10.12.20.22/32", "10.12.20.23/32"]
    assert {(p.protocol, p.number) for p in flow.ports} == {("udp", 53), ("tcp", 53)}
    flow = flows["staff-start"]
    assert "10.13.1.0/25" in {str(n) for n in flow.source.networks4}
    assert [str(n) for n in flow.destination.networks6] == ["fdfd:1475:4900:1e::33/128"]
    assert [str(n) for n in flows["controller-management"].source.networks4] == ["10.12.1.250/32"]
