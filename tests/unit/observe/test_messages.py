"""DNS and NTP messages that no healthy server sends, and the questions we send."""

from __future__ import annotations

import pytest

from province.observe import dns, ntp


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        bytes.fromhex("505285000001000100000001026e7307"),
        b"PR\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",
    ],
    ids=["empty", "half a header", "half a name", "a name that points at itself"],
)
def test_a_broken_dns_message_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match="DNS message"):
        dns.response(packet)


def test_a_short_ntp_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="48 bytes, this one 12"):
        ntp.reply(bytes(12))


def test_an_unsynchronised_server_is_not_usable() -> None:
    """Leap 3 means: do not set your clock by me."""
    assert not ntp.reply(bytes([0b11_100_100, 0]) + bytes(46)).usable


def test_a_question_carries_the_name_as_labels() -> None:
    assert b"\5start\7example\2vn\0\0\x1c\0\1" in dns.question("start.example.vn.", "AAAA")
    assert dns.encoded(".") == b"\0"
