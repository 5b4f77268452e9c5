"""Light BGP neighbours: many real sessions from one process, each from an address of its own.

Enough of RFC 4271 (with RFC 4760 for IPv6 and RFC 6793 for AS numbers of four bytes) to open a session,
announce one prefix and keep it alive. `python bgp_speaker.py FILE` reads {"hub": {"4": address, "6":
address}, "members": [{"address", "asn", "prefix"}, …]}, prints `established N` when all sessions are up and
`lost ADDRESS` for each that ends, and lives until its standard input is closed. Uses the standard library
alone, so that it runs in any network namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

PORT = 179
HOLD = 90  # seconds offered; the smaller of both sides holds
KEEPALIVE_EVERY = 5.0  # seconds; a third of what routers of ours hold
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
AS_TRANS = 23456
_HEADER = 19


@dataclass(frozen=True)
class Member:
    """One neighbour: where it dials from, its AS number, what it announces."""

    address: str
    asn: int
    prefix: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return ip_address(self.address).version


def message(kind: int, body: bytes = b"") -> bytes:
    """A BGP message: marker, length, type, body."""
    return b"\xff" * 16 + struct.pack("!HB", _HEADER + len(body), kind) + body


def opening(member: Member) -> bytes:
    """OPEN with the capabilities for one family and for AS numbers of four bytes."""
    capabilities = struct.pack("!BBHBB", 1, 4, 1 if member.family == 4 else 2, 0, 1)
    capabilities += struct.pack("!BBI", 65, 4, member.asn)
    parameter = struct.pack("!BB", 2, len(capabilities)) + capabilities
    identifier = ip_address(member.address).packed[-4:]
    # An identifier is four bytes that are not nought.
    identifier = identifier if any(identifier) else b"\x01\x02\x03\x04"
    own = member.asn if member.asn < 65536 else AS_TRANS
    head = struct.pack("!BHH", 4, own, HOLD) + identifier + struct.pack("!B", len(parameter))
    return message(OPEN, head + parameter)


def announcement(member: Member) -> bytes:
    """UPDATE that announces the prefix with the member as its next hop."""
    prefix = ip_network(member.prefix)
    length = (prefix.prefixlen + 7) // 8
    reach = bytes([prefix.prefixlen]) + prefix.network_address.packed[:length]
    hop = ip_address(member.address).packed
    attributes = struct.pack("!BBBB", 0x40, 1, 1, 0)  # origin: IGP
    attributes += struct.pack("!BBBBBI", 0x40, 2, 6, 2, 1, member.asn)  # path: one sequence of one
    if prefix.version == 4:
        attributes += struct.pack("!BBB", 0x40, 3, 4) + hop
        return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + reach)
    body = struct.pack("!HBB", 2, 1, len(hop)) + hop + b"\x00" + reach
    attributes += struct.pack("!BBB", 0x80, 14, len(body)) + body
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(_HEADER)
    length, kind = struct.unpack("!HB", head[16:])
    return kind, await reader.readexactly(length - _HEADER)


async def _pause(seconds: float) -> None:
    """The protocol's own time between two dials or two signs of life."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def _session(member: Member, hub: str, up: asyncio.Queue[str]) -> None:
    """Dial until it is up, announce, and keep it alive for ever; says so when it ends."""
    family = socket.AF_INET if member.family == 4 else socket.AF_INET6
    while True:
        made = socket.socket(family, socket.SOCK_STREAM)
        writer = None
        try:
            made.setblocking(False)
            # The hub refuses packets that came from farther than one hop (RFC 5082).
            if member.family == 4:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
            else:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
            made.bind((member.address, 0))
            await asyncio.get_running_loop().sock_connect(made, (hub, PORT))
            reader, writer = await asyncio.open_connection(sock=made)
            writer.write(opening(member))
            kind, _ = await _read(reader)
            if kind != OPEN:
                raise ConnectionError(f"type {kind} instead of OPEN")
            writer.write(message(KEEPALIVE))
            kind, _ = await _read(reader)
            if kind != KEEPALIVE:
                raise ConnectionError(f"type {kind} instead of KEEPALIVE")
            writer.write(announcement(member))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            # A socket that a stream has taken over is the stream's to close.
            (writer or made).close()
            await _pause(0.2)
            continue
        break
    await up.put(f"up {member.address}")

    async def alive() -> None:
        while True:
            await _pause(KEEPALIVE_EVERY)
            writer.write(message(KEEPALIVE))
            await writer.drain()

    beating = asyncio.create_task(alive())
    try:
        while True:
            kind, body = await _read(reader)
            if kind == NOTIFICATION:
                raise ConnectionError(f"notification {body[:2].hex()}")
    except (OSError, asyncio.IncompleteReadError) as error:
        await up.put(f"lost {member.address} {error}")
    finally:
        beating.cancel()
        writer.close()


async def speak(members: list[Member], hubs: dict[str, str]) -> None:
    """Hold a session for each member until standard input is closed."""
    said: asyncio.Queue[str] = asyncio.Queue()
    tasks = [asyncio.create_task(_session(m, hubs[str(m.family)], said)) for m in members]

    async def tell() -> None:
        up = 0
        while True:
            word = await said.get()
            if word.startswith("up"):
                up += 1
                if up == len(members):
                    print(f"established {up}", flush=True)  # noqa: T201 - for who started it
            else:
                print(word, flush=True)  # noqa: T201 - for who started it

    telling = asyncio.create_task(tell())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in (*tasks, telling):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, telling)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(speak([Member(**member) for member in given["members"]], given["hub"]))
