"""Base: each host is what was planned, has what was planned, and is nobody's twin."""

from __future__ import annotations

import pytest
import yaml
from netaddr import IPNetwork

from province.observe import chrony
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, machine
from tests.support.state import COMMANDS, state

HOSTS = environment.ours()
# How an interface comes to its address when the plan does not say which: by DHCP and router advertisements.
DYNAMIC = "dynamic"
# Networks of containers are inside the host: what leaves them leaves by one of its interfaces.
INSIDE = ("pod-", "veth")


@pytest.mark.requirement("tcvn-14423/5.2.2.1-register", "tcvn-14423/5.12.2.2b-zones")
@pytest.mark.parametrize("host", HOSTS)
def test_addresses_are_exactly_the_planned_ones(host: str) -> None:
    """An address that was not planned is in no zone, and no rule speaks of it."""
    facts = environment.facts(host)
    wanted = {
        (interface["name"], address)
        for interface in facts["interfaces"]
        if interface["method"] != DYNAMIC
        for address in [*interface["addresses"], *interface["vips"]]
    }
    wanted |= {
        (tunnel["name"], address) for tunnel in facts.get("wireguard", []) for address in tunnel["addresses"]
    }
    leased = {interface["name"] for interface in facts["interfaces"] if interface["method"] == DYNAMIC}
    # What members carry by turns is here or there: all of it, or nothing.
    turns = {
        (instance["interface"], address)
        for instance in facts.get("pair", {}).get("instances", [])
        for address in instance["addresses"]
    }
    found = {
        (entry.interface, entry.address)
        for entry in state(host).addresses
        if entry.scope == "global"
        and entry.interface not in leased
        and not entry.interface.startswith(INSIDE)
    }
    assert _normal(found) in (_normal(wanted), _normal(wanted | turns))


@pytest.mark.requirement("tcvn-14423/5.12.2.2b-zones")
@pytest.mark.parametrize("host", HOSTS)
def test_every_interface_is_in_one_zone(host: str) -> None:
    """An interface that no zone claims would be outside the matrix of flows."""
    facts = environment.facts(host)
    zones = {interface["name"]: interface["zone"] for interface in facts["interfaces"]}
    zones |= {tunnel["name"]: "internal" for tunnel in facts.get("wireguard", [])}
    found = {entry.interface for entry in state(host).addresses if entry.interface != "lo"}
    assert {name for name in found if not name.startswith(INSIDE)} <= set(zones)


def test_no_two_hosts_share_a_machine_id_or_a_host_key() -> None:
    """An image that carries either makes every host of the province the same host."""
    for what in ("machine_id", "host_key"):
        values = {host: state(host).said[what].checked().strip() for host in HOSTS}
        assert all(values.values())
        assert len(set(values.values())) == len(HOSTS), values


@pytest.mark.parametrize("host", HOSTS)
def test_no_unit_has_failed(host: str) -> None:
    """Nothing is on a list of exceptions."""
    assert [unit.name for unit in state(host).units if unit.active == "failed"] == []


# What the host image starts, written by hand: all else is started by a role that says so.
IMAGE = {
    "logrotate.timer",
    "ssh.service",
    "systemd-network-generator.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
}


@pytest.mark.requirement("tcvn-14423/5.5.2.1d-unused-services")
@pytest.mark.parametrize("host", HOSTS)
def test_only_declared_units_start_by_themselves(host: str) -> None:
    """The image's few and those of the host's roles: what a package brings along shows here."""
    declared = {unit for role in environment.planned(host).roles for unit in _enabled_by(role)}
    assert declared
    found = set(state(host).enabled)
    assert found - IMAGE - declared == set()
    assert declared - found == set()


@pytest.mark.parametrize("host", HOSTS)
def test_what_starts_by_itself_is_at_work(host: str) -> None:
    """A daemon without a port is missed by nobody until it is needed: a standby, a watch, a log of drops."""
    declared = {unit for role in environment.planned(host).roles for unit in _enabled_by(role)}
    at_work = {unit.name for unit in state(host).units if unit.active == "active"}
    assert declared - at_work == set()


@pytest.mark.parametrize("host", HOSTS)
def test_the_kernel_has_what_was_laid_down_for_it(host: str) -> None:
    """Every key that a container may set: those with a minus are its host's."""
    laid = {"laid": "grep -Ehv '^(-|#|;|$)' /etc/sysctl.d/90-province.conf"}
    said = batch(machine(host), laid)["laid"].checked()
    pairs = (line.partition("=") for line in said.splitlines())
    wanted = {key.strip(): value.strip() for key, _, value in pairs}
    assert len(wanted) > 20
    asked = {key: f"sysctl --values {key}" for key in wanted}
    found = {key: said.checked().strip() for key, said in batch(machine(host), asked).items()}
    assert {key: value for key, value in found.items() if value != wanted[key]} == {}


def _enabled_by(role: str) -> set[str]:
    """Units that a role's task enables."""
    tasks = yaml.safe_load(
        (environment.ROOT / "roles" / role / "tasks" / "main.yml").read_text(encoding="utf-8")
    )
    listed = [task["managed_tree"].get("units", []) for task in tasks if "managed_tree" in task]
    # A list that is computed holds generated units, which systemd does not call enabled.
    return {
        unit["name"] for units in listed if isinstance(units, list) for unit in units if unit.get("enabled")
    }


@pytest.mark.requirement(
    "tcvn-14423/5.5.2.1d-unused-services", "tcvn-14423/5.5.2.1b-safe-protocols", "tcvn-14423/5.13.2-ports"
)
@pytest.mark.parametrize("host", HOSTS)
def test_listening_sockets_are_exactly_the_planned_services(host: str) -> None:
    """Whatever listens beyond this is a service that nobody declared; what is missing is an outage."""
    facts = environment.facts(host)
    wanted = {
        (rule["protocol"], port) for rule in facts["firewall"]["input"] for port in rule["ports"] if port
    } | {("tcp", 22)}
    wanted |= {("udp", 67) for _ in facts.get("dhcp", [])}
    wanted |= {
        ("udp", tunnel["listen_port"]) for tunnel in facts.get("wireguard", []) if tunnel["listen_port"]
    }
    found = {
        (listener.protocol, listener.port): listener.process
        for listener in state(host).listeners
        if not listener.loopback and listener.process not in _dialling(host)
        if (listener.protocol, listener.port) in wanted or not _own_side(listener.process, listener.port)
    }
    assert set(found) == wanted, f"on {host}: {found}"


def _own_side(program: str, port: int) -> bool:
    """Whether a UDP socket is a program's own side of a conversation, or one that it opens in any case.

    bfdd opens all ports of its protocol (RFC 5881, 5883, the echo's) whatever it is told, sends from ports
    above 49151, and conntrackd from any. No rule lets anybody in there.
    """
    if program == "bfdd":
        return port in (3784, 4784, 7784) or port > 49151
    return program == "conntrackd" and port > 32767


def _dialling(host: str) -> set[str]:
    """Programs whose open UDP socket is their own side of a conversation, not a service."""
    facts = environment.facts(host)
    programs = set()
    if any(not tunnel["listen_port"] for tunnel in facts.get("wireguard", [])):
        programs.add("wireguard-go")
    if any(interface["method"] == DYNAMIC for interface in facts["interfaces"]):
        programs.add("systemd-network")
    return programs


def _normal(entries: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(name, str(IPNetwork(address))) for name, address in entries}


@pytest.mark.requirement("tcvn-14423/5.8.2.1-time")
@pytest.mark.parametrize("host", HOSTS)
def test_the_clock_follows_the_centre(host: str) -> None:
    """Logs of two hosts can be laid side by side only when their clocks agree.

    A unit's PC follows its gateway, which follows the centre: after a cold start one waits for the other.
    """

    def synchronised() -> chrony.Tracking:
        tracking = chrony.tracking(batch(machine(host), {"it": COMMANDS["tracking"]})["it"].checked())
        assert tracking.synchronised, tracking
        return tracking

    assert abs(eventually(synchronised, within=120, every=2).offset) < 1


@pytest.mark.requirement("tcvn-14423/5.3.2.2-own-source", "tcvn-14423/5.7.2.2-patch-server")
@pytest.mark.parametrize("host", HOSTS)
def test_packages_come_from_the_centres_mirror_only(host: str) -> None:
    """What apt would really ask, after all its configuration is read."""
    mirror = environment.facts(host)["mirror_url"].removeprefix("http://")
    asked = state(host).said["apt_uris"].checked().split()
    assert asked
    assert {uri.removeprefix("http://").split("/")[0] for uri in asked} == {mirror}
