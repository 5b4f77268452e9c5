"""Asks DNS questions over UDP as fast as answers come, and tells how long it took. Standard library only.

Standard input: one line of JSON, `{"address", "names": [[name, type number]…], "times", "dnssec"}`. WINDOW
questions are on their way at a time; what has no answer for a second is asked again. Standard output: one
line of JSON, `{"seconds", "cpu", "asked", "again", "bytes", "answers", "checked"}`: `cpu` are the processor's
seconds of this program, `bytes` those of all answers, `answers` how many held records, `checked` how many had
the mark (AD) of a resolver that has checked signatures.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from typing import Any

WINDOW = 50
PATIENCE = 1.0
TRIES = 5  # for one question


def question(name: str, kind: int, dnssec: bool) -> bytes:
    """A question without its number."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    option = struct.pack("!BHHIH", 0, 41, 1232, 0x8000 if dnssec else 0, 0)
    return struct.pack("!HHHHH", 0x0120, 1, 0, 0, 1) + labels + struct.pack("!BHH", 0, kind, 1) + option


def ask(line: socket.socket, given: dict[str, Any]) -> dict[str, float]:
    """Every question, so many times."""
    asked = [question(name, kind, given["dnssec"]) for name, kind in given["names"]] * given["times"]
    total, sent, again, size, answers, checked = len(asked), 0, 0, 0, 0, 0
    waiting: dict[int, int] = {}  # number on the wire to question
    tries: dict[int, int] = {}
    start, worked = time.perf_counter(), time.process_time()
    while sent < total or waiting:
        while sent < total and len(waiting) < WINDOW:
            number = sent & 0xFFFF
            if number in waiting:
                break
            waiting[number] = sent
            line.send(struct.pack("!H", number) + asked[sent])
            sent += 1
        try:
            answer = line.recv(4096)
        except TimeoutError:
            for number, which in waiting.items():
                tries[which] = tries.get(which, 0) + 1
                if tries[which] > TRIES:
                    raise SystemExit(f"no answer to {asked[which]!r}") from None
                line.send(struct.pack("!H", number) + asked[which])
                again += 1
            continue
        number, flags, _, records = struct.unpack_from("!HHHH", answer)
        if waiting.pop(number, None) is None:
            continue
        size += len(answer)
        answers += records > 0 and not flags & 0x020F
        checked += bool(flags & 0x20)
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - worked,
        "asked": total,
        "again": again,
        "bytes": size,
        "answers": answers,
        "checked": checked,
    }


def main() -> None:
    """Ask, and say how it went."""
    request = json.loads(sys.stdin.readline())
    family = socket.AF_INET6 if ":" in request["address"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.connect((request["address"], 53))
        line.settimeout(PATIENCE)
        print(json.dumps(ask(line, request)))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
