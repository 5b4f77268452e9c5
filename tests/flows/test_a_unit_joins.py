"""A unit is added to the register: it shows in plan, stack and inventory, and touches few machines.

The story is told on a copy: register, environment and keys are copied to a folder that is thrown away, and
the unit is added there. The stack is previewed by the real engine against the living estate, and Ansible
looks at the living hosts in check mode; neither changes anything. Its hubs alone are really told of it, and
forget it again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from province.cli import main
from province.hosts import Environment, Host, built_hosts, instances, load_environment, networks, plan_for
from province.lab.engine import engine_root
from province.lab.image import cached_image
from province.ledger import Ledger, state_dir
from province.plan.model import Plan, PlannedUnit
from tests.support import environment
from tests.support.environment import ROOT
from tests.support.places import batch_all

JOINS = "xa-kiem-thu"
SETTLED = environment.unit(environment.facts(environment.only("unit_gateway"))["unit"])


@dataclass(frozen=True)
class World:
    """A register with an environment, and what follows from them."""

    environment: Environment
    plan: Plan
    hosts: dict[str, Host]

    @classmethod
    def of(cls, file: Path) -> World:
        """Read and plan."""
        declared = load_environment(file)
        plan = plan_for(declared)
        return cls(declared, plan, {host.name: host for host in built_hosts(declared, plan)})


@dataclass(frozen=True)
class Joined:
    """Before and after, and where the copy is."""

    before: World
    after: World
    declared: Path
    state: Path

    @property
    def unit(self) -> PlannedUnit:
        """The unit that joined."""
        return next(unit for unit in self.after.plan.units if unit.id == JOINS)

    @property
    def new_hosts(self) -> set[str]:
        """Hosts that are built for it."""
        return set(self.after.hosts) - set(self.before.hosts)

    @property
    def told_otherwise(self) -> set[str]:
        """Hosts that were there and whose facts are others now."""
        return {
            name for name, host in self.before.hosts.items() if host.facts() != self.after.hosts[name].facts()
        }


def _add(registers: Path, declared: Path) -> None:
    """Add the unit to the copy as an engineer would: by the command, and a line of the environment."""
    words = ["--kind", SETTLED.kind, "--name", "Xã Kiểm Thử", "--id", JOINS, "--code", "99999"]
    assert main(["unit", "add", str(registers), *words]) == 0
    content = yaml.safe_load(declared.read_text(encoding="utf-8"))
    content["units"].append(JOINS)
    declared.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """The province with one unit more, in a folder of its own."""
    before = World.of(environment.environment_file())
    name = environment.name()
    folder = tmp_path_factory.mktemp("province")
    shutil.copytree(ROOT / "inventories", folder / "inventories", symlinks=True)
    for linked in ("apps", "playbooks", "roles", "province"):
        (folder / linked).symlink_to(ROOT / linked)
    shutil.copytree(state_dir(name), folder / "state" / name, ignore=shutil.ignore_patterns("logs", "lock"))
    declared = folder / "inventories" / name / "environment.yml"
    _add(folder / "inventories" / "registers" / before.plan.province, declared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVINCE_STATE_DIR", str(folder / "state"))
        ledger = Ledger.open(state_dir(name))
        # The key pairs of its gateway are made as `make up` makes them, in the copy of the ledger.
        ledger.ensure_for_hosts(_tunnel_ends(World.of(declared)))
        yield Joined(before, World.of(declared), declared, folder / "state")


def _tunnel_ends(world: World) -> list[str]:
    return [name for name, host in world.hosts.items() if "wireguard" in host.planned.roles]


def test_the_plan_has_one_unit_more_and_moved_nobody(joined: Joined) -> None:
    """Addresses are arithmetic on the unit's own index: everybody else's stay."""
    before, after = joined.before.plan, joined.after.plan
    assert [unit for unit in after.units if unit.id != JOINS] == list(before.units)
    kept = {host.name: host for host in after.hosts if host.owner != JOINS}
    assert set(kept) == {host.name for host in before.hosts}
    for host in before.hosts:
        # The stand-in for all carriers gets one more line; its old ones stay too.
        assert set(host.interfaces) <= set(kept[host.name].interfaces)
        assert host.owner == "carrier" or host == kept[host.name]
    taken = [block for unit in before.units for block in (unit.prefix4, unit.prefix6)]
    assert [block for block in taken if block in joined.unit.prefix4 or joined.unit.prefix4 in block] == []
    assert [block for block in taken if block in joined.unit.prefix6 or joined.unit.prefix6 in block] == []
    assert {peer.unit for peer in after.peers} - {peer.unit for peer in before.peers} == {JOINS}


def test_the_stack_would_make_its_machines_and_networks_and_replace_nothing(joined: Joined) -> None:
    """A preview by the real engine, on a copy of the stack's state, against the living estate."""
    from province_stack.runner import Stack

    def things(world: World) -> dict[str, Any]:
        hosts = {f"Instance {found.name}": found for found in instances(world.environment, world.plan)}
        return hosts | {f"Network {found.name}": found for found in networks(world.environment, world.plan)}

    before, after = things(joined.before), things(joined.after)
    created = set(after) - set(before)
    updated = {name for name, thing in before.items() if after.get(name) != thing}
    assert {f"Instance {host}" for host in joined.new_hosts} <= created
    engine = engine_root()
    assert engine is not None, "no Pulumi engine on this machine: `make up` builds it"
    stack = Stack.of(joined.after.environment, joined.after.plan, cached_image(), engine=engine)
    operations = dict(stack.preview().operations)
    assert operations.pop("create") == len(created)
    assert operations == ({"update": len(updated)} if updated else {})


def test_the_inventory_has_its_machines_in_their_groups(joined: Joined) -> None:
    """What Ansible itself reads, with the variables that group_vars bind."""
    told = _ansible(joined, "ansible-inventory", joined.declared, "--list")
    inventory = json.loads(told.stdout)
    for name in joined.new_hosts:
        host = joined.after.hosts[name]
        # Ansible marks what a plugin gave it, so that it never becomes a template.
        assert inventory["_meta"]["hostvars"][name]["province_unit"] == {"__ansible_unsafe": JOINS}
        assert {group for group in host.groups if name in inventory[group].get("hosts", [])} == set(
            host.groups
        )
    assert set(inventory["_meta"]["hostvars"]) == set(joined.after.hosts)


def test_only_machines_that_are_told_otherwise_are_touched(joined: Joined) -> None:
    """Ansible in check mode over every living host, as if the unit were there.

    The hub gets a peer and the name server names; the unit that was there before gets nothing.
    """
    touched = _touched(joined, joined.declared)
    unexplained = touched - joined.told_otherwise
    if unexplained:
        drifted = _touched(joined, environment.environment_file())
        assert not drifted, (
            f"{sorted(drifted)} differ from the plan before any unit joins: `make converge` first"
        )
    assert not unexplained, "touched, although nothing that they are told has changed"
    assert touched >= {environment.only("hub"), environment.only("ns")}
    assert not touched & {name for name in joined.before.hosts if environment.facts(name)["unit"]}


@dataclass(frozen=True)
class Hub:
    """What a hub is made of that may not end when it gets another peer, and its peers."""

    processes: frozenset[str]  # name, number and moment of the start
    sessions: dict[str, int]  # neighbours by address, with how many sessions there have been
    peers: frozenset[str]


def test_it_costs_each_of_its_hubs_one_peer_and_no_restart(joined: Joined) -> None:
    """Daemons are the same processes before and after, and nobody else's session ends."""
    hubs = sorted(
        {peer.hub for peer in joined.after.plan.peers if peer.unit == JOINS} & set(joined.before.hosts)
    )
    assert len(hubs) == joined.before.environment.members["hub"]
    layer = str(ROOT / "playbooks/layers/network.yml")
    before = _hubs(hubs)
    try:
        _ansible(joined, "ansible-playbook", joined.declared, layer, "--limit", ",".join(hubs))
        with_it = _hubs(hubs)
    finally:
        _ansible(joined, "ansible-playbook", environment.environment_file(), layer, "--limit", ",".join(hubs))
    after = _hubs(hubs)
    (own,) = {
        tunnel["key"].removeprefix("wireguard/")
        for name in joined.new_hosts
        for tunnel in joined.after.hosts[name].facts().get("wireguard", [])
    }
    key = Ledger.open(joined.state / environment.name()).public(f"wireguard/{own}")
    for hub in hubs:
        names = {process.split()[0] for process in before[hub].processes}
        assert names >= {"bgpd", "zebra", "bfdd", "conntrackd"}
        assert "wireguard-go" in names or joined.before.environment.wireguard == "kernel"
        assert before[hub].sessions
        assert with_it[hub].peers == before[hub].peers | {key}
        assert after[hub].peers == before[hub].peers
        for seen in (with_it[hub], after[hub]):
            assert seen.processes == before[hub].processes
            assert {address: seen.sessions.get(address) for address in before[hub].sessions} == (
                before[hub].sessions
            )


def _hubs(names: list[str]) -> dict[str, Hub]:
    daemons = "wireguard-go|bgpd|zebra|bfdd|conntrackd"
    stat = "/proc/$number/stat"  # its 22nd word: the start, in ticks since the machine's
    shown = batch_all(
        names,
        {
            "processes": f"for number in $(pgrep -x '{daemons}'); do cut -d' ' -f1,2,22 {stat}; done",
            "sessions": "vtysh -c 'show bgp summary json'",
            "peers": "wg show wg0 peers",
        },
    )
    found = {}
    for name, said in shown.items():
        started = (line.split() for line in said["processes"].checked().splitlines())
        families = json.loads(said["sessions"].checked())
        found[name] = Hub(
            processes=frozenset(f"{comm.strip('()')} {number} {start}" for number, comm, start in started),
            sessions={
                address: peer["connectionsEstablished"]
                for family in ("ipv4Unicast", "ipv6Unicast")
                for address, peer in families[family]["peers"].items()
                if peer["state"] == "Established"
            },
            peers=frozenset(said["peers"].checked().split()),
        )
    return found


def _touched(joined: Joined, declared: Path) -> set[str]:
    """Living hosts on which the site's playbook would change something."""
    living = sorted(joined.before.hosts)
    site = str(ROOT / "playbooks" / "site.yml")
    told = _ansible(joined, "ansible-playbook", declared, site, "--check", "--limit", ",".join(living))
    stats = json.loads(told.stdout[told.stdout.index("{") :])["stats"]
    assert set(stats) == set(living)
    assert {name: found for name, found in stats.items() if found["failures"] or found["unreachable"]} == {}
    return {name for name, found in stats.items() if found["changed"]}


def _ansible(
    joined: Joined, program: str, declared: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible with an environment; its output is JSON."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / program), "-i", str(declared), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "PROVINCE_STATE_DIR": str(joined.state),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, (
        f"{program} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done
