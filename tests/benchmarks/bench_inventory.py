"""Ansible's inventory from an environment file against the same hosts, groups and variables written out.

All sides go through Ansible's own managers, up to the variables as a play sees them. Ours reads the register,
checks it, plans and adds hosts with groups; what a host is told it works out when it is asked for. The others
have every variable in a file: YAML in the format of Ansible's own plugin, JSON read by `json.load` and put in
by `add_host` and `set_variable` with nothing between (an inventory plugin around it would take longer).
What is the same for all hosts stands once there, in the group's variables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.ansible_inventory import configured
from tests.support.country import write_country
from tests.support.repository import ROOT

SIZES = (10, 100, 1_000, 10_000)
TINY = 4
GROUP = "province"
UNIT = "don-vi-00001-"  # how the names of the hosts of the first unit begin
REACHED = ("ansible_host", "ansible_user", "ansible_ssh_common_args")
_ENVIRONMENT = """\
plugin: province_register
environment: country
register: country
provider: none
members: {{edge: 1, hub: 1, hub_party: 1, ns: 1, resolver: 1, mirror: 1, app: 1, log: 1}}
units: [{units}]
workstations: 1
simulators: []
wireguard: kernel
sizes: {{default: {{memory: 1GiB}}}}
packages: {{debian: [http://mirror.example/debian]}}
"""


def _make(folder: Path, size: int) -> None:
    """An environment that builds `size` units, each with a gateway and a computer; and its hosts in JSON."""
    inventories = folder / "inventories"
    (inventories / "country").mkdir(parents=True)
    (inventories / "catalogue").symlink_to(ROOT / "inventories/catalogue")
    (folder / "apps").symlink_to(ROOT / "apps")
    units = next(n for n in range(size, 2 * size + 2) if n - n // 50 == size)
    write_country(inventories / "registers/country", units)

    from province.hosts import Estate
    from province.sources import load_sources

    register = load_sources(inventories / "registers/country").register
    built = [unit.id for unit in register.units if unit.state != "closed"]
    assert len(built) == size
    file = inventories / "country/environment.yml"
    file.write_text(_ENVIRONMENT.format(units=", ".join(built)), encoding="utf-8")
    estate = Estate.read(str(file))
    variables = {name: estate.variables(name) for name in estate.hosts}
    first = next(iter(variables.values()))
    shared = {
        key: value
        for key, value in first.items()
        if all(key in told and told[key] == value for told in variables.values())
    }
    written = {
        "vars": shared,
        "hosts": {
            name: {
                "groups": host.groups,
                "vars": {key: value for key, value in variables[name].items() if key not in shared},
            }
            for name, host in estate.hosts.items()
        },
    }
    (folder / "hosts.json").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")


def _make_with_yaml(folder: Path, size: int) -> None:
    """The same, and its hosts in YAML."""
    import yaml

    _make(folder, size)
    written = json.loads((folder / "hosts.json").read_text(encoding="utf-8"))
    groups: dict[str, Any] = {}
    for name, host in written["hosts"].items():
        for group in host["groups"]:
            groups.setdefault(group, {"hosts": {}})["hosts"][name] = host["vars"] if group == GROUP else None
    groups[GROUP]["vars"] = written["vars"]
    with (folder / "hosts.yml").open("w", encoding="utf-8") as file:
        yaml.dump({"all": {"children": groups}}, file, yaml.CSafeDumper, allow_unicode=True, sort_keys=False)


def _given(file: str) -> Callable[[Path, int], Path]:
    def prepare(folder: Path, size: int) -> Path:
        del size
        configured()
        import province.hosts
        import province.ledger  # noqa: F401 - must not be waited for inside the clock

        return folder / file

    return prepare


def _by_plugin(plugin: str) -> Callable[[Path], Any]:
    """An inventory from a file that a plugin of Ansible's reads."""

    def load(file: Path) -> Any:
        from ansible import constants
        from ansible.inventory.manager import InventoryManager
        from ansible.parsing.dataloader import DataLoader

        with mock.patch.object(constants, "INVENTORY_ENABLED", [plugin]):
            return InventoryManager(loader=DataLoader(), sources=[str(file)])

    return load


def _by_hand(file: Path) -> Any:
    """An inventory from JSON, put in host by host."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    inventory = InventoryManager(loader=DataLoader(), sources=[str(file)], parse=False)
    with file.open(encoding="utf-8") as opened:
        written = json.load(opened)
    inventory.add_group(GROUP)
    for key, value in written["vars"].items():
        inventory.groups[GROUP].set_variable(key, value)
    for name, host in written["hosts"].items():
        for group in host["groups"]:
            inventory.add_group(group)
            inventory.add_host(name, group=group)
        for key, value in host["vars"].items():
            inventory.hosts[name].set_variable(key, value)
    inventory.reconcile_inventory()
    return inventory


class Asked(NamedTuple):
    """An inventory with its manager of variables."""

    inventory: Any
    variables: Any

    def of(self, name: str) -> Mapping[str, Any]:
        """The variables of a host."""
        host = self.inventory.hosts[name]
        found: Mapping[str, Any] = self.variables.get_vars(host=host, include_hostvars=False)
        return found


def _run(load: Callable[[Path], Any], everything: bool) -> Callable[[Path, Meter], Asked]:
    """Load, then ask for the hosts of one unit; and for all."""

    def run(file: Path, meter: Meter) -> Asked:
        from ansible.vars.manager import VariableManager

        with meter.whole():
            with meter.part("load"):
                inventory = load(file)
            asked = Asked(inventory, VariableManager(loader=inventory._loader, inventory=inventory))
            unit = [name for name in inventory.hosts if name.startswith(UNIT)]
            with meter.part("one unit"):
                for name in unit:
                    asked.of(name)
            if everything:
                with meter.part("all hosts"):
                    for name in inventory.hosts:
                        asked.of(name)
        assert len(unit) == 2
        return asked

    return run


def _content(asked: Asked) -> dict[str, str]:
    """A digest of what each host is told, and of its groups."""
    made = {}
    for name in asked.inventory.hosts:
        told = asked.of(name)
        seen = {key: told[key] for key in sorted(told) if key.startswith("province_") or key in REACHED}
        assert set(REACHED) < set(seen)
        text = json.dumps([told["group_names"], seen], ensure_ascii=False, sort_keys=True)
        made[name] = hashlib.sha256(text.encode()).hexdigest()
    return made


def _side(name: str, *, everything: bool) -> Side:
    words, file, load = {
        "ours": (
            "environment file: register read and checked, plan made, hosts added; variables when asked for",
            "inventories/country/environment.yml",
            _by_plugin("province_register"),
        ),
        "json": ("json.load of all hosts with all variables, add_host, set_variable", "hosts.json", _by_hand),
        "yaml": (
            "all hosts with all variables in YAML, Ansible's own plugin",
            "hosts.yml",
            _by_plugin("yaml"),
        ),
    }[name]
    return Side(name=name, words=words, prepare=_given(file), run=_run(load, everything), content=_content)


def _linear(what: str, of: str) -> Bound:
    return Bound(
        claim=f"{what}: time for a unit, 10,000 units to 1,000",
        figure=Figure(side="ours", size=SIZES[-1], of=of, each=True),
        over=Figure(side="ours", size=SIZES[-2], of=of, each=True),
        most=1.5,
    )


def _at_most(what: str, over: str, size: int, of: str, most: float) -> Bound:
    return Bound(
        claim=f"{what}, {size:,} units, to {OTHERS[over]}",
        figure=Figure(side="ours", size=size, of=of),
        over=Figure(side=over, size=size, of=of),
        most=most,
    )


def _faster(what: str, size: int, of: str) -> Bound:
    return Bound(
        claim=f"{what}, {size:,} units: {OTHERS['yaml']} takes longer",
        figure=Figure(side="yaml", size=size, of=of),
        over=Figure(side="ours", size=size, of=of),
        least=15,
    )


OTHERS = {"json": "json.load with add_host", "yaml": "YAML"}
LOAD, UNIT_TOO, ALL_TOO = (
    "inventory load",
    "inventory load and one unit's variables",
    "inventory load and all variables",
)
BENCHMARKS = (
    Benchmark(
        name="inventory",
        title="Inventory of 10 to 10,000 units, then the variables of one unit's hosts, as its converge asks",
        sides=(_side("ours", everything=False), _side("json", everything=False)),
        sizes=SIZES,
        tiny=TINY,
        make=_make,
        bounds=(
            _linear(LOAD, "load"),
            _linear(UNIT_TOO, "seconds"),
            *(_at_most(LOAD, "json", size, "load", 1.5) for size in SIZES[2:]),
            *(_at_most(UNIT_TOO, "json", size, "seconds", 1.5) for size in SIZES[2:]),
            _at_most(f"{UNIT_TOO}, memory", "json", SIZES[-1], "mib", 1),
        ),
        packages=("ansible-core",),
    ),
    Benchmark(
        name="inventory-all",
        title="Inventory of 10 to 10,000 units, then the variables of all hosts",
        sides=(_side("ours", everything=True), _side("json", everything=True)),
        sizes=SIZES,
        tiny=TINY,
        make=_make,
        bounds=(
            _linear(ALL_TOO, "seconds"),
            _at_most(ALL_TOO, "json", SIZES[-1], "seconds", 1.5),
            _at_most(f"{ALL_TOO}, memory", "json", SIZES[-1], "mib", 1),
        ),
        packages=("ansible-core",),
    ),
    Benchmark(
        name="inventory-yaml",
        title="Inventory and variables of all hosts against YAML, which takes 3 GiB for 1,000 units",
        sides=(_side("ours", everything=True), _side("yaml", everything=True)),
        sizes=SIZES[:3],
        tiny=TINY,
        make=_make_with_yaml,
        bounds=(
            *(_faster(LOAD, size, "load") for size in SIZES[1:3]),
            *(_faster(ALL_TOO, size, "seconds") for size in SIZES[1:3]),
            _at_most(f"{ALL_TOO}, memory", "yaml", SIZES[2], "mib", 0.2),
        ),
        packages=("ansible-core", "PyYAML"),
    ),
)
