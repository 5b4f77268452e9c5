"""What drills are made of: `make up` as a user calls it, killed at a chosen point; what is left of a lab.

A drill takes the lab of this machine away and builds it again. Expected durations are those that the
project measured itself (province.run.timings); everything else is waited for by looking.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from province.incus import Endpoint, Incus, IncusError
from province.lab import incusd
from province.run.session import timings
from tests.support import environment
from tests.support.eventually import eventually

ENDS_WITHIN = 900.0  # seconds for one `make up` from nothing; it takes two to three minutes
_BEGINS_WITHIN = 300.0  # seconds until a step begins
INCUS_DIR = Path("/var/lib/incus")

# Steps of `make up` by their title, with the timing that bounds how deep inside one the kill falls, and
# how often a drill goes there: most of what can be left half done is in the stack and in the converge.
STEPS: dict[str, tuple[str, int]] = {
    "check this machine": ("machine", 1),
    "packages": ("packages:there", 1),
    "Incus": ("incus:start", 2),
    "host image": ("image:build", 2),
    "keys": ("ledger", 1),
    "networks and machines": ("stack:first", 6),
    "first contact": ("contact:first", 3),
    "converge": ("converge:first", 6),
    "smoke check": ("smoke", 1),
}
# What is damaged before the run, so that it has something to do.
WOUNDS = ("everything gone", "hosts gone", "hosts gone, daemon dead", "hosts gone, no image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Where a run is killed: `depth` 0 is the beginning of the step, 1 its expected end."""

    step: str
    depth: float
    wound: str
    seed: str

    def __str__(self) -> str:
        return f"{self.wound}, {self.step} at {self.depth:.2f}, seed {self.seed}"


def kills(count: int, seed: int) -> list[Kill]:
    """Draw the kills of a session; the same seed gives the same ones. Every third is on a boundary."""
    drawn = []
    for number in range(count):
        dice = random.Random(f"{seed}/{number}")  # noqa: S311 - chance, not secrecy
        step = dice.choices(list(STEPS), [weight for _, weight in STEPS.values()])[0]
        wound = dice.choice(WOUNDS)
        if step in ("Incus", "host image"):  # otherwise there is next to nothing to interrupt
            wound = {"Incus": WOUNDS[2], "host image": WOUNDS[3]}[step]
        depth = 0.0 if number % 3 == 0 else round(dice.random(), 2)
        drawn.append(Kill(step=step, depth=depth, wound=wound, seed=f"{seed}/{number}"))
    return drawn


# Runs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: its exit status (negative: the signal) and what it printed."""

    status: int
    output: str

    def well(self) -> str:
        """The output of a run that ended well."""
        assert self.status == 0, f"exit status {self.status}\n{self.output[-6000:]}"
        return self.output


class Run:
    """`make <target>` under way, in a process group of its own, as from another terminal."""

    def __init__(self, target: str, output: Path) -> None:
        self._output = output
        self._logs = environment.state_directory() / "logs"
        self._before = set(self._logs.glob("*.log"))
        # Neither the variables of the `make` above us nor the mark of its run go along.
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PROVINCE_RUN"))
        }
        with output.open("w") as file:
            self.process = subprocess.Popen(
                ["make", target, f"ENV={environment.name()}"],
                cwd=environment.ROOT,
                env=inherited,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ended(self) -> Ran:
        """Wait for the end."""
        try:
            status = self.process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end within {ENDS_WITHIN:.0f} s\n{self._text()[-6000:]}") from None
        return Ran(status, self._text())

    def kill(self) -> None:
        """End the whole process group at once, without a word: as the OOM killer or a power cut does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def reached(self, step: str) -> bool:
        """Wait until a step begins; False when the run ended without it."""

        def begun() -> str:
            if self.process.poll() is not None:
                return "ended"
            text = "".join(path.read_text(errors="replace") for path in self._new_logs())
            return "begun" if re.search(rf"^\S+ --- {re.escape(step)}$", text, re.MULTILINE) else ""

        return eventually(begun, within=_BEGINS_WITHIN, every=0.02) == "begun"

    def lives_for(self, seconds: float) -> bool:
        """Say whether it still runs after so many seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _new_logs(self) -> list[Path]:
        return sorted(set(self._logs.glob("*.log")) - self._before)

    def _text(self) -> str:
        return self._output.read_text(errors="replace")


def run(target: str, output: Path) -> Ran:
    """Run a target of the Makefile to its end."""
    return Run(target, output).ended()


def killed_up(step: str, depth: float, output: Path) -> bool:
    """Start `make up` and kill it there; False when it had ended before (then nothing was killed)."""
    started = Run("up", output)
    try:
        if not started.reached(step):
            return False
        return started.lives_for(depth * timings().expected(STEPS[step][0]))
    finally:
        started.kill()


# What is there, and what is left --------------------------------------------------------------------


def incus_command(*words: str) -> str:
    """Run the Incus client, as the owner of the machine would; returns what it printed."""
    done = subprocess.run(["incus", *words], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"incus {' '.join(words)}: {done.stderr.strip()}"
    return done.stdout


def incus_answers() -> bool:
    """Say whether the daemon answers."""
    try:
        client = Incus(Endpoint())
        try:
            client.request("GET", "", timeout=10)
        finally:
            client.close()
    except IncusError:
        return False
    return True


def kill_daemon() -> None:
    """End the daemon as a crash does; containers go on without it."""
    pids = incusd.daemons()
    assert pids, "no daemon runs: nothing to kill"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not set(pids) & set(incusd.daemons()), within=10)


def objects() -> list[str]:
    """Everything that carries the environment's mark, or its project's name, in any project of Incus."""
    mark, ours = f"urn:pulumi:{environment.name()}::", environment.environment().incus
    everywhere = ["/projects", "/storage-pools"]
    everywhere += [f"/{kind}?all-projects=true" for kind in ("networks", "instances", "images", "profiles")]
    found = []
    for path in everywhere:
        glue = "&" if "?" in path else "?"
        for item in json.loads(incus_command("query", f"/1.0{path}{glue}recursion=1")):
            name = str(item.get("name") or item.get("fingerprint"))
            inside = item.get("project", "") == ours.project
            if inside or mark in json.dumps(item) or name in (ours.project, ours.pool):
                found.append(f"{path.split('?')[0]}/{name}")
    return found


def left() -> list[str]:
    """What of the environment is on this machine, in and outside Incus: [] after `make down`.

    Looks with other means than those that take it away.
    """
    ours = environment.environment().incus
    found = objects() if incus_answers() else []
    found += [f"interface {name}" for _, name in socket.if_nameindex() if name.startswith(f"{ours.prefix}-")]
    mounts = Path("/proc/self/mounts").read_text()
    found += [f"mount {line.split()[1]}" for line in mounts.splitlines() if ours.project in line]
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    found += [f"rule {line.strip()}" for line in rules.splitlines() if f"{ours.prefix}-" in line]
    for pattern in (
        f"storage-pools/{ours.pool}",
        f"networks/{ours.prefix}-*",
        f"devices/{ours.project}_*",
        f"containers/{ours.project}_*",
    ):
        found += [f"folder {path}" for path in INCUS_DIR.glob(pattern)]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            served = "dnsmasq" in argv and f"--interface={ours.prefix}-" in argv
            if served or (argv.startswith("[lxc monitor]") and f" {ours.project}_" in argv):
                found.append(f"process {process.name}: {argv[:80]}")
    if environment.state_directory().exists():
        found.append(f"state {environment.state_directory()}")
    return found
