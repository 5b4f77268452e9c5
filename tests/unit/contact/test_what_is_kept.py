"""What the controller's files say about who may sign in as whom, and what a failure must not take away."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from province import contact as module
from province.contact import Desk, Target
from province.incus import Incus
from province.problems import Problem, ProblemsFoundError

NAMES = ("edge-1", "hub-1")
KEYS = {name: f"ssh-ed25519 {name}" for name in NAMES}


def target(name: str) -> Target:
    return Target(
        name=name, fqdn=f"{name}.dc.example.vn", interface="mgmt", addresses=("192.0.2.9/24",), routes=()
    )


def test_the_operators_certificate_is_for_root_alone(tmp_path: Path) -> None:
    Desk(tmp_path / "lab").write_client_files([target("edge-1")], KEYS)
    line = (tmp_path / "lab/ssh/id_ed25519-cert.pub").read_bytes()
    certificate = load_ssh_public_identity(line)
    assert isinstance(certificate, SSHCertificate)
    assert certificate.valid_principals == [b"root"]
    assert set(certificate.extensions) == {b"permit-port-forwarding", b"permit-pty"}


def test_private_files_of_the_controller_are_its_own(tmp_path: Path) -> None:
    state = tmp_path / "lab"
    Desk(state).write_client_files([target("edge-1")], KEYS)
    assert (state / "ssh/id_ed25519").stat().st_mode & 0o777 == 0o600
    assert (state / "identity.txt").stat().st_mode & 0o777 == 0o600
    assert (state / "ledger").stat().st_mode & 0o077 == 0


def test_a_host_that_fails_today_is_still_known_tomorrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing: set[str] = set()

    def tried(
        _desk: Desk, _incus: Incus, _project: str, target: Target
    ) -> tuple[str, tuple[str, ...]] | Problem:
        if target.name in failing:
            return Problem(code="CON-001", file="", line=0, path="", found="x", wanted="y", remedy="z")
        return KEYS[target.name], ()

    monkeypatch.setattr(module, "_try", tried)
    desk = Desk(tmp_path / "lab")
    targets = [target(name) for name in NAMES]
    module.contact(desk, cast("Incus", None), "lab", targets)
    assert set(desk.host_keys()) == set(NAMES)
    failing.add("hub-1")
    with pytest.raises(ProblemsFoundError):
        module.contact(desk, cast("Incus", None), "lab", targets)
    assert set(desk.host_keys()) == set(NAMES)
