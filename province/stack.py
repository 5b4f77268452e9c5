"""`province stack`: ask or change the Pulumi stack of an environment by hand. `make up` needs none of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from province.hosts import load_environment, plan_for
from province.lab.engine import engine_root
from province.lab.image import cached_image
from province.lab.places import environment_file, reach_stack
from province.problems import Problem, ProblemsFoundError

if TYPE_CHECKING:
    from province_stack.runner import Stack, Summary

TYPES = ("Project", "StoragePool", "Network", "Profile", "Image", "Instance")


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Join `province stack` to the command line."""
    parser = subparsers.add_parser(
        "stack", help="networks and machines: preview, up, refresh, import, destroy"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb, words in (
        ("preview", "say what up would do"),
        ("up", "bring Incus to the plan"),
        ("refresh", "write down what is really there, and count the drift"),
        ("destroy", "remove everything that the stack made"),
    ):
        one = verbs.add_parser(verb, help=words)
        one.add_argument("environment", help="lab, production, …")
        one.set_defaults(run=_command, verb=verb)
    one = verbs.add_parser("import", help="take an object that exists into the stack")
    one.add_argument("environment", help="lab, production, …")
    one.add_argument("type", choices=TYPES)
    one.add_argument("name", help="as planned: the host's, the bridge's")
    one.add_argument("id", help="<project>/<name> in Incus")
    one.set_defaults(run=_command, verb="import")


def _command(arguments: argparse.Namespace) -> int:
    stack = _stack(arguments.environment)
    if arguments.verb == "import":
        told = stack.import_object(f"incus:index:{arguments.type}", arguments.name, arguments.id)
    else:
        told = getattr(stack, arguments.verb)()
    sys.stdout.write(f"{describe(told)}\n")
    return 0


def describe(summary: Summary) -> str:
    """Say on one line what a run did."""
    counts = [f"{count} {name}" for name, count in sorted(summary.operations.items())]
    drift = [f"{summary.drifted} drifted"] if summary.drifted else []
    words = ", ".join([*counts, *drift]) or "nothing to do"
    end = f". {summary.message}" if summary.message else ""
    return f"{words}; {summary.unchanged} unchanged; {summary.seconds:.1f} s{end}"


def _stack(name: str) -> Stack:
    environment = load_environment(environment_file(name))
    engine: Path | None = engine_root()
    image = None if environment.provider == "none" else cached_image()
    if engine is None or (image is None and environment.provider != "none"):
        raise ProblemsFoundError(
            (
                Problem(
                    code="STK-005",
                    file=f"stack {name}",
                    line=0,
                    path="",
                    found="no Pulumi engine on this machine" if engine is None else "no host image",
                    wanted="both, built",
                    remedy=f"Run make up ENV={name} once: it builds what is missing.",
                ),
            )
        )
    reach_stack()
    from province_stack.runner import Stack

    def progress(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return Stack.of(environment, plan_for(environment), image, engine=engine, progress=progress)
