"""Names: the province's zone and the reverse zones of all its addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netaddr import IPAddress, IPNetwork

from province.plan.model import DnsZone, PlannedHost, PlannedService, Record
from province.register.catalogue import Catalogue
from province.register.model import Register

TTL = 3600
PRIVATE = IPNetwork("10.0.0.0/8")


def planned_zones(
    register: Register,
    catalogue: Catalogue,
    hosts: Iterable[PlannedHost],
    services: Iterable[PlannedService],
    present: Iterable[PlannedHost],
) -> tuple[DnsZone, ...]:
    """The forward zone, then the reverse zones in order of addresses. Without SOA.

    Every host has its name; `present` are the hosts that serve, among them the name servers.
    """
    listed = [host for host in hosts if host.owner != "carrier"]
    names: dict[str, list[IPAddress]] = {}
    pointers: dict[IPAddress, str] = {}
    for host in listed:
        primary = catalogue.machines[host.machine].primary
        own = [a.ip for i in host.interfaces if i.name == primary for a in i.addresses]
        if own:
            names[f"{host.fqdn}."] = own
            pointers.update(dict.fromkeys(own, f"{host.fqdn}."))
    for service in services:
        for name in service.names:
            own = [*service.addresses4, *service.addresses6]
            names[f"{name}."] = own
            for address in own:
                pointers.setdefault(address, f"{name}.")
    servers = [f"{host.fqdn}." for host in present if host.machine == "ns"]
    origin = f"{register.domain}."
    forward = [Record(name=origin, type="NS", ttl=TTL, data=server) for server in servers]
    forward += [
        Record(name=name, type="A" if address.version == 4 else "AAAA", ttl=TTL, data=str(address))
        for name, addresses in sorted(names.items())
        for address in addresses
    ]
    return (DnsZone(name=register.domain, records=tuple(forward)), *_reverse(register, servers, pointers))


def _reverse(register: Register, servers: list[str], pointers: Mapping[IPAddress, str]) -> list[DnsZone]:
    """One zone for 10/8 if any pool is of it, and the pools' own at octet and nibble borders otherwise."""
    networks: dict[IPNetwork, None] = {}
    for pool in register.pools.values():
        networks.update(dict.fromkeys(_zones4(pool.network4)))
        # The province's whole IPv6 space is one zone; pools are 44 bits or so of it.
        networks[IPNetwork((pool.network6.first, pool.network6.prefixlen // 4 * 4), version=6).cidr] = None
    records: dict[IPNetwork, list[Record]] = {network: [] for network in networks}
    for address, name in sorted(pointers.items()):
        for length in (24, 16, 8) if address.version == 4 else range(64, 0, -4):
            network = IPNetwork((int(address), length), version=address.version).cidr
            if network in records:
                records[network].append(Record(name=f"{address.reverse_dns}", type="PTR", ttl=TTL, data=name))
                break
    zones = []
    for network in sorted(records, key=lambda n: (n.version, n.first)):
        name = zone_of(network)
        authority = [Record(name=f"{name}.", type="NS", ttl=TTL, data=server) for server in servers]
        zones.append(DnsZone(name=name, records=(*authority, *records[network])))
    return zones


def _zones4(network: IPNetwork) -> Iterable[IPNetwork]:
    """Zones at octet borders. All of 10/8 is the province's to use: one zone, and nothing leaks beside it."""
    if network in PRIVATE:
        return [PRIVATE]
    length = next(n for n in (8, 16, 24, 32) if n >= network.prefixlen)
    return list(network.subnet(length))


def zone_of(network: IPNetwork) -> str:
    """The reverse zone of a network that ends at an octet or nibble: 10.in-addr.arpa."""
    labels = network.network.reverse_dns.rstrip(".").split(".")
    bits = 8 if network.version == 4 else 4
    width = 32 if network.version == 4 else 128
    return ".".join(labels[(width - network.prefixlen) // bits :])
