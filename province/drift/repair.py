"""Lets our own tools put right what they can: a converge of the hosts concerned, the stack. No more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from province.drift.accepted import Accepted
from province.drift.findings import Outcome
from province.run.progress import Progress

if TYPE_CHECKING:
    from province.hosts import Environment
    from province.plan.model import Plan


def repair(
    environment: Environment, plan: Plan, outcome: Outcome, accepted: Sequence[Accepted], progress: Progress
) -> bool:
    """Heal what was found and not accepted; says whether anything was tried."""
    from province.lab.converge import converge
    from province.lab.engine import engine_root
    from province.lab.image import cached_image
    from province.lab.places import reach_stack

    ids = {one.id for one in accepted}
    wanted = [one for one in outcome.findings if one.id not in ids]
    engine = engine_root()
    tried = False
    if engine is not None and any(one.healer == "up" for one in wanted):
        with progress.step("drift:up", "machines and networks") as running:
            reach_stack()
            from province_stack.runner import Stack

            done = Stack.of(environment, plan, cached_image(), engine=engine, progress=running.now).up()
            running.done(f"{done.changed} changed")
            tried = True
    # A host that was not reached stops the others: it is left out, and told.
    hosts = sorted({one.host for one in wanted if one.healer == "converge"} - set(outcome.unseen))
    if hosts:
        with progress.step("drift:converge", "converge") as running:
            converge(environment.name, progress, running, limit=",".join(hosts))
            tried = True
    return tried
