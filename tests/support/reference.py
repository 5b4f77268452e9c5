"""Reference pages made from what is checked: shapes of register and catalogue, schema of the plan.

The examples come from committed files and from a real plan, so that a page cannot speak of what is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from province.register import catalogue, model
from province.register.shape import (
    Choice,
    Date,
    Field,
    Flag,
    Integer,
    ListOf,
    MapOf,
    Network,
    Record,
    Shape,
    Text,
)
from tests.support.repository import ROOT, load

# An example is a hint, not a listing.
LONGEST = 70
JSON = dict[str, Any]
MADE = "with PROVINCE_UPDATE_GOLDEN=1 the tests of `tests/unit/reference` write it anew."
REGISTER = f"""\
# The register

What a province says of itself and its units: `province.yml` and any number of files in `units/`, in
`inventories/registers/<province>/`. Everything else follows from it (`province plan`). This page is made from
the checks themselves, its examples are from committed registers;
{MADE}

Files are UTF-8 without byte order mark, YAML without anchors, aliases and tags. Editors take
[register.schema.json](register.schema.json). What holds between records is checked by `province check`,
in the words of [Problems](problems.md); `province plan --diff` says what a change means.
"""
CATALOGUE = f"""\
# The catalogue

What a province's centre and its units consist of, the same for all provinces: `inventories/catalogue/`. A
province's register may say other sizes and counts; it invents no machine. This page is made from the checks
themselves, its examples are from the committed catalogue;
{MADE}
What holds between records is checked by `province check`, in the words of [Problems](problems.md).
"""
PLAN = f"""\
# The plan

Everything that follows from a register, as `province plan REGISTER --format json` prints it. Its schema is
[plan.schema.json](plan.schema.json), its types are in `province/plan/model.py`; the same register gives the
same text. Here is each part with its fields and, from the plan of {{name}}, its first entry, lists cut to two
entries. This page is made from plan and schema;
{MADE}
"""
# What the schema says by a name alone.
NAMED = {
    "network4": "An IPv4 network.",
    "network6": "An IPv6 network.",
    "address4": "An IPv4 address.",
    "address6": "An IPv6 address.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A record of a file, and where it stands: `pools.<name>`, `units[].links[]`."""

    path: str
    record: Record


def places(record: Record, path: str = "") -> Iterator[Place]:
    """A record and those inside it, in the order of their fields."""
    yield Place(path, record)
    for name, field in record.fields.items():
        at = f"{path}.{name}" if path else name
        yield from _inner(field.shape, at)


def _inner(shape: Shape, path: str) -> Iterator[Place]:
    if isinstance(shape, Record):
        yield from places(shape, path)
    elif isinstance(shape, ListOf):
        yield from _inner(shape.item, f"{path}[]")
    elif isinstance(shape, MapOf):
        yield from _inner(shape.item, f"{path}.<name>")


def kind(shape: Shape) -> str:
    """What a value may be, in words."""
    if isinstance(shape, Text):
        signs = f"; of {shape.characters_words}" if shape.characters_words else ""
        bound = (
            "" if shape.maximum == 1 or "at most" in shape.words else f"; at most {shape.maximum} characters"
        )
        return f"{shape.words}{signs}{bound}"
    if isinstance(shape, Integer):
        return f"a whole number from {shape.minimum} to {shape.maximum} {shape.unit}".rstrip()
    if isinstance(shape, Flag):
        return "true or false"
    if isinstance(shape, Date):
        return "a day, YYYY-MM-DD"
    if isinstance(shape, Choice):
        return "one of " + ", ".join(f"`{value}`" for value in shape.values)
    if isinstance(shape, Network):
        return f"an IPv{shape.family} network, /{shape.longest} or shorter"
    if isinstance(shape, ListOf):
        bounds = f", at least {shape.minimum}" if shape.minimum else ""
        bounds += f", at most {shape.maximum}" if shape.maximum < 100_000 else ""
        return f"a list{bounds}{', each once' if shape.unique else ''}; each entry: {kind(shape.item)}"
    if isinstance(shape, MapOf):
        bounds = f", at least {shape.minimum}" if shape.minimum else ""
        return f"a mapping{bounds}; keys: {kind(shape.key)}; values: {kind(shape.item)}"
    if isinstance(shape, Record):
        return f"{shape.name}, see below"
    if isinstance(shape, catalogue._Care):
        return "`{pending: <layer>}`, `{not_needed: <reason>}`, or what there is, as a mapping"
    raise AssertionError(f"say in words what a {type(shape).__name__} is")


def found(document: Any, path: str) -> Iterator[Any]:
    """All values at a path of a document."""
    if not path:
        yield document
        return
    step, _, rest = path.partition(".")
    name = step.removesuffix("[]")
    if name == "<name>":
        values = list(document.values()) if isinstance(document, dict) else []
    else:
        values = [document[name]] if isinstance(document, dict) and name in document else []
    for value in values:
        for item in value if step.endswith("[]") else [value]:
            yield from found(item, rest)


def example(documents: Iterable[Any], path: str) -> str:
    """The first value at a path, as it would be written; nothing where no document has one."""
    for document in documents:
        for value in found(document, path):
            flow = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
            text = flow.removesuffix("...\n").strip()
            return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return ""


def fields(place: Place, documents: list[Any]) -> list[str]:
    """The table of a record's fields."""
    lines = ["| field | | what it says | what it may be | example |", "|---|---|---|---|---|"]
    for name, field in place.record.fields.items():
        whole = any(True for _ in _inner(field.shape, ""))
        shown = "" if whole else example(documents, f"{place.path}.{name}" if place.path else name)
        cells = [
            f"`{name}`",
            "" if field.required else "optional",
            field.doc,
            kind(field.shape),
            f"`{shown}`" if shown else "",
        ]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _sections(record: Record, file: str, documents: list[Any]) -> list[str]:
    lines: list[str] = []
    for place in places(record):
        lines += [f"### `{place.path}`: {place.record.name}" if place.path else f"## {file}", ""]
        lines += [*fields(place, documents), ""]
    return lines


def register_page() -> str:
    """docs/reference/register.md."""
    folders = sorted(path.parent for path in (ROOT / "inventories/registers").glob("*/province.yml"))
    # The lab's province first: a reader finds the examples where he looks.
    folders.sort(key=lambda folder: folder.name != "dien-bien")
    folders.append(ROOT / "tests/unit/register/base")
    provinces = [load(folder / "province.yml") for folder in folders]
    units = [load(path) for folder in folders for path in sorted((folder / "units").glob("*.yml"))]
    return "\n".join(
        [
            *REGISTER.splitlines(),
            "",
            *_sections(model.PROVINCE, "province.yml", provinces),
            *_sections(model.UNITS, "units/*.yml", units),
        ]
    )


def catalogue_page() -> str:
    """docs/reference/catalogue.md."""
    lines = [*CATALOGUE.splitlines(), ""]
    for file, shape in catalogue._SHAPES.items():
        assert isinstance(shape, Record)
        lines += _sections(shape, file, [load(ROOT / "inventories/catalogue" / file)])
    return "\n".join(lines)


def plan_page(plan: Mapping[str, Any], schema: JSON) -> str:
    """docs/reference/plan.md, from a plan as JSON and its published schema."""
    lines = [
        *PLAN.format(name=plan["name"]).splitlines(),
        "",
        "| part | entries here | what it is |",
        "|---|---|---|",
    ]
    for name, part in schema["properties"].items():
        here = len(plan[name]) if isinstance(plan[name], list) else f"`{plan[name]}`"
        lines.append(f"| `{name}` | {here} | {_cell(_about(part, schema))} |")
    for name, part in schema["properties"].items():
        definition = _resolved(part.get("items", part), schema)
        if not isinstance(plan[name], list) or "properties" not in definition:
            continue
        lines += ["", f"## {name}", "", "| field | what it is |", "|---|---|"]
        required = definition.get("required", [])
        for field, inner in definition["properties"].items():
            optional = "" if field in required else "optional; "
            lines.append(f"| `{field}` | {_cell(optional + _about(inner, schema))} |")
        shown = json.dumps(_cut(plan[name][0]), ensure_ascii=False, indent=2) if plan[name] else ""
        lines += ["", "```json", *shown.splitlines(), "```"] if shown else []
    return "\n".join(lines) + "\n"


def _resolved(part: JSON, schema: JSON) -> JSON:
    while "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return part


def _about(part: JSON, schema: JSON) -> str:
    """A part's own description, or that of what it refers to, or its type."""
    if "description" in part:
        return str(part["description"])
    if (name := part.get("$ref", "").rpartition("/")[2]) in NAMED:
        return NAMED[name]
    whole = _resolved(part, schema)
    if "description" in whole:
        return str(whole["description"])
    if whole.get("type") == "array":
        inner = _about(whole.get("items", {}), schema)
        return f"A list; each: {inner[:1].lower()}{inner[1:]}"
    if "enum" in whole:
        return "One of " + ", ".join(f"`{json.dumps(value)}`" for value in whole["enum"]) + "."
    if "oneOf" in whole or "anyOf" in whole:
        ways: list[JSON] = [*whole.get("oneOf", []), *whole.get("anyOf", [])]
        return " Or: ".join(_about(way, schema) for way in ways)
    said = whole.get("type", "anything")
    return {
        "string": "Text.",
        "integer": "A whole number.",
        "boolean": "True or false.",
        "null": "Nothing.",
    }.get(said if isinstance(said, str) else "", f"{said}.")


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value[:2]]
    return value


def documented(record: Record) -> list[tuple[str, Field]]:
    """Every field of a record and of those inside it, by its path."""
    return [
        (f"{place.path}.{name}".lstrip("."), field)
        for place in places(record)
        for name, field in place.record.fields.items()
    ]
