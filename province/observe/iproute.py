"""Readers of `ip -j addr` and `ip -j route`."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address on an interface, with its prefix length; `dynamic` when it was leased or announced."""

    interface: str
    address: str
    scope: str
    dynamic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of the main table; `destination` is `default` or a prefix, `gateway` is "" when on-link."""

    destination: str
    gateway: str
    interface: str
    protocol: str


def addresses(text: str) -> tuple[Address, ...]:
    """From `ip -j addr`: all addresses, in the order of the interfaces."""
    return tuple(
        Address(
            interface=interface["ifname"],
            address=f"{info['local']}/{info['prefixlen']}",
            scope=info["scope"],
            dynamic=bool(info.get("dynamic", False)),
        )
        for interface in json.loads(text or "[]")
        for info in interface.get("addr_info", [])
        if "local" in info
    )


def routes(text: str) -> tuple[Route, ...]:
    """From `ip -j -4|-6 route`; a route over several next hops gives one entry for each."""
    found = []
    for route in json.loads(text or "[]"):
        for hop in route.get("nexthops", [route]):
            via = hop.get("via", {})
            found.append(
                Route(
                    destination=route["dst"],
                    gateway=hop.get("gateway") or via.get("host", ""),
                    interface=hop.get("dev", ""),
                    protocol=route.get("protocol", ""),
                )
            )
    return tuple(found)


def macs(text: str) -> dict[str, str]:
    """From `ip -j addr`: hardware address by interface, loopback and tunnels left out."""
    return {
        interface["ifname"]: interface["address"]
        for interface in json.loads(text or "[]")
        if interface.get("link_type") == "ether"
    }
