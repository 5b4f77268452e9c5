"""An environment: which part of a plan is built, on what; and what each built host is told.

Between the plan and everything that acts: Pulumi takes `networks` and `instances`, Ansible's inventory
takes `built_hosts` with their groups and facts. Plain data, no rules but those of the plan.
"""

from __future__ import annotations

import argparse
import gc
import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from province import rotation
from province.domains import ONE_TABLE, VRF
from province.facts import ARCHIVE_KEY, CONTROLLER, LOG_KEY, SIGNING_KEYS, STORE_KEY, Built
from province.plan.hosts import CARRIER
from province.plan.model import Plan, PlannedHost, Segment, Zone
from province.plan.probe import PROBE
from province.problems import ProblemsFoundError
from province.register.catalogue import NAME, OUTSIDE, WORD, Machine
from province.register.document import Document, near, read_document, shown
from province.register.model import CENTRE, UNIT_ID
from province.register.shape import Choice, Field, Flag, Integer, ListOf, MapOf, Record, Text
from province.sources import Sources, called, load_sources, uncollected

JSON = Any
MANAGEMENT = "mgmt"
# What hosts are told stays as well, and is more than the plan where a run concerns all of them.
_FROZEN_AT_ONCE = 1000

# At most 1 TiB: more than that is a slip of the finger.
_MEMORY = Text(
    words="a size such as 512MiB, at most 1024GiB",
    pattern=r"[1-9][0-9]{0,5}MiB|([1-9][0-9]{0,2}|10[01][0-9]|102[0-4])GiB",
    maximum=10,
)
_SIZE = Record("a size", {"memory": Field(_MEMORY, "upper limit of memory")})
ENVIRONMENT = Record(
    "the environment",
    {
        "plugin": Field(Choice(("province_register",)), "the inventory plugin that reads this file"),
        "environment": Field(NAME, "its name, equal to the folder's"),
        "register": Field(UNIT_ID, "the register, a folder of inventories/registers"),
        "provider": Field(Choice(("incus", "none")), "incus, or none where hosts exist already"),
        "incus": Field(
            Record(
                "the Incus server",
                {
                    "endpoint": Field(
                        Text(words="`unix` or an https address", pattern=r"unix|https://\S+"), "where it is"
                    ),
                    "project": Field(NAME, "its project for this environment"),
                    "pool": Field(NAME, "its storage pool"),
                    "own_pool": Field(
                        Flag(), "whether the pool is made and removed with the rest", required=False
                    ),
                    "prefix": Field(
                        Text(words="1 to 4 lower-case letters", pattern="[a-z]{1,4}", maximum=4),
                        "begins names of bridges",
                    ),
                    "image": Field(NAME, "alias of the host image"),
                },
            ),
            "where machines are made",
            required=False,
        ),
        "members": Field(
            MapOf(key=WORD, item=Integer(minimum=0, maximum=8)), "built members of each machine"
        ),
        "units": Field(ListOf(item=UNIT_ID, unique=True), "units that are built, by id"),
        "workstations": Field(Integer(minimum=0, maximum=1), "staff computers of each built unit"),
        "identities": Field(
            Integer(minimum=1, maximum=9),
            "age identities that are made here: more than the operator's where there are no other people",
            required=False,
        ),
        "simulators": Field(
            ListOf(item=Choice((CARRIER, PROBE)), unique=True), "stand-ins for what is not ours"
        ),
        "wireguard": Field(Choice(("userspace", "kernel")), "userspace where the kernel has none"),
        "queue": Field(
            Choice(("fifo", "fq_codel")),
            "what keeps order in a class of traffic; fifo everywhere",
            required=False,
        ),
        "unit_ports": Field(
            Choice(("bridges", "vlans")),
            "how a unit's networks reach its gateway: an interface each (bridges), or as VLANs of a port",
            required=False,
        ),
        "spheres": Field(
            Choice((ONE_TABLE, VRF)),
            "how border routers know spheres: in one_table, or in a vrf for each where the kernel has it",
            required=False,
        ),
        "sizes": Field(MapOf(key=WORD, item=_SIZE, minimum=1), "sizes by machine; `default` for all others"),
        "time_upstreams": Field(
            ListOf(item=Text(words="a name or an address", pattern=r"[A-Za-z0-9.:-]+"), unique=True),
            "clocks outside the province",
            required=False,
        ),
        "packages": Field(
            MapOf(
                key=NAME,
                item=ListOf(item=Text(words="an http address", pattern=r"https?://\S+"), minimum=1),
                minimum=1,
            ),
            "upstreams of the package mirror by repository; otherwise the controller's own sources",
            required=False,
        ),
        "packages_tried_on": Field(
            ListOf(item=NAME, unique=True),
            "hosts that take packages of the distribution `test`, before all others do",
            required=False,
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incus:
    """An Incus server and the names of our things on it."""

    endpoint: str
    project: str
    pool: str
    own_pool: bool
    prefix: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is built of a province, and on what. `sources` is what its plan is made from."""

    name: str
    register: str
    provider: str
    incus: Incus
    members: Mapping[str, int]
    units: tuple[str, ...]
    workstations: int
    simulators: tuple[str, ...]
    wireguard: str
    queue: str
    unit_ports: str
    spheres: str
    sizes: Mapping[str, str]
    time_upstreams: tuple[str, ...]
    packages: Mapping[str, tuple[str, ...]]
    packages_tried_on: frozenset[str]
    identities: int = 1
    path: Path
    sources: Sources = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A bridge. `kind` is isolated, uplink or management; addresses are the Incus host's own (CIDR)."""

    name: str
    segment_ids: tuple[str, ...]
    kind: str
    address4: str | None = None
    address6: str | None = None
    routes4: tuple[str, ...] = ()
    routes6: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A container: network devices as (name inside, bridge), rights it needs (`tun`, `nesting`)."""

    name: str
    nics: tuple[tuple[str, str], ...]
    memory: str
    needs: tuple[str, ...]
    target: str = ""


def load_environment(path: Path) -> Environment:
    """Read an environment file, with the register, catalogue and applications of its tree.

    `path` is inventories/<environment>/environment.yml of any tree. Raises ProblemsFoundError: ENV-nnn
    for the file itself, then REG-, CAT- and APP-nnn for what it refers to.
    """
    document = read_document(path, called(path), "ENV")
    if not document.problems:
        ENVIRONMENT.check(document, (), document.data)
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))
    data = document.data
    register = path.resolve().parents[1] / "registers" / data["register"]
    if not register.is_dir():
        names = sorted(p.name for p in register.parent.glob("*") if p.is_dir())
        document.problem(
            "020",
            ("register",),
            f"no register '{data['register']}'",
            "one of " + (", ".join(names) or "inventories/registers, which is empty"),
            near(data["register"], names) + "Correct the name, or make it with `province new`.",
        )
        raise ProblemsFoundError(tuple(document.problems))
    sources = load_sources(register)
    _check(document, path, sources)
    if document.problems:
        raise ProblemsFoundError(tuple(document.problems))
    incus = data.get("incus") or dict.fromkeys(("endpoint", "project", "pool", "prefix", "image"), "")
    return Environment(
        name=data["environment"],
        register=data["register"],
        provider=data["provider"],
        incus=Incus(**{"own_pool": True, **incus}),
        members=data["members"],
        units=tuple(data["units"]),
        workstations=data["workstations"],
        simulators=tuple(data["simulators"]),
        wireguard=data["wireguard"],
        queue=data.get("queue", "fifo"),
        unit_ports=data.get("unit_ports", "bridges"),
        spheres=data.get("spheres", ONE_TABLE),
        sizes={name: size["memory"] for name, size in data["sizes"].items()},
        time_upstreams=tuple(data.get("time_upstreams", ())),
        packages={name: tuple(urls) for name, urls in data.get("packages", {}).items()},
        packages_tried_on=frozenset(data.get("packages_tried_on", ())),
        identities=data.get("identities", 1),
        path=path,
        sources=sources,
    )


def _check(document: Document, path: Path, sources: Sources) -> None:
    data = document.data
    if data["environment"] != path.resolve().parent.name:
        document.problem(
            "021",
            ("environment",),
            shown(data["environment"]),
            f"'{path.resolve().parent.name}', the folder's name",
            "Rename one of the two.",
        )
    if data["provider"] == "incus" and "incus" not in data:
        document.problem(
            "011", (), "the provider incus without 'incus'", "the field 'incus'", "Add `incus:`."
        )
    if "default" not in data["sizes"]:
        document.problem("011", ("sizes",), "no size 'default'", "a size for all machines", "Add `default:`.")
    for key in ("project", "pool"):
        if data.get("incus", {}).get(key) == "default":
            document.problem(
                "026",
                ("incus", key),
                f"the {key} 'default', which others use as well",
                f"a {key} of this environment's own",
                f"Name another {key}: what is in it is made and removed with the environment.",
            )
    centre = {machine.id: machine for machine in sources.catalogue.machines_at("centre") if machine.roles}
    for name in centre:
        if not data["members"].get(name):
            document.problem(
                "027",
                ("members", name),
                f"no member of '{name}'",
                f"at least 1 of each of {', '.join(centre)}",
                f"Write `{name}: 1`; without it the others lack a way, names, time or packages.",
            )
    for name, number in data["members"].items():
        if name not in centre:
            document.problem(
                "022",
                ("members", name),
                f"the unknown machine '{name}'",
                "one of " + ", ".join(centre),
                near(name, list(centre)) + "Correct the name.",
            )
        elif number > centre[name].members:
            document.problem(
                "023",
                ("members", name),
                f"{number} members of '{name}'",
                f"at most {centre[name].members}, as planned",
                "Lower the number, or plan more in catalogue/machines.yml.",
            )
    if data.get("unit_ports") == "vlans" and data["provider"] == "incus" and data["units"]:
        document.problem(
            "029",
            ("unit_ports",),
            "VLANs of a trunk for units that are containers",
            "bridges: a container has an interface for each network",
            "Remove the line, or build no units here.",
        )
    for name in data["sizes"]:
        if name != "default" and name not in sources.catalogue.machines:
            document.problem(
                "022",
                ("sizes", name),
                f"the unknown machine '{name}'",
                "`default` or a machine of the catalogue",
                near(name, list(sources.catalogue.machines)) + "Correct the name.",
            )
    built = [f"{m.short}-{n}" for m in centre.values() for n in range(1, data["members"].get(m.id, 0) + 1)]
    for number, name in enumerate(data.get("packages_tried_on", ())):
        if name not in built:
            document.problem(
                "028",
                ("packages_tried_on", number),
                f"the unknown host '{name}'",
                "one of " + ", ".join(built),
                near(name, built) + "Name a host of the centre that is built.",
            )
    states = {unit.id: unit.state for unit in sources.register.units}
    for number, unit in enumerate(data["units"]):
        if unit not in states:
            document.problem(
                "024",
                ("units", number),
                f"the unknown unit '{unit}'",
                f"the id of a unit of the register {data['register']}",
                near(unit, list(states)) + "Correct the id, or add the unit to the register.",
            )
        elif states[unit] == "closed":
            document.problem(
                "025",
                ("units", number),
                f"the closed unit '{unit}'",
                "a unit that is not closed",
                "Remove the line.",
            )


def plan_for(environment: Environment) -> Plan:
    """The plan of an environment's register; services are those of the built members."""
    return environment.sources.plan(environment.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A built host."""

    name: str
    groups: tuple[str, ...]
    planned: PlannedHost
    _built: Built = field(repr=False, compare=False)

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """Hosts whose public WireGuard key is not known; their peers are absent."""
        return self._built.missing_keys(self.planned)

    def facts(self) -> dict[str, JSON]:
        """What its roles are bound to: variables without their prefix `province_`, native JSON types.

        Made at every call. What hosts have in common is the same object in all of them: never change it.
        """
        return self._built.facts(self.planned)


def built_hosts(
    environment: Environment, plan: Plan, public_keys: Mapping[str, str] | None = None
) -> tuple[Host, ...]:
    """The hosts that the environment has, in the plan's order.

    `public_keys` are public WireGuard keys by host, and by names of the ledger the key of packages and
    fingerprints of certificates; None reads the environment's ledger, where it has one. A peer whose key is
    not known is left out and named in `missing_keys`.
    """
    if public_keys is None:
        built = Built(environment, plan, ledger_keys(environment.name), under_way(environment.name))
    else:
        built = Built(environment, plan, public_keys)
    machines = environment.sources.catalogue.machines
    return tuple(
        Host(name=host.name, groups=_groups(host.owner, machines[host.machine]), planned=host, _built=built)
        for host in built.hosts
    )


class Estate:
    """An environment as Ansible knows it: its built hosts by name, and what each is told, when asked.

    A province has thousands of hosts and a run concerns a few: the inventory takes names and groups, and
    the variables of a host are made when they are first asked for, then kept. Read once in a process;
    forks of the process have what it had.
    """

    _known: ClassVar[dict[str, Estate]] = {}

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.plan = plan_for(environment)
        self.hosts: Mapping[str, Host] = {host.name: host for host in built_hosts(environment, self.plan)}
        self._variables: dict[str, dict[str, JSON]] = {}

    @classmethod
    def read(cls, file: str) -> Estate:
        """The estate of an environment file as it is now; from here on `known` under the same name.

        Raises ProblemsFoundError as `load_environment` and `plan_for` do; then none is known.
        """
        cls._known.pop(file, None)
        # All of it stays: the collector of cycles need not walk over it, now, later or in forks.
        with uncollected():
            made = cls._known[file] = cls(load_environment(Path(file)))
            gc.freeze()
        return made

    @classmethod
    def known(cls, file: str) -> Estate | None:
        """The estate that was read under this name, if any."""
        return cls._known.get(file)

    def variables(self, name: str) -> Mapping[str, JSON]:
        """How Ansible reaches a host, and its facts as `province_<key>`; nothing if it is not built."""
        if name not in self.hosts:
            return {}
        found = self._variables.get(name)
        if found is None:
            facts = self.hosts[name].facts()
            found = self._variables[name] = {
                "ansible_host": facts["management"]["address4"],
                "ansible_user": "root",
                "ansible_ssh_common_args": self._ssh_arguments,
                **{f"province_{key}": value for key, value in facts.items()},
            }
            if len(self._variables) % _FROZEN_AT_ONCE == 0:
                gc.freeze()
        return found

    @cached_property
    def _ssh_arguments(self) -> str:
        from province.ledger import state_dir

        return f"-F {shlex.quote(str(state_dir(self.environment.name) / 'ssh' / 'config'))}"


def ledger_keys(environment: str) -> dict[str, str]:
    """Public halves of an environment's ledger, as `built_hosts` takes them; none without a ledger."""
    from province.ledger import Ledger, fingerprint, state_dir  # cryptography, wanted where a ledger is

    if not (state_dir(environment) / "ledger" / "recipients").is_file():
        return {}
    prefix = "wireguard/"
    publics = Ledger.open(state_dir(environment)).publics()
    keys = {name.removeprefix(prefix): key for name, key in publics.items() if name.startswith(prefix)}
    keys |= {name: fingerprint(key) for name, key in publics.items() if name.startswith((LOG_KEY, STORE_KEY))}
    return keys | {
        name: key for name, key in publics.items() if name == ARCHIVE_KEY or name.startswith(SIGNING_KEYS)
    }


def under_way(environment: str) -> rotation.Rotation:
    """The replacement of a key that an environment is at, as `built_hosts` takes it."""
    from province.ledger import state_dir

    return rotation.read(state_dir(environment)) if environment else rotation.NONE


def _groups(owner: str, machine: Machine) -> tuple[str, ...]:
    side = owner if owner in (CENTRE, CARRIER, PROBE) else "unit"
    return tuple(dict.fromkeys(("province", side, *([machine.group] if machine.group else []), machine.id)))


def _network_name(built: Built, segment: Segment) -> str:
    """The bridge of a segment, at most 15 characters; all management segments are on one."""
    prefix = built.environment.incus.prefix
    if segment.zone is Zone.MANAGEMENT:
        return f"{prefix}-{MANAGEMENT}"
    if segment.owner == CENTRE:
        return f"{prefix}-{segment.code}"
    if segment.owner == CARRIER:
        return f"{prefix}-{segment.code}w"
    unit = built.units[segment.owner]
    pool = built.environment.sources.register.pools[unit.pool]
    letter = next(s.letter for s in built.catalogue.unit if s.name == segment.name)
    return f"{prefix}-{pool.letter}{unit.index:04d}{letter}"


def networks(environment: Environment, plan: Plan) -> tuple[Network, ...]:
    """The bridges that the built hosts hang on, in the plan's order. Tunnels are none."""
    built = Built(environment, plan, {})
    used = {i.segment for host in built.hosts for i in built.interfaces(host) if i.method != "tunnel"}
    by_name: dict[str, list[Segment]] = {}
    for segment in plan.segments:
        if segment.id in used:
            by_name.setdefault(_network_name(built, segment), []).append(segment)
    made = []
    outside = {f"{CENTRE}/{s.name}" for s in environment.sources.catalogue.centre if s.gateway == OUTSIDE}
    controller = next(host for host in plan.hosts if host.machine == CONTROLLER).interfaces[0]
    for name, segments in by_name.items():
        ids = tuple(segment.id for segment in segments)
        first = segments[0]
        if first.zone is Zone.MANAGEMENT:
            others = [segment for segment in segments if segment.owner != CENTRE]
            made.append(
                Network(
                    name=name,
                    segment_ids=ids,
                    kind="management",
                    address4=str(controller.addresses[0]),
                    address6=str(controller.addresses[1]),
                    routes4=tuple(str(segment.network4) for segment in others),
                    routes6=tuple(str(segment.network6) for segment in others),
                )
            )
        elif first.id in outside:
            made.append(
                Network(
                    name=name,
                    segment_ids=ids,
                    kind="uplink",
                    address4=f"{first.gateway4}/{first.network4.prefixlen}",
                    address6=f"{first.gateway6}/{first.network6.prefixlen}",
                )
            )
        else:
            made.append(Network(name=name, segment_ids=ids, kind="isolated"))
    return tuple(made)


def instances(environment: Environment, plan: Plan) -> tuple[Instance, ...]:
    """The containers of an environment."""
    built = Built(environment, plan, {})
    return tuple(
        Instance(
            name=host.name,
            nics=tuple(
                (i.name, _network_name(built, built.segments[i.segment]))
                for i in built.interfaces(host)
                if i.method != "tunnel"
            ),
            memory=environment.sizes.get(host.machine, environment.sizes["default"]),
            needs=tuple(
                need
                for need in built.machine(host).needs
                if need != "tun" or environment.wireguard == "userspace"
            ),
        )
        for host in built.hosts
    )


def as_json(environment: Environment, plan: Plan) -> dict[str, JSON]:
    """Hosts with groups and facts, networks and instances: what `province hosts` prints."""
    return {
        "environment": environment.name,
        "hosts": [
            {
                "name": host.name,
                "groups": list(host.groups),
                "missing_keys": list(host.missing_keys),
                "facts": host.facts(),
            }
            for host in built_hosts(environment, plan)
        ],
        "networks": [
            {
                "name": n.name,
                "segments": list(n.segment_ids),
                "kind": n.kind,
                "address4": n.address4,
                "address6": n.address6,
                "routes4": list(n.routes4),
                "routes6": list(n.routes6),
            }
            for n in networks(environment, plan)
        ],
        "instances": [
            {
                "name": i.name,
                "nics": [list(nic) for nic in i.nics],
                "memory": i.memory,
                "needs": list(i.needs),
            }
            for i in instances(environment, plan)
        ],
    }


def add_commands(subparsers: Any) -> None:
    """Add `province hosts`."""
    parser = subparsers.add_parser("hosts", help="what an environment builds, and what each host is told")
    parser.add_argument("environment", type=Path, help="an environment.yml")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    environment = load_environment(arguments.environment)
    plan = plan_for(environment)
    if arguments.format == "json":
        sys.stdout.write(json.dumps(as_json(environment, plan), ensure_ascii=False, indent=2) + "\n")
        return 0
    for host in built_hosts(environment, plan):
        addresses = (
            f"{i.name} {' '.join(map(str, i.addresses)) or i.method}" for i in host.planned.interfaces
        )
        sys.stdout.write(f"{host.name}  [{', '.join(host.groups)}]  {'; '.join(addresses)}\n")
    return 0
