"""A few answers of the lab, written by hand: if plan and checks were wrong together, these would tell."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from tests.support import environment
from tests.support.places import batch, machine
from tests.support.web import page

pytestmark = pytest.mark.skipif(
    environment.name() != "lab", reason="the addresses below are those of the lab's register"
)

PC = "phuong-dien-bien-phu-pc-1"


def test_the_pc_of_the_first_ward_opens_the_start_page_of_dien_bien() -> None:
    """By the name that people type, through whatever the PC was given by DHCP and router advertisements."""
    fetch = (
        "import socket; s = socket.create_connection(('start.dienbien.gov.vn', 80), 10); "
        "s.sendall(b'GET / HTTP/1.0\\r\\nHost: start.dienbien.gov.vn\\r\\n\\r\\n'); "
        "import sys; sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(65536), b'')))"
    )
    commands = {
        "names": "getent ahostsv4 start.dienbien.gov.vn; getent ahostsv6 start.dienbien.gov.vn",
        "lease": "ip -4 -o addr show dev staff",
        "page": f'python3 -c "{fetch}"',
    }
    said = batch(machine(PC), commands)
    found = {line.split()[0] for line in said["names"].checked().splitlines()}
    assert found == {"10.12.30.51", "fdfd:1475:4900:1e::33"}
    leased = IPNetwork(said["lease"].checked().split()[3])
    assert IPAddress("10.13.1.10") <= leased.ip <= IPAddress("10.13.1.126")
    served = page(said["page"].checked().encode())
    assert served.status == 200
    assert "Điện Biên" in served.body.decode()


def test_the_edge_reaches_the_first_ward_through_the_first_hub() -> None:
    said = batch(
        machine("edge-1"), {"4": "ip -4 route get 10.13.1.1", "6": "ip -6 route get fdfd:1475:4940:101::1"}
    )
    assert "via 10.12.10.12 dev trans" in said["4"].checked()
    assert "dev trans" in said["6"].checked()


def test_names_of_the_province_are_answered_by_its_own_server() -> None:
    said = batch(machine("resolver-1"), {"it": "getent hosts ns-1.dc.dienbien.gov.vn 10.12.20.22"})[
        "it"
    ].checked()
    assert "fdfd:1475:4900:14::16" in said
    assert "ns-1.dc.dienbien.gov.vn" in said
