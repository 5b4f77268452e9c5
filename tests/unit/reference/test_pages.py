"""Reference pages say what the checks check. PROVINCE_UPDATE_GOLDEN=1 writes them anew: review the diff."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from province.plan.as_json import as_json
from province.register import catalogue, model
from province.register.shape import Field, Integer, Record, Text
from province.sources import load_sources
from tests.support.reference import (
    Place,
    catalogue_page,
    documented,
    example,
    fields,
    kind,
    plan_page,
    register_page,
)
from tests.support.repository import ROOT

REFERENCE = ROOT / "docs/reference"


def current(page: Path, text: str) -> None:
    """Fail when a page is not the text; write it when asked to."""
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, (
        f"{page.name} is behind: see the first lines of this file"
    )


def test_the_page_of_the_register_is_current() -> None:
    current(REFERENCE / "register.md", register_page())


def test_the_page_of_the_catalogue_is_current() -> None:
    current(REFERENCE / "catalogue.md", catalogue_page())


def test_the_page_of_the_plan_is_current() -> None:
    schema = json.loads((REFERENCE / "plan.schema.json").read_text(encoding="utf-8"))
    plan = as_json(load_sources(ROOT / "inventories/registers/dien-bien").plan())
    jsonschema.validate(plan, schema)
    text = plan_page(plan, schema)
    assert [part for part in plan if f"| `{part}` |" not in text] == []
    current(REFERENCE / "plan.md", text)


@pytest.mark.parametrize("record", [model.PROVINCE, model.UNITS, *catalogue._SHAPES.values()])
def test_every_field_says_what_it_means_and_what_it_may_be(record: Record) -> None:
    listed = documented(record)
    assert listed
    for path, field in listed:
        assert field.doc.strip(), path
        assert kind(field.shape).strip(), path


def test_a_table_says_type_bounds_need_and_an_example() -> None:
    record = Record("a thing", {"size": Field(Integer(minimum=2, maximum=9, unit="m"), "how long", False)})
    line = fields(Place("things[]", record), [{"things": [{}, {"size": 4}]}])[-1]
    assert line == "| `size` | optional | how long | a whole number from 2 to 9 m | `4` |"


def test_what_nobody_has_written_down_has_no_example() -> None:
    assert example([{"a": {}}], "a.b") == ""
    assert example([{"a": []}, {"a": [{"b": "x"}]}], "a[].b") == "x"
    assert example([{"a": {"n": {"b": [1, 2]}}}], "a.<name>.b") == "[1, 2]"


def test_a_shape_without_words_is_refused() -> None:
    class Strange(Text):
        """No kind of value that the page knows, were it not for its parent."""

    assert kind(Strange()).startswith("text")
    with pytest.raises(AssertionError, match="say in words"):
        kind(object())  # type: ignore[arg-type] # that is the point
