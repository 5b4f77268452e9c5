"""What a host refuses whatever the plan says: by its base ruleset, and at its sign-in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import yaml
from jinja2 import Environment

from tests.support.repository import ROOT

Render = Callable[..., str]
RULES = "etc/province/firewall/rules.nft.j2"
LINKS = [{"name": "mgmt", "method": "static"}, {"name": "dmz", "method": "static"}]
CONTROLLER4, CONTROLLER6 = "192.0.2.250", "2001:db8::fa"


def chain(ruleset: str, name: str) -> list[str]:
    """The lines of a chain, without comments."""
    found = re.search(rf"chain {name} {{\n(.*?)\n    }}", ruleset, re.DOTALL)
    assert found
    return [line.strip() for line in found[1].splitlines() if not line.strip().startswith("#")]


@pytest.fixture
def ruleset(render: Render) -> str:
    """A host to which no flow leads."""
    return render(
        "firewall",
        RULES,
        firewall_links=LINKS,
        firewall_management_sources4=[CONTROLLER4],
        firewall_management_sources6=[CONTROLLER6],
    )


@pytest.mark.parametrize("name", ["input", "output", "forward"])
def test_a_chain_refuses_by_policy_and_counts_what_it_refuses(ruleset: str, name: str) -> None:
    lines = chain(ruleset, name)
    assert lines[0].endswith("policy drop;")
    assert re.match(rf'counter name "drop_{name}" drop', lines[-1])


@pytest.mark.parametrize("name", ["input", "forward"])
def test_packets_of_no_connection_are_dropped_before_any_rule(ruleset: str, name: str) -> None:
    lines = chain(ruleset, name)
    assert [line for line in lines if re.match(r'ct state invalid counter name "drop_invalid" drop', line)]


@pytest.mark.parametrize("link", [link["name"] for link in LINKS])
def test_a_sender_behind_another_interface_is_dropped(ruleset: str, link: str) -> None:
    lines = [line for line in chain(ruleset, "spoof") if f'iifname "{link}"' in line]
    assert [re.sub(r' comment ".*"$', "", line) for line in lines] == [
        f'iifname "{link}" fib saddr . iif oif missing counter name "drop_spoof" drop'
    ]


def test_nothing_is_forwarded_from_or_to_management(ruleset: str) -> None:
    lines = chain(ruleset, "forward")
    for way in ("iifname", "oifname"):
        place = next(i for i, line in enumerate(lines) if line.startswith(f'{way} "mgmt"'))
        assert 'counter name "drop_management" drop' in lines[place]
        assert not [line for line in lines[:place] if " accept" in line]


def test_without_flows_a_connection_begins_by_sign_in_from_the_controller_alone(ruleset: str) -> None:
    begun = [line for line in chain(ruleset, "input") if re.search(r"\b(tcp|udp) [ds]port", line)]
    assert [re.sub(r' comment ".*"$', "", line) for line in begun] == [
        f'iifname "mgmt" ip saddr {{ {CONTROLLER4} }} tcp dport 22 accept',
        f'iifname "mgmt" ip6 saddr {{ {CONTROLLER6} }} tcp dport 22 accept',
    ]


@pytest.mark.parametrize(
    ("sources", "family"),
    [({"sources4": [CONTROLLER4]}, "ip"), ({"sources6": [CONTROLLER6]}, "ip6")],
    ids=["IPv4 alone", "IPv6 alone"],
)
def test_a_family_without_a_controller_is_closed_to_sign_in(
    render: Render, sources: dict[str, list[str]], family: str
) -> None:
    """No source must never read as any source."""
    named = {f"firewall_management_{name}": value for name, value in sources.items()}
    ruleset = render("firewall", RULES, firewall_links=LINKS, **named)
    (address,) = next(iter(sources.values()))
    for name, way, end, port in (("input", "iif", "saddr", "dport"), ("output", "oif", "daddr", "sport")):
        accepted = [line for line in chain(ruleset, name) if re.search(r"\btcp [ds]port", line)]
        assert [re.sub(r' comment ".*"$', "", line) for line in accepted] == [
            f'{way}name "mgmt" {family} {end} {{ {address} }} tcp {port} 22 accept'
        ]


def test_without_any_controller_the_role_refuses_and_its_rules_are_closed(render: Render) -> None:
    ruleset = render("firewall", RULES, firewall_links=LINKS)
    for name in ("input", "output"):
        assert not [line for line in chain(ruleset, name) if re.search(r"\btcp [ds]port", line)]
    first, *others = yaml.safe_load((ROOT / "roles/firewall/tasks/main.yml").read_text(encoding="utf-8"))
    assert others
    condition = first["ansible.builtin.assert"]["that"]
    decide = Environment(autoescape=True).compile_expression(condition)
    for four, six, wanted in (
        ([], [], False),
        ([CONTROLLER4], [], True),
        ([], [CONTROLLER6], True),
        ([CONTROLLER4], [CONTROLLER6], True),
    ):
        assert decide(firewall_management_sources4=four, firewall_management_sources6=six) is wanted


def test_sign_in_is_by_certificates_and_leads_nowhere_else(render: Render) -> None:
    text = render(
        "ssh_server", "etc/ssh/sshd_config.d/20-province.conf.j2", ssh_server_addresses=[CONTROLLER4]
    )
    settings: dict[str, str] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, value = line.partition(" ")
            settings.setdefault(word, value)  # as sshd reads: the first value holds
    refused = [
        "PasswordAuthentication", "KbdInteractiveAuthentication", "HostbasedAuthentication",
        "GSSAPIAuthentication",
        "PermitEmptyPasswords", "AllowAgentForwarding", "AllowTcpForwarding", "AllowStreamLocalForwarding",
        "X11Forwarding", "PermitTunnel", "PermitUserEnvironment", "GatewayPorts",
    ]  # fmt: skip
    assert {word: settings[word] for word in refused} == dict.fromkeys(refused, "no")
    assert settings["PermitRootLogin"] == "prohibit-password"
    assert settings["AuthenticationMethods"] == "publickey"
    assert settings["AuthorizedKeysFile"] == "none"
    assert settings["AllowUsers"] == "root"
    assert settings["ListenAddress"] == CONTROLLER4
    for word in ("PubkeyAcceptedAlgorithms", "CASignatureAlgorithms"):
        assert not re.search(r"ssh-rsa|ssh-dss", settings[word])
    assert "cert" in settings["PubkeyAcceptedAlgorithms"]
