"""What a host has been given and what it runs: two that were brought to the same end have the same.

Managed files with mode and owner, what lies in exclusive folders, units, loaded rules, the routing daemons'
running configuration, tunnels, addresses, kernel values. Not what comes and goes by itself: counters, rules
of Podman, shared addresses, endpoints of tunnels, leases.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from province.render.configurations import Renderer, program_for
from tests.support import environment
from tests.support.places import Said, batch_all

# A set that rules fill themselves, as they count connections.
_DYNAMIC = re.compile(r"(set \S+ \{[^{}]*flags dynamic[^{}]*)elements = \{[^}]*\}", re.DOTALL)
# Podman's own table, which it writes as containers come and go: it draws names for chains, lends addresses.
_PODMAN = re.compile(r"^table \S+ netavark \{.*?^\}\n?", re.DOTALL | re.MULTILINE)
KERNEL = "/etc/sysctl.d/90-province.conf"

Fingerprint = Mapping[str, str]


@cache
def _renderer() -> Renderer:
    program = program_for(environment.ROOT, environment.environment_file().parent / "group_vars")
    return Renderer(program, environment.environment(), environment.plan())


@cache
def declared(host: str) -> Mapping[str, Any]:
    """What roles declare for a host: `files`, `directories`, `links`, each with its path."""
    said: dict[str, Any] = json.loads(_renderer().render(environment.named(host)).manifest)
    return said


def fingerprints(hosts: Iterable[str], units: Mapping[str, Iterable[str]]) -> dict[str, Fingerprint]:
    """By host, a line for each thing that is the same when the host is; `units` are looked at by host."""
    found = {}
    for host in hosts:
        (said,) = batch_all([host], _commands(host, units[host])).values()
        found[host] = _read(host, said)
    return found


def managed_units(hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By host, the units that its roles look after, as it noted them when it started them."""
    names = batch_all(hosts, {"names": "ls /run/province/units"})
    found = {
        host: tuple(name for name in said["names"].checked().split() if not name.endswith(".unconfirmed"))
        for host, said in names.items()
    }
    assert all(len(units) > 3 for units in found.values()), found
    return found


def _commands(host: str, units: Iterable[str]) -> dict[str, str]:
    files = " ".join(shlex.quote(entry["path"]) for entry in declared(host)["files"])
    folders = [shlex.quote(entry["path"]) for entry in declared(host)["directories"] if entry["exclusive"]]
    links = " ".join(shlex.quote(entry["path"]) for entry in declared(host)["links"])
    shown = " ".join(map(shlex.quote, units))
    return {
        "digests": f"sha256sum -- {files}",
        "modes": f"stat --format='%n %a %U %G' -- {files}",
        "exclusive": f"find {' '.join(folders)} -mindepth 1 | sort",
        "links": f"stat --format='%N' -- {links}",
        "units": f"systemctl show --property=Id,ActiveState,UnitFileState,NeedDaemonReload -- {shown}",
        "rules": "nft --stateless list ruleset",
        "routing": "! systemctl --quiet is-active frr.service || vtysh -c 'show running-config'",
        "tunnels": "wg show all public-key && wg show all allowed-ips && wg show all persistent-keepalive",
        "addresses": "ip -j address show",
        "kernel": f"sed -n 's/^-\\?\\([^#= ]*\\) *=.*/\\1/p' {KERNEL} | xargs sysctl --ignore",
    }


def _read(host: str, said: Mapping[str, Said]) -> Fingerprint:
    lines: dict[str, str] = {}
    for line in said["digests"].checked().splitlines():
        lines[f"file {line[66:]}"] = line[:64]
    for line in said["modes"].checked().splitlines():
        path, _, rest = line.partition(" ")
        lines[f"file {path}"] += f" {rest}"
    for block in said["units"].checked().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if line)
        lines[f"unit {values.pop('Id')}"] = " ".join(f"{k}={v}" for k, v in sorted(values.items()))
    vips = {str(vip.ip) for i in environment.planned(host).interfaces for vip in i.vips}
    lines["addresses"] = _lines(
        sorted(
            f"{link['ifname']} {address['local']}/{address['prefixlen']}"
            for link in json.loads(said["addresses"].checked())
            for address in link["addr_info"]
            if address["scope"] == "global" and address["local"] not in vips
        )
    )
    lines["rules"] = _lines(rules(said["rules"].checked()))
    for name in ("exclusive", "links", "routing", "tunnels", "kernel"):
        lines[name] = _lines(sorted(said[name].checked().splitlines()))
    return lines


def rules(text: str) -> list[str]:
    """The lines of a list of rules that are the same where the rules are."""
    lines = _DYNAMIC.sub(r"\1", _PODMAN.sub("", text)).splitlines()
    return [line for line in lines if line.strip()]


def _lines(said: Iterable[str]) -> str:
    """As text, not as a digest: who reads that two differ wants to see where."""
    return "\n".join(said)
