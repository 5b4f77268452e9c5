"""The plan of all communes of the country, from files to the plan, against plain integers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from netaddr import IPAddress, IPNetwork

from province.plan.model import Endpoint, Plan
from province.register import model
from province.register.document import Document
from province.sources import Sources, load_sources, uncollected
from tests.benchmarks import integers
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.country import COMMUNES, write_country

UNITS = ("units", "communes.yml")


def _timed_reading(read: Callable[..., Document], spent: list[float]) -> Callable[..., Document]:
    def reading(*arguments: Any) -> Document:
        start = time.perf_counter()
        try:
            return read(*arguments)
        finally:
            spent.append(time.perf_counter() - start)

    return reading


def _ours(folder: Path, meter: Meter) -> tuple[Sources, Plan]:
    """What `province check` does, without the interpreter's start and without printing."""
    spent: list[float] = []
    read = vars(model)["read_document"]
    try:
        # The register's own files; the catalogue's are read in the rest.
        vars(model)["read_document"] = _timed_reading(read, spent)
        with meter.whole():
            with meter.part("load"):
                found = load_sources(folder)
            with meter.part("plan"):
                plan = found.plan()
    finally:
        vars(model)["read_document"] = read
    meter.parts["read"] = sum(spent)
    meter.parts["check"] = meter.parts.pop("load") - meter.parts["read"]
    meter.parts["check and plan"] = meter.parts["check"] + meter.parts["plan"]
    return found, plan


def _given(folder: Path, _size: int) -> Any:
    """For the yardstick the catalogue is given."""
    found = load_sources(folder)
    return folder, found.catalogue, found.apps


def _integers(given: Any, meter: Meter) -> integers.Plain:
    folder, known, apps = given
    with meter.whole(), uncollected():
        with meter.part("read"):
            province, units = (
                yaml.load(folder.joinpath(*name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
                for name in (("province.yml",), UNITS)
            )
        with meter.part("integers"):
            offered = {service.id: service for service in known.services}
            taken = {}
            for app in apps:
                if app.published:
                    offered[app.id] = app.service(known.machines[app.record["machine"]].primary)
                    taken[app.id] = app.taken_by(known.kinds), app.spheres, app.segments
            made = integers.plan(province, units["units"], known, offered, taken)
    return made


def numbers(plan: Plan) -> integers.Plain:
    """A plan as `integers.plan` gives it."""

    def net(network: IPNetwork) -> tuple[int, int]:
        return int(network.ip), network.prefixlen

    def nets(networks: Iterable[IPNetwork]) -> list[tuple[int, int]]:
        return [net(network) for network in networks]

    def end(side: Endpoint) -> tuple[Any, ...]:
        return side.zone, side.segments, side.machine, nets(side.networks4), nets(side.networks6)

    def number(address: IPAddress | None) -> int | None:
        return None if address is None else int(address)

    return {
        "units": [
            (
                *(u.id, u.code, u.name, u.kind, u.sphere, u.parent, u.index, u.pool, u.state),
                *(*net(u.prefix4), *net(u.prefix6), u.asn, u.closed, u.services),
                [(link.access, link.bandwidth_mbps) for link in u.links],
                [(contact.role, contact.mailbox) for contact in u.contacts],
                *(u.wave, u.level),
            )
            for u in plan.units
        ],
        "segments": [
            (
                *(s.id, s.owner, s.name, s.code, s.zone, s.vlan),
                *(*net(s.network4), *net(s.network6), number(s.gateway4), number(s.gateway6)),
            )
            for s in plan.segments
        ],
        "hosts": [
            (
                *(host.name, host.fqdn, host.owner, host.machine, host.member),
                [
                    (i.name, i.segment, i.zone, nets(i.addresses), nets(i.vips), i.method, i.default_route)
                    for i in host.interfaces
                ],
                host.roles,
            )
            for host in plan.hosts
        ],
        "peers": [
            (
                *(p.unit, p.gateway, p.hub, p.gateway_interface, p.hub_interface),
                *(int(p.endpoint4), int(p.endpoint6), p.port),
                *(int(p.gateway_address4), int(p.gateway_address6)),
                *(int(p.hub_address4), int(p.hub_address6), nets(p.allowed4), nets(p.allowed6), p.preferred),
            )
            for p in plan.peers
        ],
        "services": [
            (
                *(s.id, s.machine, s.segment, [(port.protocol, port.number) for port in s.ports]),
                *(s.names, s.hosts, [int(a) for a in s.addresses4], [int(a) for a in s.addresses6]),
                s.pending,
            )
            for s in plan.services
        ],
        "flows": [
            (
                *(f.id, end(f.source), end(f.destination), f.service),
                *([(port.protocol, port.number) for port in f.ports], f.reason, f.owner, f.sphere),
            )
            for f in plan.flows
        ],
        "zones": [
            (zone.name, [(r.name, r.type, r.ttl, r.data) for r in zone.records]) for zone in plan.dns_zones
        ],
    }


def content(made: Any) -> Any:
    """What both sides made as one kind of data; addresses of a service are a set, without an order."""
    plain = numbers(made[1]) if isinstance(made, tuple) else made
    plain["services"] = [
        (*service[:6], *map(sorted, service[6:8]), service[8]) for service in plain["services"]
    ]
    return json.loads(json.dumps(plain))


BENCHMARKS = (
    Benchmark(
        name="plan",
        title="from the files of a register of all communes of the country to its plan, with all checks",
        sides=(
            Side(
                name="ours",
                words="what `province check` does: read, check every value and all of them together, plan, "
                "check the plan. `read` is the register's files, `check` the rest of loading with the "
                "catalogue and the applications.",
                prepare=lambda folder, _: folder,
                run=_ours,
                content=content,
            ),
            Side(
                name="integers",
                words="the files by PyYAML's fast loader, then the whole content of the plan as plain "
                "integers, texts and tuples, without types and without a single check "
                "(tests/benchmarks/integers.py).",
                prepare=_given,
                run=_integers,
                content=content,
            ),
        ),
        sizes=(COMMUNES // 10, COMMUNES),
        tiny=60,
        make=write_country,
        bounds=(
            Bound(
                claim=f"A register of {COMMUNES:,} units is read, checked and planned",
                figure=Figure(side="ours", size=COMMUNES),
                most=1,
            ),
            Bound(
                claim=f"Time for a unit, {COMMUNES:,} units to {COMMUNES // 10}",
                figure=Figure(side="ours", size=COMMUNES, each=True),
                over=Figure(side="ours", size=COMMUNES // 10, each=True),
                most=1.5,
            ),
            Bound(
                claim="All checks and the plan with types, against plain integers without a check",
                figure=Figure(side="ours", size=COMMUNES, of="check and plan"),
                over=Figure(side="integers", size=COMMUNES, of="integers"),
                most=3,
            ),
            Bound(
                claim="The same, both from the files on",
                figure=Figure(side="ours", size=COMMUNES),
                over=Figure(side="integers", size=COMMUNES),
                most=3,
            ),
        ),
        packages=("netaddr", "PyYAML"),
    ),
)
