"""The time server that leads is without power: the other goes on by itself; who starts then follows it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from province.observe import ntp
from province.observe.chrony import Tracking, tracking
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch_all, machine
from tests.support.probes import Outcome, Question, questions
from tests.support.survival import power_on, without

SERVERS = environment.in_group("resolver")
HOSTS = environment.in_group("centre", "unit_gateway")
# Hosts that start while the leader is away; one that runs counts on by what it heard, for hours.
STARTING = (environment.only("app"), environment.only("unit_gateway"))
AGREED = 0.1  # seconds between a host and what it follows
TRACKING = "chronyc -n -c tracking"
RESTART = "systemctl restart chrony.service"


@pytest.fixture
def leader() -> Iterator[str]:
    """The time server that follows nobody; one of both does so before and after."""
    if environment.environment().time_upstreams:
        pytest.skip("there is a clock outside")
    assert len(SERVERS) == 2, "there is no second time server: members {resolver: 2}"
    leads = eventually(led, within=120)
    yield leads
    power_on(leads)
    eventually(led, within=120)


def addresses(server: str) -> list[str]:
    """Where a server is asked for the time."""
    listed: list[str] = environment.facts(server)["dns_listen"]
    return listed


def clocks(off: str = "") -> dict[str, Tracking]:
    """How the clocks of all hosts with power stand."""
    heard = batch_all([host for host in HOSTS if host != off], {"now": TRACKING})
    return {host: tracking(said["now"].checked()) for host, said in heard.items()}


def led() -> str:
    """The one time server that follows nothing but itself, with all other hosts in step."""
    found = clocks()
    leads = [host for host, seen in found.items() if seen.alone]
    assert len(leads) == 1, leads
    assert leads[0] in SERVERS
    assert out_of_step(found) == {}
    return leads[0]


def out_of_step(found: dict[str, Tracking]) -> dict[str, Tracking]:
    """Clocks that follow nothing, or are far from what they follow."""
    return {h: seen for h, seen in found.items() if not seen.synchronised or abs(seen.offset) >= AGREED}


def replies(server: str) -> list[ntp.Reply]:
    """What a server says that is asked from a unit's gateway over its line, in both families."""
    asked = [
        Question(protocol="udp", address=address, port=123, payload=ntp.request())
        for address in addresses(server)
    ]
    heard = questions(machine(environment.only("unit_gateway")), asked)
    assert [answer.outcome for answer in heard] == [Outcome.OPEN] * 2
    return [ntp.reply(answer.payload) for answer in heard]


def begin(hosts: tuple[str, ...]) -> None:
    """Let clocks of hosts begin anew, knowing nothing of before."""
    for said in batch_all(hosts, {"begin": RESTART}).values():
        said["begin"].checked()


def followed(server: str) -> bool:
    """Whether those that have begun follow a server."""
    heard = batch_all(STARTING, {"now": TRACKING})
    references = {host: tracking(said["now"].checked()).reference for host, said in heard.items()}
    assert set(references.values()) <= set(addresses(server)), references
    return True


@pytest.mark.requirement("tcvn-14423/5.12.2.2a-standby")
def test_the_second_time_server_goes_on_without_the_first_and_who_starts_then_follows_it(leader: str) -> None:
    """From the first moment with what it heard last; and by itself, when it starts with nobody to ask."""
    (other,) = (server for server in SERVERS if server != leader)
    orphan = environment.facts(other)["ntp"]["orphan_stratum"]
    with without(leader):
        at_once = replies(other)
        begin(STARTING)
        eventually(lambda: followed(other), within=60)
        assert out_of_step(clocks(off=leader)) == {}
        begin((other,))
        alone = eventually(lambda: [r for r in replies(other) if r.stratum == orphan], within=60)
        begin(STARTING)
        eventually(lambda: followed(other), within=60)
    for reply in at_once + alone:
        assert reply.usable, reply
        assert abs(reply.time - time.time()) < 600, reply
