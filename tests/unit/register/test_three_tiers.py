"""A province of three tiers, out of the last official list that knew them: tiers are parents, no more."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

from netaddr import IPNetwork

from province.new import read_divisions, register_files
from province.register.model import Register, Unit
from province.sources import Sources, load_sources
from tests.support.repository import ROOT

REGISTERS = ROOT / "inventories/registers"
COMMITTED = REGISTERS / "ba-ria-vung-tau-2012"


@cache
def sources() -> Sources:
    return load_sources(COMMITTED)


def of_pool(name: str) -> list[Unit]:
    kinds = sources().catalogue.kinds
    return [unit for unit in sources().register.units if kinds[unit.kind].pool == name]


def test_the_province_has_8_divisions_of_the_second_tier_and_82_of_the_third() -> None:
    assert Counter(unit.kind for unit in of_pool("district")) == {
        "district": 5,
        "provincial_city": 2,
        "town": 1,
    }
    assert Counter(unit.kind for unit in of_pool("commune")) == {"commune": 47, "township": 6, "ward": 29}
    assert {unit.parent for unit in of_pool("district")} == {None}


def test_every_division_of_the_third_tier_stands_below_one_of_the_second() -> None:
    above = Counter(unit.parent for unit in of_pool("commune"))
    assert above == {
        "thanh-pho-vung-tau": 17,
        "thanh-pho-ba-ria": 11,
        "huyen-chau-duc": 16,
        "huyen-xuyen-moc": 13,
        "huyen-long-dien": 7,
        "huyen-dat-do": 8,
        "thi-xa-phu-my": 10,
    }
    assert {unit.id for unit in of_pool("district")} - set(above) == {"huyen-con-dao"}, (
        "an island without any"
    )


def test_the_committed_register_is_what_the_command_writes_of_its_divisions(tmp_path: Path) -> None:
    """The old list stands in no environment of the tests; its divisions stand in the register."""
    kinds = {kind.id: kind.title["vi"].lower() for kind in sources().catalogue.kinds.values()}
    units = [*of_pool("district"), *of_pool("commune")]
    codes = {unit.id: unit.code for unit in units}
    listed = {
        "id": "ba-ria-vung-tau-2012",
        "code": "77",
        "name": "Tỉnh Bà Rịa - Vũng Tàu",
        "source": "package vietnam-provinces 0.4.3",
        "slot": 40,
        "bodies": "bodies-three-tiers.yml",
        "units": [
            {
                "code": unit.code,
                "name": unit.name,
                "type": kinds[unit.kind],
                "parent": codes[unit.parent] if unit.parent else None,
            }
            for unit in units
        ],
    }
    file = tmp_path / "list.json"
    file.write_text(json.dumps(listed, ensure_ascii=False), encoding="utf-8")
    written = register_files(read_divisions(file))
    assert {p.relative_to(COMMITTED).as_posix() for p in COMMITTED.rglob("*.yml")} == set(written)
    for name, text in written.items():
        assert (COMMITTED / name).read_text(encoding="utf-8") == text


def networks(register: Register) -> list[IPNetwork]:
    return [
        network
        for pool in register.pools.values()
        for network in (*pool.networks4, pool.network6, pool.carrier4, pool.carrier6)
    ]


def test_the_committed_registers_share_no_address_number_or_domain() -> None:
    made = [load_sources(path.parent).register for path in sorted(REGISTERS.glob("*/province.yml"))]
    assert {"dien-bien", "hai-phong", "ba-ria-vung-tau-2012"} <= {register.id for register in made}
    assert len({register.domain for register in made}) == len(made)
    spans = [(int(n.version), n.first, n.last) for register in made for n in networks(register)]
    spans += [
        (0, pool.asn, pool.asn + pool.capacity - 1) for register in made for pool in register.pools.values()
    ]
    for one, other in pairwise(sorted(spans)):
        assert one[0] != other[0] or one[2] < other[1]
