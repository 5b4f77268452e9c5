"""Send UDP packets that claim to come from somebody else. Runs on a host under test, standard library only.

Standard input: one line of JSON, a list of `{source, address, port, count, device}`, all addresses of one
family. Standard output: JSON, the number of packets handed to the kernel. Needs CAP_NET_RAW.
The IPv4 header is ours (the kernel fills the checksum in); IPv6 has no such option, so the source is bound
with IPV6_FREEBIND.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any

SO_BINDTODEVICE = 25
IPV6_FREEBIND = 78


def send4(asked: dict[str, Any]) -> int:
    """Raw packets with a header of our own; UDP without checksum, as IPv4 allows."""
    payload = b"province-spoof"
    udp = struct.pack("!HHHH", 40000, int(asked["port"]), 8 + len(payload), 0) + payload
    source, target = socket.inet_aton(asked["source"]), socket.inet_aton(asked["address"])
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, source, target)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, asked["device"].encode() + b"\0")
        return sum(raw.sendto(header + udp, (asked["address"], 0)) > 0 for _ in range(asked["count"]))


def send6(asked: dict[str, Any]) -> int:
    """Packets from an address that this host does not have."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as spoofed:
        spoofed.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, asked["device"].encode() + b"\0")
        spoofed.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        spoofed.bind((asked["source"], 0))
        target = (asked["address"], int(asked["port"]))
        return sum(spoofed.sendto(b"province-spoof", target) > 0 for _ in range(asked["count"]))


def main() -> None:
    """Send all of it and count."""
    sent = sum(
        send6(asked) if ":" in asked["address"] else send4(asked)
        for asked in json.loads(sys.stdin.readline())
    )
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main()
