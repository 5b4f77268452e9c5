"""Nobody takes all connections: a source has as many as its flow gives, and others are still served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from province.ansible.nftables import counter_name
from tests.support import environment, probe
from tests.support.eventually import eventually
from tests.support.guards import ruleset
from tests.support.places import batch, machine
from tests.support.probes import Outcome, Question, questions

PC = environment.only("workstation")
UNIT = environment.facts(PC)["unit"]
GATEWAY = next(
    host for host in environment.in_group("unit_gateway") if environment.facts(host)["unit"] == UNIT
)
MORE = 20
# A message that says it is an answer: no name server replies, so that what is counted are the senders' own.
ANSWER = (bytes([0, 0, 0x84, 0]) + bytes(8)).hex()


def rule(chain: str, flow: str, protocol: str) -> dict[str, Any]:
    """What the gateway was told of a flow; it may go by several ways, to the same addresses."""
    rules = environment.facts(GATEWAY)["firewall"][chain]
    found: dict[str, Any] = next(r for r in rules if (r["flow"], r["protocol"]) == (flow, protocol))
    assert found["connections"] > MORE, found
    return found


def addresses(host: str, segment: str) -> dict[int, str]:
    """A host's own addresses in a segment, by version."""
    for interface in environment.planned(host).interfaces:
        if interface.segment.endswith(f"/{segment}"):
            return {address.version: str(address.ip) for address in interface.addresses}
    raise AssertionError(f"{host} has no address in {segment}")


@pytest.fixture(autouse=True)
def count_anew() -> Iterator[None]:
    """Rules that are loaded again begin to count again: questions by UDP are remembered for half a minute."""
    load = {"load": "nft -f /etc/province/firewall/rules.nft"}
    batch(machine(GATEWAY), load)["load"].checked()
    yield
    batch(machine(GATEWAY), load)["load"].checked()


@contextmanager
def held(leg: probe.Leg, protocol: str, address: str, port: int, number: int) -> Iterator[dict[str, Any]]:
    """Hold connections from a leg; gives how many of them there are."""
    source = leg.address6 if ":" in address else leg.address4
    running = leg.start(
        "hold",
        {
            "protocol": protocol,
            "source": str(source),
            "address": address,
            "port": port,
            "number": number,
            "payload": ANSWER,
            "seconds": 2.5,  # TCP asks again after a second: that is refused as well
        },
    )
    try:
        yield running.line()
    finally:
        running.finish()


@pytest.mark.requirement("tcvn-14423/5.12.2.4-limits")
@pytest.mark.parametrize("version", [4, 6])
def test_one_source_gets_as_many_connections_as_its_flow_has_and_others_are_served(version: int) -> None:
    """What is beyond is dropped by the first router and counted; what is closed may be opened again."""
    told = rule("forward", "staff-packages", "tcp")
    most, there = told["connections"], told[f"destination{version}"][0].partition("/")[0]
    leg = probe.leg(f"{UNIT}/staff")
    before = ruleset(GATEWAY).counters["drop_beyond"]
    with held(leg, "tcp", there, 80, most + MORE) as first:
        (other,) = questions(machine(PC), [Question(protocol="tcp", address=there, port=80)])
        dropped = ruleset(GATEWAY).counters["drop_beyond"] - before
    assert first == {"open": most, "error": ""}
    assert other.outcome is Outcome.OPEN
    assert dropped >= MORE

    def again() -> bool:
        with held(leg, "tcp", there, 80, most) as second:
            return bool(second["open"] == most)

    eventually(again, within=20)


@pytest.mark.requirement("tcvn-14423/5.12.2.4-limits")
@pytest.mark.parametrize("version", [4, 6])
def test_questions_by_udp_are_limited_for_each_source(version: int) -> None:
    """Nobody but the stranger is among the guests: the gateway's counters are about it alone."""
    most = rule("input", "guest-unit-dns", "udp")["connections"]
    there = addresses(GATEWAY, "guest")[version]
    leg = probe.leg(f"{UNIT}/guest")
    names = counter_name("guest-unit-dns"), "drop_beyond"
    before = ruleset(GATEWAY).counters
    with held(leg, "udp", there, 53, most + MORE):
        after = ruleset(GATEWAY).counters
    allowed, refused = (after[name] - before[name] for name in names)
    assert (allowed, refused) == (most, MORE)
    assert probe.run(leg.name, ["ping", "-c", "1", "-W", "2", there]).checked()


@pytest.mark.requirement("tcvn-14423/5.12.2.4-limits")
def test_what_is_beyond_a_limit_is_in_the_log() -> None:
    leg = probe.leg(f"{UNIT}/guest")
    most = rule("input", "guest-unit-dns", "tcp")["connections"]
    there = addresses(GATEWAY, "guest")[4]
    with held(leg, "tcp", there, 53, most + MORE):
        interfaces = environment.planned(GATEWAY).interfaces
        zone = next(i.zone for i in interfaces if i.segment == f"{UNIT}/guest").value
        said = f"refused chain=beyond zone={zone} .*SRC={leg.address4} "
        found = f"journalctl --identifier=ulogd --lines=400 --output=cat | grep '{said}'"
        eventually(lambda: machine(GATEWAY).testinfra.run(found).rc == 0, within=10)
