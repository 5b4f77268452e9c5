"""What a unit costs by the size of the register: one that does not change, and one that joins.

Registers are as large as the country; hosts that are spoken to are those of the living lab, each in the
place of the host of the same name (the gateway of the lab's ward in that of the unit). They are asked what
there is to be done and nothing is: what they lack of a country's files is no matter of time. Who was spoken
to is read from the journals of all hosts of the lab, by the logins there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.country import COMMUNES, write_environment
from tests.support.repository import ROOT

FEW, MANY = 10, 10_000
NOW = "journalctl --unit=ssh --lines=1 --output=cat --show-cursor | sed --quiet 's/^-- cursor: //p'"
LOGINS = "journalctl --quiet --unit=ssh --after-cursor='{}' --output=cat | grep --count ^Accepted || true"


@dataclass(frozen=True, slots=True)
class Estate:
    """An environment with its plan and hosts, and what computes what is asked of them."""

    hosts: Mapping[str, Any]
    asking: Any
    environment: Any
    plan: Any

    @classmethod
    def read(cls, file: Path) -> Estate:
        """As a converge reads it; in the ledger is nothing secret."""
        from province.asked import Asking
        from province.hosts import built_hosts, load_environment, plan_for
        from province.render.configurations import keys_as_placeholders

        environment = load_environment(file)
        plan = plan_for(environment)
        keys = {**{host.name: host.name for host in plan.hosts}, **keys_as_placeholders(plan)}
        hosts = {host.name: host for host in built_hosts(environment, plan, keys)}
        return cls(hosts, Asking(environment, plan, str, str), environment, plan)

    def looked_at(self, names: Iterable[str], ask: Callable[[str, str], str]) -> list[Any]:
        """What hosts say, as a converge asks them."""
        from province.look import look

        return look({name: self.asking.requests(self.hosts[name])[0] for name in names}, ask)


def joined(record: Mapping[str, Any], file: Path) -> tuple[Estate, list[str]]:
    """The estate after a unit joined, and the hosts that it concerns."""
    from province.sources import uncollected

    with uncollected():
        estate = Estate.read(file)
        return estate, list(estate.asking.changed(estate.hosts.values(), record))


def stand_in(name: str) -> str:
    """The living host in the place of a host of the country."""
    from tests.support import environment

    if name.startswith("don-vi-"):
        return environment.only("workstation" if "-pc-" in name else "unit_gateway")
    return name


def living() -> Callable[[str, str], str]:
    """Asks the living host that stands in."""
    from province.look import by_ssh
    from tests.support import environment

    ask = by_ssh(environment.state_directory() / "ssh" / "config")
    return lambda host, program: ask(stand_in(host), program)


def _imported() -> None:
    """What must not be waited for inside the clock."""
    import province.asked
    import province.hosts
    import province.ledger
    import province.remembered  # noqa: F401 - imports are left out of the time


# One that does not change.

GATEWAY = "don-vi-00001-cpe-1"


class Ledger:
    """In which each secret is its own name."""

    def secret(self, name: str) -> bytes:
        """Its name."""
        return name.encode()

    def stamp(self, name: str) -> str:
        """Always the same."""
        return name


def _asked_of_gateway(folder: Path) -> Mapping[str, Any]:
    """As a converge with LIMIT comes to know it."""
    from province.remembered import questions

    keys = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    known = questions(
        folder / "inventories/country/environment.yml", folder / "state", [GATEWAY], Ledger(), keys
    )
    assert known, "the gateway is no host of the country"
    return {host: requests for host, (requests, _) in known.items()}


def _make_unchanged(folder: Path, size: int) -> None:
    from province.hosts import load_environment, plan_for
    from province.render.configurations import keys_as_placeholders

    plan = plan_for(load_environment(write_environment(folder, size)))
    keys = {**{host.name: host.name for host in plan.hosts}, **keys_as_placeholders(plan)}
    (folder / "keys.json").write_text(json.dumps(keys), encoding="utf-8")


def _prepare_unchanged(folder: Path, size: int) -> Path:
    del size
    _imported()
    _asked_of_gateway(folder)
    return folder


def _prepare_elsewhere(folder: Path, size: int) -> Path:
    del size
    _imported()
    # Nothing is known any more once a file has changed, whichever: this is what it comes to.
    shutil.rmtree(folder / "state", ignore_errors=True)
    return folder


def _run_unchanged(folder: Path, meter: Meter) -> list[Any]:
    from province.look import look

    ask = living()
    with meter.whole():
        with meter.part("what is asked"):
            asked = _asked_of_gateway(folder)
        with meter.part("the host's answer"):
            return look(asked, ask)


def _content_unchanged(seen: list[Any]) -> list[Any]:
    """The host answered, and of every role that it was asked."""
    return [[one.host, one.error, bool(one.changes)] for one in seen]


# One that joins.


def _make_joining(folder: Path, size: int) -> None:
    from dataclasses import asdict

    before = Estate.read(write_environment(folder / "before", size - 1))
    record = {host.name: asdict(before.asking.requests(host)[1]) for host in before.hosts.values()}
    (folder / "asked.json").write_text(json.dumps(record), encoding="utf-8")
    write_environment(folder / "after", size)


def _prepare_joining(folder: Path, size: int) -> Path:
    del size
    _imported()
    return folder


def _run_joining(folder: Path, meter: Meter) -> dict[str, Any]:
    from province.asked import known
    from tests.support import environment
    from tests.support.places import batch, batch_all, machine

    everybody = environment.ours()
    # Logins of these connections are before what is noted here.
    before = {host: said["now"].strip() for host, said in batch_all(everybody, {"now": NOW}).items()}
    ask = living()
    with meter.whole():
        with meter.part("who is concerned"):
            estate, concerned = joined(known(folder), folder / "after/inventories/country/environment.yml")
        with meter.part("their answers"):
            seen = estate.looked_at(concerned, ask)
        spoken_to = sorted({stand_in(name) for name in concerned})
        with meter.part("the playbook for them"):
            _laid_down(spoken_to)
    reached = sorted(
        host
        for host in everybody
        if int(batch(machine(host), {"logins": LOGINS.format(before[host])})["logins"].checked())
    )
    assert reached == spoken_to, (reached, spoken_to)
    assert not [one.error for one in seen if one.error]
    meter.parts["machines spoken to"] = float(len(reached))
    return {"spoken to": reached}


def _laid_down(hosts: list[str]) -> None:
    """Every task of every role on living hosts, which are as declared: what Ansible costs for so many."""
    from tests.support import environment

    program = Path(sys.executable).parent / "province"
    command: list[Any] = [program, "converge", environment.name(), "--no-look", "--limit", ",".join(hosts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    if done.returncode or "nothing to change" not in done.stdout:
        raise RuntimeError(f"{done.stdout[-1000:]}{done.stderr[-1000:]}")


def _side(words: str, **parts: Any) -> tuple[Side, ...]:
    return (Side(name="ours", words=words, **parts),)


def _at_most(claim: str, small: int, large: int) -> Bound:
    figure = Figure(side="ours", size=large)
    return Bound(claim=claim, figure=figure, over=replace(figure, size=small), most=1.2)


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="unchanged-unit",
        title="A converge of a unit's gateway, with 10 and with 10,000 units in the register",
        sides=(
            Side(
                name="ours",
                words="nothing has changed since it was last asked: every file that its question is made "
                "from is read and compared, then its answer by one ssh",
                prepare=_prepare_unchanged,
                run=_run_unchanged,
                content=_content_unchanged,
            ),
            Side(
                name="elsewhere",
                words="something has changed, but not for it: register read and checked, plan made, what is "
                "asked of the gateway, its answer by one ssh",
                prepare=_prepare_elsewhere,
                run=_run_unchanged,
                content=_content_unchanged,
            ),
        ),
        sizes=(FEW, MANY),
        tiny=3,
        needs="lab",
        make=_make_unchanged,
        bounds=(_at_most("one unchanged unit among 10,000 in the register, to one among 10", FEW, MANY),),
    ),
    Benchmark(
        name="onboarding",
        title="A unit joins, as one of 10 and as one of 3,321",
        sides=_side(
            "register, plan, who is concerned, their answers, and the playbook for as many living hosts, "
            "which are as declared; the same hosts at both sizes, and nobody else was logged in to",
            prepare=_prepare_joining,
            run=_run_joining,
            content=lambda made: made,
        ),
        sizes=(FEW, COMMUNES),
        tiny=3,
        needs="lab",
        make=_make_joining,
        bounds=(_at_most("a unit joins 3,320 others, to one that joins 9", FEW, COMMUNES),),
    ),
)
