"""Files of border routers that no machine of ours is: rendered, not laid down."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from province.domains import VRF
from province.hosts import Environment, Host, built_hosts, load_environment, plan_for
from province.plan.model import Plan
from province.render.configurations import Renderer, as_if_built, program_for
from province.sources import load_sources
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
