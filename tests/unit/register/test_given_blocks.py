"""Blocks that others give, pools that go on, days: what the register accepts, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPNetwork

from province.problems import ProblemsFoundError
from province.register.model import Register, Unit
from province.sources import Sources, load_sources
from tests.support.changes import PROVINCE, REGISTER, UNITS, text, tree

CLOSED = 'state: closed\n    closed: "2025-06-30"'
GIVEN = "assigned4: 172.16.8.0/22"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path)


def change(folder: Path, file: str, *pairs: tuple[str, str]) -> Sources:
    path = folder / file
    path.write_text(text(*pairs)(path.read_text(encoding="utf-8")), encoding="utf-8")
    return load_sources(folder / REGISTER)


def unit(register: Register, ident: str) -> Unit:
    return next(unit for unit in register.units if unit.id == ident)


def to(ident: str, field: str) -> tuple[str, str]:
    return f"  - id: {ident}\n", f"  - id: {ident}\n    {field}\n"


def test_a_block_given_from_outside_takes_the_place_of_the_one_of_the_index(folder: Path) -> None:
    before = load_sources(folder / REGISTER).plan()
    sources = change(folder, UNITS, to("phuong-mot", GIVEN), to("xa-hai", 'assigned6: "2001:db8:a000::/48"'))
    after = {planned.id: planned for planned in sources.plan().units}
    assert unit(sources.register, "phuong-mot").assigned4 == IPNetwork("172.16.8.0/22")
    assert str(after["phuong-mot"].prefix4) == "172.16.8.0/22"
    assert str(after["xa-hai"].prefix6) == "2001:db8:a000::/48"
    for planned in before.units:
        if planned.id not in ("phuong-mot", "xa-hai"):
            assert str(after[planned.id].prefix4) == str(planned.prefix4)
        if planned.id != "xa-hai":
            assert str(after[planned.id].prefix6) == str(planned.prefix6)


def test_what_a_closed_unit_gave_back_is_another_units_and_what_it_did_not_is_not(folder: Path) -> None:
    given = (to("truong-cu", GIVEN), to("xa-hai", "assigned4: 172.16.9.0/24"))
    with pytest.raises(ProblemsFoundError, match=r"REG-041 .*172\.16\.9\.0/24"):
        change(folder, UNITS, *given)
    register = change(folder, UNITS, (CLOSED, f'{CLOSED}\n    returned: "2025-07-31"')).register
    assert unit(register, "truong-cu").returned == "2025-07-31"
    assert unit(register, "xa-hai").assigned4 == IPNetwork("172.16.9.0/24")


def test_the_line_of_a_closed_unit_is_free_once_it_is_given_back(folder: Path) -> None:
    lines = [
        (f"bandwidth_mbps: {rate}}}", f"bandwidth_mbps: {rate}, assigned4: 198.51.100.4/30}}")
        for rate in (50, 100)
    ]
    with pytest.raises(ProblemsFoundError, match=r"REG-033 .*198\.51\.100\.4/30"):
        change(folder, UNITS, *lines)
    change(folder, UNITS, (CLOSED, f'{CLOSED}\n    returned: "2025-06-30"'))


def test_a_full_pool_goes_on_in_further_networks_and_nobody_moves(folder: Path) -> None:
    register = change(folder, PROVINCE, ("10.64.0.0/12\n", "10.64.0.0/22\n")).register
    pool = register.pools["commune"]
    assert (pool.capacity, pool.networks4) == (4, (IPNetwork("10.64.0.0/22"),))
    more = [IPNetwork("10.112.0.0/23"), IPNetwork("10.120.0.0/24")]
    grown = change(
        folder, PROVINCE, ("10.64.0.0/22\n", "10.64.0.0/22\n    more4: [10.112.0.0/23, 10.120.0.0/24]\n")
    )
    pool = grown.register.pools["commune"]
    assert (pool.capacity, pool.networks4) == (7, (IPNetwork("10.64.0.0/22"), *more))
    assert replace(pool, more4=()).capacity == 4
    for index, block in ((3, "10.64.3.0/24"), (4, "10.112.0.0/24"), (6, "10.120.0.0/24")):
        path = folder / UNITS
        sound = path.read_text(encoding="utf-8")
        path.write_text(sound.replace("    index: 2\n", f"    index: {index}\n", 1), encoding="utf-8")
        units = {planned.id: planned for planned in load_sources(folder / REGISTER).plan().units}
        assert str(units["xa-hai"].prefix4) == block
        assert str(units["phuong-mot"].prefix4) == "10.64.1.0/24"
        path.write_text(sound, encoding="utf-8")
    with pytest.raises(ProblemsFoundError, match=r"REG-027 .*ends with 6"):
        change(folder, UNITS, ("    index: 2\n", "    index: 7\n"))


def test_the_name_of_a_closed_unit_is_free_for_another(folder: Path) -> None:
    """A merger or a split often keeps the name of one of those that it ends."""
    named = to("xa-hai", "parent: huyen-dong"), ("name: Xã Hai", "name: Phường Một")
    with pytest.raises(ProblemsFoundError, match=r"REG-042 .*Phường Một"):
        change(folder, UNITS, *named)
    path = folder / UNITS
    before, mark, after = path.read_text(encoding="utf-8").partition("  - id: phuong-mot\n")
    closed = after.replace("state: planned", 'state: closed\n    closed: "2025-06-30"', 1)
    path.write_text(f"{before}{mark}{closed}", encoding="utf-8")
    assert [u.state for u in load_sources(folder / REGISTER).register.units if u.name == "Phường Một"] == [
        "closed", "planned",
    ]  # fmt: skip


@pytest.mark.parametrize("day", ["2024-02-29", '"2025-07-01"'])
def test_a_day_is_text_quoted_or_not(folder: Path, day: str) -> None:
    register = change(folder, UNITS, ('"2025-06-30"', day)).register
    assert unit(register, "truong-cu").closed == day.strip('"')


@pytest.mark.parametrize("day", ["2023-02-29", "20250701", "2025-7-1", "2025-W27-2", "0000-01-01", "hôm nay"])
def test_what_is_no_day_of_the_calendar_is_refused(folder: Path, day: str) -> None:
    with pytest.raises(ProblemsFoundError, match=r"REG-01[289] .*closed"):
        change(folder, UNITS, ('"2025-06-30"', day))


def test_former_names_successors_sizes_prices_and_control_points_are_read(folder: Path) -> None:
    change(
        folder,
        UNITS,
        to(
            "xa-hai",
            "aliases: [{name: Xã Nhì, until: 2024-01-01, by: rename, code: '99000'}, "
            "{name: Trường Cũ, until: 2025-06-30, by: merge, unit: truong-cu}]",
        ),
        to("truong-cu", "successors: [xa-hai]"),
    )
    path = folder / PROVINCE
    path.write_text(
        path.read_text(encoding="utf-8")
        + "control_points: [so-noi-vu]\nmachines: {mirror: {disk_gib: 900, members: 1}}\n"
        + "prices: {core_year: 1200000}\n",
        encoding="utf-8",
    )
    register = load_sources(folder / REGISTER).register
    aliases = unit(register, "xa-hai").aliases
    assert [(a.name, a.until, a.by, a.code, a.unit) for a in aliases] == [
        ("Xã Nhì", "2024-01-01", "rename", "99000", ""),
        ("Trường Cũ", "2025-06-30", "merge", "", "truong-cu"),
    ]
    assert unit(register, "truong-cu").successors == ("xa-hai",)
    assert register.control_points == ("so-noi-vu",)
    assert register.machines == {"mirror": {"disk_gib": 900, "members": 1}}
    assert register.prices == {"core_year": 1200000}
