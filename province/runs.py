"""`province runs`: what was run on an environment, by whom, how it ended, and what it changed where."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from province.problems import Problem, ProblemsFoundError
from province.run.record import Record, local, read_all
from province.run.timings import words

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

SHOWN = 20
SLOWEST = 5


def add_commands(subparsers: Subparsers) -> None:
    """Add runs."""
    runs = subparsers.add_parser("runs", help="what was run, by whom, how it ended, what it changed where")
    runs.add_argument("environment", help="environment, a folder of inventories/")
    runs.add_argument("number", nargs="?", type=int, help="one run in full; 1 is the latest")
    runs.add_argument(
        "--host", default="", help="only runs that changed this host, and only what they did to it"
    )
    runs.add_argument("--all", action="store_true", help=f"all that are kept, not only the latest {SHOWN}")
    runs.add_argument("--json", action="store_true", help="for programs: one record a line")
    runs.set_defaults(run=_runs)


def listed(numbered: Iterable[tuple[int, Record]]) -> list[str]:
    """A line for each run, under a line of headings."""
    rows = [("no.", "begun", "command", "took", "by", "revision", "end")]
    rows += [
        (
            str(number),
            local(run.began),
            run.command,
            words(run.seconds) if run.status is not None else "",
            run.user,
            run.revision,
            ended(run),
        )
        for number, run in numbered
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def ended(run: Record) -> str:
    """How a run ended, in a few words."""
    if run.status is None:
        return "no end on record: killed, or still at work"
    if run.status != 0:
        return f"failed at {run.where}" if run.where else f"failed, status {run.status}"
    hosts = run.changed_hosts
    if hosts:
        number = sum(len(change.sentences) for change in run.changes)
        return f"{number} change{'s' * (number != 1)} on {len(hosts)} of {run.hosts} hosts"
    if run.hosts:
        return f"nothing to change on {run.hosts} hosts"
    return run.steps[-1].result if run.steps and run.steps[-1].result else "well"


def in_full(number: int, run: Record, host: str = "") -> list[str]:
    """Everything on record of a run; with a host what was changed there."""
    by = f", by {run.user}" if run.user else ""
    at = f", at {run.revision}" if run.revision else ""
    lines = [f"{number}  {run.command}{by}, {local(run.began)}{at}", f"   {ended(run)}", f"   log: {run.log}"]
    if not host:
        lines += [f"   {step.title}: {words(step.seconds)}, {step.result}".rstrip(", ") for step in run.steps]
    for change in run.changes:
        if host in ("", change.host):
            lines.append(f"   {change.host}, {change.layer}: {change.task}")
            lines += [f"      {sentence}" for sentence in change.sentences]
    slow = sorted(run.tasks, key=lambda task: -task.seconds)[:SLOWEST]
    if slow and not host:
        lines.append("   longest tasks:")
        lines += [
            f"      {task.seconds:.1f} s  {task.layer}: {task.task}, {task.hosts} hosts" for task in slow
        ]
    return lines


def chosen(
    runs: Sequence[Record], *, number: int | None = None, host: str = "", known: Sequence[str] = ()
) -> list[tuple[int, Record]]:
    """Runs with their numbers, 1 the latest; ProblemsFoundError for a number or a host that there is not."""
    if number is not None and not 1 <= number <= len(runs):
        wanted = f"1 to {len(runs)}" if runs else "none: nothing was run yet"
        raise _problem("NUMBER", str(number), wanted, "Leave the number out for the list.")
    if host and host not in known:
        raise _problem("HOST", host, "a host that is built", "province status says which there are.")
    numbered = list(enumerate(runs, start=1))
    if number is not None:
        numbered = [numbered[number - 1]]
    return [(n, run) for n, run in numbered if not host or host in run.changed_hosts]


def _problem(path: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        (
            Problem(
                code="RUN-002",
                file="province runs",
                line=0,
                path=path,
                found=found,
                wanted=wanted,
                remedy=remedy,
            ),
        )
    )


def show(
    runs: list[tuple[int, Record]], *, full: bool, host: str, as_json: bool, out: Callable[[str], object]
) -> None:
    """Write what was chosen."""
    if as_json:
        for _, run in runs:
            out(json.dumps(dataclasses.asdict(run), ensure_ascii=False) + "\n")
        return
    if full or host:
        lines = [line for number, run in runs for line in in_full(number, run, host)]
    else:
        lines = listed(runs)
    for line in lines or ["Nothing of it is on record."]:
        out(line + "\n")


def _runs(arguments: argparse.Namespace) -> int:
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab.places import environment_file
    from province.ledger import state_dir

    file: Path = environment_file(arguments.environment)
    known: list[str] = []
    if arguments.host:
        environment = load_environment(file)
        known = [host.name for host in built_hosts(environment, plan_for(environment))]
    runs = chosen(
        read_all(state_dir(arguments.environment) / "logs"),
        number=arguments.number,
        host=arguments.host,
        known=known,
    )
    full = arguments.number is not None
    shown = runs if arguments.all or full else runs[:SHOWN]
    show(shown, full=full, host=arguments.host, as_json=arguments.json, out=sys.stdout.write)
    return 0
