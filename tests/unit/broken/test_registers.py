"""Ten thousand broken registers: none that breaks a rule is accepted, each is refused in words that help.

The registers are the real ones. Whether a mutant breaks a rule, which and where, says an oracle that knows
nothing of the checks (tests/support/broken); both must agree, in both directions. The same seed gives
the same mutants: PROVINCE_MUTATIONS_SEED draws others, PROVINCE_MUTATIONS multiplies their number.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from province.sources import Sources, load_sources
from tests.support.broken import mutants, texts
from tests.support.broken.oracle import Facts, facts, faults
from tests.support.broken.registers import REAL, SLICES, lay, slice_of, slice_text, whole, written
from tests.support.broken.verdicts import (
    OF_THE_FILE,
    ask,
    matched,
    nobody_shares,
    same_as_read,
    well_said,
)
from tests.support.broken.verdicts import (
    place as place_of,
)
from tests.support.repository import ROOT

SEED = int(os.environ.get("PROVINCE_MUTATIONS_SEED", "20250701"))
TIMES = int(os.environ.get("PROVINCE_MUTATIONS", "1"))
# How many mutants of which sort, of each real register.
EACH = {"data": 2_400, "text": 834, "whole": 100}


@dataclass
class Tally:
    """What was run, and what came of it."""

    run: int = 0
    accepted: int = 0
    refused: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def count(self, codes: frozenset[str], changes: list[str], *, accepted: bool) -> None:
        """One more."""
        self.run += 1
        self.accepted += accepted
        self.refused += not accepted
        self.codes.update(codes)
        self.changes.update(changes)


TALLIES: dict[str, Tally] = {}
VALUES = st.one_of(
    st.sampled_from(mutants.ANY),
    st.sampled_from(mutants.ANY),
    st.text(max_size=6),
    st.integers(-(10**6), 10**6),
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(list(mutants.DATA)), st.integers(0, 9999), st.integers(0, 9999), VALUES),
    min_size=1,
    max_size=4,
)


def drawn(number: int, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As many examples as are asked for: the same ones every time, others for each register."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        chosen = settings(
            max_examples=number * TIMES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        return chosen(seed(SEED + REAL.index(name))(function))

    return decorate


@pytest.fixture(scope="module")
def common() -> Sources:
    """The catalogue and the applications, read once."""
    return load_sources(ROOT / "inventories/registers/dien-bien")


@pytest.fixture(scope="module")
def known() -> Facts:
    return facts(ROOT)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "inventories/registers"


@pytest.mark.parametrize("name", REAL)
def test_the_real_registers_are_sound_for_both(name: str, common: Sources, known: Facts) -> None:
    folder = ROOT / "inventories/registers" / name
    files = whole(name)
    assert faults(files, folder.name, known) == []
    answer = ask(folder, common)
    assert answer.problems == ()
    assert answer.register
    same_as_read(answer.register, files)


def hold(
    files: dict[str, Any], folder: Path, before: dict[str, str | bytes], common: Sources, known: Facts
) -> tuple[frozenset[str], bool]:
    """Lay a register down, ask for it, compare with the oracle; its codes, and whether it was accepted."""
    made = {file: written(data) for file, data in files.items()}
    texts: dict[str, str | bytes] = {file: one.text for file, one in made.items()}
    lay(folder, texts, before)
    before.clear()
    before.update(texts)
    answer = ask(folder, common)
    found = faults(files, folder.name, known)
    for problem in answer.problems:
        well_said(problem, folder, texts)
    matched(answer, found, folder, made)
    if answer.register is None:
        return answer.codes, False
    assert answer.plan
    same_as_read(answer.register, files)
    nobody_shares(answer.plan)
    return frozenset(), True


def run_data(
    label: str,
    number: int,
    base: Callable[[int], dict[str, Any]],
    folder: Path,
    common: Sources,
    known: Facts,
) -> None:
    """Change data and compare, as often as asked."""
    tally = TALLIES.setdefault(label, Tally())
    before: dict[str, str | bytes] = {}

    @drawn(number, folder.name)
    @given(start=st.integers(0, 99), changes=CHANGES)
    def mutate(start: int, changes: list[tuple[str, int, int, Any]]) -> None:
        files = base(start)
        for change, a, b, value in changes:
            mutants.DATA[change](files, a, b, deepcopy(value))
        codes, accepted = hold(files, folder, before, common, known)
        tally.count(codes, [change for change, *_ in changes], accepted=accepted)

    started(mutate)


def started(mutate: Callable[..., None]) -> None:
    """Run, and say with which seed where it fails."""
    try:
        mutate()
    except BaseException as error:
        error.add_note(f"PROVINCE_MUTATIONS_SEED={SEED}")
        raise


@pytest.mark.parametrize("name", REAL)
def test_changed_data_are_refused_exactly_when_they_break_a_rule(
    name: str, place: Path, common: Sources, known: Facts
) -> None:
    run_data(
        f"data of {name}", EACH["data"], lambda start: slice_of(name, start), place / name, common, known
    )


@pytest.mark.parametrize("name", REAL)
def test_changed_data_of_a_whole_register_are_refused_exactly_when_they_break_a_rule(
    name: str, place: Path, common: Sources, known: Facts
) -> None:
    run_data(f"whole of {name}", EACH["whole"], lambda _: whole(name), place / name, common, known)


def hold_text(
    name: str, start: int, file: str, raw: bytes, folder: Path, before: dict[str, str | bytes],
    common: Sources, known: Facts,
) -> tuple[frozenset[str], bool]:  # fmt: skip
    """Lay a register down with one file's text changed; the same as `hold`."""
    laid: dict[str, str | bytes] = {**dict(slice_text(name, start)), file: raw}
    lay(folder, laid, before)
    before.clear()
    before.update(laid)
    answer = ask(folder, common)
    for problem in answer.problems:
        well_said(problem, folder, laid)
    of_the_file = {p.code for p in answer.problems if place_of(p, folder) == file} & OF_THE_FILE
    refused = ""
    try:
        data = texts.reference(raw)
        doubt = texts.doubtful(raw)
    except texts.NotReadError as reason:
        refused = str(reason)
    if refused:
        # A key that is no text for the other reader is a field that there is not for us.
        told = of_the_file or (refused == "key" and any(place_of(p, folder) == file for p in answer.problems))
        assert told, f"accepted, or not told of, what is not read: {refused} {answer.problems}"
        return answer.codes, False
    files = {**slice_of(name, start), file: data}
    found = faults(files, folder.name, known, blocks=True)
    if doubt == "must":
        assert of_the_file, answer.problems
    elif doubt and of_the_file:
        assert of_the_file == {"REG-019"}
    elif of_the_file - {"REG-007", "REG-009", "REG-019"}:
        # Each reader has corners of its own; what is refused as no YAML is not taken for anything else.
        assert of_the_file <= {"REG-003", "REG-004"}
    else:
        matched(answer, found, folder)
    if answer.register is None:
        return answer.codes, False
    assert answer.plan
    assert not [fault for fault in found if not fault.may]
    same_as_read(answer.register, files)
    return frozenset(), True


TEXT_CHANGES = st.lists(
    st.tuples(st.sampled_from(list(texts.TEXTS)), st.integers(0, 9999), st.integers(0, 9999)),
    min_size=1,
    max_size=2,
)


@pytest.mark.parametrize("name", REAL)
def test_changed_text_is_refused_or_read_as_another_reader_reads_it(
    name: str, place: Path, common: Sources, known: Facts
) -> None:
    tally = TALLIES.setdefault(f"text of {name}", Tally())
    before: dict[str, str | bytes] = {}
    folder = place / name

    @drawn(EACH["text"], name)
    @given(start=st.integers(0, SLICES - 1), which=st.integers(0, 9), changes=TEXT_CHANGES)
    def mutate(start: int, which: int, changes: list[tuple[str, int, int]]) -> None:
        file, text = mutants.pick(slice_text(name, start), which)
        for change, a, b in changes:
            changed = texts.TEXTS[change](text, a, b)
            text = changed if isinstance(changed, str) else ""
            if not isinstance(changed, str):
                break
        raw = changed if isinstance(changed, bytes) else changed.encode()
        codes, accepted = hold_text(name, start, file, raw, folder, before, common, known)
        tally.count(codes, [change for change, *_ in changes], accepted=accepted)

    started(mutate)


# Codes that a change of data or text can lead to, and how often each has to be met in a run. What needs a
# file of many megabytes, or no file, is tested by itself (test_special_files.py).
LEAST = 12
CODES = {f"REG-{number:03}" for number in (*range(2, 15), 16, 17, 18, 19, *range(20, 43))}


def test_ten_thousand_were_run_and_every_rule_was_broken_often_enough() -> None:
    """Counts what the tests above have run in this process: none of them is left out or runs empty."""
    wanted = {f"{sort} of {name}": number * TIMES for sort, number in EACH.items() for name in REAL}
    assert set(TALLIES) == set(wanted), "run the whole file: this test counts what the others did"
    short = {label: tally.run for label, tally in TALLIES.items() if tally.run < wanted[label]}
    assert short == {}
    total = Tally()
    for tally in TALLIES.values():
        assert tally.run == tally.accepted + tally.refused
        total.run += tally.run
        total.accepted += tally.accepted
        total.refused += tally.refused
        total.codes.update(tally.codes)
        total.changes.update(tally.changes)
    sys.stdout.write(
        f"{total.run} mutants: {total.accepted} accepted, {total.refused} refused; seed {SEED}\n"
        f"codes: {dict(sorted(total.codes.items()))}\nchanges: {dict(sorted(total.changes.items()))}\n"
    )
    assert total.run >= 10_000
    # Neither side is empty: sound registers are let in, broken ones are not.
    assert total.accepted >= total.run // 20
    assert total.refused >= total.run // 2
    assert {code: total.codes[code] for code in CODES if total.codes[code] < LEAST} == {}
    never = {change for change in (*mutants.DATA, *texts.TEXTS) if total.changes[change] < LEAST}
    assert never == set()
