"""A closed unit keeps its block, so that nobody else is given it, and has no place in the network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPNetwork

from province.hosts import built_hosts, load_environment, plan_for
from province.plan.model import Plan
from tests.support.repository import ROOT

BASE = ROOT / "tests/unit/register/base"
OPEN, CLOSED = "phuong-mot", "truong-cu"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Plan, dict[str, Any]]:
    """The plan of the small register, which has a closed unit, and the facts of the hosts built of it."""
    shutil.copytree(ROOT / "inventories", tmp_path / "inventories", symlinks=True)
    shutil.copytree(BASE, tmp_path / "inventories/registers/base")
    file = tmp_path / "inventories/lab/environment.yml"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("register: dien-bien", "register: base").replace(
        "[phuong-dien-bien-phu, van-phong-tinh-uy]", f"[{OPEN}]"
    )
    file.write_text(changed, encoding="utf-8")
    environment = load_environment(file)
    plan = plan_for(environment)
    hosts = built_hosts(environment, plan, {"hub-1": "hub's", f"{OPEN}-cpe-1": "gateway's"})
    return plan, {host.name: host.facts() for host in hosts}


def block(plan: Plan, unit: str) -> list[str]:
    found = next(entry for entry in plan.units if entry.id == unit)
    return [str(found.prefix4), str(found.prefix6)]


def test_a_closed_unit_keeps_its_block_and_has_no_machine(made: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = made
    states = {unit.id: unit.state for unit in plan.units}
    assert (states[OPEN], states[CLOSED]) == ("planned", "closed")
    assert block(plan, CLOSED) == ["10.96.1.0/24", "fd00:99:60:100::/56"]
    assert not [host.name for host in plan.hosts if host.owner == CLOSED]
    assert not [segment.id for segment in plan.segments if CLOSED in segment.id]
    assert not [peer for peer in plan.peers if peer.unit == CLOSED]


def test_the_block_of_a_closed_unit_is_neither_accepted_nor_announced(
    made: tuple[Plan, dict[str, Any]],
) -> None:
    plan, facts = made
    for host, way in (("edge-1", "accept"), ("hub-1", "announce")):
        told = [network for session in facts[host]["routing"]["neighbors"] for network in session[way]]
        assert set(block(plan, OPEN)) <= set(told), f"{host} must {way} the blocks of open units"
        assert not set(block(plan, CLOSED)) & set(told), f"{host} must not {way} the block of a closed unit"
    # Nor anywhere else, as long as no pool as a whole is meant.
    pool = next(IPNetwork(n) for n in block(plan, CLOSED))
    for name, told in facts.items():
        assert CLOSED not in json.dumps(told), name
        assert str(pool) not in json.dumps(told), name


def test_no_flow_begins_or_ends_in_the_block_of_a_closed_unit(made: tuple[Plan, dict[str, Any]]) -> None:
    plan, _ = made
    closed = [IPNetwork(network) for network in block(plan, CLOSED)]
    ends = {
        network
        for flow in plan.flows
        for end in (flow.source, flow.destination)
        for network in (*end.networks4, *end.networks6)
    }
    assert ends
    assert not [str(end) for end in ends if any(end in network or network in end for network in closed)]
