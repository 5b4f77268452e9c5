"""Rates and queues: what is sent into a tunnel keeps to its rate, and what is urgent does not wait."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytest

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import ask, batch, machine

SHAPERS = tuple(host for host in environment.ours() if environment.facts(host).get("shaping"))
GATEWAY = environment.only("unit_gateway")
# Low enough that two cores are never what limits: kilobits a second, of the whole and of its classes.
RATE = 4000
SHARES = {1: (40, 60), 2: (40, 100), 3: (20, 100)}
OVERHEAD = 80
SECONDS = 4
ROOM = RATE * 300 // 8  # octets of three tenths of a second


def test_there_are_hosts_that_shape() -> None:
    """The list above comes from facts: an empty one would let everything below pass by absence."""
    assert set(SHAPERS) == set(environment.in_group("hub", "unit_gateway"))


def classes(host: str, device: str) -> Mapping[str, dict[str, Any]]:
    """HTB classes of a device with their counters, by number."""
    said = batch(machine(host), {"tc": f"tc -s -j class show dev {device}"})["tc"].checked()
    return {entry["handle"]: entry for entry in json.loads(said or "[]")}


@pytest.mark.parametrize("host", SHAPERS)
def test_every_end_of_a_tunnel_has_its_rate_and_its_classes(host: str) -> None:
    """As the plan says them; bytes a second, as the kernel counts."""
    for device in environment.facts(host)["shaping"]["devices"]:
        found = {
            number: (entry["rate"], entry["ceil"], entry.get("parent", ""))
            for number, entry in classes(host, device["name"]).items()
        }
        wanted = {}
        for end in device["ends"]:
            whole, rate = f"1:{4 * end['number']:x}", end["rate_kbit"] * 125
            wanted[whole] = (rate, rate, "")
            for place, (share, ceiling) in SHARES.items():
                own = f"1:{4 * end['number'] + place:x}"
                wanted[own] = (rate * share // 100, rate * ceiling // 100, whole)
        assert wanted
        assert found == wanted


@contextmanager
def narrow(device: str, queues: bool) -> Iterator[None]:
    """The gateway's tunnel at a low rate, with its classes or as one queue; afterwards as declared."""
    if queues:
        lines = [f"tc class change dev {device} parent 1: classid 1:4 htb rate {RATE}kbit ceil {RATE}kbit"]
        lines[0] += f" quantum 3000 overhead {OVERHEAD}"
        for place, (share, ceiling) in SHARES.items():
            lines.append(
                f"tc class change dev {device} parent 1:4 classid 1:{4 + place} htb "
                f"rate {RATE * share // 100}kbit ceil {RATE * ceiling // 100}kbit prio {place - 1} "
                f"quantum 3000 overhead {OVERHEAD}"
            )
            lines.append(f"tc qdisc replace dev {device} parent 1:{4 + place} bfifo limit {ROOM}")
    else:
        lines = [
            f"tc qdisc del dev {device} root",
            f"tc qdisc add dev {device} root tbf rate {RATE}kbit burst 5000 limit {ROOM}",
        ]
    try:
        batch(machine(GATEWAY), {"on": " && ".join(lines)})["on"].checked()
        yield
    finally:
        off = [f"tc qdisc del dev {device} root"] if not queues else []
        batch(machine(GATEWAY), {"off": "; ".join([*off, "systemctl reload traffic-shaping.service"])})
        eventually(lambda: _declared(device), within=20, every=0.5)


def _declared(device: str) -> bool:
    """Whether the gateway's rate is what the plan says."""
    told = next(d for d in environment.facts(GATEWAY)["shaping"]["devices"] if d["name"] == device)
    assert classes(GATEWAY, device)["1:4"]["rate"] == told["ends"][0]["rate_kbit"] * 125
    return True


def tunnel() -> tuple[str, str]:
    """The tunnel that the gateway takes to the resolver, and its address in it."""
    target = environment.service("ntp").addresses4[0]
    said = batch(machine(GATEWAY), {"way": f"ip -j route get {target}"})["way"].checked()
    (route,) = json.loads(said)
    return route["dev"], route["prefsrc"]


def crowded(source: str, kbit: int) -> dict[str, Any]:
    """Questions for the time while names are asked for at a rate."""
    request = {
        "source": source,
        "target": str(environment.service("ntp").addresses4[0]),
        "flood_port": 53,
        "octets": 1200,
        "kbit": kbit,
        "seconds": SECONDS,
        "every": 0.05,
    }
    found: dict[str, Any] = ask(machine(GATEWAY), "crowd", request)
    assert found["asked"] > 20, found
    return found


@pytest.fixture(scope="module")
def source() -> str:
    """The address that the gateway may ask the centre from: its end of the tunnel."""
    return str(environment.facts(GATEWAY)["source4"])


def test_a_full_tunnel_sends_at_its_rate_and_lets_the_urgent_through(source: str) -> None:
    """Twice what it holds is sent: the crowd loses packets, time loses none and waits for nobody.

    Against the same rate as one queue, where the questions wait behind the crowd or are lost with it.
    """
    device, _ = tunnel()
    with narrow(device, queues=True):
        before = classes(GATEWAY, device)
        with_queues = crowded(source, 2 * RATE)
        after = classes(GATEWAY, device)
    urgent, names = (
        {key: after[own]["stats"][key] - before[own]["stats"][key] for key in ("bytes", "packets", "drops")}
        for own in ("1:5", "1:6")
    )
    assert urgent["drops"] == 0
    assert urgent["packets"] >= with_queues["asked"]
    assert names["drops"] > 0, "the tunnel was not full: nothing is said by what follows"
    # What the line would carry, with what the tunnel adds to each packet.
    kbit = (names["bytes"] + names["packets"] * OVERHEAD) * 8 / 1000 / SECONDS
    assert 0.75 <= kbit / RATE <= 1.15, f"{kbit:.0f} kbit/s of {RATE}"
    with narrow(device, queues=False):
        one_queue = crowded(source, 2 * RATE)
    lost = {True: with_queues, False: one_queue}
    share = {kind: len(found["delays"]) / found["asked"] for kind, found in lost.items()}
    assert share[True] >= 0.95, f"answered: {share}"
    assert median(with_queues["delays"]) < median(one_queue["delays"] or [9.9]) / 3, lost


def test_a_mark_that_a_lan_sets_is_not_believed() -> None:
    """A computer calls its download urgent; on the hub it comes in as what it is."""
    host = environment.only("workstation")
    device = environment.facts(environment.only("hub"))["shaping"]["devices"][0]["name"]
    hubs = [
        peer.hub
        for peer in environment.plan().peers
        if peer.gateway == GATEWAY and peer.hub in environment.in_group("hub")
    ]
    service = environment.service("start")
    target, port = service.addresses4[0], service.ports[0].number
    came = f"iifname {device} ip daddr {target}"
    table = "\n".join(
        [
            "add table inet marks",
            "add chain inet marks prerouting { type filter hook prerouting priority -350; }",
            *(f"add counter inet marks {name}" for name in ("believed", "ours")),
            *(
                f"add rule inet marks prerouting {came} ip dscp {mark} counter name {name}"
                for mark, name in (("ef", "believed"), ("af21", "ours"))
            ),
        ]
    )
    urgent = (
        "import socket; s = socket.socket(); s.settimeout(10); "
        f"s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8); s.connect(({str(target)!r}, {port})); "
        "s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(len(s.recv(64)))"
    )
    try:
        for hub in hubs:
            batch(machine(hub), {"on": f"nft -f - <<'X'\n{table}\nX"})["on"].checked()
        said = batch(machine(host), {"ask": f'python3 -c "{urgent}"'})["ask"].checked()
        assert int(said) > 0
        found = {"believed": 0, "ours": 0}
        for hub in hubs:
            shown = json.loads(
                batch(machine(hub), {"c": "nft -j list counters table inet marks"})["c"].checked()
            )
            for entry in shown["nftables"]:
                if "counter" in entry:
                    found[entry["counter"]["name"]] += entry["counter"]["packets"]
    finally:
        for hub in hubs:
            batch(machine(hub), {"off": "nft delete table inet marks"})
    assert found["believed"] == 0
    assert found["ours"] >= 3
