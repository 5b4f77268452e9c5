"""The program that notices foreign DHCP servers and routers: what it sends, what it hears, what it says."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from ipaddress import IPv6Address
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Path(__file__).resolve().parents[3] / "roles/lan_watch/files/usr/local/sbin/lan-watch"
MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("0200000000aa")


def read() -> ModuleType:
    """The program as a module; it is installed without `.py`."""
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader = SourceFileLoader("lan_watch", str(PROGRAM))
    specification = importlib.util.spec_from_loader("lan_watch", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["lan_watch"] = module
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


program = read()


def advertisement(mac: bytes = OTHER, source: str = "fe80::aa") -> bytes:
    """A router advertisement, written by hand from RFC 4861."""
    body = bytes((134, 0, 0, 0, 64, 0)) + struct.pack("!HII", 1800, 0, 0)
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255)
    packet += IPv6Address(source).packed + IPv6Address("ff02::1").packed + body
    return bytes.fromhex("333300000001") + mac + b"\x86\xdd" + packet


def answer(
    mac: bytes = OTHER,
    *,
    port: int = 67,
    operation: int = 2,
    options: bytes = b"\x35\x01\x02\xff",
    extra: int = 0,
) -> bytes:
    """An answer of a DHCP server, written by hand from RFC 2131; `extra` words of options of IPv4."""
    message = bytes((operation, 1, 6, 0)) + bytes(232) + b"\x63\x82\x53\x63" + options + bytes(60)
    datagram = struct.pack("!HHHH", port, 68, 8 + len(message), 0) + message
    header = struct.pack("!BBHHHBBH", 0x45 + extra, 0, 20 + 4 * extra + len(datagram), 0, 0, 64, 17, 0)
    header += bytes((192, 0, 2, 9)) + b"\xff" * 4 + bytes(4 * extra)
    return b"\xff" * 6 + mac + b"\x08\x00" + header + datagram


def test_a_router_advertisement_names_its_sender() -> None:
    assert program.sighting(advertisement()) == program.Sighting("ra", "02:00:00:00:00:aa", "fe80::aa")


def test_an_offer_names_the_server_as_it_calls_itself_and_else_as_it_sends() -> None:
    named = answer(options=bytes((53, 1, 2, 0, 54, 4, 10, 9, 8, 7, 255)))
    assert program.sighting(named) == program.Sighting("dhcp", "02:00:00:00:00:aa", "10.9.8.7")
    assert program.sighting(answer()) == program.Sighting("dhcp", "02:00:00:00:00:aa", "192.0.2.9")
    assert program.sighting(answer(extra=2)) is not None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(14),
        answer(operation=1),  # somebody asks
        answer(port=68),
        advertisement()[:60],
        advertisement()[:54] + b"\x85" + advertisement()[55:],  # somebody asks for routers
        program.solicitation(MAC),
        program.discovery(MAC, 7),
        b"\xff" * 6 + MAC + b"\x08\x06" + bytes(300),
    ],
)
def test_what_everybody_may_send_is_no_evidence(frame: bytes) -> None:
    assert program.sighting(frame) is None


@given(st.binary(max_size=400), st.sampled_from([b"\x86\xdd", b"\x08\x00", b""]))
def test_no_frame_ends_the_watch(noise: bytes, kind: bytes) -> None:
    program.sighting(noise)
    program.sighting(bytes(12) + kind + noise)
    program.sighting(answer(options=noise))


def test_the_questions_are_what_the_standards_say() -> None:
    """Checksums sum to nothing, answers are asked for to everybody, and no address is claimed."""
    routers = program.solicitation(MAC)
    assert (routers[:6], routers[6:12], routers[54]) == (bytes.fromhex("333300000002"), MAC, 133)
    body = routers[54:]
    pseudo = routers[22:54] + struct.pack("!I3xB", len(body), 58)
    assert program.checksum(pseudo + body) == 0
    assert routers[21] == 255  # hop limit: otherwise no router takes it
    assert routers[22:38] == bytes(16)
    servers = program.discovery(MAC, 0x01020304)
    assert servers[:6] == b"\xff" * 6
    assert program.checksum(servers[14:34]) == 0
    assert int.from_bytes(servers[16:18], "big") == len(servers) - 14
    message = servers[42:]
    assert (message[0], message[4:8], message[10] & 0x80) == (1, b"\x01\x02\x03\x04", 0x80)
    assert (message[12:28], message[28:34]) == (bytes(16), MAC)
    assert message[236:243] == b"\x63\x82\x53\x63\x35\x01\x01"


def accepted(frame: bytes) -> bool:
    """What the kernel's filter says, by an interpreter of its few instructions (the accumulator and X)."""
    a = x = at = 0
    code = program._FILTER
    while True:
        operation, yes, no, k = code[at]
        at += 1
        try:
            if operation == 0x28:
                a = struct.unpack_from("!H", frame, k)[0]
            elif operation == 0x30:
                a = frame[k]
            elif operation == 0x48:
                a = struct.unpack_from("!H", frame, x + k)[0]
            elif operation == 0xB1:
                x = (frame[k] & 15) * 4
            elif operation in (0x15, 0x45):
                true = a == k if operation == 0x15 else bool(a & k)
                at += yes if true else no
            else:
                assert operation == 0x06
                return bool(k)
        except (IndexError, struct.error):
            return False  # a load beyond the packet ends the program


@pytest.mark.parametrize("frame", [advertisement(), answer(), answer(extra=3)])
def test_the_kernel_hands_over_what_is_evidence(frame: bytes) -> None:
    assert accepted(frame)


@given(st.binary(max_size=120), st.sampled_from([b"\x86\xdd", b"\x08\x00", b"\x08\x06"]))
def test_the_kernel_keeps_back_nothing_that_is_evidence(noise: bytes, kind: bytes) -> None:
    for frame in (bytes(12) + kind + noise, advertisement()[:20] + noise, answer()[:60] + noise):
        assert accepted(frame) or program.sighting(frame) is None


def test_the_kernel_wakes_nobody_up_for_ordinary_traffic() -> None:
    assert not accepted(answer(port=53))
    assert not accepted(program.solicitation(MAC))
    assert not accepted(b"\xff" * 6 + MAC + b"\x08\x06" + bytes(46))


DHCP = program.Sighting("dhcp", "02:00:00:00:00:aa", "10.0.0.9")


def test_one_line_says_that_somebody_is_there_and_one_that_it_is_gone() -> None:
    board = program.Board()
    (noticed,) = board.see("guest", DHCP, 1000.0)
    words = "kind=dhcp segment=guest mac=02:00:00:00:00:aa address=10.0.0.9"
    assert noticed.startswith(f"<4>event=rogue-noticed {words} since=")
    assert board.see("guest", DHCP, 1020.0) == []
    assert board.forget(1070.0, 60) == []
    (gone,) = board.forget(1081.0, 60)
    assert gone.startswith(f"<5>event=rogue-gone {words} since=")
    assert board.present == {}


def test_the_same_device_on_two_networks_or_with_two_faults_is_two() -> None:
    board = program.Board()
    router = program.Sighting("ra", DHCP.mac, "fe80::9")
    assert (
        len(board.see("guest", DHCP, 1.0) + board.see("staff", DHCP, 1.0) + board.see("staff", router, 1.0))
        == 3
    )


def test_who_is_there_outlives_a_restart_with_the_first_moment() -> None:
    board = program.Board()
    board.see("guest", DHCP, 1000.0)
    board.see("guest", DHCP, 1050.0)
    again = program.Board(program.loaded(program.as_text(board, 1051.0)))
    assert again.see("guest", DHCP, 1060.0) == []
    (known,) = again.present.values()
    assert (known.first, known.last) == (1000.0, 1060.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"present": [{"kind": "ra"}]}', '{"present": 7}'])
def test_a_file_that_cannot_be_read_is_an_empty_one(text: str) -> None:
    assert program.loaded(text) == []


def flood(number: int) -> Iterable[object]:
    """Somebody who sends each packet from another address."""
    return (
        program.Sighting("dhcp", f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}", "10.0.0.9") for n in range(number)
    )


def test_a_flood_of_addresses_fills_neither_memory_nor_log() -> None:
    board = program.Board()
    lines = [line for seen in flood(5000) for line in board.see("guest", seen, 1.0)]
    assert len(board.present) == program.MOST
    assert len(lines) == program.MOST + 1
    assert "event=rogue-many" in lines[-1]


def test_a_clock_that_jumps_back_does_not_keep_somebody_for_ever() -> None:
    board = program.Board()
    board.see("guest", DHCP, 9000.0)
    assert board.forget(1000.0, 60)


def test_the_file_is_what_the_page_of_the_unit_reads() -> None:
    board = program.Board()
    board.see("guest", DHCP, 1000.0)
    (entry,) = json.loads(program.as_text(board, 1001.0))["present"]
    assert {"kind", "segment", "mac", "address", "first"} <= set(entry)
