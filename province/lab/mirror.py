"""The command `province packages`: asks the program on an environment's package mirror, through SSH."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from province.facts import PRODUCTION, Built
from province.lab.image import OwnMirror, packages
from province.ledger import state_dir
from province.run.failure import fail

if TYPE_CHECKING:
    from province.hosts import Environment
    from province.plan.model import Plan

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PROGRAM = "package-mirror"
ROLE = "package_mirror"
_ACTIONS = {
    "list": "the snapshots, and which of them `test` and `production` show",
    "update": "fetch today's versions into a new snapshot, shown by `test`",
    "diff": "how two snapshots differ (default: production and test)",
    "promote": "let `production` show what `test` shows, or a named snapshot",
    "rollback": "let `production` show what it showed before, or a named snapshot",
}
# Which of them take names of snapshots, and how many.
_NAMING = {"diff": "*", "promote": "?", "rollback": "?"}


def add_commands(subparsers: Subparsers) -> None:
    """Add `province packages`."""
    packages = subparsers.add_parser(
        "packages", help="snapshots of packages: list, update, compare, promote, go back"
    )
    actions = packages.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, meaning in _ACTIONS.items():
        action = actions.add_parser(name, help=meaning)
        action.add_argument("environment", help="environment, a folder of inventories/")
        if name in _NAMING:
            action.add_argument("snapshots", nargs=_NAMING[name], default=[], metavar="SNAPSHOT")
        if name == "list":
            action.add_argument("--json", action="store_true", help="with what was shown before")
    packages.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from province.hosts import load_environment
    from province.lab.places import environment_file

    environment = load_environment(environment_file(arguments.environment))
    given = getattr(arguments, "snapshots", [])
    words = [arguments.action, *([given] if isinstance(given, str) else given)]
    words += ["--json"] if getattr(arguments, "json", False) else []
    return subprocess.run(ssh(environment, [PROGRAM, *words]), check=False).returncode  # noqa: S603 - ssh with our own config


def mirror_of(environment: Environment) -> str:
    """The first mirror of an environment, by name."""
    machines = environment.sources.catalogue.machines_at("centre")
    machine = next(machine for machine in machines if ROLE in machine.roles)
    return f"{machine.short}-1"


def ssh(environment: Environment, words: Sequence[str]) -> list[str]:
    """A program on the mirror, as a command of the controller."""
    config = str(state_dir(environment.name) / "ssh" / "config")
    return [
        "ssh",
        "-F",
        config,
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=5",
        mirror_of(environment),
        shlex.join(words),
    ]


def shown(environment: Environment) -> dict[str, str]:
    """The snapshot that each distribution shows; nothing where no mirror answers."""
    try:
        done = subprocess.run(  # noqa: S603 - ssh with our own config
            ssh(environment, [PROGRAM, "list", "--json"]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return {}
    return dict(said.get("published", {}))


def missing(environment: Environment, packages: Sequence[str]) -> list[str]:
    """Which of these packages `production` has not."""
    done = subprocess.run(  # noqa: S603 - ssh with our own config
        ssh(environment, [PROGRAM, "covers", *packages]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode not in (0, 1) or done.stderr.strip():
        raise fail(
            tried="ask the package mirror what it has",
            where=mirror_of(environment),
            came_back=done.stderr.strip() or f"exit status {done.returncode}",
            next_command=f"make converge LAYER=mirror ENV={environment.name}",
        )
    return done.stdout.split()


def for_images(environment: Environment, plan: Plan) -> OwnMirror | None:
    """The production of an environment's mirror, if it stands and has all that the host image wants."""
    from province.hosts import ledger_keys

    if not (state_dir(environment.name) / "ssh" / "config").is_file():
        return None  # the first time: nobody was spoken to yet
    snapshot = shown(environment).get(PRODUCTION, "")
    if not snapshot or missing(environment, packages()):
        return None
    built = Built(environment, plan, ledger_keys(environment.name))
    address = built.service_addresses("packages")[0]
    port = next(service.ports[0].number for service in plan.services if service.id == "packages")
    return OwnMirror(
        snapshot=snapshot,
        suite=PRODUCTION,
        key=tuple(built.mirror_key),
        connect=tuple(ssh(environment, ["nc", "-N", address, str(port)])),
    )
