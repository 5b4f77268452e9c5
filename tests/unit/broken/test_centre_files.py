"""A thousand broken catalogues, applications and environments: refused in words that help, or planned.

The files are the real ones, changed anywhere in their data. What breaks a rule says a second reading of the
rules (tests/support/broken); applications have a published schema, which is taken for it. The same seed gives
the same mutants: PROVINCE_MUTATIONS_SEED draws others.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from province.hosts import load_environment, plan_for
from province.problems import Problem, ProblemsFoundError
from tests.support.broken import centre, mutants
from tests.support.broken.registers import written
from tests.support.broken.verdicts import nobody_shares
from tests.support.repository import ROOT

SEED = int(os.environ.get("PROVINCE_MUTATIONS_SEED", "20250701"))
EACH = 125
RUN: Counter[str] = Counter()
ROLES = frozenset(path.parents[1].name for path in (ROOT / "roles").glob("*/meta/main.yml"))
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(0, 9999),
        st.integers(0, 9999),
        st.one_of(st.sampled_from(mutants.ANY), st.text(max_size=4), st.integers(-300, 70_000)),
    ),
    min_size=1,
    max_size=2,
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return centre.tree(tmp_path_factory.mktemp("centre"))


@pytest.fixture(scope="module")
def sound(tree: Path) -> dict[str, Any]:
    return {name: centre.read(tree, name) for name in centre.FILES}


def by_schema(record: Any) -> list[str]:
    """What the published contract says of an application."""
    schema = json.loads((ROOT / "docs/reference/app.schema.json").read_text(encoding="utf-8"))
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(record)]


def told_well(problem: Problem, tree: Path) -> None:
    """A message names a file that is there, its line, what was wanted and what to do."""
    words = str(problem)
    assert "\n" not in words
    assert len(words) < 3_000
    assert Path(problem.file).is_relative_to(tree)
    assert Path(problem.file).is_file()
    assert 1 <= problem.line <= Path(problem.file).read_text(encoding="utf-8").count("\n") + 1, words
    assert problem.found
    assert problem.wanted
    assert problem.remedy.endswith("."), words


def refused_or_planned(tree: Path) -> tuple[Problem, ...]:
    """The problems; none where there is a plan, in which nobody shares anything."""
    try:
        plan = plan_for(load_environment(tree / centre.FILES["environment"]))
    except ProblemsFoundError as error:
        return error.problems
    nobody_shares(plan)
    return ()


def test_the_real_files_are_sound_for_both(tree: Path, sound: dict[str, Any]) -> None:
    assert [wrong for name in centre.FILES for wrong in centre.broken(sound, name, ROLES)] == []
    assert by_schema(sound["app"]) == []
    assert plan_for(load_environment(tree / centre.FILES["environment"]))


@pytest.mark.parametrize("name", centre.FILES)
def test_a_changed_file_is_refused_when_it_breaks_a_rule_and_planned_otherwise(
    name: str, tree: Path, sound: dict[str, Any]
) -> None:
    file = tree / centre.FILES[name]

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @seed(SEED)
    @given(changes=CHANGES)
    def mutate(changes: list[tuple[int, int, int, Any]]) -> None:
        data = {**sound, name: deepcopy(sound[name])}
        for how, a, b, value in changes:
            centre.change(data[name], how, a, b, value)
        file.write_text(written(data[name]).text, encoding="utf-8")
        wrong = centre.broken(data, name, ROLES) or (by_schema(data[name]) if name == "app" else [])
        RUN[name] += 1
        problems = refused_or_planned(tree)
        RUN["refused" if problems else "accepted"] += 1
        assert problems or not wrong, f"accepted: {wrong}"
        for problem in problems:
            told_well(problem, tree)
        # What a plan, a register or an environment needs of the catalogue, applications of each other.
        beyond = {"environment": {"PLN"}}.get(name, {"REG", "PLN", "APP", "ENV"})
        codes = {problem.code for problem in problems}
        assert wrong or not codes or {code[:3] for code in codes} & beyond or DEEPER & codes, problems

    before = file.read_bytes()
    try:
        mutate()
    except BaseException as error:
        error.add_note(f"PROVINCE_MUTATIONS_SEED={SEED}")
        raise
    finally:
        file.write_bytes(before)


# Rules of the catalogue that the second reading leaves to tests of their own: reach of places, numbers that
# readers take for text.
DEEPER = {"CAT-024", "CAT-025", "CAT-019", "ENV-019", "APP-019"}


def test_a_thousand_were_run() -> None:
    """Counts what the tests above have run in this process."""
    assert {name: RUN[name] >= EACH for name in centre.FILES} == dict.fromkeys(centre.FILES, True)
    assert RUN["refused"] + RUN["accepted"] >= 1_000
    assert RUN["accepted"] >= 50
