"""Listen on many ports until standard input ends. Runs on a host under test, standard library only.

Standard input: one line of JSON, `{seconds, sockets: [{protocol, address, port}]}`; then nothing until the
other side closes it, at the latest after `seconds`.
Standard output: one line `{bound: [...], busy: [...]}` once all are open (busy: something else listens there,
which serves a check as well), and at the end one line `{arrived: [{protocol, address, port, peer}]}`.
TCP peers get a greeting and are closed, UDP peers get their own packet back.
"""

from __future__ import annotations

import errno
import json
import selectors
import socket
import sys
import time
from typing import Any

GREETING = b"province-listener\n"


def opened(wanted: dict[str, Any]) -> socket.socket:
    """A bound socket, listening if it is TCP."""
    family = socket.AF_INET6 if ":" in wanted["address"] else socket.AF_INET
    kind = socket.SOCK_STREAM if wanted["protocol"] == "tcp" else socket.SOCK_DGRAM
    result = socket.socket(family, kind)
    if family == socket.AF_INET6:
        result.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM:
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        result.bind((wanted["address"], int(wanted["port"])))
        if kind == socket.SOCK_STREAM:
            result.listen(64)
    except OSError:
        result.close()
        raise
    result.setblocking(False)
    return result


def say(what: dict[str, Any]) -> None:
    """One line of the answer, now."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Open, say so, answer, and tell at the end who came."""
    request = json.loads(sys.stdin.readline())
    selector = selectors.DefaultSelector()
    bound: list[dict[str, Any]] = []
    busy: list[dict[str, Any]] = []
    arrived: list[dict[str, Any]] = []
    for wanted in request["sockets"]:
        try:
            selector.register(opened(wanted), selectors.EVENT_READ, wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            busy.append(wanted)
        else:
            bound.append(wanted)
    say({"bound": bound, "busy": busy})
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    deadline = time.monotonic() + float(request["seconds"])
    over = False
    while not over and time.monotonic() < deadline:
        for key, _events in selector.select(0.5):
            if key.data is None:
                over = True
                continue
            listener = key.fileobj
            assert isinstance(listener, socket.socket)
            try:
                if key.data["protocol"] == "tcp":
                    connection, peer = listener.accept()
                    connection.send(GREETING)
                    connection.close()
                else:
                    data, peer = listener.recvfrom(65536)
                    listener.sendto(data, peer)
            except OSError:
                continue  # the peer is gone again; it came all the same, but nobody can say from where
            arrived.append({**key.data, "peer": peer[0]})
    say({"arrived": arrived})


if __name__ == "__main__":
    main()
