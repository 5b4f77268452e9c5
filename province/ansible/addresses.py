"""What a template has to know of an address."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from netaddr import IPAddress, IPNetwork


def ip_word(address: str) -> str:
    """`ip` or `ipv6`: the word by which routing daemons tell families of an address or prefix apart."""
    version = IPNetwork(address).version if "/" in address else IPAddress(address).version
    return "ip" if version == 4 else "ipv6"


def numbered(prefixes: Iterable[str]) -> list[tuple[int, str]]:
    """Prefixes with numbers for a prefix list, which stay when others come or go.

    Numbers by rank would shift, and a daemon that is told so one line after the other refuses for a moment
    what it had let through before.
    """
    taken: dict[int, str] = {}
    for prefix in dict.fromkeys(prefixes):
        number = zlib.crc32(prefix.encode()) or 1
        while number in taken:
            number = number % 0xFFFFFFFF + 1
        taken[number] = prefix
    return sorted(taken.items())


FILTERS: dict[str, Callable[..., Any]] = {"ip_word": ip_word, "numbered": numbered}
