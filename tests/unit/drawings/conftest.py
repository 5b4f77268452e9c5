"""Provinces to draw: every committed register, and one with all that is hard to draw."""

from __future__ import annotations

import shutil
from functools import cache

import pytest

from province.sources import Sources, load_sources
from tests.support.repository import ROOT

REGISTERS = sorted(path.parent.name for path in (ROOT / "inventories/registers").glob("*/province.yml"))
# The longest that the register takes: an id of 50 characters, a name of 200 of the widest and the highest.
LONG_ID = "u" + "-w" * 24 + "m"
LONG_NAME = ("Ẫ" * 40 + " " + "W" * 60 + " " + "gỵ" * 50)[:200].strip()
DISTRICT = """
  - id: huyen-{n}
    code: H{n}
    index: {n}
    name: Huyện {n}
    kind: district
    sphere: government
    links: [{{access: copper, bandwidth_mbps: 7}}]
    services: [dns]
    contacts: [{{role: office, mailbox: vp.huyen-{n}}}]
    wave: {n}
    state: live
    level: 3
    level_basis: Một câu
"""


@cache
def committed(register: str) -> Sources:
    """A committed register, read and checked."""
    return load_sources(ROOT / "inventories/registers" / register)


@pytest.fixture(scope="session")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """A province of three tiers with long names and ids, two lines, closed units, every state and access."""
    folder = tmp_path_factory.mktemp("register") / "hard"
    shutil.copytree(ROOT / "inventories/registers/dien-bien", folder)
    communes = (folder / "units/communes.yml").read_text(encoding="utf-8")
    districts = "".join(DISTRICT.format(n=n) for n in range(1, 13))
    head, *records = communes.split("\n\n  - ")
    links = "links: [{access: fibre, bandwidth_mbps: 100}]"
    two = "links: [{access: satellite, bandwidth_mbps: 100000}, {access: mobile, bandwidth_mbps: 20}]"
    for place, record in enumerate(records):
        if place % 9 and "kind: commune" in record:
            record = record.replace("    kind:", f"    parent: huyen-{place % 9}\n    kind:", 1)
        if place % 4 == 1:
            record = record.replace(links, two).replace("state: planned", "state: provisioned")
        records[place] = record
    records[3] = records[3].replace("xa-muong-nhe", LONG_ID).replace(f"qtm.{LONG_ID}", "qtm.dai")
    records[3] = records[3].replace("name: Xã Mường Nhé", f"name: {LONG_NAME}")
    whole = "\n\n  - ".join([head, *records])
    (folder / "units/communes.yml").write_text(whole + districts, encoding="utf-8")
    return load_sources(folder)
