"""What of a host's facts is about routing domains: routers on which spheres meet, with a VRF for each.

The default table is the centre's and that of the first sphere; every other sphere has a table of its own.
There are its units, as its hubs tell them, and the centre's networks that are shared with it, each by the
interface that stands in it. The default table learns its units and its transit, or nobody could answer them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netaddr import IPNetwork, cidr_merge

from province.register.catalogue import SPHERES, Machine

ONE_TABLE, VRF = "one_table", "vrf"
DEFAULT = SPHERES[0]
# Numbers of tables: far from the kernel's own 253 to 255, and the same on every router.
TABLES = {sphere: 1000 + number for number, sphere in enumerate(SPHERES) if sphere != DEFAULT}


def apart(machine: Machine, hubs: Iterable[Machine], interfaces: Iterable[str]) -> tuple[Machine, ...]:
    """Hubs whose sphere has a domain of its own on a router with these interfaces that serves no sphere."""
    if machine.sphere:
        return ()
    here = frozenset(interfaces)
    return tuple(hub for hub in hubs if hub.sphere in TABLES and hub.primary in here)


def domain(hub: Machine, default: Iterable[str], networks: Iterable[str]) -> dict[str, Any]:
    """A sphere's domain as networking and rules know it.

    `default` are interfaces towards hubs of the default table: what comes in there is for none of `networks`,
    which are this sphere's, although the table knows the way to them.
    """
    merged = cidr_merge([IPNetwork(network) for network in networks])
    return {
        "name": hub.sphere,
        "table": TABLES[hub.sphere],
        "interfaces": [hub.primary],
        "closed": [{"interface": name, "network": str(network)} for name in default for network in merged],
    }


def ways(networks: Iterable[str], standing: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
    """Networks by the interface that stands in each; `standing` are the networks of interfaces."""
    leads = {network: name for name, found in standing.items() for network in found}
    return [{"prefix": network, "interface": leads[network]} for network in networks]
