"""Files of border routers that no machine of ours is: rendered, not laid down."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from province.domains import DEFAULT as DEFAULT_SPHERE
from province.domains import VRF
from province.hosts import Environment, Host, built_hosts, load_environment, plan_for
from province.plan.model import Plan
from province.register.model import CENTRE
from province.render.configurations import Renderer, as_if_built, program_for
from province.sources import load_sources
from tests.support.domains import DEFAULT, Sphere
from tests.support.repository import ROOT

PRODUCTION = "production"
Files = Mapping[str, str]


class Keys(Mapping[str, str]):
    """A public key for every name that is asked for: 32 bytes that nobody has the private half of."""

    def __getitem__(self, name: str) -> str:
        if name.startswith("packages/"):
            raise KeyError(name)
        return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


@cache
def environment(name: str) -> Environment:
    """Production as it is declared, or a register with every member of its centre."""
    if name == PRODUCTION:
        return load_environment(ROOT / "inventories/production/environment.yml")
    return as_if_built(load_sources(ROOT / "inventories/registers" / name))


@cache
def plan(name: str) -> Plan:
    return plan_for(environment(name))


@cache
def borders(name: str, spheres: str = VRF) -> tuple[Host, ...]:
    """The border routers."""
    hosts = built_hosts(replace(environment(name), spheres=spheres), plan(name), Keys())
    return tuple(host for host in hosts if host.planned.machine == "edge")


@cache
def files(name: str, number: int = 0, spheres: str = VRF) -> Files:
    """Every file of a border router."""
    program = program_for(ROOT, ROOT / "inventories/common/group_vars")
    made = Renderer(program, replace(environment(name), spheres=spheres), plan(name))
    rendered = made.render(borders(name, spheres)[number])
    return {file.path: file.content.decode() for file in rendered.files}


@cache
def spheres(name: str, number: int = 0) -> tuple[Sphere, ...]:
    """What the plan says of each sphere, by itself: not by the facts of the router."""
    catalogue = environment(name).sources.catalogue
    segments = {segment.id: segment for segment in plan(name).segments}
    made = []
    for hub in catalogue.hubs:
        (transit,) = (i for i in borders(name)[number].planned.interfaces if i.name == hub.primary)
        shared = [segments[f"{CENTRE}/{s.name}"] for s in catalogue.centre if hub.sphere in s.announced]
        made.append(
            Sphere(
                name=hub.sphere,
                domain=DEFAULT if hub.sphere == DEFAULT_SPHERE else hub.sphere,
                transit=hub.primary,
                standing=frozenset(a.cidr for a in transit.addresses),
                hubs=frozenset(
                    str(address.ip)
                    for host in plan(name).hosts
                    if host.machine == hub.id and host.member <= environment(name).members[hub.id]
                    for interface in host.interfaces
                    if interface.name == hub.primary
                    for address in interface.addresses
                ),
                units=frozenset(
                    block
                    for unit in plan(name).units
                    if unit.sphere == hub.sphere and unit.state != "closed"
                    for block in (unit.prefix4, unit.prefix6)
                ),
                shared=frozenset(network for s in shared for network in (s.network4, s.network6)),
            )
        )
    return tuple(made)
