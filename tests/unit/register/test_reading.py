"""What the reader makes of a file, against YAML's own tree; shapes' quick tests; and bounds."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from province.register import catalogue, document, model
from province.register.document import Document, Path_, read_document
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
    sound,
)
from tests.support.repository import ROOT

FILES = sorted(
    path
    for folder in ("inventories/registers", "inventories/catalogue", "tests/unit/register/base")
    for path in (ROOT / folder).rglob("*.yml")
)


def places(node: yaml.Node, path: Path_ = ()) -> Iterator[tuple[Path_, int, Any]]:
    """Every part of a tree: its place, its line, and its text where it is a scalar."""
    yield path, node.start_mark.line + 1, node.value if isinstance(node, yaml.ScalarNode) else None
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from places(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from places(value, (*path, number))


def at(data: Any, path: Path_) -> Any:
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_part_of_a_file_is_found_with_its_line(file: Path) -> None:
    read = read_document(file, file.name, "REG")
    assert read.problems == []
    tree = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    assert tree is not None
    for path, line, text in places(tree):
        assert read.line(path) == line, path
        # What is not there stands where what is around it stands.
        assert read.line((*path, "nothing", 7)) == line, path
        value = at(read.data, path)
        if text is not None:
            written = (
                {True: "true", False: "false", None: ""}.get(value) if value in (True, False, None) else None
            )
            assert str(value) == text or written == text or value == float(text), path
        else:
            assert isinstance(value, dict | list)


SHAPES: Mapping[str, Shape] = {
    "text": Text(pattern="[a-z]+( [a-z]+)*", maximum=5),
    "name": model.NAME_VI,
    "integer": Integer(minimum=-2, maximum=3),
    "flag": Flag(),
    "date": Date(),
    "choice": Choice(("true", "a", "1")),
    "network4": Network(family=4, longest=30),
    "network6": Network(family=6, longest=64),
    "list": ListOf(item=Integer(minimum=0, maximum=1), minimum=1, maximum=3, unique=True),
    "record": Record("r", {"a": Field(Flag(), "a"), "b": Field(Choice(("x",)), "b", required=False)}),
    "map": MapOf(key=Text(pattern="[a-z]"), item=Flag(), minimum=1),
    "unit": model.UNIT,
    "catalogue": catalogue._SHAPES["services.yml"],
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-4, 5),
    st.floats(allow_nan=False, width=16),
    st.text(max_size=6),
    st.sampled_from([
        "a", "x", "true", "1", "ab cd", " a", "a ", "a\n", "Xã Mới", "Xa\u0303", "10.0.0.0/24", "10.0.0.1/24",
        "127.0.0.0/8", "fd00::/64", "fd00::/65", "2026-02-28", "2026-02-30", "20260228",
    ]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "b", "c", "id", "state"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_what_the_quick_test_takes_the_check_takes_and_the_other_way_round(name: str, value: Any) -> None:
    found = Document(file="x", family="REG")
    SHAPES[name].check(found, (), value)
    assert sound(SHAPES[name])(value) is (not found.problems)


def test_the_quick_test_takes_every_committed_register() -> None:
    """Otherwise it would only cost time."""
    units = [path for path in FILES if path.parent.name == "units"]
    assert len(units) > 5
    for path in units:
        assert sound(model.UNITS)(read_document(path, path.name, "REG").data)


ROWS = {
    "scalars": "- a\n",
    "empty mappings": "- {}\n",
    "mappings": "- a: b\n",
    "nested lists": "- [[]]\n",
    "one line": None,
}


@pytest.mark.parametrize("form", ROWS)
def test_a_million_rows_are_refused_before_they_fill_the_memory(form: str, tmp_path: Path) -> None:
    row = ROWS[form]
    (tmp_path / "x.yml").write_text(
        "units:\n" + row * 1_000_000 if row else "units: [" + "a, " * 1_000_000 + "]\n", encoding="utf-8"
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    read = read_document(tmp_path / "x.yml", "x.yml", "REG")
    after = resource.getrusage(resource.RUSAGE_SELF)
    (problem,) = read.problems
    assert problem.code == "REG-006"
    assert problem.found == f"more than {document.MAXIMUM_VALUES} values"
    assert read.data is None
    assert after.ru_maxrss - before.ru_maxrss < 600 * 1024
    # The bound is on work, not on this machine: a second or two anywhere.
    assert after.ru_utime - before.ru_utime < 60


def test_a_file_that_is_larger_than_it_says_is_read_to_the_bound_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.yml"
    file.write_text("a: " + "b" * 4000, encoding="utf-8")
    monkeypatch.setattr(document, "MAXIMUM_BYTES", 1000)
    (told,) = read_document(file, "x.yml", "REG").problems
    assert told.found == "4003 bytes"
    # A file that grows after it was asked, or one of those without a size.
    size = file.stat()
    monkeypatch.setattr(
        Path, "stat", lambda *_, **__: type("Stat", (), {"st_size": 0, "st_mode": size.st_mode})
    )
    (told,) = read_document(file, "x.yml", "REG").problems
    assert (told.code, told.found) == ("REG-006", "more than 1000 bytes")


def test_whoever_makes_the_same_mistake_everywhere_is_told_so_a_hundred_times(tmp_path: Path) -> None:
    units = "".join(f"  - {{ide: {number}}}\n" for number in range(3000))
    (tmp_path / "x.yml").write_text(f"units:\n{units}", encoding="utf-8")
    read = read_document(tmp_path / "x.yml", "x.yml", "REG")
    model.UNITS.check(read, (), read.data)
    assert len(read.problems) == document.MAXIMUM_PROBLEMS + 1
    assert read.full
    last = read.problems[-1]
    assert (last.code, last.found) == ("REG-006", "more than 100 problems in the file")
