"""The planned ruleset of a host and the loaded one, in one comparable form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from netaddr import IPNetwork, cidr_merge

from province.observe import nft

CHAINS = ("input", "output", "forward")
ANY = ("any",)


class Allowed(NamedTuple):
    """One thing that a chain lets through because of a flow; interfaces "" and prefixes `any`: any."""

    chain: str
    flow: str
    family: int
    protocol: str
    port: str
    interface_in: str
    interface_out: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    connections: int = 0  # of one source at once; 0: any number

    def __str__(self) -> str:
        way = f"{self.interface_in or '*'} → {self.interface_out or '*'}"
        ends = f"{' '.join(self.sources)} → {' '.join(self.destinations)}"
        most = f", {self.connections} at once" if self.connections else ""
        return f"{self.chain} {self.flow} IPv{self.family} {self.protocol}/{self.port} {way}: {ends}{most}"


def planned(firewall: Mapping[str, Any]) -> set[Allowed]:
    """From the fact `firewall`; a family counts where one of its ends is narrowed, or none is at all."""
    sets = {entry["name"]: entry["elements"] for entry in firewall.get("sets", [])}
    found = set()
    for chain in CHAINS:
        for rule in firewall[chain]:
            ends = {
                family: (
                    _merged(rule.get(f"source{family}"), sets),
                    _merged(rule.get(f"destination{family}"), sets),
                )
                for family in (4, 6)
            }
            narrowed = [family for family, pair in ends.items() if pair != (ANY, ANY)] or [4, 6]
            for family in narrowed:
                for port in rule["ports"] or [0]:
                    found.add(
                        Allowed(
                            chain,
                            rule["flow"],
                            family,
                            _protocol(rule["protocol"], family),
                            str(port or "*"),
                            rule.get("in", ""),
                            rule.get("out", ""),
                            *ends[family],
                            connections=rule.get("connections", 0),
                        )
                    )
    return found


def loaded(table: nft.Table) -> set[Allowed]:
    """What the table accepts in the name of a flow; base rules (`base: …`) are not flows."""
    found = set()
    for chain in CHAINS:
        for rule in table.walk(chain):
            if rule.verdict != "accept" or rule.comment.startswith("base: "):
                continue
            for family in (rule.family,) if rule.family else (4, 6):
                for protocol in {_protocol(name, family) for name in rule.protocol or ANY}:
                    for port in rule.ports or ("*",):
                        for incoming in rule.interface_in or ("",):
                            for outgoing in rule.interface_out or ("",):
                                found.add(
                                    Allowed(
                                        chain,
                                        rule.comment,
                                        family,
                                        protocol,
                                        port,
                                        incoming,
                                        outgoing,
                                        rule.sources or ANY,
                                        rule.destinations or ANY,
                                        rule.connections,
                                    )
                                )
    return found


def base(table: nft.Table) -> set[tuple[str, str]]:
    """Chain and name of what the base of every ruleset accepts."""
    return {
        (chain, rule.comment)
        for chain in CHAINS
        for rule in table.walk(chain)
        if rule.verdict == "accept" and rule.comment.startswith("base: ")
    }


def _protocol(name: str, family: int) -> str:
    return "ipv6-icmp" if family == 6 and name in ("icmp", "icmpv6", "ipv6-icmp") else name


def _merged(prefixes: Iterable[str] | None, sets: Mapping[str, list[str]]) -> tuple[str, ...]:
    named = [entry for prefix in prefixes or () for entry in sets.get(prefix.removeprefix("@"), [prefix])]
    return tuple(map(str, cidr_merge([IPNetwork(entry) for entry in named]))) or ANY
