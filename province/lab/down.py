"""`make down`: takes an environment away from this machine, whatever state it is in, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from province.hosts import Environment, load_environment, plan_for
from province.incus import Endpoint, Incus
from province.lab import incusd, kernel, machine, sweep
from province.lab.engine import engine_root
from province.lab.places import environment_file, reach_stack
from province.lab.up import no_longer_complete
from province.ledger import state_dir
from province.problems import ProblemsFoundError
from province.run.failure import fail
from province.run.progress import Progress, Running, Step
from province.run.session import run_session


def down(name: str) -> int:
    """Take an environment away; returns the exit status."""
    environment = load_environment(environment_file(name))
    command = "make down" if name == "lab" else f"make down ENV={name}"
    return run_session(command, lambda progress: work(environment, progress), state=state_dir(name))


def work(environment: Environment, progress: Progress) -> int:
    """Do all steps of `down` under the environment's lock."""
    if environment.provider != "incus" or not environment.incus.endpoint.startswith("unix"):
        raise fail(
            tried=f"take {environment.name} away",
            where=str(environment_file(environment.name)),
            came_back="it is no lab of this machine: its hosts are elsewhere, and somebody may live in them",
            next_command="take its hosts away where they are",
        )
    ours = sweep.Ours(
        environment=environment.name,
        project=environment.incus.project,
        pool=environment.incus.pool,
        prefix=environment.incus.prefix,
    )
    steps = [
        Step("incus:there", "Incus"),
        Step("destroy", "machines and networks"),
        Step("sweep", "left-overs"),
    ]
    progress.expect(steps)
    no_longer_complete(environment.name)
    with progress.step("incus:there") as running:
        reachable = _reach(progress, running)
    if reachable:
        with progress.step("destroy") as running:
            running.done(_destroy(environment, progress, running))
    with progress.step("sweep") as running:
        gone = _sweep(ours, progress, running) if reachable else sweep.sweep_machine(ours, [])
        for line in gone:
            progress.log(f"removed {line}")
        running.done(f"{len(gone)} removed" if gone else "nothing left")
        kernel.put_back()
    _say_packages(progress)
    _forget(state_dir(environment.name))
    return 0


def _reach(progress: Progress, running: Running) -> bool:
    """Have a daemon to ask; False where Incus is not installed (then there is nothing in it)."""
    if machine.missing_packages([need for need in machine.NEEDS if need.package == "incus-base"]):
        running.done("is not installed")
        return False
    if not incusd.answers() and not (sweep.INCUS_DIR / "database").is_dir():
        running.done("was never started")
        return False
    incusd.ensure(progress, running)
    return True


def _destroy(environment: Environment, progress: Progress, running: Running) -> str:
    """Let the stack destroy what it made. Where it cannot, the sweep does the same by the marks."""
    engine = engine_root()
    if engine is None or not (state_dir(environment.name) / "pulumi").is_dir():
        return "no state of a stack"
    reach_stack()
    from province_stack.runner import Stack

    try:
        stack = Stack.of(environment, plan_for(environment), None, engine=engine, progress=running.now)
        result = stack.destroy()
    except ProblemsFoundError as problems:
        progress.log(str(problems))
        return "the stack could not; swept instead"
    return f"{result.changed} objects removed"


def _sweep(ours: sweep.Ours, progress: Progress, running: Running) -> list[str]:
    """Take away what is still there; the daemon too, when it was started here and holds nothing more."""
    incus = Incus(Endpoint())
    try:
        gone = sweep.sweep_incus(incus, ours)
        contents = sweep.look(incus, ours)
        idle = sweep.only_defaults(incus)
    finally:
        incus.close()
    started = incusd.started_by_us()
    if started is not None and idle:
        running.now("stop the daemon that was started here")
        incusd.stop(started, progress)
        gone.append("the Incus daemon that was started here")
    gone += sweep.sweep_machine(ours, [item.name for item in contents.networks])
    if ours.pool not in [item.name for item in contents.pools]:
        gone += sweep.sweep_folders(ours)
    return gone


def _forget(state: Path) -> None:
    """Remove the state, its lock last of all: whoever waits for it locks a new one."""
    shutil.rmtree(state, ignore_errors=True)
    with suppress(OSError):  # other environments live there
        state.parent.rmdir()


def _say_packages(progress: Progress) -> None:
    names = machine.installed_by_us()
    if not names:
        progress.say("No package on this machine was installed from here.")
        return
    progress.say(f"{len(names)} packages were installed from here and stay; to remove them:")
    progress.say(f"  apt-get purge {' '.join(names)}")
    if machine.BACKPORTS_LIST.is_file():
        progress.say(f"  rm {machine.BACKPORTS_LIST}")
