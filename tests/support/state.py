"""What all hosts say about themselves, asked once for all checks of a session.

One round trip a host, all hosts at the same time. Checks of things that need time to settle ask again
(`state(host, fresh=True)`) inside `eventually`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from province.observe import chrony, frr, iproute, nft, sockets, systemd, wireguard
from tests.support import environment
from tests.support.guards import TABLE
from tests.support.places import Said, batch, batch_all, machine

COMMANDS = {
    "addr": "ip -j addr",
    "route4": "ip -j -4 route",
    "route6": "ip -j -6 route",
    "sockets": "ss -Hlntup",
    "nft": "nft -j list ruleset",
    "units": "systemctl list-units --all --output=json",
    "enabled": "systemctl list-unit-files --state=enabled --output=json",
    "tracking": "chronyc -n -c tracking",
    "sources": "chronyc -n -c sources",
    "wireguard": "wg show all dump",
    "bgp": "vtysh -c 'show bgp vrf all summary json'",
    "machine_id": "cat /etc/machine-id",
    "host_key": "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub",
    "sshd": "sshd -T -C user=root,host=localhost,addr=127.0.0.1",
    "superusers": "getent passwd | awk -F: '$3 == 0 {print $1}'",
    "people": "getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 {print $1}'",
    "tmout": "script --quiet --command \"bash --login -c 'echo \\$TMOUT'\" /dev/null | tr -d '\\r'",
    "passwords": "getent shadow | awk -F: '$2 !~ /^[!*]/ {print $1}'",
    "apt_uris": "apt-get update --print-uris | cut -d\\' -f2 | sort -u",
    "forwarding": "sysctl -n net.ipv4.conf.all.forwarding net.ipv6.conf.all.forwarding",
    "resolv": "cat /etc/resolv.conf",
    "keys": "find /etc/ssh /etc/wireguard -type f "
    "\\( -name '*_key' -o -name '*.key' -o -path '/etc/wireguard/*.conf' \\) "
    "-printf '%m %u %p\\n' 2>/dev/null || true",
}


@dataclass
class State:
    """One host's answers, read when they are asked for."""

    host: str
    said: dict[str, Said]

    @cached_property
    def addresses(self) -> tuple[iproute.Address, ...]:
        """All addresses."""
        return iproute.addresses(self.said["addr"].checked())

    @cached_property
    def routes(self) -> tuple[iproute.Route, ...]:
        """Routes of both families."""
        return iproute.routes(self.said["route4"].checked()) + iproute.routes(self.said["route6"].checked())

    @cached_property
    def listeners(self) -> tuple[sockets.Listener, ...]:
        """Listening sockets."""
        return sockets.listeners(self.said["sockets"].checked())

    @cached_property
    def ruleset(self) -> nft.Table:
        """The firewall's table."""
        loaded = nft.tables(self.said["nft"].checked())
        assert TABLE in loaded, f"{self.host} has no table {' '.join(TABLE)}: it refuses nothing"
        return loaded[TABLE]

    @cached_property
    def units(self) -> tuple[systemd.Unit, ...]:
        """Loaded units."""
        return systemd.units(self.said["units"].checked())

    @cached_property
    def enabled(self) -> tuple[str, ...]:
        """Unit files that start by themselves."""
        return systemd.enabled(self.said["enabled"].checked())

    @cached_property
    def tracking(self) -> chrony.Tracking:
        """The clock."""
        return chrony.tracking(self.said["tracking"].checked())

    @cached_property
    def tunnels(self) -> dict[str, wireguard.Tunnel]:
        """WireGuard interfaces."""
        return wireguard.tunnels(self.said["wireguard"].checked())

    @cached_property
    def sessions(self) -> tuple[frr.Session, ...]:
        """BGP sessions."""
        return frr.sessions(self.said["bgp"].checked())

    @cached_property
    def sshd(self) -> dict[str, str]:
        """Effective settings of the SSH server, lower-case names."""
        lines = (line.partition(" ") for line in self.said["sshd"].checked().splitlines())
        return {name: value for name, _, value in lines}


_known: dict[str, State] = {}


def state(host: str, fresh: bool = False) -> State:
    """The host's state: as of the first question of the session, or as of now."""
    if fresh:
        return State(host, batch(machine(host), COMMANDS))
    if not _known:
        answers = batch_all(environment.ours(), COMMANDS)
        _known.update({name: State(name, said) for name, said in answers.items()})
    return _known[host]
