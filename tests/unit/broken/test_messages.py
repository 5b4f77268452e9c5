"""Every problem that the product can say is pinned in a golden file and listed in docs/reference/problems.md.

PROVINCE_UPDATE_GOLDEN=1 rewrites the page: review the diff.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.support.broken import codes
from tests.support.broken.golden import PROBLEMS, UPDATE
from tests.support.broken.meanings import MEANINGS
from tests.support.repository import ROOT
from tests.unit.broken.test_every_file import CASES

PAGE = ROOT / "docs/reference/problems.md"
FROM_HERE = {f"{reader}-{case}" for reader, case, _ in CASES}


def test_every_code_of_the_sources_is_shown_in_a_golden_file_and_no_other() -> None:
    in_sources, shown = codes.in_the_sources(), set(codes.shown())
    assert sorted(in_sources - shown) == [], "no golden file shows these codes"
    assert sorted(shown - in_sources) == [], "no source says these codes any more"


def test_every_family_of_codes_is_described() -> None:
    assert {code[:3] for code in codes.in_the_sources()} == set(codes.FAMILIES)


def test_every_code_has_a_meaning_and_every_meaning_a_code() -> None:
    assert sorted(codes.in_the_sources()) == sorted(MEANINGS)


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_a_message_says_where_what_was_found_and_wanted_and_what_to_do(code: str) -> None:
    lines = codes.shown().get(code, [])
    assert lines
    for line in lines:
        place, found, wanted, remedy = codes.parts(line)
        assert place
        assert found
        assert wanted
        assert re.fullmatch(r"\S.*\.", remedy), line
        assert not re.search(r"Traceback|object at 0x|\bNone\b", line), line
    assert MEANINGS[code].endswith(".")


def test_a_message_about_what_a_file_holds_names_its_line() -> None:
    """Only what is not there, is empty, or has no lines at all is told without one."""
    for code, lines in codes.shown().items():
        if code[:3] in ("REG", "CAT", "APP", "ENV", "DIV"):
            for line in lines:
                numbered = re.match(r"[A-Z]{3}-\d{3} \S+:\d+ ?", line)
                assert numbered or code[4:] in ("001", "006") or " found nothing;" in line, line


def page() -> str:
    """The reference page: each code with its meaning and its first golden line."""
    lines = [
        "# Problems",
        "",
        "What the commands say when something is wrong. A problem has a code that stays, a place (file,",
        "line, path inside the file), what was found, what was wanted, and what to do; with",
        "`--format json`, `province check` gives the same as data. The status is 1 then.",
        "",
        "The examples are lines of the golden files of the tests (`tests/unit/*/problems`): each of those",
        "files is a test of its own, and no code of the sources is without one.",
    ]
    shown = codes.shown()
    for family, about in codes.FAMILIES.items():
        lines += ["", f"## {family}", "", f"{about}."]
        for code in sorted(code for code in MEANINGS if code.startswith(family)):
            place, found, wanted, remedy = codes.parts(shown[code][0])
            lines += ["", f"### {code}", "", MEANINGS[code], ""]
            lines += ["```text", f"{code} {place}: found {found}; wanted {wanted}.", "```", ""]
            lines += [f"To do: {remedy}"]
    return "\n".join(lines) + "\n"


def test_the_reference_page_is_made_of_the_golden_files() -> None:
    if os.environ.get(UPDATE):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


def test_no_golden_file_is_left_over() -> None:
    cases = [PROBLEMS.parent / name for name in ("test_operations.py", "test_drift.py")]
    text = "\n".join(case.read_text(encoding="utf-8") for case in cases)
    named = set(re.findall(r'"([a-z0-9-]+)"', text))
    assert sorted({path.stem for path in PROBLEMS.iterdir()} - FROM_HERE - named) == []
