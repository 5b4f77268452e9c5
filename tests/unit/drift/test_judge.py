"""What was seen on a host, judged: nothing for what is declared, each thing else by its name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from province.drift.findings import once
from province.drift.image import Manifest
from province.drift.judge import judge
from province.drift.planned import Declared, together

IMAGE = Manifest(
    identity="8ea8d377662a-20261123t103845z",
    files={
        "/etc": ["folder", 0o755, 0, 0, ""],
        "/etc/hosts": ["file", 0o644, 0, 0, "aa"],
        "/usr/bin/dig": ["file", 0o755, 0, 0, "bb"],
        "/etc/systemd/system/timers.target.wants/logrotate.timer": [
            "link",
            0,
            0,
            0,
            "/usr/lib/systemd/system/logrotate.timer",
        ],
    },
    packages={"bind9-dnsutils": "1:9.20", "knot": "3.4"},
    owners={"/usr/bin/dig": "bind9-dnsutils"},
    users=("root", "knot"),
    groups={"root": (), "knot": (), "adm": ()},
)
SAID = {
    "dns_authoritative": {
        "files": [{"dest": "/etc/knot/knot.conf"}, {"dest": "/etc/systemd/system/dns-signing-keys.service"}],
        "directories": [{"path": "/etc/knot/zones", "exclusive": True}],
        "links": [],
        "absent": ["/etc/apt/sources.list"],
        "users": [{"name": "operator", "groups": ["adm"], "system": True}],
        "packages": ["knot", "podman"],
        "units": [
            {"name": "knot.service", "state": "started", "enabled": True},
            {"name": "rsyslog.service", "masked": True},
        ],
    }
}
HOME = "/root"
WANTS = "/etc/systemd/system/multi-user.target.wants"
LOADED = """Id=knot.service
Names=knot.service
LoadState=loaded
ActiveState=active
FragmentPath=/usr/lib/systemd/system/knot.service
Type=notify
Transient=no
ConditionResult=yes
Result=success

Id=logrotate.timer
Names=logrotate.timer
LoadState=loaded
ActiveState=active
FragmentPath=/usr/lib/systemd/system/logrotate.timer
Transient=no
ConditionResult=yes

Id=session-12.scope
LoadState=loaded
ActiveState=active
FragmentPath=/run/systemd/transient/session-12.scope
Transient=yes"""
LISTENER = 'tcp LISTEN 0 10 10.24.20.12:53 0.0.0.0:* users:(("knotd",pid=595,fd=10))'
NETWORK = ["[Match]", "Name=dmz", "[Address]", "Address=10.24.20.12/24", "[Route]", "Gateway=10.24.20.1"]
RULES: list[dict[str, Any]] = [
    {"metainfo": {"version": "1.1.3"}},
    {"table": {"family": "inet", "name": "province", "handle": 1}},
    {"chain": {"family": "inet", "table": "province", "name": "input", "handle": 2, "policy": "drop"}},
    {"rule": {"family": "inet", "table": "province", "chain": "input", "handle": 3, "expr": ["accept"]}},
    {
        "set": {
            "family": "inet",
            "table": "province",
            "name": "held",
            "flags": ["dynamic"],
            "elem": ["10.0.0.1"],
        }
    },
]


def declared() -> Declared:
    return together({"role": role, "options": options} for role, options in SAID.items())


def listed(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"status": 0, "out": json.dumps({"nftables": rules}), "err": ""}


def clean() -> dict[str, Any]:
    """A host as its roles leave it, with what comes and goes by itself."""
    found = copy.deepcopy(RULES)
    found[-1]["set"]["elem"] = ["10.0.0.2"]
    found.append({"table": {"family": "inet", "name": "netavark", "handle": 9}})
    return {
        "files": {
            "changed": {
                "/etc/hosts.lock": ["file", 0o600, 0, 0, "cc"],
                "/etc/knot/knot.conf": ["file", 0o640, 0, 99, "dd"],
                "/etc/knot/zones/x.zone": ["file", 0o640, 0, 99, "dd"],
                "/etc/machine-id": ["file", 0o444, 0, 0, "ee"],
                "/etc/ssh/ssh_host_ed25519_key": ["file", 0o600, 0, 0, "ff"],
                f"{HOME}/.bash_history": ["file", 0o600, 0, 0, "11"],
                f"{WANTS}/knot.service": ["link", 0, 0, 0, "/usr/lib/systemd/system/knot.service"],
                "/etc/systemd/system/rsyslog.service": ["link", 0, 0, 0, "/dev/null"],
                "/usr/bin/podman": ["file", 0o755, 0, 0, "22"],
            },
            "gone": ["/etc/apt/sources.list"],
        },
        "rights": ["/var/lib/containers/storage/overlay/b5/diff/usr/bin/chage"],
        "accounts": {
            "users": {
                "root": [{"uid": "0", "gid": "0", "home": "/root", "shell": "/bin/bash", "word": "locked"}],
                "knot": [{"uid": "990", "gid": "990", "home": "/", "shell": "/bin/sh", "word": "locked"}],
                "operator": [{"uid": "980", "gid": "980", "home": "/", "shell": "/bin/sh", "word": "locked"}],
            },
            "groups": {
                "root": {"gid": "0", "members": []},
                "knot": {"gid": "990", "members": []},
                "adm": {"gid": "4", "members": ["operator"]},
                "operator": {"gid": "980", "members": []},
            },
        },
        "packages": {
            "installed": {
                "bind9-dnsutils": {"version": "1:9.20"},
                "knot": {"version": "3.4"},
                "podman": {"version": "5.4", "needs": ", conmon (>= 2), crun | runc", "provides": ""},
                "conmon": {"version": "2.1", "needs": ", ", "provides": ""},
                "crun": {"version": "1.2", "needs": ", ", "provides": "oci"},
            },
            "paths": ["/usr/bin/podman"],
            "changed": [],
            "manual": [],
        },
        "listeners": [{"line": LISTENER, "group": "/system.slice/knot.service"}],
        "kernel": {"net.ipv4.ip_forward": ["/etc/sysctl.d/90-province.conf", "0", "0"]},
        "peers": {"loaded": {"wg0": {"KEY=": "b a"}}, "filed": {"wg0": {"KEY=": "a b"}}},
        "networks": {
            "addresses": [
                {"ifname": "lo", "flags": ["UP"], "addr_info": []},
                {
                    "ifname": "dmz",
                    "flags": ["UP"],
                    "addr_info": [
                        {"local": "10.24.20.12", "prefixlen": 24, "scope": "global"},
                        {"local": "10.24.20.99", "prefixlen": 24, "scope": "global", "dynamic": True},
                        {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
                    ],
                },
            ],
            "routes4": [
                {"dst": "default", "gateway": "10.24.20.1", "dev": "dmz", "protocol": "static"},
                {"dst": "10.24.20.0/24", "dev": "dmz", "protocol": "kernel"},
                {"dst": "10.25.0.0/16", "gateway": "10.24.20.1", "dev": "dmz", "protocol": "bgp"},
            ],
            "routes6": [],
            "rules4": [{"priority": 0}, {"priority": 32766, "table": "main"}],
            "rules6": [],
            "files": {"/etc/systemd/network/10-dmz.network": list(NETWORK)},
        },
        "rules": {"meant": listed(RULES), "found": listed(found)},
        "containers": {"status": 0, "out": "[]", "err": ""},
        "units": {
            "loaded": LOADED,
            "wanted": "Wants=knot.service\n\nWants=logrotate.timer",
        },
    }


def ids(seen: dict[str, Any]) -> list[str]:
    return [one.id for one in once(judge("ns-1", seen, IMAGE, declared()))]


def test_what_is_declared_and_what_comes_by_itself_is_no_drift() -> None:
    seen = clean()
    del seen["files"]["changed"]["/etc/hosts.lock"]
    assert ids(seen) == []


def edit(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put a value at a place of what was seen."""

    def change(seen: dict[str, Any]) -> None:
        *way, last = path.split("|")
        for step in way:
            seen = seen[int(step)] if isinstance(seen, list) else seen[step]
        if isinstance(seen, list):
            seen.append(value)
        else:
            seen[last] = value

    return change


USER = {"uid": "1500", "gid": "1500", "home": "/home/m", "shell": "/bin/bash", "word": "locked"}
FILE = ["file", 0o644, 0, 0, "99"]
EDITS: list[tuple[str, Any, str]] = [
    ("accounts|users|mallory", [USER], "user/mallory"),
    ("accounts|users|toor", [{**USER, "uid": "0"}], "user/toor"),
    ("accounts|users|knot", [{**USER, "uid": "990", "word": "set"}], "user/knot"),
    ("accounts|groups|adm", {"gid": "4", "members": ["knot", "operator"]}, "member/adm/knot"),
    ("accounts|groups|adm", {"gid": "4", "members": []}, "member/adm/operator"),
    ("accounts|groups|wheel", {"gid": "1600", "members": []}, "group/wheel"),
    ("files|changed|/etc/hosts", ["file", 0o666, 0, 0, "aa"], "file/etc/hosts"),
    ("files|changed|/usr/bin/dig", ["file", 0o755, 0, 0, "99"], "file/usr/bin/dig"),
    ("files|changed|/usr/local/bin/tool", FILE, "file/usr/local/bin/tool"),
    (f"files|changed|{HOME}/.ssh/authorized_keys", FILE, f"key{HOME}/.ssh/authorized_keys"),
    ("files|changed|/etc/sudoers.d/all", FILE, "sudoers/etc/sudoers.d/all"),
    ("files|changed|/etc/cron.d/job", FILE, "cron/etc/cron.d/job"),
    ("files|changed|/etc/systemd/system/extra.timer", FILE, "unit/extra.timer"),
    (f"files|changed|{WANTS}/extra.service", ["link", 0, 0, 0, "/x/extra.service"], "unit/extra.service"),
    ("files|changed|/etc/systemd/system/knot.service", ["link", 0, 0, 0, "/dev/null"], "unit/knot.service"),
    ("files|gone|", "/usr/bin/dig", "file/usr/bin/dig"),
    (
        "files|gone|",
        "/etc/systemd/system/timers.target.wants/logrotate.timer",
        "unit/logrotate.timer",
    ),
    ("rights|", "/var/tmp/sh", "file/var/tmp/sh"),  # noqa: S108 - of the host
    ("packages|installed|netcat", {"version": "1", "needs": "", "provides": ""}, "package/netcat"),
    ("packages|changed|", "/usr/bin/podman", "file/usr/bin/podman"),
    (
        "listeners|",
        {"line": LISTENER.replace(":53", ":4444"), "group": "/user.slice/s.scope"},
        "port/tcp/4444",
    ),
    (
        "listeners|",
        {"line": LISTENER.replace(":53", ":4444"), "group": "/system.slice/ssh.service"},
        "port/tcp/4444",
    ),
    ("kernel|net.ipv4.ip_forward", ["/etc/sysctl.d/x", "0", "1"], "kernel/net.ipv4.ip_forward"),
    ("peers|loaded|wg0", {}, "peer/wg0/KEY="),
    ("peers|loaded|wg0", {"KEY=": "a b c"}, "peer/wg0/KEY="),
    ("networks|addresses|", {"ifname": "dummy7", "flags": ["UP"], "addr_info": []}, "link/dummy7"),
    ("networks|addresses|1|flags", [], "link/dmz"),
    ("networks|routes4|", {"dst": "10.9.0.0/24", "dev": "dmz"}, "route/10.9.0.0/24"),
    ("networks|rules4|", {"priority": 77, "table": "9"}, "route/rule 77"),
    ("rules|found", listed(RULES[:-2] + RULES[-1:]), "rules/inet/province/input"),
    ("rules|found", listed([*RULES, {"table": {"family": "ip", "name": "mine"}}]), "rules/ip/mine"),
    (
        "containers|out",
        json.dumps([{"Names": ["miner"], "Labels": None, "State": "running", "Image": "x", "Id": "1"}]),
        "container/miner",
    ),
    ("units|loaded", LOADED.replace("=active", "=failed", 1), "unit/knot.service"),
    ("units|loaded", LOADED.replace("=active", "=inactive", 1), "unit/knot.service"),
    (
        "units|loaded",
        f"{LOADED}\n\nId=run-7.service\nLoadState=loaded\nActiveState=active\nTransient=yes",
        "unit/run-7.service",
    ),
]


@pytest.mark.parametrize(
    ("place", "value", "wanted"), EDITS, ids=[f"{i}-{e[2]}" for i, e in enumerate(EDITS)]
)
def test_an_edit_is_found_by_its_name_and_nothing_else_is(place: str, value: Any, wanted: str) -> None:
    seen = clean()
    del seen["files"]["changed"]["/etc/hosts.lock"]
    edit(place, value)(seen)
    assert ids(seen) == [f"ns-1/{wanted}"]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda seen: seen["packages"]["installed"].pop("knot"), "package/knot"),
        (lambda seen: seen["accounts"]["users"].pop("knot"), "user/knot"),
        (lambda seen: seen["networks"]["addresses"][1]["addr_info"].pop(0), "address/dmz/10.24.20.12"),
        (lambda seen: seen["networks"]["routes4"].pop(0), "route/10.24.20.1"),
    ],
)
def test_what_is_missing_is_found(change: Callable[[dict[str, Any]], Any], wanted: str) -> None:
    seen = clean()
    del seen["files"]["changed"]["/etc/hosts.lock"]
    change(seen)
    assert ids(seen) == [f"ns-1/{wanted}"]


def test_an_address_set_by_hand_is_found_on_its_interface() -> None:
    seen = clean()
    del seen["files"]["changed"]["/etc/hosts.lock"]
    more = {"local": "10.24.20.77", "prefixlen": 24, "scope": "global"}
    seen["networks"]["addresses"][1]["addr_info"].append(more)
    assert ids(seen) == ["ns-1/address/dmz/10.24.20.77"]


def test_rules_that_cannot_be_asked_for_are_not_taken_for_none() -> None:
    seen = clean()
    seen["rules"]["found"]["status"] = 1
    assert "ns-1/unseen/rules" in ids(seen)


def test_a_file_that_nobody_declared_says_what_it_is_and_is_looked_at_before_it_goes() -> None:
    (one,) = once(judge("ns-1", clean(), IMAGE, declared()))
    assert one.id == "ns-1/file/etc/hosts.lock"
    assert one.found == "/etc/hosts.lock is there"
    assert (one.healer, one.command, one.look) == ("hand", "rm /etc/hosts.lock", True)
