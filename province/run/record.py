"""What is kept of every run of an environment: who, what, when, how it ended, what it changed.

One JSON file a run beside its log, `logs/<begin>-<command>.json`; of a run that was killed there is a log
only, and that says enough. Read by `province runs`, and later by the audit.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pwd
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from province.run.scope import git

STAMP = "%Y%m%dT%H%M%SZ"  # as the names of logs begin, UTC


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one task changed on one host, in sentences."""

    host: str
    layer: str
    task: str
    sentences: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How long one task took on so many hosts, and on how many it changed something."""

    layer: str
    task: str
    seconds: float
    hosts: int
    changed: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step as the screen had it: title, seconds, how it ended in a few words."""

    title: str
    seconds: float
    result: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run. `status` None: it has no end on record, so it was killed, or is still at work.

    `began` in seconds since the epoch; `revision` of the repository, with a `+` when files differed from it;
    `where` it was when it failed.
    """

    command: str
    log: str
    began: float
    user: str = ""
    revision: str = ""
    seconds: float = 0.0
    status: int | None = None
    where: str = ""
    hosts: int = 0
    steps: tuple[StepDone, ...] = ()
    changes: tuple[Change, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def changed_hosts(self) -> tuple[str, ...]:
        """Hosts on which something was changed, by name."""
        return tuple(sorted({change.host for change in self.changes}))


def write(path: Path, record: Record) -> None:
    """Keep a record beside its log, whole or not at all. OSError when the disk refuses."""
    beside = path.with_name(f".{path.name}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(record), file, ensure_ascii=False, indent=1)
        file.write("\n")
    beside.replace(path)


def read_all(folder: Path) -> list[Record]:
    """The runs that have a log, the latest first; one without a readable record has no end."""
    return [_read(log) for log in sorted(folder.glob("*.log"), reverse=True)]


def of_playbook(said: Mapping[str, Any]) -> tuple[int, tuple[Change, ...], tuple[Task, ...]]:
    """Hosts, changes and tasks from the recap of a playbook; nothing of what is not there."""
    changes = tuple(
        Change(
            host=str(item["host"]),
            layer=str(item["layer"]),
            task=str(item["task"]),
            sentences=tuple(map(str, item["sentences"])),
        )
        for item in said.get("changes") or ()
    )
    tasks = tuple(
        Task(
            layer=str(item["layer"]),
            task=str(item["task"]),
            seconds=float(item["seconds"]),
            hosts=int(item["hosts"]),
            changed=int(item["changed"]),
        )
        for item in said.get("tasks") or ()
    )
    return len(said.get("hosts") or ()), changes, tasks


def user() -> str:
    """Who called: the one who became root by sudo, else the owner of the process."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def revision(repository: Path) -> str:
    """The commit that a repository is at, `+` when files differ from it; "" where there is no git."""
    try:
        commit = git(repository, "rev-parse", "--short=12", "HEAD")
        differing = git(repository, "status", "--porcelain", "--untracked-files=no")
    except OSError:
        return ""
    return f"{commit}{'+' if differing else ''}" if commit else ""


def began_of(log: Path) -> float:
    """When a run began, by the name of its log; by the file's own time where the name says none."""
    try:
        stamp = datetime.datetime.strptime(log.name.partition("-")[0], STAMP)
    except ValueError:
        return log.stat().st_mtime
    return stamp.replace(tzinfo=datetime.UTC).timestamp()


def _read(log: Path) -> Record:
    bare = Record(command=log.stem.partition("-")[2].replace("-", " "), log=str(log), began=began_of(log))
    try:
        said = json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))
        _, changes, tasks = of_playbook({**said, "hosts": ()})
        return dataclasses.replace(
            bare,
            command=str(said["command"]),
            began=float(said["began"]),
            user=str(said["user"]),
            revision=str(said["revision"]),
            seconds=float(said["seconds"]),
            status=int(said["status"]),
            where=str(said["where"]),
            hosts=int(said["hosts"]),
            steps=tuple(
                StepDone(title=str(s["title"]), seconds=float(s["seconds"]), result=str(s["result"]))
                for s in said["steps"]
            ),
            changes=changes,
            tasks=tasks,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return bare


def local(seconds: float) -> str:
    """A time as a reader at this machine has it, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def steps_of(told: Sequence[tuple[str, float, str]]) -> tuple[StepDone, ...]:
    """Steps from what the screen was told."""
    return tuple(StepDone(title=t, seconds=round(s, 1), result=r) for t, s, r in told)
