"""`province logs`: lines of the central store of logs, read over SSH, equal ones once."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

PLACE = "/var/log/province"
TODAY = "$(date +%F)"
# What makes two lines one: the same host, its own clock to the microsecond, the same words.
_SAME = ("host", "sent", "program", "pid", "text")


def command(hosts: Iterable[str], day: str = "") -> str:
    """What the store is asked for: whole files, pressed ones too; without a day those of its own today."""
    names = [shlex.quote(host) for host in hosts] or ["*"]
    files = " ".join(f"{PLACE}/{name}/{shlex.quote(day) if day else TODAY}.log*" for name in names)
    return f"for file in {files}; do if [ -e $file ]; then zcat --force $file; fi; done"


def expression(text: str) -> str:
    """A regular expression as given; ArgumentTypeError says what is wrong with it."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error
    return text


def day(text: str) -> str:
    """A day as the store names its files, 2026-11-22; ArgumentTypeError for anything else."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like 2026-11-22") from error


def clock(text: str) -> str:
    """A time of the day, 14:30; ArgumentTypeError for anything else."""
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 14:30") from error


def between(records: Iterable[dict[str, Any]], since: str = "", until: str = "") -> Iterator[dict[str, Any]]:
    """Records sent from `since` on and before `until`, times of the day by the sender's clock."""
    for record in records:
        sent = str(record.get("sent", ""))[11:16]
        if (not since or sent >= since) and (not until or sent < until):
            yield record


def lines(text: str, match: str = "") -> Iterator[dict[str, Any]]:
    """Records whose line matches, each once, by the time at which they were sent."""
    wanted = re.compile(match)
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for line in text.splitlines():
        if not wanted.search(line):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a line that is being written
        found.setdefault(tuple(str(record.get(key, "")) for key in _SAME), record)
    yield from sorted(found.values(), key=lambda record: str(record.get("sent", "")))


def shown(record: dict[str, Any]) -> str:
    """One record for people."""
    who = f"{record['program']}[{record['pid']}]" if record.get("pid", "-") != "-" else record["program"]
    return f"{record['sent']} {record['host']} {who}: {record['text']}"


def add_commands(subparsers: Any) -> None:
    """Add `province logs`."""
    parser = subparsers.add_parser("logs", help="show lines of the central store of logs")
    parser.add_argument("environment", help="an environment, or its environment.yml")
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="only these hosts")
    parser.add_argument(
        "--match", type=expression, default="", help="only lines that match, a regular expression"
    )
    parser.add_argument("--day", type=day, help="a day as 2026-11-22; today where nothing is said")
    parser.add_argument("--since", type=clock, help="only lines sent at this time or later, as 14:30")
    parser.add_argument("--until", type=clock, help="only lines sent before this time, as 15:00")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from province.facts import LOG_STORE
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab.places import environment_file
    from province.ledger import state_dir

    given = Path(arguments.environment)
    environment = load_environment(
        given if given.suffix == ".yml" else environment_file(arguments.environment)
    )
    names = {host.name: host.planned.roles for host in built_hosts(environment, plan_for(environment), {})}
    unknown = [host for host in arguments.hosts if host not in names]
    if unknown:
        sys.stderr.write(f"{environment.name} has no {', '.join(unknown)}.\n")
        return 2
    store = next((name for name, roles in names.items() if LOG_STORE in roles), None)
    if store is None:
        sys.stderr.write(f"{environment.name} has no store of logs.\n")
        return 2
    asked = command(arguments.hosts, arguments.day or "")
    config = state_dir(environment.name) / "ssh" / "config"
    said = subprocess.run(  # noqa: S603 - ssh with our own config
        ["ssh", "-F", str(config), "-o", "BatchMode=yes", store, asked],  # noqa: S607 - ssh of the machine
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if said.returncode != 0:
        sys.stderr.write(said.stderr or f"{store} ended with status {said.returncode}\n")
        sys.stderr.write(f"Next: province status {environment.name}\n")
        return 1
    found = list(between(lines(said.stdout, arguments.match), arguments.since or "", arguments.until or ""))
    for record in found:
        text = json.dumps(record, ensure_ascii=False) if arguments.format == "json" else shown(record)
        sys.stdout.write(f"{text}\n")
    if not found:
        sys.stderr.write("No line of that day matches.\n")
    return 0
