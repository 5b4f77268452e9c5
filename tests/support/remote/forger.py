"""Answer every question for an address with one of the asker's choice, as a forged name server would.

Runs on a host under test, standard library only, until standard input ends or `seconds` are over.
Standard input: one line of JSON, `{seconds, addresses, forged}`.
Standard output: one line `{ready: true}` once it listens on UDP port 53 of all addresses, and at the end one
line `{answered: N}`.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time

A = 1


def forged(packet: bytes, address: str) -> bytes:
    """An authoritative answer to a question: the address for A, else nothing of that type."""
    end = packet.index(b"\0", 12) + 5
    (kind,) = struct.unpack_from("!H", packet, end - 4)
    answer = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 60, 4) + socket.inet_aton(address)
    lies = kind == A
    header = packet[:2] + struct.pack("!HHHHH", 0x8400, 1, int(lies), 0, 0)
    return header + packet[12:end] + (answer if lies else b"")


def main() -> None:
    """Listen, say so, lie, and tell at the end how often."""
    request = json.loads(sys.stdin.readline())
    selector = selectors.DefaultSelector()
    for address in request["addresses"]:
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((address, 53))
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, listener)
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    deadline, answered, over = time.monotonic() + float(request["seconds"]), 0, False
    while not over and time.monotonic() < deadline:
        for key, _events in selector.select(0.5):
            if key.data is None:
                over = True
                continue
            packet, peer = key.data.recvfrom(4096)
            key.data.sendto(forged(packet, request["forged"]), peer)
            answered += 1
    sys.stdout.write(json.dumps({"answered": answered}) + "\n")


if __name__ == "__main__":
    main()
