"""A gateway and a hub get a new key: not one question is lost, and the old key is nowhere any more."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from province import rotation
from province.cli import main
from province.ledger import Ledger
from tests.support import environment
from tests.support.edges import names
from tests.support.eventually import eventually
from tests.support.hubs import Way, ways
from tests.support.places import ask, batch, machine
from tests.support.survival import probing

# Where a key could have been left: every file that is not of a package, on disk or in memory.
FOLDERS = [f"/{name}" for name in ("etc", "root", "run", "tmp", "var", "home", "opt", "usr/local", "dev/shm")]


@pytest.fixture
def way() -> Iterator[Way]:
    """A unit that takes the hub that it prefers before and after, with nothing under way."""
    way = ways()["government"]
    eventually(lambda: way.taken() == {way.preferred()}, within=30)
    yield way
    assert rotation.read(environment.state_directory()) == rotation.NONE
    eventually(lambda: way.taken() == {way.preferred()}, within=60)


@pytest.mark.parametrize("end", ["gateway", "hub"])
def test_a_new_key_costs_no_question_and_leaves_nothing_of_the_old_one(end: str, way: Way) -> None:
    """Asked at 100 Hz in both families, from the unit through the tunnels; the command is the operator's."""
    host = way.gateway if end == "gateway" else way.preferred()
    ledger = Ledger.open(environment.state_directory())
    old = ledger.secret(f"wireguard/{host}").decode()
    before = {name: _keys(name) for name in (way.gateway, *way.peers)}
    with probing(machine(way.gateway), names=names()) as heard:
        assert main(["keys", "rotate", environment.name(), "--host", host]) == 0
    assert len(heard.gaps) == 2
    for gap in heard.gaps:
        assert gap.asked > 200
        assert gap.lost == 0, gap
    new = ledger.public(f"wireguard/{host}")
    was = before[host][0]
    assert was != new
    # Both ends of every tunnel have the new one, and know the old one no more.
    after = {name: _keys(name) for name in before}
    assert after[host][0] == new
    assert {name for name, (_, known) in after.items() if new in known} == (
        {way.gateway} if host in way.peers else set(way.peers)
    )
    assert [name for name, (own, known) in after.items() if was in (own, *known)] == []
    assert ledger.secret(f"wireguard/{host}").decode() != old
    assert f"wireguard/{rotation.heir(host)}" not in ledger.publics()
    assert _holders(host, old) == []
    # The search would have found it: it finds the new one where it belongs.
    tunnels = [tunnel["name"] for tunnel in environment.facts(host)["wireguard"]]
    wanted = {f"/etc/wireguard/{name}.conf" for name in tunnels} | {f"wg {name}" for name in tunnels}
    assert set(_holders(host, ledger.secret(f"wireguard/{host}").decode())) == wanted


def _keys(host: str) -> tuple[str, frozenset[str]]:
    """The public key that a host shows in all its tunnels, and those that it knows."""
    said = batch(machine(host), {"own": "wg show all public-key", "known": "wg show all peers"})
    (own,) = {line.split()[1] for line in said["own"].checked().splitlines()}
    return own, frozenset(line.split()[1] for line in said["known"].checked().splitlines())


def _holders(host: str, secret: str) -> list[str]:
    """Files and tunnels of a host that have a private key, as WireGuard writes it."""
    assert len(base64.b64decode(secret)) == 32
    found: list[str] = ask(machine(host), "holders", {"text": secret, "folders": FOLDERS})
    return found
