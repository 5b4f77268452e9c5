"""Mirror: packages come through it, and it is the only one who gets outside."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from tests.support import environment
from tests.support.guards import dropping, permitted
from tests.support.places import Local, batch, machine
from tests.support.probes import Listener, Outcome, Question, listening, questions
from tests.support.refusals import NO_ROUTE, PATIENCE, got_through
from tests.support.web import page, request

MIRROR = environment.only("mirror")
INSIDE = tuple(host for host in environment.ours() if host != MIRROR)
# One of each trade is enough: all have the same sources, which the base layer checks.
CUSTOMERS = tuple(
    dict.fromkeys((environment.only("ns"), environment.only("app"), environment.only("workstation")))
)


@pytest.mark.requirement("tcvn-14423/5.7.2.2-patch-server", "tcvn-14423/5.3.2.2-own-source")
@pytest.mark.parametrize("host", CUSTOMERS)
def test_a_host_fetches_the_package_index_through_the_mirror(host: str) -> None:
    """A real update into a folder that is thrown away; signatures are checked as always."""
    update = (
        "set -e; lists=$(mktemp -d); trap 'rm -rf $lists' EXIT; chmod 755 $lists; "
        "apt-get -qq -o Dir::State::Lists=$lists -o APT::Update::Error-Mode=any update; ls $lists"
    )
    said = batch(machine(host), {"update": update}, timeout=120)["update"].checked()
    assert "InRelease" in said


@pytest.mark.requirement("tcvn-14423/5.3.2.2-own-source")
def test_the_mirror_fetches_nothing_but_the_declared_repositories() -> None:
    """A cache that fetches any address is a proxy to the Internet for everybody inside."""
    service = environment.service("packages")
    asked = [
        Question(
            protocol="tcp",
            address=str(service.addresses4[0]),
            port=service.ports[0].number,
            payload=request("example.org", "http://example.org/"),
            until="close",
            timeout=5,
        )
    ]
    (answer,) = questions(machine(environment.only("app")), asked)
    assert answer.outcome is Outcome.OPEN
    assert page(answer.payload).status >= 400


@pytest.mark.requirement("tcvn-14423/5.12.2.4-in-and-out", "tcvn-14423/5.3.2.2-own-source")
@pytest.mark.parametrize("host", INSIDE)
def test_no_other_host_reaches_anything_outside(host: str) -> None:
    """Somebody listens outside, on every address there is; the host's own firewall counts what it kept in."""
    carrier = environment.only("carrier")
    outside = [
        IPNetwork(address)
        for interface in environment.facts(carrier)["interfaces"]
        if interface["zone"] == "border"
        for address in interface["addresses"]
    ]
    assert outside
    ports = (("tcp", 80), ("tcp", 443), ("udp", 53), ("tcp", 8443))
    mine = [
        address.ip for interface in environment.planned(host).interfaces for address in interface.addresses
    ]
    asked = [
        Question(protocol=protocol, address=str(target.ip), port=port, timeout=PATIENCE)
        for target in outside
        for protocol, port in ports
        if not any(permitted(me, target.ip, protocol, port) for me in mine if me.version == target.version)
    ]
    wanted = [Listener(question.protocol, question.address, question.port) for question in asked]
    with listening(machine(carrier), wanted) as guests, dropping(host, "output") as rise:
        answers = questions(machine(host), asked)
    assert got_through(answers) == []
    assert [guest for guest in guests.arrived if IPAddress(guest["peer"]) in mine] == []
    sent = [answer for answer in answers if answer.error not in NO_ROUTE]
    assert rise.packets >= len(sent)


def test_the_uplink_serves_the_mirror_alone() -> None:
    """Nobody else has an interface in the uplink's segment, and the mirror does not forward into it."""
    uplinks = {
        host: [interface["segment"] for interface in environment.facts(host)["interfaces"]]
        for host in environment.ours()
    }
    assert [host for host, segments in uplinks.items() if "centre/upl" in segments] == [MIRROR]
    assert environment.facts(MIRROR)["forwards"] is False


@pytest.mark.requirement("tcvn-14423/5.12.2.5-admin-addresses")
def test_the_mirror_is_not_open_on_its_uplink_side() -> None:
    """Asked from the uplink's other end, where the controller is: nothing answers."""
    interface = next(
        entry for entry in environment.facts(MIRROR)["interfaces"] if entry["segment"] == "centre/upl"
    )
    target = interface["addresses"][0].partition("/")[0]
    asked = [Question(protocol="tcp", address=target, port=port, timeout=PATIENCE) for port in (22, 80, 8080)]
    with dropping(MIRROR, "input") as rise:
        answers = questions(Local("the uplink's other end"), asked)
    assert got_through(answers) == []
    assert rise.packets >= len(asked)
