"""The first contact: from a container that booted to a host that SSH certificates work with, both ways.

Over the Incus API alone (commands inside the host), so that nothing has to be trusted on a network:
host keys are made inside the host and only their public halves come out, to be signed by the host
authority of the ledger. The host gets the user authority's public key, its management address and its
name. Afterwards:

- OpenSSH (Ansible) knows hosts by certificate (`known_authorities`), paramiko (the checks) by their
  plain keys (`known_hosts`): paramiko refuses a file that holds a line `@cert-authority`;
- the operator signs in with a certificate of 30 days, renewed by every run.

The certificate's principal is `root`, and there is no other account for the operator: everything that
converges a host needs root, an account with unlimited sudo would be root under a second name, and who
it was is in the log of sshd either way (the certificate's key id). Named accounts come with the
identity layer.

On the host these files are the first contact's own: the host certificate, the user authority and
`sshd_config.d/10-first-contact.conf` (the role `ssh_server` writes its configuration beside it).
`10-mgmt.network` is written only while it does not say the planned addresses and routes: the role
`network_interface` owns it afterwards.
"""

from __future__ import annotations

import argparse
import base64
import ipaddress
import json
import secrets
import shlex
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_identity,
    load_ssh_public_key,
)

from province.hosts import Environment, Host, built_hosts, load_environment, plan_for
from province.incus import Endpoint, Incus, IncusError
from province.ledger import HOST_CA, OPERATOR_KEY, USER_CA, Kind, Ledger, state_dir
from province.ledger import write_atomically as write
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError

CERTIFICATE = "/etc/ssh/ssh_host_ed25519_key-cert.pub"
USER_AUTHORITY = "/etc/ssh/province_user_ca.pub"
SSHD_DROP_IN = "/etc/ssh/sshd_config.d/10-first-contact.conf"
MANAGEMENT_NETWORK = "/etc/systemd/network/10-mgmt.network"

HOST_VALIDITY = timedelta(days=5 * 365)  # a host that nobody converges for years must still be reachable
HOST_RENEWAL = timedelta(days=365)  # signed again when less is left
USER_VALIDITY = timedelta(days=30)
_CLOCK_SLACK = timedelta(minutes=10)  # a host's clock may be behind the controller's
_PARALLEL = 8
_ANSWERS_WITHIN = 15.0  # seconds until sshd is to answer on a management address that was just set

_SSHD = f"""\
# Laid down by the first contact; the role ssh_server writes its own file beside this one.
HostCertificate {CERTIFICATE}
TrustedUserCAKeys {USER_AUTHORITY}
"""

# Runs inside the host: waits for the boot, says what is there, and lays down what it is given.
_REMOTE = r"""
import ipaddress, json, os, subprocess, sys, time

def run(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)

def active(unit):
    return run("systemctl", "is-active", unit).stdout.strip() == "active"

def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True

def addresses(interface):
    told = run("ip", "-j", "address", "show", "dev", interface).stdout or "[]"
    return {"%s/%s" % (a["local"], a["prefixlen"]) for l in json.loads(told) for a in l.get("addr_info", [])}

def learnt(interface):
    # Networks that a router advertisement told the kernel before its settings said to take none: the
    # address goes when networkd takes over, the network stays.
    own = {ipaddress.ip_interface(address).network for address in addresses(interface)}
    told = run("ip", "-6", "-j", "route", "show", "dev", interface, "proto", "kernel").stdout or "[]"
    return sorted(r["dst"] for r in json.loads(told) if ipaddress.ip_network(r["dst"]) not in own)

def content(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""

def lay_down(path, text, mode):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)

def must(*words):
    done = run(*words)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(words), (done.stderr or done.stdout).strip()))

order = json.loads(sys.argv[1])
if not until(lambda: active("basic.target"), order["boot"]):
    sys.exit("systemd has not reached basic.target within %d s" % order["boot"])
if not content("/etc/ssh/ssh_host_ed25519_key.pub"):
    must("ssh-keygen", "-q", "-A")
for path, text in order["files"].items():
    lay_down(path, text, 0o644)
if "hostname" in order:
    lay_down("/etc/hostname", order["hostname"] + "\n", 0o644)
    must("hostname", order["hostname"])
for unit in order["start"]:
    must("systemctl", "enable", "--now", unit)
if order["network"]:
    must("ip", "link", "set", "dev", order["interface"], "down")
    must("ip", "link", "set", "dev", order["interface"], "up")
    must("networkctl", "reload")
    must("networkctl", "reconfigure", order["interface"])
if order["ssh"]:
    must("sshd", "-t")
    must("systemctl", "reload-or-restart", "ssh.service")
wanted = set(order["addresses"])
if order["network"] and not until(lambda: wanted <= addresses(order["interface"]), 20):
    sys.exit("%s has %s" % (order["interface"], sorted(addresses(order["interface"]))))
print(json.dumps({
    "key": content("/etc/ssh/ssh_host_ed25519_key.pub").strip(),
    "files": {path: content(path) for path in order["look"]},
    "hostname": os.uname().nodename,
    "active": [unit for unit in order["units"] if active(unit)],
    "addresses": sorted(addresses(order["interface"])),
    "learnt": learnt(order["interface"]),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the first contact needs to know of a host; addresses are those of its management interface."""

    name: str
    fqdn: str
    interface: str
    addresses: tuple[str, ...]  # CIDR
    routes: tuple[str, ...]  # CIDR, reached directly on the interface

    @property
    def principals(self) -> tuple[str, ...]:
        """Everything the host is called by: name, full name, management addresses."""
        return (self.name, self.fqdn, *(text.split("/")[0] for text in self.addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacted:
    """What a first contact did: host → what was laid down there; `seconds` of wall-clock time."""

    done: Mapping[str, tuple[str, ...]]
    hosts: int
    seconds: float

    @property
    def changed(self) -> int:
        """How many hosts were changed."""
        return len(self.done)


def target_of(host: Host) -> Target:
    """Take from a host's facts what the first contact needs."""
    facts: Mapping[str, Any] = host.facts()
    name = facts["management"]["interface"]
    interface = next(entry for entry in facts["interfaces"] if entry["name"] == name)
    return Target(
        name=host.name,
        fqdn=facts["fqdn"],
        interface=name,
        addresses=tuple(interface["addresses"]),
        routes=tuple(facts["management_routes"]),
    )


def first_contact(
    environment: Environment, plan: Plan, progress: Callable[[str], None] = lambda _: None
) -> Contacted:
    """Make every built host of an environment reachable by SSH certificates; a second run does nothing.

    Hosts of `provider: none` are not reached through Incus: their keys must be known already (see
    `province contact`), else CON-003 says which are not.
    """
    targets = [target_of(host) for host in built_hosts(environment, plan)]
    state = state_dir(environment.name)
    desk = Desk(state)
    if environment.provider == "none":
        known = desk.host_keys()
        missing = tuple(
            _problem(
                "CON-003",
                target.name,
                "a host whose key is not known",
                "its public host key, read on its console",
                f"Run province contact {environment.name} --host {target.name} and follow it.",
            )
            for target in targets
            if target.name not in known
        )
        if missing:
            raise ProblemsFoundError(missing)
        desk.write_client_files(targets, known)
        return Contacted(done={}, hosts=len(targets), seconds=0.0)
    incus = Incus(Endpoint.of(environment.incus.endpoint, state / "incus"))
    try:
        return contact(desk, incus, environment.incus.project, targets, progress)
    finally:
        incus.close()


def contact(
    desk: Desk,
    incus: Incus,
    project: str,
    targets: Sequence[Target],
    progress: Callable[[str], None] = lambda _: None,
) -> Contacted:
    """Contact hosts that are instances of an Incus project, several at once.

    All hosts are tried; what failed is raised together (CON-001, CON-002), after the client's files
    were written for those that answered.
    """
    started = time.monotonic()
    keys: dict[str, str] = {}
    done: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for target, outcome in zip(
            targets, pool.map(lambda target: _try(desk, incus, project, target), targets), strict=True
        ):
            if isinstance(outcome, Problem):
                problems.append(outcome)
                progress(f"{target.name}: failed")
                continue
            keys[target.name], changes = outcome
            if changes:
                done[target.name] = changes
                progress(f"{target.name}: {', '.join(changes)}")
    desk.write_client_files(targets, {**desk.host_keys(), **keys})
    if problems:
        raise ProblemsFoundError(tuple(problems))
    return Contacted(done=done, hosts=len(targets), seconds=time.monotonic() - started)


class Desk:
    """The controller's side: the authorities of the ledger, and the client's files in `ssh/`.

    `ssh/id_ed25519` and its certificate (the operator's), `ssh/known_hosts`, `ssh/known_authorities`,
    `ssh/config`.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "ssh"
        ledger = Ledger.create(state)
        for name in (HOST_CA, USER_CA, OPERATOR_KEY):
            ledger.ensure_keypair(name, Kind.SSH)
        self._ledger = ledger
        self.user_authority = ledger.public(USER_CA)
        self.host_authority = ledger.public(HOST_CA)
        self._host_ca = _private(ledger.secret(HOST_CA))

    def certificate_fits(self, text: str, key: str, principals: Sequence[str]) -> bool:
        """Say whether a host certificate is ours, for this key and these names, and long enough valid."""
        try:
            certificate = load_ssh_public_identity(text.encode())
            if not isinstance(certificate, SSHCertificate):
                return False
            certificate.verify_cert_signature()
        except (ValueError, InvalidSignature, UnsupportedAlgorithm):
            return False
        now = datetime.now(UTC).timestamp()
        return (
            _encoded(certificate.signature_key()) == _without_comment(self.host_authority)
            and _encoded(certificate.public_key()) == _without_comment(key)
            and certificate.type is SSHCertificateType.HOST
            and set(certificate.valid_principals) == {name.encode() for name in principals}
            and certificate.valid_before > now + HOST_RENEWAL.total_seconds()
        )

    def sign_host(self, name: str, key: str, principals: Sequence[str]) -> str:
        """Sign a host's public key; the line for its certificate file."""
        builder = _certificate(_public(key), f"host {name}", principals, HOST_VALIDITY)
        return _line(builder.type(SSHCertificateType.HOST).sign(self._host_ca), name)

    def files_for(self, target: Target, key: str) -> dict[str, str]:
        """Return path → content of what a host with this key is to have (its certificate freshly signed)."""
        return {
            CERTIFICATE: self.sign_host(target.name, key, target.principals),
            USER_AUTHORITY: f"{self.user_authority}\n",
            SSHD_DROP_IN: _SSHD,
            MANAGEMENT_NETWORK: management_network(target),
        }

    def host_keys(self) -> dict[str, str]:
        """Return host → public key, as known_hosts has them; {} before the first contact."""
        path = self._folder / "known_hosts"
        lines = path.read_text().splitlines() if path.is_file() else []
        words = [line.split() for line in lines if line]
        return {names.split(",")[0]: f"{kind} {key}" for names, kind, key, *_ in words}

    def write_client_files(self, targets: Sequence[Target], keys: Mapping[str, str]) -> None:
        """Write key, certificate, known_hosts and config; hosts without a known key are left out."""
        known = [target for target in targets if target.name in keys]
        secret = self._ledger.secret(OPERATOR_KEY)
        operator = self._ledger.public(OPERATOR_KEY)
        certificate = _certificate(
            _public(operator), f"operator of {self._state.name}", ["root"], USER_VALIDITY
        ).type(SSHCertificateType.USER)
        certificate = certificate.add_extension(b"permit-pty", b"")
        # Hosts decide where connections may come out: only a staff PC lets them.
        certificate = certificate.add_extension(b"permit-port-forwarding", b"")
        user_ca = _private(self._ledger.secret(USER_CA))
        write(self._folder / "id_ed25519", secret, 0o600)
        write(self._folder / "id_ed25519.pub", f"{operator}\n".encode(), 0o644)
        line = _line(certificate.sign(user_ca), OPERATOR_KEY)
        write(self._folder / "id_ed25519-cert.pub", line.encode(), 0o644)
        hosts = [f"{','.join(target.principals)} {_without_comment(keys[target.name])}" for target in known]
        authority = f"@cert-authority * {_without_comment(self.host_authority)}\n"
        write(self._folder / "known_hosts", "\n".join([*hosts, ""]).encode(), 0o644)
        write(self._folder / "known_authorities", authority.encode(), 0o644)
        write(self._folder / "config", self._config(known).encode(), 0o644)

    def _config(self, targets: Sequence[Target]) -> str:
        blocks = [
            f"Host {target.name} {target.fqdn}\n    HostName {target.addresses[0].split('/')[0]}\n"
            for target in targets
        ]
        common = f"""\
Host *
    User root
    IdentityFile {self._folder}/id_ed25519
    CertificateFile {self._folder}/id_ed25519-cert.pub
    IdentitiesOnly yes
    UserKnownHostsFile {self._folder}/known_authorities
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    PreferredAuthentications publickey
    HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519
    ConnectTimeout 10
"""
        return "\n".join([*blocks, common])


def management_network(target: Target) -> str:
    """Return the systemd-networkd file of the management interface: addresses, and nothing learnt.

    No gateway: the controller is reached directly, from other management networks by a route to its
    address alone.
    """
    lines = ["[Match]", f"Name={target.interface}", "", "[Network]", "LinkLocalAddressing=ipv6", "DHCP=no"]
    lines += ["IPv6AcceptRA=no", ""]
    for address in target.addresses:
        lines += ["[Address]", f"Address={address}", ""]
    for route in target.routes:
        # Scope is IPv4's: on IPv6 a route without gateway is a direct one anyway.
        lines += ["[Route]", f"Destination={route}", *(["Scope=link"] if ":" not in route else []), ""]
    return "\n".join(lines)


def says_what_is_planned(text: str, target: Target) -> bool:
    """Say whether a .network file, ours or the role's, has the addresses and routes of the plan."""
    lines = {line.strip() for line in text.splitlines()}
    wanted = {f"Name={target.interface}"}
    wanted |= {f"Address={address}" for address in target.addresses}
    wanted |= {f"Destination={route}" for route in target.routes}
    return wanted <= lines and not any(line.startswith("Gateway=") for line in lines)


def _try(desk: Desk, incus: Incus, project: str, target: Target) -> tuple[str, tuple[str, ...]] | Problem:
    try:
        return _one(desk, incus, project, target)
    except IncusError as error:
        return _problem(
            "CON-001",
            target.name,
            str(error).rstrip("."),
            "a running instance that takes commands",
            "Bring the stack up first (make up); look inside with incus exec.",
        )
    except OSError as error:
        return _problem(
            "CON-002",
            target.name,
            f"no answer of sshd on {target.addresses[0]} ({error})",
            f"sshd answering from its management address within {_ANSWERS_WITHIN:.0f} s",
            f"Look inside (incus exec {target.name} --project {project} -- journalctl -n 50 -u ssh).",
        )


def _one(desk: Desk, incus: Incus, project: str, target: Target) -> tuple[str, tuple[str, ...]]:
    """Contact one host: one command to look, one more if something is to be laid down."""
    units = ["systemd-networkd.service", "ssh.service"]
    order: dict[str, Any] = {
        "boot": 90,
        "files": {},
        "start": [],
        "network": False,
        "ssh": False,
        "interface": target.interface,
        "addresses": [str(ipaddress.ip_interface(address)) for address in target.addresses],
        "look": [CERTIFICATE, USER_AUTHORITY, SSHD_DROP_IN, MANAGEMENT_NETWORK],
        "units": units,
    }
    seen = _ask(incus, project, target, order)
    key, files = str(seen["key"]), seen["files"]
    wanted = desk.files_for(target, key)
    if desk.certificate_fits(files[CERTIFICATE], key, target.principals):
        del wanted[CERTIFICATE]
    if says_what_is_planned(files[MANAGEMENT_NETWORK], target):
        del wanted[MANAGEMENT_NETWORK]
    wanted = {path: text for path, text in wanted.items() if files[path] != text}
    order["files"] = wanted
    order["start"] = [unit for unit in units if unit not in seen["active"]]
    stands = set(order["addresses"]) <= set(seen["addresses"]) and not seen["learnt"]
    order["network"] = MANAGEMENT_NETWORK in wanted or not stands
    order["ssh"] = bool(wanted.keys() & {CERTIFICATE, USER_AUTHORITY, SSHD_DROP_IN})
    if seen["hostname"] != target.name:
        order["hostname"] = target.name
    changes = (
        *(path.rsplit("/", 1)[-1] for path in wanted),
        *(["hostname"] if "hostname" in order else []),
        *(f"{unit.split('.')[0]} started" for unit in order["start"]),
        *(["management address"] if order["network"] and MANAGEMENT_NETWORK not in wanted else []),
    )
    if changes:
        _ask(incus, project, target, order)
        _await_sshd(target)
    return key, changes


def _ask(incus: Incus, project: str, target: Target, order: Mapping[str, Any]) -> dict[str, Any]:
    command = ["python3", "-I", "-c", _REMOTE, json.dumps(order)]
    told = incus.run(target.name, command, project=project, timeout=150)
    if told.code != 0:
        raise IncusError(f"{target.name} says: {(told.stderr or told.stdout).strip()[-400:]}")
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def _await_sshd(target: Target) -> None:
    """Wait until sshd answers on the first management address; the last error when it does not."""
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while True:
        try:
            with socket.create_connection((target.addresses[0].split("/")[0], 22), timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def console_script(desk: Desk, target: Target, key: str) -> str:
    """Return the shell script that lays down on an existing host what Incus would: for its console."""
    lines = ["set -eu"]
    for path, text in desk.files_for(target, key).items():
        encoded = base64.b64encode(text.encode()).decode()
        lines += [f"mkdir -p {shlex.quote(path.rsplit('/', 1)[0])}", f"echo {encoded} | base64 -d > {path}"]
    lines += [
        f"echo {shlex.quote(target.name)} > /etc/hostname && hostname {shlex.quote(target.name)}",
        "systemctl enable --now systemd-networkd.service && networkctl reload",
        "sshd -t && systemctl enable --now ssh.service && systemctl reload ssh.service",
    ]
    return "\n".join(lines) + "\n"


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Join `province contact` to the command line."""
    parser = subparsers.add_parser("contact", help="make hosts reachable by SSH certificates")
    parser.add_argument("environment", help="lab, production, …")
    parser.add_argument("--host", help="an existing host: print what to type on its console")
    parser.add_argument("--host-key", help="its public host key, as read there")
    parser.set_defaults(run=_command)


def _command(arguments: argparse.Namespace) -> int:
    root = Path(__file__).resolve().parent.parent
    environment = load_environment(root / "inventories" / arguments.environment / "environment.yml")
    plan = plan_for(environment)
    if not arguments.host:
        told = first_contact(environment, plan, lambda line: print(line, flush=True))  # noqa: T201 - progress
        sys.stdout.write(f"{told.hosts} hosts, {told.changed} changed, {told.seconds:.1f} s\n")
        return 0
    targets = [target_of(host) for host in built_hosts(environment, plan)]
    target = next((target for target in targets if target.name == arguments.host), None)
    if target is None:
        raise ProblemsFoundError(
            (
                _problem(
                    "CON-004",
                    arguments.host,
                    "a host that is not built in this environment",
                    f"one of {', '.join(target.name for target in targets)}",
                    "Correct the name.",
                ),
            )
        )
    if not arguments.host_key:
        sys.stdout.write(
            "# 1. On the console of the host, as root:\n"
            "ssh-keygen -A && cat /etc/ssh/ssh_host_ed25519_key.pub\n"
            "# 2. Here, with the line that it shows; then run on the console what this prints:\n"
            f"province contact {arguments.environment} --host {target.name} --host-key 'ssh-ed25519 …'\n"
        )
        return 0
    try:
        _public(arguments.host_key)
    except (ValueError, UnsupportedAlgorithm):
        raise ProblemsFoundError(
            (
                _problem(
                    "CON-005",
                    target.name,
                    f"the host key {arguments.host_key!r}",
                    "an ed25519 public key: ssh-ed25519 AAAA…",
                    "Copy the whole line of /etc/ssh/ssh_host_ed25519_key.pub.",
                ),
            )
        ) from None
    desk = Desk(state_dir(environment.name))
    desk.write_client_files(targets, {**desk.host_keys(), target.name: arguments.host_key})
    sys.stdout.write(console_script(desk, target, arguments.host_key))
    return 0


def _certificate(
    key: Ed25519PublicKey, key_id: str, principals: Sequence[str], validity: timedelta
) -> SSHCertificateBuilder:
    now = datetime.now(UTC)
    return (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(secrets.randbits(63))
        .key_id(key_id.encode())
        .valid_principals([name.encode() for name in principals])
        .valid_after((now - _CLOCK_SLACK).timestamp())
        .valid_before((now + validity).timestamp())
    )


def _private(pem: bytes) -> Ed25519PrivateKey:
    key = load_ssh_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the ledger's SSH keys are ed25519")
    return key


def _public(line: str) -> Ed25519PublicKey:
    key = load_ssh_public_key(line.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an ed25519 key")
    return key


def _encoded(key: Any) -> str:
    encoded: bytes = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return encoded.decode()


def _without_comment(line: str) -> str:
    return " ".join(line.split()[:2])


def _line(certificate: SSHCertificate, comment: str) -> str:
    return f"{certificate.public_bytes().decode()} {comment}\n"


def _problem(code: str, host: str, found: str, wanted: str, remedy: str) -> Problem:
    return Problem(code=code, file=f"host {host}", line=0, path="", found=found, wanted=wanted, remedy=remedy)
