"""Naming: every planned name is answered, nothing else is, and nobody is served who should not be."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from province.observe import dns, ntp
from province.observe.chrony import tracking
from province.plan.model import Plan
from tests.support import dnsviz, environment
from tests.support.devices import DEVICE, stranger
from tests.support.eventually import eventually
from tests.support.names import ask_names, code, data
from tests.support.places import Place, batch, batch_all, machine
from tests.support.probes import Outcome, Question, questions

RESOLVER = environment.only("resolver")
AUTHORITY = environment.only("ns")
# As inventories/common/group_vars/resolver has it.
FILTERED = ("blocked.example.org",)
NOTHING = (Outcome.TIMEOUT, Outcome.UNREACHABLE)


def service_addresses(host: str) -> list[str]:
    """Addresses of a host outside management, IPv4 first."""
    interfaces = [
        interface for interface in environment.planned(host).interfaces if interface.zone != "management"
    ]
    return [str(address.ip) for interface in interfaces for address in interface.addresses]


def test_every_planned_record_is_answered_with_the_planned_data(plan: Plan) -> None:
    """All zones, all records, asked of the authoritative server from the resolver, in one round trip."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for zone in plan.dns_zones:
        for record in zone.records:
            wanted[record.name.lower(), record.type].add(_normal(record.type, record.data))
    assert len(wanted) > len(plan.units), "fewer records than units: the plan has lost its zones"
    heard = ask_names(machine(RESOLVER), service_addresses(AUTHORITY)[0], wanted, recursion=False)
    wrong = {
        key: (code(heard[key]), sorted(found), sorted(values))
        for key, values in wanted.items()
        if (found := {_normal(key[1], value) for value in data(heard[key], key[1])}) != values
    }
    assert not wrong, f"{len(wrong)} of {len(wanted)} records, first: {dict(list(wrong.items())[:5])}"


def authorities(domain: str) -> list[str]:
    """Every authoritative server by every address, as dnsviz is told."""
    return [
        f"{host}.{domain}={f'[{address}]' if ':' in address else address}"
        for host in environment.in_group("ns")
        for address in service_addresses(host)
    ]


@pytest.fixture(scope="module")
def heard(plan: Plan) -> dict[str, Any]:
    """All zones, all servers, both families, as dnsviz asks them."""
    return dnsviz.hear(machine(RESOLVER), {zone.name: authorities(plan.domain) for zone in plan.dns_zones})


def test_dnsviz_has_neither_an_error_nor_a_warning_of_any_zone(heard: dict[str, Any], plan: Plan) -> None:
    """Signatures, denials, agreement of the servers, EDNS."""
    found = dnsviz.complaints(heard, [zone.name for zone in plan.dns_zones])
    assert not any(found.values()), {zone: sentences[:3] for zone, sentences in found.items() if sentences}


def test_dnsviz_complains_of_a_zone_in_which_one_record_is_forged(heard: dict[str, Any], plan: Plan) -> None:
    """So that its silence says something."""
    found = dnsviz.complaints(dnsviz.forged(heard, plan.domain), [plan.domain])
    assert any("signature" in sentence for sentence in found[plan.domain]), found


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("address", service_addresses(AUTHORITY))
def test_the_authority_answers_for_itself_and_refuses_to_recurse(
    address: str, protocol: str, plan: Plan
) -> None:
    """An authoritative server that recurses can be turned against others."""
    unknown = f"no-such-host.{plan.domain}."
    asked = [(f"{plan.domain}.", "SOA"), (unknown, "A"), ("example.org.", "A")]
    heard = ask_names(machine(RESOLVER), address, asked, protocol=protocol)
    own = heard[asked[0]]
    assert isinstance(own, dns.Response)
    assert own.authoritative
    assert not own.recursion
    assert code(heard[unknown, "A"]) == "NXDOMAIN"
    assert code(heard["example.org.", "A"]) == "REFUSED"


def test_only_the_resolvers_may_ask_the_authority(plan: Plan) -> None:
    """Everybody else asks a resolver; the flow list says so, and the edge enforces it."""
    host = environment.only("app")
    asked = [(f"{plan.domain}.", "SOA")]
    for address in service_addresses(AUTHORITY):
        assert code(ask_names(machine(host), address, asked, timeout=1)[asked[0]]) in NOTHING


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("address", service_addresses(RESOLVER))
def test_the_resolver_knows_our_names_forward_and_reverse(address: str, protocol: str, plan: Plan) -> None:
    """Asked from a host that may: each built host's name gives its addresses, which give the name back."""
    asker = environment.only("app")
    hosts = [environment.planned(host) for host in environment.ours()]
    forward = [(f"{host.fqdn}.", kind) for host in hosts for kind in ("A", "AAAA")]
    zones = {record for zone in plan.dns_zones for record in ((r.name.lower(), r.type) for r in zone.records)}
    asked = [key for key in forward if key in zones]
    assert asked
    heard = ask_names(machine(asker), address, asked, protocol=protocol)
    silent = {key: code(answer) for key, answer in heard.items() if not data(answer, key[1])}
    assert silent == {}
    back = {
        (IPAddress(value).reverse_dns, "PTR"): key[0]
        for key, answer in heard.items()
        for value in data(answer, key[1])
    }
    returned = ask_names(machine(asker), address, back, protocol=protocol)
    assert {key: data(answer, "PTR") for key, answer in returned.items()} == {
        key: (name,) for key, name in back.items()
    }


def test_a_name_that_nobody_planned_does_not_exist(plan: Plan) -> None:
    """NXDOMAIN through the resolver, not an answer of its own making."""
    name = (f"no-such-host.{plan.domain}.", "AAAA")
    heard = ask_names(machine(environment.only("app")), service_addresses(RESOLVER)[0], [name])
    assert code(heard[name]) == "NXDOMAIN"


@pytest.fixture(scope="module")
def guest() -> Iterator[Place]:
    """A device in the guest network of the first built unit."""
    unit = environment.unit(environment.facts(environment.only("unit_gateway"))["unit"])
    segment = next(segment for segment in unit.segments if segment.zone == "wireless")
    with stranger(segment) as device:
        yield device


def test_the_resolver_does_not_answer_a_guest_network(guest: Place, plan: Plan) -> None:
    """Guests are not served by the centre, whatever address they ask."""
    asked = [(f"{plan.domain}.", "SOA")]
    for address in service_addresses(RESOLVER):
        assert code(ask_names(guest, address, asked, device=DEVICE, timeout=1)[asked[0]]) in NOTHING


@pytest.mark.parametrize("resolver", environment.in_group("resolver"))
def test_the_resolver_refuses_who_is_not_on_its_own_list(resolver: str, plan: Plan) -> None:
    """The second lock: asked for a name that it knows, by itself from an address that it does not serve."""
    allowed = [IPNetwork(entry) for entry in environment.facts(resolver)["dns_allow"]]
    stranger_address = environment.management_address(resolver)  # no loopback's: those are always served
    assert not any(IPAddress(stranger_address) in network for network in allowed if network.version == 4)
    server = service_addresses(resolver)[0]
    question = Question(
        protocol="udp",
        address=server,
        port=53,
        source=stranger_address,
        payload=dns.question(f"{plan.domain}.", "SOA"),
    )
    own, foreign = questions(machine(resolver), [replace(question, source=server), question])
    assert dns.response(own.payload).code == "NOERROR"
    assert foreign.outcome is Outcome.TIMEOUT or dns.response(foreign.payload).code == "REFUSED"


@pytest.mark.requirement("tcvn-14423/5.8.2.1-time")
@pytest.mark.parametrize("host", [host for host in environment.in_group("centre") if host != RESOLVER])
def test_the_time_server_gives_the_time_to_centre_hosts(
    host: str,
) -> None:
    """Both families; the answer is one that a client may follow."""
    servers = [
        str(a) for a in (*environment.service("ntp").addresses4, *environment.service("ntp").addresses6)
    ]
    assert servers
    asked = [Question(protocol="udp", address=server, port=123, payload=ntp.request()) for server in servers]
    for answer in questions(machine(host), asked):
        assert answer.outcome is Outcome.OPEN, answer
        assert ntp.reply(answer.payload).usable


def _normal(kind: str, value: str) -> str:
    return str(IPAddress(value)) if kind in ("A", "AAAA") else value.lower()


@pytest.mark.parametrize("host", environment.in_group("ns"))
def test_nobody_without_the_key_copies_a_zone(host: str, plan: Plan) -> None:
    """Not even the other name server, from whose address alone zones are copied."""
    asker = next(other for other in environment.in_group("ns") if other != host)
    commands = {
        address: f"dig +tries=1 +time=3 @{address} {plan.domain} AXFR" for address in service_addresses(host)
    }
    for said in batch(machine(asker), commands, timeout=60).values():
        assert "Transfer failed" in said
        assert "SOA" not in said


def test_all_name_servers_have_the_same_signed_zones(plan: Plan) -> None:
    """Serials are equal zone by zone: what the primary signs arrives."""
    asked = [(f"{zone.name}.", "SOA") for zone in plan.dns_zones]

    def serials(host: str) -> list[tuple[str, ...]]:
        heard = ask_names(machine(RESOLVER), service_addresses(host)[0], asked, recursion=False)
        return [data(heard[key], "SOA") for key in asked]

    first, *others = environment.in_group("ns")
    assert others
    assert all(serials(first))
    for other in others:
        eventually(lambda other=other: serials(other) == serials(first), within=30)  # type: ignore[misc]  # of its own turn


@pytest.mark.parametrize("resolver", environment.in_group("resolver"))
def test_the_resolver_proves_our_names_and_their_absence(resolver: str, plan: Plan) -> None:
    """Authenticated data (AD) for a name of every zone, and for one that does not exist in it."""
    names = {zone.name: zone.records[-1] for zone in plan.dns_zones}
    address = service_addresses(resolver)[0]
    commands = {
        f"{zone} {name}": f"dig +dnssec @{address} {name} {kind}"
        for zone, record in names.items()
        for name, kind in ((record.name, record.type), (f"no-such-name.{zone}.", "A"))
    }
    for key, said in batch(machine(environment.only("app")), commands, timeout=60).items():
        flags = next(line for line in said.splitlines() if line.startswith(";; flags:"))
        assert " ad" in flags.partition(";; flags:")[2].partition(";")[0], f"{key}: {said}"


@pytest.mark.parametrize("host", environment.in_group("workstation"))
def test_a_unit_s_gateway_proves_names_for_itself(host: str, plan: Plan) -> None:
    """It says so (AD) of its own accord: who only passes on what the centre proved does not pass that on."""
    server = environment.facts(host)["resolvers"][0]
    commands = {
        name: f"dig +dnssec @{server} {name} A"
        for name in (f"start.{plan.domain}", f"no-such-name.{plan.domain}")
    }
    for name, said in batch(machine(host), commands, timeout=60).items():
        flags = next((line for line in said.splitlines() if line.startswith(";; flags:")), "")
        assert " ad" in flags.partition(";; flags:")[2].partition(";")[0], f"{name}: {said} {said.err}"


# As fast as answers come, fifty on their way at a time; what is not answered is given up.
HURRY = """
import select, socket, struct
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); line.connect((SERVER, 53)); line.setblocking(False)
labels = b"".join(bytes([len(part)]) + part for part in NAME.encode().split(b"."))
packet = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + labels + bytes(1) + struct.pack("!HH", 6, 1)
heard = 0
for _ in range(COUNT // 50):
    for _ in range(50): line.send(packet)
    for _ in range(50):
        if not select.select([line], [], [], 0.02)[0]: break
        line.recv(4096); heard += 1
print(heard)
"""


@pytest.mark.parametrize("resolver", environment.in_group("resolver"))
def test_who_asks_too_much_is_not_answered_and_others_are(resolver: str, plan: Plan) -> None:
    """One address has its thousand questions a second; the resolver counts what it leaves unanswered."""
    greedy, other = environment.only("app"), environment.only("log")
    server = service_addresses(resolver)[0]
    script = HURRY.replace("SERVER", repr(server)).replace("NAME", repr(plan.domain)).replace("COUNT", "4000")
    asked = [(f"{plan.domain}.", "SOA")]

    def limited() -> int:
        said = batch(machine(resolver), {"it": "unbound-control stats_noreset"})["it"].checked()
        return int(said.partition("total.num.queries_ip_ratelimited=")[2].split()[0])

    before = limited()
    heard = int(batch(machine(greedy), {"it": f"python3 -c {shlex.quote(script)}"})["it"].checked())
    assert 500 < heard < 4000
    assert limited() - before > 500
    assert data(ask_names(machine(other), server, asked)[asked[0]], "SOA")
    eventually(lambda: data(ask_names(machine(greedy), server, asked)[asked[0]], "SOA"), within=15)


@pytest.mark.requirement("tcvn-14423/5.9.2.2-dns-filter")
@pytest.mark.parametrize("resolver", environment.in_group("resolver"))
def test_a_filtered_name_does_not_exist(resolver: str) -> None:
    """For a foreign name that is not on the list the answer is another: refused, where no line leads out."""
    (blocked,) = FILTERED
    asked = [(f"{blocked}.", "A"), (f"deep.below.{blocked}.", "AAAA"), (f"not-{blocked}.", "A")]
    heard = ask_names(machine(environment.only("app")), service_addresses(resolver)[0], asked)
    assert [code(heard[key]) for key in asked] == ["NXDOMAIN", "NXDOMAIN", "REFUSED"]


def test_without_a_clock_outside_exactly_one_time_server_leads_and_all_follow() -> None:
    """Orphan mode: one of them counts on, the others and all hosts follow it, within a tenth of a second."""
    if environment.environment().time_upstreams:
        pytest.skip("there is a clock outside")
    servers, hosts = environment.in_group("resolver"), environment.in_group("centre", "unit_gateway")
    shown = batch_all(hosts, {"tracking": "chronyc -n -c tracking"})
    tracked = {host: tracking(said["tracking"].checked()) for host, said in shown.items()}
    leaders = [host for host in servers if tracked[host].alone]
    assert len(leaders) == 1, tracked
    own = {address for server in servers for address in service_addresses(server)}
    for host in set(hosts) - set(leaders):
        assert tracked[host].reference in own, f"{host}: {tracked[host]}"
        assert abs(tracked[host].offset) < 0.1, f"{host}: {tracked[host]}"
