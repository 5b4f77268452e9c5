"""Plans of whole provinces against the same worked out by other code, as plain integers."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from province.sources import load_sources
from tests.benchmarks import integers
from tests.benchmarks.bench_plan import content
from tests.support.repository import ROOT

REGISTERS = sorted(path.parent.name for path in (ROOT / "inventories/registers").glob("*/province.yml"))


@pytest.mark.parametrize("name", REGISTERS)
def test_a_plan_is_what_plain_arithmetic_says(name: str) -> None:
    folder = ROOT / "inventories/registers" / name
    sources = load_sources(folder)
    known = sources.catalogue
    province = yaml.safe_load((folder / "province.yml").read_text(encoding="utf-8"))
    files = sorted((folder / "units").glob("*.yml"))
    units: list[dict[str, Any]] = [
        unit for file in files for unit in yaml.safe_load(file.read_text(encoding="utf-8"))["units"]
    ]
    order = list(province["pools"])
    units.sort(key=lambda unit: (order.index(known.kinds[unit["kind"]].pool), unit["index"]))
    offered = {service.id: service for service in known.services}
    taken = {}
    for app in sources.apps:
        if app.published:
            offered[app.id] = app.service(known.machines[app.record["machine"]].primary)
            taken[app.id] = app.taken_by(known.kinds), app.spheres, app.segments
    plan = sources.plan()
    assert len(plan.units) == len(units) > 50
    assert content((sources, plan)) == content(integers.plan(province, units, known, offered, taken))
