"""What a unit's devices may not reach is refused, although somebody listens there.

The questions are generated: every address of every built host of the centre, with every port that any flow
of the province uses, less what the flows allow. A listener waits on each before it is asked, and the drop
counter of the guard that stands first on the way must rise by as many packets as were refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork

from province.plan.model import Segment
from tests.support import environment
from tests.support.devices import DEVICE, own_addresses, stranger
from tests.support.guards import dropping, permitted
from tests.support.places import Place, machine
from tests.support.probes import Listener, Outcome, Question, listening, questions
from tests.support.refusals import PATIENCE, UNUSED, forbidden, got_through, ports, refuse_all, targets
from tests.support.state import state

PC = environment.only("workstation")
UNIT = environment.unit(environment.facts(PC)["unit"])
GATEWAY = next(
    host for host in environment.in_group("unit_gateway") if environment.facts(host)["unit"] == UNIT.id
)
CENTRE = environment.in_group("centre")
LAN = "staff"


def guard_of(host: str) -> tuple[str, str]:
    """Who refuses first what the host sends: its own firewall if it has one, else its gateway."""
    return (host, "output") if environment.facts(host).get("firewall") else (GATEWAY, "forward")


@pytest.fixture(scope="module")
def pc_addresses() -> list[IPAddress]:
    """What the PC calls itself on the LAN."""
    return [
        IPNetwork(entry.address).ip
        for entry in state(PC).addresses
        if entry.interface == LAN and entry.scope == "global"
    ]


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix", "tcvn-14423/5.12.2.4-in-and-out")
def test_the_pc_reaches_nothing_of_the_centre_but_what_its_flows_say(pc_addresses: list[IPAddress]) -> None:
    refuse_all(machine(PC), guard_of(PC), forbidden(pc_addresses, targets(CENTRE), LAN), pc_addresses)


def segment(name: str) -> Segment:
    """A segment of the unit by its name."""
    return next(found for found in UNIT.segments if found.name == name)


@pytest.fixture(scope="module", params=["staff", "guest"])
def device(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Segment]]:
    """Somebody's own laptop, without any firewall, plugged into a network of the unit."""
    plugged = segment(request.param)
    with stranger(plugged) as place:
        yield place, plugged


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix")
def test_a_foreign_device_reaches_nothing_but_what_flows_of_its_network_say(
    device: tuple[Place, Segment],
) -> None:
    """The unit's gateway refuses, not the good will of the device."""
    place, plugged = device
    sources = list(own_addresses(plugged))
    refuse_all(place, (GATEWAY, "forward"), forbidden(sources, targets(CENTRE), DEVICE), sources)


def test_a_guest_may_reach_nothing_at_all_in_the_centre() -> None:
    """The flows themselves: an open door for guests must not slip into the catalogue unseen."""
    sources = own_addresses(segment("guest"))
    allowed = {
        (str(target), port): flows
        for _host, target in targets(CENTRE)
        for port in ports()
        for source in sources
        if source.version == target.version and (flows := permitted(source, target, *port))
    }
    assert allowed == {}


@pytest.mark.requirement("tcvn-14423/5.12.2.5-admin-addresses")
def test_management_addresses_are_not_reached_from_the_lan(device: tuple[Place, Segment]) -> None:
    """SSH waits there, for the controller alone."""
    place, _plugged = device
    asked = [
        Question(
            protocol="tcp",
            address=environment.facts(host)["management"][key],
            port=22,
            device=DEVICE,
            timeout=PATIENCE,
            about=host,
        )
        for host in environment.ours()
        for key in ("address4", "address6")
        if host not in (PC,)
    ]
    with dropping(GATEWAY, "forward") as forward, dropping(GATEWAY, "input") as local:
        answers = questions(place, asked)
    assert got_through(answers) == []
    assert forward.packets + local.packets >= len(asked)


@pytest.mark.requirement("tcvn-14423/5.12.2.4-spoofing")
def test_a_device_that_lies_about_its_address_is_dropped() -> None:
    """With its own address the question is answered, with one of another unit's it ends at the gateway."""
    staff = segment(LAN)
    other = next(unit for unit in environment.plan().units if unit.id != UNIT.id and unit.kind == UNIT.kind)
    false = own_addresses(next(found for found in other.segments if found.name == LAN))
    start = environment.service("start")
    port = start.ports[0]
    truth, lies = [], []
    for target in (*start.addresses4, *start.addresses6):
        asked = Question(protocol=port.protocol, address=str(target), port=port.number, device=DEVICE)
        source = next(address for address in false if address.version == target.version)
        assert permitted(source, target, port.protocol, port.number), "the lie must be worth telling"
        truth.append(asked)
        lies.append(replace(asked, source=str(source), transparent=True, timeout=PATIENCE))
    with stranger(staff) as place:
        assert {answer.outcome for answer in questions(place, truth)} == {Outcome.OPEN}
        with dropping(GATEWAY, "spoof") as rise:
            answers = questions(place, lies)
    assert {answer.outcome for answer in answers} == {Outcome.TIMEOUT}
    assert rise.packets >= len(lies)


@pytest.mark.requirement("tcvn-14423/5.4.2.4-wan-encryption")
def test_the_carrier_is_no_way_into_the_centre() -> None:
    """From the carrier's side of the line only the tunnel's port is there; inner addresses lead nowhere."""
    carrier = environment.only("carrier")
    hub = environment.only("hub")
    line = next(interface for interface in environment.planned(hub).interfaces if interface.zone == "border")
    asked = [
        Question(protocol=protocol, address=str(address.ip), port=number, timeout=PATIENCE, about=hub)
        for address in line.addresses
        for protocol, number in [("tcp", 22), ("tcp", 80), ("tcp", 179), ("udp", 53), UNUSED]
    ]
    with (
        listening(machine(hub), [Listener(q.protocol, q.address, q.port) for q in asked]) as guests,
        dropping(hub, "input") as rise,
    ):
        answers = questions(machine(carrier), asked)
    mine = {str(address.ip) for address in line.addresses}
    assert got_through(answers) == []
    assert [guest for guest in guests.arrived if guest["peer"] not in mine] == []
    assert rise.packets >= len(asked)
