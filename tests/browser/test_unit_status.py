"""The page of a unit's own gateway as its staff see it: a real browser, on the unit's PC, over its LAN.

The pictures taken are left in `results/browser/` of the environment's state; those of a cut are taken by
tests/survival, which cuts the line.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.test_start_page import PC, our_unit
from tests.support import environment
from tests.support.pages import SCREENS, STATUS_SCRIPTS, STATUS_URL, open_status


@pytest.fixture(scope="module", params=SCREENS)
def seen(request: pytest.FixtureRequest, living: None) -> dict[str, Any]:
    """What the browser saw, once for each screen."""
    del living
    return open_status(PC, request.param, "connected", STATUS_SCRIPTS)


def test_the_page_opens_by_its_name_from_the_gateway_itself(seen: dict[str, Any]) -> None:
    unit = our_unit(environment.plan())
    staff = next(segment for segment in unit.segments if segment.name == "staff")
    assert seen["address"].strip("[]") in {str(staff.gateway4), str(staff.gateway6)}
    assert seen["values"]["unit"] == unit.name


def test_the_page_says_that_the_unit_is_connected(seen: dict[str, Any]) -> None:
    assert seen["values"]["connection"] == "connected"
    assert "Đang kết nối với Trung tâm" in seen["values"]["title"]


def test_what_the_gateway_does_for_its_unit_is_said_to_run(seen: dict[str, Any]) -> None:
    assert seen["values"]["works"] == {"address": "true", "names": "true", "time": "true"}


def test_nobody_else_gives_addresses_here(seen: dict[str, Any]) -> None:
    """A quiet network raises no alarm."""
    assert seen["values"]["warnings"] == []


def test_vietnamese_comes_first_and_english_beside_it(seen: dict[str, Any]) -> None:
    first, english = seen["values"]["languages"]
    assert first == "vi"
    assert english > 0


def test_the_page_fits_the_screen(seen: dict[str, Any]) -> None:
    assert seen["values"]["too_wide"] == 0
    assert seen["values"]["styled"] is True


def test_the_browser_has_nothing_to_complain_about(seen: dict[str, Any]) -> None:
    assert seen["console"] == []
    assert seen["failures"] == []


def test_the_page_asks_nobody_but_its_own_server(seen: dict[str, Any]) -> None:
    asked = {urlsplit(url).hostname for url in seen["requests"] if not url.startswith("data:")}
    assert asked == {urlsplit(STATUS_URL).hostname}
