"""A converge that is killed on wounded hosts, and what the next one makes of them.

Drawn by a seed: which hosts, what is done to them, at the boundary of which task the run is killed or how
long after it. The same seed gives the same again.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.fingerprint import Fingerprint, declared, fingerprints, managed_units
from tests.support.places import batch, machine

FILES = 4  # that are wounded on each host, besides a stopped unit and a foreign file
ENDS_WITHIN = 300.0  # seconds for a converge of a few hosts; it takes ten
BEGINS_WITHIN = 60.0
# Boundaries of tasks among which a kill falls: a run of two hosts has over forty, the first repair some.
FIRST, LAST = 2, 30
# Stopping these takes the host out of reach of the one who is to heal it; a build has ended by itself.
NEVER_STOPPED = re.compile(r"^(ssh|systemd-|province-firewall|wireguard)|-build\.service$")
_BOUNDARY = re.compile(r"^\[\d+:\d\d\] \S+: .*\(\d+ hosts?, ", re.MULTILINE)
_ENDED = re.compile(r"^\{\"changed\":", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Where a converge is killed: so many tasks done, and so many seconds later."""

    tasks: int
    after: float
    hosts: tuple[str, ...]
    seed: str

    def __str__(self) -> str:
        return f"{'+'.join(self.hosts)}, {self.tasks} tasks and {self.after:.2f} s, seed {self.seed}"


def kills(count: int, seed: int) -> list[Kill]:
    """Draw the kills of a session; every second one falls on the boundary between two tasks."""
    drawn = []
    for number in range(count):
        dice = random.Random(f"{seed}/{number}")  # noqa: S311 - chance, not secrecy
        drawn.append(
            Kill(
                tasks=dice.randint(FIRST, LAST),
                after=0.0 if number % 2 else round(dice.uniform(0.0, 0.6), 2),
                hosts=tuple(sorted(dice.sample(environment.ours(), 2))),
                seed=f"{seed}/{number}",
            )
        )
    return drawn


class Converge:
    """A converge of some hosts as an operator starts it, in a process group of its own."""

    def __init__(self, hosts: Iterable[str], *options: str) -> None:
        self._logs = environment.state_directory() / "logs"
        self._before = set(self._logs.glob("*.log"))
        hidden = ("MAKE", "PROVINCE_RUN", "PROVINCE_BEGAN")
        self.process = subprocess.Popen(
            [
                environment.ROOT / ".venv/bin/province",
                "converge",
                environment.name(),
                "--limit",
                ",".join(hosts),
                *options,
            ],
            cwd=environment.ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith(hidden)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ended(self) -> tuple[int, str]:
        """Wait for the end: exit status, and what it printed."""
        said, _ = self.process.communicate(timeout=ENDS_WITHIN)
        return self.process.returncode, said

    def well(self) -> str:
        """What a run that ended well printed."""
        status, said = self.ended()
        assert status == 0, f"exit status {status}\n{said[-4000:]}"
        return said

    def began(self) -> bool:
        """Wait until a task is done; False when the run ended without any."""
        return self.done(1)

    def done(self, tasks: int) -> bool:
        """Wait until so many tasks are done; False when the run ended with fewer."""

        def reached() -> str:
            text = self._log()
            if len(_BOUNDARY.findall(text)) >= tasks:
                return "reached"
            return "ended" if self.process.poll() is not None else ""

        return eventually(reached, within=BEGINS_WITHIN, every=0.01) == "reached"

    def kill(self) -> bool:
        """End it at once, without a word, as a power cut does; False when its hosts were done before."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        return self.process.returncode == -signal.SIGKILL and not _ENDED.search(self._log())

    def lives_for(self, seconds: float) -> bool:
        """Whether it still runs after so many seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _log(self) -> str:
        new: set[Path] = set(self._logs.glob("*.log")) - self._before
        return "".join(path.read_text(errors="replace") for path in sorted(new))


def whole(hosts: Iterable[str]) -> tuple[dict[str, tuple[str, ...]], dict[str, Fingerprint]]:
    """Converge hosts; what their units and their fingerprints are then."""
    names = tuple(hosts)
    # Every task runs, so every unit is on record on its host.
    Converge(names, "--no-look").well()
    units = managed_units(names)
    return units, fingerprints(names, units)


def wound(host: str, units: Iterable[str], dice: random.Random) -> list[str]:
    """Change, take away and open files that roles laid down, add a foreign one, stop a unit; say what."""
    said = declared(host)
    files = dice.sample([entry["path"] for entry in said["files"] if not entry["sensitive"]], FILES)
    folder = dice.choice([entry["path"] for entry in said["directories"] if entry["exclusive"]])
    unit = dice.choice([name for name in units if not NEVER_STOPPED.search(name)])
    quoted = [shlex.quote(path) for path in files]
    commands = {
        f"changed {files[0]}": f"echo '# wounded' >> {quoted[0]}",
        f"gone {files[1]}": f"rm -- {quoted[1]}",
        f"open {files[2]}": f"chmod 0666 -- {quoted[2]}",
        f"empty {files[3]}": f": > {quoted[3]}",
        f"foreign file in {folder}": f"touch -- {shlex.quote(folder)}/zz-wounded",
        f"stopped {unit}": f"systemctl stop -- {shlex.quote(unit)}",
    }
    for done in batch(machine(host), commands, timeout=120).values():
        done.checked()
    return list(commands)


def healed(kill: Kill, units: Mapping[str, tuple[str, ...]]) -> dict[str, Fingerprint]:
    """Wound the hosts, kill the converge that heals them, run the next; fingerprints after it."""
    dice = random.Random(kill.seed)  # noqa: S311 - chance, not secrecy
    tasks, after = kill.tasks, kill.after
    for _ in range(4):
        wounds = [f"{host}: {what}" for host in kill.hosts for what in wound(host, units[host], dice)]
        run = Converge(kill.hosts)
        reached = run.done(tasks) and (not after or run.lives_for(after))
        if run.kill() and reached:
            break
        tasks, after = tasks // 2 + 1, 0.0  # it was over before: aim at an earlier moment
    else:
        raise AssertionError(f"nothing was left to kill: {kill}")
    said = Converge(kill.hosts).well()
    assert re.search(r"changes? on|nothing to change", said), f"{wounds}\n{said}"
    return fingerprints(kill.hosts, units)
