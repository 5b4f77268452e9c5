"""A foreign DHCP server or router on a unit's network is noticed, named, and forgotten when it is gone.

The foreign one is real: dnsmasq, on a device that is plugged into the segment; into those where no machine of
ours takes a lease, so that nobody suffers from it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from province.plan.model import Segment
from tests.support import environment
from tests.support.devices import DEVICE, stranger
from tests.support.eventually import eventually
from tests.support.places import Local, batch, machine

GATEWAY = environment.only("unit_gateway")
UNIT = environment.unit(environment.facts(GATEWAY)["unit"])
DEFAULTS = yaml.safe_load(
    (environment.ROOT / "roles/lan_watch/defaults/main.yml").read_text(encoding="utf-8")
)
INTERVAL, STATE = DEFAULTS["lan_watch_interval"], DEFAULTS["lan_watch_state"]
LANS = [entry["interface"] for entry in environment.facts(GATEWAY)["dhcp"]]
# Where the unit's PC is, a foreign router would take it along.
EMPTY = [name for name in LANS if name != "staff"]


def watched() -> dict[str, Any]:
    """What the gateway says of its networks now."""
    told: dict[str, Any] = json.loads(batch(machine(GATEWAY), {"state": f"cat {STATE}"})["state"].checked())
    return told


def logged(since: float) -> str:
    """What the watch has written into the log since a moment of the gateway's clock."""
    command = f"journalctl --no-pager -o cat -u lan-watch --since=@{since:.0f}"
    return str(batch(machine(GATEWAY), {"log": command})["log"].checked())


def clock() -> float:
    """The gateway's clock."""
    return float(batch(machine(GATEWAY), {"now": "date +%s"})["now"].checked())


@contextmanager
def foreign_server(segment: Segment, folder: Path, name: str) -> Iterator[str]:
    """Somebody's Wi-Fi router in a segment: leases and advertisements of its own; gives its MAC."""
    with stranger(segment) as device:
        assert isinstance(device, Local)
        low, high = segment.network4[-6], segment.network4[-4]
        words = ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--port=0", "--no-ping", "--no-resolv"]
        words += [f"--interface={DEVICE}", "--bind-interfaces", f"--dhcp-leasefile={folder}/{name}.leases"]
        words += [f"--dhcp-range={low},{high},2m", f"--dhcp-range=::,constructor:{DEVICE},ra-only,2m"]
        words += ["--enable-ra", "--dhcp-authoritative", "--pid-file", "--user=root"]
        inside = ["ip", "netns", "exec", str(device.namespace)]
        link = subprocess.run(
            [*inside, "cat", f"/sys/class/net/{DEVICE}/address"], capture_output=True, text=True, check=True
        )
        with (folder / name).open("w") as log:
            server = subprocess.Popen([*inside, *words], stdout=log, stderr=log)
            try:
                yield link.stdout.strip()
                assert server.poll() is None, (folder / name).read_text()
            finally:
                server.terminate()
                server.wait(timeout=10)


def test_every_network_that_is_given_leases_is_watched() -> None:
    said = batch(machine(GATEWAY), {"told": "cat /etc/lan-watch/lan-watch.json"})["told"].checked()
    assert json.loads(said)["interfaces"] == LANS
    assert set(LANS) == {"staff", "count", "meet", "guest"}


def test_a_quiet_network_raises_no_alarm() -> None:
    """The gateway's own server and advertisements are not foreign, and the watch is at work."""

    def fresh() -> bool:
        told = watched()
        assert told["present"] == []
        return bool(abs(clock() - told["at"]) < 2 * INTERVAL)

    assert eventually(fresh, within=2 * INTERVAL)
    assert "not-watched" not in logged(clock() - 2 * INTERVAL)


def test_the_questions_of_the_watch_cost_nobody_a_lease() -> None:
    """The gateway's own DHCP server does not hear them."""
    since = f"--since=-{2 * INTERVAL}s"
    said = batch(
        machine(GATEWAY),
        {
            "macs": " && ".join(f"cat /sys/class/net/{name}/address" for name in LANS),
            "log": f"journalctl --no-pager -o cat -u kea-dhcp4-server {since}",
        },
    )
    macs = said["macs"].checked().split()
    assert len(macs) == len(LANS)
    assert [mac for mac in macs if mac in said["log"].checked()] == []


def test_foreign_servers_are_noticed_named_and_forgotten(tmp_path: Path) -> None:
    """By leases and by advertisements; within one question, in file, log and page; gone after three."""
    wanted = {(kind, name) for kind in ("dhcp", "ra") for name in EMPTY}
    began = clock()
    with ExitStack() as stack:
        macs = {name: stack.enter_context(foreign_server(_segment(name), tmp_path, name)) for name in EMPTY}
        started = time.monotonic()

        def noticed() -> dict[tuple[str, str], dict[str, Any]]:
            found = {(entry["kind"], entry["segment"]): entry for entry in watched()["present"]}
            assert set(found) == wanted
            return found

        found = eventually(noticed, within=INTERVAL + 5)
        took = time.monotonic() - started
        page = batch(machine(GATEWAY), {"page": f"curl -sS http://{_own_address()}/status.json"})["page"]
        lines = logged(began)
    assert took <= INTERVAL + 5
    for (kind, name), entry in found.items():
        assert entry["mac"] == macs[name]
        assert entry["first"] >= began - 1
        own = _segment(name).network4[-2] if kind == "dhcp" else None
        assert entry["address"] == str(own) if own else ":" in entry["address"]
        assert f"event=rogue-noticed kind={kind} segment={name} mac={macs[name]} address=" in lines
    assert {(w["kind"], w["segment"]) for w in json.loads(page.checked())["warnings"]} == wanted
    eventually(lambda: watched()["present"] == [], within=5 * INTERVAL)
    assert logged(began).count("event=rogue-gone") == len(wanted)


def _segment(name: str) -> Segment:
    return next(segment for segment in UNIT.segments if segment.name == name)


def _own_address() -> str:
    """Where the gateway gives its page to the staff."""
    listen: list[str] = environment.facts(GATEWAY)["status"]["listen"]
    return listen[0]
