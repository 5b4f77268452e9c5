"""The store of logs is off, hosts go on writing, senders are even killed: nothing that waits is lost."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.logs import all_kept, senders, store
from tests.support.places import batch, batch_all, machine

SERVICE = "province-log-store.service"
LINES = 200


@pytest.fixture
def away() -> Iterator[None]:
    """The store does not take anything."""
    place = machine(store())
    batch(place, {"stop": f"systemctl stop {SERVICE}"})["stop"].checked()
    try:
        yield
    finally:
        batch(place, {"start": f"systemctl start {SERVICE}"})["start"].checked()


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_all_lines_written_while_the_store_was_away_arrive_once_and_in_order(away: None) -> None:
    del away
    hosts = tuple(map(environment.only, ("edge", "ns", "app", "unit_gateway")))
    # What was on its way when the store closed goes with a killed sender (decision 0017): so each has first
    # noticed, by writing, that nobody takes its lines.
    port = environment.facts(store())["log_store"]["port"]
    shown = f"ss --no-header --numeric --tcp state established state close-wait dport = :{port}"
    noticed = {"noticed": f'logger -t marked before; there=$({shown}) && test -z "$there"'}
    eventually(lambda: not any(said["noticed"].rc for said in batch_all(hosts, noticed).values()), within=20)
    mark = f"away-{secrets.token_hex(6)}"
    write = {"write": f"for n in $(seq {LINES}); do echo {mark} $n; done | logger -t marked"}
    for heard in batch_all(hosts, write).values():
        heard["write"].checked()
    waiting = "test -n \"$(find /var/spool/province-logs -name 'store.0*' -size +20k)\""
    eventually(lambda: all(not said["w"].rc for said in batch_all(hosts, {"w": waiting}).values()), within=20)
    # What waits outlives the program that holds it, even one that is killed.
    restart = "systemctl kill --signal=KILL province-log-forwarder.service"
    for host in (environment.only("app"), environment.only("unit_gateway")):
        batch(machine(host), {"kill": restart})["kill"].checked()
    batch(machine(store()), {"start": f"systemctl start {SERVICE}"})["start"].checked()
    texts = [f"{mark} {n}" for n in range(1, LINES + 1)]
    found = all_kept({host: set(texts) for host in hosts}, f'"text":"{mark} ', within=50)
    for host in hosts:
        mine = [record["text"] for record in found if record["host"] == host]
        twice = {text for text, number in Counter(mine).items() if number > 1}
        # A killed sender may repeat the line that it was about to note.
        assert len(twice) <= 1, (host, sorted(twice)[:5])
        assert list(dict.fromkeys(mine)) == texts, f"{host}: out of order"


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_hosts_that_have_nothing_to_say_are_connected_again_soon(away: None) -> None:
    """Who notices by writing only would write in vain: routers forget in a minute what the store has closed.

    The store alone is asked: a host that is asked signs the asking in, and so has something to say.
    """
    del away
    kept = environment.facts(store())["log_store"]
    place = machine(store())
    batch(place, {"start": f"systemctl start {SERVICE}"})["start"].checked()
    shown = {"there": f"ss --no-header --numeric --tcp state established sport = :{kept['port']}"}
    assert {sender["host"] for sender in kept["senders"]} == set(senders())

    def connected() -> bool:
        said = batch(place, shown)["there"].checked()
        there = {line.split()[3].rpartition(":")[0].strip("[]") for line in said.splitlines()}
        silent = [sender["host"] for sender in kept["senders"] if there.isdisjoint(sender["addresses"])]
        assert not silent, silent
        return True

    eventually(connected, within=75, every=2)
