"""The reader of traces finds what a leak would look like, and nothing in what is none."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_province import PROVINCE
from tests.support.traces import leaks, more, overlaps, traces

SMALL = st.builds(
    lambda first, length: IPv4Network((first << 28, length), strict=False),
    st.integers(0, 15),
    st.integers(0, 8),
)
LONG = st.builds(
    lambda first, length: IPv6Network((first << 124, length), strict=False),
    st.integers(0, 15),
    st.integers(0, 8),
)
NETWORKS = st.lists(st.one_of(SMALL, LONG), max_size=8)
NOTHING: dict[str, dict[str, str]] = {kind: {} for kind in ("networks", "names", "words", "titles")}


@given(NETWORKS, NETWORKS)
def test_overlaps_are_found_exactly_when_some_pair_overlaps(
    one: list[IPv4Network | IPv6Network], other: list[IPv4Network | IPv6Network]
) -> None:
    pair = any(type(first) is type(second) and first.overlaps(second) for first in one for second in other)
    assert bool(overlaps(one, other)) is pair


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("address 10.1.2.3/24;", {"10.1.2.0/24"}),
        ("{ 10.1.2.3, fd00::1 }", {"10.1.2.3/32", "fd00::1/128"}),
        ("[fd00:1::]:51820", {"fd00:1::/128"}),
        ("endpoint 10.1.2.3:51820", {"10.1.2.3/32"}),
        ("::/0 ::1", {"::/0", "::1/128"}),
        ("at 12:30:45 version 1.2.3.4.5 mac aa:bb:cc:dd:ee:ff sha 1.2.3", set()),
        ('"2001:db8::/48"', {"2001:db8::/48"}),
    ],
)
def test_addresses_and_networks_are_read_out_of_texts(text: str, found: set[str]) -> None:
    empty = traces(PROVINCE, [], [])
    assert more(empty, text).networks == {ip_interface(value).network for value in found}


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("listen dns.vidu.gov.vn.", "names", {"dns.vidu.gov.vn"}),
        (
            "1.2.3.10.in-addr.arpa. 3600 PTR a.vidu.gov.vn.",
            "names",
            {"1.2.3.10.in-addr.arpa", "a.vidu.gov.vn"},
        ),
        ("rules.nft frr.service", "names", set()),
        (f"PublicKey = {'A' * 43}=", "keys", {"A" * 43 + "="}),
        ("sha256 " + "a" * 64, "keys", set()),
        ("to qtm@vidu.gov.vn,", "mailboxes", {"qtm@vidu.gov.vn"}),
        ("remote-as 4203000001", "as_numbers", {"4203000001"}),
        ("serial 142030000010", "as_numbers", set()),
    ],
)
def test_names_keys_mailboxes_and_numbers_are_read_out_of_texts(
    text: str, kind: str, found: set[str]
) -> None:
    assert getattr(more(traces(PROVINCE, [], []), text), kind) == found


def test_a_secret_is_a_leak_also_in_the_province_that_it_belongs_to() -> None:
    one = traces(PROVINCE, ["the word is sesame"], ["sesame"])
    other = traces(PROVINCE, [""], [])
    assert "secret" in leaks(one, other, {**NOTHING, "titles": {}})
