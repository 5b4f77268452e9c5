"""No label overlaps another, leaves its box or lies on a line, whatever a province is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netaddr import IPNetwork

from province.drawings import VIEWS, drawing, drawings
from province.drawings.sheet import PATTERNS, SIZES, Line, Sheet
from province.drawings.text import ELLIPSIS, shorten, width, wrap
from province.drawings.widths import BOLD, REGULAR
from province.drawings.words import LOOKS
from province.plan.model import Plan, PlannedUnit, Zone
from province.sources import Sources, load_sources
from tests.support.country import COMMUNES, write_country
from tests.support.drawings import faults, read
from tests.unit.drawings.conftest import LONG_ID, LONG_NAME, REGISTERS, committed

# Letters that names may hold (REG-017), and signs that XML cares for.
LETTERS = "".join(sorted(set("".join(BOLD.values()) + "&<>'\"")))
NAMES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=200)


def wrong(made: dict[str, str]) -> dict[str, list[str]]:
    """What is wrong with each drawing that is not right."""
    assert made
    found = {path: faults(read(svg)) for path, svg in made.items()}
    return {path: listed for path, listed in found.items() if listed}


def sheets(sources: Sources, plan: Plan, unit: str) -> dict[str, str]:
    """Both drawings of a unit."""
    return {
        f"{view}-{number}": svg
        for view in VIEWS
        for number, svg in enumerate(
            drawing(plan, sources.register, sources.catalogue, "unit", view, unit=unit)
        )
    }


def with_unit(plan: Plan, changed: PlannedUnit) -> Plan:
    """The plan with one unit changed."""
    return replace(plan, units=tuple(changed if unit.id == changed.id else unit for unit in plan.units))


@pytest.mark.parametrize("register", REGISTERS)
def test_no_label_of_a_committed_province_overlaps_or_leaves_its_box(register: str) -> None:
    sources = committed(register)
    plan = sources.plan()
    made = drawings(plan, sources.register, sources.catalogue, "a source")
    assert len(made) >= 4 + 2 * sum(unit.state != "closed" for unit in plan.units)
    assert wrong(made) == {}


def test_no_label_of_a_hard_province_overlaps_or_leaves_its_box(hard: Sources) -> None:
    plan = hard.plan()
    made = drawings(plan, hard.register, hard.catalogue, "W" * 300)
    assert f"units/{LONG_ID}-logical.svg" in made
    assert wrong(made) == {}
    assert LONG_NAME in read(made[f"units/{LONG_ID}-logical.svg"]).words


def test_three_thousand_units_are_drawn_on_many_sheets_of_a3(tmp_path: Path) -> None:
    write_country(tmp_path / "country")
    sources = load_sources(tmp_path / "country")
    plan = sources.plan()
    assert len(plan.units) == COMMUNES
    made = drawings(plan, sources.register, sources.catalogue, units=False)
    assert wrong(made) == {}
    for view in VIEWS:
        sheets = [svg for path, svg in made.items() if path.startswith(f"province-{view}")]
        assert 20 < len(sheets) < 60
        assert {svg.partition('width="')[2][:3] for svg in sheets} == {"420"}
        shown = Counter(area.name for svg in sheets for area, _ in read(svg).labels)
        lines = [segment for segment in plan.segments if segment.id.endswith("-wan")]
        wanted = (
            [unit.prefix4 for unit in plan.units if unit.state != "closed"]
            if view == "logical"
            else [line.network4 for line in lines if line.owner == "carrier" and "hub" not in line.id]
        )
        assert [str(network) for network in wanted if shown[str(network)] != 1] == []


@pytest.mark.parametrize("count", [1, 31, 60])
def test_a_unit_of_many_networks_is_drawn_on_larger_paper(count: int) -> None:
    sources = committed("dien-bien")
    plan = sources.plan()
    unit = plan.units[0]
    zones = list(Zone)
    long = [IPNetwork(f"fdfd:1475:4910:{number + 4096:x}::/64") for number in range(count)]
    segments = tuple(
        replace(
            unit.segments[0],
            id=f"{unit.id}/s{number}",
            name=f"segment-with-a-long-name-{number}",
            vlan=number + 1,
            zone=zones[number % len(zones)],
            network6=network6,
        )
        for number, network6 in enumerate(long)
    )
    changed = with_unit(plan, replace(unit, segments=segments))
    changed = replace(changed, segments=(*plan.segments, *segments))
    made = sheets(sources, changed, unit.id)
    assert wrong(made) == {}
    for svg in made.values():
        assert [str(network) for network in long if str(network) not in flat(read(svg).words)] == []
    sizes = {re.search(r'width="(\d+)mm"', svg).group(1) for svg in made.values()}  # type: ignore[union-attr] # it is there
    assert sizes == {"297"} if count == 1 else "297" not in sizes


def flat(words: str) -> str:
    """Words without the places where lines were broken."""
    return re.sub(r"\s+", "", words)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=NAMES, code=st.text(st.sampled_from("W-.9"), min_size=1, max_size=30), province=NAMES)
def test_no_name_makes_labels_overlap(name: str, code: str, province: str) -> None:
    sources = committed("dien-bien")
    plan = replace(sources.plan(), name=province)
    unit = replace(plan.units[20], name=name, code=code)
    plan = with_unit(plan, unit)
    made = sheets(sources, plan, unit.id)
    for of in ("province", "centre"):
        for view in VIEWS:
            for number, svg in enumerate(drawing(plan, sources.register, sources.catalogue, of, view)):
                made[f"{of}-{view}-{number}"] = svg
    assert wrong(made) == {}


@given(text=st.text(max_size=120), size=st.floats(6, 20), room=st.floats(30, 400), bold=st.booleans())
def test_a_text_is_never_wider_than_its_room(text: str, size: float, room: float, bold: bool) -> None:
    shown = shorten(text, size, room, bold)
    assert width(shown, size, bold) <= room
    assert shown == text or (shown.endswith(ELLIPSIS) and text.startswith(shown[:-1]))
    if width(text, size, bold) <= room:
        assert shown == text


@given(text=st.text(st.sampled_from(LETTERS), max_size=200), room=st.floats(40, 400), lines=st.integers(1, 6))
def test_lines_hold_the_whole_text_or_end_in_an_ellipsis(text: str, room: float, lines: int) -> None:
    shown = wrap(text, 10, room, lines)
    assert 1 <= len(shown) <= lines
    assert all(width(line, 10) <= room for line in shown)
    if not shown[-1].endswith(ELLIPSIS):
        assert flat("".join(shown)) == flat(text)


def planted() -> Iterable[tuple[str, Sheet]]:
    """Sheets with one mistake each."""

    def sheet(name: str) -> tuple[str, Sheet]:
        return name, Sheet("x", "A4", "t", "d")

    found = sheet("overlaps")
    box = found[1].box(10, 10, 300, 100)
    found[1].label(20, 40, "Xã Mường Nhé", box)
    found[1].label(60, 46, "Xã Nậm Kè", box)
    yield found
    found = sheet("leaves its box")
    found[1].label(20, 40, "Xã Mường Nhé", found[1].box(10, 10, 50, 40), room=200)
    yield found
    found = sheet("leaves its box")
    found[1].label(20, 14, "Ẫ", found[1].box(10, 10, 50, 40))
    yield found
    found = sheet("lies on a line")
    found[1].label(20, 40, "Xã Mường Nhé", found[1].box(10, 10, 200, 100))
    found[1].wire([(40, 0), (40, 36), (300, 36)])
    yield found
    found = sheet("lies on a pattern")
    found[1].label(20, 40, "Xã Mường Nhé", found[1].box(10, 10, 200, 100))
    found[1].stripe(15, 10, 10, 100, LOOKS[Zone.DMZ])
    yield found
    found = sheet("lies on another box")
    found[1].label(20, 40, "Xã Mường Nhé", found[1].box(10, 10, 200, 100))
    found[1].box(30, 20, 20, 60)
    yield found
    found = sheet("overlaps box")
    found[1].box(10, 10, 200, 100)
    found[1].box(100, 50, 200, 100)
    yield found
    found = sheet("leaves what is around it")
    found[1].box(100, 50, 200, 100, inside=found[1].box(10, 10, 200, 100))
    yield found
    found = sheet("leaves the page")
    found[1].wire([(100, 50), (20000, 50)])
    yield found


@pytest.mark.parametrize(
    ("fault", "sheet"), list(planted()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_planted_mistake_is_found(fault: str, sheet: Sheet) -> None:
    assert [said for said in faults(read(sheet.svg())) if fault in said] != []


def test_a_sheet_without_mistakes_has_none() -> None:
    sheet = Sheet("x", "A4", "t", "d")
    card = sheet.card(10, 10, 200, [Line(LONG_NAME, 10), Line("Ẫ", 12, bold=True)], look=LOOKS[Zone.DMZ])
    sheet.wire([(card.right, 20), (400, 20)])
    assert faults(read(sheet.svg())) == []


def test_a_browser_that_draws_wider_is_believed() -> None:
    """The table could be wrong: then the measured places tell."""
    sheet = Sheet("x", "A4", "t", "d")
    sheet.card(10, 10, 80, [Line("Xã Mường", 10)])
    svg = sheet.svg()
    assert faults(read(svg)) == []
    assert faults(read(svg, measured=[(15, 12, 90, 14)])) == ["'Xã Mường' leaves its box"]


def test_zones_differ_without_their_colour() -> None:
    assert set(LOOKS) == set(Zone)
    assert len({look.pattern for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    assert {look.pattern for look in LOOKS.values()} <= set(PATTERNS)


def test_every_letter_of_a_name_has_a_measured_width() -> None:
    known = "".join(REGULAR.values())
    assert sorted(known) == sorted("".join(BOLD.values()))
    assert [letter for letter in LONG_NAME + LETTERS if letter not in known] == []
    assert len(set(known)) == len(known) > 240


def test_a_width_is_never_below_what_was_measured() -> None:
    """The sum of the letters, in the face that is drawn, with what small letters grow by on a screen."""
    for bold, table in ((False, REGULAR), (True, BOLD)):
        for wide, letters in table.items():
            for letter in letters:
                assert width(letter * 3, 10, bold) >= 3 * wide * 10 / 1000 * 1.06
    assert width("Ủy ban", 10, bold=True) > width("Ủy ban", 10)
    # What no table has may come from any font: no known letter is wider.
    assert width("\u4e00", 10) >= max(*REGULAR, *BOLD) * 10 / 1000 * 1.06


def test_paper_is_of_the_standard_and_landscape() -> None:
    """ISO 216: each size is half of the next, down to the millimetre."""
    sizes = list(SIZES.values())
    assert all(wide > high for wide, high in sizes)
    for (_, small_high), (wide, _high) in pairwise(sizes):
        assert abs(wide - 2 * small_high) <= 1


@pytest.mark.parametrize("size", SIZES)
def test_a_sheet_is_shown_and_printed_at_its_size(size: str) -> None:
    wide, high = SIZES[size]
    svg = Sheet("x", size, "t", "d").svg()
    assert f'width="{wide}mm" height="{high}mm"' in svg
    assert f"@page{{size:{wide}mm {high}mm;margin:0}}" in svg
    page = read(svg).page
    assert abs(page.right / page.bottom - wide / high) < 0.001
