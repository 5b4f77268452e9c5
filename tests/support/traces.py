"""What texts betray of a province: names, codes, networks, keys, mailboxes, numbers of its own.

Two provinces that are planned and rendered side by side must share none of it, except for what is common to
all provinces by its nature; that list is the caller's, with a reason for each entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_interface

from province.plan.model import Plan

Network = IPv4Network | IPv6Network

_FOUR = re.compile(r"(?<![\w.:])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?![\w.])")
_SIX = re.compile(r"(?<![\w.:])(?:[0-9a-fA-F]{0,4}:){2,8}[0-9a-fA-F]{0,4}(?:/\d{1,3})?(?![\w.:])")
_NAME = re.compile(r"(?<![\w@-])(?:[\w*-]+\.)+(?:vn|arpa|org|net|com|local|internal)\b", re.IGNORECASE)
_KEY = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])|\bAAAA[A-Za-z0-9+/]{40,}={0,2}")
_MAILBOX = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# The range of AS numbers for private use (RFC 6996) that registers number their units in.
_AS_NUMBER = re.compile(r"(?<!\d)42\d{8}(?!\d)")
_WORD = re.compile(r"\w+(?:[.-]\w+)*")


@dataclass(frozen=True)
class Traces:
    """What was found in all texts of one province. `own` are words and names that only it should know."""

    networks: frozenset[Network]
    names: frozenset[str]
    keys: frozenset[str]
    mailboxes: frozenset[str]
    as_numbers: frozenset[str]
    words: frozenset[str]
    titles: Mapping[str, str] = field(repr=False)
    own: frozenset[str] = field(repr=False)
    secrets: frozenset[str] = field(repr=False)
    text: str = field(repr=False)


def traces(plan: Plan, texts: Iterable[str], secrets: Iterable[str]) -> Traces:
    """Read what a province's plan, facts and files say."""
    own = {plan.province, plan.domain}
    titles = {plan.name: plan.province}
    for unit in plan.units:
        own |= {unit.id, unit.code}
        own |= {contact.mailbox for contact in unit.contacts}
        titles |= dict.fromkeys((unit.name, *(alias.name for alias in unit.aliases)), unit.id)
    own |= {host.name for host in plan.hosts if host.owner not in ("centre", "carrier")}
    nothing: frozenset[str] = frozenset()
    empty = Traces(
        networks=frozenset(),
        names=nothing,
        keys=nothing,
        mailboxes=nothing,
        as_numbers=nothing,
        words=nothing,
        titles=titles,
        own=frozenset(own),
        secrets=frozenset(secrets),
        text="",
    )
    return more(empty, "\n".join(texts))


def more(known: Traces, text: str) -> Traces:
    """The same province with one more text."""
    return replace(
        known,
        networks=known.networks | set(_networks(text)),
        names=known.names | {name.lower() for name in _NAME.findall(text)},
        keys=known.keys | set(_KEY.findall(text)),
        mailboxes=known.mailboxes | set(_MAILBOX.findall(text)),
        as_numbers=known.as_numbers | set(_AS_NUMBER.findall(text)),
        words=known.words | set(_WORD.findall(text)),
        text=f"{known.text}\n{text}",
    )


def _networks(text: str) -> Iterable[Network]:
    for word in {*_FOUR.findall(text), *_SIX.findall(text)}:
        try:
            yield ip_interface(word).network
        except ValueError:
            continue  # a time of day, a version


def overlaps(one: Iterable[Network], other: Iterable[Network]) -> list[str]:
    """Networks of the one that lie in, or hold, a network of the other; a sweep over both."""
    found = []
    for kind in (IPv4Network, IPv6Network):
        marked = [
            (int(network[0]), int(network[-1]), side)
            for side, networks in enumerate((one, other))
            for network in networks
            if isinstance(network, kind)
        ]
        reached = [-1, -1]  # how far networks of each side go that began before
        for first, end, side in sorted(marked):
            if reached[1 - side] >= first:
                found.append(_shown(kind, first, end))
            reached[side] = max(reached[side], end)
    return found


def _shown(kind: type[IPv4Network] | type[IPv6Network], first: int, last: int) -> str:
    return str(kind((first, (32 if kind is IPv4Network else 128) - (last - first).bit_length())))


def leaks(one: Traces, other: Traces, shared: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What two provinces share and must not, as sentences. `shared`: kind → value → reason."""
    known = {kind: set(values) for kind, values in shared.items()}
    free = {ip_interface(value).network for value in known["networks"]}
    found = [f"network {network}" for network in overlaps(one.networks - free, other.networks - free)]
    for kind in ("names", "keys", "mailboxes", "as_numbers"):
        both = getattr(one, kind) & getattr(other, kind)
        found += [f"{kind} {value}" for value in sorted(both - known.get(kind, set()))]
    for mine, theirs in ((one, other), (other, one)):
        for word in sorted((mine.own & theirs.words) - known["words"]):
            found.append(f"word {word}")
        for title in sorted(mine.titles.keys() - known["titles"]):
            if title in theirs.text and re.search(rf"(?<!\w){re.escape(title)}(?!\w)", theirs.text):
                found.append(f"title {title}")
        for secret in sorted(mine.secrets):
            if secret in mine.text or secret in theirs.text:
                found.append("secret")
    return found
