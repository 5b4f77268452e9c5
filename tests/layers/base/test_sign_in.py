"""Base: who may sign in to a host, and from where."""

from __future__ import annotations

from collections.abc import Callable

import paramiko
import pytest

from tests.support import environment
from tests.support.places import Local, Machine
from tests.support.probes import Outcome, Question, questions
from tests.support.state import state

HOSTS = environment.ours()


@pytest.mark.requirement("tcvn-14423/5.12.2.4-secure-admin", "tcvn-14423/5.5.2.1b-safe-protocols")
@pytest.mark.parametrize("host", HOSTS)
def test_only_a_certificate_signs_in(host: str, machine: Callable[[str], Machine]) -> None:
    """Only the signature counts: a stolen key is worthless once its certificate has run out.

    All attempts on one connection: the server makes a source that fails often wait, and that is us.
    """
    operator = environment.state_directory() / "ssh" / "id_ed25519"
    with paramiko.Transport((machine(host).address, 22)) as transport:
        transport.start_client(timeout=10)
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_none("root")
        assert refused.value.allowed_types == ["publickey"], "something beside keys is offered"
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey("root", paramiko.Ed25519Key.from_private_key_file(str(operator)))
        assert not transport.is_authenticated()


@pytest.mark.requirement("tcvn-14423/5.12.2.4-secure-admin")
@pytest.mark.parametrize("host", HOSTS)
def test_sshd_offers_nothing_but_certificates(host: str) -> None:
    """The effective settings, as the daemon reads them."""
    settings = state(host).sshd
    assert settings["passwordauthentication"] == "no"
    assert settings["kbdinteractiveauthentication"] == "no"
    assert settings["authorizedkeysfile"] == "none"
    assert settings["trustedusercakeys"] != "none"
    assert settings["hostcertificate"] != "none"


@pytest.mark.requirement("tcvn-14423/5.13.2-admin-port", "tcvn-14423/5.12.2.5-admin-addresses")
@pytest.mark.parametrize("host", HOSTS)
def test_ssh_listens_on_the_management_interface_only(host: str) -> None:
    """Service addresses of a host do not even have the port."""
    management = environment.facts(host)["management"]
    planned = {management["address4"], management["address6"]}
    found = {listener.address for listener in state(host).listeners if listener.process == "sshd"}
    assert found == planned


@pytest.mark.requirement("tcvn-14423/5.13.2-admin-port")
def test_management_answers_the_controller_on_ssh_and_nothing_else() -> None:
    """The controller itself may open SSH; a service must not be reached around its own firewall rules."""
    ports = sorted(
        {port.number for flow in environment.plan().flows for port in flow.ports if port.protocol == "tcp"}
    )
    asked = [
        Question(
            protocol="tcp",
            address=environment.management_address(host),
            port=port,
            timeout=2,
            about=host,
        )
        for host in HOSTS
        for port in {22, *ports}
    ]
    answers = questions(Local("the controller"), asked)
    opened = {str(answer.question) for answer in answers if answer.outcome is Outcome.OPEN}
    assert opened == {str(question) for question in asked if question.port == 22}


@pytest.mark.requirement("tcvn-14423/5.6.2.3-local-accounts", "tcvn-14423/5.12.2.4-console")
@pytest.mark.parametrize("host", HOSTS)
def test_nobody_but_root_signs_in_and_nobody_has_a_password(host: str) -> None:
    """Accounts of people come from the directory; a host itself has none, a staff PC one without password."""
    said = state(host).said
    people = said["people"].checked().split()
    assert said["superusers"].checked().split() == ["root"]
    assert len(people) <= (1 if host in environment.in_group("workstation") else 0), people
    assert said["passwords"].checked().split() == []
    assert state(host).sshd["allowusers"].split() == ["root"]


@pytest.mark.requirement("tcvn-14423/5.5.2.2-idle-admin", "tcvn-14423/5.12.2.4-idle")
@pytest.mark.parametrize("host", HOSTS)
def test_an_idle_administrator_is_signed_out(host: str) -> None:
    """At most five minutes, by the SSH server and, at a console, by the shell."""
    timeouts = dict(entry.split("=") for entry in state(host).sshd["channeltimeout"].split())
    assert _minutes(timeouts["session:shell"]) <= 5
    assert 0 < int(state(host).said["tmout"].checked().strip().split()[-1]) <= 5 * 60


def _minutes(text: str) -> float:
    """The daemon writes seconds, or minutes with an m."""
    return float(text[:-1]) if text.endswith("m") else float(text.removesuffix("s")) / 60


@pytest.mark.requirement("tcvn-14423/5.4.2.4-key-files")
@pytest.mark.parametrize("host", HOSTS)
def test_private_keys_are_for_root_alone(host: str) -> None:
    """Every private key on the host, SSH and tunnels."""
    found = [line.split(" ", 2) for line in state(host).said["keys"].checked().splitlines()]
    assert any(path.startswith("/etc/ssh/") for _mode, _user, path in found), "no SSH host key at all"
    for tunnel in environment.facts(host).get("wireguard", []):
        assert f"/etc/wireguard/{tunnel['name']}.conf" in {path for _mode, _user, path in found}
    assert [entry for entry in found if entry[0] != "600" or entry[1] != "root"] == []


@pytest.mark.requirement("tcvn-14423/5.12.2.4-secure-admin")
@pytest.mark.parametrize("host", HOSTS)
def test_only_a_staff_pc_lets_connections_come_out_of_it(host: str) -> None:
    """A sign-in is no way around the ruleset; the staff's PC shows the engineer what the staff sees."""
    workstation = host in environment.in_group("workstation")
    assert state(host).sshd["allowtcpforwarding"] == ("local" if workstation else "no")
