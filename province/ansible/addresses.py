"""What a template has to know of an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netaddr import IPAddress, IPNetwork


def ip_word(address: str) -> str:
    """`ip` or `ipv6`: the word by which routing daemons tell families of an address or prefix apart."""
    version = IPNetwork(address).version if "/" in address else IPAddress(address).version
    return "ip" if version == 4 else "ipv6"


FILTERS: dict[str, Callable[..., Any]] = {"ip_word": ip_word}
