"""Switching machines of the living lab off and on, and measuring what others notice of it.

Everything is put back: a test that fails leaves the lab as it was, or the next `make up` says what is off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import pytest

from province.incus import Endpoint, Incus, IncusError
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import NoLabError, Place, Running, batch, machine

EVERY = 0.01  # seconds between probes: 100 Hz
HEALTHY = 120.0  # seconds until a machine that was switched on serves again
STATE = 60.0  # seconds that Incus may take
NOBODY = ("192.0.2.1", "192.0.2.2")  # addresses of examples (RFC 5737)


def _incus() -> tuple[Incus, str]:
    declared = environment.environment()
    if declared.provider != "incus":
        pytest.skip(f"{environment.name()} has machines that nobody here may switch off")
    endpoint = Endpoint.of(declared.incus.endpoint, environment.state_directory() / "incus")
    return Incus(endpoint), declared.incus.project


def _state(host: str, action: str) -> None:
    incus, project = _incus()
    try:
        incus.change(
            "PUT",
            f"/instances/{host}/state",
            project=project,
            body={"action": action, "force": True, "timeout": int(STATE)},
            what=f"{action} of {host}",
            timeout=STATE,
        )
    finally:
        incus.close()


def power_off(host: str) -> None:
    """Take the power from a machine: nothing on it has a moment to say farewell."""
    _state(host, "stop")


def power_on(host: str) -> None:
    """Give a machine its power back; returns when it lets the checks in."""
    with suppress(IncusError):  # it runs already
        _state(host, "start")
    forget(host)
    eventually(lambda: _lets_in(host), within=HEALTHY)


def forget(host: str) -> None:
    """Drop the connection to a machine: it is not the one that was."""
    here = machine(host)
    if "client" in here.__dict__:
        here.client.close()
        del here.__dict__["client"]


def _lets_in(host: str) -> bool:
    try:
        said = batch(machine(host), {"up": "systemctl is-system-running --wait"}, timeout=60)
    except (NoLabError, RuntimeError, OSError, EOFError):
        forget(host)
        return False
    return said["up"].splitlines()[:1] in (["running"], ["degraded"])


def told(carrier: str, standby: str) -> bool:
    """Whether the kernel of a router's other member knows every connection to a page that runs through it.

    A member tells the other within a second (conntrackd gathers for so long); what is younger ends with it.
    """
    known = connections(carrier)
    assert len(known) >= 2, f"{carrier} forwards nothing"
    missing = known - connections(standby)
    assert not missing, f"{standby} does not know {sorted(missing)}"
    return True


def connections(router: str) -> frozenset[tuple[str, ...]]:
    """Connections to pages that are established as a router's kernel knows them: ends and ports."""
    listed = {f: f"conntrack -L -f {f} -p tcp --state ESTABLISHED --dport 80" for f in ("ipv4", "ipv6")}
    lines = [line for said in batch(machine(router), listed).values() for line in said.checked().splitlines()]
    return frozenset(
        tuple(word for word in line.split() if "=" in word)[:4] for line in lines if "src=" in line
    )


@contextmanager
def without(host: str) -> Iterator[None]:
    """A machine without power for as long as the block runs."""
    power_off(host)
    try:
        yield
    finally:
        power_on(host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What a steady probe noticed: the longest time without an answered question, and how many were lost."""

    address: str
    seconds: float
    lost: int
    asked: int
    begun: float  # seconds after the start of the probe

    def __str__(self) -> str:
        return f"{self.address}: {self.seconds:.2f} s without an answer, {self.lost} of {self.asked} lost"


def gap(asked: Sequence[float], answered: Iterable[int], address: str = "") -> Gap:
    """The longest time between two answered questions, less the pace; all of it when nothing was answered.

    Seconds of questions; indexes of the answered ones. What was asked at the very end and not answered
    counts as well.
    """
    assert asked, "nothing was asked"
    known = sorted(set(answered))
    edges = [asked[0], *(asked[index] for index in known), asked[-1]]
    longest, begun = max((after - before, before) for before, after in pairwise(edges))
    return Gap(
        address=address,
        seconds=max(0.0, longest - EVERY),
        lost=len(asked) - len(known),
        asked=len(asked),
        begun=begun,
    )


@dataclass(slots=True, kw_only=True)
class Heard:
    """What steady probes of one place heard; filled when the block ends."""

    gaps: list[Gap]
    pages: list[dict[str, Any]]

    def worst(self) -> Gap:
        """The probe that noticed most."""
        return max(self.gaps, key=lambda found: found.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that is fetched again and again over one connection; `every` in seconds."""

    address: str
    host: str
    port: int
    path: str = "/"
    every: float = EVERY


@contextmanager
def probing(
    place: Place, *, names: Iterable[tuple[str, str]] = (), pages: Iterable[Page] = ()
) -> Iterator[Heard]:
    """Ask at 100 Hz from a place while the block runs: `names` are (resolver, name)."""
    request = {
        "every": EVERY,
        "names": [{"address": address, "name": name} for address, name in names],
        "pages": [asdict(page) for page in pages],
    }
    running: Running = place.start("steady", request)
    ready = running.line()
    heard = Heard(gaps=[], pages=[])
    try:
        assert ready["ready"], f"{place.name} is not answered before anything is switched off"
        yield heard
    finally:
        made = running.finish()
        heard.gaps += [gap(one["asked"], one["answered"], one["address"]) for one in made["names"]]
        heard.pages += made["pages"]
