"""Reader of `wg show all dump`. Private and preshared keys in it are dropped here, not carried on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer; `handshake` is Unix seconds, 0 for never; byte counts since the interface came up."""

    public_key: str
    endpoint: str
    allowed: tuple[str, ...]
    handshake: int
    received: int
    sent: int
    keepalive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One interface and its peers, ordered by public key."""

    name: str
    public_key: str
    port: int
    peers: tuple[Peer, ...]


def tunnels(text: str) -> dict[str, Tunnel]:
    """Interfaces by name. Lines of five fields open an interface, lines of nine are its peers."""
    interfaces: dict[str, tuple[str, int]] = {}
    peers: dict[str, list[Peer]] = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 5:
            name, _private, public, port, _mark = fields
            interfaces[name] = (public, int(port))
            peers[name] = []
        elif len(fields) == 9:
            name, public, _preshared, endpoint, allowed, handshake, received, sent, keepalive = fields
            peers[name].append(
                Peer(
                    public_key=public,
                    endpoint="" if endpoint == "(none)" else endpoint,
                    allowed=tuple(sorted(entry for entry in allowed.split(",") if entry != "(none)")),
                    handshake=int(handshake),
                    received=int(received),
                    sent=int(sent),
                    keepalive=0 if keepalive == "off" else int(keepalive),
                )
            )
    return {
        name: Tunnel(
            name=name,
            public_key=public,
            port=port,
            peers=tuple(sorted(peers[name], key=lambda peer: peer.public_key)),
        )
        for name, (public, port) in interfaces.items()
    }
