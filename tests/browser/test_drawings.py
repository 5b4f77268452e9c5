"""Drawings in a real browser: what was computed for labels is enough, in every font they may be shown in.

The browser is that of the unit's PC, which has both fonts of the table of widths. With
PROVINCE_UPDATE_GOLDEN=1 the table is written anew from what it measures. Pictures are left in
`results/browser/` of the environment's state.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from province.drawings import drawings
from province.drawings.widths import BOLD, REGULAR
from tests.browser.test_start_page import PC, user
from tests.support import environment
from tests.support.drawings import CHARACTERS, MEASURE, SCRIPT, faults, page_of, read, table
from tests.support.places import ask, machine
from tests.support.repository import ROOT

WIDTHS = ROOT / "province/drawings/widths.py"
FONTS = ("Noto Sans", "DejaVu Sans")
SCREENS = {"desktop": 1280, "phone": 360}


def made() -> dict[str, str]:
    """The drawings of the environment's province: province, centre, units of every kind and length."""
    sources = environment.environment().sources
    plan = sources.plan()
    every = drawings(plan, sources.register, sources.catalogue, "a source")
    kinds = {unit.kind: unit.id for unit in plan.units if unit.state != "closed"}
    longest = max(plan.units, key=lambda unit: len(unit.name)).id
    chosen = {*kinds.values(), longest}
    return {
        path: svg
        for path, svg in every.items()
        if not path.startswith("units/") or path.removeprefix("units/").rpartition("-")[0] in chosen
    }


def visited(width: int, scripts: Mapping[str, str], page: str = "") -> dict[str, Any]:
    """What the browser of the PC gives for scripts, on a page of ours."""
    encoded = base64.b64encode(page.encode()).decode()
    order = {
        "url": f"data:text/html;base64,{encoded}" if page else "about:blank",
        "user": user(),
        "width": width,
        "height": 800,
        "scripts": dict(scripts),
    }
    seen: dict[str, Any] = ask(machine(PC), "visit", order)
    assert seen["console"] == []
    return seen


def measured(drawings_: Mapping[str, str], font: str) -> dict[str, list[list[float]]]:
    """Places and sizes of all labels, shown in a font."""
    scripts = {
        path: SCRIPT.format(svg=json.dumps(svg.replace('font-family="', f"font-family=\"'{font}',")))
        for path, svg in drawings_.items()
    }
    values: dict[str, list[list[float]]] = visited(1280, scripts)["values"]
    return values


@pytest.mark.parametrize("font", FONTS)
def test_no_label_overlaps_or_leaves_its_box_as_the_browser_draws_it(font: str, living: None) -> None:
    del living
    shown = made()
    assert len(shown) > 10
    places = measured(shown, font)
    wrong = {path: faults(read(svg, places[path])) for path, svg in shown.items()}
    assert {path: found for path, found in wrong.items() if found} == {}
    # It did draw: labels have an extent, and the fonts are not one and the same.
    assert all(wide > 0 for boxes in places.values() for _, _, wide, _ in boxes)


def test_the_browser_has_both_fonts_of_the_table(living: None) -> None:
    """A missing font is replaced in silence, and then nothing would have been proven about it."""
    del living
    shown = dict(list(made().items())[:1])
    one, other = (measured(shown, font) for font in FONTS)
    assert one != other


def test_the_table_of_widths_is_what_the_browser_measures(living: None) -> None:
    del living
    seen = visited(
        1280, {"widths": MEASURE.format(fonts=json.dumps(FONTS), characters=json.dumps(CHARACTERS))}
    )
    text = table(seen["values"]["widths"])
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        WIDTHS.write_text(text, encoding="utf-8")
    assert sorted(letters(REGULAR)) == sorted(letters(BOLD)) == sorted(CHARACTERS)
    assert WIDTHS.read_text(encoding="utf-8") == text


def letters(of: Mapping[int, str]) -> Iterable[str]:
    """All characters of a table."""
    return "".join(of.values())


@pytest.mark.parametrize("screen", SCREENS)
def test_drawings_fit_a_page_on_every_screen(screen: str, living: None) -> None:
    del living
    shown = made()
    script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    seen = visited(SCREENS[screen], {"too_wide": script}, page_of(list(shown.values())[:8]))
    results = environment.state_directory() / "results" / "browser"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"drawings-{screen}.png").write_bytes(base64.b64decode(seen["screenshot"]))
    assert seen["values"]["too_wide"] == 0
