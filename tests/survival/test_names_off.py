"""One of two name servers or resolvers is away, or somebody answers in their place: names stay true."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from province.plan.model import Plan
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.names import AGE, FORGED, Asked, ask_names, code, data
from tests.support.places import ask, batch, machine
from tests.support.survival import power_on, without

NAME_SERVERS = environment.in_group("ns")
RESOLVERS = environment.in_group("resolver")
ASKER = environment.only("app")
PC = environment.only("workstation")
# The first question to a server that is gone waits for it; the next ones know.
PATIENCE = 8
PORTS = (5300, 5301)


def addresses(host: str) -> list[str]:
    """Where a server is asked, IPv4 first."""
    listed: list[str] = environment.facts(host)["dns_listen"]
    return listed


@pytest.fixture(scope="module")
def fresh(plan: Plan) -> Iterator[Asked]:
    """Planned names, none twice, from the far end of the zone: no cache has them."""
    kinds = {"A": environment.facts(RESOLVERS[0])["domain"]}
    listed = [
        (record.name, record.type)
        for zone in plan.dns_zones
        for record in zone.records
        if record.type in kinds and ".dc." not in record.name
    ]
    random.shuffle(listed)
    assert len(listed) > 40
    return iter(listed)


def take(names: Iterator[Asked], count: int) -> list[Asked]:
    """So many names that nobody has asked for."""
    return [next(names) for _ in range(count)]


def unknown(asked: list[Asked], server: str) -> dict[Asked, str]:
    """Names that a server did not resolve."""
    heard = ask_names(machine(ASKER), server, asked, timeout=PATIENCE)
    return {key: code(answer) for key, answer in heard.items() if not data(answer, key[1])}


@pytest.mark.parametrize("host", NAME_SERVERS)
def test_names_nobody_knew_resolve_while_one_name_server_is_off(host: str, fresh: Iterator[Asked]) -> None:
    assert len(NAME_SERVERS) == 2
    with without(host):
        for resolver in RESOLVERS:
            assert unknown(take(fresh, 5), addresses(resolver)[0]) == {}
    eventually(lambda: unknown(take(fresh, 1), addresses(RESOLVERS[0])[0]) == {}, within=30)


@pytest.mark.parametrize("host", RESOLVERS)
def test_hosts_and_units_resolve_while_one_resolver_is_off(host: str, fresh: Iterator[Asked]) -> None:
    """A host's own resolver library goes on to the other; so does a unit's gateway for its PCs."""
    assert len(RESOLVERS) == 2
    gateway = environment.facts(PC)["resolvers"][0]
    with without(host):
        (name, _), *others = take(fresh, 6)
        said = batch(machine(ASKER), {"name": f"getent ahostsv4 {name}"}, timeout=60)["name"]
        assert said.checked().split()
        heard = ask_names(machine(PC), gateway, others, timeout=PATIENCE)
        assert {key: code(answer) for key, answer in heard.items() if not data(answer, "A")} == {}


@contextmanager
def forgers() -> Iterator[None]:
    """On the addresses of all name servers somebody else answers; ours are stopped and come back."""
    with ExitStack() as stack:
        for host in NAME_SERVERS:
            stack.callback(power_on, host)
            stack.callback(batch, machine(host), {"start": "systemctl start knot"})
            batch(machine(host), {"stop": "systemctl stop knot"})["stop"].checked()
            running = machine(host).start(
                "forger", {"seconds": 120, "addresses": addresses(host), "forged": FORGED}
            )
            assert running.line() == {"ready": True}
            stack.callback(running.finish)
        yield


def test_answers_of_a_forged_name_server_are_refused(fresh: Iterator[Asked]) -> None:
    """It is believed by who does not check: asked directly, or by the resolver told not to (CD)."""
    (name, _), *others = take(fresh, 4)
    resolver = machine(RESOLVERS[0])
    with forgers():
        server = addresses(NAME_SERVERS[0])[0]
        direct = ask_names(resolver, server, [(name, "A")])
        assert data(direct[name, "A"], "A") == (FORGED,)
        for place in RESOLVERS:
            heard = ask_names(machine(ASKER), addresses(place)[0], others, timeout=PATIENCE)
            assert {code(answer) for answer in heard.values()} == {"SERVFAIL"}
        said = batch(
            machine(ASKER),
            {
                "unchecked": f"dig +cd +short @{addresses(RESOLVERS[0])[0]} {others[0][0]} A",
                "why": f"dig @{addresses(RESOLVERS[0])[0]} {others[1][0]} A",
            },
            timeout=60,
        )
        assert said["unchecked"].checked().split() == [FORGED]
        # Extended errors 6 to 12 (RFC 8914) are those of signatures and keys.
        assert re.search(r"EDE: ([6-9]|1[0-2]) ", said["why"]), said["why"]
        gateway = environment.facts(PC)["resolvers"][0]
        below = ask_names(machine(PC), gateway, others[2:], timeout=PATIENCE)
        assert {code(answer) for answer in below.values()} == {"SERVFAIL"}
    for place in RESOLVERS:
        # What was not believed is not asked again for a while: the cache of the test's own names goes.
        batch(machine(place), {"flush": "unbound-control flush_bogus; unbound-control flush_infra all"})
        eventually(lambda place=place: unknown(others, addresses(place)[0]) == {}, within=60)  # type: ignore[misc]  # of its own turn


def test_known_names_are_answered_while_no_name_server_is(fresh: Iterator[Asked], plan: Plan) -> None:
    """Also when they have run out, by either resolver; a name that nobody had asked for is not."""
    known, new = take(fresh, 1), take(fresh, 1)
    for place in RESOLVERS:
        assert unknown(known, addresses(place)[0]) == {}
    with ExitStack() as stack:
        for host in NAME_SERVERS:
            stack.callback(batch, machine(host), {"start": "systemctl start knot"})
            batch(machine(host), {"stop": "systemctl stop knot"})["stop"].checked()
        for place in RESOLVERS:
            batch(machine(place), {"age": AGE.format(zone=plan.domain)})["age"].checked()
        eventually(lambda: not any(map(_fresh, RESOLVERS, known * len(RESOLVERS))), within=5)
        for place in RESOLVERS:
            assert unknown(known, addresses(place)[0]) == {}
            assert unknown(new, addresses(place)[0]) != {}
    for place in RESOLVERS:
        batch(machine(place), {"flush": "unbound-control flush_infra all"})
        eventually(lambda place=place: unknown(new, addresses(place)[0]) == {}, within=60)  # type: ignore[misc]  # of its own turn


def _fresh(resolver: str, asked: Asked) -> bool:
    """Whether a resolver has an answer that has not run out: a dump leaves out the others."""
    dump = batch(machine(resolver), {"dump": "unbound-control dump_cache"})["dump"].checked()
    return f"msg {asked[0].rstrip('.')}." in dump


def test_keys_roll_while_a_validating_resolver_asks_and_notices_nothing() -> None:
    """Keys that sign records live for seconds here; the server replaces them, every answer is proven."""
    seen = ask(
        machine(RESOLVERS[0]), "key_roll", {"seconds": 25, "authority": PORTS[0], "resolver": PORTS[1]}
    )
    assert seen["started"]
    assert seen["codes"] == {"0": seen["asked"]}
    assert seen["unproven"] == 0
    assert seen["asked"] > 150
    assert len(seen["signers"]) >= 3, "fewer than two rolls"
