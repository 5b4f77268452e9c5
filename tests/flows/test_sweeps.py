"""Bounded sweeps with nmap from every segment: what is found is what flows declare, no more and no less.

Another program than ours asks, other packets than ours, and beside the ports in use a fixed list of those
that intruders try first. TCP by half-open connections: whatever does not stay silent is found. Of UDP nmap
says `open|filtered`: there the listeners' guest books decide, and the drop counters of the guards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from netaddr import IPAddress

from tests.support import environment, probe
from tests.support.everybody import AT_A_TIME, everybody, listening_to_all
from tests.support.matrix import Oracle, Port, Stand

# What hosts offer by accident: file shares, printers, databases, directories, remote desktops, panels.
SUSPECTS: tuple[Port, ...] = tuple(
    ("tcp", number)
    for number in (21, 23, 25, 111, 135, 139, 389, 445, 631, 873, 1433, 2049, 2375, 3128, 3306, 3389)
) + tuple(("tcp", number) for number in (5000, 5432, 5900, 6379, 8000, 8080, 8443, 9090, 9200, 11211, 27017))
SUSPECTS_UDP: tuple[Port, ...] = tuple(
    ("udp", number) for number in (69, 111, 137, 161, 514, 623, 1900, 5353)
)
# Packets a second from one leg, at least and at most, and the longest that one address may take. Without the
# first nmap slows down where all is silent, as on a crowded line.
SLOWEST, RATE, LONGEST = 1500, 2500, "20s"
LINE = re.compile(r"^Host: (\S+) \(.*?\)\tPorts: (.*)$", re.MULTILINE)
ENTRY = re.compile(r"(\d+)/([a-z|]+)/(tcp|udp)/")
UNASKABLE = {("udp", 67)}  # leases are asked from port 68


def found(said: str, states: Iterable[str]) -> set[tuple[IPAddress, Port]]:
    """Addresses and ports that nmap's greppable output has in one of some states."""
    assert "Status: Timeout" not in said, said
    return {
        (IPAddress(host), (protocol, int(number)))
        for host, entries in LINE.findall(said)
        for number, state, protocol in ENTRY.findall(entries)
        if state in states
    }


def sweep(
    leg: probe.Leg, ports: Iterable[Port], targets: Iterable[Stand], version: int, calm: bool = False
) -> str:
    """Sweep addresses of one version from one leg; `calm` at nmap's own pace, and twice."""
    by_kind = {
        kind: [str(number) for protocol, number in ports if protocol == kind] for kind in ("tcp", "udp")
    }
    wanted = ",".join(f"{kind[0].upper()}:{','.join(there)}" for kind, there in by_kind.items() if there)
    words = ["nmap", "-n", "-Pn", "--disable-arp-ping", *(["-6"] if version == 6 else [])]
    words += [scan for kind, scan in (("tcp", "-sS"), ("udp", "-sU")) if by_kind[kind]]
    words += ["--ttl", "255", "--max-rate", str(RATE), "--host-timeout", LONGEST]
    words += ["--max-retries", "1" if calm else "0", "--max-rtt-timeout", "3s" if calm else "300ms"]
    words += [] if calm else ["--min-rate", str(SLOWEST), "--min-hostgroup", "64"]
    words += ["-p", wanted, "-oG", "-", *sorted({str(stand.address) for stand in targets})]
    return probe.run(leg.name, words, timeout=120).checked()


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-matrix", "tcvn-14423/5.12.2.4-in-and-out")
def test_sweeps_from_every_zone_find_what_is_declared_and_nothing_else() -> None:
    oracle = Oracle(environment.plan(), environment.environment().sources.catalogue)
    stands = everybody()
    ports = [*oracle.ports, *SUSPECTS, *SUSPECTS_UDP]
    by_address = {stand.address: stand for stand in stands}
    legs = [leg for leg in probe.legs() if leg.name != "centre/upl"]  # beyond it anybody may answer
    assert len(legs) >= 10
    tasks = [
        (leg, own, [s for s in stands if s.version == own.version and s.holder != leg.name])
        for leg in legs
        for own in (s for s in stands if s.holder == leg.name)
    ]
    # A sweep is in a hurry, and a crowded tunnel is late: what was missed is asked once more, in peace.
    late: dict[int, set[tuple[IPAddress, Port]]] = {}
    with listening_to_all(stands, oracle.ports) as guests, ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        said = list(pool.map(lambda t: sweep(t[0], ports, t[2], t[1].version), tasks))
        for number, (leg, own, targets) in enumerate(tasks):
            seen = found(said[number], ("open",))
            for target in targets:
                again = [
                    at
                    for at in oracle.ports
                    if at[0] == "tcp"
                    and (target.address, at) not in seen
                    and oracle.allowing(own, target, *at)
                ]
                if again:
                    text = sweep(leg, again, [target], own.version, calm=True)
                    late.setdefault(number, set()).update(found(text, ("open",)))
    extra: list[str] = []
    missing: list[str] = []
    declared = 0
    for number, (_leg, own, targets) in enumerate(tasks):
        # Closed means that the packet arrived. In management the machine that holds the lab refuses aloud.
        arrived = late.get(number, set()) | found(
            said[number], ("open",) if own.zone == "management" else ("open", "closed")
        )
        arrived |= {
            (IPAddress(guest["address"]), (guest["protocol"], guest["port"]))
            for there in guests.values()
            for guest in there.from_address(own.address)
            if guest["protocol"] == "udp"
        }
        for target in targets:
            for protocol, port in ports:
                allowed = oracle.allowing(own, target, protocol, port)
                there_now = (target.address, (protocol, port)) in arrived
                question = f"{own} → {by_address[target.address]} {protocol}/{port}"
                if there_now and not allowed:
                    extra.append(question)
                if allowed and (protocol, port) not in UNASKABLE:
                    declared += 1
                    if not there_now:
                        missing.append(f"{question}, allowed by {', '.join(allowed)}")
    assert declared > 20
    assert (extra, missing) == ([], [])
