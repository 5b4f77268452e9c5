"""The environment under test and what was planned for it: the one source of expected values.

Chosen by `pytest --environment=NAME` or PROVINCE_ENVIRONMENT, `lab` if neither says. Needs no machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from province.hosts import Environment, Host, built_hosts, load_environment, plan_for
from province.ledger import state_dir
from province.plan.model import Plan, PlannedHost, PlannedService, PlannedUnit

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "PROVINCE_ENVIRONMENT"


def name() -> str:
    """The name of the environment under test."""
    return os.environ.get(VARIABLE, "lab")


def state_directory() -> Path:
    """Where the environment keeps its keys and its logs; never inside the tree."""
    return state_dir(name())


def environment_file() -> Path:
    """The declaration of what is built."""
    return ROOT / "inventories" / name() / "environment.yml"


@cache
def environment() -> Environment:
    """The environment, loaded and checked."""
    return load_environment(environment_file())


@cache
def plan() -> Plan:
    """The plan of the environment's register, for every host of the province."""
    return plan_for(environment())


@cache
def built() -> tuple[Host, ...]:
    """The hosts of the plan that this environment has."""
    hosts = built_hosts(environment(), plan())
    assert hosts, f"{environment_file()} builds no host: there is nothing to check"
    return hosts


@cache
def facts(host: str) -> Mapping[str, Any]:
    """What the host is told: the facts that its roles are bound to."""
    return named(host).facts()


@cache
def named(host: str) -> Host:
    """A built host by its name."""
    return next(candidate for candidate in built() if candidate.name == host)


def in_group(*groups: str) -> tuple[str, ...]:
    """Names of the built hosts of some groups; never empty, since a check must not pass by absence."""
    names = tuple(host.name for host in built() if set(groups) & set(host.groups))
    assert names, f"no host of {name()} is in {' or '.join(groups)}: these checks would pass by absence"
    return names


def only(group: str) -> str:
    """The first member of a group, of units' machines that of the unit named first: when any will do."""
    units = environment().units
    owners = {host.name: host.planned.owner for host in built()}
    return min(in_group(group), key=lambda host: units.index(owners[host]) if owners[host] in units else 0)


def simulated(host: str) -> bool:
    """Whether the host stands in for something outside the province (carrier, Internet)."""
    return bool({"carrier", "probe"} & set(named(host).groups))


def ours() -> tuple[str, ...]:
    """Names of the built hosts that are the province's own: all but the simulated ones."""
    return tuple(host.name for host in built() if not simulated(host.name))


def planned(host: str) -> PlannedHost:
    """The plan's record of a host."""
    return named(host).planned


def unit(identifier: str) -> PlannedUnit:
    """The plan's record of a unit."""
    return next(candidate for candidate in plan().units if candidate.id == identifier)


def service(identifier: str) -> PlannedService:
    """The plan's record of a service."""
    return next(candidate for candidate in plan().services if candidate.id == identifier)


def management_address(host: str) -> str:
    """Where the controller reaches the host."""
    address: str = facts(host)["management"]["address4"]
    return address
