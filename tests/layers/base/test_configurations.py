"""Base: what `province render` prepares without a connection is what lies on every host."""

from __future__ import annotations

import json
import shlex
from functools import cache
from typing import Any

import pytest

from province.render.configurations import Renderer, program_for
from tests.support import environment
from tests.support.places import batch, machine

HOSTS = tuple(host.name for host in environment.built())
# Their private half is the ledger's, so what is prepared cannot be what lies there. Nothing else is left out.
WITH_SECRETS = "/etc/wireguard/{}.conf"
SIGNING_KEY = "/etc/package-mirror/signing-key"


# Both members of the pair know the secret of transfers; the first one signs.
NAME_SERVER = {
    1: {"/etc/knot/knot.conf", "/etc/knot/signing-keys.json"},
    2: {"/etc/knot/knot.conf"},
}
# The certificates of those who send logs, and of those who keep them.
PAIRS = {
    "log_forwarder": "/etc/province/log-forwarder/pair.pem",
    "log_store": "/etc/province/log-store/pair.pem",
}


@cache
def renderer() -> Renderer:
    """One for all hosts."""
    program = program_for(environment.ROOT, environment.environment_file().parent / "group_vars")
    return Renderer(program, environment.environment(), environment.plan())


def manifest(host: str) -> dict[str, Any]:
    """What is prepared for a host."""
    said: dict[str, Any] = json.loads(renderer().render(environment.named(host)).manifest)
    return said


def on_host(host: str, paths: list[str]) -> dict[str, str]:
    """Digest, mode, owner and group of files, as the host sees them."""
    quoted = " ".join(map(shlex.quote, paths))
    said = batch(
        machine(host),
        {"digests": f"sha256sum -- {quoted}", "modes": f"stat --format='%04a %U %G %n' -- {quoted}"},
    )
    found = {line[66:]: line[:64] for line in said["digests"].checked().splitlines()}
    for line in said["modes"].checked().splitlines():
        about, _, path = line.partition(" /")
        found[f"/{path}"] += f" {about}"
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_files_prepared_without_a_connection_are_those_that_lie_on_the_host(host: str) -> None:
    said = manifest(host)
    wanted = {
        entry["path"]: f"{entry['sha256']} {entry['mode']} {entry['owner']} {entry['group']}"
        for entry in said["files"]
    }
    left_out = {entry["path"] for entry in said["files"] if entry.get("placeholders")}
    tunnels = environment.facts(host).get("wireguard", [])
    mirror = {SIGNING_KEY} if host in environment.in_group("mirror") else set()
    names = NAME_SERVER[environment.planned(host).member] if host in environment.in_group("ns") else set()
    roles = environment.planned(host).roles
    pairs = {path for role, path in PAIRS.items() if role in roles}
    assert left_out == {WITH_SECRETS.format(tunnel["name"]) for tunnel in tunnels} | mirror | names | pairs
    assert len(wanted) > 10 + len(left_out)
    found = on_host(host, sorted(wanted))
    assert {path: found[path] for path in wanted if path not in left_out} == {
        path: value for path, value in wanted.items() if path not in left_out
    }
    for path in left_out:
        assert found[path].split()[1:] == wanted[path].split()[1:], path
        assert found[path].split()[0] != wanted[path].split()[0], f"{path} holds a placeholder on the host"


@pytest.mark.parametrize("host", HOSTS)
def test_links_lead_where_they_were_prepared_to_and_nothing_lies_where_nothing_should(host: str) -> None:
    said = manifest(host)
    commands = {
        f"link {entry['path']}": f"readlink -- {shlex.quote(entry['path'])}" for entry in said["links"]
    }
    commands |= {
        f"absent {entry['path']}": f"test ! -e {shlex.quote(entry['path'])}" for entry in said["absent"]
    }
    assert commands
    answers = batch(machine(host), commands)
    for entry in said["links"]:
        assert answers[f"link {entry['path']}"].checked().strip() == entry["target"]
    for entry in said["absent"]:
        assert answers[f"absent {entry['path']}"].rc == 0, entry["path"]
