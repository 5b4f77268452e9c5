"""Small questions about addresses that templates ask."""

from __future__ import annotations

import pytest

from province.ansible.addresses import ip_word


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("10.0.0.1", "ip"),
        ("10.0.0.0/8", "ip"),
        ("fd00::1", "ipv6"),
        ("fd00::/8", "ipv6"),
        ("::ffff:10.0.0.1", "ipv6"),
    ],
)
def test_families_are_told_apart_by_the_address_itself(address: str, word: str) -> None:
    assert ip_word(address) == word
