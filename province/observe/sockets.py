"""Reader of `ss -Hlntup`."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROCESS = re.compile(r'\(\("([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Listener:
    """A socket that waits for others; `address` without brackets and interface, `*` means all."""

    protocol: str
    address: str
    port: int
    interface: str = ""
    process: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        return self.interface == "lo" or self.address.startswith("127.") or self.address == "::1"


def listeners(text: str) -> tuple[Listener, ...]:
    """All listening TCP and bound UDP sockets."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[0] not in ("tcp", "udp"):
            continue
        place, _, port = fields[4].rpartition(":")
        address, _, interface = place.strip("[]").partition("%")
        address = address.rstrip("]")
        process = PROCESS.search(line)
        found.append(
            Listener(
                protocol=fields[0],
                address="*" if address in ("*", "0.0.0.0", "::") else address,  # noqa: S104  read, not bound
                port=int(port),
                interface=interface.rstrip("]"),
                process=process.group(1) if process else "",
            )
        )
    return tuple(sorted(found))
