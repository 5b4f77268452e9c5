"""Control catalogues are data that a jurist corrects: these checks tell where a correction went wrong."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / "inventories" / "controls"
CATALOGUES = sorted(FOLDER.glob("*.yml"))
VIETNAMESE = set("ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ")

# Clauses of level 3 that a machine or a dated record can show, counted by hand from our reading of it.
TABLE = {
    "5.2.2.1", "5.2.2.2", "5.2.2.4", "5.3.2.1-2", "5.4.2.4", "5.4.2.5", "5.4.2.8", "5.5.2.1 b-d", "5.5.2.2",
    "5.5.2.2 b", "5.6.2.1", "5.6.2.2", "5.6.2.3", "5.6.2.4", "5.7.2.1", "5.7.2.2", "5.8.2.1", "5.9.2.1 c",
    "5.9.2.2", "5.10.2.1-4", "5.11.2.1-4", "5.12.2.1", "5.12.2.2 a", "5.12.2.2 b", "5.12.2.3", "5.12.2.4",
    "5.12.2.5", "5.13.2.1-5", "5.16", "5.17.2.2-4", "5.18",
}  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Dates stay text, as JSON has them."""


_Loader.add_constructor(  # type: ignore[type-var]  # its types want the loader at run time
    "tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_scalar
)


def load(path: Path) -> dict[str, Any]:
    """A catalogue as the schema sees it."""
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  safe
    return loaded


def controls() -> list[dict[str, Any]]:
    """All controls of all catalogues."""
    return [control for path in CATALOGUES for control in load(path)["controls"]]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_catalogue_follows_the_schema(path: Path) -> None:
    schema = json.loads((FOLDER / "controls.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(load(path))] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_ids_are_unique_and_open_with_the_prefix_and_the_clause(path: Path) -> None:
    catalogue = load(path)
    ids = [control["id"] for control in catalogue["controls"]]
    assert sorted(ids) == sorted(set(ids))
    for control in catalogue["controls"]:
        assert control["id"].startswith(
            f"{catalogue['prefix']}/{control['clause'].split()[0].rsplit('.', 1)[0]}"
        )


def test_every_clause_of_the_table_has_a_control() -> None:
    """A clause that was lost is a requirement that nobody will miss until the audit."""
    assert {control["clause"] for control in controls()} == TABLE


@pytest.mark.parametrize("control", controls(), ids=lambda control: control["id"])
def test_requirement_is_told_in_vietnamese_and_in_english(control: dict[str, Any]) -> None:
    vi, en = control["requirement"]["vi"], control["requirement"]["en"]
    assert unicodedata.is_normalized("NFC", vi)
    assert VIETNAMESE & set(vi.lower()), "not Vietnamese, or its marks were lost"
    assert not VIETNAMESE & set(en.lower())


def test_a_third_party_reading_is_never_called_read() -> None:
    for path in CATALOGUES:
        catalogue = load(path)
        if not catalogue["source"]["read"]:
            assert {control["source_status"] for control in catalogue["controls"]} <= {
                "third_party",
                "not_read",
            }
