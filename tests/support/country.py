"""A register as large as the country, for benchmarks: every commune of the official list in one province."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from tests.support.repository import ROOT

COMMUNES = 3321
BASIS = "Infrastructure of one body (Decree 331/2026, article 12.3, as read by third parties)"
_KINDS = {"xã": "commune", "phường": "ward", "đặc khu": "special_zone"}
# Pools in which that many units have room, with lines, tunnels and AS numbers of their own.
_POOLS = {
    "centre": ("10.0.0.0/16", 16, "fdfd:1475:4900::/48", 48, "100.64.0.0/16", "2001:db8::/48", "z"),
    "department": ("10.16.0.0/14", 22, "fdfd:1475:4910::/44", 56, "100.65.0.0/16", "2001:db8:1::/48", "d"),
    "party": ("10.20.0.0/14", 22, "fdfd:1475:4920::/44", 56, "100.66.0.0/16", "2001:db8:2::/48", "p"),
    "hospital": ("10.24.0.0/13", 21, "fdfd:1475:4930::/44", 56, "100.67.0.0/16", "2001:db8:3::/48", "h"),
    "commune": ("10.64.0.0/10", 24, "fdfd:1475:4980::/41", 56, "100.72.0.0/13", "2001:db8:4::/46", "c"),
    "district": ("10.32.0.0/13", 22, "fdfd:1475:4950::/44", 56, "100.69.0.0/16", "2001:db8:8::/48", "b"),
    "school": ("10.128.0.0/12", 24, "fdfd:1475:4960::/44", 56, "100.70.0.0/16", "2001:db8:9::/48", "s"),
}

_ENVIRONMENT = """\
plugin: province_register
environment: country
register: country
provider: none
members: {{edge: 2, hub: 2, hub_party: 2, ns: 2, resolver: 2, mirror: 1, app: 1, log: 1}}
units: [{units}]
workstations: 1
simulators: []
wireguard: userspace
sizes: {{default: {{memory: 1GiB}}}}
packages: {{debian: [http://mirror.example/debian]}}
"""


def write_environment(folder: Path, units: int) -> Path:
    """Write a tree with an environment that builds all of so many units; return its file."""
    inventories = folder / "inventories"
    (inventories / "country").mkdir(parents=True)
    for name in ("inventories/catalogue", "inventories/common", "apps"):
        (folder / name).symlink_to(ROOT / name)
    (inventories / "country/group_vars").symlink_to(ROOT / "inventories/lab/group_vars")
    number = next(n for n in range(units, 2 * units + 2) if n - n // 50 == units)
    write_country(inventories / "registers/country", number)
    built = [f"don-vi-{n:05d}" for n in range(1, number + 1) if n % 50]
    assert len(built) == units
    file = inventories / "country/environment.yml"
    file.write_text(_ENVIRONMENT.format(units=", ".join(built)), encoding="utf-8")
    return file


def write_country(folder: Path, units: int = COMMUNES) -> None:
    """Write a register of the first `units` communes; beyond the list it begins again.

    Every tenth has a second line, every fiftieth is closed; the rest is as `province new` writes it.
    """
    (folder / "units").mkdir(parents=True, exist_ok=True)
    province = ["id: country", 'code: "99"', "name: Tỉnh Mẫu", "domain: mau.gov.vn", "pools:"]
    for number, (name, record) in enumerate(_POOLS.items()):
        network4, block4, network6, block6, carrier4, carrier6, letter = record
        province += [
            f"  {name}:",
            f"    network4: {network4}",
            f"    block4: {block4}",
            f"    network6: {network6}",
            f"    block6: {block6}",
            f"    carrier4: {carrier4}",
            f"    carrier6: {carrier6}",
            f"    asn: {4_200_000_000 + number * 100_000}",
            f"    letter: {letter}",
        ]
    (folder / "province.yml").write_text("\n".join(province) + "\n", encoding="utf-8")
    text = "\n".join(_records(units))
    (folder / "units/communes.yml").write_text(f"units:\n{text}", encoding="utf-8")


def _records(units: int) -> Iterable[str]:
    from vietnam_provinces import Ward  # a large table

    listed = sorted(Ward.iter_all(), key=lambda ward: int(ward.code))
    assert len(listed) == COMMUNES
    for index in range(1, units + 1):
        ward = listed[(index - 1) % COMMUNES]
        name, kind = (
            unicodedata.normalize("NFC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
            for text in (ward.name, str(ward.division_type.value))
        )
        ident = f"don-vi-{index:05d}"
        line = "{access: fibre, bandwidth_mbps: 100}"
        yield "\n".join([
            "",
            f"  - id: {ident}",
            f'    code: "{index:05d}"',
            f"    index: {index}",
            f"    name: {name} ({index:05d})",
            f"    kind: {_KINDS[kind]}",
            "    sphere: government",
            f"    links: [{line}{f', {line}' if index % 10 == 0 else ''}]",
            "    services: [dns, ntp, packages, start]",
            f"    contacts: [{{role: network_administrator, mailbox: qtm.{ident}}}]",
            "    wave: 2",
            *(("    state: planned",) if index % 50 else ("    state: closed", "    closed: '2026-06-30'")),
            "    level: 2",
            f'    level_basis: "{BASIS}"',
            "",
        ])  # fmt: skip
