"""The program with the environments of the tree: Pulumi gets what the plan says, no more and no less."""

from __future__ import annotations

import dataclasses
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pulumi
import pytest

from provider.resources import KINDS
from province.hosts import Environment, built_hosts, instances, load_environment, networks, plan_for
from province.plan.model import Plan, Zone
from province_stack import program as module
from province_stack.program import NOTHING_TO_MAKE, estate_args, from_environment_file, province_program
from tests.support.pulumi_mocks import made_by, of_type

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = sorted(ROOT.glob("inventories/*/environment.yml"))


@dataclasses.dataclass(frozen=True)
class Image:
    """A host image that nobody opens."""

    rootfs: Path = Path("/image/rootfs.tar")
    metadata: Path = Path("/image/metadata.tar")
    identity: str = "recipe-packages"


@pytest.fixture(scope="module", params=ENVIRONMENTS, ids=lambda path: path.parent.name)
def environment(request: pytest.FixtureRequest) -> Environment:
    return load_environment(request.param)


@pytest.fixture(scope="module")
def plan(environment: Environment) -> Plan:
    return plan_for(environment)


def test_there_are_environments_to_look_at() -> None:
    assert {path.parent.name for path in ENVIRONMENTS} >= {"lab", "production"}


def test_an_environment_is_its_bridges_and_its_hosts(environment: Environment, plan: Plan) -> None:
    made = made_by(province_program(environment, plan, Image()))
    counts = Counter(args.typ for args in made)
    bridges, hosts = len(networks(environment, plan)), len(built_hosts(environment, plan))
    assert hosts > 0
    assert counts == {
        "province:estate:Estate": 1,
        "pulumi:providers:incus": 1,
        "incus:index:Project": 1,
        **({"incus:index:StoragePool": 1} if environment.incus.own_pool else {}),
        "incus:index:Image": 1,
        "incus:index:Profile": 1,
        "province:network:Segment": bridges,
        "incus:index:Network": bridges,
        "province:compute:HostInstance": hosts,
        "incus:index:Instance": hosts,
    }


def test_only_management_networks_share_a_bridge(environment: Environment, plan: Plan) -> None:
    zones = {segment.id: segment.zone for segment in plan.segments}
    names = [network.name for network in networks(environment, plan)]
    assert len(set(names)) == len(names)
    for network in networks(environment, plan):
        shared = len(network.segment_ids) > 1
        assert not shared or {zones[segment] for segment in network.segment_ids} == {Zone.MANAGEMENT}


def test_the_host_of_incus_has_no_address_between_segments(environment: Environment, plan: Plan) -> None:
    """A host with addresses on two segments would route, or at least answer, between them."""
    made = of_type(made_by(province_program(environment, plan, Image())), "incus:index:Network")
    kinds = {network.name: network.kind for network in networks(environment, plan)}
    addressed = {
        name
        for name, inputs in made.items()
        if (inputs["config"]["ipv4.address"], inputs["config"]["ipv6.address"]) != ("none", "none")
    }
    assert addressed == {name for name, kind in kinds.items() if kind != "isolated"}
    assert {"management", "uplink"} >= {kinds[name] for name in addressed}


def test_every_host_has_the_interfaces_of_its_plan(environment: Environment, plan: Plan) -> None:
    """Tunnels are made inside the host, every other interface is a device on the segment's bridge."""
    made = of_type(made_by(province_program(environment, plan, Image())), "incus:index:Instance")
    bridge_of = {
        segment: network.name for network in networks(environment, plan) for segment in network.segment_ids
    }
    for host in built_hosts(environment, plan):
        # A host is told of the interfaces its environment gives it, of a probe's legs by themselves.
        facts = host.facts()
        told = [(i["name"], i["method"]) for i in facts["interfaces"]]
        told += [(leg["device"], "leg") for leg in facts.get("probe", {}).get("legs", [])]
        segments = {interface.name: interface.segment for interface in host.planned.interfaces}
        nics = {
            device["name"]: device["network"]
            for device in made[host.name]["devices"].values()
            if device["type"] == "nic"
        }
        assert nics == {name: bridge_of[segments[name]] for name, method in told if method != "tunnel"}


def test_every_mac_address_of_an_environment_is_its_own(environment: Environment, plan: Plan) -> None:
    made = of_type(made_by(province_program(environment, plan, Image())), "incus:index:Instance")
    addresses = [
        device["hwaddr"]
        for inputs in made.values()
        for device in inputs["devices"].values()
        if device["type"] == "nic"
    ]
    assert len(set(addresses)) == len(addresses) > 0


def test_the_provider_accepts_every_object(environment: Environment, plan: Plan) -> None:
    made = [args for args in made_by(province_program(environment, plan, Image())) if args.typ in KINDS]
    assert len(made) > len(built_hosts(environment, plan))
    assert {args.name: KINDS[args.typ].check(args.inputs)[1] for args in made} == {
        args.name: [] for args in made
    }


def test_memory_and_placement_are_the_environments(
    environment: Environment, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = tuple(dataclasses.replace(one, target=f"on-{one.name}") for one in instances(environment, plan))
    monkeypatch.setattr(module, "instances", lambda *_: placed)
    hosts = {host.name: host for host in estate_args(environment, plan, Image()).hosts}
    assert {name: (host.target, host.memory, host.needs) for name, host in hosts.items()} == {
        one.name: (one.target, one.memory, one.needs) for one in placed
    }


def test_hosts_that_exist_are_not_made(environment: Environment, plan: Plan) -> None:
    exported: dict[str, object] = {}
    existing = dataclasses.replace(environment, provider="none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi, "export", exported.__setitem__)
        assert made_by(province_program(existing, plan, None)) == []
    assert exported == {"message": NOTHING_TO_MAKE}


def test_a_host_image_is_wanted_where_instances_are_made(environment: Environment, plan: Plan) -> None:
    with pytest.raises(ValueError, match="needs the host image"):
        made_by(province_program(environment, plan, None))


def test_a_second_unit_adds_its_hosts_and_bridges_and_changes_no_other(
    environment: Environment, plan: Plan
) -> None:
    open_units = [
        unit.id for unit in plan.units if unit.id not in environment.units and unit.state != "closed"
    ]
    more = dataclasses.replace(environment, units=(*environment.units, open_units[0]))
    before = {
        (args.typ, args.name): args.inputs for args in made_by(province_program(environment, plan, Image()))
    }
    after = {
        (args.typ, args.name): args.inputs
        for args in made_by(province_program(more, plan_for(more), Image()))
    }
    added = after.keys() - before.keys()
    assert before.keys() <= after.keys()
    assert {typ for typ, _ in added} == {
        "province:network:Segment",
        "incus:index:Network",
        "province:compute:HostInstance",
        "incus:index:Instance",
    }
    changed = {key for key in before if before[key] != after[key]}
    # Its management network is reached over the one management bridge; the carrier gets a line to it, the
    # probe a leg in each of its networks.
    assert {typ for typ, _ in changed} <= {"incus:index:Network", "incus:index:Instance"}
    assert {name for typ, name in changed if typ == "incus:index:Network"} == {
        network.name for network in networks(environment, plan) if network.kind == "management"
    }
    simulated = {
        host.name for host in built_hosts(environment, plan) if host.planned.machine in environment.simulators
    }
    assert {name for typ, name in changed if typ == "incus:index:Instance"} <= simulated


def test_the_official_cli_runs_the_same_program(
    environment: Environment, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pulumi up` runs pulumi/__main__.py with the environment's name as the stack's."""
    import province.lab.image

    monkeypatch.setattr(province.lab.image, "cached_image", Image)
    monkeypatch.setattr(pulumi, "get_stack", lambda: environment.name)

    def seen(program: Any) -> list[tuple[str, str, Any]]:
        return sorted((args.typ, args.name, repr(args.inputs)) for args in made_by(program))

    wanted = seen(province_program(environment, plan, Image()))
    assert seen(lambda: runpy.run_path(str(ROOT / "pulumi/__main__.py"), run_name="__main__")) == wanted
    assert seen(from_environment_file(ROOT / "inventories" / environment.name / "environment.yml")) == wanted
