"""An environment: which part of a plan is built, on what; and what each built host is told.

Between the plan and everything that acts: Pulumi takes `networks` and `instances`, Ansible's inventory
takes `built_hosts` with their groups and facts. Plain data, no rules but those of the plan.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from netaddr import IPAddress, IPNetwork

from province.plan.addressing import nth
from province.plan.hosts import CARRIER, HUB_TUNNEL
from province.plan.model import Interface, Peer, Plan, PlannedHost, PlannedUnit, Segment, Zone
from province.plan.rules import Rulebook
from province.problems import ProblemsFoundError
from province.register.catalogue import FIRST_LEASE as FIRST_LEASE
from province.register.catalogue import NAME, OUTSIDE, WORD, Catalogue, Machine
from province.register.document import Document, near, read_document, shown
from province.register.model import CENTRE, UNIT_ID
from province.register.shape import Choice, Field, Flag, Integer, ListOf, MapOf, Record, Text
from province.sources import Sources, called, load_sources

JSON = Any
MANAGEMENT = "mgmt"
CONTROLLER = "controller"
ORPHAN_STRATUM = 10
KEEPALIVE = 25
RELEASE = "trixie"

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
        "simulators": Field(ListOf(item=Choice((CARRIER,)), unique=True), "stand-ins for what is not ours"),
        "wireguard": Field(Choice(("userspace", "kernel")), "userspace where the kernel has none"),
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
    sizes: Mapping[str, str]
    time_upstreams: tuple[str, ...]
    packages: Mapping[str, tuple[str, ...]]
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
        sizes={name: size["memory"] for name, size in data["sizes"].items()},
        time_upstreams=tuple(data.get("time_upstreams", ())),
        packages={name: tuple(urls) for name, urls in data.get("packages", {}).items()},
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
    for name in data["sizes"]:
        if name != "default" and name not in sources.catalogue.machines:
            document.problem(
                "022",
                ("sizes", name),
                f"the unknown machine '{name}'",
                "`default` or a machine of the catalogue",
                near(name, list(sources.catalogue.machines)) + "Correct the name.",
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


@dataclass(frozen=True, kw_only=True)
class Host:
    """A built host."""

    name: str
    groups: tuple[str, ...]
    planned: PlannedHost
    _built: _Built = field(repr=False, compare=False)

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """Hosts whose public WireGuard key is not known; their peers are absent."""
        return self._built.missing_keys(self.planned)

    def facts(self) -> dict[str, JSON]:
        """What its roles are bound to: variables without their prefix `province_`, native JSON types.

        Made at every call. What hosts have in common is the same object in all of them: never change it.
        """
        return _Facts(self._built, self.planned).all()


def built_hosts(
    environment: Environment, plan: Plan, public_keys: Mapping[str, str] | None = None
) -> tuple[Host, ...]:
    """The hosts that the environment has, in the plan's order.

    `public_keys` are public WireGuard keys by host; None reads the environment's ledger, where it has
    one. A peer whose key is not known is left out and named in `missing_keys`.
    """
    built = _Built(environment, plan, _ledger_keys(environment.name) if public_keys is None else public_keys)
    return tuple(
        Host(
            name=host.name,
            groups=_groups(host),
            planned=host,
            _built=built,
        )
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
        made = cls._known[file] = cls(load_environment(Path(file)))
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
        return found

    @cached_property
    def _ssh_arguments(self) -> str:
        from province.ledger import state_dir

        return f"-F {shlex.quote(str(state_dir(self.environment.name) / 'ssh' / 'config'))}"


def _ledger_keys(environment: str) -> dict[str, str]:
    from province.ledger import Ledger, state_dir  # cryptography, wanted where a ledger is

    if not (state_dir(environment) / "ledger" / "recipients").is_file():
        return {}
    prefix = "wireguard/"
    publics = Ledger.open(state_dir(environment)).publics()
    return {name.removeprefix(prefix): key for name, key in publics.items() if name.startswith(prefix)}


def _groups(host: PlannedHost) -> tuple[str, ...]:
    side = host.owner if host.owner in (CENTRE, CARRIER) else "unit"
    return tuple(dict.fromkeys(("province", side, host.machine)))


class _Built:
    """The built part of a plan."""

    def __init__(self, environment: Environment, plan: Plan, public_keys: Mapping[str, str]) -> None:
        self.environment = environment
        self.plan = plan
        self.keys = public_keys
        self.catalogue: Catalogue = environment.sources.catalogue
        self.segments: Mapping[str, Segment] = {segment.id: segment for segment in plan.segments}
        self.units: Mapping[str, PlannedUnit] = {unit.id: unit for unit in plan.units}
        self.open = tuple(unit for unit in plan.units if unit.state != "closed")
        self.wanted = frozenset(environment.units)
        self.hosts = tuple(host for host in plan.hosts if self._is_built(host))
        self.names = frozenset(host.name for host in self.hosts)
        self.by_machine: dict[str, list[PlannedHost]] = {}
        for host in self.hosts:
            self.by_machine.setdefault(host.machine, []).append(host)
        self.rulebook = Rulebook(plan, self.catalogue)
        self.peers: tuple[Peer, ...] = tuple(
            peer for peer in plan.peers if peer.gateway in self.names and peer.hub in self.names
        )
        self.lines = {
            interface.segment
            for host in self.hosts
            if host.machine != CARRIER
            for interface in host.interfaces
        }

    def _is_built(self, host: PlannedHost) -> bool:
        if host.machine == CARRIER:
            return CARRIER in self.environment.simulators
        if host.owner == CENTRE:
            return host.member <= self.environment.members.get(host.machine, 0)
        if host.owner not in self.wanted:
            return False
        return host.machine != "workstation" or host.member <= self.environment.workstations

    def machine(self, host: PlannedHost) -> Machine:
        return self.catalogue.machines[host.machine]

    def interfaces(self, host: PlannedHost) -> tuple[Interface, ...]:
        """A host's interfaces without tunnels to hubs, and lines to customers, that are not built."""
        tunnels = {peer.gateway_interface for peer in self.peers if peer.gateway == host.name} | {HUB_TUNNEL}
        return tuple(
            interface
            for interface in host.interfaces
            if (interface.method != "tunnel" or interface.name in tunnels)
            and (
                host.machine != CARRIER
                or interface.zone is not Zone.BORDER
                or interface.segment in self.lines
            )
        )

    def missing_keys(self, host: PlannedHost) -> tuple[str, ...]:
        others = {
            peer.hub if peer.gateway == host.name else peer.gateway
            for peer in self.peers
            if host.name in (peer.gateway, peer.hub)
        }
        return tuple(sorted(name for name in others if name not in self.keys))

    @cached_property
    def controller(self) -> tuple[IPAddress, IPAddress]:
        host = next(host for host in self.plan.hosts if host.machine == CONTROLLER)
        four, six = host.interfaces[0].addresses
        return four.ip, six.ip

    @cached_property
    def announced(self) -> tuple[IPNetwork, ...]:
        """What units learn of the centre."""
        names = [segment.name for segment in self.catalogue.centre if segment.announced]
        found = [self.segments[f"{CENTRE}/{name}"] for name in names]
        return (*(s.network4 for s in found), *(s.network6 for s in found))

    @cached_property
    def blocks(self) -> tuple[IPNetwork, ...]:
        """What the centre learns of units: of all open ones, so that building one more moves nobody else."""
        return (*(unit.prefix4 for unit in self.open), *(unit.prefix6 for unit in self.open))

    def service_addresses(self, service: str) -> list[IPAddress]:
        """Where a service is asked, IPv4 first."""
        found = next((s for s in self.plan.services if s.id == service), None)
        return [*found.addresses4, *found.addresses6] if found else []


class _Facts:
    """The facts of one host."""

    def __init__(self, built: _Built, host: PlannedHost) -> None:
        self.built = built
        self.host = host
        self.plan = built.plan
        self.machine = built.machine(host)
        self.interfaces = built.interfaces(host)
        self.unit = built.units.get(host.owner)

    def all(self) -> dict[str, JSON]:
        environment, plan, host = self.built.environment, self.plan, self.host
        facts: dict[str, JSON] = {
            "environment": environment.name,
            "register": environment.register,
            "domain": plan.domain,
            "name_vi": plan.name,
            "host": host.name,
            "fqdn": host.fqdn,
            "owner": host.owner,
            "unit": self.unit.id if self.unit else "",
            "unit_name": self.unit.name if self.unit else "",
            "machine": host.machine,
            "member": host.member,
            "interfaces": [self._interface(i) for i in self.interfaces if i.method != "tunnel"],
            **self._management(),
            "resolvers": _texts(self._resolvers()),
            "search": [plan.domain],
            "time_servers": _texts(self._time_servers()),
            "ntp": self._ntp(),
            "mirror_url": self._mirror_url(),
            "forwards": bool(self.machine.forwards) or host.machine == CARRIER,
            "firewall": self._firewall(),
            "dhcp": self._leases(),
            "ra": self._advertisements(),
        }
        if {"routing", "wireguard"} & set(host.roles):
            facts |= {"routing": self._routing(), "wireguard": self._tunnels()}
        if "dns_authoritative" in host.roles or "dns_resolver" in host.roles:
            facts |= self._names()
        if self.unit:
            source = next((i for i in self.interfaces if i.method == "tunnel"), None)
            if source:
                facts |= {"source4": str(source.addresses[0].ip), "source6": str(source.addresses[1].ip)}
        if "package_cache" in host.roles:
            facts["packages_upstream"] = self._packages()
        if "container_app" in host.roles:
            facts |= self._apps()
        if "workstation" in host.roles:
            facts["homepage"] = self._homepage()
        if host.machine == CARRIER:
            lines = [self.built.segments[i.segment] for i in self.interfaces if i.zone is Zone.BORDER]
            prefixes = [*(line.network4 for line in lines), *(line.network6 for line in lines)]
            facts["carrier"] = {"prefixes": _texts(prefixes)}
        return facts

    def _segment(self, interface: Interface) -> Segment:
        return self.built.segments[interface.segment]

    def _interface(self, interface: Interface) -> dict[str, JSON]:
        segment = self._segment(interface)
        routed = interface.default_route and interface.method == "static"
        return {
            "name": interface.name,
            "zone": interface.zone.value,
            "segment": interface.segment,
            "method": interface.method,
            "addresses": _texts(interface.addresses),
            "vips": _texts(self._vips(interface)),
            "default_route": interface.default_route,
            "gateway4": str(segment.gateway4) if routed and segment.gateway4 else "",
            "gateway6": str(segment.gateway6) if routed and segment.gateway6 else "",
            "routes": self._routes(interface),
            "mtu": 1500,
        }

    def _vips(self, interface: Interface) -> tuple[IPNetwork, ...]:
        """The pair's addresses: the first member carries them while it is alone."""
        alone = self.built.environment.members.get(self.host.machine, 0) < 2
        return interface.vips if alone or self.host.member == 1 else ()

    def _routes(self, interface: Interface) -> list[dict[str, str]]:
        """Ways beside the default route: a host with a line to the Internet finds the province inside."""
        segment = self._segment(interface)
        if interface.name != self.machine.primary or self.machine.default in ("", self.machine.primary):
            return []
        if self.machine.forwards or segment.gateway4 is None or segment.gateway6 is None:
            return []  # routers learn their ways
        pools = self.built.environment.sources.register.pools.values()
        return [
            {
                "destination": str(network),
                "gateway": str(segment.gateway4 if network.version == 4 else segment.gateway6),
            }
            for network in (*(p.network4 for p in pools), *(p.network6 for p in pools))
        ]

    def _management(self) -> dict[str, JSON]:
        interface = next(i for i in self.interfaces if i.zone is Zone.MANAGEMENT)
        four, six = self.built.controller
        return {
            "management": {
                "interface": interface.name,
                "address4": str(interface.addresses[0].ip),
                "address6": str(interface.addresses[1].ip),
                "addresses": _texts(interface.addresses),
                "controller4": str(four),
                "controller6": str(six),
            },
            "management_routes": [f"{four}/32", f"{six}/128"],
        }

    def _own(self) -> set[IPAddress]:
        return {
            address.ip for interface in self.interfaces for address in (*interface.addresses, *interface.vips)
        }

    def _gateway(self) -> list[IPAddress]:
        """A unit's gateway, as its staff network knows it."""
        segment = self.built.segments[f"{self.host.owner}/{self.machine.primary}"]
        return [address for address in (segment.gateway4, segment.gateway6) if address is not None]

    def _resolvers(self) -> list[IPAddress]:
        if self.host.machine == CARRIER:
            return []
        if self.unit and not self.machine.forwards:
            return self._gateway()
        return self.built.service_addresses("dns")

    def _time_servers(self) -> list[IPAddress]:
        if self.host.machine == CARRIER:
            return []
        if self.unit and not self.machine.forwards:
            return self._gateway()
        own = self._own()
        return [address for address in self.built.service_addresses("ntp") if address not in own]

    def _mirror_url(self) -> str:
        service = next((s for s in self.plan.services if s.id == "packages" and s.hosts), None)
        if service is None or self.host.machine == CARRIER:
            return ""
        return f"http://{service.names[0]}:{service.ports[0].number}"

    def _askers(self, *services: str) -> list[IPNetwork]:
        """Networks that flows let ask a service of this host."""
        offered = {s.id: s.machine for s in self.plan.services}
        found: dict[IPNetwork, None] = {}
        for flow in self.plan.flows:
            if flow.service in services and offered[flow.service] == self.host.machine:
                for network in (*flow.source.networks4, *flow.source.networks6):
                    if self.unit is None or network in self.unit.prefix4 or network in self.unit.prefix6:
                        found[network] = None
        return sorted(found)

    def _ntp(self) -> dict[str, JSON]:
        serve = self._askers("ntp", "unit-ntp")
        serves_centre = any(s.id == "ntp" and s.machine == self.host.machine for s in self.plan.services)
        return {
            "upstreams": list(self.built.environment.time_upstreams) if serves_centre else [],
            "serve": _texts(serve),
            "orphan_stratum": ORPHAN_STRATUM if serves_centre else 0,
        }

    def _firewall(self) -> dict[str, JSON]:
        ours = self.host.machine != CARRIER
        rules = self.built.rulebook.rules(self.host, self.interfaces) if ours else {}
        return {
            "interfaces": [
                {"name": i.name, "zone": i.zone.value, "method": i.method} for i in self.interfaces
            ],
            "sets": [],
            "input": rules.get("input", []),
            "output": rules.get("output", []),
            "forward": rules.get("forward", []),
        }

    def _lans(self) -> list[tuple[Interface, Segment, bool]]:
        """Networks of a unit that this host gives addresses, and whether it gives them the time."""
        if "dhcp_server" not in self.host.roles:
            return []
        leased = {segment.name: segment.time for segment in self.built.catalogue.unit if segment.leases}
        return [
            (interface, self._segment(interface), leased[self._segment(interface).name])
            for interface in self.interfaces
            if self._segment(interface).name in leased
        ]

    def _leases(self) -> list[dict[str, JSON]]:
        return [
            {
                "interface": interface.name,
                "network": str(segment.network4),
                "pool_start": str(nth(segment.network4, FIRST_LEASE)),
                "pool_end": str(IPAddress(segment.network4.last - 1, 4)),
                "gateway": str(segment.gateway4),
                "dns": [str(segment.gateway4)],
                "ntp": [str(segment.gateway4)] if time else [],
                "domain": self.plan.domain,
            }
            for interface, segment, time in self._lans()
        ]

    def _advertisements(self) -> list[dict[str, JSON]]:
        return [
            {
                "interface": interface.name,
                "prefix": str(segment.network6),
                "rdnss": [str(segment.gateway6)],
                "dnssl": [self.plan.domain],
            }
            for interface, segment, _ in self._lans()
        ]

    def _address(self, host: PlannedHost, interface: str, version: int) -> IPAddress:
        found = next(i for i in host.interfaces if i.name == interface)
        return next(a.ip for a in found.addresses if a.version == version)

    def _routing(self) -> dict[str, JSON]:
        if self.unit:
            return self._gateway_routing(self.unit)
        others = "hub" if self.host.machine == "edge" else "edge"
        asn = self.built.catalogue.machines[others].asn
        tell, hear = self.built.blocks, self.built.announced
        if self.host.machine == "edge":
            tell, hear = hear, tell
        return {
            "asn": self.machine.asn,
            "router_id": str(self._address(self.host, self.machine.primary, 4)),
            # An edge originates the centre's networks; a hub only passes on.
            "announce": _texts(self.built.announced) if self.host.machine == "edge" else [],
            "discard": [],
            "neighbors": [
                self._neighbor(self._address(other, "trans", version), asn, other.name, False, hear, tell)
                for other in self.built.by_machine.get(others, ())
                for version in (4, 6)
            ],
            "listen": self._listen() if self.host.machine == "hub" else [],
        }

    def _neighbor(
        self,
        address: IPAddress,
        asn: int,
        name: str,
        tunnel: bool,
        accept: Iterable[IPNetwork],
        announce: Iterable[IPNetwork],
    ) -> dict[str, JSON]:
        return {
            "address": str(address),
            "asn": asn,
            "description": name,
            "tunnel": tunnel,
            "accept": [str(n) for n in accept if n.version == address.version],
            "announce": [str(n) for n in announce if n.version == address.version],
        }

    def _gateway_routing(self, unit: PlannedUnit) -> dict[str, JSON]:
        own = (unit.prefix4, unit.prefix6)
        return {
            "asn": unit.asn,
            "router_id": str(self._address(self.host, self.machine.primary, 4)),
            "announce": _texts(own),
            "discard": _texts(own),
            "neighbors": [
                self._neighbor(
                    address,
                    self.built.catalogue.machines["hub"].asn,
                    peer.hub,
                    True,
                    self.built.announced,
                    own,
                )
                for peer in self._peers()
                for address in (peer.hub_address4, peer.hub_address6)
            ],
            "listen": [],
        }

    def _peers(self) -> list[Peer]:
        return [peer for peer in self.built.peers if self.host.name in (peer.gateway, peer.hub)]

    def _listen(self) -> list[dict[str, JSON]]:
        """One range for each pool that has a built unit, and family; members are the built units."""
        pools = self.built.environment.sources.register.pools
        made = []
        for version in (4, 6):
            members: dict[str, list[dict[str, JSON]]] = {}
            for peer in self._peers():
                unit = self.built.units[peer.unit]
                members.setdefault(unit.pool, []).append(
                    {
                        "address": str(peer.gateway_address4 if version == 4 else peer.gateway_address6),
                        "description": peer.gateway,
                        "accept": _texts(peer.allowed4 if version == 4 else peer.allowed6),
                    }
                )
            for name, pool in pools.items():
                if name in members:
                    made.append(
                        {
                            "range": str(pool.network4 if version == 4 else pool.network6),
                            "group": f"{name}{version}",
                            "announce": [str(n) for n in self.built.announced if n.version == version],
                            "members": members[name],
                        }
                    )
        return made

    def _tunnels(self) -> list[dict[str, JSON]]:
        peers = [
            peer for peer in self._peers() if (peer.hub if self.unit else peer.gateway) in self.built.keys
        ]
        base = {"mode": self.built.environment.wireguard, "key": f"wireguard/{self.host.name}"}
        tunnels = [i for i in self.interfaces if i.method == "tunnel"]
        if not self.unit:
            return [
                {
                    "name": tunnel.name,
                    **base,
                    "listen_port": self._wan_port(),
                    "addresses": _texts(tunnel.addresses),
                    "peers": [
                        {
                            "host": peer.gateway,
                            "public_key": self.built.keys[peer.gateway],
                            "endpoint": "",
                            "allowed": _texts((*peer.allowed4, *peer.allowed6)),
                            "routes": [f"{peer.gateway_address4}/32", f"{peer.gateway_address6}/128"],
                            "keepalive": 0,
                        }
                        for peer in peers
                    ],
                }
                for tunnel in tunnels
            ]
        return [
            {
                "name": tunnel.name,
                **base,
                "listen_port": 0,
                "addresses": _texts(tunnel.addresses),
                "peers": [
                    {
                        "host": peer.hub,
                        "public_key": self.built.keys[peer.hub],
                        "endpoint": f"{peer.endpoint4}:{peer.port}",
                        "allowed": [
                            *_texts(self.built.announced),
                            f"{peer.hub_address4}/32",
                            f"{peer.hub_address6}/128",
                        ],
                        "routes": [f"{peer.hub_address4}/32", f"{peer.hub_address6}/128"],
                        "keepalive": KEEPALIVE,
                    }
                    for peer in peers
                    if peer.gateway_interface == tunnel.name
                ],
            }
            for tunnel in tunnels
        ]

    def _wan_port(self) -> int:
        return next(s for s in self.plan.services if s.id == "wan").ports[0].number

    def _names(self) -> dict[str, JSON]:
        """Facts of name servers: where they listen, who may ask, what they know or whom they ask."""
        zones = [zone.name for zone in self.plan.dns_zones]
        if "dns_authoritative" in self.host.roles:
            primary = self.built.by_machine[self.host.machine][0].fqdn
            return {
                "dns_listen": _texts(self._listening(self.machine.primary)),
                "dns_allow": _texts(self._askers("dns-authoritative")),
                "dns_own_zones": zones,
                "dns_zones": [
                    {
                        "name": zone.name,
                        "primary": primary,
                        "records": [
                            {"name": r.name, "type": r.type, "ttl": r.ttl, "data": r.data}
                            for r in zone.records
                        ],
                        "allow_transfer": [],
                    }
                    for zone in self.plan.dns_zones
                ],
            }
        servers = _texts(self.built.service_addresses("dns-authoritative"))
        lans = [interface.name for interface, _, _ in self._lans()] if self.unit else [self.machine.primary]
        return {
            "dns_listen": _texts(address for name in lans for address in self._listening(name)),
            "dns_allow": _texts(self._askers("dns", "unit-dns")),
            "dns_own_zones": zones,
            "dns_forward": _texts(self.built.service_addresses("dns")) if self.unit else [],
            "dns_stubs": [] if self.unit else [{"zone": zone, "addresses": servers} for zone in zones],
        }

    def _listening(self, name: str) -> list[IPAddress]:
        interface = next(i for i in self.interfaces if i.name == name)
        return [address.ip for address in interface.addresses]

    def _packages(self) -> dict[str, JSON]:
        uplink = self.built.segments[f"{CENTRE}/{self.machine.default}"]
        given = self.built.environment.packages or _controller_packages()
        return {
            "listen": _texts(self.built.service_addresses("packages")),
            "resolvers": [str(uplink.gateway4), str(uplink.gateway6)],
            "repositories": [{"name": name, "urls": list(urls)} for name, urls in given.items()],
        }

    def _apps(self) -> dict[str, JSON]:
        placed = [
            app for app in self.built.environment.sources.apps if app.record["machine"] == self.host.machine
        ]
        published = [
            {
                "name": f"{entry['name']}.{self.plan.domain}",
                "app": app.id,
                "backend_port": app.record["containers"][entry["container"]]["host_port"],
                "health": app.record["containers"][entry["container"]]["health"]["path"],
            }
            for app in placed
            if app.published
            for entry in app.record["publish"]
        ]
        interface = next(i for i in self.interfaces if i.name == self.machine.primary)
        listen = interface.vips if self.machine.vip and self.machine.members > 1 else interface.addresses
        return {
            "apps": [dict(app.record) for app in placed],
            "published": published,
            "web_listen": [str(address.ip) for address in listen],
        }

    def _homepage(self) -> str:
        """The first application that staff of this unit may open."""
        apps = {app.id for app in self.built.environment.sources.apps if app.published}
        start = next((s for s in self.plan.services if s.id in apps and s.names), None)
        return f"http://{start.names[0]}/" if start else ""


def _controller_packages() -> dict[str, tuple[str, ...]]:
    """Upstreams from the package sources of the machine that runs this: no registry is named in the tree."""
    from province.lab import apt

    sources = apt.machine_sources()
    if not sources:
        return {}
    return {
        "debian": (apt.mirror(sources, RELEASE),),
        "debian-security": (apt.security_mirror(sources, RELEASE),),
    }


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


def network_name(environment: Environment, plan: Plan, segment: Segment) -> str:
    """The bridge of a segment, at most 15 characters; all management segments are on one."""
    prefix = environment.incus.prefix
    if segment.zone is Zone.MANAGEMENT:
        return f"{prefix}-{MANAGEMENT}"
    if segment.owner == CENTRE:
        return f"{prefix}-{segment.code}"
    if segment.owner == CARRIER:
        return f"{prefix}-{segment.code}w"
    unit = next(unit for unit in plan.units if unit.id == segment.owner)
    pool = environment.sources.register.pools[unit.pool]
    letter = next(s.letter for s in environment.sources.catalogue.unit if s.name == segment.name)
    return f"{prefix}-{pool.letter}{unit.index:04d}{letter}"


def networks(environment: Environment, plan: Plan) -> tuple[Network, ...]:
    """The bridges that the built hosts hang on, in the plan's order. Tunnels are none."""
    built = _Built(environment, plan, {})
    used = {i.segment for host in built.hosts for i in built.interfaces(host) if i.method != "tunnel"}
    by_name: dict[str, list[Segment]] = {}
    for segment in plan.segments:
        if segment.id in used:
            by_name.setdefault(network_name(environment, plan, segment), []).append(segment)
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
    built = _Built(environment, plan, {})
    return tuple(
        Instance(
            name=host.name,
            nics=tuple(
                (i.name, network_name(environment, plan, built.segments[i.segment]))
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
        addresses = (f"{i.name} {' '.join(_texts(i.addresses)) or i.method}" for i in host.planned.interfaces)
        sys.stdout.write(f"{host.name}  [{', '.join(host.groups)}]  {'; '.join(addresses)}\n")
    return 0
