"""The start page says what the plan says, to people and to browsers."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from province.plan.model import Plan, PlannedAlias
from province.register.catalogue import load_catalogue
from province.register.model import STATES as UNIT_STATES
from province.render.start import render, service_groups
from province.sources import load_sources, roles_in
from tests.support.small_province import CLOSED, KINDS, NORTH, PROVINCE, SOUTH, plan, service, unit

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "apps/start"
APP = yaml.safe_load((FOLDER / "app.yml").read_text(encoding="utf-8"))
WORDS = yaml.safe_load((FOLDER / "directory.yml").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data

    def all(self, attribute: str) -> list[str]:
        """Values of an attribute, in the order of the page."""
        return [value for _, attrs in self.elements if (value := attrs.get(attribute))]


def files(of: Plan = PROVINCE) -> dict[str, str]:
    return render(of, (APP,), KINDS, FOLDER)


@pytest.fixture
def page() -> Page:
    return Page(files()["www/index.html"])


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_the_page_names_the_province(page: Page) -> None:
    assert PROVINCE.name in page.text
    assert f"http://start.{PROVINCE.domain}/" in page.text


def test_a_municipality_reads_of_itself_not_of_a_province() -> None:
    city = Page(files(replace(PROVINCE, name="Thành phố Hải Phòng"))["www/index.html"]).text.lower()
    assert "thành phố" in city
    assert "tỉnh" not in city
    assert "{cap}" not in city
    assert "tỉnh" in Page(files()["www/index.html"]).text.lower()


def test_every_unit_that_is_not_closed_is_listed_once(page: Page) -> None:
    assert page.all("data-unit") == [NORTH.id, SOUTH.id]
    assert CLOSED.name not in page.text


def test_a_unit_is_found_by_the_names_it_and_its_forerunners_had() -> None:
    merged = PlannedAlias(name="Xã <Cũ>", until="2026-07-01", by="merge", unit=CLOSED.id)
    before = PlannedAlias(name="Xã Xưa", until="2020-01-02", by="rename", unit="")
    closed = replace(CLOSED, aliases=(before,))
    grown = replace(PROVINCE, units=(replace(NORTH, aliases=(merged,)), SOUTH, closed))
    html = files(grown)["www/index.html"]
    row = html[html.index(f'data-unit="{NORTH.id}"') : html.index(f'data-unit="{SOUTH.id}"')]
    assert "<i>Xã &lt;Cũ&gt;</i>" in row
    assert "01/07/2026" in row
    assert "<i>Xã Xưa</i>" in row
    assert "02/01/2020" in row
    assert "<i>" not in html.replace(row, "")
    assert 'querySelectorAll("b, i, .code")' in files()["www/assets/start.js"]


def test_a_name_with_markup_stays_text(page: Page) -> None:
    assert SOUTH.name in page.text
    assert "mới" not in page.all("data-unit")
    assert not any(tag == "mới" for tag, _ in page.elements)


def test_a_service_of_the_plan_is_available_and_others_are_in_preparation() -> None:
    states = {
        entry.id: entry.state for group in service_groups(PROVINCE, (APP,), WORDS) for entry in group.services
    }
    assert {name for name, state in states.items() if state == "available"} == {"start", "dns"}
    with_mail = plan(NORTH, services=(*PROVINCE.services, service("mail", "mail.vidu.gov.vn")))
    changed = {
        entry.id: entry for group in service_groups(with_mail, (APP,), WORDS) for entry in group.services
    }
    assert states["mail"] == "preparing"
    assert changed["mail"].state == "available"
    assert changed["mail"].names == ("mail.vidu.gov.vn",)


def test_an_application_in_setup_is_not_offered() -> None:
    entries = {
        entry.id: entry
        for group in service_groups(PROVINCE, (APP | {"state": "setup"},), WORDS)
        for entry in group.services
    }
    assert entries["start"].state == "preparing"
    assert entries["start"].link == ""


def test_the_page_asks_nobody_else(page: Page) -> None:
    """Whatever the browser fetches by itself comes from the page's own server."""
    fetched = [
        value
        for tag, attrs in page.elements
        if tag in {"img", "script", "link", "iframe", "source"}
        for name in ("src", "href")
        if (value := attrs.get(name))
    ]
    assert fetched
    laid = {path.removeprefix("www") for path in files() if path.startswith("www/")}
    assert set(fetched) <= laid
    for path, content in files().items():
        if path.endswith((".css", ".js")):
            assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", content), path


def test_english_is_marked_as_english_beside_vietnamese(page: Page) -> None:
    languages = page.all("lang")
    assert languages[0] == "vi"
    assert languages.count("en") > 10


def test_the_server_knows_which_unit_an_address_belongs_to() -> None:
    lines = files()["conf.d/units.conf"].splitlines()
    assert f'  {NORTH.prefix4} "{NORTH.name}";' in lines
    assert f'  {NORTH.prefix6} "{NORTH.name}";' in lines
    assert '  10.2.0.0/16 "Phường \\"Nam\\" <mới>";' in lines
    assert not any(str(CLOSED.prefix4) in line for line in lines)


def test_a_new_unit_changes_the_page_and_not_the_image() -> None:
    before, after = files(), files(plan(NORTH, SOUTH, unit("moi", 4), services=PROVINCE.services))
    assert {path for path in after if after[path] != before.get(path)} == {
        "www/index.html",
        "conf.d/units.conf",
    }


@pytest.mark.parametrize("words", WORDS["services"], ids=lambda words: words["service"])
def test_every_service_is_put_into_words_in_both_languages(words: dict[str, Any]) -> None:
    assert words["group"] in {group["id"] for group in WORDS["groups"]}
    for text in (words["title"], words["what"]):
        assert set(text) == {"vi", "en"}
        assert all(text.values())


def test_every_state_of_a_unit_is_put_into_words() -> None:
    assert set(WORDS["states"]) == set(UNIT_STATES) - {"closed"}


def test_every_word_is_for_a_service_of_the_catalogue_or_for_one_to_come() -> None:
    """A misspelt id would show an existing service as one in preparation, for ever."""
    known = {
        service.id
        for service in load_catalogue(ROOT / "inventories/catalogue", str, roles_in(ROOT / "roles")).services
    } | {APP["id"]}
    spoken = {words["service"] for words in WORDS["services"]}
    assert {"dns", "ntp", "packages"} <= spoken & known


def test_the_page_of_a_real_province_lists_its_register() -> None:
    sources = load_sources(ROOT / "inventories/registers/dien-bien")
    made = sources.plan()
    kinds = {name: kind.title for name, kind in sources.catalogue.kinds.items()}
    page = Page(render(made, [app.record for app in sources.apps], kinds, FOLDER)["www/index.html"])
    assert page.all("data-unit") == [unit.id for unit in made.units if unit.state != "closed"]
    assert made.name in page.text
    assert page.open == []
