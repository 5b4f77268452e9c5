"""Rules of nftables from planned flows.

A rule is what `province.hosts` gives for one host: `flow`, `protocol` (tcp, udp, icmp), `ports`, and as far
as they narrow it `in`, `out` (interface names), `source4`, `source6`, `destination4`, `destination6`
(prefixes); `connections`, of tcp and udp, is how many one source may hold at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

COMMENT_LIMIT = 120  # nft refuses comments above 128 bytes
FAMILIES = {"4": "ip", "6": "ip6"}


def name(text: str) -> str:
    """A name that nft takes for an object: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9]", "_", text)


def counter_name(flow: str) -> str:
    """The name of a flow's counter."""
    return f"flow_{name(flow)}"


def set_of(values: Iterable[object]) -> str:
    """An anonymous set, or the value itself when it is only one."""
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else "{ " + ", ".join(words) + " }"


def came(interface: str, domains: Iterable[Mapping[str, Any]] = ()) -> str:
    """The match on the interface that a packet came in by, in the hooks input and forward.

    What comes in by an interface of a routing domain carries the domain's device there, and the interface
    itself as slave; earlier, in prerouting, it is seen with the interface first.
    """
    for domain in domains:
        if interface in domain["interfaces"]:
            return f'iifname "{domain["name"]}" meta sdifname "{interface}"'
    return f'iifname "{interface}"'


def statements(rule: Mapping[str, Any], domains: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """The nft rules that allow one planned rule, one for each address family that it names.

    A rule without any address is for both families. As soon as one address is given, a family of which no
    address is given is not meant: "from these IPv4 networks" must not read as "from any IPv6 address".

    With a limit each is two: the first lets through as long as the source's set has room for it, the second
    refuses the rest aloud to the log. A set that is full refuses too.
    """
    named = [family for family in FAMILIES if rule.get(f"source{family}") or rule.get(f"destination{family}")]
    interfaces = []
    if rule.get("in"):
        interfaces.append(came(rule["in"], domains))
    if rule.get("out"):
        interfaces.append(f'oifname "{rule["out"]}"')
    most = rule.get("connections", 0)
    comment = str(rule["flow"])[:COMMENT_LIMIT]
    tail = f'counter name "{counter_name(rule["flow"])}" accept comment "{comment}"'
    found = []
    for family in named or (FAMILIES if most else [""]):
        addresses = [] if named or not most else [f"meta nfproto ipv{family}"]
        for end, word in (("source", "saddr"), ("destination", "daddr")):
            if family and rule.get(f"{end}{family}"):
                addresses.append(f"{FAMILIES[family]} {word} {set_of(rule[f'{end}{family}'])}")
        for service in services(rule["protocol"], rule.get("ports") or [], family):
            match = " ".join([*interfaces, *addresses, service])
            if most:
                held = f"add @{held_name(rule, family)} {{ {FAMILIES[family]} saddr ct count {most} }}"
                found += [f"{match} {held} {tail}", f'{match} goto beyond comment "beyond: {comment}"']
            else:
                found.append(f"{match} {tail}")
    return found


def held_name(rule: Mapping[str, Any], family: str) -> str:
    """The name of the set of those who hold connections by a rule's flow: one for all its ways in."""
    return f"held_{name(rule['flow'])}_{rule['protocol']}{family}"


def held(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The sets that limits of these rules count in, each once: name and family."""
    limited = [rule for rule in rules if rule.get("connections")]
    found = {held_name(rule, family): family for rule in limited for family in FAMILIES}
    return [{"name": held_in, "family": found[held_in]} for held_in in sorted(found)]


def services(protocol: str, ports: Iterable[int], family: str) -> list[str]:
    """The match on protocol and ports; echo requests stand for icmp, in the family or in both."""
    if protocol == "icmp":
        kinds = {"4": ["icmp type echo-request"], "6": ["icmpv6 type echo-request"]}
        return kinds.get(family, [*kinds["4"], *kinds["6"]])
    numbers = sorted(set(ports))
    if not numbers:
        return [f"meta l4proto {protocol}"]
    return [f"{protocol} dport {set_of(numbers)}"]


def counters(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the counters that these rules count in, each once."""
    return sorted({counter_name(rule["flow"]) for rule in rules})


def class_id(end: int, number: int) -> str:
    """The queue of a class of traffic (1 to 3) to the end of a tunnel: each end has four numbers of HTB."""
    return f"1:{4 * end + number:x}"


FILTERS: dict[str, Callable[..., Any]] = {
    "nft_name": name,
    "nft_came": came,
    "nft_class": class_id,
    "nft_statements": statements,
    "nft_counters": counters,
    "nft_held": held,
}
