"""Facts must not allow more than the plan says, also where a wider one would work as well."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPNetwork

from province.hosts import Host, built_hosts, load_environment, plan_for
from province.sources import load_sources

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "inventories/lab/environment.yml"
BASE = ROOT / "tests/unit/register/base"


@pytest.fixture(scope="module")
def hosts() -> tuple[Host, ...]:
    environment = load_environment(LAB)
    return built_hosts(environment, plan_for(environment), {})


def facts(hosts: tuple[Host, ...], machine: str) -> dict[str, Any]:
    return next(host for host in hosts if host.planned.machine == machine).facts()


def test_a_gateway_lets_through_what_comes_from_the_right_side_only(hosts: tuple[Host, ...]) -> None:
    told = facts(hosts, "unit_gateway")
    networks = {
        entry["name"]: [IPNetwork(address).cidr for address in entry["addresses"]]
        for entry in told["interfaces"]
    }
    checked = 0
    for rule in told["firewall"]["forward"]:
        for source in (*rule["source4"], *rule["source6"]):
            if rule["in"] in networks:
                assert any(IPNetwork(source) in network for network in networks[rule["in"]]), rule
                checked += 1
    assert checked


@pytest.mark.parametrize("machine", ["resolver", "unit_gateway", "ns"])
def test_names_are_told_to_planned_networks_only(hosts: tuple[Host, ...], machine: str) -> None:
    told = facts(hosts, machine)["dns_allow"]
    assert told
    for network in map(IPNetwork, told):
        assert network.prefixlen >= (24 if network.version == 4 else 56), network


def test_a_line_has_the_addresses_that_its_carrier_assigned(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path / "base")
    file = tmp_path / "base/units/all.yml"
    text = file.read_text(encoding="utf-8")
    marked = text.replace("bandwidth_mbps: 100}", "bandwidth_mbps: 100, assigned4: 198.51.100.4/30}", 1)
    assert marked != text
    file.write_text(marked, encoding="utf-8")
    networks = [str(s.network4) for s in load_sources(tmp_path / "base").plan().segments]
    assert networks.count("198.51.100.4/30") == 1
