"""The trunk of a unit's gateway as text: the lab has no 802.1Q, so what networkd will read is checked.

Numbers are written here by hand, as an engineer sets them on a unit's switch.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest

from province.hosts import Environment
from province.plan.model import Plan, PlannedUnit
from province.render.configurations import Renderer, as_if_built, program_for, unit_gateways
from province.sources import Sources, load_sources
from tests.support.repository import ROOT

NUMBERS = {"staff": 10, "count": 20, "meet": 30, "guest": 40, "mgmt": 99}
NETWORKD = "etc/systemd/network"
REGISTERS = ("dien-bien", "hai-phong", "ba-ria-vung-tau-2012")


@cache
def planned(register: str) -> tuple[Sources, Plan]:
    """A register's sources and plan."""
    sources = load_sources(ROOT / "inventories/registers" / register)
    return sources, sources.plan()


@cache
def renderer(register: str, ports: str) -> tuple[Environment, Renderer]:
    """Renders a register's gateways; one for all units, since a program is read once."""
    sources, plan = planned(register)
    environment = replace(as_if_built(sources), unit_ports=ports)
    program = program_for(ROOT, ROOT / "inventories/common/group_vars")
    return environment, Renderer(program, environment, plan)


@cache
def files(register: str, unit: PlannedUnit, ports: str = "vlans") -> dict[str, str]:
    """What systemd-networkd reads on the gateway of a unit, by name."""
    environment, made = renderer(register, ports)
    (gateway,) = unit_gateways(environment, planned(register)[1], [unit.id])
    rendered = made.render(gateway)
    return {
        file.path.removeprefix("/").removeprefix(f"{NETWORKD}/"): file.content.decode()
        for file in rendered.files
        if file.path.removeprefix("/").startswith(NETWORKD)
    }


def some_units(register: str) -> list[PlannedUnit]:
    """The first and the last open unit of every kind."""
    kinds: dict[str, list[PlannedUnit]] = {}
    for unit in planned(register)[1].units:
        if unit.state != "closed":
            kinds.setdefault(unit.kind, []).append(unit)
    return [
        unit for units in kinds.values() for unit in {units[0].id: units[0], units[-1].id: units[-1]}.values()
    ]


def values(text: str, key: str) -> list[str]:
    """All values of a key."""
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("register", REGISTERS)
def test_every_network_of_a_unit_is_one_vlan_of_the_trunk_with_its_number(register: str) -> None:
    for unit in some_units(register):
        made = files(register, unit)
        netdevs = [text for name, text in made.items() if name.endswith(".netdev")]
        found = {values(text, "Name")[0]: int(values(text, "Id")[0]) for text in netdevs}
        assert found == NUMBERS == {s.name: s.vlan for s in unit.segments if s.vlan}
        assert len(netdevs) == len(NUMBERS)
        assert all(values(text, "Kind") == ["vlan"] for text in netdevs)
        assert sorted(values(made["05-lan.network"], "VLAN")) == sorted(NUMBERS)


@pytest.mark.parametrize("register", REGISTERS)
def test_addresses_stand_on_the_vlans_and_not_on_the_trunk(register: str) -> None:
    for unit in some_units(register):
        made = files(register, unit)
        for segment in unit.segments:
            if segment.vlan and segment.gateway4 is not None:
                addresses = values(made[f"10-{segment.name}.network"], "Address")
                wanted = {f"{segment.gateway4}/{segment.network4.prefixlen}", f"{segment.gateway6}/64"}
                assert set(addresses) == wanted
        trunk = made["05-lan.network"]
        assert values(trunk, "Address") == []
        assert values(trunk, "LinkLocalAddressing") == ["no"]
        assert values(trunk, "DHCP") == ["no"]
        assert values(trunk, "IPv6AcceptRA") == ["no"]


def test_the_line_of_the_carrier_and_tunnels_are_no_vlans() -> None:
    unit = some_units("dien-bien")[0]
    made = files("dien-bien", unit)
    assert "10-wan.network" in made
    assert not {name for name in made if name.endswith(".netdev")} & {"05-wan.netdev", "05-wg-hub1.netdev"}
    assert values(made["10-wan.network"], "VLAN") == []


def test_in_the_lab_each_network_has_an_interface_of_its_own() -> None:
    """Nothing but the trunk differs: the same interfaces, the same addresses."""
    unit = some_units("dien-bien")[0]
    trunk, bridges = files("dien-bien", unit), files("dien-bien", unit, "bridges")
    assert {name: text for name, text in trunk.items() if not name.startswith("05-")} == bridges
    assert [name for name in bridges if name.startswith("05-")] == []
