"""DNS messages (RFC 1035), as far as the checks need them: questions out, answers in.

The checks ask with packets of their own, so that hosts need no resolver tools and hundreds of names cost
one round trip. Data is written the way zone files and the plan write it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "DNAME": 39,
    "CAA": 257,
}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
POINTER = 0xC0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Answer:
    """One record of a response; names absolute, in lower case, with the final dot; ttl in seconds."""

    name: str
    type: str
    ttl: int
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a server said; `recursion` is whether it offers it."""

    code: str
    authoritative: bool
    recursion: bool
    truncated: bool
    answers: tuple[Answer, ...]
    authority: tuple[Answer, ...]

    def data(self, kind: str) -> tuple[str, ...]:
        """The data of the answers of one type, sorted."""
        return tuple(sorted(answer.data for answer in self.answers if answer.type == kind))


def question(name: str, kind: str, recursion: bool = True, identifier: int = 0x5052) -> bytes:
    """A query for one name and type, with room for large answers (EDNS, 1,232 bytes)."""
    header = struct.pack("!HHHHHH", identifier, 0x0100 if recursion else 0, 1, 0, 0, 1)
    option = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    return header + encoded(name) + struct.pack("!HH", TYPES[kind], 1) + option


def encoded(name: str) -> bytes:
    """A name as labels; international names must come in their ASCII form."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def response(packet: bytes) -> Response:
    """Read a response; ValueError when the packet is cut short or loops."""
    try:
        _identifier, flags, asked, answers, authority, _additional = struct.unpack_from("!HHHHHH", packet)
        offset = 12
        for _ in range(asked):
            _, offset = _name(packet, offset)
            offset += 4
        first, offset = _records(packet, offset, answers)
        second, offset = _records(packet, offset, authority)
    except (IndexError, struct.error) as error:
        raise ValueError(f"not a whole DNS message: {packet.hex()}") from error
    return Response(
        code=CODES.get(flags & 15, str(flags & 15)),
        authoritative=bool(flags & 0x0400),
        recursion=bool(flags & 0x0080),
        truncated=bool(flags & 0x0200),
        answers=first,
        authority=second,
    )


def _records(packet: bytes, offset: int, count: int) -> tuple[tuple[Answer, ...], int]:
    found = []
    for _ in range(count):
        name, offset = _name(packet, offset)
        kind, _class, ttl, length = struct.unpack_from("!HHIH", packet, offset)
        offset += 10
        data = _data(packet, offset, length, NAMES.get(kind, ""))
        found.append(Answer(name=name, type=NAMES.get(kind, f"TYPE{kind}"), ttl=ttl, data=data))
        offset += length
    return tuple(found), offset


def _name(packet: bytes, offset: int) -> tuple[str, int]:
    labels: list[str] = []
    end = 0
    for _ in range(128):
        length = packet[offset]
        if length == 0:
            return ".".join([*labels, ""]).lower() or ".", end or offset + 1
        if length & POINTER == POINTER:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | packet[offset + 1]
            continue
        labels.append(packet[offset + 1 : offset + 1 + length].decode("ascii", errors="replace"))
        offset += 1 + length
    raise ValueError("a name in a DNS message that points at itself")


def _data(packet: bytes, offset: int, length: int, kind: str) -> str:
    raw = packet[offset : offset + length]
    if kind == "A":
        return str(IPv4Address(raw))
    if kind == "AAAA":
        return str(IPv6Address(raw))
    if kind in ("NS", "CNAME", "PTR", "DNAME"):
        return _name(packet, offset)[0]
    if kind == "MX":
        return f"{struct.unpack_from('!H', raw)[0]} {_name(packet, offset + 2)[0]}"
    if kind == "SRV":
        return " ".join([*map(str, struct.unpack_from("!HHH", raw)), _name(packet, offset + 6)[0]])
    if kind == "SOA":
        primary, after = _name(packet, offset)
        contact, after = _name(packet, after)
        return " ".join([primary, contact, *map(str, struct.unpack_from("!IIIII", packet, after))])
    if kind == "CAA":
        tag = raw[2 : 2 + raw[1]].decode("ascii", errors="replace")
        return f'{raw[0]} {tag} "{raw[2 + raw[1] :].decode("utf-8", errors="replace")}"'
    if kind == "TXT":
        texts, at = [], 0
        while at < len(raw):
            texts.append('"' + raw[at + 1 : at + 1 + raw[at]].decode("utf-8", errors="replace") + '"')
            at += 1 + raw[at]
        return " ".join(texts)
    return raw.hex()
