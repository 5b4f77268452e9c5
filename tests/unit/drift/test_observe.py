"""What was not looked at is told, and keeps nothing else from being looked at; repair heals what it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from province.asked import Asking
from province.cli import main
from province.drift import command, judge, repair
from province.drift.accepted import Accepted
from province.drift.command import UNSEEN, status
from province.drift.findings import ESTATE, Finding, Outcome
from province.drift.image import Manifest
from province.hosts import Host, built_hosts, load_environment, plan_for
from province.incus import IncusError
from province.ledger import STATE_DIR_VARIABLE, Ledger
from province.look import Request, Seen
from province.problems import Problem, ProblemsFoundError
from province.render.configurations import keys_as_placeholders
from province.run.progress import Progress
from province.run.timings import Timings
from tests.support.repository import ROOT

OTHER, HOST = "app-1", "ns-1"  # nothing ever ails the second
LAB = load_environment(ROOT / "inventories/lab/environment.yml")
PLAN = plan_for(LAB)
HOSTS = [host for host in built_hosts(LAB, PLAN, keys_as_placeholders(PLAN)) if host.name in (OTHER, HOST)]
IMAGE = Manifest(identity="one", files={}, packages={}, owners={}, users=(), groups={})
USER = Finding(host=HOST, kind="user", subject="m", found="there is a user m", wanted="none")
NETWORK = Finding(host=ESTATE, kind="network", subject="x", found="a network", wanted="none", healer="up")


@dataclass(kw_only=True)
class Lab:
    """What a look at two hosts and the estate comes back with; all is well unless it is said."""

    asking: dict[str, str] = field(default_factory=dict)
    planned: dict[str, Seen] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=lambda: dict.fromkeys((OTHER, HOST), "one"))
    images_fail: bool = False
    silent: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[Finding]] = field(default_factory=dict)
    estate: list[Finding] | Exception = field(default_factory=list)
    asked_of: list[str] = field(default_factory=list)
    looked_around: list[str] = field(default_factory=list)

    def requests(self, host: Host) -> tuple[list[Request], None]:
        """As `Asking.requests`."""
        if host.name in self.asking:
            what = self.asking[host.name]
            raise ProblemsFoundError(
                (Problem(code="LED-009", file="f", line=0, path="", found=what, wanted="one", remedy="up"),)
            )
        return [], None

    def look(self, asked: Mapping[str, Sequence[Request]], _: object) -> list[Seen]:
        """As `province.look.look`."""
        self.asked_of += asked
        return [self.planned.get(name) or Seen(host=name, changes={}) for name in asked]

    def identities(self, _: object) -> dict[str, str]:
        """As `province.drift.estate.identities`."""
        if self.images_fail:
            raise IncusError("no database")
        return self.images

    def look_around(self, asked: Mapping[str, Any], _: object) -> tuple[dict[str, Any], dict[str, str]]:
        """As `province.drift.look.look`."""
        self.looked_around += asked
        return {name: {} for name in asked if name not in self.silent}, {**self.silent}

    def judge(self, host: str, *_: object) -> Iterator[Finding]:
        """As `province.drift.judge.judge`."""
        yield from self.found.get(host, [])

    def look_at_estate(self, *_: object) -> list[Finding]:
        """As `province.drift.estate.look_at_estate`."""
        if isinstance(self.estate, Exception):
            raise self.estate
        return self.estate


Observe = Callable[..., Outcome]


@pytest.fixture
def observe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Observe:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path))
    Ledger.create(tmp_path / "lab")

    def observed(lab: Lab, *, estate: bool = True) -> Outcome:
        monkeypatch.setattr(Asking, "requests", lab.requests)
        monkeypatch.setattr("province.look.look", lab.look)
        monkeypatch.setattr("province.drift.estate.identities", lab.identities)
        monkeypatch.setattr("province.drift.image.manifest", lambda name: IMAGE if name == "one" else None)
        monkeypatch.setattr("province.drift.look.look", lab.look_around)
        monkeypatch.setattr("province.drift.judge.judge", lab.judge)
        monkeypatch.setattr("province.drift.estate.look_at_estate", lab.look_at_estate)
        progress = Progress(Timings(tmp_path / "timings"), None)
        return command.observe(LAB, PLAN, HOSTS, progress, estate=estate)

    return observed


def test_all_is_well_when_everything_was_looked_at(observe: Observe) -> None:
    lab = Lab()
    seen = observe(lab)
    assert (seen.findings, seen.unseen) == ((), {})
    assert sorted(lab.asked_of) == sorted(lab.looked_around) == [OTHER, HOST]


UNLOOKED = {
    "not computed": (Lab(asking={OTHER: "no key"}), "cannot be computed: LED-009 f: found no key"),
    "no answer": (Lab(planned={OTHER: Seen(host=OTHER, changes={}, error="no route")}), "no route"),
    "image unknown": (Lab(images={HOST: "one"}), "what was in its image (unknown)"),
    "image gone": (Lab(images={HOST: "one", OTHER: "old"}), "what was in its image (old)"),
    "silent": (Lab(silent={OTHER: "no answer within 240 s"}), "no answer within 240 s"),
    "in part": (Lab(found={OTHER: [judge._unknown(OTHER, "rules", "nft: denied")]}), "nft: denied"),
}


@pytest.mark.parametrize("case", UNLOOKED)
def test_a_host_that_was_not_looked_at_is_told_with_the_reason_and_the_other_is_looked_at(
    case: str, observe: Observe
) -> None:
    lab, why = UNLOOKED[case]
    lab.found[HOST] = [USER]
    seen = observe(lab)
    assert list(seen.unseen) == [OTHER]
    assert why in seen.unseen[OTHER]
    assert seen.findings == (USER,), "the other was not looked at, or what is not known is told as found"
    assert status(seen, ()) == UNSEEN


def test_without_an_answer_of_incus_no_host_counts_as_looked_at(observe: Observe) -> None:
    seen = observe(Lab(images_fail=True))
    assert set(seen.unseen) == {OTHER, HOST}
    assert all("Incus does not say what image it has" in why for why in seen.unseen.values())


@pytest.mark.parametrize(
    "failure",
    [
        IncusError("no database"),
        ProblemsFoundError(
            (Problem(code="STK-002", file="f", line=0, path="", found="a lock", wanted="none", remedy="w"),)
        ),
    ],
)
def test_an_estate_that_was_not_looked_at_is_told(failure: Exception, observe: Observe) -> None:
    seen = observe(Lab(estate=failure, found={HOST: [USER]}))
    assert list(seen.unseen) == [ESTATE]
    assert seen.findings == (USER,)
    assert status(seen, ()) == UNSEEN


def test_what_roles_would_do_what_is_there_and_the_estate_are_all_told(observe: Observe) -> None:
    rewritten = Seen(host=OTHER, changes={"ntp": ["Rewrote /etc/a."]})
    seen = observe(Lab(planned={OTHER: rewritten}, found={HOST: [USER]}, estate=[NETWORK]))
    assert {one.id for one in seen.findings} == {f"{OTHER}/file/etc/a", USER.id, NETWORK.id}


def test_the_estate_is_left_alone_when_only_hosts_are_asked_for(observe: Observe) -> None:
    assert observe(Lab(estate=[NETWORK]), estate=False).findings == ()


# Repair ---------------------------------------------------------------------------------------------


@pytest.fixture
def healed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was healed by whom, in order."""
    done: list[str] = []

    class Stack:
        changed = 1

        @classmethod
        def of(cls, *_: object, **__: object) -> Stack:
            return cls()

        def up(self) -> Stack:
            done.append("stack")
            return self

    def converge(name: str, *_: object, limit: str) -> None:
        done.append(f"{name}: {limit}")

    monkeypatch.setattr("province.lab.converge.converge", converge)
    monkeypatch.setattr("province.lab.engine.engine_root", lambda: tmp_path)
    monkeypatch.setattr("province.lab.image.cached_image", lambda: None)
    monkeypatch.setattr("province_stack.runner.Stack", Stack)
    return done


def mended(tmp_path: Path, outcome: Outcome, *accepted: Accepted) -> bool:
    progress = Progress(Timings(tmp_path / "timings"), None)
    return repair.repair(LAB, PLAN, outcome, accepted, progress)


def rewrite(host: str) -> Finding:
    return Finding(
        host=host, kind="file", subject="/etc/a", found="another content", wanted="ours", healer="converge"
    )


def test_the_stack_heals_before_hosts_and_each_only_what_is_theirs(healed: list[str], tmp_path: Path) -> None:
    found = (rewrite(OTHER), rewrite(HOST), USER, NETWORK)
    assert mended(tmp_path, Outcome(hosts=(OTHER, HOST), findings=found))
    assert healed == ["stack", f"lab: {OTHER},{HOST}"]


def test_what_only_somebody_can_mend_is_not_touched(healed: list[str], tmp_path: Path) -> None:
    assert not mended(tmp_path, Outcome(hosts=(HOST,), findings=(USER,)))
    assert healed == []


def test_what_was_accepted_is_left_as_it_is(healed: list[str], tmp_path: Path) -> None:
    ids = [rewrite(OTHER).id, NETWORK.id]
    accepted = [Accepted(id=one, reason="why", since="2026-11-23") for one in ids]
    found = (rewrite(OTHER), rewrite(HOST), NETWORK)
    assert mended(tmp_path, Outcome(hosts=(OTHER, HOST), findings=found), *accepted)
    assert healed == [f"lab: {HOST}"]


def test_a_host_that_does_not_answer_keeps_no_other_from_being_healed(
    healed: list[str], tmp_path: Path
) -> None:
    seen = Outcome(hosts=(OTHER, HOST), findings=(rewrite(OTHER), rewrite(HOST)), unseen={OTHER: "no route"})
    assert mended(tmp_path, seen)
    assert healed == [f"lab: {HOST}"]


def test_who_looks_shares_the_lock_and_who_repairs_has_it_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path))
    given: list[bool] = []

    def session(*_: object, shared: bool, **__: object) -> int:
        given.append(shared)
        return 1

    monkeypatch.setattr(command, "run_session", session)
    for words in ([], ["--repair"]):
        assert main(["drift", "lab", *words]) == UNSEEN, "what kept us from looking is no drift"
    assert given == [True, False]
