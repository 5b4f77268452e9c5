"""Changes of a small province, one of each kind: what is done to its files, for tests of what follows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from province.reading.difference import State
from province.sources import load_sources
from tests.support.repository import ROOT

BASE = ROOT / "tests/unit/register/base"
REGISTER = "inventories/registers/base"
UNITS = f"{REGISTER}/units/all.yml"
PROVINCE = f"{REGISTER}/province.yml"
MACHINES = "inventories/catalogue/machines.yml"
FLOWS = "inventories/catalogue/flows.yml"

Change = Callable[[str], str]


def text(*pairs: tuple[str, str]) -> Change:
    """Replace each first text by its second, once; it has to be there."""

    def change(before: str) -> str:
        for old, new in pairs:
            assert old in before, f"the file has no {old!r} to change"
            before = before.replace(old, new, 1)
        return before

    return change


def more(lines: str) -> Change:
    """Add lines to the end."""
    return lambda before: before + lines


def unit(ident: str, name: str, *, index: int, code: str, more: str = "") -> str:
    """A commune as a record of the register."""
    return f"""
  - id: {ident}
    code: "{code}"
    index: {index}
    name: {name}
    kind: commune
    sphere: government
    links: [{{access: fibre, bandwidth_mbps: 100}}]
    services: [dns, ntp, packages, start]
    contacts: [{{role: network_administrator, mailbox: qtm.{ident}}}]
    wave: 2
    state: planned
    level: 2
    level_basis: Infrastructure of one body
{more}"""


_TWO = "index: 2\n    name: Xã Hai\n    kind: commune\n    sphere: government\n"
_TWO_TAIL = "contacts: [{role: network_administrator, mailbox: qtm.xa-hai}]\n    wave: 2\n    state: planned"
_PC = "where: unit\n    members: 1\n    place: 4"


def _closed(*heirs: str) -> str:
    """The end of the record of xa-hai once it is closed."""
    successors = f"    successors: [{', '.join(heirs)}]\n" if heirs else ""
    closed = _TWO_TAIL.replace("state: planned", "state: closed")
    return f"{closed}\n    closed: 2026-07-01\n{successors}".rstrip("\n")


def _alias(name: str, by: str, of: str = "") -> str:
    """A former name as a line of a record."""
    unit_id = f", unit: {of}" if of else ""
    return f"    aliases: [{{name: {name}, until: 2026-07-01, by: {by}{unit_id}}}]\n"


FLOW = """  - id: counter
    from: {zone: internal, at: unit, segments: [count]}
    to: {zone: servers, at: centre, segments: [srv]}
    services: [packages]
    reason: Kiosks at the counter are updated from the province's own mirror
    owner: platform
"""
# One of each kind: file → what is done to it.
CHANGES: Mapping[str, Mapping[str, Change]] = {
    "nothing": {UNITS: more("# A remark.\n")},
    "add": {UNITS: more(unit("xa-moi", "Xã Mới", index=3, code="99003"))},
    "close": {UNITS: text((_TWO_TAIL, _closed()))},
    "rename": {UNITS: text(("name: Phường Một\n", f"name: Phường Nhất\n{_alias('Phường Một', 'rename')}"))},
    "merge": {
        UNITS: text(
            ("name: Phường Một\n", f"name: Phường Một\n{_alias('Xã Hai', 'merge', 'xa-hai')}"),
            (_TWO_TAIL, _closed("phuong-mot")),
        )
    },
    "split": {
        UNITS: lambda before: more(
            unit("xa-ba", "Xã Ba", index=3, code="99003", more=_alias("Xã Hai", "split", "xa-hai"))
            + unit("xa-bon", "Xã Bốn", index=4, code="99004", more=_alias("Xã Hai", "split", "xa-hai"))
        )(text((_TWO_TAIL, _closed("xa-ba", "xa-bon")))(before))
    },
    "move": {UNITS: text((_TWO, _TWO.replace("    sphere", "    parent: huyen-dong\n    sphere")))},
    "service": {UNITS: text(("[dns, ntp, packages]", "[dns, ntp, packages, start]"))},
    "second-line": {
        UNITS: text(
            (
                "links: [{access: fibre, bandwidth_mbps: 100}]",
                "links: [{access: fibre, bandwidth_mbps: 100}, {access: mobile, bandwidth_mbps: 20}]",
            )
        )
    },
    "flow": {FLOWS: more(FLOW)},
    "own-sizes": {
        PROVINCE: more("machines: {hub: {cores: 8, memory_mib: 4096}}\nprices: {core_year: 1000000}\n")
    },
    "own-block": {UNITS: text(("    sphere: party\n", "    sphere: party\n    assigned4: 203.0.112.0/24\n"))},
    "pair": {MACHINES: text((_PC, _PC.replace("members: 1", "members: 2")))},
    "size": {MACHINES: text(("memory_mib: 8192", "memory_mib: 16384"))},
    "domain": {PROVINCE: text(("domain: mau.gov.vn", "domain: tinhmau.gov.vn"))},
}


def tree(folder: Path) -> Path:
    """A tree of its own: the small register, the real catalogue and applications."""
    shutil.copytree(BASE, folder / REGISTER)
    shutil.copytree(ROOT / "inventories/catalogue", folder / "inventories/catalogue")
    shutil.copytree(ROOT / "apps", folder / "apps")
    (folder / "docs/reference").mkdir(parents=True)
    shutil.copy(ROOT / "docs/reference/app.schema.json", folder / "docs/reference")
    return folder


def change(folder: Path, name: str) -> None:
    """Make a change of CHANGES in a tree."""
    for file, do in CHANGES[name].items():
        before = (folder / file).read_text(encoding="utf-8")
        after = do(before)
        assert after != before, "the case changes nothing"
        (folder / file).write_text(after, encoding="utf-8")


def state(folder: Path, label: str) -> State:
    """A tree's register as a state to compare."""
    sources = load_sources(folder / REGISTER)
    return State(
        label=label,
        plan=sources.plan(),
        register=sources.register,
        catalogue=sources.catalogue,
        apps=sources.apps,
    )
