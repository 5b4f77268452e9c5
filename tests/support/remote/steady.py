"""Asks the same again and again at a steady pace, until standard input is closed. Standard library only.

Standard input: one line of JSON, `{"every": seconds, "names": [{"address", "name"}], "pages": [{"address",
"host", "port", "path", "every"}]}`. Each entry of `names` is a DNS question over UDP, from one port, at that
pace; each entry of `pages` is one TCP connection over which one page is fetched again and again, at a pace of
its own, and compared with the first.

Prints `{"ready": true}` when each was answered once, and at the end `{"names": [{"address", "asked":
[seconds…], "answered": [indexes…]}], "pages": [{"address", "fetched": count, "bytes", "longest": seconds,
"error": text}]}`; seconds are since the start.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import struct
import sys
import threading
import time
from typing import Any

PATIENCE = 30.0  # seconds a page may take: longer than any fail-over
START = time.monotonic()


def now() -> float:
    """Seconds since the start."""
    return time.monotonic() - START


def question(number: int, name: str) -> bytes:
    """A DNS question for an address of `name`."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\x00\x00\x01\x00\x01"


class Names(threading.Thread):
    """One resolver, asked at a steady pace from one port."""

    def __init__(self, address: str, name: str, every: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect((address, 53))
        self.socket.setblocking(False)
        self.address, self.name_, self.every, self.stop = address, name, every, stop
        self.asked: list[float] = []
        self.answered: set[int] = set()
        self.first = threading.Event()

    def run(self) -> None:
        """Ask and listen until told to stop, then listen a little longer."""
        due = now()
        while not self.stop.is_set():
            self.listen(max(0.0, due - now()))
            if now() >= due:
                number = len(self.asked)
                self.asked.append(round(now(), 4))
                with contextlib.suppress(OSError):  # no way there at this moment: it stays unanswered
                    self.socket.send(question(number, self.name_))
                due += self.every
                due = max(due, now() - 1)  # a process that was held up does not ask a hundred times at once
        self.listen(1.0)

    def listen(self, seconds: float) -> None:
        """Take answers for so long."""
        end = now() + seconds
        while True:
            ready, _, _ = select.select([self.socket], [], [], max(0.0, end - now()))
            if not ready:
                return
            try:
                answer = self.socket.recv(4096)
            except OSError:
                continue  # an error that came back for an earlier question
            (low,) = struct.unpack("!H", answer[:2])
            known = len(self.asked)
            # The number has 16 bits: the latest question that ends in it.
            number = known - 1 - ((known - 1 - low) & 0xFFFF)
            self.answered.add(number)
            self.first.set()

    def result(self) -> dict[str, Any]:
        """What was asked and what came."""
        return {"address": self.address, "asked": self.asked, "answered": sorted(self.answered)}


class Page(threading.Thread):
    """One connection, one page again and again."""

    def __init__(self, entry: dict[str, Any], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.address, self.every, self.stop = entry["address"], float(entry["every"]), stop
        self.connection = http.client.HTTPConnection(self.address, int(entry["port"]), timeout=PATIENCE)
        self.host, self.path = entry["host"], entry["path"]
        self.fetched, self.bytes, self.longest, self.error = 0, 0, 0.0, ""
        self.first = threading.Event()

    def run(self) -> None:
        """Fetch until told to stop; a closed or changed answer is an error, and the end."""
        wanted = b""
        try:
            self.connection.connect()
            made = self.connection.sock
            while not self.stop.is_set():
                begun = now()
                self.connection.request("GET", self.path, headers={"Host": self.host})
                answer = self.connection.getresponse()
                body = answer.read()
                if answer.status != 200 or (wanted and body != wanted):
                    raise ValueError(f"status {answer.status}, {len(body)} bytes")
                if self.connection.sock is not made:
                    raise ValueError("the connection was closed")
                wanted = body
                self.fetched += 1
                self.bytes += len(body)
                self.longest = max(self.longest, now() - begun)
                self.first.set()
                self.stop.wait(self.every)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.error = f"{type(error).__name__}: {error} after {self.fetched}"
            self.first.set()

    def result(self) -> dict[str, Any]:
        """How it went."""
        return {
            "address": self.address,
            "fetched": self.fetched,
            "bytes": self.bytes,
            "longest": round(self.longest, 3),
            "error": self.error,
        }


def main() -> None:
    """Ask until standard input ends."""
    request = json.loads(sys.stdin.readline())
    stop = threading.Event()
    every = float(request["every"])
    names = [Names(entry["address"], entry["name"], every, stop) for entry in request.get("names", [])]
    pages = [Page(entry, stop) for entry in request.get("pages", [])]
    asking: list[Names | Page] = [*names, *pages]
    for thread in asking:
        thread.start()
    waited = [thread.first.wait(15) for thread in asking]
    print(json.dumps({"ready": all(waited)}), flush=True)  # noqa: T201 - the answer
    sys.stdin.read()
    stop.set()
    for thread in asking:
        thread.join(PATIENCE + 5)
    print(json.dumps({"names": [n.result() for n in names], "pages": [p.result() for p in pages]}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
