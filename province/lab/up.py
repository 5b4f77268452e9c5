"""`make up`: from a bare machine to an environment that runs, and from one that runs to nothing changed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from netaddr import IPNetwork

from province import asked
from province.facts import (
    ARCHIVE_KEY,
    LOG_FORWARDER,
    LOG_KEY,
    LOG_STORE,
    SIGNING_KEYS,
    STORE_KEY,
    TRANSFER_KEY,
)
from province.hosts import Environment, Host, built_hosts, instances, load_environment, networks, plan_for
from province.incus import Endpoint, Incus, IncusError
from province.lab import incusd, kernel, machine, mirror, summary
from province.lab.converge import converge
from province.lab.engine import engine_root, ensure_engine
from province.lab.image import HostImage, cached_image, ensure_image
from province.lab.places import environment_file, reach_stack
from province.ledger import HOST_CA, OPERATOR_KEY, USER_CA, Kind, Ledger, make_identity, state_dir
from province.recipients import state_of
from province.run.failure import fail
from province.run.progress import Progress, Running, Step
from province.run.session import run_session
from province.run.timings import words

if TYPE_CHECKING:
    from province.plan.model import Plan

_ANSWER_WITHIN = 15  # seconds for one host in the smoke check
_TITLES = {
    "machine": "check this machine",
    "packages": "packages",
    "incus": "Incus",
    "engine": "Pulumi engine",
    "image": "host image",
    "ledger": "keys",
    "stack": "networks and machines",
    "contact": "first contact",
    "converge": "converge",
    "smoke": "smoke check",
}


def up(name: str) -> int:
    """Build or heal an environment; returns the exit status. Bad input is refused before any change."""
    environment = load_environment(environment_file(name))
    plan = plan_for(environment)
    return run_session(
        command(name), lambda progress: work(environment, plan, progress), state=state_dir(name)
    )


def command(name: str) -> str:
    """Return what a reader types to build this environment."""
    return "make up" if name == "lab" else f"make up ENV={name}"


def missing(name: str) -> str:
    """Say what an environment lacks of being whole; nothing if its last `up` ended well and all runs."""
    try:
        said = json.loads(_mark(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it is not built, or its last run did not end well"
    environment = load_environment(environment_file(name))
    planned = {host.name for host in built_hosts(environment, plan_for(environment))}
    built = set(said.get("hosts") or ())
    if planned != built:
        words = (("not built yet", planned - built), ("not wanted any more", built - planned))
        return "; ".join(f"{what}: {', '.join(sorted(hosts))}" for what, hosts in words if hosts)
    off = set[str]() if environment.provider == "none" else planned - _running(environment)
    if off and off == planned:
        return "none of its machines runs"
    return f"without power: {', '.join(sorted(off))}" if off else ""


def complete(name: str) -> bool:
    """Say whether the last `up` of an environment ended well, for its present plan, and its hosts run."""
    return not missing(name)


def no_longer_complete(name: str) -> None:
    """Take back that an environment is whole, before anything of it is touched."""
    _mark(name).unlink(missing_ok=True)


def work(environment: Environment, plan: Plan, progress: Progress) -> int:
    """Do all steps of `up` under the environment's lock."""
    name = environment.name
    turn = "again" if _mark(name).exists() else "first"
    no_longer_complete(name)
    hosts = built_hosts(environment, plan)
    on_incus = environment.provider == "incus"
    on_this_machine = on_incus and environment.incus.endpoint.startswith("unix")
    steps = _steps(turn, on_incus=on_incus, on_this_machine=on_this_machine)
    progress.expect(steps)
    keys = {step.key.partition(":")[0]: step.key for step in steps}
    changed = 0
    image: HostImage | None = None
    engine = engine_root()

    if on_this_machine:
        with progress.step(keys["machine"]) as running:
            machine.check(_demand(environment, plan, hosts))
            raised = kernel.raise_limits()
            running.done(f"fits; raised {', '.join(raised)}" if raised else "fits")
        with progress.step(keys["packages"]) as running:
            machine.install_packages(progress, running)
            machine.check(_demand(environment, plan, hosts))  # a bare machine had nothing to see routes with
        with progress.step(keys["incus"]) as running:
            incusd.ensure(progress, running)
    if on_incus:
        with progress.step(keys["engine"]) as running:
            engine = ensure_engine(progress, running)
        with progress.step(keys["image"]) as running:
            image = ensure_image(progress, running, own=lambda: mirror.for_images(environment, plan))
    with progress.step(keys["ledger"]) as running:
        made = make_keys(name, hosts, environment.identities)
        wrong = state_of(Ledger.open(state_dir(name)))
        running.done("; ".join([f"{made} made" if made else "all there", *wrong]))
    if on_incus and engine is not None:
        with progress.step(keys["stack"]) as running:
            changed += _stack(environment, plan, image, engine, running)
    with progress.step(keys["contact"]) as running:
        changed += _contact(environment, plan, running)
    with progress.step(keys["converge"]) as running:
        # Hosts that were just made have everything to do; beside others, only they have.
        look_first = changed == 0 or bool(asked.known(state_dir(name)))
        changed += converge(name, progress, running, look_first=look_first).changed
    with progress.step(keys["smoke"]) as running:
        running.done(_smoke(environment, built_hosts(environment, plan), running))
    _mark(name).write_text(json.dumps({"hosts": sorted(host.name for host in hosts)}), encoding="utf-8")
    progress.say()
    progress.say(summary.text(environment, plan, built_hosts(environment, plan)))
    progress.say()
    took = words(sum(seconds for _, seconds in progress.durations))
    verdict = "Nothing changed" if changed == 0 else f"{changed} change{'s' * (changed > 1)}"
    progress.say(f"{verdict}. {command(name)} took {took}. The log: {progress.log_path}")
    return 0


def _steps(turn: str, *, on_incus: bool, on_this_machine: bool) -> list[Step]:
    """Return the steps to come, each with the key that its expected duration is kept under."""
    keys = []
    if on_this_machine:
        keys += ["machine", "packages:install" if machine.missing_packages() else "packages:there"]
        keys += ["incus:there" if incusd.answers() else "incus:start"]
    if on_incus:
        keys += ["engine:there" if engine_root() else "engine:build"]
        keys += ["image:there" if cached_image() else "image:build"]
    keys += ["ledger"]
    if on_incus:
        keys += [f"stack:{turn}"]
    keys += [f"contact:{turn}", f"converge:{turn}", "smoke"]
    return [Step(key, _TITLES[key.partition(":")[0]]) for key in keys]


def _demand(environment: Environment, plan: Plan, hosts: Sequence[Host]) -> machine.Demand:
    own = [
        IPNetwork(text).cidr
        for network in networks(environment, plan)
        for text in (network.address4, network.address6, *network.routes4, *network.routes6)
        if text
    ]
    return machine.Demand(
        hosts=len(instances(environment, plan)),
        addresses=tuple(own),
        prefix=environment.incus.prefix,
        builds_engine=engine_root() is None,
        running=len(_running(environment) & {host.name for host in hosts}),
    )


def _running(environment: Environment) -> set[str]:
    """Return the instances of the environment's project that run; none where Incus does not answer."""
    if not incusd.answers():
        return set()
    incus = Incus(Endpoint())
    try:
        answer = incus.find("/instances", project=environment.incus.project, parameters={"recursion": "1"})
    except IncusError:
        return set()
    finally:
        incus.close()
    listed = answer.metadata if answer else []
    return {str(item["name"]) for item in listed or [] if item.get("status") == "Running"}


def make_keys(name: str, hosts: Sequence[Host], identities: int = 1) -> int:
    """Make what is missing in an environment's ledger of the keys that `hosts` need; returns how many.

    `identities`: how many open it that are made here, beside it, for want of other people.
    """
    state = state_dir(name)
    ledger = Ledger.create(state)
    number = len(ledger.people)
    while len(ledger.people) < identities:
        number += 1
        who = f"{name}: operator {number}, whose identity was made here"
        if who not in {person.who for person in ledger.people}:
            ledger.add_recipient(make_identity(state / "identities" / f"operator-{number}.txt"), who)
    before = len(ledger.publics())
    ledger.ensure_for_hosts([host.name for host in hosts if "wireguard" in host.planned.roles])
    for role, prefix in ((LOG_FORWARDER, LOG_KEY), (LOG_STORE, STORE_KEY)):
        for host in hosts:
            if role in host.planned.roles:
                ledger.ensure_keypair(f"{prefix}{host.name}", Kind.TLS)
    for key in (HOST_CA, USER_CA, OPERATOR_KEY):
        ledger.ensure_keypair(key, Kind.SSH)
    ledger.ensure_keypair(ARCHIVE_KEY, Kind.OPENPGP)
    ledger.ensure_keypair(TRANSFER_KEY, Kind.PASSWORD)
    if not any(key.startswith(SIGNING_KEYS) for key in ledger.publics()):
        ledger.ensure_keypair(f"{SIGNING_KEYS}ksk-1", Kind.DNSSEC)
    return len(ledger.publics()) - before


def _stack(
    environment: Environment, plan: Plan, image: HostImage | None, engine: Path, running: Running
) -> int:
    reach_stack()
    from province_stack.runner import Stack

    result = Stack.of(environment, plan, image, engine=engine, progress=running.now).up()
    running.done(f"{result.changed} changed" if result.changed else f"{result.unchanged} as planned")
    return result.changed


def _contact(environment: Environment, plan: Plan, running: Running) -> int:
    from province.contact import first_contact

    changed = int(first_contact(environment, plan, progress=running.now).changed)
    running.done(f"{changed} hosts" if changed else "known already")
    return changed


def _smoke(environment: Environment, hosts: Sequence[Host], running: Running) -> str:
    """Ask every host, through SSH, whether it stands; the full answer is what `make verify` gives."""
    config = state_dir(environment.name) / "ssh" / "config"

    def ask(host: Host) -> tuple[str, str]:
        running.now(host.name)
        argv = ["ssh", "-F", str(config), "-o", "BatchMode=yes", host.name]
        argv += ["systemctl list-units --failed --plain --no-legend"]
        try:
            said = subprocess.run(  # noqa: S603 - ssh with our own config
                argv,
                capture_output=True,
                text=True,
                timeout=_ANSWER_WITHIN,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return host.name, f"no answer within {_ANSWER_WITHIN} s"
        if said.returncode != 0:
            return host.name, said.stderr.strip() or f"exit status {said.returncode}"
        failed = [line.split()[0] for line in said.stdout.splitlines() if line.strip()]
        return host.name, f"failed units: {', '.join(failed)}" if failed else ""

    with ThreadPoolExecutor(max_workers=8) as pool:
        bad = [(name, what) for name, what in pool.map(ask, hosts) if what]
    if bad:
        raise fail(
            tried="ask every host over SSH whether all its units run",
            where=", ".join(name for name, _ in bad),
            came_back="\n".join(f"{name}: {what}" for name, what in bad),
            next_command=f"ssh -F {config} {bad[0][0]} journalctl -b -p warning; {command(environment.name)}",
        )
    return f"{len(hosts)} hosts answer, no failed unit"


def _mark(name: str) -> Path:
    return state_dir(name) / "up.json"
