"""`province drift`: what is other than planned, on hosts and in the estate. Changes nothing by itself."""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from province.drift.accepted import FILE, Accepted, add, read
from province.drift.findings import ESTATE, Finding, Outcome, once
from province.problems import Problem, ProblemsFoundError
from province.run.progress import Progress, Step
from province.run.session import run_session

if TYPE_CHECKING:
    from province.hosts import Environment, Host
    from province.look import Request
    from province.plan.model import Plan

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EMPTY, DRIFT, UNSEEN = 0, 1, 2
_SHOWN = 10  # ids that one message names
# What is to be loaded of rules, where there is such a file.
RULES = ("/etc/province/firewall/rules.nft", "/etc/traffic-shaping/marks.nft", "/etc/carrier/forwarding.nft")


def add_commands(subparsers: Subparsers) -> None:
    """Add drift."""
    drift = subparsers.add_parser("drift", help="what is other than planned: hosts, machines, networks")
    drift.add_argument("environment", help="environment, a folder of inventories/")
    drift.add_argument("host", nargs="*", help="only these hosts (default: all, and the estate)")
    drift.add_argument("--json", type=Path, default=None, metavar="FILE", help="write it for programs, too")
    drift.add_argument(
        "--repair", action="store_true", help="let converge and the stack put right what they can, look again"
    )
    drift.add_argument("--accept", metavar="ID", default="", help="accept a finding, by its id")
    drift.add_argument("--reason", default="", help="why it is accepted; it must be said")
    drift.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from province.lab.places import environment_file
    from province.ledger import state_dir

    name = arguments.environment
    file = environment_file(name)
    path, called = file.with_name(FILE), f"inventories/{name}/{FILE}"
    try:
        accepted = read(path, called)
    except ProblemsFoundError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return UNSEEN
    ended: list[int] = []
    if arguments.accept or arguments.reason:
        identifier, reason = arguments.accept, arguments.reason.strip()
        if not identifier or not reason:
            sys.stderr.write(
                'To accept a finding say both: --accept ID (as `make drift` prints it) and --reason "why".\n'
            )
            return UNSEEN

        def accept(progress: Progress) -> int:
            since = datetime.datetime.now(datetime.UTC).date().isoformat()
            _must_be_found(name, called, identifier, progress)
            add(path, called, Accepted(id=identifier, reason=reason, since=since))
            progress.say(f"{identifier} is accepted since {since}; written to {called}: commit it.")
            ended.append(EMPTY)
            return EMPTY

        asked = f"province drift {name} --accept {shlex.quote(identifier)} --reason {shlex.quote(reason)}"
        code = run_session(asked, accept, state=state_dir(name), shared=True)
        return code if ended or code in (130, 143) else UNSEEN

    def work(progress: Progress) -> int:
        environment, plan, hosts = _hosts(name, arguments.host)
        outcome = observe(environment, plan, hosts, progress, estate=not arguments.host)
        if arguments.repair:
            from province.drift.repair import repair

            if repair(environment, plan, outcome, accepted, progress):
                outcome = observe(environment, plan, hosts, progress, estate=not arguments.host)
        if arguments.json is not None:
            text = json.dumps(as_json(name, outcome, accepted), ensure_ascii=False, indent=2)
            arguments.json.write_text(f"{text}\n", encoding="utf-8")
        config = state_dir(name) / "ssh" / "config"
        sys.stdout.write("\n".join(screen(name, outcome, accepted, config)) + "\n")
        ended.append(status(outcome, accepted))
        return ended[0]

    code = run_session(
        command(name, arguments.host, repair=arguments.repair),
        work,
        state=state_dir(name),
        shared=not arguments.repair,
    )
    # What kept us from looking is not drift, and never "none".
    return code if ended or code in (130, 143) else UNSEEN


def command(environment: str, hosts: Sequence[str] = (), *, repair: bool = False) -> str:
    """How `make` is asked for it."""
    words = ["make drift"] + ([] if environment == "lab" else [f"ENV={environment}"])
    words += [f"HOST={shlex.quote(' '.join(hosts))}"] if hosts else []
    return " ".join(words + (["DO=repair"] if repair else []))


def _must_be_found(name: str, called: str, identifier: str, progress: Progress) -> None:
    """Look at the host of an id. What is not found there cannot be accepted: DRF-003."""
    where = identifier.partition("/")[0]
    of_estate = where == "estate"
    environment, plan, hosts = _hosts(name, [] if of_estate else [where])
    outcome = observe(environment, plan, () if of_estate else hosts, progress, estate=of_estate)
    ids = [one.id for one in outcome.findings]
    if identifier in ids:
        return
    listed = ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
    unseen = "; ".join(f"{host} could not be looked at: {why}" for host, why in outcome.unseen.items())
    raise ProblemsFoundError(
        (
            Problem(
                code="DRF-003",
                file=called,
                line=0,
                path="ID",
                found=f"no finding with the id {identifier}" + (f" ({unseen})" if unseen else ""),
                wanted=f"one of what is found now: {listed}" if ids else "something that is found now",
                remedy="Copy the id as `make drift` prints it.",
            ),
        )
    )


def _hosts(name: str, wanted: Sequence[str]) -> tuple[Environment, Plan, tuple[Host, ...]]:
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab.places import environment_file

    environment = load_environment(environment_file(name))
    plan = plan_for(environment)
    hosts = built_hosts(environment, plan)
    unknown = sorted(set(wanted) - {host.name for host in hosts})
    if unknown:
        raise ProblemsFoundError(
            (
                Problem(
                    code="DRF-002",
                    file=f"inventories/{name}/environment.yml",
                    line=0,
                    path="HOST",
                    found=f"no host {', '.join(unknown)}",
                    wanted=f"hosts of {name}",
                    remedy=f"Name hosts as `make hosts ENV={name}` does.",
                ),
            )
        )
    return environment, plan, tuple(host for host in hosts if not wanted or host.name in wanted)


def observe(
    environment: Environment, plan: Plan, hosts: Sequence[Host], progress: Progress, *, estate: bool
) -> Outcome:
    """Look at everything: what converge would change, what is there, what the stack would change."""
    from province.drift import planned
    from province.drift.estate import identities, look_at_estate
    from province.drift.image import Manifest, manifest
    from province.drift.judge import judge
    from province.drift.look import WITHIN
    from province.drift.look import look as look_around
    from province.incus import IncusError
    from province.ledger import state_dir
    from province.look import by_ssh, look

    steps = [Step("drift:planned", "what roles would do"), Step("drift:seen", "what is there")]
    steps += [Step("drift:estate", "machines and networks")] if estate else []
    progress.expect(steps)
    config = state_dir(environment.name) / "ssh" / "config"
    names = [host.name for host in hosts]
    with progress.step("drift:planned", "what roles would do") as running:
        asked, unseen = asked_of(environment, plan, hosts)
        told = look(asked, by_ssh(config))
        findings = planned.found(told)
        unseen |= {one.host: one.error for one in told if one.error}
        answering = [one.host for one in told if not one.error]
        running.done(f"{len(findings)} things on {len(answering)} hosts" if findings else "nothing")
    with progress.step("drift:seen", "what is there") as running:
        try:
            images = identities(environment)
        except IncusError as error:
            images = {}
            unseen |= dict.fromkeys(answering, f"Incus does not say what image it has: {error}")
        made: dict[str, Manifest | None] = {name: manifest(images.get(name, "")) for name in answering}
        for name, one in made.items():
            if one is None and name not in unseen:
                which = images.get(name) or "unknown"
                unseen[name] = f"what was in its image ({which}) is not known on this machine"
        around = {
            name: {"manifest": one.files, "packages": one.packages, "rules": RULES}
            for name, one in made.items()
            if one is not None
        }
        seen, silent = look_around(around, by_ssh(config, WITHIN))
        unseen |= silent
        for name, said in seen.items():
            image = made[name]
            if image is None:
                continue
            found = list(judge(name, said, image, planned.together(asked[name])))
            if silent_of := [one.found for one in found if one.kind == "unseen"]:
                unseen[name] = "; ".join(silent_of)
            findings += [one for one in found if one.kind != "unseen"]
        running.done(f"{len(seen)} of {len(names)} hosts looked at")
    if estate and environment.provider != "none":
        with progress.step("drift:estate", "machines and networks") as running:
            try:
                of_estate = look_at_estate(environment, plan, running.now)
                findings += of_estate
                running.done(f"{len(of_estate)} things" if of_estate else "as planned")
            except (IncusError, ProblemsFoundError) as error:
                unseen[ESTATE] = str(error)
                running.done("could not be looked at")
    return Outcome(hosts=tuple(names), findings=once(findings), unseen=unseen)


def asked_of(
    environment: Environment, plan: Plan, hosts: Sequence[Host]
) -> tuple[dict[str, Sequence[Request]], dict[str, str]]:
    """What roles ask, by host; of hosts of which it cannot be computed, why: others are looked at."""
    from province.asked import Asking
    from province.ledger import Ledger, state_dir
    from province.remembered import text_of

    ledger = Ledger.open(state_dir(environment.name))
    asking = Asking(environment, plan, text_of(ledger), ledger.stamp)
    asked: dict[str, Sequence[Request]] = {}
    refused: dict[str, str] = {}
    for host in hosts:
        try:
            asked[host.name], _ = asking.requests(host)
        except ProblemsFoundError as error:
            refused[host.name] = f"what is asked of it cannot be computed: {error}"
    return asked, refused


def status(outcome: Outcome, accepted: Iterable[Accepted]) -> int:
    """The exit status: what could not be looked at weighs more than what was found."""
    ids = {one.id for one in accepted}
    if outcome.unseen:
        return UNSEEN
    return DRIFT if any(one.id not in ids for one in outcome.findings) else EMPTY


def gone(outcome: Outcome, accepted: Iterable[Accepted]) -> list[Accepted]:
    """What was accepted and is not there any more, of what was looked at."""
    found = {one.id for one in outcome.findings}
    looked = {name for name in (*outcome.hosts, "estate") if name not in outcome.unseen}
    return [one for one in accepted if one.id not in found and one.id.partition("/")[0] in looked]


def screen(environment: str, outcome: Outcome, accepted: Sequence[Accepted], config: Path) -> list[str]:
    """What a reader sees: by host, each finding with what was planned and what to do next."""
    reasons = {one.id: one for one in accepted}
    lines: list[str] = []
    hosts = [ESTATE, *outcome.hosts]
    hosts += sorted({one.host for one in outcome.findings} - set(hosts))
    for host in hosts:
        own = [one for one in outcome.findings if one.host == host]
        if not own and host not in outcome.unseen:
            continue
        lines += ["", host]
        if host in outcome.unseen:
            lines.append(f"  NOT LOOKED AT (to the end): {' '.join(outcome.unseen[host].split())}")
        for one in own:
            if one.id in reasons:
                why = reasons[one.id]
                lines.append(f"  accepted  {one.found} ({why.reason}; since {why.since})  {one.id}")
                continue
            lines.append(f"  {one.found}; planned: {one.wanted}")
            lines.append(f"    {_next(environment, one, config)}")
            lines.append(f"    id {one.id}")
    left = gone(outcome, accepted)
    if left:
        lines += ["", f"Accepted, but not there any more (take out of inventories/{environment}/{FILE}):"]
        lines += [f"  {one.id} ({one.reason})" for one in left]
    lines += ["", _sum(environment, outcome, reasons)]
    return lines


def _next(environment: str, one: Finding, config: Path) -> str:
    if one.healer in ("converge", "up"):
        whole = one.host == ESTATE
        who = "the stack" if one.healer == "up" else "a converge"
        return f"next: {command(environment, () if whole else [one.host], repair=True)} ({who})"
    if one.advice:
        return f"next: {one.advice}"
    if one.host == ESTATE or not one.command:
        return f"next: {'look at it, then: ' if one.look else ''}{one.command or 'look at it'}"
    ssh = f"ssh -F {config} {one.host} {shlex.quote(one.command)}"
    return f"next{', once it is known whose it is' if one.look else ''}: {ssh}"


def _sum(environment: str, outcome: Outcome, reasons: Mapping[str, Accepted]) -> str:
    new = [one for one in outcome.findings if one.id not in reasons]
    old = len(outcome.findings) - len(new)
    looked = len([name for name in outcome.hosts if name not in outcome.unseen])
    words = [f"{environment}: {looked} of {len(outcome.hosts)} hosts looked at"]
    words.append(f"{len(new)} found on {len({one.host for one in new})}" if new else "no drift found")
    words += [f"{old} accepted"] if old else []
    if outcome.unseen:
        words.append(f"NOT looked at to the end: {', '.join(sorted(outcome.unseen))}")
    return ", ".join(words) + "."


def as_json(environment: str, outcome: Outcome, accepted: Sequence[Accepted]) -> dict[str, Any]:
    """The same for programs."""
    reasons = {one.id: one for one in accepted}
    return {
        "environment": environment,
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "status": status(outcome, accepted),
        "hosts": list(outcome.hosts),
        "unseen": outcome.unseen,
        "findings": [
            {**asdict(one), "id": one.id, "accepted": reasons[one.id].reason if one.id in reasons else None}
            for one in outcome.findings
        ],
        "accepted_but_gone": [one.id for one in gone(outcome, accepted)],
    }
