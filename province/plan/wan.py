"""The WAN: a tunnel from each unit's gateway to each hub."""

from __future__ import annotations

from collections.abc import Iterable

from province.plan.addressing import WAN
from province.plan.hosts import HUB_TUNNEL, address, hub_interface
from province.plan.model import Peer, PlannedHost, PlannedUnit

PORT = 51820


def planned_peers(units: Iterable[PlannedUnit], hosts: Iterable[PlannedHost]) -> tuple[Peer, ...]:
    """One peer for each unit's gateway and hub, in the order of units."""
    listed = list(hosts)
    hubs = [host for host in listed if host.machine == "hub"]
    gateways: dict[str, list[PlannedHost]] = {}
    for host in listed:
        if host.machine == "unit_gateway":
            gateways.setdefault(host.owner, []).append(host)
    return tuple(
        Peer(
            unit=unit.id,
            gateway=gateway.name,
            hub=hub.name,
            gateway_interface=hub_interface(hub.member),
            hub_interface=HUB_TUNNEL,
            endpoint4=address(hub, WAN, 4),
            endpoint6=address(hub, WAN, 6),
            port=PORT,
            gateway_address4=address(gateway, hub_interface(hub.member), 4),
            gateway_address6=address(gateway, hub_interface(hub.member), 6),
            hub_address4=address(hub, HUB_TUNNEL, 4),
            hub_address6=address(hub, HUB_TUNNEL, 6),
            allowed4=(unit.prefix4,),
            allowed6=(unit.prefix6,),
        )
        for unit in units
        for gateway in gateways.get(unit.id, ())
        for hub in hubs
    )
