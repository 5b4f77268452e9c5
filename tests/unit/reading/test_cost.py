"""What a plan costs: counted by hand from the files, in whole numbers, with the province's own prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from netaddr import IPNetwork

from province.hosts import load_environment
from province.reading.cost import NOTHING, QUANTITIES, Cost, cost_of, public_addresses, size_of
from province.sources import load_sources
from tests.support.changes import MACHINES, PROVINCE, REGISTER, UNITS, text, tree
from tests.support.repository import ROOT, load

PRICES = {
    "line_mbps_month": 1_000,
    "core_year": 7,
    "memory_gib_year": 3,
    "disk_gib_year": 11,
    "public_address_year": 13,
}


def cost(folder: Path) -> Cost:
    """The cost of a tree's plan."""
    sources = load_sources(folder / REGISTER)
    return cost_of(sources.plan(), sources.register, sources.catalogue)


def add(folder: Path, **fields: Any) -> None:
    """Add fields to the province."""
    file = folder / PROVINCE
    file.write_text(file.read_text(encoding="utf-8") + yaml.safe_dump(fields), encoding="utf-8")


def counted(folder: Path) -> dict[str, int]:
    """The same by hand: from the files, and from what the catalogue says a centre and a unit have."""
    machines = load(folder / MACHINES)["machines"]
    units = [u for u in load(folder / UNITS)["units"] if u["state"] != "closed"]
    of_units = load(folder / "inventories/catalogue/kinds.yml")["machines"]
    numbers = {
        name: record["members"] * (len(units) if name in of_units else record["where"] == "centre")
        for name, record in machines.items()
    }
    lines = [link for u in units for link in u["links"]]
    sizes = {
        key: sum(number * machines[name][key] for name, number in numbers.items())
        for key in ("cores", "memory_mib", "disk_gib")
    }
    return {
        "machines": sum(numbers.values()),
        **sizes,
        "lines": len(lines),
        "line_mbps": sum(link["bandwidth_mbps"] for link in lines),
        "public_addresses": 0,
    }


def test_quantities_are_those_counted_by_hand(tmp_path: Path) -> None:
    found = cost(tree(tmp_path))
    assert found.totals == counted(tmp_path)
    assert list(found.totals) == list(QUANTITIES)
    assert sum(entry.count for entry in found.machines) == found.totals["machines"]
    assert sum(line.mbps for line in found.lines) == found.totals["line_mbps"] > 0
    assert all(type(number) is int for number in found.totals.values())


def test_without_prices_there_is_no_money(tmp_path: Path) -> None:
    found = cost(tree(tmp_path))
    assert (found.prices, found.vnd_year, found.unpriced) == ((), None, ())
    assert NOTHING.vnd_year is None


def test_no_price_is_in_the_repository() -> None:
    for file in (ROOT / "inventories/registers").glob("*/province.yml"):
        assert "prices" not in load(file), file


def test_money_is_quantities_times_the_prices_of_the_province(tmp_path: Path) -> None:
    add(tree(tmp_path), prices=PRICES)
    found = cost(tmp_path)
    totals = counted(tmp_path)
    by_price = {price.price: price.vnd_year for price in found.prices}
    assert by_price == {
        "line_mbps_month": totals["line_mbps"] * 12 * 1_000,
        "core_year": totals["cores"] * 7,
        "memory_gib_year": totals["memory_mib"] * 3 // 1024,
        "disk_gib_year": totals["disk_gib"] * 11,
        "public_address_year": 0,
    }
    assert totals["memory_mib"] % 1024 == 0, "otherwise the line above would have to round"
    assert found.vnd_year == sum(by_price.values())
    assert found.unpriced == ()


@pytest.mark.parametrize(
    ("memory", "price", "wanted"), [(512, 1, 1), (511, 1, 0), (1536, 1, 2), (1024, 5, 5)]
)
def test_a_part_of_a_gib_is_rounded_to_whole_dong_half_up(
    memory: int, price: int, wanted: int, tmp_path: Path
) -> None:
    folder = tree(tmp_path)
    (folder / UNITS).write_text("units: []\n", encoding="utf-8")
    sizes = {
        name: {"memory_mib": 1024 * 2} for name in load(folder / MACHINES)["machines"] if name != "carrier"
    }
    add(
        folder,
        machines={**sizes, "controller": {"memory_mib": 1024 + memory}},
        prices={"memory_gib_year": price},
    )
    found = cost(folder)
    whole = found.totals["memory_mib"] - memory
    assert whole % 1024 == 0
    assert found.vnd_year == whole // 1024 * price + wanted


def test_a_price_that_is_missing_is_named(tmp_path: Path) -> None:
    add(tree(tmp_path), prices={"core_year": 7})
    found = cost(tmp_path)
    assert found.unpriced == ("memory_mib", "disk_gib", "line_mbps", "public_addresses")
    assert found.vnd_year == counted(tmp_path)["cores"] * 7


def test_sizes_of_a_province_take_the_place_of_the_catalogues(tmp_path: Path) -> None:
    before = cost(tree(tmp_path))
    add(tmp_path, machines={"hub": {"cores": 16}, "unit_gateway": {"disk_gib": 32}})
    after = cost(tmp_path)
    sources = load_sources(tmp_path / REGISTER)
    hub = size_of(sources.catalogue.machines["hub"], sources.register)
    assert (hub.cores, hub.memory_mib) == (16, sources.catalogue.machines["hub"].memory_mib)
    machines = load(tmp_path / MACHINES)["machines"]
    assert after.totals["cores"] - before.totals["cores"] == 2 * (16 - machines["hub"]["cores"])
    open_units = [u for u in load(tmp_path / UNITS)["units"] if u["state"] != "closed"]
    more = len(open_units) * (32 - machines["unit_gateway"]["disk_gib"])
    assert after.totals["disk_gib"] - before.totals["disk_gib"] == more


def test_a_closed_unit_costs_nothing(tmp_path: Path) -> None:
    before = cost(tree(tmp_path))
    file = tmp_path / UNITS
    closed = text(
        ("    wave: 2\n    state: planned", "    wave: 2\n    state: closed\n    closed: 2026-07-01")
    )
    file.write_text(closed(file.read_text(encoding="utf-8")), encoding="utf-8")
    after = cost(tmp_path)
    assert before.totals["machines"] - after.totals["machines"] == 2
    assert before.totals["line_mbps"] - after.totals["line_mbps"] == 100


@pytest.mark.parametrize(
    ("network", "number"),
    [
        ("203.0.112.0/29", 8),
        ("10.0.0.0/24", 0),
        ("100.64.0.0/30", 0),
        ("198.51.100.0/24", 0),
        ("2001:db8::/56", 0),
        ("2620:4f:8000::/48", 0),  # everybody's (RFC 7534), and not scarce
    ],
)
def test_public_addresses_are_those_of_the_internet_alone(network: str, number: int) -> None:
    assert public_addresses([IPNetwork(network)]) == number


def test_public_addresses_of_a_unit_and_of_its_lines_are_counted_while_it_is_open(tmp_path: Path) -> None:
    file = tree(tmp_path) / UNITS
    services = "    services: [dns, ntp, packages]\n"
    lines = "    links: [{access: fibre, bandwidth_mbps: 100}]\n"
    given = text(
        (
            lines + services,
            lines.replace("100}", "100, assigned4: 203.0.111.64/30, assigned6: '2620:4f:8000::/64'}")
            + services
            + "    assigned4: 203.0.112.0/24\n    assigned6: '2620:4f:8000:100::/56'\n",
        )
    )
    file.write_text(given(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert cost(tmp_path).totals["public_addresses"] == 256 + 4
    closed = text(
        (
            "    wave: 2\n    state: planned\n    level: 2\n    level_basis: Infrastructure of one body\n\n"
            "  - id: truong-cu",
            "    wave: 2\n    state: closed\n    closed: 2026-07-01\n    level: 2\n"
            "    level_basis: Infrastructure of one body\n\n  - id: truong-cu",
        ),
    )
    file.write_text(closed(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert cost(tmp_path).totals["public_addresses"] == 0


def test_lines_are_listed_by_kind_whichever_a_register_names_first(tmp_path: Path) -> None:
    file = tree(tmp_path) / UNITS
    file.write_text(
        file.read_text(encoding="utf-8").replace("access: fibre", "access: satellite", 1), encoding="utf-8"
    )
    assert [(line.access, line.count) for line in cost(tmp_path).lines] == [("fibre", 4), ("satellite", 1)]


def test_production_gives_machines_what_the_catalogue_says_they_need() -> None:
    environment = load_environment(ROOT / "inventories/production/environment.yml")
    sources = environment.sources
    for name, number in environment.members.items():
        size = size_of(sources.catalogue.machines[name], sources.register)
        given = environment.sizes.get(name, environment.sizes["default"])
        assert number == 0 or given == f"{size.memory_mib // 1024}GiB", name
