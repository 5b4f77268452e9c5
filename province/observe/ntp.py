"""NTP packets (RFC 5905): what a client sends, and what a server's answer says."""

from __future__ import annotations

import struct
from dataclasses import dataclass

EPOCH = 2_208_988_800  # seconds from 1900 to 1970
UNSYNCHRONISED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's answer; `time` in Unix seconds, `leap` 3 when its clock is not synchronised."""

    leap: int
    mode: int
    stratum: int
    time: float

    @property
    def usable(self) -> bool:
        """Whether a client may set its clock by it."""
        return self.mode == 4 and self.leap != UNSYNCHRONISED and 0 < self.stratum < 16


def request() -> bytes:
    """A client's packet, version 4, without a time of its own."""
    return b"\x23" + bytes(47)


def reply(packet: bytes) -> Reply:
    """Read a server's packet; ValueError when it is shorter than the 48 bytes of the header."""
    if len(packet) < 48:
        raise ValueError(f"an NTP packet has 48 bytes, this one {len(packet)}")
    first, stratum = packet[0], packet[1]
    seconds, fraction = struct.unpack("!II", packet[40:48])
    return Reply(leap=first >> 6, mode=first & 7, stratum=stratum, time=seconds - EPOCH + fraction / 2**32)
