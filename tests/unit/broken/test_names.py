"""Which names a person cannot tell apart, and that no province of the official list has two such."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

import pytest
from vietnam_provinces import Ward

from province.register.names import indistinct
from tests.support.broken import oracle

ALIKE = [
    ("Xã Hai", "XÃ HAI"),
    ("Xã Hai", "Xã hai"),
    ("Xã M'Drắk", "Xã M’Drắk"),
    ("Xã A–B", "Xã A-B"),
    ("Xã Ia Le", "Xã la Le"),
    ("Trạm 1", "Trạm I"),
    ("Trạm 1", "Trạm l"),
    ("Khu 0", "Khu O"),
    ("Xã Hòa Bình", "Xã Hoà Bình"),
    ("Phường Thủy Đường", "Phường Thuỷ Đường"),
    ("Phường Thúy Sơn", "Phường Thuý SƠN"),
    ("Xã  Hai", "Xã Hai"),
]
APART = [
    ("Xã Sơn Hà", "Xã Sơn Hạ"),
    ("Xã Ba Tơ", "Xã Ba Tô"),
    ("Xã Tân Thành", "Xã Tân Thạnh"),
    ("Xã Tân Thành", "Phường Tân Thành"),
    ("Trường số 1", "Trường số 2"),
    ("Xã Đa Lộc", "Xã Da Lộc"),
    ("Xã Là", "Xã Ia"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_the_same_are_found(one: str, other: str) -> None:
    assert list(indistinct([("", one, 1), ("", other, 2)])) == [(2, 1)]
    assert list(indistinct([("", other, 1), ("", "Xã Khác", 3), ("", one, 2)])) == [(2, 1)]
    assert list(indistinct([("above", one, 1), ("elsewhere", other, 2)])) == []


@pytest.mark.parametrize(("one", "other"), APART)
def test_names_that_differ_to_the_eye_are_left_alone(one: str, other: str) -> None:
    assert list(indistinct([("", one, 1), ("", other, 2)])) == []


def test_no_province_of_the_official_list_has_two_names_that_look_the_same() -> None:
    names = defaultdict(list)
    for ward in Ward.iter_all():
        names[ward.province_code].append(unicodedata.normalize("NFC", ward.name))
    assert len(names) == 34
    assert sum(map(len, names.values())) == 3321
    listed = [(province, name, name) for province, there in names.items() for name in there]
    assert list(indistinct(listed)) == []
    # All of one group: the sweep finds what comparing each with each finds.
    every = sorted({name for there in names.values() for name in there})[:600]
    swept = {frozenset(pair) for pair in indistinct([("", name, name) for name in every])}
    seen = {name: oracle.looks(name) for name in every}
    slowly = {
        frozenset((one, other))
        for one in every
        for other in every
        if one < other and (seen[one][0] == seen[other][0] or seen[one][1] == seen[other][1])
    }
    assert {name for pair in swept for name in pair} == {name for pair in slowly for name in pair}
