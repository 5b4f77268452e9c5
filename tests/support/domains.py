"""Routing domains of a border router, read back out of its rendered files, and what is wrong with them.

The readers know no rules of the plan. A line that they do not know is an error, so that nothing leaks by a
word that nobody looked for; of two readings the one that lets more through is taken.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netaddr import IPNetwork

FRR = "/etc/frr/frr.conf"
NETWORKD = "/etc/systemd/network/"
RULES = "/etc/province/firewall/rules.nft"
DEFAULT = "default"
EVERYTHING = frozenset((IPNetwork("0.0.0.0/0"), IPNetwork("::/0")))
Networks = frozenset[IPNetwork]

# Lines of a BGP instance that move no route.
_STILL = re.compile(
    r"bgp (router-id|suppress-fib-pending|log-neighbor-changes|graceful-shutdown)|coalesce-time|timers bgp"
    r"|no bgp default ipv4-unicast|update-delay|exit-address-family"
    r"|neighbor \S+ (description|ttl-security|bfd|timers|activate|update-source)"
)
_OF_NO_ROUTE = re.compile(
    r"frr defaults|hostname|log |service |exit$|bfd$|profile |transmit-|receive-|detect-"
)


class UnknownLineError(Exception):
    """A line that the reader does not know."""


@dataclass(frozen=True, slots=True)
class Way:
    """A static route: by an interface, in the domain that the interface is in."""

    network: IPNetwork
    interface: str
    of: str


@dataclass(slots=True)
class Instance:
    """A BGP instance. `heard` and `told` are lists of each neighbour, by its address; none is everything."""

    asn: int
    heard: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    neighbors: list[str] = field(default_factory=list)
    originated: set[IPNetwork] = field(default_factory=set)
    # Of each family, by IP version: the domains that routes are taken out of, and by which maps.
    imports: dict[int, set[str]] = field(default_factory=lambda: {4: set(), 6: set()})
    filters: dict[int, set[str]] = field(default_factory=lambda: {4: set(), 6: set()})
    family: int = 0


@dataclass(slots=True)
class Routing:
    """All that a configuration of FRR says of routes, by domain."""

    lists: dict[str, set[IPNetwork]] = field(default_factory=lambda: defaultdict(set))
    maps: dict[str, list[str]] = field(default_factory=dict)
    ways: dict[str, set[Way]] = field(default_factory=lambda: defaultdict(set))
    bgp: dict[str, Instance] = field(default_factory=dict)

    def listed(self, name: str | None) -> Networks:
        """What a prefix list lets through; without one everything."""
        return EVERYTHING if name is None else frozenset(self.lists[name])

    def known(self, domain: str) -> Networks:
        """Prefixes that BGP of a domain may hold by its own neighbours and statements."""
        instance = self.bgp.get(domain, Instance(0))
        heard = (self.listed(instance.heard.get(neighbor)) for neighbor in instance.neighbors)
        return frozenset(instance.originated).union(*heard)

    def imported(self, domain: str) -> Mapping[str, Networks]:
        """What a domain takes out of others, by their names; what those have imported is not passed on."""
        instance = self.bgp.get(domain, Instance(0))
        found: dict[str, Networks] = {}
        for version, others in instance.imports.items():
            names = [part for name in instance.filters[version] for part in self.maps[name]]
            let = frozenset(n for name in names for n in self.lists[name]) if names else EVERYTHING
            for other in others:
                taken = frozenset(n for n in both(self.known(other), let) if n.version == version)
                found[other] = found.get(other, frozenset()) | taken
        return found

    def table(self, domain: str) -> Networks:
        """Every prefix to which a domain may get a route, beside its own interfaces."""
        ways = frozenset(way.network for way in self.ways[domain])
        return ways.union(self.known(domain), *self.imported(domain).values())


def both(one: Iterable[IPNetwork], other: Iterable[IPNetwork]) -> Networks:
    """The narrower of each two that share addresses."""
    return frozenset(max(a, b, key=lambda n: n.prefixlen) for a in one for b in other if touch(a, b))


def touch(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two networks share an address."""
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def read(text: str) -> Routing:
    """Read a configuration of FRR."""
    found = Routing()
    domain, instance, route_map = DEFAULT, None, ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("!"):
            continue
        if not raw.startswith(" "):
            instance, route_map = None, ""
            if line == "exit-vrf":
                domain = DEFAULT
                continue
            if match := re.fullmatch(r"vrf (\S+)", line):
                domain = match[1]
                continue
            if match := re.fullmatch(r"router bgp (\d+)(?: vrf (\S+))?", line):
                instance = found.bgp.setdefault(match[2] or DEFAULT, Instance(int(match[1])))
                continue
            if match := re.fullmatch(r"route-map (\S+) permit \d+", line):
                route_map = match[1]
                found.maps.setdefault(route_map, [])
                continue
        if instance is not None:
            _of_bgp(instance, line)
        elif route_map:
            _of_map(found, route_map, line)
        elif match := re.fullmatch(r"ip(?:v6)? route (\S+) (\S+) nexthop-vrf (\S+)", line):
            found.ways[domain].add(Way(IPNetwork(match[1]), match[2], match[3]))
        elif match := re.fullmatch(r"ip(?:v6)? prefix-list (\S+) seq \d+ permit (\S+)", line):
            found.lists[match[1]].add(IPNetwork(match[2]))
        elif match := re.fullmatch(r"ip(?:v6)? prefix-list (\S+) seq \d+ deny any", line):
            found.lists[match[1]]
        elif not _OF_NO_ROUTE.match(line):
            raise UnknownLineError(line)
    return found


def _of_bgp(instance: Instance, line: str) -> None:
    if match := re.fullmatch(r"address-family ipv([46]) unicast", line):
        instance.family = int(match[1])
    elif match := re.fullmatch(r"neighbor (\S+) remote-as (\d+)", line):
        instance.neighbors.append(match[1])
    elif match := re.fullmatch(r"neighbor (\S+) prefix-list (\S+) (in|out)", line):
        (instance.heard if match[3] == "in" else instance.told)[match[1]] = match[2]
    elif re.fullmatch(r"neighbor \S+ route-map \S+ (in|out)", line):
        pass  # they only prefer: what a list lets through is what counts
    elif match := re.fullmatch(r"network (\S+)", line):
        instance.originated.add(IPNetwork(match[1]))
    elif match := re.fullmatch(r"import vrf route-map (\S+)", line):
        instance.filters[instance.family].add(match[1])
    elif match := re.fullmatch(r"import vrf (\S+)", line):
        instance.imports[instance.family].add(match[1])
    elif not _STILL.match(line):
        raise UnknownLineError(line)


def _of_map(found: Routing, name: str, line: str) -> None:
    if match := re.fullmatch(r"match ip(?:v6)? address prefix-list (\S+)", line):
        found.maps[name].append(match[1])
    elif not re.match(r"set (local-preference|ip(v6)? next-hop|as-path prepend) ", line):
        raise UnknownLineError(line)


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """Sections of a file of systemd-networkd; of a key that comes again the last value."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[-1][1][key] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """What a border router is to know of a sphere, by the plan.

    `domain` is where its units are, `transit` the interface to its hubs and `standing` its networks, `hubs`
    their addresses, `units` the blocks of all open units, `shared` what of the centre they are told.
    """

    name: str
    domain: str
    transit: str
    standing: Networks
    hubs: frozenset[str]
    units: Networks
    shared: Networks


def wrong(files: Mapping[str, str], spheres: Iterable[Sphere]) -> list[str]:
    """Sentences on what is wrong with the domains of a border router; none if nothing is."""
    spheres = tuple(spheres)
    routing = read(files[FRR])
    found = []
    for sphere in spheres:
        found += _of_routes(routing, sphere, spheres)
        if sphere.domain != DEFAULT:
            found += _of_devices(files, sphere, spheres)
    found += _of_rules(files[RULES], spheres)
    if extra := set(routing.bgp) - {sphere.domain for sphere in spheres}:
        found.append(f"nobody's domains: {sorted(extra)}")
    return found


def _of_routes(routing: Routing, sphere: Sphere, spheres: tuple[Sphere, ...]) -> list[str]:
    found = []
    if sphere.domain not in routing.bgp:
        return [f"no routes are heard or told in {sphere.domain}"]
    instance, table = routing.bgp[sphere.domain], routing.table(sphere.domain)
    ours = {other.name: other for other in spheres if other.domain == sphere.domain}
    if sorted(instance.neighbors) != sorted(a for other in ours.values() for a in other.hubs):
        found.append(f"{sphere.domain} has other neighbours than its hubs")
    for other in spheres:
        theirs = sorted(str(n) for n in both(table, other.units))
        if other.name in ours:
            if set(map(str, other.units)) - set(theirs):
                found.append(f"{sphere.domain} lacks units of {other.name}")
        elif sphere.domain != DEFAULT:
            if theirs:
                found.append(f"{sphere.domain} has a way to units of {other.name}: {theirs[:3]}")
        else:
            back = {str(n) for n in (*other.units, *other.standing)}
            crossed = [*routing.imported(DEFAULT).get(other.domain, ())]
            crossed += [way.network for way in routing.ways[DEFAULT] if way.of == other.domain]
            if set(map(str, crossed)) != back:
                found.append(f"the default domain takes something else of {other.name} than its way back")
    if sphere.domain == DEFAULT:
        away = [other for other in spheres if other.domain != DEFAULT]
        if both(routing.known(DEFAULT), [unit for other in away for unit in other.units]):
            found.append("the default domain hears of units of another")
        wanted = {(str(n), o.transit, o.domain) for o in away for n in o.standing}
        if {(str(way.network), way.interface, way.of) for way in routing.ways[DEFAULT]} != wanted:
            found.append("the default domain has other ways of its own than those back")
    else:
        through = {str(way.network) for way in routing.ways[sphere.domain]}
        if through != set(map(str, sphere.shared)) or any(instance.imports.values()):
            found.append(f"{sphere.domain} reaches something else of the default domain than what is shared")
        if {str(n) for n in instance.originated} != through:
            found.append(f"{sphere.domain} originates something else than what is shared")
    for address in sphere.hubs:
        told = routing.listed(instance.told.get(address))
        if set(map(str, told)) != {
            str(n) for n in sphere.shared if n.version == (6 if ":" in address else 4)
        }:
            found.append(f"{address} of {sphere.name} is told something else than what is shared with it")
    return found


def _of_devices(files: Mapping[str, str], sphere: Sphere, spheres: tuple[Sphere, ...]) -> list[str]:
    """Whether the domain's device has a table of its own, the transit is in it, and lookups end there."""
    found = []
    named = {name.removeprefix(NETWORKD): text for name, text in files.items() if name.startswith(NETWORKD)}
    device = dict(sections(named.get(f"05-{sphere.domain}.netdev", "")))
    table = device.get("VRF", {}).get("Table", "")
    if device.get("NetDev") != {"Name": sphere.domain, "Kind": "vrf"} or int(table or 0) < 1000:
        found.append(f"no device of {sphere.domain} with a table of its own")
    inside = {
        dict(found)["Match"]["Name"]
        for name, text in named.items()
        if name.endswith(".network")
        for found in (sections(text),)
        if dict(found).get("Network", {}).get("VRF") == sphere.domain
    }
    if inside != {sphere.transit}:
        found.append(f"in {sphere.domain} are {sorted(inside)}")
    own = sections(named.get(f"05-{sphere.domain}.network", ""))
    ends = {
        r["Destination"]
        for kind, r in own
        if kind == "Route"
        and (r.get("Type"), r.get("Table"), r.get("Metric")) == ("unreachable", table, "4194312192")
    }
    if ends != set(map(str, EVERYTHING)):
        found.append(f"lookups of {sphere.domain} go on into the default table")
    for other in spheres:
        if other.domain != DEFAULT:
            continue
        closed = [
            IPNetwork(r["To"])
            for kind, r in own
            if kind == "RoutingPolicyRule"
            and (r.get("IncomingInterface"), r.get("Type")) == (other.transit, "unreachable")
            and int(r.get("Priority", 0)) in range(1, 1000)
        ]
        open_ = [n for n in (*sphere.units, *sphere.standing) if not any(n in network for network in closed)]
        if open_:
            found.append(f"what comes in by {other.transit} finds {sphere.name}: {open_[:3]}")
        if any(touch(a, b) for a in closed for b in (*other.units, *other.shared, *other.standing)):
            found.append(f"what comes in by {other.transit} does not find what it may")
    return found


def _of_rules(text: str, spheres: tuple[Sphere, ...]) -> list[str]:
    """Whether rules know what comes out of a domain as it looks in their hook."""
    found = []
    for sphere in spheres:
        if sphere.domain == DEFAULT:
            continue
        inside = f'iifname "{sphere.domain}" meta sdifname "{sphere.transit}"'
        for name, lines in chains(text).items():
            bare = [line for line in lines if re.search(rf'iifname "?{sphere.transit}"?', line)]
            if name == "spoof":
                if not any("fib saddr . iif oif missing" in line for line in bare):
                    found.append(f"nobody asks whether who comes in by {sphere.transit} is who it says it is")
            elif bare:
                found.append(f"{name} waits for {sphere.transit}, which never comes: {bare[0][:60]}")
            elif name in ("input", "forward") and not any(line.startswith(inside) for line in lines):
                found.append(f"{name} lets nothing out of {sphere.domain} in")
            wide = [
                line
                for line in lines
                if "accept" in line and f'iifname "{sphere.domain}"' in line and not line.startswith(inside)
            ]
            if wide:
                found.append(f"{name} takes all of {sphere.domain}: {wide[0][:60]}")
        first = next((n for n, line in enumerate(chains(text)["output"]) if "ct state" in line), 0)
        if f'oifname "{sphere.domain}" accept comment "base: domain"' not in chains(text)["output"][:first]:
            found.append(f"what is sent into {sphere.domain} is refused at the first look")
    return found


def chains(text: str) -> dict[str, list[str]]:
    """Rules of each chain of a ruleset, as they are written."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := re.match(r" {4}chain (\S+) \{", line):
            name = match[1]
            found[name] = []
        elif line == "    }":
            name = ""
        elif name and line.strip() and not line.strip().startswith(("#", "type ")):
            found[name].append(line.strip())
    return found
