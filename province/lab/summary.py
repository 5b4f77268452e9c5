"""The one screen at the end of `make up`: what runs where, how to reach it, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from province.ledger import state_dir
from province.plan.model import Zone

if TYPE_CHECKING:
    from province.hosts import Environment, Host
    from province.plan.model import Plan, PlannedService

_MANY_UNITS = 4  # whose hosts are listed; a screen has no room for those of thousands
_WIDE = 120  # columns


def text(environment: Environment, plan: Plan, hosts: Sequence[Host]) -> str:
    """Return the screen: a line for each machine of the centre, and for each host of the first units."""
    config = state_dir(environment.name) / "ssh" / "config"
    units = environment.units
    suffix = "" if environment.name == "lab" else f" ENV={environment.name}"
    lines = [f"{plan.name} ({plan.domain}), environment {environment.name}: {len(hosts)} hosts", ""]
    lines += _table(environment, _shown(hosts, units, units[:_MANY_UNITS]))
    if len(units) > _MANY_UNITS:
        more = sum(1 for host in hosts if host.planned.owner in units[_MANY_UNITS:])
        lines.append(f"  and {more} hosts of {len(units) - _MANY_UNITS} more units: make hosts{suffix}")
    lines += ["", "Reach a host:", f"  ssh -F {config} {hosts[0].name}"]
    workstation = next((host for host in hosts if host.planned.machine == "workstation"), None)
    pages = web_names(plan)
    if workstation is not None and pages:
        lines += [
            "See what a unit's staff sees (browser with SOCKS proxy localhost:1080, names asked there too):",
            f"  ssh -F {config} -D 1080 {workstation.name}",
            *(f"  http://{name}/" for name in pages),
        ]
    lines += [
        "Next:",
        f"  {f'make test{suffix}':<14} prove it, from the linters to the unit's PC",
        f"  {f'make status{suffix}':<14} this screen again",
        f"  {f'make runs{suffix}':<14} who ran what, and what it changed where",
        f"  {f'make down{suffix}':<14} take it away",
    ]
    return "\n".join(lines)


def management_address(host: Host) -> str:
    """Return the IPv4 address that the controller reaches a host by, "" where it has none."""
    for interface in host.planned.interfaces:
        if interface.zone is Zone.MANAGEMENT:
            for address in interface.addresses:
                if address.version == 4:
                    return str(address.ip)
    return ""


def web_names(plan: Plan) -> list[str]:
    """Return the names of services that a browser opens; packages are for apt."""
    return [
        service.names[0]
        for service in plan.services
        if service.names and _is_web(service) and service.id != "packages"
    ]


def _is_web(service: PlannedService) -> bool:
    return any(port.protocol == "tcp" and port.number in (80, 443) for port in service.ports)


def _shown(hosts: Sequence[Host], units: Sequence[str], listed: Sequence[str]) -> list[list[Host]]:
    """What has a line: members of a machine of the centre together, hosts of listed units each by itself."""
    lines: dict[tuple[str, ...], list[Host]] = {}
    for host in hosts:
        owner = host.planned.owner
        if owner in listed or owner not in units:
            key = (owner, host.name) if owner in listed else (owner, host.planned.machine)
            lines.setdefault(key, []).append(host)
    return list(lines.values())


def _table(environment: Environment, shown: Sequence[Sequence[Host]]) -> list[str]:
    """Names, addresses and what the machine is, in columns."""
    machines = environment.sources.catalogue.machines
    names = [", ".join(host.name for host in members) for members in shown]
    addresses = [", ".join(map(management_address, members)) for members in shown]
    wide, middle = max(map(len, names)), max(map(len, addresses))
    titles = (machines[members[0].planned.machine].title for members in shown)
    rows = zip(names, addresses, titles, strict=True)
    lines = [f"  {name:<{wide}}  {at:<{middle}}  {title}" for name, at, title in rows]
    return [line if len(line) <= _WIDE else f"{line[: _WIDE - 1].rstrip(' ,')}…" for line in lines]
