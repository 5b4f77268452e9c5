"""Reader of `nft -j list ruleset`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netaddr import IPNetwork, IPRange, cidr_merge

VERDICTS = ("accept", "drop", "return", "continue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, with what it matches resolved to values.

    Empty means any. `sources`/`destinations` are merged prefixes of one family; `ports` are single
    numbers and (first, last) pairs written `first-last`; `verdict` is accept, drop, reject, jump X or
    "" (a rule that only logs or counts). `other` holds matches this reader does not name (ct state, limit,
    icmp types), as compact JSON, so that two rules that differ in them are never equal. `packets` is what
    the rule's counter shows, None without one; `counter` its name, "" for one of the rule's own.
    `connections` is how many one source may hold by the rule, 0 for any number.
    """

    chain: str
    comment: str = ""
    verdict: str = ""
    family: int = 0
    interface_in: tuple[str, ...] = ()
    interface_out: tuple[str, ...] = ()
    protocol: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    counter: str = ""
    packets: int | None = None
    connections: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain; `hook` and `policy` are empty for one that is only jumped to."""

    name: str
    hook: str
    policy: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a ruleset, chains in the order in which they are listed."""

    family: str
    name: str
    chains: tuple[Chain, ...]
    counters: Mapping[str, int]

    def chain(self, name: str) -> Chain:
        """A chain by name; KeyError names those there are."""
        for chain in self.chains:
            if chain.name == name:
                return chain
        raise KeyError(f"no chain {name} in {self.name}: {', '.join(chain.name for chain in self.chains)}")

    def dropped(self, name: str) -> int:
        """Packets that the chain, and those that it jumps to, dropped or refused by counted rules.

        Rules may share a named counter; it counts once.
        """
        counted = [rule for rule in self.walk(name) if rule.verdict in ("drop", "reject")]
        named = {rule.counter: rule.packets or 0 for rule in counted if rule.counter}
        return sum(named.values()) + sum(rule.packets or 0 for rule in counted if not rule.counter)

    def walk(self, name: str) -> Iterator[Rule]:
        """The rules of a chain in order, each jump followed by the rules it leads to."""
        for rule in self.chain(name).rules:
            yield rule
            if rule.verdict.startswith(("jump ", "goto ")):
                yield from self.walk(rule.verdict.split(" ", 1)[1])


def tables(text: str) -> dict[tuple[str, str], Table]:
    """Tables by (family, name)."""
    objects = json.loads(text)["nftables"]
    chains: dict[tuple[str, str], list[dict[str, Any]]] = {}
    rules: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    sets: dict[tuple[str, str], dict[str, Any]] = {}
    counters: dict[tuple[str, str], dict[str, int]] = {}
    for entry in objects:
        if "table" in entry:
            key = (entry["table"]["family"], entry["table"]["name"])
            chains.setdefault(key, [])
            sets.setdefault(key, {})
            counters.setdefault(key, {})
    for entry in objects:
        for kind, item in entry.items():
            if kind in ("metainfo", "table"):
                continue
            key = (item["family"], item["table"])
            if kind == "chain":
                chains[key].append(item)
            elif kind == "rule":
                rules.setdefault((*key, item["chain"]), []).append(item)
            elif kind in ("set", "map"):
                sets[key][item["name"]] = item.get("elem", [])
            elif kind == "counter":
                counters[key][item["name"]] = int(item["packets"])
    return {
        key: Table(
            family=key[0],
            name=key[1],
            counters=counters[key],
            chains=tuple(
                Chain(
                    name=chain["name"],
                    hook=chain.get("hook", ""),
                    policy=chain.get("policy", ""),
                    rules=tuple(
                        _rule(rule, sets[key], counters[key]) for rule in rules.get((*key, chain["name"]), [])
                    ),
                )
                for chain in listed
            ),
        )
        for key, listed in chains.items()
    }


def _rule(item: Mapping[str, Any], sets: Mapping[str, Any], counters: Mapping[str, int]) -> Rule:
    found: dict[str, Any] = {"chain": item["chain"], "comment": item.get("comment", "")}
    other: list[str] = []
    for statement in item["expr"]:
        (kind, value), *_ = statement.items()
        if kind == "match":
            if not _match(value, sets, found):
                other.append(json.dumps(value, sort_keys=True, separators=(",", ":")))
        elif kind == "counter":
            found["counter"] = value if isinstance(value, str) else ""
            found["packets"] = counters[value] if isinstance(value, str) else int(value["packets"])
        elif kind in VERDICTS:
            found["verdict"] = kind
        elif kind == "reject":
            found["verdict"] = "reject"
        elif kind == "set" and _most(value):
            found["connections"] = _most(value)
        elif kind in ("jump", "goto"):
            found["verdict"] = f"{kind} {value['target']}"
        elif kind != "log":
            other.append(json.dumps(statement, sort_keys=True, separators=(",", ":")))
    # Behind a routing domain (VRF) it is the slave that a packet came in by.
    if slave := found.pop("slave", ()):
        found["interface_in"] = slave
    return Rule(**found, other=tuple(sorted(other)))


def _most(statement: Mapping[str, Any]) -> int:
    """Connections that each source in a set may hold; 0 for a statement that says something else."""
    keys = [{"payload": {"protocol": protocol, "field": "saddr"}} for protocol in ("ip", "ip6")]
    limits = [entry["ct count"] for entry in statement.get("stmt", []) if "ct count" in entry]
    if statement["op"] != "add" or statement["elem"] not in keys or len(limits) != 1 or limits[0].get("inv"):
        return 0
    return int(limits[0]["val"])


def _match(match: Mapping[str, Any], sets: Mapping[str, Any], found: dict[str, Any]) -> bool:
    """Put what a match says into `found`; False for a match that has no place there."""
    left, right = match["left"], match["right"]
    if match["op"] not in ("==", "in"):
        return False
    values = _elements(right, sets)
    if "meta" in left:
        place = {
            "iifname": "interface_in",
            "sdifname": "slave",
            "oifname": "interface_out",
            "l4proto": "protocol",
        }.get(left["meta"]["key"])
        if left["meta"]["key"] == "nfproto":
            found["family"] = {"ipv4": 4, "ipv6": 6}[values[0]]
            return True
        if place is None:
            return False
        found[place] = tuple(sorted(map(str, values)))
        return True
    if "payload" not in left:
        return False
    protocol, name = left["payload"].get("protocol", ""), left["payload"].get("field", "")
    if protocol in ("ip", "ip6") and name in ("saddr", "daddr"):
        found["family"] = 4 if protocol == "ip" else 6
        found["sources" if name == "saddr" else "destinations"] = _prefixes(values)
        return True
    if name == "dport" and protocol in ("tcp", "udp", "th"):
        if protocol != "th":
            found["protocol"] = (protocol,)
        found["ports"] = tuple(sorted(map(_port, values), key=lambda port: int(port.split("-")[0])))
        return True
    if (protocol, name) in (("icmp", "type"), ("icmpv6", "type")):
        found["family"], found["protocol"] = (4, ("icmp",)) if protocol == "icmp" else (6, ("ipv6-icmp",))
        return False  # which types stays in `other`
    if (protocol, name) in (("ip", "protocol"), ("ip6", "nexthdr")):
        found["family"] = 4 if protocol == "ip" else 6
        found["protocol"] = tuple(sorted(map(str, values)))
        return True
    return False


def _elements(right: Any, sets: Mapping[str, Any]) -> list[Any]:
    if isinstance(right, str) and right.startswith("@"):
        right = sets[right[1:]]
    elif isinstance(right, dict) and "set" in right:
        right = right["set"]
    if not isinstance(right, list):
        right = [right]
    return [entry["elem"]["val"] if isinstance(entry, dict) and "elem" in entry else entry for entry in right]


def _prefixes(values: list[Any]) -> tuple[str, ...]:
    networks: list[IPNetwork | IPRange] = []
    for value in values:
        if isinstance(value, dict) and "prefix" in value:
            networks.append(IPNetwork(f"{value['prefix']['addr']}/{value['prefix']['len']}"))
        elif isinstance(value, dict) and "range" in value:
            networks.append(IPRange(*value["range"]))
        else:
            networks.append(IPNetwork(value))
    return tuple(map(str, cidr_merge(networks)))


def _port(value: Any) -> str:
    if isinstance(value, dict) and "range" in value:
        return "-".join(map(str, value["range"]))
    return str(value)
