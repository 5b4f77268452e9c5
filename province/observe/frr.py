"""Reader of `vtysh -c 'show bgp …json'`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAMILIES = {"ipv4Unicast": 4, "ipv6Unicast": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One BGP neighbour in one address family; counts are of prefixes."""

    address: str
    family: int
    asn: int
    state: str
    received: int
    sent: int
    dynamic: bool

    @property
    def established(self) -> bool:
        """Whether prefixes are being exchanged."""
        return self.state == "Established"


def sessions(text: str) -> tuple[Session, ...]:
    """From `show bgp [vrf all] summary json`, ordered by family and address, of whatever domain."""
    data: Mapping[str, Any] = json.loads(text or "{}")
    domains = [data] if FAMILIES.keys() & data.keys() else list(data.values())
    found = [
        Session(
            address=address,
            family=family,
            asn=int(peer["remoteAs"]),
            state=peer["state"],
            received=int(peer.get("pfxRcd", 0)),
            sent=int(peer.get("pfxSnt", 0)),
            dynamic=bool(peer.get("dynamicPeer", False)),
        )
        for domain in domains
        if isinstance(domain, Mapping)
        for name, family in FAMILIES.items()
        for address, peer in domain.get(name, {}).get("peers", {}).items()
    ]
    return tuple(sorted(found, key=lambda session: (session.family, session.address)))


def routes(text: str) -> dict[str, tuple[str, ...]]:
    """From `show bgp ipv4|ipv6 unicast json`: prefix → AS paths of its valid best paths."""
    data: Mapping[str, Any] = json.loads(text or "{}")
    return {
        prefix: tuple(path.get("path", "") for path in paths if path.get("valid") and path.get("bestpath"))
        for prefix, paths in data.get("routes", {}).items()
    }
