"""The one screen at the end of `make up`: what runs where, how to reach it, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from province.ledger import state_dir
from province.plan.model import Zone

if TYPE_CHECKING:
    from province.hosts import Environment, Host
    from province.plan.model import Plan, PlannedService

_MANY_ROLES = 4


def text(environment: Environment, plan: Plan, hosts: Sequence[Host]) -> str:
    """Return the screen, about as many lines as there are hosts and twelve more."""
    config = state_dir(environment.name) / "ssh" / "config"
    lines = [f"{plan.name} ({plan.domain}), environment {environment.name}", ""]
    width = max(len(host.name) for host in hosts)
    for host in hosts:
        lines.append(f"  {host.name:<{width}}  {management_address(host):<16} {_does(host)}")
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
        "  make test      prove it, from the linters to the unit's PC",
        "  make status    this screen again",
        "  make down      take it away",
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


def _does(host: Host) -> str:
    base = {"system_base", "ssh_server", "network_interface", "firewall", "ntp"}
    roles = [role for role in host.planned.roles if role not in base] or list(host.planned.roles)
    shown = ", ".join(roles[:_MANY_ROLES])
    return shown + (", …" if len(roles) > _MANY_ROLES else "")
