"""Planned rules as rules of nftables."""

from __future__ import annotations

from typing import Any

import pytest

from province.ansible.nftables import came, counter_name, counters, held, statements

BASE: dict[str, Any] = {"flow": "staff-web", "protocol": "tcp", "ports": [80]}
TAIL = 'counter name "flow_staff_web" accept comment "staff-web"'

CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "anywhere, both families": ({}, [f"tcp dport 80 {TAIL}"]),
    "empty lists are anywhere": (
        {"source4": [], "source6": [], "destination4": [], "destination6": []},
        [f"tcp dport 80 {TAIL}"],
    ),
    "both families named": (
        {"source4": ["10.0.0.0/8"], "source6": ["fd00::/8"], "in": "wan"},
        [
            f'iifname "wan" ip saddr 10.0.0.0/8 tcp dport 80 {TAIL}',
            f'iifname "wan" ip6 saddr fd00::/8 tcp dport 80 {TAIL}',
        ],
    ),
    "one family named is not the other one from anywhere": (
        {"source4": ["10.0.0.0/8"], "source6": []},
        [f"ip saddr 10.0.0.0/8 tcp dport 80 {TAIL}"],
    ),
    "source of both, destination anywhere": (
        {"source4": ["10.0.0.1/32"], "source6": ["fd00::1/128"], "destination4": [], "destination6": []},
        [f"ip saddr 10.0.0.1/32 tcp dport 80 {TAIL}", f"ip6 saddr fd00::1/128 tcp dport 80 {TAIL}"],
    ),
    "several networks and ports": (
        {"destination4": ["10.1.0.0/16", "10.2.0.0/16"], "ports": [443, 80, 80], "out": "dmz"},
        [f'oifname "dmz" ip daddr {{ 10.1.0.0/16, 10.2.0.0/16 }} tcp dport {{ 80, 443 }} {TAIL}'],
    ),
    "a named set": ({"source4": ["@units4"]}, [f"ip saddr @units4 tcp dport 80 {TAIL}"]),
    "so many connections of one source": (
        {"source4": ["10.0.0.0/8"], "source6": ["fd00::/8"], "connections": 20},
        [
            f"ip saddr 10.0.0.0/8 tcp dport 80 add @held_staff_web_tcp4 {{ ip saddr ct count 20 }} {TAIL}",
            'ip saddr 10.0.0.0/8 tcp dport 80 goto beyond comment "beyond: staff-web"',
            f"ip6 saddr fd00::/8 tcp dport 80 add @held_staff_web_tcp6 {{ ip6 saddr ct count 20 }} {TAIL}",
            'ip6 saddr fd00::/8 tcp dport 80 goto beyond comment "beyond: staff-web"',
        ],
    ),
    "so many connections from anywhere, each family by itself": (
        {"protocol": "udp", "connections": 20},
        [
            f"meta nfproto ipv4 udp dport 80 add @held_staff_web_udp4 {{ ip saddr ct count 20 }} {TAIL}",
            'meta nfproto ipv4 udp dport 80 goto beyond comment "beyond: staff-web"',
            f"meta nfproto ipv6 udp dport 80 add @held_staff_web_udp6 {{ ip6 saddr ct count 20 }} {TAIL}",
            'meta nfproto ipv6 udp dport 80 goto beyond comment "beyond: staff-web"',
        ],
    ),
    "echo in one family": (
        {"protocol": "icmp", "ports": [], "source6": ["fd00::/8"]},
        [f"ip6 saddr fd00::/8 icmpv6 type echo-request {TAIL}"],
    ),
    "echo from anywhere": (
        {"protocol": "icmp", "ports": []},
        [f"icmp type echo-request {TAIL}", f"icmpv6 type echo-request {TAIL}"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_planned_rule_is_written_as(case: str) -> None:
    narrowed, wanted = CASES[case]
    assert statements({**BASE, **narrowed}) == wanted


def test_a_flow_has_one_counter_whatever_the_number_of_its_rules() -> None:
    assert counters([BASE, {**BASE, "protocol": "udp"}, {**BASE, "flow": "a"}]) == [
        "flow_a",
        "flow_staff_web",
    ]


def test_a_flow_counts_a_source_once_by_whatever_way_it_comes() -> None:
    limited = {**BASE, "connections": 20}
    assert held([BASE]) == []
    assert held([limited, {**limited, "in": "lan", "ports": [443]}, BASE]) == [
        {"name": "held_staff_web_tcp4", "family": "4"},
        {"name": "held_staff_web_tcp6", "family": "6"},
    ]


def test_names_of_counters_are_names_for_nft() -> None:
    assert counter_name("hub:bgp.v6-units") == "flow_hub_bgp_v6_units"


DOMAINS = [{"name": "party", "table": 1001, "interfaces": ["ptrans"]}]


def test_what_comes_out_of_a_routing_domain_is_known_by_its_device_and_by_the_interface() -> None:
    assert came("ptrans", DOMAINS) == 'iifname "party" meta sdifname "ptrans"'
    assert came("trans", DOMAINS) == 'iifname "trans"'
    assert came("ptrans") == 'iifname "ptrans"'
    rule = {**BASE, "in": "ptrans", "out": "srv"}
    assert statements(rule, DOMAINS) == [
        f'iifname "party" meta sdifname "ptrans" oifname "srv" tcp dport 80 {TAIL}'
    ]


def test_what_goes_into_a_routing_domain_is_known_by_the_interface_alone() -> None:
    assert statements({**BASE, "in": "srv", "out": "ptrans"}, DOMAINS) == [
        f'iifname "srv" oifname "ptrans" tcp dport 80 {TAIL}'
    ]
