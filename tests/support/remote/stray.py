"""Send UDP packets straight into a device, past routes and rules. Standard library only, runs on a host.

Standard input: one line of JSON, `{device, count, packets: [{source, destination, from, port}]}`.
Standard output: JSON, the number of packets that went out.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
from typing import Any

PAYLOAD = b"province-stray"
KIND = {4: 0x0800, 6: 0x86DD}


def checksum(data: bytes) -> int:
    """The sum of IP and UDP (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def packet(source: str, destination: str, begin: int, port: int) -> tuple[int, bytes]:
    """A UDP packet with its IP header, and the version of it."""
    one, other = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    length = 8 + len(PAYLOAD)
    pseudo = one.packed + other.packed + struct.pack("!IHBB" if one.version == 6 else "!BBH", *(
        (length, 0, 0, 17) if one.version == 6 else (0, 17, length)
    ))  # fmt: skip
    udp = struct.pack("!HHHH", begin, port, length, 0)
    udp = struct.pack("!HHHH", begin, port, length, checksum(pseudo + udp + PAYLOAD) or 0xFFFF) + PAYLOAD
    if one.version == 6:
        return 6, struct.pack("!IHBB", 6 << 28, length, 17, 64) + one.packed + other.packed + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + one.packed + other.packed
    return 4, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def send(asked: dict[str, Any]) -> int:
    """Send each packet as often as asked."""
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as out:
        for one in asked["packets"]:
            # Each from a port of its own: packets of one conversation are joined on their way.
            for begin in range(one["from"], one["from"] + asked["count"]):
                version, data = packet(one["source"], one["destination"], begin, one["port"])
                out.sendto(data, (asked["device"], KIND[version]))
                sent += 1
    return sent


if __name__ == "__main__":
    json.dump(send(json.loads(sys.stdin.readline())), sys.stdout)
