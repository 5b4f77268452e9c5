"""The first contact: what it lays down, what it leaves alone, and what a client is given to trust."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from province import contact as module
from province.contact import CERTIFICATE, MANAGEMENT_NETWORK, SSHD_DROP_IN, USER_AUTHORITY, Desk, Target
from province.hosts import built_hosts, load_environment, plan_for
from province.incus import Endpoint, Finished, Incus, IncusError
from province.problems import ProblemsFoundError

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = sorted(ROOT.glob("inventories/*/environment.yml"))


def target(name: str = "edge-1", *, routes: tuple[str, ...] = ()) -> Target:
    number = sum(name.encode()) % 200 + 10
    return Target(
        name=name,
        fqdn=f"{name}.dc.example.vn",
        interface="mgmt",
        addresses=(f"192.0.2.{number}/24", f"2001:db8::{number:x}/64"),
        routes=routes,
    )


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " root@host"


class Machines(Incus):
    """Hosts that do what the script on the host would: keep files, start units, answer what they have."""

    def __init__(self, *names: str) -> None:
        self.where = "here"
        self.keys = {name: public_key() for name in names}
        self.files: dict[str, dict[str, str]] = {name: {} for name in names}
        self.units: dict[str, set[str]] = {
            name: {"ssh.service", "systemd-networkd.service"} for name in names
        }
        self.addresses: dict[str, set[str]] = {name: set() for name in names}
        self.learnt: dict[str, list[str]] = {name: [] for name in names}
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.broken: set[str] = set()

    def run(self, instance: str, command: list[str], **options: Any) -> Finished:
        """Run the script: its order is the last word of the command."""
        assert options["project"] == "lab"
        order = json.loads(command[-1])
        self.orders.append((instance, order))
        if instance not in self.keys:
            raise IncusError(f"Instance {instance} not found", status=404)
        if instance in self.broken:
            return Finished(1, "", "sshd -t: bad configuration")
        self.files[instance].update(order["files"])
        self.units[instance] |= set(order["start"])
        if order["network"]:
            self.addresses[instance] = set(order["addresses"])
            self.learnt[instance] = []
        answer = {
            "key": self.keys[instance],
            "files": {path: self.files[instance].get(path, "") for path in order["look"]},
            "hostname": instance,
            "active": sorted(self.units[instance]),
            "addresses": sorted(self.addresses[instance]),
            "learnt": self.learnt[instance],
        }
        return Finished(0, json.dumps(answer), "")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def desk(state: Path) -> Desk:
    return Desk(state)


@pytest.fixture(autouse=True)
def sshd_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_await_sshd", lambda _: None)


def meet(desk: Desk, machines: Machines, targets: Sequence[Target]) -> module.Contacted:
    return module.contact(desk, machines, "lab", targets)


def test_a_new_host_gets_everything_in_two_commands(desk: Desk) -> None:
    machines = Machines("edge-1")
    told = meet(desk, machines, [target()])
    assert told.changed == 1
    assert machines.files["edge-1"].keys() == {CERTIFICATE, USER_AUTHORITY, SSHD_DROP_IN, MANAGEMENT_NETWORK}
    assert [order["ssh"] for _, order in machines.orders] == [False, True]
    assert machines.addresses["edge-1"] == set(target().addresses)


def test_a_second_contact_looks_once_and_changes_nothing(desk: Desk) -> None:
    machines = Machines("edge-1", "hub-1")
    meet(desk, machines, [target("edge-1"), target("hub-1")])
    before = len(machines.orders)
    told = meet(desk, machines, [target("edge-1"), target("hub-1")])
    assert (told.changed, told.hosts) == (0, 2)
    assert sorted(name for name, _ in machines.orders[before:]) == ["edge-1", "hub-1"]
    assert all(order["files"] == {} and not order["ssh"] for _, order in machines.orders[before:])


def test_no_private_key_leaves_the_controller(desk: Desk, state: Path) -> None:
    machines = Machines("edge-1")
    meet(desk, machines, [target()])
    assert "PRIVATE" not in json.dumps(machines.orders)
    assert (state / "ssh/id_ed25519").stat().st_mode & 0o777 == 0o600


def test_a_network_that_the_kernel_learnt_by_itself_goes(desk: Desk) -> None:
    machines = Machines("edge-1")
    meet(desk, machines, [target()])
    machines.learnt["edge-1"] = ["2001:db8:bad::/64"]
    assert meet(desk, machines, [target()]).done == {"edge-1": ("management address",)}
    assert machines.learnt["edge-1"] == []
    assert meet(desk, machines, [target()]).done == {}


def test_a_unit_that_was_stopped_is_started(desk: Desk) -> None:
    machines = Machines("edge-1")
    meet(desk, machines, [target()])
    machines.units["edge-1"].remove("systemd-networkd.service")
    assert meet(desk, machines, [target()]).done == {"edge-1": ("systemd-networkd started",)}


@pytest.mark.parametrize("path", [CERTIFICATE, USER_AUTHORITY, SSHD_DROP_IN, MANAGEMENT_NETWORK])
def test_a_file_that_was_changed_is_laid_down_again(desk: Desk, path: str) -> None:
    machines = Machines("edge-1")
    meet(desk, machines, [target()])
    machines.files["edge-1"][path] = "# nothing"
    told = meet(desk, machines, [target()])
    assert told.done == {"edge-1": (path.rsplit("/", 1)[-1],)}
    assert machines.files["edge-1"][path] != "# nothing"


def test_a_host_with_a_new_key_is_signed_again_and_known_by_it(desk: Desk) -> None:
    machines = Machines("edge-1")
    meet(desk, machines, [target()])
    machines.keys["edge-1"] = public_key()
    assert meet(desk, machines, [target()]).changed == 1
    assert desk.certificate_fits(
        machines.files["edge-1"][CERTIFICATE], machines.keys["edge-1"], target().principals
    )
    assert desk.host_keys() == {"edge-1": " ".join(machines.keys["edge-1"].split()[:2])}


def test_a_network_file_that_the_role_wrote_stays(desk: Desk) -> None:
    """The role's file says more (headers, options); what counts is the plan's addresses and routes."""
    machines = Machines("pc-1")
    wanted = target("pc-1", routes=("192.0.2.1/32", "2001:db8::1/128"))
    meet(desk, machines, [wanted])
    theirs = "# Ansible managed\n[Link]\nRequiredForOnline=no\n" + module.management_network(wanted)
    machines.files["pc-1"][MANAGEMENT_NETWORK] = theirs
    assert meet(desk, machines, [wanted]).changed == 0
    moved = Target(
        name="pc-1", fqdn=wanted.fqdn, interface="mgmt", addresses=("192.0.2.250/24",), routes=wanted.routes
    )
    assert meet(desk, machines, [moved]).changed == 1
    assert "192.0.2.250/24" in machines.files["pc-1"][MANAGEMENT_NETWORK]


def test_the_management_network_never_has_a_gateway() -> None:
    routes = ("192.0.2.1/32", "2001:db8::1/128")
    text = module.management_network(target(routes=routes))
    assert "Gateway" not in text
    assert text.count("[Route]") == len(routes)
    assert module.says_what_is_planned(text, target(routes=routes))
    assert not module.says_what_is_planned(text + "\n[Route]\nGateway=192.0.2.1\n", target(routes=routes))
    assert not module.says_what_is_planned(text, target(routes=("198.51.100.0/24",)))


def test_one_host_that_fails_is_named_and_the_others_are_done(desk: Desk) -> None:
    machines = Machines("edge-1", "hub-1")
    machines.broken.add("hub-1")
    with pytest.raises(ProblemsFoundError) as caught:
        meet(desk, machines, [target("edge-1"), target("hub-1"), target("ns-1")])
    assert [(problem.code, problem.file) for problem in caught.value.problems] == [
        ("CON-001", "host hub-1"),
        ("CON-001", "host ns-1"),
    ]
    assert "bad configuration" in str(caught.value)
    assert CERTIFICATE in machines.files["edge-1"]
    assert desk.host_keys().keys() == {"edge-1"}


def test_a_host_whose_sshd_does_not_answer_is_a_problem(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: Target) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(module, "_await_sshd", silent)
    with pytest.raises(ProblemsFoundError) as caught:
        meet(desk, Machines("edge-1"), [target()])
    assert caught.value.problems[0].code == "CON-002"


def test_sshd_is_waited_for_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        assert timeout > 0
        asked.append(address)
        if len(asked) < 3:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connect)
    module._await_sshd(target())
    assert asked == [(target().addresses[0].split("/")[0], 22)] * 3


# --- certificates ---


def test_a_certificate_of_another_authority_key_or_name_does_not_fit(desk: Desk, tmp_path: Path) -> None:
    key = public_key()
    good = desk.sign_host("edge-1", key, target().principals)
    assert desk.certificate_fits(good, key, target().principals)
    assert not desk.certificate_fits(good, public_key(), target().principals)
    assert not desk.certificate_fits(good, key, ("edge-2",))
    stranger = Desk(tmp_path / "other").sign_host("edge-1", key, target().principals)
    assert not desk.certificate_fits(stranger, key, target().principals)
    for broken in ("", "nonsense", key, good[:-40]):
        assert not desk.certificate_fits(broken, key, target().principals)


def test_a_certificate_about_to_end_does_not_fit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = public_key()
    monkeypatch.setattr(module, "HOST_VALIDITY", module.HOST_RENEWAL - timedelta(days=1))
    old = desk.sign_host("edge-1", key, target().principals)
    assert not desk.certificate_fits(old, key, target().principals)


def test_openssh_reads_the_certificates_as_meant(desk: Desk, state: Path, tmp_path: Path) -> None:
    keygen = shutil.which("ssh-keygen")
    if keygen is None:
        pytest.skip("ssh-keygen is not on this machine")
    desk.write_client_files([target()], {"edge-1": public_key()})
    host = tmp_path / "host-cert.pub"
    host.write_text(desk.sign_host("edge-1", public_key(), target().principals))

    def told(path: Path) -> str:
        return subprocess.run(
            [keygen, "-L", "-f", str(path)], check=True, capture_output=True, text=True
        ).stdout

    assert "ssh-ed25519-cert-v01@openssh.com host certificate" in told(host)
    assert all(name in told(host) for name in target().principals)
    user = told(state / "ssh/id_ed25519-cert.pub")
    assert "user certificate" in user
    assert user.partition("Extensions:")[2].split() == ["permit-port-forwarding", "permit-pty"]
    assert user.partition("Principals:")[2].split()[0] == "root"


# --- the client's files ---


def test_paramiko_finds_every_host_by_name_and_by_both_addresses(desk: Desk, state: Path) -> None:
    keys = {name: public_key() for name in ("edge-1", "hub-1")}
    desk.write_client_files([target(name) for name in keys], keys)
    known = paramiko.HostKeys(str(state / "ssh/known_hosts"))
    for name, key in keys.items():
        for called in target(name).principals:
            found = known.lookup(called)
            assert found is not None
            assert found["ssh-ed25519"].get_base64() == key.split()[1]
    assert known.lookup("ns-1") is None


def test_openssh_trusts_the_authority_alone(desk: Desk, state: Path) -> None:
    desk.write_client_files([target()], {"edge-1": public_key()})
    authority = (state / "ssh/known_authorities").read_text().split()
    assert authority[:2] == ["@cert-authority", "*"]
    assert " ".join(authority[2:]) == " ".join(desk.host_authority.split()[:2])
    ssh = shutil.which("ssh")
    if ssh is None:
        pytest.skip("ssh is not on this machine")
    effective = subprocess.run(
        [ssh, "-G", "-F", str(state / "ssh/config"), "edge-1"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for line in (
        "user root",
        f"hostname {target().addresses[0].split('/')[0]}",
        "stricthostkeychecking true",
        f"userknownhostsfile {state}/ssh/known_authorities",
        f"identityfile {state}/ssh/id_ed25519",
    ):
        assert line in effective


def test_the_console_of_an_existing_host_is_told_the_same(desk: Desk, tmp_path: Path) -> None:
    script = module.console_script(desk, target(), public_key())
    shell = shutil.which("sh")
    assert shell is not None
    subprocess.run([shell, "-n"], input=script, text=True, check=True)
    for path in (CERTIFICATE, USER_AUTHORITY, SSHD_DROP_IN, MANAGEMENT_NETWORK):
        assert f"base64 -d > {path}" in script
    # The files it writes are those that Incus would carry, the certificate apart (its serial is random).
    lines = [line for line in script.splitlines() if line.startswith("echo ") and "base64" in line]
    written = tmp_path / "file"
    for line in lines:
        path = line.rsplit("> ", 1)[1]
        command = line.replace(f"> {path}", f"> {written}")
        subprocess.run([shell, "-c", command], check=True)
        if path == CERTIFICATE:
            continue
        assert written.read_text() == desk.files_for(target(), public_key())[path]


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("inventories/*/environment.yml")), ids=lambda p: p.parent.name
)
def test_every_built_host_has_a_target_with_the_planned_addresses(path: Path) -> None:
    environment = load_environment(path)
    hosts = built_hosts(environment, plan_for(environment), {})
    assert hosts
    for host in hosts:
        planned = {interface.name: interface for interface in host.planned.interfaces}
        made = module.target_of(host)
        assert made.addresses == tuple(str(address) for address in planned[made.interface].addresses)
        assert made.principals[:2] == (host.name, host.planned.fqdn)
        assert made.routes == tuple(host.facts()["management_routes"])


def test_an_existing_host_is_wanted_by_key_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environments of `provider: none`: hosts are met on their console, and known from then on."""
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path))
    environment = load_environment(ROOT / "inventories/lab/environment.yml")
    existing = dataclasses.replace(environment, provider="none")
    plan = plan_for(existing)
    with pytest.raises(ProblemsFoundError) as caught:
        module.first_contact(existing, plan)
    hosts = [host.name for host in built_hosts(existing, plan, {})]
    assert [problem.file for problem in caught.value.problems] == [f"host {name}" for name in hosts]
    assert {problem.code for problem in caught.value.problems} == {"CON-003"}
    targets = [module.target_of(host) for host in built_hosts(existing, plan, {})]
    desk = Desk(tmp_path / existing.name)
    desk.write_client_files(targets, {name: public_key() for name in hosts})
    assert module.first_contact(existing, plan).hosts == len(hosts)


def test_the_script_for_the_host_is_python(tmp_path: Path) -> None:
    compile(module._REMOTE, str(tmp_path / "remote.py"), "exec")


def test_an_endpoint_over_https_takes_its_files_from_the_state() -> None:
    assert Endpoint.of("unix", Path("/x")) == Endpoint()
    made = Endpoint.of("https://192.0.2.9:8443", Path("/x"))
    assert (made.certificate, made.key, made.server_certificate) == (
        "/x/client.crt",
        "/x/client.key",
        "/x/server.crt",
    )
