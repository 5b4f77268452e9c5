"""The screen at the end of `make up`: short whatever the province's size, and true for each host on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from province.hosts import Environment, Host, built_hosts, load_environment, plan_for
from province.lab.summary import management_address, text
from tests.support.country import write_environment
from tests.support.repository import ROOT

SCREEN = 40  # lines; ten of progress come before


def screen(environment: Environment) -> tuple[list[str], tuple[Host, ...]]:
    plan = plan_for(environment)
    hosts = built_hosts(environment, plan, {})
    return text(environment, plan, hosts).splitlines(), hosts


def test_every_host_of_the_lab_is_on_the_screen_with_the_address_it_is_reached_by() -> None:
    lines, hosts = screen(load_environment(ROOT / "inventories/lab/environment.yml"))
    table = [line for line in lines if line.startswith("  ") and "10." in line]
    listed = {
        name: at
        for line in table
        for names, addresses in [line.strip().split("  ", 1)]
        for name, at in zip(names.split(", "), addresses.strip().split("  ")[0].split(", "), strict=True)
    }
    assert listed == {host.name: management_address(host) for host in hosts}
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 120


def test_a_province_of_many_units_is_one_screen_as_well_and_the_rest_is_counted(tmp_path: Path) -> None:
    environment = load_environment(write_environment(tmp_path, 300))
    lines, hosts = screen(environment)
    assert len(lines) <= SCREEN
    (more,) = [line for line in lines if "more units" in line]
    assert more.split()[:2] == ["and", str(2 * 296)]
    assert f"{len(hosts)} hosts" in lines[0]
    assert [line for line in lines if "don-vi-00004-cpe-1" in line]
    assert not [line for line in lines if "don-vi-00005" in line]


def test_commands_of_another_environment_name_it() -> None:
    lab = load_environment(ROOT / "inventories/lab/environment.yml")
    lines, _ = screen(replace(lab, name="other"))
    commands = [line for line in lines if line.startswith("  make ")]
    assert commands
    assert all(" ENV=other" in line for line in commands)
