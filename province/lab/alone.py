"""Runs a program in a network namespace with one way out: a port of the loopback that somebody else answers.

    unshare --net python alone.py SOCKET PORT -- PROGRAM ARGUMENT...

Started inside the new namespace. It listens on the port there, hands the listening socket over the Unix
socket to whoever waits outside, and becomes the program. `served` is the other side: each connection that the
program opens is given to a process of its own as its input and output.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_TAKE = 1  # descriptors at once
_HANDED = b"listening"


@contextmanager
def served(path: Path, answer: Sequence[str]) -> Iterator[None]:
    """Take the listening socket over `path`; start `answer` for every connection, until the block ends."""
    stop = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        door.listen()
        door.settimeout(0.2)
        thread = threading.Thread(target=_serve, args=(door, answer, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _serve(door: socket.socket, answer: Sequence[str], stop: threading.Event) -> None:
    listener: socket.socket | None = None
    answering: list[subprocess.Popen[bytes]] = []
    while not stop.is_set():
        try:
            connection, _ = (listener or door).accept()
        except TimeoutError:
            continue
        with connection:
            if listener is not None:
                # Its own copies of the socket outlive ours.
                ends = connection.fileno()
                answering.append(subprocess.Popen(list(answer), stdin=ends, stdout=ends))  # noqa: S603 - ours
                continue
            _, descriptors, _, _ = socket.recv_fds(connection, len(_HANDED), _TAKE)
            listener = socket.socket(fileno=descriptors[0])
            listener.settimeout(0.2)
    if listener is not None:
        listener.close()
    for process in answering:
        process.kill()
        process.wait()


def main(argv: Sequence[str]) -> None:
    """Listen, hand over, become the program."""
    path, port, mark, *program = argv
    if mark != "--":
        raise SystemExit(__doc__)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607 - of this machine
    with socket.socket() as listener, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as outside:
        listener.bind(("127.0.0.1", int(port)))
        listener.listen()
        outside.connect(path)
        socket.send_fds(outside, [_HANDED], [listener.fileno()])
    os.execvp(program[0], program)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main(sys.argv[1:])
