"""Ask many addresses at once and say what came back. Runs on a host under test, standard library only.

Standard input: one line of JSON, a list of questions
`{id, protocol: tcp|udp, address, port, device, source, transparent, payload, until, timeout}`;
`payload` is hex; `until` is connect (a TCP handshake is enough), first (the first bytes) or close (all).
`transparent` allows a source that this host does not have (CAP_NET_ADMIN): a packet that lies.
Standard output: JSON `{id: {outcome, payload, error}}`; outcome is open, refused, unreachable or timeout.
"""

from __future__ import annotations

import errno
import json
import selectors
import socket
import sys
import time
from typing import Any

SO_BINDTODEVICE = 25
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
AT_ONCE = 800  # sockets; below every default limit of open files
REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET}


class Question:
    """One conversation, from the first packet to its outcome."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.deadline = 0.0
        self.until: str = asked["until"]
        self.received = b""
        self.sent = False
        self.result: dict[str, str] | None = None
        self.socket: socket.socket | None = None

    def finish(self, outcome: str, error: str = "") -> None:
        """Settle the outcome; the first one stands."""
        if self.result is None:
            self.result = {"outcome": outcome, "payload": self.received.hex(), "error": error}
        if self.socket is not None:
            self.socket.close()

    def fail(self, number: int) -> None:
        """Settle the outcome from an error number of the system."""
        name = errno.errorcode.get(number, str(number))
        self.finish("refused" if number in REFUSED else "unreachable", name)

    def start(self) -> None:
        """Open the socket and send the first packet."""
        asked = self.asked
        self.deadline = time.monotonic() + float(asked["timeout"])
        kind = socket.SOCK_STREAM if asked["protocol"] == "tcp" else socket.SOCK_DGRAM
        family = socket.AF_INET6 if ":" in asked["address"] else socket.AF_INET
        try:
            self.socket = socket.socket(family, kind)
            self.socket.setblocking(False)
            if asked.get("device"):
                self.socket.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, asked["device"].encode() + b"\0")
            # The farthest a packet can come: routers that hear neighbours only ask for it (RFC 5082).
            if family == socket.AF_INET:
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
            else:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
            if asked.get("transparent"):
                if family == socket.AF_INET:
                    self.socket.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
                else:
                    self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
            if asked.get("source"):
                self.socket.bind((asked["source"], 0))
            number = self.socket.connect_ex((asked["address"], int(asked["port"])))
        except OSError as error:
            self.fail(error.errno or 0)
            return
        if number not in (0, errno.EINPROGRESS):
            self.fail(number)

    def writable(self) -> None:
        """Learn how the handshake ended, and send the payload."""
        assert self.socket is not None
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.fail(number)
            return
        if self.until == "connect":
            self.finish("open")
            return
        try:
            self.socket.send(bytes.fromhex(self.asked.get("payload", "")))
        except OSError as error:
            self.fail(error.errno or 0)
        self.sent = True

    def readable(self) -> None:
        """Take what came; decide whether it is enough."""
        assert self.socket is not None
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            self.fail(error.errno or 0)
            return
        self.received += data
        if self.until == "first" or not data:
            self.finish("open")


def main() -> None:
    """Ask everything, many at the same time; who does not answer costs its own timeout."""
    questions = [Question(asked) for asked in json.loads(sys.stdin.readline())]
    ahead = list(reversed(questions))
    waiting: list[Question] = []
    selector = selectors.DefaultSelector()
    while ahead or waiting:
        while ahead and len(waiting) < AT_ONCE:
            question = ahead.pop()
            question.start()
            if question.result is None:
                assert question.socket is not None
                selector.register(question.socket, selectors.EVENT_WRITE, question)
                waiting.append(question)
        for key, _events in selector.select(0.05):
            question = key.data
            # Handling may close the socket, and a closed one cannot be taken out any more.
            selector.unregister(key.fileobj)
            if question.sent:
                question.readable()
            else:
                question.writable()
            if question.result is None:
                selector.register(key.fileobj, selectors.EVENT_READ, question)
        now = time.monotonic()
        for question in waiting:
            if question.result is None and now > question.deadline:
                assert question.socket is not None
                selector.unregister(question.socket)
                # Bytes that came before the time was up are an answer, if not a whole one.
                question.finish("open" if question.received else "timeout", "ETIMEDOUT")
        waiting = [question for question in waiting if question.result is None]
    json.dump({question.asked["id"]: question.result for question in questions}, sys.stdout)


if __name__ == "__main__":
    main()
