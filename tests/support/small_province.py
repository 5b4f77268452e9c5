"""A province of two units, written by hand, for tests of what is rendered from a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netaddr import IPAddress, IPNetwork

from province.plan.model import Plan, PlannedService, PlannedUnit, Port


def unit(identity: str, index: int, **other: Any) -> PlannedUnit:
    """A unit with the block 10.<index>.0.0/16."""
    values = {"kind": "commune", "state": "planned", "code": f"0{index}", "name": f"Xã {identity}"} | other
    made = PlannedUnit(
        id=identity,
        index=index,
        sphere="government",
        parent=None,
        pool="communes",
        prefix4=IPNetwork(f"10.{index}.0.0/16"),
        prefix6=IPNetwork(f"fd00:{index}::/48"),
        asn=4200000000 + index,
        segments=(),
        code="",
        name="",
        kind="",
        state="",
    )
    return replace(made, **values)


def service(identity: str, *names: str) -> PlannedService:
    """A service at 10.0.0.80."""
    return PlannedService(
        id=identity,
        machine="app",
        segment="srv",
        ports=(Port(protocol="tcp", number=80),),
        names=names,
        hosts=("app-1",),
        addresses4=(IPAddress("10.0.0.80"),),
        addresses6=(IPAddress("fd00::80"),),
        pending=(),
    )


def plan(*units: PlannedUnit, services: tuple[PlannedService, ...] = ()) -> Plan:
    """A plan of these units and services, and nothing else."""
    return Plan(
        province="vi-du",
        name="Tỉnh Ví Dụ",
        domain="vidu.gov.vn",
        units=units,
        segments=(),
        hosts=(),
        services=services,
        flows=(),
        peers=(),
        dns_zones=(),
    )


KINDS = {"commune": {"vi": "Xã", "en": "Commune"}, "ward": {"vi": "Phường", "en": "Ward"}}
NORTH = unit("bac", 1, name="Xã Bắc", state="live")
SOUTH = unit("nam", 2, name='Phường "Nam" <mới>', kind="ward")
CLOSED = unit("cu", 3, state="closed")
PROVINCE = plan(NORTH, SOUTH, CLOSED, services=(service("start", "start.vidu.gov.vn"), service("dns")))
