"""Questions over the network from a place, many in one round trip, and listeners that can answer them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from netaddr import IPAddress

from tests.support.places import Place, ask


class Outcome(StrEnum):
    """How a question ended. Only OPEN means that somebody answered."""

    OPEN = "open"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One conversation to try.

    `device` binds it to an interface of the place (so that it does not take the management network);
    `transparent` with a `source` that the place does not have sends a packet that lies about it;
    `until` is connect, first or close: how much of an answer is enough. `timeout` in seconds: generous,
    since only who gets no answer waits for it.
    """

    protocol: str
    address: str
    port: int
    payload: bytes = b""
    device: str = ""
    source: str = ""
    transparent: bool = False
    until: str = ""
    timeout: float = 4
    about: str = ""  # for the reader of a failure

    def __str__(self) -> str:
        target = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol} {target}:{self.port}{f' ({self.about})' if self.about else ''}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    question: Question
    outcome: Outcome
    payload: bytes
    error: str = ""

    def __repr__(self) -> str:
        return f"{self.question}: {self.outcome}{f' ({self.error})' if self.error else ''}"


def questions(place: Place, asked: Iterable[Question]) -> list[Answer]:
    """Ask everything from one place in one round trip; answers in the order of the questions."""
    listed = list(asked)
    assert listed, f"nothing to ask from {place.name}: the check would pass by absence"
    request = []
    for number, question in enumerate(listed):
        until = question.until or ("connect" if question.protocol == "tcp" else "first")
        payload = question.payload or (b"" if question.protocol == "tcp" else b"province-probe")
        request.append(asdict(question) | {"id": str(number), "payload": payload.hex(), "until": until})
    answers = ask(place, "exchange", request)
    return [
        Answer(
            question,
            Outcome(answers[str(number)]["outcome"]),
            bytes.fromhex(answers[str(number)]["payload"]),
            answers[str(number)]["error"],
        )
        for number, question in enumerate(listed)
    ]


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A socket to be answered on."""

    protocol: str
    address: str
    port: int


@dataclass(slots=True)
class Guests:
    """Who came to the listeners; complete when the context is left."""

    arrived: list[dict[str, Any]] = field(default_factory=list)

    def from_address(self, address: str | IPAddress) -> list[dict[str, Any]]:
        """Those that came from one address."""
        return [
            guest
            for guest in self.arrived
            if IPAddress(guest["peer"].partition("%")[0]) == IPAddress(address)
        ]


@contextmanager
def listening(place: Place, listeners: Sequence[Listener], seconds: float = 90) -> Iterator[Guests]:
    """Hold listeners open on a place, for `seconds` at most.

    Each is asked from the place itself first: a refusal means something only where somebody would have
    answered. Where a service already listens, that service is the listener.
    """
    assert listeners, f"no listener asked for on {place.name}"
    running = place.start(
        "listen", {"seconds": seconds, "sockets": [asdict(listener) for listener in listeners]}
    )
    opened = running.line()
    guests = Guests()
    try:
        own = [Listener(**entry) for entry in opened["bound"]]
        taken = [Listener(**entry) for entry in opened["busy"]]
        # A busy UDP port belongs to a service that may not speak to strangers; being taken is proof enough.
        reachable = own + [listener for listener in taken if listener.protocol == "tcp"]
        if reachable:
            local = [Question(protocol=at.protocol, address=at.address, port=at.port) for at in reachable]
            silent = [answer for answer in questions(place, local) if answer.outcome is not Outcome.OPEN]
            assert not silent, f"listeners on {place.name} that do not even answer {place.name}: {silent}"
        yield guests
    finally:
        guests.arrived += running.finish()["arrived"]


@contextmanager
def listening_everywhere(
    wanted: dict[Place, Sequence[Listener]], seconds: float = 90
) -> Iterator[dict[str, Guests]]:
    """Listeners on several places at once, by the name of the place."""
    with ExitStack() as stack:
        yield {place.name: stack.enter_context(listening(place, on, seconds)) for place, on in wanted.items()}
