"""The commands that build, change and ask an environment, for the CLI and so for `make`."""

from __future__ import annotations

import argparse
import secrets
import sys
from typing import TYPE_CHECKING

from province.run.progress import Progress
from province.run.session import cache_dir, run_session

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_ENVIRONMENT = "environment, a folder of inventories/"


def add_commands(subparsers: Subparsers) -> None:
    """Add up, down, converge, verify, test, drill, status, engine and image."""
    up = subparsers.add_parser("up", help="build an environment, or bring it back to its plan")
    up.add_argument("environment", help=_ENVIRONMENT)
    up.set_defaults(run=_up)

    down = subparsers.add_parser("down", help="take a lab away, and only it")
    down.add_argument("environment", help=_ENVIRONMENT)
    down.set_defaults(run=_down)

    converge = subparsers.add_parser("converge", help="bring hosts to what is declared")
    converge.add_argument("environment", help=_ENVIRONMENT)
    converge.add_argument("--layer", default="", help="one layer (a file of playbooks/layers)")
    converge.add_argument("--limit", default="", help="hosts or groups, as Ansible writes them")
    converge.add_argument(
        "--no-look", action="store_true", help="run every task on every host, without asking them first"
    )
    converge.add_argument(
        "--changed",
        action="store_true",
        help="speak only to hosts of which something else is asked than when they last were as declared",
    )
    converge.set_defaults(run=_converge)

    verify = subparsers.add_parser("verify", help="ask the living environment")
    verify.add_argument("environment", help=_ENVIRONMENT)
    verify.add_argument("--layer", default="", help="one layer (a folder of tests/layers), flows or browser")
    verify.set_defaults(run=_verify)

    test = subparsers.add_parser("test", help="run every check there is")
    test.add_argument("environment", help=_ENVIRONMENT)
    test.add_argument(
        "--scope", choices=("all", "changed"), default="all", help="changed: what a change calls for"
    )
    test.add_argument("--no-machine", action="store_true", help="leave out what asks the living lab")
    test.set_defaults(run=_test)

    drill = subparsers.add_parser("drill", help="kill runs, lose the state, and see that the lab heals")
    drill.add_argument("environment", help=_ENVIRONMENT)
    drill.add_argument("--kills", type=int, default=3, help="how many runs are killed")
    drill.add_argument("--seed", type=int, default=None, help="which kills (default: others each time)")
    drill.add_argument("--only", default="", help="drills whose name has this, as in pytest -k")
    drill.set_defaults(run=_drill)

    status = subparsers.add_parser("status", help="what runs where, and how to reach it")
    status.add_argument("environment", help=_ENVIRONMENT)
    status.add_argument("--register", action="store_true", help="print only the name of its register")
    status.set_defaults(run=_status)

    engine = subparsers.add_parser("engine", help="build the Pulumi engine where there is none")
    engine.set_defaults(run=_engine)

    image = subparsers.add_parser(
        "image", help="make the host image anew, from the environment's mirror where it stands"
    )
    image.add_argument("environment", help=_ENVIRONMENT)
    image.set_defaults(run=_image)


# The modules behind the commands load much (Pulumi, paramiko): each only when it is called for.


def _up(arguments: argparse.Namespace) -> int:
    from province.lab.up import up

    return up(arguments.environment)


def _down(arguments: argparse.Namespace) -> int:
    from province.lab.down import down

    return down(arguments.environment)


def _converge(arguments: argparse.Namespace) -> int:
    from province.lab.converge import converge, playbook_of
    from province.lab.places import environment_file
    from province.ledger import state_dir

    name, layer, limit = arguments.environment, arguments.layer, arguments.limit
    environment_file(name)
    playbook_of(layer)
    changed_only: bool = arguments.changed
    if changed_only and (layer or limit or arguments.no_look):
        sys.stderr.write("--changed finds its hosts by itself: leave --layer, --limit and --no-look out\n")
        return 2

    def work(progress: Progress) -> int:
        key = "converge:again" if not layer and not limit else f"converge:{layer}:{limit}"
        with progress.step(key, f"converge {layer or 'all layers'}") as running:
            converge(
                name,
                progress,
                running,
                layer=layer,
                limit=limit,
                look_first=not arguments.no_look,
                changed_only=changed_only,
            )
        return 0

    words = ["make converge"] + [
        f"{key}={value}"
        for key, value in (
            ("LAYER", layer),
            ("LIMIT", limit),
            ("LOOK", "no" if arguments.no_look else ""),
            ("CHANGED", "yes" if changed_only else ""),
        )
        if value
    ]
    return run_session(" ".join(words), work, state=state_dir(name))


def _verify(arguments: argparse.Namespace) -> int:
    from province.lab.suite import verify

    return verify(arguments.environment, arguments.layer)


def _test(arguments: argparse.Namespace) -> int:
    from province.lab.suite import test

    return test(arguments.environment, scope=arguments.scope, machine=not arguments.no_machine)


def _drill(arguments: argparse.Namespace) -> int:
    from province.lab.places import environment_file
    from province.lab.suite import drill

    environment_file(arguments.environment)
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    return drill(arguments.environment, kills=arguments.kills, seed=seed, only=arguments.only)


def _status(arguments: argparse.Namespace) -> int:
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab import summary, up
    from province.lab.places import environment_file

    environment = load_environment(environment_file(arguments.environment))
    if arguments.register:
        sys.stdout.write(f"{environment.register}\n")
        return 0
    if lacking := up.missing(environment.name):
        sys.stdout.write(
            f"{environment.name} is not whole: {lacking}. Next: {up.command(environment.name)}\n"
        )
        return 1
    plan = plan_for(environment)
    sys.stdout.write(summary.text(environment, plan, built_hosts(environment, plan)) + "\n")
    return 0


def _engine(arguments: argparse.Namespace) -> int:
    from province.lab.engine import engine_root, ensure_engine

    del arguments

    def work(progress: Progress) -> int:
        with progress.step("engine:there" if engine_root() else "engine:build", "Pulumi engine") as running:
            ensure_engine(progress, running)
        return 0

    return run_session("make engine", work, state=cache_dir())


def _image(arguments: argparse.Namespace) -> int:
    from province.hosts import load_environment, plan_for
    from province.lab import mirror
    from province.lab.image import ensure_image
    from province.lab.places import environment_file

    environment = load_environment(environment_file(arguments.environment))
    plan = plan_for(environment)

    def work(progress: Progress) -> int:
        with progress.step("image:build", "host image") as running:
            ensure_image(progress, running, anew=True, own=lambda: mirror.for_images(environment, plan))
        return 0

    return run_session("make image", work, state=cache_dir())
