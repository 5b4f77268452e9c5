"""`province drawing`: what it prints, writes and refuses.

What it says is pinned in problems/<case>.txt; PROVINCE_UPDATE_GOLDEN=1 rewrites them: review the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from province.cli import main
from tests.support.drawings import faults, read
from tests.support.repository import ROOT

REGISTER = "inventories/registers/dien-bien"
GOLDEN = Path(__file__).parent / "problems"
UNIT = "phuong-dien-bien-phu"
REFUSED = {
    "unit-without-its-name": ["--of", "unit"],
    "name-without-a-unit": ["--of", "centre", "--unit", UNIT],
    "unknown-unit": ["--of", "unit", "--unit", "phuong-dien-bien-pho"],
    "closed-unit": ["--of", "unit", "--unit", "xa-hai"],
    "no-such-sheet": ["--of", "province", "--page", "9"],
    "nowhere-to-write": ["--of", "province", "--out", "README.md/x.svg"],
}


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("of", ["province", "centre", "unit"])
@pytest.mark.parametrize("view", ["logical", "physical"])
def test_a_drawing_is_printed_or_written(
    of: str, view: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["drawing", REGISTER, "--of", of, "--view", view, *(["--unit", UNIT] if of == "unit" else [])]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert faults(read(printed.out)) == []
    assert main([*command, "--out", str(tmp_path / "new" / "a.svg")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((tmp_path / "new").iterdir()) == sorted(written)
    assert written[0].read_text(encoding="utf-8") == printed.out
    assert (f"of {len(written)}" in printed.err) == (len(written) > 1)
    for number, path in enumerate(written, start=1):
        assert path.name == ("a.svg" if number == 1 else f"a-{number}.svg")
        assert main([*command, "--page", str(number)]) == 0
        assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_the_title_block_says_what_it_was_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drawing", REGISTER, "--of", "centre", "--view", "physical", "--source", "1a2b3c4"]) == 0
    assert "1a2b3c4" in read(capsys.readouterr().out).words


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_in_these_words(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register = REGISTER
    if case == "closed-unit":
        text = (ROOT / "tests/unit/register/base/units/all.yml").read_text(encoding="utf-8")
        register = str(closed(tmp_path, text))
    assert main(["drawing", register, "--view", "logical", *REFUSED[case]]) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    words = heard.err.replace(f"{tmp_path}/", "")
    golden = GOLDEN / f"{case}.txt"
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def closed(folder: Path, text: str) -> Path:
    """The small register with its unit xa-hai closed."""
    place = folder / "base"
    (place / "units").mkdir(parents=True)
    base = ROOT / "tests/unit/register/base/province.yml"
    (place / "province.yml").write_bytes(base.read_bytes())
    head, found, tail = text.partition("  - id: xa-hai\n")
    assert found
    record, rest = re.match(r"(.*?)(\n  - .*|\Z)", tail, re.DOTALL).groups()  # type: ignore[union-attr] # it matches anything
    record = record.replace("state: planned", "state: closed\n    closed: 2026-07-01")
    (place / "units/all.yml").write_text(head + found + record + rest, encoding="utf-8")
    return place


def test_no_golden_message_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(REFUSED)


def test_every_code_of_the_command_is_pinned_by_a_case() -> None:
    source = (ROOT / "province/draw.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'"(00\d)"', source))
    said = {path.read_text(encoding="utf-8").partition(" ")[0] for path in GOLDEN.iterdir()}
    assert said == {f"DRW-{code}" for code in codes}
