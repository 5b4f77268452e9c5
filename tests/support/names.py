"""DNS questions from a place, many in one round trip."""

from __future__ import annotations

from collections.abc import Iterable

from province.observe import dns
from tests.support.places import Place
from tests.support.probes import Outcome, Question, questions

Asked = tuple[str, str]  # name, type
# An address of nobody (RFC 5737), for answers that must not be believed.
FORGED = "192.0.2.66"
# Every name that a resolver knows has run out, as if hours had passed: its cache goes out and in again.
AGE = (
    "unbound-control dump_cache > /run/cache.aged && unbound-control flush_zone {zone} >&2 && "
    "sed -E 's/^;rrset [0-9]+ /;rrset 1 /; s/^(\\S+\\t)[0-9]+(\\tIN)/\\11\\2/; "
    "s/^(msg \\S+ IN \\S+ [0-9]+ [0-9]+ )[0-9]+ /\\11 /' /run/cache.aged | unbound-control load_cache; "
    "rm /run/cache.aged"
)


def ask_names(
    place: Place,
    server: str,
    asked: Iterable[Asked],
    recursion: bool = True,
    device: str = "",
    protocol: str = "udp",
    timeout: float = 3,
) -> dict[Asked, dns.Response | Outcome]:
    """What a server says to each (name, type); an Outcome where it said nothing."""
    listed = list(asked)
    sent = []
    for name, kind in listed:
        packet = dns.question(name, kind, recursion)
        if protocol == "tcp":
            packet = len(packet).to_bytes(2, "big") + packet
        sent.append(
            Question(
                protocol=protocol,
                address=server,
                port=53,
                payload=packet,
                device=device,
                until="first",
                timeout=timeout,
                about=f"{name} {kind}",
            )
        )
    heard: dict[Asked, dns.Response | Outcome] = {}
    for key, answer in zip(listed, questions(place, sent), strict=True):
        if answer.outcome is Outcome.OPEN:
            heard[key] = dns.response(answer.payload[2:] if protocol == "tcp" else answer.payload)
        else:
            heard[key] = answer.outcome
    return heard


def code(heard: dns.Response | Outcome) -> str:
    """The response code, or how the question ended without one."""
    return heard.code if isinstance(heard, dns.Response) else heard.value


def data(heard: dns.Response | Outcome, kind: str) -> tuple[str, ...]:
    """The data of one type, sorted; nothing where nothing was said."""
    return heard.data(kind) if isinstance(heard, dns.Response) else ()
