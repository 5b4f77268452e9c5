"""Whatever a file holds: a register or problems, never an exception of another kind."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from province.problems import Problem, ProblemsFoundError
from province.sources import load_sources

BASE = Path(__file__).parent / "base"
SOUND = (BASE / "units/all.yml").read_bytes()

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.text(max_size=8),
        st.sampled_from(
            ["10.64.0.0/30", "10.64.0.0/99", "::/64", "1.2.3.4", "commune", "phuong-mot", "{{ x }}"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    "id", "code", "index", "name", "kind", "parent", "sphere", "links", "services", "contacts", "wave",
    "state", "level", "level_basis", "org_code", "assigned4", "assigned6", "aliases", "closed", "successors",
    "returned",
]  # fmt: skip
PROVINCE = ["control_points", "machines", "prices", "id", "code", "name", "domain", "pools"]
POOL = ["network4", "more4", "network6", "block4", "block6", "carrier4", "carrier6", "asn", "letter"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        shutil.copytree(BASE, Path(made) / "any")
        yield Path(made) / "any"


def read(folder: Path, *, units: bytes = SOUND, province: bytes | None = None) -> None:
    """Load and plan; a problem is as good as a plan."""
    (folder / "units/all.yml").write_bytes(units)
    (folder / "province.yml").write_bytes(province or (BASE / "province.yml").read_bytes())
    found: tuple[Problem, ...] | None = None
    try:
        load_sources(folder).plan()
    except ProblemsFoundError as error:
        found = error.problems
    assert found != ()
    assert [problem for problem in found or () if "\n" in str(problem)] == []


SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SETTINGS
@given(data=st.binary(max_size=200))
def test_any_bytes_end_in_problems(folder: Path, data: bytes) -> None:
    read(folder, units=data)


@SETTINGS
@given(at=st.integers(0, len(SOUND) - 1), with_=st.binary(max_size=4), gone=st.integers(0, 8))
def test_a_sound_file_with_a_hole_or_a_stain_ends_in_words(
    folder: Path, at: int, with_: bytes, gone: int
) -> None:
    read(folder, units=SOUND[:at] + with_ + SOUND[at + gone :])


@SETTINGS
@given(value=VALUES)
def test_any_document_ends_in_problems(folder: Path, value: Any) -> None:
    read(folder, units=json.dumps({"units": value}).encode())


@SETTINGS
@given(field=st.sampled_from(FIELDS), which=st.integers(0, 4), value=VALUES)
def test_any_value_of_a_field_of_a_unit_ends_in_words(
    folder: Path, field: str, which: int, value: Any
) -> None:
    document = yaml.safe_load(SOUND)
    document["units"][which][field] = value
    read(folder, units=json.dumps(document, ensure_ascii=False).encode())


@SETTINGS
@given(pool=st.sampled_from(["centre", "commune", "school"]), field=st.sampled_from(POOL), value=VALUES)
def test_any_value_of_a_field_of_a_pool_ends_in_words(
    folder: Path, pool: str, field: str, value: Any
) -> None:
    document = yaml.safe_load((BASE / "province.yml").read_bytes())
    document["pools"][pool][field] = value
    read(folder, province=json.dumps(document, ensure_ascii=False).encode())


@SETTINGS
@given(field=st.sampled_from(PROVINCE), value=VALUES)
def test_any_value_of_a_field_of_the_province_ends_in_words(folder: Path, field: str, value: Any) -> None:
    document = yaml.safe_load((BASE / "province.yml").read_bytes())
    document[field] = value
    read(folder, province=json.dumps(document, ensure_ascii=False).encode())


@SETTINGS
@given(
    pool=st.sampled_from(["centre", "commune", "school"]),
    length4=st.integers(0, 32),
    length6=st.integers(0, 128),
    block4=st.integers(0, 33),
    block6=st.integers(0, 129),
)
def test_any_length_of_a_pool_ends_in_words(
    folder: Path, pool: str, length4: int, length6: int, block4: int, block6: int
) -> None:
    document = yaml.safe_load((BASE / "province.yml").read_bytes())
    document["pools"][pool] |= {
        "network4": f"192.0.0.0/{length4}",
        "network6": f"fc00::/{length6}",
        "block4": block4,
        "block6": block6,
    }
    read(folder, province=json.dumps(document).encode())
