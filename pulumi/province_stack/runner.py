"""Runs the stack with the real engine: up, preview, refresh, destroy, import; heals what a kill left.

The backend is a folder of the state directory, its secrets are encrypted with a passphrase of the
ledger, which only the engine's own environment holds. Everything runs offline.

What a kill leaves, and what becomes of it on the next run:

- a lock of the backend: its holder is looked for; a dead one's lock is cancelled, a living one is
  given time to end, then named;
- a checkpoint half written: the engine's own copy takes its place, or the stack begins anew; attributes
  of it half written: taken away;
- pending operations in the checkpoint: taken out. An object that was being made carries its URN, and
  the provider takes it over;
- objects changed or gone: every run refreshes first.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi import automation
from pulumi.automation import errors, events

from province.ledger import STACK_PASSPHRASE, Kind, Ledger, state_dir
from province.problems import Problem, ProblemsFoundError

if TYPE_CHECKING:
    from province.hosts import Environment
    from province.plan.model import Plan
    from province_stack.program import HostImage

PROJECT = "province"
PROVIDER_FOLDER = Path(__file__).resolve().parent.parent / "provider"

_LOCK_PATIENCE = 30.0  # seconds; an engine whose runner was killed notices and ends by itself
_VERBS = {
    "create": "made",
    "update": "changed",
    "delete": "removed",
    "create-replacement": "made again",
    "delete-replaced": "removed to be made again",
    "import": "imported",
}
# The component that an object belongs to has its name; what is not here belongs to the estate itself.
_COMPONENTS = {
    "incus:index:Instance": "province:compute:HostInstance",
    "incus:index:Network": "province:network:Segment",
}
_COLOUR = re.compile(r"<\{%[^%]*%\}>")


def _silent(line: str) -> None:
    del line


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An object that a preview would make, change or remove; `keys` are those of it that differ."""

    noun: str
    name: str
    operation: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run did (or, for a preview, would do) to objects of Incus.

    `operations` counts them by what was done (`create`, `update`, `delete`, …), components left out;
    `drifted` those that were found other than the state had them; `seconds` is the wall-clock time of
    the whole run; `message` says something about the stack.
    """

    operations: Mapping[str, int]
    unchanged: int
    seconds: float
    drifted: int = 0
    message: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def changed(self) -> int:
        """How many objects were (or would be) made, changed or removed; a replacement counts once."""
        return sum(count for name, count in self.operations.items() if name != "delete-replaced")


class Stack:
    """The stack of one environment. `engine` is the root of a Pulumi installation (`<root>/bin/pulumi`)."""

    def __init__(
        self,
        name: str,
        program: Callable[[], None],
        *,
        engine: Path,
        state: Path | None = None,
        progress: Callable[[str], None] = _silent,
    ) -> None:
        self._name = name
        self._program = program
        self._engine = engine
        self._state = state or state_dir(name)
        self._folder = self._state / "pulumi"
        self._progress = progress
        self._opened: automation.Stack | None = None

    @classmethod
    def of(
        cls,
        environment: Environment,
        plan: Plan,
        image: HostImage | None,
        *,
        engine: Path,
        progress: Callable[[str], None] = _silent,
    ) -> Stack:
        """Return the stack of an environment, with the program that its plan means."""
        from province_stack.program import province_program  # the runner itself knows no plan

        program = province_program(environment, plan, image)
        return cls(environment.name, program, engine=engine, progress=progress)

    def up(self) -> Summary:
        """Bring Incus to what the plan says, after a look at what is really there."""
        return self._run("up", lambda stack, watch: stack.up(refresh=True, on_event=watch, color="never"))

    def preview(self) -> Summary:
        """Say what `up` would do; change nothing, in Incus or in the state."""
        return self._run(
            "preview", lambda stack, watch: stack.preview(refresh=True, on_event=watch, color="never")
        )

    def refresh(self) -> Summary:
        """Write down what is really there; `drifted` counts what differed."""
        return self._run("refresh", lambda stack, watch: stack.refresh(on_event=watch, color="never"))

    def destroy(self) -> Summary:
        """Remove everything the stack made, then the stack itself. What is gone already is fine."""
        if not self.exists():
            return Summary(operations={}, unchanged=0, seconds=0.0, message="There is no stack.")
        summary = self._run("destroy", lambda stack, watch: stack.destroy(on_event=watch, color="never"))
        self._open().workspace.remove_stack(self._name)
        return summary

    def import_object(self, token: str, name: str, resource_id: str) -> Summary:
        """Take an object that exists into the stack, and read it; the next `up` makes it what is planned.

        `token` is the type (`incus:index:Instance`), `name` the resource's, `resource_id` as in the
        provider (`<project>/<name>`). The component it belongs to was made by the run that was refused.
        Written into the state through `pulumi stack import`: `pulumi import` itself would want the
        language plugin, which only the official CLI brings.
        """
        known = {resource["urn"]: resource for resource in self.resources()}
        provider = next((r for r in known.values() if r["type"] == "pulumi:providers:incus"), None)
        component = _COMPONENTS.get(token)
        parent = next(
            (
                urn
                for urn, resource in known.items()
                if resource["type"] == (component or "province:estate:Estate")
                and (component is None or urn.endswith(f"::{name}"))
            ),
            "",
        )
        inner = parent.split("::")[2] if parent else ""
        urn = f"urn:pulumi:{self._name}::{PROJECT}::{inner}${token}::{name}"
        if provider is None or not parent or urn in known:
            raise _stop(
                "STK-003",
                f"stack {self._name}",
                f"{name} in the stack already" if urn in known else f"no component of {name} in the stack",
                "a component that was brought up, without the resource",
                "Run up first: it names what it refuses. Then import that.",
            )
        entry: dict[str, Any] = {
            "urn": urn,
            "custom": True,
            "id": resource_id,
            "type": token,
            "inputs": {},
            "outputs": {},
            "parent": parent,
            "provider": f"{provider['urn']}::{provider['id']}",
        }
        stack = self._open()
        self._heal(stack)
        self._rewrite(stack, lambda latest: {**latest, "resources": [*latest["resources"], entry]})
        read = self.refresh()
        if urn not in {resource["urn"] for resource in self.resources()}:
            raise _stop(
                "STK-004",
                f"stack {self._name}",
                f"nothing in Incus under {resource_id}",
                "an object that exists",
                "Check project and name: incus list --all-projects.",
            )
        return Summary(operations={"import": 1}, unchanged=0, seconds=read.seconds)

    def exists(self) -> bool:
        """Say whether the backend has a state of this stack."""
        return self._checkpoint().is_file()

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the last checkpoint, as the engine wrote them; [] without a stack."""
        if not self.exists():
            return []
        latest = json.loads(self._checkpoint().read_text())["checkpoint"].get("latest") or {}
        return list(latest.get("resources") or [])

    # --- the engine ---

    def _open(self) -> automation.Stack:
        if self._opened is None:
            home, work = self._folder / "home", self._folder / "work"
            for folder in (home, work):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            ledger = Ledger.create(self._state)
            ledger.ensure_keypair(STACK_PASSPHRASE, Kind.PASSWORD)
            self._opened = automation.create_or_select_stack(
                self._name,
                project_name=PROJECT,
                program=self._program,
                opts=automation.LocalWorkspaceOptions(
                    work_dir=str(work),
                    pulumi_home=str(home),
                    env_vars={
                        "PATH": f"{PROVIDER_FOLDER}:{os.environ.get('PATH', os.defpath)}",
                        "PULUMI_BACKEND_URL": f"file://{self._folder}",
                        "PULUMI_CONFIG_PASSPHRASE": ledger.secret(STACK_PASSPHRASE).decode(),
                        "PULUMI_SKIP_UPDATE_CHECK": "true",
                        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    },
                    project_settings=automation.ProjectSettings(name=PROJECT, runtime="python"),
                    pulumi_command=automation.PulumiCommand(root=str(self._engine)),
                ),
            )
        return self._opened

    def _run(
        self,
        verb: str,
        work: Callable[[automation.Stack, Callable[[events.EngineEvent], None]], object],
    ) -> Summary:
        started = time.monotonic()
        watch = _Watch(self._progress, verb)
        try:
            # First of all: a stack whose making was killed cannot be opened.
            self._clear_lock()
            self._mend_checkpoint()
            stack = self._open()
            self._heal(stack)
            result = work(stack, watch.event)
        except errors.CommandError as error:
            raise _failed(verb, self._name, watch.errors or _last_words(str(error))) from None
        return Summary(
            operations=watch.operations,
            unchanged=watch.unchanged,
            seconds=time.monotonic() - started,
            drifted=watch.drifted,
            message=_message(result),
            differences=tuple(watch.differences),
        )

    # --- healing ---

    def _heal(self, stack: automation.Stack) -> None:
        pending = self._pending()
        if pending:
            self._progress(f"clearing {len(pending)} operations that a killed run left: {', '.join(pending)}")
            self._rewrite(stack, lambda latest: {**latest, "pending_operations": []})

    def _rewrite(self, stack: automation.Stack, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the checkpoint, through the engine: it checks what it is given."""
        exported = stack.export_stack()
        latest = change(dict(exported.deployment or {}))
        stack.import_stack(automation.Deployment(version=exported.version, deployment=latest))

    def _pending(self) -> list[str]:
        if not self.exists():
            return []
        latest = json.loads(self._checkpoint().read_text())["checkpoint"].get("latest") or {}
        return [
            f"{operation['type']} {operation['resource']['urn'].rsplit('::', 1)[-1]}"
            for operation in latest.get("pending_operations") or []
        ]

    def _clear_lock(self) -> None:
        """Take away the locks of dead runs, as `pulumi cancel` would; wait for a living one."""
        deadline = time.monotonic() + _LOCK_PATIENCE
        while holders := self._holders():
            if not any(alive for _, alive, _ in holders):
                self._progress(f"taking away the lock of a run that is dead ({holders[0][0]})")
                for _, _, lock in holders:
                    lock.unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise _stop(
                    "STK-002",
                    str(self._folder),
                    f"the stack {self._name} locked by {holders[0][0]}",
                    "no other run",
                    "Wait for it to end, or end it, then run again.",
                )
            time.sleep(0.5)

    def _mend_checkpoint(self) -> None:
        """Put the engine's own copy in place of a half-written checkpoint; without one, begin anew.

        Nothing is lost by that: what exists carries its URN, and the provider takes it over. Beside each file
        the engine keeps attributes that nobody needs; half written they make the file unreadable.
        """
        checkpoint = self._checkpoint()
        for attributes in checkpoint.parent.glob("*.attrs"):
            if not _is_json(attributes):
                attributes.unlink()
        if not checkpoint.exists() or _is_json(checkpoint):
            return
        copy = checkpoint.with_name(f"{checkpoint.name}.bak")
        if _is_json(copy):
            self._progress("taking the engine's copy of the state that a killed run left half written")
            copy.replace(checkpoint)
        else:
            self._progress("beginning anew: a killed run left its state half written")
            checkpoint.unlink()

    def _holders(self) -> list[tuple[str, bool, Path]]:
        """Who holds the backend's lock, whether they may be alive (on another machine: always), and where."""
        found = []
        for path in sorted(self._folder.glob(f".pulumi/locks/*/{PROJECT}/{self._name}/*.json")):
            try:
                lock = json.loads(path.read_text())
            except (OSError, ValueError):
                lock = {}  # gone meanwhile, or half written by a run that was killed
            pid, host = int(lock.get("pid", 0)), str(lock.get("hostname", ""))
            here = host in ("", socket.gethostname())
            found.append((f"process {pid} on {host or 'this machine'}", not here or _is_engine(pid), path))
        return found

    def _checkpoint(self) -> Path:
        return self._folder / ".pulumi" / "stacks" / PROJECT / f"{self._name}.json"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


@dataclass(slots=True)
class _Watch:
    """Listens to the engine: counts, progress lines, and the sentences of what failed."""

    progress: Callable[[str], None]
    verb: str
    operations: dict[str, int] = field(default_factory=dict)
    unchanged: int = 0
    drifted: int = 0
    errors: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    _begun: dict[str, float] = field(default_factory=dict)

    def event(self, event: events.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self._pre(event.resource_pre_event.metadata)
        if event.res_outputs_event is not None:
            self._done(event.res_outputs_event.metadata)
        told = event.diagnostic_event
        if told is not None and told.severity == "error":
            sentence = _COLOUR.sub("", told.message).strip()
            about = (told.urn or "").rsplit("::", 1)[-1]
            if sentence and sentence not in self.errors and not _is_echo(sentence):
                self.errors.append(f"{about}: {sentence}" if about and about not in sentence else sentence)

    def _pre(self, step: events.StepEventMetadata) -> None:
        self._begun[step.urn] = time.monotonic()
        if self.verb == "preview" and step.op in _VERBS:
            self._count(step)
            self._note(step)

    def _done(self, step: events.StepEventMetadata) -> None:
        if not step.type.startswith("incus:"):
            return
        if step.op == "same":
            self.unchanged += 1
        # A refresh of its own names what it found `update` or `delete`; one before an update, `refresh`.
        looked = step.op != "same" if self.verb == "refresh" else step.op == "refresh"
        if looked:
            if _drifted(step):
                self.drifted += 1
                self.progress(f"{_label(step)} differs from the state")
        elif step.op in _VERBS and self.verb != "preview":
            self._count(step)
            seconds = time.monotonic() - self._begun.get(step.urn, time.monotonic())
            self.progress(f"{_label(step)} {_VERBS[step.op]} ({seconds:.1f} s)")

    def _note(self, step: events.StepEventMetadata) -> None:
        if step.type.startswith("incus:"):
            noun, _, name = _label(step).partition(" ")
            keys = tuple(sorted({*(step.detailed_diff or {}), *(step.diffs or [])}))
            one = Difference(noun=noun, name=name, operation=str(step.op.value), keys=keys)
            if one not in self.differences:
                self.differences.append(one)

    def _count(self, step: events.StepEventMetadata) -> None:
        if step.type.startswith("incus:"):
            self.operations[str(step.op.value)] = self.operations.get(str(step.op.value), 0) + 1


def _message(result: object) -> str:
    told = result.outputs.get("message") if isinstance(result, automation.UpResult) else None
    return str(told.value) if told is not None else ""


def _label(step: events.StepEventMetadata) -> str:
    return f"{step.type.rsplit(':', 1)[-1].lower()} {step.urn.rsplit('::', 1)[-1]}"


def _drifted(step: events.StepEventMetadata) -> bool:
    old = step.old.outputs if step.old else None
    new = step.new.outputs if step.new else None
    return old != new


def _is_echo(sentence: str) -> bool:
    """Say whether the engine merely adds that something failed."""
    return sentence in ("update failed", "preview failed", "resource operation failed")


def _is_engine(pid: int) -> bool:
    """Say whether the process lives and is a Pulumi engine: a number may have been given out again."""
    try:
        return b"pulumi" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _last_words(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if "error" in line.lower()][-3:] or lines[-3:]


def _failed(verb: str, name: str, sentences: list[str]) -> ProblemsFoundError:
    return ProblemsFoundError(
        tuple(
            Problem(
                code="STK-001",
                file=f"stack {name}",
                line=0,
                path=verb,
                found=sentence.rstrip("."),
                wanted="an operation that succeeds",
                remedy="Correct the cause, then run the same command: what was done is kept.",
            )
            for sentence in sentences
        )
    )


def _stop(code: str, file: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    problem = Problem(code=code, file=file, line=0, path="", found=found, wanted=wanted, remedy=remedy)
    return ProblemsFoundError((problem,))
