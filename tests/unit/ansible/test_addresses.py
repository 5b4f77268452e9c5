"""Small questions about addresses that templates ask."""

from __future__ import annotations

import pytest

from province.ansible.addresses import ip_word, numbered


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


def test_numbers_of_a_prefix_list_stay_when_others_come_or_go() -> None:
    blocks = [f"10.{a}.{b}.0/24" for a in range(16) for b in range(256)]
    before = {block: number for number, block in numbered(blocks[::2])}
    after = {block: number for number, block in numbered(blocks)}
    assert {block: after[block] for block in before} == before
    assert len(set(after.values())) == len(blocks)
    assert all(1 <= number <= 0xFFFFFFFF for number in after.values())


def test_two_prefixes_of_one_number_get_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("province.ansible.addresses.zlib.crc32", lambda _: 0xFFFFFFFF)
    assert numbered(["10.0.0.0/8", "10.0.0.0/8", "fd00::/8"]) == [(1, "fd00::/8"), (0xFFFFFFFF, "10.0.0.0/8")]
    assert numbered([]) == []
