"""What each built host of an environment is told, as plain JSON: addresses, rules, routes, names, leases.

`Built` is the built part of a plan, indexed once; the facts of one host cost what that host has, and only
the few that speak with everybody (hubs, border routers, servers) cost what the province has. What hosts
have in common is made once and is the same object in all of them, so that the facts of thousands of hosts
fit in memory: nobody may change them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from netaddr import IPAddress, IPNetwork

from province import domains, shaping
from province.openpgp import armored
from province.packages import wanted
from province.plan.addressing import WAN, nth, number_of
from province.plan.hosts import CARRIER, HUB_TUNNEL
from province.plan.model import Interface, Peer, Plan, PlannedHost, PlannedUnit, Segment, Zone
from province.plan.probe import LEG, PROBE, namespace, probe_host
from province.plan.rules import Rulebook, text_of
from province.register.catalogue import CENTRE_LEASES, FIRST_LEASE, SPHERES, Catalogue, Machine
from province.register.model import CENTRE
from province.rotation import NONE, Rotation
from province.wan_facts import PLAIN, choice

if TYPE_CHECKING:
    from province.hosts import Environment

JSON = Any
CONTROLLER = "controller"
ORPHAN_STRATUM = 10
# Above those of the centre: a gateway counts on itself only when it hears nobody.
UNIT_ORPHAN_STRATUM = 12
UNIT_STATUS = "unit-status"
PRIORITIES = (150, 100)  # of the members of a pair, when both come up at once
# The port of a unit's gateway that leads to the unit's switch, where its networks are VLANs.
TRUNK = "lan"
KEEPALIVE = 25
RELEASE = "trixie"
ARCHIVE_KEY = "packages/archive"  # what indexes of packages are signed with, by its name in the ledger
SIGNING_KEYS = "dnssec/"  # begins names of key-signing keys of the province's zones in the ledger
TRANSFER_KEY = "password/dns-transfer"  # whoever copies a zone proves that it has this
WORKSTATION = "workstation"
HTTP = 80
PRODUCTION, TEST = "production", "test"
# What is taken from each repository that an environment can name.
SUITES = {"debian": f"{RELEASE} {RELEASE}-updates", "debian-security": f"{RELEASE}-security"}
SIMULATORS = (CARRIER, PROBE)
LOG_FORWARDER = "log_forwarder"
LOG_STORE = "log_store"
# Names of the ledger begin so: certificates of those who send logs, and of those who keep them.
LOG_KEY = "log/"
STORE_KEY = "log-store/"
NOTHING: list[JSON] = []  # an empty list takes memory, too, and facts have many


class Prefixes(NamedTuple):
    """Networks as text, by family."""

    four: list[str]
    six: list[str]

    @classmethod
    def of(cls, four: Iterable[IPNetwork], six: Iterable[IPNetwork]) -> Prefixes:
        """Texts of networks of IPv4 and of IPv6."""
        return cls(_texts(four), _texts(six))

    def family(self, version: int) -> list[str]:
        """Those of one IP version."""
        return self.four if version == 4 else self.six


class Range(NamedTuple):
    """Where gateways of units dial from; sorted as pools stand in the register, assigned blocks last."""

    pool: int
    number: int  # of the pool's network, from 1; 0 for a block that others assigned
    group: str
    network: str


class Built:
    """The built part of a plan.

    `public_keys` are public halves: of hosts' WireGuard keys by host, of ARCHIVE_KEY, and of certificates
    their fingerprints, by names of the ledger.
    """

    def __init__(
        self,
        environment: Environment,
        plan: Plan,
        public_keys: Mapping[str, str],
        rotation: Rotation = NONE,
    ) -> None:
        self.environment = environment
        self.plan = plan
        self.keys = public_keys
        self.rotation = rotation
        self.catalogue: Catalogue = environment.sources.catalogue
        self._wanted = frozenset(environment.units)
        ours = tuple(host for host in plan.hosts if self._is_built(host))
        self.hosts = ours + (self._probe(ours) if PROBE in environment.simulators else ())
        self._askers: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        self._asked: dict[str, list[str]] = {}
        self._listed: dict[tuple[tuple[str, Zone, str], ...], list[dict[str, JSON]]] = {}

    def _is_built(self, host: PlannedHost) -> bool:
        if host.machine == CARRIER:
            return CARRIER in self.environment.simulators
        if host.owner == CENTRE:
            return host.member <= self.environment.members.get(host.machine, 0)
        if host.owner not in self._wanted:
            return False
        return host.machine != WORKSTATION or host.member <= self.environment.workstations

    def _probe(self, hosts: Iterable[PlannedHost]) -> tuple[PlannedHost]:
        """The stranger, which the plan does not know: where it stands depends on what is built."""
        found = {i.segment for host in hosts if host.machine != CARRIER for i in host.interfaces}
        pools = self.environment.sources.register.pools
        letters = {unit.id: f"{pools[unit.pool].letter}{unit.index:04d}" for unit in self.plan.units}
        return (probe_host(self.plan, self.catalogue, found, letters),)

    @cached_property
    def segments(self) -> Mapping[str, Segment]:
        """Segments of the whole plan by id."""
        return {segment.id: segment for segment in self.plan.segments}

    @cached_property
    def units(self) -> Mapping[str, PlannedUnit]:
        """Units of the whole plan by id."""
        return {unit.id: unit for unit in self.plan.units}

    @cached_property
    def by_machine(self) -> Mapping[str, list[PlannedHost]]:
        """Built hosts by their machine of the catalogue."""
        found: dict[str, list[PlannedHost]] = {}
        for host in self.hosts:
            found.setdefault(host.machine, []).append(host)
        return found

    @cached_property
    def peers(self) -> Mapping[str, list[Peer]]:
        """Tunnels of built hosts whose both ends are built, by either end."""
        names = {host.name for host in self.hosts}
        found: dict[str, list[Peer]] = {}
        for peer in self.plan.peers:
            if peer.gateway in names and peer.hub in names:
                found.setdefault(peer.gateway, []).append(peer)
                found.setdefault(peer.hub, []).append(peer)
        return found

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rules that follow from flows."""
        return Rulebook(self.plan, self.catalogue)

    @cached_property
    def lines(self) -> frozenset[str]:
        """Segments that built hosts have a place in; the carrier has every line of the province."""
        return frozenset(i.segment for host in self.hosts if host.machine != CARRIER for i in host.interfaces)

    def machine(self, host: PlannedHost) -> Machine:
        """The catalogue's word on a host."""
        return self.catalogue.machines[host.machine]

    def interfaces(self, host: PlannedHost) -> tuple[Interface, ...]:
        """A host's interfaces without tunnels to hubs, and lines to customers, that are not built."""
        tunnels = {peer.gateway_interface for peer in self.peers.get(host.name, ())} | {HUB_TUNNEL}
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
        """Hosts that a host has tunnels with and whose public key is not known, by name."""
        peers = self.peers.get(host.name, ())
        others = {peer.hub if peer.gateway == host.name else peer.gateway for peer in peers}
        return tuple(sorted(name for name in others if name not in self.keys))

    @cached_property
    def controller(self) -> tuple[str, str]:
        """The controller's addresses, IPv4 first."""
        host = next(host for host in self.plan.hosts if host.machine == CONTROLLER)
        four, six = host.interfaces[0].addresses
        return str(four.ip), str(six.ip)

    @cached_property
    def management_routes(self) -> list[str]:
        """Ways that management needs: to the controller."""
        four, six = self.controller
        return [f"{four}/32", f"{six}/128"]

    @cached_property
    def announced(self) -> Mapping[str, Prefixes]:
        """What units of each sphere learn of the centre; of "" what any of them does."""
        made = {}
        for sphere in ("", *SPHERES):
            names = [
                segment.name
                for segment in self.catalogue.centre
                if (sphere in segment.announced if sphere else segment.announced)
            ]
            found = [self.segments[f"{CENTRE}/{name}"] for name in names]
            made[sphere] = Prefixes.of((s.network4 for s in found), (s.network6 for s in found))
        return made

    @cached_property
    def blocks(self) -> Mapping[str, Prefixes]:
        """What the centre learns of the units of each sphere.

        Of all open ones, so that building one more moves nobody else.
        """
        made = {}
        for sphere in SPHERES:
            found = [unit for unit in self.plan.units if unit.state != "closed" and unit.sphere == sphere]
            made[sphere] = Prefixes.of((unit.prefix4 for unit in found), (unit.prefix6 for unit in found))
        return made

    @cached_property
    def everywhere(self) -> tuple[IPNetwork, ...]:
        """All of the province: its pools, and blocks of open units that others assigned."""
        pools = self.environment.sources.register.pools
        given4, given6 = [], []
        for unit in self.plan.units:
            if unit.state != "closed":
                pool = pools[unit.pool]
                given4 += [] if any(unit.prefix4 in n for n in pool.networks4) else [unit.prefix4]
                given6 += [] if unit.prefix6 in pool.network6 else [unit.prefix6]
        own4 = [network for pool in pools.values() for network in pool.networks4]
        return (*own4, *given4, *(pool.network6 for pool in pools.values()), *given6)

    def range_of(self, unit: PlannedUnit, version: int) -> Range:
        """Where a unit's gateway dials from: a network of its pool, or its own block if assigned."""
        pools = self.environment.sources.register.pools
        pool, rank = pools[unit.pool], list(pools).index(unit.pool)
        own = unit.prefix4 if version == 4 else unit.prefix6
        group = f"{unit.pool}{version}"
        for number, network in enumerate(pool.networks4 if version == 4 else (pool.network6,), start=1):
            if own in network:
                return Range(rank, number, group if number == 1 else f"{group}-{number}", str(network))
        return Range(len(pools), 0, f"{unit.id}-{version}", str(own))

    @cached_property
    def search(self) -> list[str]:
        """Domains that short names are looked up in."""
        return [self.plan.domain]

    @cached_property
    def zones(self) -> list[str]:
        """Names of the zones that the centre answers for."""
        return [zone.name for zone in self.plan.dns_zones]

    @cached_property
    def zone_records(self) -> list[dict[str, JSON]]:
        """What name servers know, zone by zone."""
        primary = self.name_servers[0].fqdn
        return [
            {
                "name": zone.name,
                "primary": primary,
                "records": [
                    {"name": r.name, "type": r.type, "ttl": r.ttl, "data": r.data} for r in zone.records
                ],
            }
            for zone in self.plan.dns_zones
        ]

    @cached_property
    def name_servers(self) -> tuple[PlannedHost, ...]:
        """Authoritative servers; the first is every zone's primary, which signs, and the others copy it."""
        return tuple(host for host in self.hosts if "dns_authoritative" in host.roles)

    @cached_property
    def signing_keys(self) -> list[str]:
        """Key-signing keys of the ledger: one of all zones, two while one replaces the other."""
        return sorted(name for name in self.keys if name.startswith(SIGNING_KEYS))

    @cached_property
    def anchors(self) -> list[str]:
        """What whoever validates believes of the province's own zones, which no parent vouches for."""
        return [f"{zone}. DNSKEY {self.keys[key]}" for zone in self.zones for key in self.signing_keys]

    @cached_property
    def stubs(self) -> list[dict[str, JSON]]:
        """Whom resolvers of the centre ask for the province's own zones."""
        servers = self.service_addresses("dns-authoritative")
        return [{"zone": zone, "addresses": servers} for zone in self.zones]

    @cached_property
    def _services(self) -> Mapping[str, Any]:
        return {service.id: service for service in self.plan.services}

    def service_addresses(self, service: str) -> list[str]:
        """Where a service is asked, IPv4 first."""
        if service not in self._asked:
            found = self._services.get(service)
            self._asked[service] = _texts((*found.addresses4, *found.addresses6)) if found else []
        return self._asked[service]

    def offers(self, service: str, machine: str) -> bool:
        """Whether a machine of the catalogue offers a service."""
        return service in self._services and self._services[service].machine == machine

    def askers(self, machine: str, services: tuple[str, ...], unit: PlannedUnit | None) -> list[str]:
        """Networks that flows let ask services of a machine, sorted; of a unit's machine only its unit's."""
        ends = [
            self.rulebook.ends[flow.id][0]
            for flow in self.plan.flows
            if flow.service in services and self.offers(flow.service, machine)
        ]
        if not ends:
            return []
        if unit:
            own = {network for end in ends for network in end.inside(unit.prefix4, unit.prefix6)}
            return [str(network) for network in sorted(own)]
        found = self._askers.get((machine, services))
        if found is None:
            every = {network for end in ends for network in end}
            found = self._askers[machine, services] = [str(n) for n in sorted(every)]
        return found

    @cached_property
    def mirror_url(self) -> str:
        """Where packages are fetched."""
        service = self._services.get("packages")
        if not service or not service.hosts:
            return ""
        port = service.ports[0].number
        return f"http://{service.names[0]}" + (f":{port}" if port != HTTP else "")

    @cached_property
    def mirror_key(self) -> list[str]:
        """The key that packages are signed with, as lines of its ASCII form; none if not known."""
        key = self.keys.get(ARCHIVE_KEY, "")
        # Files that are prepared without a ledger say instead what will stand there.
        return [key] if not key or key.startswith("<") else armored(key).splitlines()

    def wan_port(self, machine: str) -> int:
        """Where a hub listens for tunnels."""
        services = self.plan.services
        return next(s.ports[0].number for s in services if (s.machine, s.segment) == (machine, WAN))

    @cached_property
    def urgent(self) -> list[dict[str, JSON]]:
        """Services whose traffic goes before the rest."""
        apps = frozenset(app.id for app in self.environment.sources.apps)
        return shaping.services(self.plan, self.catalogue, apps)

    @cached_property
    def homepage(self) -> str:
        """The first application that staff of units may open."""
        apps = {app.id for app in self.environment.sources.apps if app.published}
        start = next((s for s in self.plan.services if s.id in apps and s.names), None)
        return f"http://{start.names[0]}/" if start else ""

    @cached_property
    def desk(self) -> list[dict[str, str]]:
        """Who helps at the centre: the owner of the page that staff of units open first."""
        first = next((app for app in self.environment.sources.apps if app.published), None)
        if first is None:
            return []
        owner = first.record["owner"]
        return [{**owner["body"], "mailbox": f"{owner['mailbox']}@{self.plan.domain}"}]

    @cached_property
    def told_of_status(self) -> frozenset[str]:
        """Segments of units that flows let ask whether the unit is connected."""
        flows = (flow for flow in self.catalogue.flows if UNIT_STATUS in flow.services)
        return frozenset(name for flow in flows for name in flow.source.segments)

    @cached_property
    def local_names(self) -> tuple[str, ...]:
        """Names that every unit's gateway answers for itself."""
        at_units = {machine.id for machine in self.catalogue.machines_at("unit")}
        return tuple(
            n for service in self.plan.services if service.machine in at_units for n in service.names
        )

    def listed(self, interfaces: tuple[tuple[str, Zone, str], ...]) -> list[dict[str, JSON]]:
        """Interfaces with their zones: the same for all gateways with as many lines."""
        found = self._listed.get(interfaces)
        if found is None:
            found = self._listed[interfaces] = [
                {"name": name, "zone": zone.value, "method": method} for name, zone, method in interfaces
            ]
        return found

    @cached_property
    def logs(self) -> dict[str, JSON]:
        """Where logs are sent, and by which certificates that place is known."""
        kept = self._services.get("logs")
        names = [f"{STORE_KEY}{host.name}" for host in self.hosts if LOG_STORE in host.roles]
        return {
            "store": self.service_addresses("logs")[0] if kept and kept.hosts else "",
            "port": kept.ports[0].number if kept else 0,
            "fingerprints": [self.keys[name] for name in names if name in self.keys],
        }

    @cached_property
    def senders(self) -> list[dict[str, JSON]]:
        """Whose logs are taken: hosts with a certificate, and the addresses that they send from."""

        def alone(host: PlannedHost) -> bool:
            return self.environment.members.get(host.machine, 1) < 2

        return [
            {
                "host": host.name,
                "fingerprint": self.keys[f"{LOG_KEY}{host.name}"],
                "addresses": [
                    _text(address.ip)
                    for interface in host.interfaces
                    if interface.zone is not Zone.MANAGEMENT
                    # Members of a pair send from their own addresses, whoever carries the shared one.
                    for address in (*interface.addresses, *(interface.vips if alone(host) else ()))
                ],
            }
            for host in self.hosts
            if f"{LOG_KEY}{host.name}" in self.keys
        ]

    @cached_property
    def leased(self) -> Mapping[str, bool]:
        """Segments of units that have leases, and whether machines there are told the time."""
        return {segment.name: segment.time for segment in self.catalogue.unit if segment.leases}

    def facts(self, host: PlannedHost) -> dict[str, JSON]:
        """The facts of a built host."""
        return _Facts(self, host).all()


class _Facts:
    """The facts of one host."""

    def __init__(self, built: Built, host: PlannedHost) -> None:
        self.built = built
        self.host = host
        self.plan = built.plan
        self.machine = built.machine(host)
        self.interfaces = built.interfaces(host)
        self.unit = built.units.get(host.owner)
        # Addresses of each interface, with the length of their network.
        self.addresses = {interface.name: _texts(interface.addresses) for interface in self.interfaces}

    def all(self) -> dict[str, JSON]:
        built, plan, host = self.built, self.plan, self.host
        simulated = host.machine in SIMULATORS
        facts: dict[str, JSON] = {
            "environment": built.environment.name,
            "register": built.environment.register,
            "domain": plan.domain,
            "name_vi": plan.name,
            "host": host.name,
            "fqdn": host.fqdn,
            "owner": host.owner,
            "unit": self.unit.id if self.unit else "",
            "unit_name": self.unit.name if self.unit else "",
            "machine": host.machine,
            "member": host.member,
            "interfaces": [self._interface(i) for i in self.interfaces if i.method not in ("tunnel", LEG)],
            **self._ports(),
            "domains": self._domains,
            "management": self._management(),
            "management_routes": built.management_routes,
            "resolvers": self._resolvers(),
            "search": built.search,
            "time_servers": self._time_servers(),
            "ntp": self._ntp(),
            "mirror_url": "" if simulated else built.mirror_url,
            "mirror_suite": TEST if host.name in built.environment.packages_tried_on else PRODUCTION,
            "mirror_key": NOTHING if simulated else built.mirror_key,
            "forwards": bool(self.machine.forwards) or host.machine == CARRIER,
            "firewall": self._firewall(),
            "dhcp": self._leases(),
            "ra": self._advertisements(),
            "logs": built.logs,
        }
        if "virtual_address" in host.roles or "conntrack_sync" in host.roles:
            facts["pair"] = self._pair()
        if "routing" in host.roles or "wireguard" in host.roles:
            tunnels = self._tunnels()
            facts |= {
                "routing": self._routing(),
                "wireguard": tunnels,
                "wireguard_keys": sorted({tunnel["key"] for tunnel in tunnels}),
            }
        if "traffic_shaping" in host.roles:
            facts["shaping"] = self._shaping()
        if "dns_authoritative" in host.roles or "dns_resolver" in host.roles:
            facts |= self._names()
        if "unit_status" in host.roles:
            facts["status"] = self._status()
        if LOG_STORE in host.roles:
            listen = built.service_addresses("logs")
            facts["log_store"] = {"listen": listen, "port": built.logs["port"], "senders": built.senders}
        if self.unit:
            source = next((i for i in self.interfaces if i.method == "tunnel"), None)
            if source:
                four, six = self._ips(source.name)
                facts |= {"source4": four, "source6": six}
        if "dhcp_server" in host.roles:
            facts["dhcp_pair"] = self._lease_pair()
        if "package_mirror" in host.roles:
            facts["packages"] = self._packages()
        if "container_app" in host.roles:
            facts |= self._apps()
        if WORKSTATION in host.roles:
            facts["homepage"] = built.homepage
        if host.machine == CARRIER:
            lines = [built.segments[i.segment] for i in self.interfaces if i.zone is Zone.BORDER]
            prefixes = [*(line.network4 for line in lines), *(line.network6 for line in lines)]
            facts["carrier"] = {"prefixes": _texts(prefixes)}
        if host.machine == PROBE:
            facts["probe"] = {"legs": [self._leg(i) for i in self.interfaces if i.method == LEG]}
        return facts

    def _leg(self, interface: Interface) -> dict[str, JSON]:
        segment, (four, six) = self._segment(interface), self.addresses[interface.name]
        return {
            "namespace": namespace(segment),
            "segment": segment.id,
            "zone": segment.zone.value,
            "device": interface.name,
            "address4": four,
            "address6": six,
            "gateway4": _text(segment.gateway4),
            "gateway6": _text(segment.gateway6),
        }

    def _segment(self, interface: Interface) -> Segment:
        return self.built.segments[interface.segment]

    def _ips(self, interface: str) -> list[str]:
        """Addresses of an interface without their length."""
        return [address.partition("/")[0] for address in self.addresses[interface]]

    def _interface(self, interface: Interface) -> dict[str, JSON]:
        segment = self._segment(interface)
        routed = interface.default_route and interface.method == "static"
        return {
            "name": interface.name,
            "zone": interface.zone.value,
            "segment": interface.segment,
            "method": interface.method,
            "addresses": self.addresses[interface.name],
            "vips": _texts(self._vips(interface)) or NOTHING,
            "default_route": interface.default_route,
            "gateway4": _text(segment.gateway4) if routed else "",
            "gateway6": _text(segment.gateway6) if routed else "",
            "routes": self._routes(interface),
            "mtu": 1500,
        }

    def _ports(self) -> dict[str, JSON]:
        """VLANs of a unit's gateway, and the port that carries them; none where each network has its own."""
        if not self.unit or not self.machine.forwards or self.built.environment.unit_ports != "vlans":
            return {"vlans": NOTHING, "trunks": NOTHING}
        numbers = {segment.name: segment.vlan for segment in self.built.catalogue.unit}
        tagged = [
            {"name": i.name, "id": numbers[segment.name]}
            for i in self.interfaces
            if (segment := self._segment(i)).owner == self.host.owner and numbers[segment.name]
        ]
        return {"vlans": tagged, "trunks": [{"name": TRUNK, "vlans": [entry["name"] for entry in tagged]}]}

    @cached_property
    def _apart(self) -> tuple[Machine, ...]:
        """Hubs whose spheres this host keeps in tables of their own."""
        if self.built.environment.spheres != domains.VRF or "routing" not in self.host.roles or self.unit:
            return ()
        return domains.apart(self.machine, self.built.catalogue.hubs, self.addresses)

    @cached_property
    def _domains(self) -> list[dict[str, JSON]]:
        """Routing domains beside the default one; of most hosts none."""
        if not self._apart:
            return NOTHING
        default = [hub.primary for hub in self.built.catalogue.hubs if hub not in self._apart]
        blocks, transits = self.built.blocks, self._networks
        return [
            domains.domain(hub, default, [*blocks[at].four, *blocks[at].six, *transits[hub.primary]])
            for hub in self._apart
            for at in (hub.sphere,)
        ]

    @cached_property
    def _networks(self) -> dict[str, list[str]]:
        """The networks in which this host stands, by interface."""
        placed = ((interface.name, self._segment(interface)) for interface in self.interfaces)
        return {name: _texts((segment.network4, segment.network6)) for name, segment in placed}

    def _vips(self, interface: Interface) -> tuple[IPNetwork, ...]:
        """The pair's addresses that are always here: of a machine whose members do not take turns.

        Those of members that do are carried by one of them, and which one is not for a plan to say.
        """
        if not interface.vips or (self._other and "virtual_address" in self.host.roles):
            return ()
        return interface.vips if self._other is None or self.host.member == 1 else ()

    @cached_property
    def _other(self) -> PlannedHost | None:
        """The other built member of this host's pair."""
        members = self.built.by_machine.get(self.host.machine, ()) if self.host.owner == CENTRE else ()
        return next((host for host in members if host.name != self.host.name), None)

    def _pair(self) -> dict[str, JSON]:
        """What the members of a pair share, and where they meet: on the machine's primary segment."""
        other, primary = self._other, self.machine.primary
        beside = (
            {i.name: _texts(address.ip for address in i.addresses) for i in other.interfaces} if other else {}
        )
        turns = "virtual_address" in self.host.roles
        return {
            "priority": PRIORITIES[self.host.member - 1],
            "instances": [
                {
                    "name": f"{interface.name}-{version}",
                    "interface": interface.name,
                    "number": self.machine.place,
                    "own": self._ips(interface.name)[at],
                    "peer": beside[interface.name][at],
                    "addresses": [_text(interface.vips[at])],
                }
                for interface in self.interfaces
                if other and turns and interface.vips
                for at, version in enumerate((4, 6))
            ],
            "interface": primary,
            "own": self._ips(primary)[0],
            "peer": beside[primary][0] if other else "",
            # Connections to and from this host itself are nobody else's.
            "ignore": sorted({address for name in self.addresses for address in self._ips(name)}),
        }

    def _routes(self, interface: Interface) -> list[dict[str, str]]:
        """Ways beside the default route: a host with a line to the Internet finds the province inside."""
        if interface.name != self.machine.primary or self.machine.default in ("", self.machine.primary):
            return NOTHING
        segment = self._segment(interface)
        if self.machine.forwards or segment.gateway4 is None or segment.gateway6 is None:
            return []  # routers learn their ways
        return [
            {
                "destination": _text(network),
                "gateway": _text(segment.gateway4 if network.version == 4 else segment.gateway6),
            }
            for network in self.built.everywhere
        ]

    def _management(self) -> dict[str, JSON]:
        interface = next(i for i in self.interfaces if i.zone is Zone.MANAGEMENT)
        (four, six), controller = self._ips(interface.name), self.built.controller
        return {
            "interface": interface.name,
            "address4": four,
            "address6": six,
            "addresses": self.addresses[interface.name],
            "controller4": controller[0],
            "controller6": controller[1],
        }

    @cached_property
    def _gateway(self) -> list[str]:
        """A unit's gateway, as its staff network knows it."""
        segment = self.built.segments[f"{self.host.owner}/{self.machine.primary}"]
        return _texts(address for address in (segment.gateway4, segment.gateway6) if address is not None)

    def _resolvers(self) -> list[str]:
        if self.host.machine in SIMULATORS:
            return []
        if self.unit and not self.machine.forwards:
            return self._gateway
        return self.built.service_addresses("dns")

    def _time_servers(self) -> list[str]:
        if self.host.machine in SIMULATORS:
            return []
        if self.unit and not self.machine.forwards:
            return self._gateway
        servers = self.built.service_addresses("ntp")
        own = {address for name in self.addresses for address in self._ips(name)}
        own.update(_text(vip.ip) for interface in self.interfaces for vip in interface.vips)
        if not own & set(servers):
            return servers
        # Servers without a clock choose one among them by its address as the others know it: in one family,
        # or two would be chosen.
        return [address for address in servers if address not in own and IPAddress(address).version == 4]

    def _ntp(self) -> dict[str, JSON]:
        serves_centre = self.built.offers("ntp", self.host.machine)
        return {
            "upstreams": list(self.built.environment.time_upstreams) if serves_centre else [],
            "serve": self.built.askers(self.host.machine, ("ntp", "unit-ntp"), self.unit),
            "orphan_stratum": self._orphan_stratum(serves_centre),
        }

    def _orphan_stratum(self, serves_centre: bool) -> int:
        if serves_centre:
            return ORPHAN_STRATUM
        return UNIT_ORPHAN_STRATUM if self.built.offers("unit-ntp", self.host.machine) else 0

    def _firewall(self) -> dict[str, JSON]:
        ours = self.host.machine not in SIMULATORS
        rules = self.built.rulebook.rules(self.host, self.interfaces) if ours else {}
        return {
            "interfaces": self.built.listed(
                tuple((i.name, i.zone, i.method) for i in self.interfaces if i.method != LEG)
            ),
            "sets": NOTHING,
            "pairs": self._pair()["instances"] if "virtual_address" in self.host.roles else NOTHING,
            "input": rules.get("input", NOTHING),
            "output": rules.get("output", NOTHING),
            "forward": rules.get("forward", NOTHING),
        }

    @cached_property
    def _lans(self) -> list[tuple[Interface, Segment, bool]]:
        """Networks of a unit that this host gives addresses, and whether it gives them the time."""
        if "dhcp_server" not in self.host.roles or not self.unit:
            return []
        leased = self.built.leased
        placed = ((interface, self._segment(interface)) for interface in self.interfaces)
        return [(interface, at, leased[at.name]) for interface, at in placed if at.name in leased]

    def _leases(self) -> list[dict[str, JSON]]:
        if "dhcp_server" in self.host.roles and not self.unit:
            return [self._centre_leases()]
        made = []
        for interface, segment, time in self._lans:
            gateway = [_text(segment.gateway4)]
            made.append(
                {
                    "interface": interface.name,
                    "network": _text(segment.network4),
                    "pool_start": _text(nth(segment.network4, FIRST_LEASE)),
                    "pool_end": _text(IPAddress(segment.network4.last - 1, 4)),
                    "gateway": gateway[0],
                    "dns": gateway,
                    "ntp": gateway if time else NOTHING,
                    "domain": self.plan.domain,
                }
            )
        return made

    def _centre_leases(self) -> dict[str, JSON]:
        """A few addresses beside the planned ones, for machines that are new."""
        interface = next(i for i in self.interfaces if i.name == self.machine.primary)
        segment = self._segment(interface)
        first, last = (nth(segment.network4, number) for number in CENTRE_LEASES)
        asked = {service: self.built.service_addresses(service) for service in ("dns", "ntp")}
        four = {service: [a for a in found if ":" not in a] for service, found in asked.items()}
        return {
            "interface": interface.name,
            "network": _text(segment.network4),
            "pool_start": _text(first),
            "pool_end": _text(last),
            "gateway": _text(segment.gateway4),
            "dns": four["dns"],
            "ntp": four["ntp"],
            "domain": self.plan.domain,
        }

    def _lease_pair(self) -> dict[str, JSON]:
        """The members that hold each other's leases, the first one in service; nothing for one alone."""
        members = self.built.by_machine[self.host.machine]
        if self.unit or len(members) < 2:
            return {}
        port = next(s.ports[0].number for s in self.plan.services if s.id == "lease-pair")
        own = [_own_addresses(host, self.machine.primary)[0] for host in members]
        listed = [
            {"name": host.name, "address": _text(address), "port": port, "role": role}
            for host, address, role in zip(members, own, ("primary", "standby"), strict=False)
        ]
        return {"own_name": self.host.name, "members": listed}

    def _advertisements(self) -> list[dict[str, JSON]]:
        return [
            {
                "interface": interface.name,
                "prefix": _text(segment.network6),
                "rdnss": [_text(segment.gateway6)],
                "dnssl": self.built.search,
            }
            for interface, segment, _ in self._lans
        ]

    def _routing(self) -> dict[str, JSON]:
        router = self._ips(self.machine.primary)[0]
        if self.unit:
            return self._gateway_routing(self.unit, router)
        hub = bool(self.machine.sphere)
        # A hub knows one sphere; an edge knows all, and tells none what another told it.
        hubs = [self.machine] if hub else [at for at in self.built.catalogue.hubs if at not in self._apart]
        announced = self.built.announced[""]
        return {
            "asn": self.machine.asn,
            "router_id": router,
            # An edge originates the centre's networks; a hub only passes on.
            "announce": [] if hub else [*announced.four, *announced.six],
            # Whatever of the province no unit of its sphere told it ends at a hub, instead of following the
            # default route out to the carrier.
            "discard": _texts(self.built.everywhere) if hub else [],
            "neighbors": [session for at in hubs for session in self._sessions(at, hub)],
            "listen": self._listen() if hub else [],
            "domains": [self._domain_routing(at) for at in self._apart] or NOTHING,
            "drained": self._drains(self.host.name),
        }

    def _sessions(self, at: Machine, hub: bool) -> list[dict[str, JSON]]:
        """Neighbours on the transit of a sphere's hubs."""
        machines = self.built.catalogue.machines
        hear, tell = self._told(at.sphere, hub)
        return [
            {
                "address": _text(address),
                "asn": machines[other.machine].asn,
                "description": other.name,
                "tunnel": False,
                "accept": hear.family(address.version),
                "announce": tell.family(address.version),
                **PLAIN,
                # Border routers take turns; whoever it is has the pair's address.
                "next_hop": "" if hub else self._shared(at.primary, address.version),
            }
            for other in self.built.by_machine.get("edge" if hub else at.id, ())
            for address in _own_addresses(other, at.primary)
        ]

    def _domain_routing(self, at: Machine) -> dict[str, JSON]:
        """What is heard and told in a sphere's domain, and what it and the default one know of each other."""
        units, centre = self._told(at.sphere, hub=False)
        networks = [*centre.four, *centre.six]
        return {
            "name": at.sphere,
            "router_id": self._ips(at.primary)[0],
            "announce": networks,
            "through": domains.ways(networks, self._networks),
            "back": domains.ways(self._networks[at.primary], self._networks),
            "neighbors": self._sessions(at, hub=False),
            "listen": NOTHING,
            "units": [*units.four, *units.six],
        }

    def _shared(self, name: str, version: int) -> str:
        """The pair's address on an interface."""
        found = (i.vips for i in self.interfaces if i.name == name)
        return next((_text(vip.ip) for vips in found for vip in vips if vip.version == version), "")

    def _told(self, sphere: str, hub: bool) -> tuple[Prefixes, Prefixes]:
        """What a hub hears of an edge and tells it, or an edge of a hub."""
        centre, units = self.built.announced[sphere], self.built.blocks[sphere]
        return (centre, units) if hub else (units, centre)

    def _gateway_routing(self, unit: PlannedUnit, router: str) -> dict[str, JSON]:
        own = Prefixes.of((unit.prefix4,), (unit.prefix6,))
        both = [*own.four, *own.six]
        hubs = {hub.sphere: hub for hub in self.built.catalogue.hubs}
        return {
            "asn": unit.asn,
            "router_id": router,
            "announce": both,
            "discard": both,
            "neighbors": [
                {
                    "address": _text(address),
                    "asn": hubs[unit.sphere].asn,
                    "description": peer.hub,
                    "tunnel": True,
                    "accept": self.built.announced[unit.sphere].family(address.version),
                    "announce": own.family(address.version),
                    **choice(peer.preferred, self._drains(peer.hub)),
                    "source": _text(source),
                }
                for peer in self._peers
                for address, source in (
                    (peer.hub_address4, peer.gateway_address4),
                    (peer.hub_address6, peer.gateway_address6),
                )
            ],
            "listen": [],
            "domains": NOTHING,
            "drained": False,
        }

    def _drains(self, hub: str) -> bool:
        return self.built.rotation.draws_off(self.host.name, hub)

    @property
    def _peers(self) -> list[Peer]:
        return self.built.peers.get(self.host.name, [])

    def _listen(self) -> list[dict[str, JSON]]:
        """One range for each network in which built units dial, family by family; members are those units."""
        made: list[dict[str, JSON]] = []
        for version in (4, 6):
            members: dict[Range, list[dict[str, JSON]]] = {}
            for peer in self._peers:
                members.setdefault(self.built.range_of(self.built.units[peer.unit], version), []).append(
                    {
                        "address": _text(peer.gateway_address4 if version == 4 else peer.gateway_address6),
                        "asn": self.built.units[peer.unit].asn,
                        "description": peer.gateway,
                        "accept": _texts(peer.allowed4 if version == 4 else peer.allowed6),
                    }
                )
            made += [
                {
                    "range": where.network,
                    "group": where.group,
                    "source": self._ips(HUB_TUNNEL)[0 if version == 4 else 1],
                    "announce": self.built.announced[self.machine.sphere].family(version),
                    "members": members[where],
                }
                for where in sorted(members)
            ]
        return made

    def _tunnels(self) -> list[dict[str, JSON]]:
        """Tunnel interfaces with the peers whose keys are known."""
        peer_of = self._hub_peer if self.unit else self._unit_peer
        return [
            {
                "name": tunnel.name,
                "mode": self.built.environment.wireguard,
                "key": f"wireguard/{self._key(tunnel.name)}",
                "listen_port": 0 if self.unit else self.built.wan_port(self.host.machine),
                "addresses": self.addresses[tunnel.name],
                "peers": [
                    peer_of(peer)
                    for peer in self._peers
                    if (peer.hub if self.unit else peer.gateway) in self.built.keys
                    and (not self.unit or peer.gateway_interface == tunnel.name)
                ],
            }
            for tunnel in self.interfaces
            if tunnel.method == "tunnel"
        ]

    def _key(self, tunnel: str) -> str:
        """The name of the key that this host has in one of its tunnels."""
        hub = next(
            (p.hub for p in self._peers if self.unit and p.gateway_interface == tunnel), self.host.name
        )
        return self.built.rotation.key(self.host.name, hub)

    def _shaping(self) -> dict[str, JSON]:
        """Rates and queues of what is sent into tunnels."""
        built = self.built
        return {
            "devices": shaping.devices(
                [tunnel for tunnel in self.interfaces if tunnel.method == "tunnel"],
                self._peers,
                built.units,
                built.catalogue,
                built.environment.sources.register.pools,
                self.unit,
            ),
            "services": built.urgent,
            "queue": built.environment.queue,
        }

    def _unit_peer(self, peer: Peer) -> dict[str, JSON]:
        return {
            "host": peer.gateway,
            "public_key": self.built.keys[self.built.rotation.key(peer.gateway, peer.hub)],
            "endpoint": "",
            "allowed": _texts((*peer.allowed4, *peer.allowed6)),
            "routes": [f"{peer.gateway_address4}/32", f"{peer.gateway_address6}/128"],
            "keepalive": 0,
        }

    def _hub_peer(self, peer: Peer) -> dict[str, JSON]:
        routes = [f"{peer.hub_address4}/32", f"{peer.hub_address6}/128"]
        announced = self.built.announced[self.built.units[peer.unit].sphere]
        return {
            "host": peer.hub,
            "public_key": self.built.keys[self.built.rotation.key(peer.hub, peer.hub)],
            "endpoint": f"{peer.endpoint4}:{peer.port}",
            "allowed": [*announced.four, *announced.six, *routes],
            "routes": routes,
            "keepalive": KEEPALIVE,
        }

    def _names(self) -> dict[str, JSON]:
        """Facts of name servers: where they listen, who may ask, what they know or whom they ask."""
        built, machine = self.built, self.host.machine
        if "dns_authoritative" in self.host.roles:
            primary, *others = built.name_servers
            first = self.host == primary
            return {
                "dns_primary": [] if first else _texts(_own_addresses(primary, self.machine.primary)),
                "dns_copies": [
                    {"name": host.name, "addresses": _texts(_own_addresses(host, self.machine.primary))}
                    for host in (others if first else ())
                ],
                "dns_signing_keys": built.signing_keys if first else NOTHING,
                "dns_listen": self._ips(self.machine.primary),
                "dns_allow": built.askers(machine, ("dns-authoritative",), self.unit),
                "dns_own_zones": built.zones,
                "dns_zones": built.zone_records,
            }
        lans = [interface.name for interface, _, _ in self._lans] if self.unit else [self.machine.primary]
        return {
            "dns_listen": [address for name in lans for address in self._ips(name)],
            "dns_allow": built.askers(machine, ("dns", "unit-dns"), self.unit),
            "dns_own_zones": built.zones,
            "dns_anchors": built.anchors,
            "dns_forward": built.service_addresses("dns") if self.unit else [],
            "dns_local": self._local_names(),
            "dns_stubs": [] if self.unit else built.stubs,
        }

    def _local_names(self) -> list[dict[str, JSON]]:
        """Names that a unit's gateway answers for itself, to each of its networks with its address there."""
        made = []
        for interface, segment, _ in self._lans:
            own = self._ips(interface.name)
            names = self.built.local_names if segment.name in self.built.told_of_status else ()
            made.append(
                {
                    "name": interface.name,
                    "networks": [_text(segment.network4), _text(segment.network6)],
                    "records": [
                        {"name": name, "type": "AAAA" if ":" in address else "A", "data": address}
                        for name in (self.host.fqdn, *names)
                        for address in own
                    ],
                }
            )
        return made

    def _status(self) -> dict[str, JSON]:
        """Where a unit's gateway says whether it is connected, and whom it names."""
        told = [i.name for i, segment, _ in self._lans if segment.name in self.built.told_of_status]
        return {
            "listen": [address for name in told for address in self._ips(name)],
            "tunnels": [i.name for i in self.interfaces if i.method == "tunnel"],
            "contacts": [
                *(
                    {
                        "vi": "Cán bộ phụ trách công nghệ thông tin của đơn vị",
                        "en": "The unit's own IT officer",
                        "mailbox": f"{contact.mailbox}@{self.plan.domain}",
                    }
                    for contact in (self.unit.contacts if self.unit else ())
                    if contact.role == "network_administrator"
                ),
                *self.built.desk,
            ],
        }

    def _packages(self) -> dict[str, JSON]:
        uplink = self.built.segments[f"{CENTRE}/{self.machine.default}"]
        given = self.built.environment.packages or _controller_packages()
        return {
            "listen": self.built.service_addresses("packages"),
            "resolvers": [_text(uplink.gateway4), _text(uplink.gateway6)],
            "upstreams": [
                {"url": url, "suites": SUITES[name]}
                for name, urls in given.items()
                if name in SUITES
                for url in urls
            ],
            "wanted": wanted(),
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
            "web_listen": [_text(address.ip) for address in listen],
        }


def _own_addresses(host: PlannedHost, interface: str) -> list[IPAddress]:
    return [address.ip for i in host.interfaces if i.name == interface for address in i.addresses]


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


def _texts(values: Iterable[IPNetwork | IPAddress]) -> list[str]:
    return [_text(value) for value in values]


def _text(value: IPNetwork | IPAddress | None) -> str:
    """As `str` has it, and the same text once where it is asked for again; nothing for nothing."""
    if value is None:
        return ""
    text = text_of(number_of(value), value.version)
    return f"{text}/{value.prefixlen}" if isinstance(value, IPNetwork) else text
