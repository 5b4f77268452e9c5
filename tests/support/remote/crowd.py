"""Fill a way with packets, and ask for the time meanwhile. Standard library only, runs on a host.

Standard input: one line of JSON, `{source, target, flood_port, octets, kbit, seconds, every}`: UDP packets of
so many octets to the flood's port at so many kilobits a second, and a question for the time (NTP) every
so many seconds. Standard output: JSON, `{sent, asked, delays}`: seconds until questions were answered.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any

# A DNS message that says it is an answer: nobody replies to it.
ANSWER = bytes([0, 0, 0x84, 0]) + bytes(8)
QUESTION = bytes([0x23]) + bytes(39)


def crowd(asked: dict[str, Any], over: threading.Event, sent: list[int]) -> None:
    """Send at a steady rate until the end, from many sockets: one alone would wait for room in the queue."""
    data = ANSWER + bytes(asked["octets"] - len(ANSWER))
    pause = (asked["octets"] + 28) * 8 / (asked["kbit"] * 1000)
    with ExitStack() as stack:
        outs = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(8)]
        for out in outs:
            out.bind((asked["source"], 0))
        due = time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            outs[sent[0] % len(outs)].sendto(data, (asked["target"], asked["flood_port"]))
            sent[0] += 1
            due += pause


def main() -> None:
    """Both at once; answers that come up to two seconds late still count."""
    asked = json.loads(sys.stdin.readline())
    begun = time.monotonic()
    ends = begun + asked["seconds"]
    sent, when, delays = [0], {}, []
    over = threading.Event()
    flood = threading.Thread(target=crowd, args=(asked, over, sent))
    if asked["kbit"]:
        flood.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((asked["source"], 0))
        out.settimeout(0.01)
        number, due = 0, begun + asked["seconds"] / 4  # the crowd is there first
        while time.monotonic() < ends + 2:
            now = time.monotonic()
            if now >= ends:
                over.set()
            if due <= now < ends:
                number += 1
                # Its own number stands where an answer repeats it.
                out.sendto(QUESTION + number.to_bytes(8, "big"), (asked["target"], 123))
                when[number] = now
                due += asked["every"]
            try:
                heard = int.from_bytes(out.recv(512)[24:32], "big")
            except TimeoutError:
                continue
            if heard in when:
                delays.append(time.monotonic() - when[heard])
    over.set()
    if asked["kbit"]:
        flood.join()
    json.dump({"sent": sent[0], "asked": number, "delays": delays}, sys.stdout)


if __name__ == "__main__":
    main()
