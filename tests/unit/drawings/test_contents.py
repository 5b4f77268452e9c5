"""What the plan has is on the drawings; what is on them can be read by machines too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from province.drawings import drawing, drawings
from province.drawings.words import MACHINES, SEGMENTS, SERVICES, ZONES
from province.plan.model import Plan, Zone
from province.sources import Sources
from tests.support.drawings import SVG, faults, read
from tests.support.repository import ROOT
from tests.unit.drawings.conftest import REGISTERS, committed

UNIT = "phuong-dien-bien-phu"


def drawn(sources: Sources, of: str, view: str, unit: str = "", plan: Plan | None = None) -> str:
    """All that is written on the sheets of a drawing, without spaces: lines are broken anywhere."""
    sheets = drawing(plan or sources.plan(), sources.register, sources.catalogue, of, view, unit=unit)
    return re.sub(r"\s+", "", "".join(read(svg).words for svg in sheets))


def missing(words: str, wanted: Iterable[object]) -> list[str]:
    """What of the wanted is not written."""
    texts = [str(item) for item in wanted]
    assert texts
    return [text for text in texts if re.sub(r"\s+", "", text) not in words]


@pytest.fixture(scope="module")
def sources() -> Sources:
    return committed("dien-bien")


@pytest.fixture(scope="module")
def plan(sources: Sources) -> Plan:
    return sources.plan()


@pytest.mark.requirement("tcvn-14423/5.12.2.1-drawing")
@pytest.mark.parametrize("register", REGISTERS)
def test_the_logical_drawing_of_a_unit_has_its_segments_tunnels_and_services(register: str) -> None:
    sources = committed(register)
    plan = sources.plan()
    units = [unit for unit in plan.units if unit.state != "closed"]
    for unit in {units[0], units[len(units) // 2], units[-1]}:
        words = drawn(sources, "unit", "logical", unit.id)
        for segment in unit.segments:
            assert missing(words, [segment.network4, segment.network6, ZONES[segment.zone][0]]) == []
            assert not segment.vlan or f"VLAN{segment.vlan}" in words
            if segment.gateway4 is not None:
                assert missing(words, [segment.gateway4, segment.gateway6]) == []
        peers = [peer for peer in plan.peers if peer.unit == unit.id]
        assert len(peers) == 2
        for peer in peers:
            ends = [peer.gateway_address4, peer.gateway_address6, peer.hub_address4, peer.hub_address6]
            outer = [peer.endpoint4, peer.endpoint6, peer.port]
            assert missing(words, [peer.hub, peer.gateway, peer.gateway_interface, *ends, *outer]) == []
        taken = next(record for record in sources.register.units if record.id == unit.id).services
        for service in plan.services:
            if service.id in taken:
                asked = [*service.names, *service.addresses4, *service.addresses6]
                assert missing(words, [service.id, *asked]) == []
        assert missing(words, [unit.name, unit.code, unit.asn, unit.prefix4, unit.prefix6]) == []


def test_a_segment_says_which_services_it_may_ask(sources: Sources, plan: Plan) -> None:
    """The oracle is the plan's flows, resolved to addresses."""
    unit = next(unit for unit in plan.units if unit.id == UNIT)
    words = drawn(sources, "unit", "logical", UNIT)
    for segment in unit.segments:
        asked = [
            flow.service
            for flow in plan.flows
            if segment.name in flow.source.segments
            and any(network in segment.network4 for network in flow.source.networks4)
        ]
        assert not asked or "→" + ",".join(dict.fromkeys(asked)) in words


def test_a_unit_without_an_application_does_not_show_it(sources: Sources, plan: Plan) -> None:
    units = tuple(
        replace(unit, services=("dns",)) if unit.id == UNIT else unit for unit in sources.register.units
    )
    fewer = replace(sources, register=replace(sources.register, units=units))
    with_it, without = (drawn(one, "unit", "logical", UNIT, plan) for one in (sources, fewer))
    assert f"start.{plan.domain}" in with_it
    assert f"start.{plan.domain}" not in without


@pytest.mark.requirement("tcvn-14423/5.12.2.1-drawing")
@pytest.mark.parametrize("register", REGISTERS)
def test_the_physical_drawing_of_a_unit_has_its_lines_and_machines(register: str) -> None:
    sources = committed(register)
    plan = sources.plan()
    segments = {segment.id: segment for segment in plan.segments}
    units = [unit for unit in plan.units if unit.state != "closed"]
    for unit in {units[0], units[len(units) // 2], units[-1]}:
        words = drawn(sources, "unit", "physical", unit.id)
        hosts = [host for host in plan.hosts if host.owner == unit.id]
        assert {host.machine for host in hosts} == {"unit_gateway", "workstation"}
        for host in hosts:
            assert missing(words, [host.name]) == []
            for interface in host.interfaces:
                if interface.method == "static" and segments[interface.segment].owner != unit.id:
                    assert missing(words, interface.addresses) == []
                if interface.method == "static":
                    assert missing(words, interface.addresses[:1]) == []
        record = next(record for record in sources.register.units if record.id == unit.id)
        for number, link in enumerate(record.links):
            line = segments[f"carrier/{unit.id}-wan{number + 1 if number else ''}"]
            wanted = [line.network4, line.network6, line.gateway4, f"{link.bandwidth_mbps} Mbit/s"]
            assert missing(words, wanted) == []
        vlans = [segment for segment in unit.segments if segment.vlan]
        assert missing(words, [f"VLAN {s.vlan} · {s.name}" for s in vlans]) == []


@pytest.mark.requirement("tcvn-14423/5.12.2.1-drawing")
def test_the_logical_drawing_of_the_centre_has_its_machines_and_addresses(
    sources: Sources, plan: Plan
) -> None:
    words = drawn(sources, "centre", "logical")
    centre = [host for host in plan.hosts if host.owner == "centre"]
    assert len(centre) > 10
    for host in centre:
        for interface in host.interfaces:
            assert missing(words, [host.name, *(a.ip for a in (*interface.addresses, *interface.vips))]) == []
    for segment in plan.segments:
        if segment.owner == "centre":
            assert missing(words, [segment.name, segment.network4, segment.network6]) == []
    assert {segment.zone for segment in plan.segments} == set(Zone)
    assert missing(words, [name for name, _ in ZONES.values()]) == []


def test_every_flow_is_in_a_numbered_crossing_with_its_reason_and_owner(sources: Sources, plan: Plan) -> None:
    words = drawn(sources, "centre", "logical")
    for flow in plan.flows:
        assert missing(words, [flow.service, flow.reason, flow.owner]) == []
    sides = {
        (start, flow.source.zone, end, flow.destination.zone)
        for flow in sources.catalogue.flows
        for start in (("centre", "unit") if flow.source.at == "any" else (flow.source.at,))
        for end in (("centre", "unit") if flow.destination.at == "any" else (flow.destination.at,))
        if not flow.same_segment or start == end
    }
    first, *_ = drawing(plan, sources.register, sources.catalogue, "centre", "logical")
    root = ElementTree.fromstring(first)  # noqa: S314 - our own text, just made
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    # One more stands in the legend.
    assert len(arrows) == len(sides) + 1
    labels = Counter(area.name for area, _ in read(first).labels)
    assert [number for number in range(1, len(sides) + 1) if labels[str(number)] != 1] == []


@pytest.mark.requirement("tcvn-14423/5.12.2.1-drawing")
def test_the_physical_drawing_of_the_centre_has_ports_vlans_sizes_and_lines(
    sources: Sources, plan: Plan
) -> None:
    words = drawn(sources, "centre", "physical")
    segments = {segment.id: segment for segment in plan.segments}
    for host in (host for host in plan.hosts if host.owner == "centre"):
        machine = sources.catalogue.machines[host.machine]
        assert missing(words, [host.name, f"{machine.cores} nhân", f"{machine.disk_gib} GiB"]) == []
        for interface in host.interfaces:
            segment = segments[interface.segment]
            if segment.vlan or segment.owner == "carrier":
                assert missing(words, [interface.addresses[0].ip, segment.network4, segment.network6]) == []
            if segment.vlan:
                assert f"VLAN{segment.vlan}·{segment.name}" in words


def test_members_that_the_province_does_not_build_are_shown_as_reserved(sources: Sources, plan: Plan) -> None:
    machines = {"ns": {"members": 1, "cores": 9}}
    fewer = replace(sources, register=replace(sources.register, machines=machines))
    one = tuple(host for host in plan.hosts if host.name != "ns-2")
    assert len(one) == len(plan.hosts) - 1
    assert "dựphòng·reserved" not in drawn(sources, "centre", "physical")
    # Whether the plan still has the second member or leaves it out: its place is shown, as nobody else's.
    for given in (plan, replace(plan, hosts=one)):
        words = drawn(fewer, "centre", "physical", plan=given)
        assert words.count("dựphòng·reserved") == 1
        assert "ns-2" in words
        assert "9nhân" in words
        sheets = drawing(given, fewer.register, fewer.catalogue, "centre", "logical")
        assert "ns-2" in read(sheets[0]).words
        assert "reserved" in read(sheets[0]).words
        assert [faults(read(svg)) for svg in sheets] == [[] for _ in sheets]


@pytest.mark.requirement("tcvn-14423/5.12.2.1-drawing")
@pytest.mark.parametrize("register", REGISTERS)
def test_the_drawings_of_the_province_have_every_unit_and_line(register: str) -> None:
    sources = committed(register)
    plan = sources.plan()
    logical, physical = (drawn(sources, "province", view) for view in ("logical", "physical"))
    assert missing(logical, [unit.name for unit in plan.units]) == []
    assert missing(physical, [unit.name for unit in plan.units]) == []
    assert missing(logical, [unit.code for unit in plan.units]) == []
    units = [unit for unit in plan.units if unit.state != "closed"]
    assert missing(logical, [unit.prefix4 for unit in units]) == []
    hosts = {host.name: host for host in plan.hosts}
    tunnels = Counter(peer.hub for peer in plan.peers)
    for hub, number in tunnels.items():
        ends = [i.addresses[0].ip for i in hosts[hub].interfaces if i.method == "tunnel"]
        assert missing(logical, [hub, f"{number} đường hầm", *ends]) == []
    lines = [segment for segment in plan.segments if segment.owner == "carrier"]
    assert len(lines) >= len(units) + len(tunnels)
    assert missing(physical, [line.network4 for line in lines]) == []


def test_closed_units_stay_on_the_province_and_have_no_drawing_of_their_own(sources: Sources) -> None:
    units = tuple(
        replace(unit, state="closed") if unit.id == UNIT else unit for unit in sources.register.units
    )
    register = replace(sources.register, units=units)
    fewer = replace(sources, register=register)
    plan = fewer.plan()
    made = drawings(plan, register, sources.catalogue)
    assert [path for path in made if path.startswith(f"units/{UNIT}-")] == []
    for view in ("logical", "physical"):
        assert "Đãđóng" in drawn(fewer, "province", view, plan=plan)
        assert "PhườngĐiệnBiênPhủ" in drawn(fewer, "province", view, plan=plan)


def test_units_from_which_conferences_are_moderated_are_marked(sources: Sources) -> None:
    assert "controlpoint" not in drawn(sources, "province", "logical")
    moderating = replace(sources, register=replace(sources.register, control_points=(UNIT, "so-noi-vu")))
    assert drawn(moderating, "province", "logical").count("controlpoint") == 2


def test_drawings_can_stand_in_one_page_and_be_read_aloud(sources: Sources, plan: Plan) -> None:
    ids: Counter[str] = Counter()
    titles = set()
    made = drawings(plan, sources.register, sources.catalogue, "1a2b3c")
    for svg in made.values():
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own text, just made
        own = [element.get("id", "") for element in root.iter() if element.get("id")]
        ids.update(own)
        assert root.get("role") == "img"
        assert set((root.get("aria-labelledby") or "-").split()) <= set(own)
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(own)
        assert root.findtext(f"{SVG}desc")
        assert "1a2b3c" in read(svg).words
        titles.add(root.findtext(f"{SVG}title"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert len(titles) == len(made)


def test_what_a_name_holds_is_text_and_never_markup(sources: Sources, plan: Plan) -> None:
    name = 'Xã <script>alert(1)</script> & "x" ]]> \x07\x00 \''
    units = tuple(replace(unit, name=name) if unit.id == UNIT else unit for unit in plan.units)
    for view in ("logical", "physical"):
        (svg,) = drawing(
            replace(plan, units=units), sources.register, sources.catalogue, "unit", view, unit=UNIT
        )
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own text, just made
        assert {element.tag for element in root.iter()} & {f"{SVG}script", "script"} == set()
        assert "<script>alert(1)</script>" in (root.findtext(f"{SVG}title") or "")


def test_the_same_plan_gives_the_same_bytes_and_no_date() -> None:
    program = (
        "import hashlib, pathlib; from province.sources import load_sources;"
        "from province.drawings import drawings;"
        "s = load_sources(pathlib.Path('inventories/registers/dien-bien'));"
        "d = drawings(s.plan(), s.register, s.catalogue);"
        "print(list(d)[:5], hashlib.sha256(repr(d).encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Ho_Chi_Minh"))
    }
    assert len(said) == 1


def test_everything_of_the_catalogue_has_a_vietnamese_name(sources: Sources, plan: Plan) -> None:
    catalogue = sources.catalogue
    assert [name for name in catalogue.machines if name not in MACHINES] == []
    named = [s.name for s in catalogue.centre] + [s.name for s in catalogue.unit]
    assert [name for name in named if name not in SEGMENTS] == []
    assert [service.id for service in plan.services if service.id not in SERVICES] == []
