"""What somebody else has in the same Incus: made for a drill, described in full, taken away afterwards.

A project with a running container of the host image, a pool, a network with addresses, NAT and leases; in
the default project a network whose name is close to the lab's and an instance; beside Incus a bridge
and an nftables table. None of it carries a mark of ours.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from province.lab.image import cached_image
from tests.support import environment
from tests.support.drills import INCUS_DIR, incus_command
from tests.support.eventually import eventually

PROJECT, POOL, CONTAINER, STOPPED = "somebody", "somebody-pool", "somebody-1", "somebody-2"
NETWORK, CLOSE, BRIDGE, TABLE = "sb-net", "pvlx0", "sb-plain", "somebody"
# RFC 2544: nobody's, and of no plan.
ADDRESSES = {NETWORK: "198.18.254.1/28", CLOSE: "198.18.254.17/28"}
# Counters, and lists of users that name the lab's objects as well.
VOLATILE = {
    "used_by",
    "tentative",
    "counters",
    "handle",
    "packets",
    "bytes",
    "last_used_at",
    "usage",
    "memory",
    "cpu",
}
LIFETIMES = {"valid_life_time", "preferred_life_time", "stats64", "stats"}


@contextmanager
def neighbours() -> Iterator[None]:
    """Move in, and out again."""
    _move_out()
    try:
        _move_in()
        yield
    finally:
        _move_out()


def describe() -> dict[str, Any]:
    """Describe everything on this machine that is not the environment's, place by place.

    Processes by number, so that a container that was restarted is another one.
    """
    ours = environment.environment().incus
    found: dict[str, Any] = {"server": _query("/1.0")["config"], "trust": _query("/1.0/certificates")}
    for kind in ("projects", "storage-pools"):
        for item in _query(f"/1.0/{kind}?recursion=1"):
            if item["name"] not in (ours.project, ours.pool):
                found[f"{kind} {item['name']}"] = item
    for kind in ("networks", "instances", "images", "profiles"):
        for item in _query(f"/1.0/{kind}?all-projects=true&recursion=1"):
            name = str(item.get("name") or item.get("fingerprint"))
            project = item.get("project", "")
            if project == ours.project or name.startswith(f"{ours.prefix}-") or not item.get("managed", True):
                continue
            found[f"{kind} {project}/{name}"] = item
    state = _query(f"/1.0/instances/{CONTAINER}/state?project={PROJECT}")
    found["running"] = {"status": state["status"], "pid": state["pid"], "began": _began(state["pid"])}
    found["written"] = incus_command("exec", "--project", PROJECT, CONTAINER, "--", "cat", "/srv/canary")
    found.update({f"link {link['ifname']}": link for link in _links(ours.prefix)})
    found["routes"] = [
        route
        for family in ("-4", "-6")
        for route in _json("ip", "-j", family, "route", "show")
        if not str(route.get("dev", "")).startswith((f"{ours.prefix}-", "veth"))
    ]
    found["rules"] = [
        rule
        for entry in _json("nft", "-j", "list", "ruleset")["nftables"]
        for rule in entry.values()
        if f".{ours.prefix}-" not in json.dumps(rule) and "metainfo" not in entry
    ]
    found["leases"] = sorted(_name_servers(ours.prefix))
    found["folders"] = sorted(
        str(path)
        for kind in ("storage-pools/*", "storage-pools/*/containers/*", "networks/*", "containers/*")
        for path in INCUS_DIR.glob(kind)
        if ours.pool not in str(path) and ours.project not in str(path) and path.name[:4] != f"{ours.prefix}-"
    )
    # A daemon that starts again lays down what is there in an order of its own.
    for place in ("routes", "rules"):
        found[place].sort(key=lambda item: json.dumps(_steady(item), sort_keys=True))
    return {place: _steady(content) for place, content in found.items()}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Say place by place what is not as it was."""
    return [
        f"{place}: {json.dumps(before.get(place))} became {json.dumps(after.get(place))}"
        for place in sorted({*before, *after})
        if before.get(place) != after.get(place)
    ]


def settled() -> dict[str, Any]:
    """Describe it as soon as it no longer changes by itself (new interfaces look for their carrier)."""
    seen = [describe()]

    def same() -> bool:
        seen.append(describe())
        return seen[-1] == seen[-2]

    eventually(same, within=30, every=2)
    return seen[-1]


def check_unchanged(before: dict[str, Any]) -> None:
    """Fail, place by place, when something is another than before; interfaces may take a moment to settle."""

    def same() -> bool:
        told = differences(before, describe())
        assert not told, "\n".join(told)
        return True

    eventually(same, within=15)


def _move_in() -> None:
    image = cached_image()
    assert image is not None, "no host image in the cache: make up builds it"
    incus_command("storage", "create", POOL, "dir")
    for name, address in ADDRESSES.items():
        words = [f"ipv4.address={address}", "ipv4.nat=true", "ipv6.address=none"]
        incus_command("network", "create", name, "--project", "default", *words)
    incus_command("project", "create", PROJECT)
    here = ["--project", PROJECT]
    incus_command("image", "import", str(image.metadata), str(image.rootfs), "--alias", "theirs", *here)
    devices = ["--storage", POOL, "--network", NETWORK]
    incus_command("launch", "theirs", CONTAINER, *here, *devices)
    incus_command("init", "--empty", STOPPED, "--project", "default", "--storage", POOL, "--network", CLOSE)
    inside = ["exec", *here, CONTAINER, "--", "sh", "-c"]
    eventually(_booted, within=60)
    lease = "[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=no\\n"
    incus_command(
        *inside, f"printf '{lease}' >/etc/systemd/network/eth0.network; systemctl restart systemd-networkd"
    )
    eventually(_leased, within=30)  # an address that comes later would look like a change
    incus_command(*inside, "echo alive >/srv/canary")
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
    rule = f"add table inet {TABLE}; add chain inet {TABLE} words; add rule inet {TABLE} words accept"
    subprocess.run(["nft", rule], check=True)


def _booted() -> bool:
    asked = ["exec", "--project", PROJECT, CONTAINER, "--", "systemctl", "is-active", "basic.target"]
    return incus_command(*asked).strip() == "active"


def _leased() -> bool:
    state = _query(f"/1.0/instances/{CONTAINER}/state?project={PROJECT}")
    return any(address["family"] == "inet" for address in state["network"]["eth0"]["addresses"])


def _move_out() -> None:
    """Whatever of it is there."""
    for words in (
        ["delete", "--force", "--project", PROJECT, CONTAINER],
        ["delete", "--force", "--project", "default", STOPPED],
        ["image", "delete", "--project", PROJECT, "theirs"],
        ["project", "delete", PROJECT],
        *(["network", "delete", "--project", "default", name] for name in ADDRESSES),
        ["storage", "delete", POOL],
    ):
        with suppress(AssertionError):
            incus_command(*words)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    subprocess.run(["nft", "delete", "table", "inet", TABLE], capture_output=True, check=False)


def _links(prefix: str) -> list[Any]:
    """Interfaces but the lab's bridges and what hangs on them."""
    return [
        link
        for link in _json("ip", "-j", "address", "show")
        if not link["ifname"].startswith(f"{prefix}-")
        and not link.get("master", "").startswith(f"{prefix}-")
        and (link["ifname"][:4] != "veth" or link.get("master"))
    ]


def _name_servers(prefix: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            served = [word for word in argv if word.startswith("--interface=")]
            if argv[0].endswith("dnsmasq") and served and not served[0].startswith(f"--interface={prefix}-"):
                yield served[0]


def _began(pid: int) -> str:
    """When a process began, in ticks since boot."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _query(path: str) -> Any:
    return json.loads(incus_command("query", path))


def _json(*argv: str) -> Any:
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout or "[]")


def _steady(content: Any) -> Any:
    """Leave out what changes by itself."""
    if isinstance(content, dict):
        return {k: _steady(v) for k, v in content.items() if k not in VOLATILE | LIFETIMES}
    if isinstance(content, list):
        return [_steady(item) for item in content]
    return content
