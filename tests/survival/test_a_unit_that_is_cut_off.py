"""The carrier cuts a unit's line: what goes on at the unit, what its staff are told, and that it comes back.

Everything is asked from the unit's PC, over its LAN. The story is told once; each test is one claim.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from province.observe import ntp
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.lines import cut
from tests.support.names import AGE, ask_names, code, data
from tests.support.pages import SCREENS, STATUS_SCRIPTS, open_status
from tests.support.places import Place, batch, machine
from tests.support.probes import Outcome, Question, questions
from tests.support.web import page, request

PC = environment.only("workstation")
LAN = "staff"
UNIT = environment.unit(environment.facts(PC)["unit"])
GATEWAY = next(
    host for host in environment.in_group("unit_gateway") if environment.facts(host)["unit"] == UNIT.id
)
SEGMENT = next(segment for segment in UNIT.segments if segment.name == LAN)
NAME = environment.service("unit-status").names[0]
KNOWN = environment.service("start")
# The session with a hub is held this long after the last word of it, and the gateway looks every few seconds.
NOTICED = 45
RETURNED = 60
# Between the cut and what was heard before it lies at most one keepalive of BGP.
DATED = 15
LEASES = "/var/lib/kea/kea-leases4.csv"


@dataclass(frozen=True)
class Story:
    """What was seen while the unit was cut off, and when the line went."""

    before: dict[str, Any]
    cut_at: float
    during: dict[str, Any]
    page: str
    lease: tuple[int, int]
    names: dict[str, tuple[str, ...]]
    seconds: float
    times: list[ntp.Reply]
    centre: set[Outcome]


def fetch(path: str) -> bytes:
    """What the page of the unit's gateway answers; by the gateway's address, to keep names out of it."""
    asked = Question(
        protocol="tcp",
        address=str(SEGMENT.gateway4),
        port=80,
        payload=request(NAME, path),
        until="close",
        device=LAN,
    )
    answer = questions(machine(PC), [asked])[0]
    assert answer.outcome is Outcome.OPEN, answer
    served = page(answer.payload)
    assert served.status == 200
    return served.body


def status() -> dict[str, Any]:
    """The state that the gateway tells."""
    told: dict[str, Any] = json.loads(fetch("/status.json"))
    return told


def clock() -> float:
    """The gateway's own clock, which dates the cut."""
    return float(batch(machine(GATEWAY), {"now": "date +%s.%N"})["now"].checked())


def expires() -> int:
    """When the PC's lease ends, by the files of the lease server, which begins a new one every hour."""
    link = batch(machine(PC), {"mac": f"cat /sys/class/net/{LAN}/address"})["mac"].checked().strip()
    last = f"cat {LEASES}.2 {LEASES}.1 {LEASES} 2>/dev/null | grep -F {link} | tail -1"
    return int(batch(machine(GATEWAY), {"lease": last})["lease"].checked().split(",")[4])


def resolve(place: Place) -> dict[str, tuple[str, ...]]:
    """Addresses of a name of the centre, through the gateway."""
    asked = [(f"{KNOWN.names[0]}.", kind) for kind in ("A", "AAAA")]
    heard = ask_names(place, str(SEGMENT.gateway4), asked, device=LAN, timeout=4)
    return {key[1]: data(heard[key], key[1]) for key in asked}


def reach_the_centre() -> set[Outcome]:
    """How an attempt to open the centre's start page ends."""
    asked = [
        Question(protocol="tcp", address=str(address), port=80, device=LAN, timeout=2)
        for address in (*KNOWN.addresses4, *KNOWN.addresses6)
    ]
    return {answer.outcome for answer in questions(machine(PC), asked)}


@pytest.fixture(scope="module")
def line() -> Iterator[ExitStack]:
    """Mends the line, whatever happens."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def story(line: ExitStack) -> Story:
    """The unit is connected, then its line is cut, and everything is asked once."""
    eventually(lambda: status()["state"] == "connected", within=RETURNED)
    assert all(resolve(machine(PC)).values())
    before, lease = status(), expires()
    line.enter_context(cut(GATEWAY))
    cut_at = clock()
    centre = reach_the_centre()
    eventually(lambda: status()["state"] == "cut", within=NOTICED)
    batch(machine(GATEWAY), {"age": AGE.format(zone=environment.plan().domain)})["age"].checked()
    batch(machine(PC), {"renew": f"networkctl renew {LAN}"})["renew"].checked()
    renewed = eventually(lambda: expires() if expires() > lease else 0, within=10)
    eventually(_run_out, within=5)
    began = time.monotonic()
    names = resolve(machine(PC))
    seconds = time.monotonic() - began
    asked = [
        Question(protocol="udp", address=str(address), port=123, payload=ntp.request(), device=LAN)
        for address in (SEGMENT.gateway4, SEGMENT.gateway6)
    ]
    times = [ntp.reply(answer.payload) for answer in questions(machine(PC), asked)]
    return Story(
        before, cut_at, status(), fetch("/").decode(), (lease, renewed), names, seconds, times, centre
    )


def _run_out() -> bool:
    """Whether the gateway no longer has a fresh answer: a dump leaves out what has run out."""
    said = batch(machine(GATEWAY), {"dump": "unbound-control dump_cache"})["dump"].checked()
    return f"msg {KNOWN.names[0]}." not in said


def test_the_centre_is_really_out_of_reach(story: Story) -> None:
    """Otherwise nothing below would mean anything."""
    assert Outcome.OPEN not in story.centre


def test_the_gateway_says_that_the_unit_is_cut_off_and_since_when(story: Story) -> None:
    """Dated by what was heard last: before the cut by at most a keepalive, never after it."""
    assert story.before["state"] == "connected"
    assert story.during["state"] == "cut"
    assert story.cut_at - DATED <= story.during["since"] <= story.cut_at + 3


def test_a_lease_is_renewed_while_the_unit_is_cut_off(story: Story) -> None:
    before, renewed = story.lease
    assert renewed > before


def test_a_name_that_was_known_still_answers_after_it_has_run_out(story: Story) -> None:
    """The answer in the cache had run out, nobody could be asked, and it is still the planned one."""
    assert set(story.names["A"]) == set(map(str, KNOWN.addresses4))
    assert set(story.names["AAAA"]) == set(map(str, KNOWN.addresses6))
    assert story.seconds < 4.5


def test_the_gateways_own_names_need_nobody(story: Story) -> None:
    del story
    own = [(f"{name}.", "A") for name in (NAME, environment.planned(GATEWAY).fqdn)]
    heard = ask_names(machine(PC), str(SEGMENT.gateway4), own, device=LAN)
    for key in own:
        assert data(heard[key], "A") == (str(SEGMENT.gateway4),), code(heard[key])


def test_the_time_goes_on(story: Story) -> None:
    assert len(story.times) == 2
    assert [reply.usable for reply in story.times] == [True, True]
    assert all(abs(reply.time - time.time()) < 60 for reply in story.times)


def test_the_page_tells_the_staff_in_their_language(story: Story) -> None:
    """Plain words, the moment as people write it, what still works, and whom to call."""
    moment = time.strftime("%H:%M ngày %d/%m/%Y", _local(story.during["since"]))
    text = " ".join(re.sub(r"<[^>]+>", " ", story.page).split())
    assert 'data-connection="cut"' in story.page
    assert "Mất kết nối tới Trung tâm" in text
    assert f"Từ {moment}" in text
    assert UNIT.name in text
    works = dict(re.findall(r'data-works="(\w+)" data-runs="(\w+)"', story.page))
    assert works == {"address": "true", "names": "true", "time": "true"}
    for contact in environment.facts(GATEWAY)["status"]["contacts"]:
        assert contact["mailbox"] in text


@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_of_a_cut_opens_by_its_name_and_fits_the_screen(story: Story, screen: str) -> None:
    del story
    seen = open_status(PC, screen, "cut", STATUS_SCRIPTS)
    assert seen["values"]["connection"] == "cut"
    assert seen["values"]["too_wide"] == 0
    assert seen["values"]["styled"] is True
    assert (seen["console"], seen["failures"]) == ([], [])


def test_the_moment_of_the_cut_survives_a_restart_of_the_watcher(story: Story) -> None:
    batch(machine(GATEWAY), {"again": "systemctl restart unit-status.service"})["again"].checked()
    told = eventually(status, within=10)
    assert (told["state"], told["since"]) == ("cut", story.during["since"])


def test_after_the_return_the_page_says_so_and_from_when_to_when(story: Story, line: ExitStack) -> None:
    line.close()  # the carrier mends the line
    mended = clock()

    def back() -> dict[str, Any]:
        told = status()
        assert told["state"] == "connected", told["state"]
        return told

    told = eventually(back, within=RETURNED)
    assert told["cuts"][0]["began"] == story.during["since"]
    assert mended - 3 <= told["cuts"][0]["ended"] <= mended + RETURNED
    text = fetch("/").decode()
    assert 'data-connection="connected"' in text
    assert "Đã có kết nối trở lại" in text
    eventually(lambda: reach_the_centre() == {Outcome.OPEN}, within=30)


def _local(moment: float) -> time.struct_time:
    """The gateway's wall clock: Vietnam has one time zone, seven hours ahead, all year."""
    return time.gmtime(moment + 7 * 3600)
