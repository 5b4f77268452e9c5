"""Asks for a lease as a machine without an address does: raw frames, under an invented hardware address.

Nothing of the host's own configuration takes part: no address, no rule. One request, one answer each.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time
from typing import Any

request = json.loads(sys.stdin.readline())
interface, within = request["interface"], request["within"]
COOKIE = bytes.fromhex("63825363")
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def checksum(data: bytes) -> int:
    """Of IPv4's head."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(kind: int, hardware: bytes, number: int, options: bytes = b"") -> bytes:
    """A broadcast from somebody who has no address yet; the answer is to be broadcast, too."""
    dhcp = struct.pack("!BBBBIHH16s16s", 1, 1, 6, 0, number, 0, 0x8000, b"", hardware) + bytes(192) + COOKIE
    dhcp += bytes([53, 1, kind]) + options + b"\xff"
    udp = struct.pack("!HHHH", 68, 67, 8 + len(dhcp), 0) + dhcp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\xff" * 6 + hardware + b"\x08\x00" + head + udp


def answer(data: bytes, number: int) -> dict[str, Any] | None:
    """What a server says to `number`: kind, address, server, or nothing."""
    if len(data) < 282 or data[12:14] != b"\x08\x00" or data[23] != 17:
        return None
    udp = data[14 + (data[14] & 15) * 4 :]
    dhcp = udp[8:]
    if udp[:4] != struct.pack("!HH", 67, 68) or dhcp[4:8] != struct.pack("!I", number):
        return None
    options: dict[int, bytes] = {}
    at = 240
    while at < len(dhcp) and dhcp[at] != 255:
        if dhcp[at]:
            options[dhcp[at]] = dhcp[at + 2 : at + 2 + dhcp[at + 1]]
            at += dhcp[at + 1]
            at += 1
        at += 1
    return {"kind": options[53][0], "address": dhcp[16:20], "server": options[54], "options": options}


def ask(
    door: socket.socket, kind: int, hardware: bytes, number: int, until: float, options: bytes = b""
) -> dict[str, Any] | None:
    """Say it every second until an answer comes; nothing after `until`."""
    wanted = {DISCOVER: OFFER, REQUEST: ACK}[kind]
    while time.monotonic() < until:
        door.send(frame(kind, hardware, number, options))
        again = time.monotonic() + 1
        while (left := again - time.monotonic()) > 0:
            door.settimeout(left)
            try:
                said = answer(door.recv(2048), number)
            except TimeoutError:
                break
            if said and said["kind"] == wanted:
                return said
    return None


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as door:
    door.bind((interface, 0))
    hardware, number = b"\x02" + os.urandom(5), int.from_bytes(os.urandom(4), "big")
    begun = time.monotonic()
    offer = ask(door, DISCOVER, hardware, number, begun + within)
    given = None
    if offer:
        wish = (
            bytes([50, 4])
            + offer["address"]
            + bytes([54, 4])
            + offer["server"]
            + bytes([55, 4, 3, 6, 42, 15])
        )
        given = ask(door, REQUEST, hardware, number, begun + within, wish)
    said: dict[str, Any] = {
        "address": "",
        "server": "",
        "seconds": time.monotonic() - begun,
        "hardware": hardware.hex(":"),
    }
    if given:
        said["address"] = socket.inet_ntoa(given["address"])
        said["server"] = socket.inet_ntoa(given["server"])
        options = given["options"]
        addresses = {"gateway": 3, "dns": 6, "ntp": 42}
        said |= {
            name: [
                socket.inet_ntoa(options.get(code, b"")[at : at + 4])
                for at in range(0, len(options.get(code, b"")), 4)
            ]
            for name, code in addresses.items()
        }
sys.stdout.write(json.dumps(said) + "\n")
