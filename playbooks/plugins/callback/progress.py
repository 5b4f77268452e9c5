"""What a converge shows: the layer and host it is at, how long it took, about what is left, what failed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Progress of a converge, in lines that an operator reads
description:
  - One line for each task with its layer, its hosts, how long it took and about what is left by the times of
    the last run. Below it what was changed on which host, in the words of the task.
  - A failure is said in sentences, with host, task, message and the next command.
options:
  timings:
    description: JSON file with the times of the last run, below its key C(ansible); read and written.
    type: path
    env: [{name: PROVINCE_TIMINGS}]
  log:
    description: File that the full log is appended to.
    type: path
    env: [{name: PROVINCE_LOG}]
  recap:
    description: JSON file for programs (changed, failed, unreachable, ok, hosts, failures, seconds).
    type: path
    env: [{name: PROVINCE_RECAP}]
"""

SENTENCES = 8  # of one host's changes on the screen; all are in the log


def span(seconds: float) -> str:
    """Minutes and seconds, as on a clock."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def layer_of(path: str) -> str:
    """The layer that a play's file belongs to: the name of the file."""
    return Path(path.rsplit(":", 1)[0]).stem or "playbook"


def message_of(result: dict[str, Any]) -> str:
    """What a failed result says, without a traceback."""
    parts = [str(result[key]).strip() for key in ("msg", "stderr", "module_stderr") if result.get(key)]
    return "\n".join(dict.fromkeys(parts)) or "No reason was given."


def estimate(known: dict[str, float], layers: list[str], done: dict[str, float]) -> float | None:
    """Seconds left by the last run's times; None when that run knew nothing of these layers.

    The last run may have built what this one only looks at: what is left shrinks or grows as what is done.
    """
    relevant = {key: seconds for key, seconds in known.items() if key.split("/", 1)[0] in layers}
    if not relevant:
        return None
    left = sum(seconds for key, seconds in relevant.items() if key not in done)
    before = sum(seconds for key, seconds in relevant.items() if key in done)
    now = sum(seconds for key, seconds in done.items() if key in relevant)
    return left * (now / before if before >= 1 else 1)


class CallbackModule(CallbackBase):  # type: ignore[misc] # ansible-core has no types
    """The screen, the log and the recap of one run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "progress"

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._task_started = self._started
        self._layer = ""
        self._layers: list[str] = []
        self._task = ""
        self._checks_arguments = False
        self._hosts: list[str] = []
        self._answered: dict[str, str] = {}
        self._changes: dict[str, list[str]] = {}
        self._known: dict[str, float] = {}
        self._times: dict[str, float] = {}
        self._failures: list[dict[str, str]] = []
        self._changed: list[dict[str, Any]] = []
        self._tasks: list[dict[str, Any]] = []
        self._log: TextIO | None = None
        self._limit = ""
        self._check = False

    # What Ansible calls -------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Read the last run's times and the layers to come."""
        from ansible import context

        self._limit = str(context.CLIARGS.get("subset") or "")
        self._check = bool(context.CLIARGS.get("check"))
        for play in playbook.get_plays():
            layer = layer_of(str(play.get_path()))
            if layer not in self._layers:
                self._layers.append(layer)
        self._known = self._read_times()
        path = self.get_option("log")
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._log = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed by the statistics
        self._write_log(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv)}")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Name the layer when a new one begins."""
        self._finish_task()
        layer = layer_of(str(play.get_path()))
        hosts = play.get_variable_manager()._inventory.get_hosts(play.hosts) if play.hosts else []
        self._hosts = [host.get_name() for host in hosts]
        self._write_log(f"PLAY {play.get_name()} ({layer}): {', '.join(self._hosts)}")
        if layer != self._layer:
            self._layer = layer
            self._show(f"{self._clock()} {layer}{self._left()}")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002 - Ansible's signature
        """Begin the line of a task."""
        self._finish_task()
        self._task = task.get_name().strip()
        self._checks_arguments = task.action.endswith("validate_argument_spec")
        self._task_started = time.monotonic()
        self._answered = {}
        self._changes = {}
        self._live()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Count a host as busy."""
        self._answered.setdefault(host.get_name(), "")
        self._live()

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Note an answer and what was changed."""
        changed = bool(result.result.get("changed"))
        self._note(result, "changed" if changed else "ok")
        if changed:
            said = result.result.get("changes") or [str(result.result.get("msg") or "Changed.")]
            self._changes[result.host.get_name()] = [str(sentence) for sentence in said]

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Note that a host had nothing to do."""
        self._note(result, "skipped")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """Say what failed at once; the rest of the hosts may take a while."""
        self._note(result, "failed")
        if not ignore_errors:
            self._fail(result, "failed")

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """Say that a host does not answer."""
        self._note(result, "unreachable")
        self._fail(result, "could not be reached")

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say that a play had no host; by --limit that is usual."""
        self._write_log("no host matched")

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        """Show differences, with --diff."""
        for diff in [result.result.get("diff") or []]:
            text = self._get_diff(diff)
            if text:
                self._show(f"{result.host.get_name()}:\n{text.rstrip()}")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Sum up, keep the times, write the recap."""
        self._finish_task()
        hosts = {name: stats.summarize(name) for name in sorted(stats.processed)}
        total: Counter[str] = Counter()
        for summary in hosts.values():
            total.update(summary)
        seconds = time.monotonic() - self._started
        recap = {
            "changed": total["changed"],
            "failed": total["failures"],
            "unreachable": total["unreachable"],
            "ok": total["ok"],
            "hosts": hosts,
            "failures": self._failures,
            "changes": self._changed,
            "tasks": self._tasks,
            "seconds": round(seconds, 1),
        }
        broken = total["failures"] or total["unreachable"]
        verb = "would change" if self._check else "changed"
        changed = sum(1 for summary in hosts.values() if summary["changed"])
        if not broken:
            word = (
                f"{total['changed']} tasks {verb} something on {changed} hosts"
                if changed
                else "nothing to change"
            )
            self._show(f"{self._clock()} {len(hosts)} hosts, {word} (changed={total['changed']})")
            if not self._check and not self._limit:
                self._keep_times()
        self._write(self.get_option("recap"), recap)
        self._write_log(json.dumps(recap, ensure_ascii=False))
        if self._log is not None:
            self._log.close()

    # The screen ---------------------------------------------------------------------

    def _clock(self) -> str:
        return f"[{span(time.monotonic() - self._started)}]"

    def _left(self) -> str:
        left = estimate(self._known, self._layers, self._times)
        return "" if left is None or left < 1 else f", about {span(left)} left"

    def _key(self) -> str:
        return f"{self._layer}/{self._task}"

    def _live(self) -> None:
        """On a terminal, the running line: how many hosts have answered, and who has not."""
        if not sys.stdout.isatty():
            return
        waiting = [name for name, answer in self._answered.items() if not answer]
        answered = len(self._answered) - len(waiting)
        line = f"{self._clock()} {self._layer}: {self._task} {answered}/{len(self._answered)}"
        line += f", waiting for {', '.join(waiting)}" if waiting else ""
        line = (line + self._left())[: shutil.get_terminal_size().columns - 1]
        sys.stdout.write(f"\r\x1b[K{line}")
        sys.stdout.flush()

    def _show(self, text: str, *, error: bool = False) -> None:
        if sys.stdout.isatty():
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
        self._display.display(text, stderr=error, color="red" if error else None)
        self._write_log(text)

    def _finish_task(self) -> None:
        """End the line of the task that ran."""
        if not self._task:
            return
        took = time.monotonic() - self._task_started
        self._times[self._key()] = self._times.get(self._key(), 0.0) + took
        counts = Counter(answer for answer in self._answered.values() if answer)
        words = [f"{counts[word]} {word}" for word in ("changed", "failed", "unreachable") if counts[word]]
        hosts = f"{len(self._answered)} host{'s' if len(self._answered) != 1 else ''}"
        # That arguments are what a role declares is checked on the controller and is no news.
        silent = self._checks_arguments and set(counts) <= {"ok"}
        if set(counts) != {"skipped"} and counts and not silent:
            summary = ", ".join([hosts, *words, f"{took:.1f} s"])
            place = {"layer": self._layer, "task": self._task}
            self._tasks.append(
                {
                    **place,
                    "seconds": round(took, 1),
                    "hosts": len(self._answered),
                    "changed": counts["changed"],
                }
            )
            self._changed += [
                {**place, "host": host, "sentences": said} for host, said in sorted(self._changes.items())
            ]
            self._show(f"{self._clock()} {self._layer}: {self._task} ({summary}){self._left()}")
            for host, sentences in sorted(self._changes.items()):
                for sentence in sentences[:SENTENCES]:
                    self._show(f"    {host}: {sentence}")
                if len(sentences) > SENTENCES:
                    self._show(f"    {host}: … and {len(sentences) - SENTENCES} more, in the log")
                for sentence in sentences[SENTENCES:]:
                    self._write_log(f"    {host}: {sentence}")
        self._task = ""

    def _note(self, result: CallbackTaskResult, answer: str) -> None:
        self._answered[result.host.get_name()] = answer
        self._write_log(f"{answer}: [{result.host.get_name()}] {result.task.get_name()}")
        for warning in result.result.get("warnings") or []:
            self._write_log(f"    warning: {warning}")
        if result.result.get("exception") or answer in ("failed", "unreachable"):
            self._write_log(self._dump_results(result.result, indent=2))
        self._live()

    def _fail(self, result: CallbackTaskResult, verb: str) -> None:
        host = result.host.get_name()
        task = result.task.get_name().strip()
        message = message_of(result.result)
        self._failures.append({"host": host, "layer": self._layer, "task": task, "message": message})
        lines = [f"FAILED on {host}, layer {self._layer}: “{task}” {verb}."]
        lines += [f"    {line}" for line in message.splitlines()]
        done = [str(sentence) for sentence in result.result.get("changes") or []]
        if done:
            self._changed.append({"layer": self._layer, "task": task, "host": host, "sentences": done})
            lines.append(f"    Done before that: {' '.join(done)}")
        lines.append(f"    Next: mend this, then `make converge LAYER={self._layer} LIMIT={host}`.")
        if self.get_option("log"):
            lines.append(f"    Full log: {self.get_option('log')}")
        self._show("\n".join(lines), error=True)

    # Files --------------------------------------------------------------------------

    def _write_log(self, text: str) -> None:
        if self._log is not None:
            self._log.write(text + "\n")
            self._log.flush()

    def _read_times(self) -> dict[str, float]:
        """The last run's seconds by layer/task."""
        times = self._read_timings().get("ansible", {})
        return {str(key): float(value) for key, value in times.items()} if isinstance(times, dict) else {}

    def _read_timings(self) -> dict[str, Any]:
        path = self.get_option("timings")
        try:
            loaded = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def _keep_times(self) -> None:
        """Keep this run's times beside those of layers it did not run, and beside what others keep there."""
        times = {k: v for k, v in self._known.items() if k.split("/", 1)[0] not in self._layers}
        times.update({key: round(seconds, 1) for key, seconds in self._times.items()})
        self._write(self.get_option("timings"), {**self._read_timings(), "ansible": times})

    def _write(self, path: str | None, content: dict[str, Any]) -> None:
        if not path:
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        beside.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        beside.replace(target)
