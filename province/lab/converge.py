"""Runs the playbooks: one layer or all, some hosts or all, with layer and host on the screen."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from province import asked
from province.asked import Asked, Asking
from province.hosts import built_hosts, load_environment, plan_for
from province.lab.places import INVENTORIES, PROGRAMS, REPOSITORY, environment_file, programs_first
from province.ledger import Ledger, state_dir
from province.look import Seen, by_ssh, look
from province.problems import Problem, ProblemsFoundError
from province.remembered import questions, text_of
from province.run.command import Ended, run_program
from province.run.failure import RunFailedError, fail
from province.run.progress import Progress, Running
from province.run.session import cache_dir
from province.sources import uncollected

PLAYBOOKS = REPOSITORY / "playbooks"
_CLOCK = re.compile(r"^\[\d+:\d\d\] ")
_LEFT = re.compile(r", about \d+:\d\d left$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """How many tasks changed something, on how many hosts of how many."""

    changed: int
    changed_hosts: int
    hosts: int

    def __str__(self) -> str:
        if not self.changed:
            return f"nothing to change on {self.hosts} hosts"
        number = "1 change" if self.changed == 1 else f"{self.changed} changes"
        return f"{number} on {self.changed_hosts} of {self.hosts} hosts"


def layers() -> list[str]:
    """Return the layers there are playbooks for, by name."""
    return sorted(path.stem for path in (PLAYBOOKS / "layers").glob("*.yml"))


def playbook_of(layer: str) -> Path:
    """Return the playbook of a layer, of everything for ""; an unknown layer is a problem."""
    if not layer:
        return PLAYBOOKS / "site.yml"
    if layer in layers():
        return PLAYBOOKS / "layers" / f"{layer}.yml"
    raise ProblemsFoundError(
        (
            Problem(
                code="RUN-001",
                file="playbooks/layers",
                line=0,
                path="LAYER",
                found=layer,
                wanted=f"one of {', '.join(layers())}",
                remedy="Name a layer that there is.",
            ),
        )
    )


def converge(
    environment: str,
    progress: Progress,
    running: Running,
    *,
    layer: str = "",
    limit: str = "",
    playbook: str = "",
    look_first: bool = True,
    changed_only: bool = False,
) -> Converged:
    """Run the playbook; a failure names layer, host and task, and the command for that part alone.

    `playbook`: a file of playbooks/, instead of that of a layer. When all layers are asked for, hosts are
    looked at first, and the playbook is run for those alone that have something to do: not with `look_first`
    False. With `changed_only` only hosts are spoken to of which something else is asked than when they last
    were as declared.
    """
    state = state_dir(environment)
    seen: list[Seen] = []
    noted: dict[str, Asked] = {}
    if changed_only:
        limit = ",".join(_concerned(environment, progress, running))
        if not limit:
            progress.playbook = {"hosts": {}}
            running.done("no host is concerned")
            return Converged(changed=0, changed_hosts=0, hosts=0)
    looked: list[str] = []
    if look_first and not layer and not playbook:
        seen = _look(environment, limit, progress, running, noted)
        looked = [one.host for one in seen]
        asked.keep(state, {one.host: noted[one.host] for one in seen if one.settled and one.host in noted})
        limit = ",".join(one.host for one in seen if not one.settled) or limit
        if seen and all(one.settled for one in seen):
            progress.playbook = {"hosts": {host: {} for host in looked}}
            settled = Converged(changed=0, changed_hosts=0, hosts=len(looked))
            running.done(str(settled))
            return settled
    argv = [str(PROGRAMS / "ansible-playbook"), str(PLAYBOOKS / playbook if playbook else playbook_of(layer))]
    argv += ["-i", str(INVENTORIES / environment / "environment.yml")]
    if limit:
        argv += ["--limit", limit]
    # What is begun may not end; then the next run has to see these hosts whatever was asked of them.
    names = limit.split(",") if limit else []
    asked.forget(state, names if names and (seen or set(names) <= set(asked.known(state))) else None)
    with tempfile.TemporaryDirectory(prefix="province-") as folder:
        recap = Path(folder) / "recap.json"
        ended = run_program(
            argv,
            progress,
            cwd=REPOSITORY,
            environment={
                **programs_first(),
                "PROVINCE_RECAP": str(recap),
                "PROVINCE_LOG": str(progress.log_path or Path(folder) / "log"),
                "PROVINCE_TIMINGS": str(cache_dir() / f"timings-{environment}.json"),
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONUNBUFFERED": "1",
            },
            on_line=lambda line: running.now(_shown(line)),
            terminal=progress.terminal,
            logged=False,  # its callback does, in order with what the screen does not show
        )
        _log_rest(ended, progress)
        said = _recap(recap)
    hosts = {**{host: {} for host in looked}, **(said.get("hosts") or {})}
    progress.playbook = {**said, "hosts": hosts}
    if ended.code != 0:
        raise _failure(ended, said, progress, environment)
    asked.keep(state, {one.host: noted[one.host] for one in seen if one.host in noted})
    result = Converged(
        changed=int(said.get("changed", 0)),
        changed_hosts=sum(1 for host in hosts.values() if host.get("changed")),
        hosts=len(hosts),
    )
    running.done(str(result))
    return result


def _concerned(environment: str, progress: Progress, running: Running) -> list[str]:
    """Hosts of which something else is asked than when they last were as declared; the screen says why."""
    running.now("comparing what is asked of hosts")
    state = state_dir(environment)
    with uncollected():
        declared = load_environment(environment_file(environment))
        plan = plan_for(declared)
        hosts = built_hosts(declared, plan)
        ledger = Ledger.open(state)
        asking = Asking(declared, plan, text_of(ledger), ledger.stamp)
        changed = asking.changed(hosts, asked.known(state))
    progress.say(asked.sentence(changed, len(hosts)))
    return list(changed)


def _look(
    environment: str, limit: str, progress: Progress, running: Running, noted: dict[str, Asked]
) -> list[Seen]:
    """What hosts say that is to be done; nothing where they cannot be asked, or not by these names.

    What is asked of them is put into `noted`.
    """
    running.now("computing what is asked of hosts")
    state = state_dir(environment)
    try:
        known = questions(environment_file(environment), state, limit.split(",") if limit else ())
    except ProblemsFoundError as error:
        if {problem.code[:3] for problem in error.problems} - {"RND", "LED"}:
            raise  # no playbook could do with such a register either
        progress.log(f"hosts are not looked at first: {error}")
        return []
    if known is None:
        return []
    running.now(f"looking at {len(known)} hosts")
    noted.update({name: one for name, (_, one) in known.items()})
    seen = look({name: requests for name, (requests, _) in known.items()}, by_ssh(state / "ssh" / "config"))
    for one in seen:
        for sentence in one.words():
            progress.log(f"to be done on {sentence}")
    return seen


def _log_rest(ended: Ended, progress: Progress) -> None:
    """Log what was printed, and not by the callback: warnings of Ansible, a crash before it began."""
    path = progress.log_path
    known = set(path.read_text(encoding="utf-8", errors="replace").splitlines()) if path else set()
    for line in ended.tail.splitlines():
        if line.strip() and line not in known:
            progress.log(line)


def _shown(line: str) -> str:
    """Shorten a line of the playbook's own progress: our line has clock and estimate already."""
    return _LEFT.sub("", _CLOCK.sub("", line.strip()))


def _recap(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _failure(ended: Ended, said: dict[str, Any], progress: Progress, environment: str) -> RunFailedError:
    suffix = "" if environment == "lab" else f" ENV={environment}"
    failures = said.get("failures") or []
    if not failures:
        return fail(
            tried="ansible-playbook " + " ".join(Path(word).name for word in ended.argv[1:]),
            where=progress.where,
            came_back=f"{ended.tail}\nexit status {ended.code}",
            next_command=f"read the log, mend it, then: make converge{suffix}",
        )
    first = failures[0]
    others = sorted({str(item["host"]) for item in failures[1:]} - {str(first["host"])})
    return fail(
        tried=f"“{first['task']}”",
        where=f"layer {first['layer']}, host {first['host']}",
        came_back=str(first["message"]),
        next_command=f"mend it, then: make converge LAYER={first['layer']} LIMIT={first['host']}{suffix}",
        notes=(f"the same run failed on {', '.join(others)}",) if others else (),
    )
