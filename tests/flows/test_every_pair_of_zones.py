"""Every ordered pair of zones, every port in use, both families: what a flow names connects, nothing else.

Everybody asks everybody: each address of each built host, and a stranger's leg in each segment, so that
zones without servers yet (databases, conferencing) ask and are asked as well. A listener waits on every port
of every address meanwhile, so that silence means a filter; what arrived is compared with the flows, too,
since a packet that comes in is a hole even when its answer does not get out; and the guard on the way must
have counted it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

import pytest
from netaddr import IPAddress

from province.ansible.nftables import counter_name
from tests.support import environment, probe
from tests.support.everybody import AT_A_TIME, everybody, listening_to_all, place_of
from tests.support.guards import ruleset
from tests.support.matrix import Asked, Oracle, Stand
from tests.support.places import Place, batch_all
from tests.support.probes import Answer, Guests, Outcome, Question, questions

# Below the second after which TCP asks again: one question is one packet in the guard's counter.
PATIENCE = 0.8
# Who listens here answers those alone whose key or session it knows: tunnels, connections that routers tell
# each other, their liveness. That such a question arrives shows in the counter of its flow.
SILENT = {("udp", 51820), ("udp", 3780), ("udp", 3784), ("udp", 4784)}
# Asked by machines without an address, from port 68: leases are proven where a PC gets one.
UNASKABLE = {("udp", 67)}
# Where the province's own zone begins: nobody has to be asked outside.
DNS_QUERY = (
    bytes.fromhex("1f2e 0100 0001 0000 0000 0000")
    + b"".join(bytes([len(label)]) + label.encode() for label in environment.plan().domain.split("."))
    + bytes.fromhex("00 0006 0001")
)
NTP_QUERY = b"\x23" + 47 * b"\0"
PAYLOADS = {("udp", 53): DNS_QUERY, ("udp", 123): NTP_QUERY}
GUARDED = ("management", "border")


@dataclass(frozen=True)
class Proof:
    """What was asked, what came of it, what arrived, and what each host dropped meanwhile."""

    answers: Sequence[tuple[Asked, Answer]]
    guests: Mapping[str, Guests]
    drops: Mapping[str, int]
    counted: Mapping[str, Mapping[str, int]]
    stands: Mapping[IPAddress, Stand]


def _question(asked: Asked) -> Question:
    at = (asked.protocol, asked.port)
    return Question(
        protocol=asked.protocol,
        address=str(asked.target.address),
        port=asked.port,
        source=str(asked.source.address),
        payload=PAYLOADS.get(at, b""),
        timeout=4 if asked.flows and at not in SILENT | UNASKABLE else PATIENCE,
        about=asked.target.holder,
    )


def _answers(place: Place, asked: Sequence[Asked]) -> list[tuple[Asked, Answer]]:
    return list(zip(asked, questions(place, map(_question, asked)), strict=True))


def _drops(hosts: Sequence[str]) -> dict[str, tuple[int, Mapping[str, int]]]:
    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        tables = dict(zip(hosts, pool.map(ruleset, hosts), strict=True))
    return {
        host: (
            sum(table.counters[name] for name in table.counters if name.startswith("drop_")),
            dict(table.counters),
        )
        for host, table in tables.items()
    }


def prove(stands: Sequence[Stand]) -> Proof:
    """Let everybody of these ask everybody of these, with a listener on every port meanwhile."""
    oracle = Oracle(environment.plan(), environment.environment().sources.catalogue)
    ours = list(environment.ours())
    asking: dict[str, list[Asked]] = {}
    for source in stands:
        if source.shared:
            continue
        for asked in oracle.questions(source, stands):
            # A host's administration is asked from and answers inside management; all else is the legs' task.
            if source.machine and source.zone == "management" and asked.target.zone != "management":
                continue
            asking.setdefault(source.holder, []).append(asked)
    with ExitStack() as stack:
        guests = stack.enter_context(listening_to_all(stands, oracle.ports))
        before = _drops(ours)
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
            answered = pool.map(
                lambda holder: list(
                    zip(
                        asking[holder],
                        questions(place_of(holder), map(_question, asking[holder])),
                        strict=True,
                    )
                ),
                asking,
            )
            answers = list(chain.from_iterable(answered))
        after = _drops(ours)
    return Proof(
        answers=answers,
        guests=guests,
        drops={host: after[host][0] - before[host][0] for host in ours},
        counted={
            host: {name: after[host][1][name] - before[host][1].get(name, 0) for name in after[host][1]}
            for host in ours
        },
        stands={stand.address: stand for stand in stands},
    )


@pytest.fixture(scope="module")
def proof() -> Proof:
    """Everybody asks everybody, once for all checks of this file."""
    return prove(everybody())


def unanswered(proof: Proof) -> list[tuple[Asked, Answer]]:
    """What flows allow and nobody answered, of what is answered at all."""
    return [
        (asked, answer)
        for asked, answer in proof.answers
        if asked.flows
        and (asked.protocol, asked.port) not in SILENT | UNASKABLE
        and answer.outcome is not Outcome.OPEN
    ]


def holes(proof: Proof) -> list[tuple[Asked, Answer]]:
    """What no flow allows and somebody answered."""
    return [pair for pair in proof.answers if not pair[0].flows and got_through(*pair)]


def got_through(asked: Asked, answer: Answer) -> bool:
    """Whether a question reached somebody. A listener waits everywhere, so a refusal is no target's own.

    Ours drop in silence. The machine that holds the lab refuses aloud what would be routed from or into
    management. Beyond the uplink anybody may answer to any address: from there the guest books decide.
    """
    source, target = asked.source, asked.target
    if not source.machine and source.name == "upl" and source.segment != target.segment:
        return False
    aloud = (Outcome.OPEN,) if source.zone == "management" else (Outcome.OPEN, Outcome.REFUSED)
    return answer.outcome in aloud


def shown(found: Sequence[tuple[Asked, Answer]]) -> str:
    """What is wrong, by flow and by question, the first of many."""
    lines = [f"{asked}: {answer.outcome} {answer.error}" for asked, answer in found[:25]]
    return "\n".join([f"{len(found)} questions:", *lines])


def test_every_zone_asks_and_is_asked_on_every_port_in_both_families(proof: Proof) -> None:
    """The proof is only as good as its questions: none of the pairs may be missing."""
    zones = {stand.zone for stand in proof.stands.values()}
    pairs = Counter((a.source.zone, a.target.zone, a.source.version) for a, _ in proof.answers)
    expected = {
        (one, other, version)
        for one in zones
        for other in zones
        for version in (4, 6)
        # A single segment with nobody but the stranger in it and its router.
        if (one, other) != ("management", "management")
    }
    assert zones >= {"internal", "wireless", "border", "dmz", "servers", "databases", "conferencing"}
    assert expected - set(pairs) == set()
    assert len(proof.answers) > 10_000


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
def test_what_a_flow_allows_connects(proof: Proof) -> None:
    refused = unanswered(proof)
    assert not refused, shown(refused)


def test_questions_that_nobody_answers_arrive_by_their_flow(proof: Proof) -> None:
    silent = [asked for asked, _ in proof.answers if asked.flows and (asked.protocol, asked.port) in SILENT]
    assert silent
    missing = [
        asked
        for asked in silent
        if not any(proof.counted[asked.target.holder].get(counter_name(flow), 0) for flow in asked.flows)
    ]
    assert not missing, "\n".join(map(str, missing))


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix", "tcvn-14423/5.12.2.4-in-and-out")
def test_what_no_flow_allows_is_refused(proof: Proof) -> None:
    through = [
        (asked, answer) for asked, answer in proof.answers if not asked.flows and got_through(asked, answer)
    ]
    assert not through, shown(through)


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
def test_nothing_arrives_that_no_flow_allows(proof: Proof) -> None:
    oracle = Oracle(environment.plan(), environment.environment().sources.catalogue)
    arrived = []
    for holder, guests in proof.guests.items():
        for guest in guests.arrived:
            source = proof.stands.get(IPAddress(guest["peer"].partition("%")[0]))
            target = proof.stands[IPAddress(guest["address"])]
            if source is None or source.holder == holder:
                continue
            if not oracle.allowing(source, target, guest["protocol"], guest["port"]):
                arrived.append(f"{source} → {target} {guest['protocol']}/{guest['port']}")
    assert arrived == []


@pytest.mark.requirement("tcvn-14423/5.12.2.4-in-and-out")
def test_the_guard_on_the_way_counted_what_it_refused(proof: Proof) -> None:
    """Silence is a filter's, not a dead line's: at least as many packets were dropped as questions failed."""
    segments = {segment.id: segment for segment in environment.plan().segments}
    expected: Counter[str] = Counter()
    for asked, answer in proof.answers:
        if asked.flows or answer.outcome is not Outcome.TIMEOUT:
            continue
        source, target = asked.source, asked.target
        if source.machine:
            guard = source.holder
        elif source.segment == target.segment:
            guard = target.holder
        elif target.zone in GUARDED or target.name.endswith("tun"):
            continue  # most routers know no way there, and say so before any rule
        else:
            gateway = segments[source.segment].gateway4
            router = proof.stands.get(gateway) if gateway is not None else None
            guard = router.holder if router is not None else ""
        if guard in proof.drops:
            expected[guard] += 1
    assert sum(expected.values()) > 1_000
    short = {
        host: (proof.drops[host], number) for host, number in expected.items() if proof.drops[host] < number
    }
    assert short == {}, "dropped and expected, by host"


@pytest.mark.requirement("tcvn-14423/5.12.2.5-admin-addresses")
def test_management_is_reached_from_no_other_zone_and_leaves_none(proof: Proof) -> None:
    crossing = [
        (asked, answer)
        for asked, answer in proof.answers
        if (asked.source.zone == "management") != (asked.target.zone == "management")
    ]
    assert len(crossing) > 100
    through = [pair for pair in crossing if got_through(*pair)]
    assert not through, shown(through)


@pytest.mark.parametrize("harm", ["one rule too many", "one rule too few"])
def test_the_proof_sees_one_wrong_rule_of_a_router_and_names_it(harm: str) -> None:
    """A proof that cannot fail proves nothing: the edge lets a stranger in, or keeps the name server out."""
    server, resolver = environment.only("ns"), environment.only("resolver")
    edges = environment.in_group("edge")  # whichever of them forwards
    there = (server, resolver, "centre/dmz", "centre/db")
    chosen = [stand for stand in everybody() if stand.holder in there and stand.zone != "management"]
    stranger = probe.leg("centre/dmz").address4
    flow = next(f for f in environment.plan().flows if f.source.machine == "ns" and f.service == "dns")
    harms = {
        "one rule too many": "nft insert rule inet province forward"
        f" ip saddr {stranger} udp dport 123 accept",
        "one rule too few": f"nft -a list chain inet province forward | grep 'comment \"{flow.id}\"'"
        " | sed 's/.*handle //' | while read -r rule; do"
        " nft delete rule inet province forward handle $rule; done",
    }
    loaded = "nft -f /etc/province/firewall/rules.nft"
    try:
        [said["harm"].checked() for said in batch_all(edges, {"harm": harms[harm]}).values()]
        harmed = prove(chosen)
    finally:
        [said["mend"].checked() for said in batch_all(edges, {"mend": loaded}).values()]
    if harm == "one rule too few":
        assert {asked.flows for asked, _ in unanswered(harmed)} == {(flow.id,)}
        assert holes(harmed) == []
    else:
        assert unanswered(harmed) == []
        assert {(a.source.holder, a.target.holder, a.port) for a, _ in holes(harmed)} == {
            ("centre/dmz", "centre/db", 123)
        }
    mended = prove(chosen)
    assert (unanswered(mended), holes(mended)) == ([], [])
