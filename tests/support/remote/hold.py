"""Hold many connections to one port at once, and say how many they are. Standard library only, on a host.

Standard input: one line of JSON, `{protocol: tcp|udp, source, address, port, number, payload, seconds}`; then
nothing until the other side closes it, which closes the connections. Standard output: one line of JSON,
`{open, error}`, after so many seconds or once all are open: of TCP those whose handshake ended, of UDP the
packets that were sent, one from each socket.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import sys
import time


def main() -> None:
    """Open, say how many, hold, close."""
    asked = json.loads(sys.stdin.readline())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, asked["number"] + 64), most))
    family = socket.AF_INET6 if ":" in asked["address"] else socket.AF_INET
    tcp = asked["protocol"] == "tcp"
    selector = selectors.DefaultSelector()
    held: list[socket.socket] = []
    errors: list[str] = []
    done = 0
    for number in range(asked["number"]):
        one = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind((asked["source"], 0))
        one.connect_ex((asked["address"], asked["port"]))
        held.append(one)
        if tcp:
            selector.register(one, selectors.EVENT_WRITE, one)
        else:
            one.send(bytes.fromhex(asked["payload"]))
            done += 1
            if number % 50 == 49:
                selector.select(0.02)  # queues on the way are short
    until = time.monotonic() + asked["seconds"]
    while selector.get_map() and (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            one = key.data
            selector.unregister(one)
            code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                errors.append(str(code))
            else:
                done += 1
    sys.stdout.write(json.dumps({"open": done, "error": " ".join(sorted(set(errors)))}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    for one in held:
        one.close()
    sys.stdout.write(json.dumps({"closed": len(held)}) + "\n")


if __name__ == "__main__":
    main()
