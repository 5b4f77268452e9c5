"""What no flow allows: generated from the plan, asked where listeners wait, refused and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from netaddr import IPAddress, IPNetwork

from tests.support import environment
from tests.support.guards import dropping, permitted
from tests.support.places import Place, machine
from tests.support.probes import Answer, Guests, Listener, Outcome, Question, listening, questions
from tests.support.state import state

# Beside the ports in use: one that nothing uses, so that "everything else" is tried as well.
UNUSED = ("tcp", 54321)
# Below the second after which TCP asks again: one question is one packet in the guard's counter.
PATIENCE = 0.8
# Where there is no route at all, no packet comes to be, and nothing is left to count.
NO_ROUTE = ("ENETUNREACH", "EHOSTUNREACH")

Target = tuple[str, IPAddress]  # a host and one of its addresses


def ports() -> list[tuple[str, int]]:
    """Every TCP and UDP port of the province's flows, and one of none."""
    used = {(port.protocol, port.number) for flow in environment.plan().flows for port in flow.ports}
    return sorted(
        {(protocol, number) for protocol, number in used if protocol != "icmp"} | {UNUSED, ("tcp", 22)}
    )


def targets(hosts: Iterable[str], within: Iterable[str] | None = None) -> list[Target]:
    """Addresses of hosts, without management and lines to carriers; with `within`, of these segments only."""
    segments = None if within is None else set(within)
    return [
        (host, address.ip)
        for host in hosts
        for interface in environment.planned(host).interfaces
        if interface.zone not in ("management", "border")
        if segments is None or interface.segment in segments
        for address in (*interface.addresses, *interface.vips)
    ]


def forbidden(sources: Sequence[IPAddress], reached: Sequence[Target], device: str = "") -> list[Question]:
    """Every question to these targets that no flow allows from any of these addresses."""
    asked = [
        Question(
            protocol=protocol, address=str(target), port=port, device=device, timeout=PATIENCE, about=host
        )
        for host, target in reached
        for protocol, port in ports()
        if not any(permitted(me, target, protocol, port) for me in sources if me.version == target.version)
    ]
    # At least as many as there are addresses: the plan cannot have opened everything.
    assert len(asked) > len(reached) > 0
    return asked


def got_through(answers: Iterable[Answer]) -> list[str]:
    """Questions that reached somebody. A refusal by the far end is one: our guards drop in silence."""
    return [repr(answer) for answer in answers if answer.outcome in (Outcome.OPEN, Outcome.REFUSED)]


def refuse_all(
    place: Place, guard: tuple[str, str], asked: Sequence[Question], sources: Sequence[IPAddress]
) -> None:
    """Hold a listener for every question, ask, and demand silence, an empty guest book and the guard's count.

    `guard` is host and chain of the firewall that stands first on the way; `sources` is how the place
    appears to listeners.
    """
    with ExitStack() as stack:
        guests: dict[str, Guests] = {}
        for host in dict.fromkeys(question.about for question in asked):
            sockets = _held(host, asked)
            assert sockets, f"no listener on {host}: its refusals would mean nothing"
            guests[host] = stack.enter_context(listening(machine(host), sockets))
        rise = stack.enter_context(dropping(*guard))
        answers = questions(place, asked)
    arrived = [
        guest for there in guests.values() for guest in there.arrived if IPAddress(guest["peer"]) in sources
    ]
    assert got_through(answers) == []
    assert arrived == [], arrived
    sent = [answer for answer in answers if answer.error not in NO_ROUTE]
    assert sent
    assert rise.packets >= len(sent), f"{rise}, {len(sent)} sent: some were refused elsewhere"


def _held(host: str, asked: Iterable[Question]) -> list[Listener]:
    """The sockets that the questions to one host need, on addresses that it carries now (VIPs move)."""
    has = {str(IPNetwork(entry.address).ip) for entry in state(host).addresses}
    return sorted(
        {Listener(q.protocol, q.address, q.port) for q in asked if q.about == host and q.address in has}
    )
