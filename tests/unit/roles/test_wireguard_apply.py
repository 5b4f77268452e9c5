"""The program that brings tunnels to what is declared: what it reads, and the steps it derives."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/wireguard/files/usr/local/sbin/wireguard-apply"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module; it is installed without `.py`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("wireguard_apply", str(PROGRAM))
    specification = importlib.util.spec_from_loader("wireguard_apply", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "wireguard_apply", module)
    loader.exec_module(module)
    return module


DECLARED = """
# a header
mode userspace
mtu 1400
address 10.1.0.1/32
address fd20::0001/128
route 10.1.15.1/32
route fd20:0:0:f::1/128
"""


def test_a_link_file_is_read_into_the_words_the_kernel_uses(program: ModuleType) -> None:
    link = program.parse_link(DECLARED)
    assert (link.mode, link.mtu) == ("userspace", 1400)
    assert link.addresses == {"10.1.0.1/32", "fd20::1/128"}
    assert link.routes == {"10.1.15.1/32", "fd20:0:0:f::1/128"}


@pytest.mark.parametrize("line", ["mode magic", "peer 1", "route 10.1.0.1/16", "mtu big"])
def test_a_line_that_does_not_belong_is_refused(program: ModuleType, line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        program.parse_link(line)


def test_a_new_link_gets_addresses_before_it_is_up_and_routes_after(program: ModuleType) -> None:
    lines = program.batch("wg0", program.parse_link(DECLARED), frozenset(), frozenset())
    assert lines == [
        "address add 10.1.0.1/32 dev wg0",
        "address add fd20::1/128 dev wg0 nodad",
        "link set wg0 mtu 1400 up",
        "route replace 10.1.15.1/32 dev wg0 protocol static",
        "route replace fd20:0:0:f::1/128 dev wg0 protocol static",
    ]


def test_a_link_that_fits_is_left_alone(program: ModuleType) -> None:
    link = program.parse_link(DECLARED)
    assert program.batch("wg0", link, link.addresses, link.routes) == ["link set wg0 mtu 1400 up"]


def test_only_what_differs_is_touched_when_a_peer_comes_and_another_goes(program: ModuleType) -> None:
    link = program.parse_link(DECLARED)
    present = (link.routes - {"10.1.15.1/32"}) | {"10.1.31.1/32"}
    assert program.batch("wg0", link, link.addresses, present) == [
        "route del 10.1.31.1/32 dev wg0 protocol static",
        "link set wg0 mtu 1400 up",
        "route replace 10.1.15.1/32 dev wg0 protocol static",
    ]


def test_what_the_kernel_prints_is_read_back_equal(program: ModuleType) -> None:
    shown = json.dumps(
        [
            {
                "ifname": "wg0",
                "addr_info": [
                    {"family": "inet", "local": "10.1.0.1", "prefixlen": 32, "scope": "global"},
                    {"family": "inet6", "local": "fd20::1", "prefixlen": 128, "scope": "global"},
                    {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
                ],
            }
        ]
    )
    assert program.addresses_of(shown) == {"10.1.0.1/32", "fd20::1/128"}
    routes = json.dumps([{"dst": "10.1.15.1", "dev": "wg0"}, {"dst": "10.2.0.0/16"}, {"dst": "fd20::f"}])
    assert program.routes_of(routes) == {"10.1.15.1/32", "10.2.0.0/16", "fd20::f/128"}
    assert program.routes_of("") == frozenset()


HUB = """
# who dials in has no endpoint here
[Interface]
PrivateKey = own=
ListenPort = 51820

# a unit
[Peer]
PublicKey = one=
AllowedIPs = 10.16.4.0/22, fd20::/56

[Peer]
PublicKey = two=
AllowedIPs = 10.16.8.0/22
PersistentKeepalive = 25
"""
SHOWN = """[Interface]
ListenPort = 51820
PrivateKey = own=

[Peer]
PublicKey = two=
AllowedIPs = 10.16.8.0/22
PersistentKeepalive = 25

[Peer]
PublicKey = one=
AllowedIPs = fd20::/56, 10.16.4.0/22
Endpoint = 100.64.0.2:4711
"""


def test_peers_that_are_as_declared_are_not_touched(program: ModuleType) -> None:
    """Not even their allowed addresses are set anew: packets would be lost meanwhile."""
    gone, changed = program.difference(HUB, SHOWN)
    assert (gone, changed.strip()) == ([], "")


def test_a_peer_that_comes_goes_or_changes_is_the_only_one_that_is_set(program: ModuleType) -> None:
    three = "[Peer]\nPublicKey = three=\nAllowedIPs = 10.16.12.0/22\n"
    gone, changed = program.difference(HUB + three, SHOWN)
    assert gone == []
    assert changed.splitlines() == [
        "[Interface]",
        "[Peer]",
        "PublicKey = three=",
        "AllowedIPs = 10.16.12.0/22",
        "PersistentKeepalive = off",
    ]
    assert program.difference(HUB, SHOWN + three) == (["three="], "\n")
    _, moved = program.difference(HUB.replace("10.16.8.0/22", "10.16.16.0/22"), SHOWN)
    assert [line for line in moved.splitlines() if "Key" in line] == ["PublicKey = two="]
    _, quiet = program.difference(HUB.replace("PersistentKeepalive = 25", ""), SHOWN)
    assert "PersistentKeepalive = off" in quiet


def test_a_new_private_key_changes_no_peer(program: ModuleType) -> None:
    gone, changed = program.difference(HUB.replace("own=", "other="), SHOWN)
    assert (gone, changed.split()) == ([], ["[Interface]", "PrivateKey", "=", "other="])


@pytest.fixture
def host(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host with the links wg0 (declared) and wg-old (no longer declared); the commands that are run."""
    (tmp_path / "wg0.link").write_text(DECLARED)
    (tmp_path / "wg0.conf").write_text("[Interface]\nPrivateKey = new=\n")
    commands: list[str] = []

    def run(*command: str, text: str | None = None) -> str:
        commands.append(" ".join(command))
        if command[:2] == ("systemctl", "list-units"):
            return "wireguard-go@wg0.service loaded active running\nwireguard-go@wg-old.service loaded failed"
        if command == ("wg", "show", "interfaces"):
            return "wg0\n"
        commands.extend((text or "").splitlines())
        return "[Interface]\n" if command[:2] == ("wg", "showconf") else "[]"

    monkeypatch.setattr(program, "CONFIGURATION", tmp_path)
    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program, "exists", lambda name: name == "wg0")
    monkeypatch.setattr(program, "answers", lambda _name: True)
    monkeypatch.setattr(program, "kind", lambda _name: "userspace")
    return commands


def test_a_tunnel_that_is_no_longer_declared_goes_and_the_other_keeps_its_link(
    program: ModuleType, host: list[str]
) -> None:
    program.main([])
    assert "systemctl stop wireguard-go@wg-old.service" in host
    assert not [command for command in host if "stop wireguard-go@wg0" in command or "link add" in command]
    assert "wg addconf wg0 /dev/stdin" in host
    assert "PrivateKey = new=" in host


def test_a_change_of_mode_makes_the_link_anew(
    program: ModuleType, host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "kind", lambda _name: "kernel")
    present = {"wg0"}
    monkeypatch.setattr(program, "exists", lambda name: name in present)
    monkeypatch.setattr(program, "take_away", lambda name: present.discard(name))
    program.main([])
    assert "systemctl start wireguard-go@wg0.service" in host


def test_down_takes_every_tunnel_away(program: ModuleType, host: list[str]) -> None:
    program.main(["--down"])
    stopped = [command for command in host if command.startswith("systemctl stop")]
    assert len(stopped) == 2
    assert not [command for command in host if "addconf" in command]


def test_a_link_that_never_answers_ends_with_a_sentence(
    program: ModuleType, host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "answers", lambda _name: False)
    monkeypatch.setattr(program, "PATIENCE", 0.1)
    with pytest.raises(SystemExit, match="wg0: no WireGuard link"):
        program.main(["wg0"])
    assert not [command for command in host if "addconf" in command]


def test_a_tunnel_that_is_not_declared_is_not_served(program: ModuleType, host: list[str]) -> None:
    with pytest.raises(SystemExit, match="wg-old: not declared"):
        program.main(["wg-old"])
    assert host == []
