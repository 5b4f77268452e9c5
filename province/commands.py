"""The commands `province check`, `province plan` and `province reference`."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from province.plan.as_json import as_json
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.reading.difference import Difference, State, compare
from province.reading.difference import as_json as difference_json
from province.reading.screen import lines_of
from province.sources import Sources, called, load_sources, tree_of, uncollected

# What `province reference` makes; the tables are province.reading.tables.TABLES.
TABLES = (
    "unit-list", "address-table", "host-addresses", "device-list", "service-list", "flow-list", "cost"
)  # fmt: skip
DRAWINGS = "drawings"
# What a plan is made from; of roles it is their names.
_INPUT = re.compile(r"inventories/|apps/|docs/reference/|roles/[^/]+/meta/main\.yml\Z")


def add_commands(subparsers: Any) -> None:
    """Add `province check`, `province plan` and `province reference`."""
    check = subparsers.add_parser("check", help="say what is wrong with a register; nothing is written")
    check.add_argument("register", type=Path, help="folder of a register")
    check.add_argument("--format", choices=("text", "json"), default="text")
    check.set_defaults(run=_check)
    plan = subparsers.add_parser("plan", help="show what a register means, or what a change of it means")
    plan.add_argument("register", type=Path, help="folder of a register")
    plan.add_argument("--format", choices=("text", "json"), default="text")
    plan.add_argument(
        "--diff", metavar="GITREF", help="show what differs from the plan of a commit, tag or branch"
    )
    plan.add_argument("--all", action="store_true", help="of a difference every entry, not one screen")
    plan.set_defaults(run=_plan)
    reference = subparsers.add_parser(
        "reference", help="write the tables and drawings of a plan for people: CSV, XLSX, HTML, SVG"
    )
    reference.add_argument("register", type=Path, help="folder of a register")
    reference.add_argument("--out", type=Path, required=True, help="a folder of this command's own")
    reference.add_argument(
        "--only",
        action="append",
        default=[],
        choices=(*TABLES, DRAWINGS),
        help="only this (may be given again); the folder then holds nothing else",
    )
    reference.add_argument(
        "--format", choices=("csv", "xlsx", "html", "all"), default="all", help="of tables"
    )
    reference.add_argument(
        "--environment", type=Path, help="an environment.yml: the device list then says what it builds"
    )
    reference.add_argument(
        "--source", default="", help="printed on every page, such as a commit or a date; nothing by itself"
    )
    reference.set_defaults(run=_reference)


def _check(arguments: argparse.Namespace) -> int:
    sources = load_sources(arguments.register)
    plan = sources.plan()
    pending = Counter(layer for service in plan.services for _, layer in service.pending)
    if arguments.format == "json":
        report: dict[str, Any] = {
            "problems": [],
            "units": len(plan.units),
            "pending": dict(sorted(pending.items())),
        }
        _print_json(report)
        return 0
    kinds = Counter(unit.kind for unit in plan.units)
    sys.stdout.write(
        f"{plan.name}: no problems. {len(plan.units)} units ("
        + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        + f"), {len(plan.hosts)} hosts, {len(plan.flows)} flows, {len(plan.services)} services.\n"
        + "Pending: "
        + (", ".join(f"{number} on {layer}" for layer, number in sorted(pending.items())) or "nothing")
        + ".\n"
    )
    return 0


@uncollected()
def _plan(arguments: argparse.Namespace) -> int:
    sources = load_sources(arguments.register)
    plan = sources.plan()
    if arguments.diff is not None:
        found = _difference(arguments.diff, arguments.register, sources, plan)
        if arguments.format == "json":
            _print_json(difference_json(found))
        else:
            sys.stdout.write("\n".join(lines_of(found, every=arguments.all)) + "\n")
        return 0
    if arguments.format == "json":
        _print_json(as_json(plan))
    else:
        sys.stdout.write("\n".join(_lines(plan)) + "\n")
    return 0


def _reference(arguments: argparse.Namespace) -> int:
    from province.reading.reference import run  # a writer of workbooks, which other commands do without

    return run(arguments)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _difference(reference: str, register: Path, sources: Sources, plan: Plan) -> Difference:
    """What differs between a register as a commit has it and as it is now."""
    now = _state("the working tree", sources, plan)
    root = tree_of(register.resolve())
    if not register.resolve().is_relative_to(root):
        raise _stop(
            "a register outside a repository",
            "inventories/registers/<province> of a repository",
            register,
            "Compare it where its history is.",
        )
    path = register.resolve().relative_to(root)
    with tempfile.TemporaryDirectory(prefix="province-plan-") as folder:
        _unpack(reference, root, register, Path(folder))
        before = Path(folder) / path
        if not before.is_dir():
            note = f"{path.as_posix()} is not in {reference}: everything is new"
            return compare(None, now, since=reference, notes=(note,))

        def name(file: Path) -> str:
            if file.resolve().is_relative_to(Path(folder).resolve()):
                return f"{reference}:{file.resolve().relative_to(Path(folder).resolve()).as_posix()}"
            return called(file)

        past = load_sources(before, name, otherwise=sources)
        notes = (_OTHER_CATALOGUE.format(reference),) if past.catalogue is sources.catalogue else ()
        return compare(_state(reference, past, past.plan()), now, notes=notes)


_OTHER_CATALOGUE = "the catalogue in {} is not written as today; today's is taken for both sides"


def _state(label: str, sources: Sources, plan: Plan) -> State:
    return State(
        label=label, plan=plan, register=sources.register, catalogue=sources.catalogue, apps=sources.apps
    )


def _unpack(reference: str, root: Path, register: Path, folder: Path) -> None:
    """Lay down what a plan is made from, as a commit has it."""
    done = subprocess.run(  # noqa: S603 - git, with a reference that cannot be an option
        ["git", "-C", str(root), "archive", "--format=tar", "--end-of-options", reference],  # noqa: S607 - found on the path
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},  # its words stand in a message of ours
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise _stop(
            f"'{reference}', of which git says: {words[0]}",
            "a commit, tag or branch of this repository",
            register,
        )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        for member in archive:
            if member.isfile() and _INPUT.match(member.name):
                content = archive.extractfile(member)
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read() if content else b"")


def _stop(
    found: str,
    wanted: str,
    register: Path,
    remedy: str = "Correct the reference (git log shows commits).",
) -> ProblemsFoundError:
    return ProblemsFoundError(
        (
            Problem(
                code="PLN-010",
                file=called(register),
                line=0,
                path="--diff",
                found=found,
                wanted=wanted,
                remedy=remedy,
            ),
        )
    )


def _lines(plan: Plan) -> Iterable[str]:
    """The plan as a person reads it: blocks, hosts, flows."""
    yield f"{plan.name}  {plan.domain}"
    yield ""
    yield f"Units ({len(plan.units)})"
    width = max((len(unit.id) for unit in plan.units), default=0)
    for unit in plan.units:
        yield (
            f"  {unit.id:<{width}}  {unit.code:>9}  {unit.kind:<12} {unit.index:>5}  {unit.prefix4!s:<18} "
            f"{unit.prefix6!s:<26} {unit.state:<11} {unit.name}"
        )
    yield ""
    centre = [host for host in plan.hosts if host.owner == "centre"]
    yield f"Hosts ({len(plan.hosts)}, of them {len(centre)} of the centre)"
    for host in centre:
        addresses = ", ".join(f"{i.name} {' '.join(str(a) for a in i.addresses)}" for i in host.interfaces)
        yield f"  {host.name:<12} {addresses}"
    yield ""
    yield f"Services ({len(plan.services)})"
    for service in plan.services:
        ports = " ".join(f"{port.protocol}/{port.number}" for port in service.ports)
        yield f"  {service.id:<18} {ports:<18} {service.machine:<13} {' '.join(service.names)}"
    yield ""
    yield f"Flows ({len(plan.flows)}); everything else is refused"
    for flow in plan.flows:
        source = f"{flow.source.zone.value}:{'+'.join(flow.source.segments)}"
        destination = f"{flow.destination.zone.value}:{'+'.join(flow.destination.segments) or 'any'}"
        yield f"  {flow.id:<26} {source:<28} -> {destination:<28} {flow.reason}"
    yield ""
    yield f"Tunnels ({len(plan.peers)}), names in {len(plan.dns_zones)} zones"
