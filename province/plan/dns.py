"""Names: the province's zone and the reverse zones of all its addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netaddr import IPNetwork

from province.plan.addressing import number_of, text_of
from province.plan.model import DnsZone, PlannedHost, PlannedService, Record, new_record
from province.plan.places import Places
from province.register.model import Register

TTL = 3600
PRIVATE = IPNetwork("10.0.0.0/8")


def planned_zones(
    register: Register,
    places: Places,
    services: Iterable[PlannedService],
    servers: Iterable[PlannedHost],
) -> tuple[DnsZone, ...]:
    """The forward zone, then the reverse zones in order of addresses. Without SOA.

    Every host has its name. A closed unit that one unit followed lives on under the names of that unit.
    """
    names: dict[str, tuple[Iterable[int], Iterable[int]]] = {}
    # The name of an address: that of its host, else of the first service there.
    pointers: dict[int, dict[int, str]] = {4: {}, 6: {}}
    for name, four, six in places.names:
        names[name] = ((four,), (six,))
        pointers[4][four] = pointers[6][six] = name
    for service in services:
        fours, sixes = [number_of(a) for a in service.addresses4], [number_of(a) for a in service.addresses6]
        for name in service.names:
            names[f"{name}."] = (fours, sixes)
            for four in fours:
                pointers[4].setdefault(four, f"{name}.")
            for six in sixes:
                pointers[6].setdefault(six, f"{name}.")
    authorities = [f"{host.fqdn}." for host in servers]
    origin = f"{register.domain}."
    forward = [Record(name=origin, type="NS", ttl=TTL, data=server) for server in authorities]
    # Nobody may issue a certificate for a name of the province; its own authority will be named here.
    # pending: trust
    forward += [
        Record(name=origin, type="CAA", ttl=TTL, data=f'0 {tag} ";"') for tag in ("issue", "issuewild")
    ]
    for name, (own4, own6) in sorted(names.items()):
        forward += [new_record(name, "A", TTL, text_of(four, 4)) for four in own4]
        forward += [new_record(name, "AAAA", TTL, text_of(six, 6)) for six in own6]
    forward += [
        Record(name=f"{unit.id}.{origin}", type="DNAME", ttl=TTL, data=f"{unit.successors[0]}.{origin}")
        for unit in register.units
        if len(unit.successors) == 1
    ]
    zone = DnsZone(name=register.domain, records=tuple(forward))
    return (zone, *_reverse(register, authorities, pointers))


def _reverse(
    register: Register, servers: list[str], pointers: Mapping[int, Mapping[int, str]]
) -> list[DnsZone]:
    """The zones of the pools' addresses, at octet and nibble borders.

    What others gave to a unit outside of these has zones of its own.
    """
    networks: dict[IPNetwork, None] = {}
    for pool in register.pools.values():
        for network4 in pool.networks4:
            networks.update(dict.fromkeys(_zones4(network4, ours=True)))
        # The province's whole IPv6 space is one zone; pools are 44 bits or so of it.
        networks[IPNetwork((pool.network6.first, pool.network6.prefixlen // 4 * 4), version=6).cidr] = None
    for unit in register.units:
        for given in () if unit.closed else (unit.assigned4, unit.assigned6):
            if given and not any(given in network for network in networks):
                zones = _zones4(given, ours=False) if given.version == 4 else _zones6(given)
                networks.update(dict.fromkeys(zones))
    records: dict[IPNetwork, list[Record]] = {network: [] for network in networks}
    for version, width, end in ((4, 32, ".in-addr.arpa."), (6, 128, ".ip6.arpa.")):
        # By length, the longest first: the records of the zone that begins with so many bits.
        lengths: dict[int, dict[int, list[Record]]] = {}
        for network in sorted(networks, key=lambda n: -n.prefixlen):
            if network.version == version:
                begin = network.first >> (width - network.prefixlen)
                lengths.setdefault(width - network.prefixlen, {})[begin] = records[network]
        for number, name in sorted(pointers[version].items()):
            for rest, begins in lengths.items():
                if number >> rest in begins:
                    backwards = _backwards4(number) if version == 4 else ".".join(f"{number:032x}"[::-1])
                    begins[number >> rest].append(
                        Record(name=backwards + end, type="PTR", ttl=TTL, data=name)
                    )
                    break
    made = []
    for network in sorted(records, key=lambda n: (n.version, n.first)):
        name = zone_of(network)
        authority = [Record(name=f"{name}.", type="NS", ttl=TTL, data=server) for server in servers]
        made.append(DnsZone(name=name, records=(*authority, *records[network])))
    return made


def _backwards4(number: int) -> str:
    return f"{number & 255}.{number >> 8 & 255}.{number >> 16 & 255}.{number >> 24}"


def _zones4(network: IPNetwork, ours: bool) -> Iterable[IPNetwork]:
    """Zones at octet borders.

    `ours` is a pool: of a private /16 all is the province's if a part is (its slot is a /14), so there the
    zone is the /16 and no question about what lies between the pools is asked elsewhere.
    """
    if ours and network in PRIVATE and network.prefixlen > 16:
        return [network.supernet(16)[0]]
    length = next(n for n in (8, 16, 24, 32) if n >= network.prefixlen)
    return list(network.subnet(length))


def _zones6(network: IPNetwork) -> Iterable[IPNetwork]:
    """Zones at nibble borders."""
    return list(network.subnet(-(-network.prefixlen // 4) * 4))


def zone_of(network: IPNetwork) -> str:
    """The reverse zone of a network that ends at an octet or nibble: 10.in-addr.arpa."""
    labels = network.network.reverse_dns.rstrip(".").split(".")
    bits = 8 if network.version == 4 else 4
    width = 32 if network.version == 4 else 128
    return ".".join(labels[(width - network.prefixlen) // bits :])
