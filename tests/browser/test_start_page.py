"""The start page as a member of a unit's staff sees it: a real browser, on the unit's PC, over the WAN.

The pictures taken are left in `results/browser/` of the environment's state.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from province.plan.model import Plan, PlannedUnit
from tests.support import environment
from tests.support.places import ask, machine

PC = environment.only("workstation")
START = environment.service("start")
URL = f"http://{START.names[0]}/"
# Name to width, height (pixels) and darkness of the screen.
SCREENS = {"desktop": (1280, 800, False), "phone": (360, 740, False), "phone-dark": (360, 740, True)}
SCRIPTS = {
    "title": "document.title",
    "province": "document.getElementById('province').textContent",
    "connection": "document.querySelector('[data-connection]').dataset.connection",
    "here_unit": "document.getElementById('here-unit')?.textContent",
    "here_address": "document.getElementById('here-address').textContent",
    "unit_count": "document.getElementById('unit-count').textContent",
    "units": (
        "Array.from(document.querySelectorAll('[data-unit]'),"
        " (e) => [e.dataset.unit, e.querySelector('b').textContent])"
    ),
    "services": (
        "Object.fromEntries(Array.from(document.querySelectorAll('[data-service]'),"
        " (e) => [e.dataset.service, e.dataset.state]))"
    ),
    "names": "Array.from(document.querySelectorAll('.names code'), (e) => e.textContent)",
    "languages": "[document.documentElement.lang, document.querySelectorAll('main [lang=en]').length]",
    "too_wide": "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    # Where a finger goes: links and fields of the page that are smaller than 24 px in height.
    "too_small": (
        "Array.from(document.querySelectorAll('nav a, nav button, #find input, #find select'))"
        ".filter((e) => e.getBoundingClientRect().height < 24).length"
    ),
    "styled": "getComputedStyle(document.querySelector('.top')).backgroundColor !== 'rgba(0, 0, 0, 0)'",
}
# Types into the search field as a user does, and gives the units that are then still shown.
SEARCH = """(() => {{
  const field = document.getElementById('find-text');
  field.value = {text};
  field.dispatchEvent(new Event('input'));
  return Array.from(document.querySelectorAll('[data-unit]:not([hidden])'), (e) => e.dataset.unit);
}})()"""


def user() -> str:
    """The unprivileged user of the PC, as its role names it."""
    defaults = environment.ROOT / "roles/workstation/defaults/main.yml"
    return str(yaml.safe_load(defaults.read_text(encoding="utf-8"))["workstation_user"])


def our_unit(plan: Plan) -> PlannedUnit:
    """The unit that the PC belongs to."""
    owner = environment.named(PC).planned.owner
    return next(unit for unit in plan.units if unit.id == owner)


def open_page(screen: str, scripts: dict[str, str]) -> dict[str, Any]:
    """Open the start page on the PC and keep the picture."""
    width, height, dark = SCREENS[screen]
    seen: dict[str, Any] = ask(
        machine(PC),
        "visit",
        {"url": URL, "user": user(), "width": width, "height": height, "dark": dark, "scripts": scripts},
    )
    results = environment.state_directory() / "results" / "browser"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"start-{screen}.png").write_bytes(base64.b64decode(seen["screenshot"]))
    return seen


@pytest.fixture(scope="module", params=SCREENS)
def seen(request: pytest.FixtureRequest, living: None) -> dict[str, Any]:
    """What the browser saw, once for each screen."""
    del living
    return open_page(request.param, SCRIPTS)


def test_the_page_opens_by_name_and_is_this_provinces(seen: dict[str, Any], plan: Plan) -> None:
    assert seen["address"].strip("[]") in {str(a) for a in (*START.addresses4, *START.addresses6)}
    assert seen["values"]["province"] == plan.name
    assert plan.name in seen["values"]["title"]


def test_the_page_knows_from_which_unit_it_is_read(seen: dict[str, Any], plan: Plan) -> None:
    """The address the centre sees is the PC's own: nothing on the way hides it, and it came over the WAN."""
    unit = our_unit(plan)
    assert seen["values"]["connection"] == "unit"
    assert seen["values"]["here_unit"] == unit.name
    address = seen["values"]["here_address"]
    assert address in (unit.prefix6 if ":" in address else unit.prefix4)


def test_the_page_lists_every_unit_of_the_register(seen: dict[str, Any], plan: Plan) -> None:
    expected = [[unit.id, unit.name] for unit in plan.units if unit.state != "closed"]
    assert expected
    assert seen["values"]["units"] == expected
    assert int(seen["values"]["unit_count"]) == len(expected)


def test_the_page_offers_what_is_there_and_nothing_else(seen: dict[str, Any], plan: Plan) -> None:
    planned = {service.id: service for service in plan.services}
    listed = seen["values"]["services"]
    assert listed["start"] == "available"
    assert listed["dns"] == "available"
    assert {name for name, state in listed.items() if state == "available"} == listed.keys() & planned.keys()
    names = {name for service in listed.keys() & planned.keys() for name in planned[service].names}
    assert set(seen["values"]["names"]) == names


def test_vietnamese_comes_first_and_english_beside_it(seen: dict[str, Any]) -> None:
    first, english = seen["values"]["languages"]
    assert first == "vi"
    assert english > 0


def test_the_page_fits_the_screen(seen: dict[str, Any]) -> None:
    assert seen["values"]["too_wide"] == 0
    assert seen["values"]["too_small"] == 0
    assert seen["values"]["styled"] is True


def test_the_browser_has_nothing_to_complain_about(seen: dict[str, Any]) -> None:
    assert seen["console"] == []
    assert seen["failures"] == []


def test_the_page_asks_nobody_but_its_own_server(seen: dict[str, Any]) -> None:
    asked = {(urlsplit(url).scheme, urlsplit(url).hostname) for url in seen["requests"]}
    assert asked == {("http", START.names[0])}


def test_the_search_finds_a_unit_without_its_marks(living: None, plan: Plan) -> None:
    """Nobody types `Điện Biên` with all its marks to find out whom to call."""
    del living
    unit = our_unit(plan)
    marks = {ord("đ"): "d", ord("Đ"): "D"}
    bare = unicodedata.normalize("NFD", unit.name.translate(marks)).encode("ascii", "ignore").decode().lower()
    found = open_page(
        "desktop",
        {
            "bare": SEARCH.format(text=json.dumps(bare)),
            "nobody": SEARCH.format(text=json.dumps("không có đơn vị này")),
        },
    )["values"]
    assert unit.id in found["bare"]
    assert len(found["bare"]) < len(plan.units)
    assert found["nobody"] == []
