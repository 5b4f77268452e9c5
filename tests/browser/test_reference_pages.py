"""Pages of the reference output in a real browser: they fit, sort and find, and ask nobody for anything.

The browser is that of the unit's PC. Pictures are left in `results/browser/` of the environment's state.
"""

from __future__ import annotations

import base64
import unicodedata
from functools import cache
from typing import Any

import pytest

from province.reading.reference import reference
from tests.browser.test_drawings import SCREENS, visited
from tests.support import environment

PAGES = ("index", "unit-list", "address-table", "flow-list", "device-list", "cost")
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FIRST = "Array.from(document.querySelectorAll('tbody tr:not(.h)'), (row) => row.cells[{column}].textContent)"
# What a finger has to hit and is smaller than 24 px in height.
TOO_SMALL = (
    "Array.from(document.querySelectorAll('nav a, input, summary'))"
    ".filter((e) => e.getBoundingClientRect().height < 24).length"
)
# Texts that are cut off, or lie over another cell of the row.
HIDDEN = (
    "Array.from(document.querySelectorAll('tbody td, tbody th'))"
    ".filter((e) => e.scrollWidth > e.clientWidth + 1).length"
)
CLICK = "document.querySelectorAll('thead button')[{column}].click()"
SEARCH = """(() => {{
  const field = document.querySelector('input[type=search]');
  field.value = {text!r};
  field.dispatchEvent(new Event('input'));
}})()"""


SAID = "document.querySelector('output').textContent"
# A picture has a greatest height; a table of hundreds of rows is higher on a phone.
TRIM = "document.querySelectorAll('tbody tr:nth-child(n+21)').forEach((row) => row.remove())"


@cache
def made() -> dict[str, str]:
    """The pages of the environment's province by name."""
    files = reference(environment.environment().sources, formats=("html",))["html"]
    return {name.removesuffix(".html"): page.decode() for name, page in files.items()}


def look(page: str, screen: str, scripts: dict[str, str]) -> dict[str, Any]:
    """What scripts give on a page, and that it loaded nothing but itself."""
    seen = visited(SCREENS[screen], {**scripts, "trim": TRIM}, made()[page])
    assert [url for url in seen["requests"] if not url.startswith("data:")] == []
    assert seen["failures"] == []
    results = environment.state_directory() / "results" / "browser"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"reference-{page}-{screen}.png").write_bytes(base64.b64decode(seen["screenshot"]))
    return {name: seen["values"][name] for name in scripts}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_the_screen(page: str, screen: str, living: None) -> None:
    del living
    found = look(page, screen, {"wide": TOO_WIDE, "small": TOO_SMALL, "hidden": HIDDEN})
    assert found == {"wide": 0, "small": 0, "hidden": 0}


def test_a_column_is_sorted_as_vietnamese_is_and_back(living: None) -> None:
    del living
    shown = FIRST.format(column=2)
    scripts = {
        "at_first": shown,
        "a": CLICK.format(column=2),
        "up": shown,
        "b": CLICK.format(column=2),
        "down": shown,
    }
    found = look("unit-list", "desktop", scripts)
    # Đ comes after D, marks after the bare letter: as Intl.Collator says, and as no order of bytes is.
    collated = "((names) => names.sort(new Intl.Collator('vi', {numeric: true}).compare))"
    wanted = look("unit-list", "desktop", {"names": f"{collated}({shown})"})["names"]
    assert found["up"] == wanted != found["at_first"]
    assert found["down"] == list(reversed(wanted))
    assert sorted(found["at_first"]) == sorted(wanted) != wanted


def folded(text: str) -> str:
    """A text without marks, as somebody types it who has no Vietnamese keyboard."""
    plain = unicodedata.normalize("NFD", text).replace("đ", "d").replace("Đ", "D")
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


@pytest.mark.parametrize("text", ["dien bien phu", "Mường Lay", "phu 10.", "khong co dau"])
def test_words_are_found_with_and_without_their_marks(text: str, living: None) -> None:
    del living
    every = "Array.from(document.querySelectorAll('tbody tr:not(.h)'), (row) => row.textContent)"
    scripts = {"all": every, "type": SEARCH.format(text=text), "left": every, "said": SAID}
    found = look("unit-list", "phone", scripts)
    wanted = [row for row in found["all"] if all(word in folded(row) for word in folded(text).split())]
    assert found["left"] == wanted
    assert found["said"] == f"{len(wanted)} / {len(found['all'])}"
    assert len(wanted) < len(found["all"])
