"""The benchmark of checks does not measure a side that cannot fail, or one that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks import bench_checks
from tests.benchmarks.bench_checks import Counts, Told
from tests.benchmarks.goss import MODULE
from tests.benchmarks.harness import Meter
from tests.support.claims import Claim

CLAIMS = [
    Claim("file", "/etc/a", "mode", "0644"),
    Claim("file", "/etc/b", "mode", "0600"),
    Claim("unit", "a.service", "running", True),
]


def side(monkeypatch: pytest.MonkeyPatch, *seen: str) -> list[Claim]:
    """A side that sees a wrong expectation about these only; what it was asked."""
    asked: list[Claim] = []

    def ready(told: Told) -> Callable[[], Counts]:
        def run() -> Counts:
            (claims,) = told.values()
            asked.extend(claims)
            wrong = [claim for claim in claims if claim not in CLAIMS and claim.about in seen]
            return {host: (len(claims), len(wrong)) for host in told}

        return run

    monkeypatch.setattr(bench_checks, "SIDES", {"some": (ready, "")})
    return asked


def test_each_side_is_asked_one_wrong_claim_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = side(monkeypatch, "mode", "running")
    bench_checks._prove("some", "host", CLAIMS)
    assert asked == [claim.wrong() for claim in CLAIMS[1:]]


def test_a_side_that_lets_one_pass_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    side(monkeypatch, "mode")
    with pytest.raises(RuntimeError, match=r"some takes it for true that unit a.service: running is False"):
        bench_checks._prove("some", "host", CLAIMS)


def test_a_round_in_which_something_is_not_as_declared_is_none() -> None:
    with pytest.raises(RuntimeError, match=r"ours says that not all is as declared: \{'b': 1\}"):
        bench_checks._run((lambda: {"a": (3, 0), "b": (3, 1)}, ["a", "b"]), Meter(), side="ours")


def test_a_round_tells_how_many_checks_were_made_in_a_second() -> None:
    meter = Meter()
    assert bench_checks._run((lambda: {"a": (3, 0)}, ["a"]), meter, side="ours") == {"a": (3, 0)}
    assert meter.parts["checks a second"] == pytest.approx(3 / meter.seconds)


def test_goss_is_of_the_version_that_the_page_names() -> None:
    pinned = Path(MODULE, "go.mod").read_text(encoding="utf-8")
    _, words = bench_checks.SIDES["goss"]
    assert f"\tgithub.com/goss-org/goss v{words.split()[1]} " in pinned
