"""Facts where a province is large or has grown: what others are does not change what a unit is told."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from province.hosts import Host, built_hosts, load_environment, plan_for
from tests.support.country import write_country
from tests.support.repository import ROOT

BASE = ROOT / "tests/unit/register/base"


def hosts_of(folder: Path, register: str, *units: str) -> Mapping[str, Host]:
    """The lab, but of another register and with other units, whose keys are all known."""
    file = folder / "inventories/lab/environment.yml"
    text = (ROOT / "inventories/lab/environment.yml").read_text(encoding="utf-8")
    changed = text.replace("register: dien-bien", f"register: {register}").replace(
        "[phuong-dien-bien-phu, van-phong-tinh-uy]", f"[{', '.join(units)}]"
    )
    assert changed.count(register) == 1
    file.write_text(changed, encoding="utf-8")
    environment = load_environment(file)
    plan = plan_for(environment)
    return {h.name: h for h in built_hosts(environment, plan, {host.name: host.name for host in plan.hosts})}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An environment without a register."""
    (tmp_path / "inventories/lab").mkdir(parents=True)
    shutil.copytree(ROOT / "inventories/catalogue", tmp_path / "inventories/catalogue")
    return tmp_path


def test_a_units_machines_are_told_the_same_however_many_other_units_there_are(tree: Path) -> None:
    told = []
    for size in (3, 60):
        write_country(tree / "inventories/registers/country", size)
        built = hosts_of(tree, "country", *(f"don-vi-{number:05d}" for number in range(1, min(size, 40) + 1)))
        told.append({name: h.facts() for name, h in built.items() if h.planned.owner == "don-vi-00001"})
    few, many = told
    assert len(few) == 2
    assert few == many


def test_what_hosts_have_in_common_is_kept_once(tree: Path) -> None:
    """Else the facts of thousands of hosts would hold the same lists thousands of times."""
    write_country(tree / "inventories/registers/country", 30)
    built = hosts_of(tree, "country", "don-vi-00001", "don-vi-00002")
    one, other = (built[f"don-vi-0000{number}-cpe-1"].facts() for number in (1, 2))
    for key in ("search", "resolvers", "management_routes", "dns_own_zones", "dns_forward"):
        assert one[key]
        assert one[key] is other[key], key
    for ours, theirs in zip(one["firewall"]["forward"], other["firewall"]["forward"], strict=True):
        assert ours["destination4"] is theirs["destination4"]
        assert ours["source4"] != theirs["source4"]
    # Servers name all units in every rule of a flow, and a flow has rules for several protocols.
    rules = [rule for rule in built["resolver-1"].facts()["firewall"]["input"] if len(rule["source4"]) > 20]
    assert len(rules) > len({rule["flow"] for rule in rules})
    for flow in {rule["flow"] for rule in rules}:
        assert len({id(rule["source4"]) for rule in rules if rule["flow"] == flow}) == 1, flow


@pytest.fixture
def grown(tree: Path) -> Mapping[str, dict[str, Any]]:
    """A pool that goes on in a second network, and a unit whose IPv4 block others assigned."""
    register = tree / "inventories/registers/base"
    shutil.copytree(BASE, register)
    for file, old, new in (
        ("province.yml", "network4: 10.64.0.0/12\n", "network4: 10.64.0.0/23\n    more4: [10.112.0.0/23]\n"),
        ("units/all.yml", "sphere: party\n", "sphere: party\n    assigned4: 203.0.112.0/24\n"),
    ):
        text = (register / file).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (register / file).write_text(text.replace(old, new), encoding="utf-8")
    built = hosts_of(tree, "base", "phuong-mot", "xa-hai", "van-phong-tinh-uy")
    return {name: host.facts() for name, host in built.items()}


def test_a_hub_listens_wherever_a_built_unit_dials_from(grown: Mapping[str, dict[str, Any]]) -> None:
    listen = {name: grown[name]["routing"]["listen"] for name in ("hub-1", "hub-party-1")}
    told = {
        name: [
            (entry["range"], entry["group"], [m["description"] for m in entry["members"]]) for entry in own
        ]
        for name, own in listen.items()
    }
    assert told == {
        "hub-1": [
            ("10.64.0.0/23", "commune4", ["phuong-mot-cpe-1"]),
            ("10.112.0.0/23", "commune4-2", ["xa-hai-cpe-1"]),
            ("fd00:99:40::/44", "commune6", ["phuong-mot-cpe-1", "xa-hai-cpe-1"]),
        ],
        "hub-party-1": [
            ("203.0.112.0/24", "van-phong-tinh-uy-4", ["van-phong-tinh-uy-cpe-1"]),
            ("fd00:99:20::/44", "party6", ["van-phong-tinh-uy-cpe-1"]),
        ],
    }
    for entry in (*listen["hub-1"], *listen["hub-party-1"]):
        for member in entry["members"]:
            assert IPAddress(member["address"]) in IPNetwork(entry["range"])
            assert all(IPNetwork(block) in IPNetwork(entry["range"]) for block in member["accept"])


def test_servers_with_a_line_outside_find_blocks_of_others_inside(
    grown: Mapping[str, dict[str, Any]],
) -> None:
    server = next(i for i in grown["mirror-1"]["interfaces"] if i["routes"])
    inside = [IPNetwork(route["destination"]) for route in server["routes"]]
    for name, told in grown.items():
        for interface in told["interfaces"] if told["unit"] else ():
            for address in interface["addresses"] if interface["zone"] == "internal" else ():
                assert any(IPNetwork(address).ip in network for network in inside), (name, address)
    assert "203.0.112.0/24" in {str(network) for network in inside}
