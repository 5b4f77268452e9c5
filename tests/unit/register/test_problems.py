"""Every problem of a register, of the catalogue and of an environment is reported in these words.

A case is a change of a sound tree; what `province check` then says is pinned in problems/<case>.txt.
PROVINCE_UPDATE_GOLDEN=1 rewrites the files: review the diff. tests/unit/broken/test_messages.py makes the
reference page from these and others.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from province.cli import main
from tests.support.repository import ROOT

HERE = Path(__file__).parent
UPDATE = "PROVINCE_UPDATE_GOLDEN"
REGISTER = "inventories/registers/base"
UNITS = f"{REGISTER}/units/all.yml"
PROVINCE = f"{REGISTER}/province.yml"
APP = "apps/start/app.yml"
LAB = "inventories/lab/environment.yml"
CATALOGUE = "inventories/catalogue"

Change = Callable[[bytes], bytes]


def text(old: str, new: str) -> Change:
    """Replace the first occurrence of a text that is there."""

    def change(raw: bytes) -> bytes:
        assert old.encode() in raw, f"the sound file has no {old!r} to change"
        return raw.replace(old.encode(), new.encode(), 1)

    return change


def last(old: str, new: str) -> Change:
    """Replace the last occurrence of a text that is there."""

    def change(raw: bytes) -> bytes:
        head, found, tail = raw.rpartition(old.encode())
        assert found, f"the sound file has no {old!r} to change"
        return head + new.encode() + tail

    return change


def given(unit: str, field: str) -> Change:
    """Add a field to a unit of the small register."""

    def change(raw: bytes) -> bytes:
        head, found, tail = raw.partition(f"  - id: {unit}\n".encode())
        assert found, f"no unit {unit}"
        return head + found + f"    {field}\n".encode() + tail

    return change


def closing(unit: str, field: str = "") -> Change:
    """Close a unit of the small register."""

    def change(raw: bytes) -> bytes:
        head, found, tail = raw.partition(f"  - id: {unit}\n".encode())
        assert found, f"no unit {unit}"
        return head + found + text("state: planned", "state: closed\n    closed: 2025-06-30")(tail)

    return both(change, given(unit, field)) if field else change


def also(line: str) -> Change:
    """Add a line to the end of the file."""
    return lambda raw: raw + f"{line}\n".encode()


def both(first: Change, second: Change) -> Change:
    """One change after the other."""
    return lambda raw: second(first(raw))


def alias(fields: str, by: str = "rename") -> str:
    """A list of one former name."""
    return f"aliases: [{{{fields}, until: 2025-07-01, by: {by}}}]"


@dataclass(frozen=True)
class Case:
    """A file of the sound tree and what is done to it; None takes the file away."""

    file: str
    change: Change | None
    environment: bool = False


BOMB = "units: &a [x, x]\nmore: [*a, *a]\n"
CASES: dict[str, Case] = {
    # The file itself.
    "missing-province": Case(PROVINCE, None),
    "missing-units": Case(UNITS, None),
    "malformed-yaml": Case(UNITS, text("    index: 1\n", "   index: 1\n")),
    "malformed-flow": Case(UNITS, text("[{access: fibre, bandwidth_mbps: 200}]", "[{access: fibre")),
    "tab": Case(UNITS, text("    index: 1\n", "\tindex: 1\n")),
    "tag": Case(UNITS, text("index: 1", "index: !!python/object:os.system 1")),
    "second-document": Case(UNITS, lambda raw: raw + b"---\nunits: []\n"),
    "list-as-key": Case(UNITS, lambda raw: raw + b"? [a]\n: b\n"),
    "alias-bomb": Case(UNITS, lambda _: BOMB.encode()),
    "deep-nesting": Case(UNITS, lambda _: b"units: " + b"[" * 5000 + b"]" * 5000 + b"\n"),
    "too-large": Case(UNITS, lambda raw: raw + b"#" * (17 << 20) + b"\n"),
    "not-utf-8": Case(UNITS, lambda raw: raw.replace("Sở".encode(), b"S\xf4", 1)),
    "byte-order-mark": Case(UNITS, lambda raw: b"\xef\xbb\xbf" + raw),
    "crlf": Case(UNITS, lambda raw: raw.replace(b"\n", b"\r\n")),
    "control-character": Case(UNITS, text("Sở Nội vụ", "Sở\x07Nội vụ")),
    "bidi-override": Case(UNITS, text("Sở Nội vụ", "Sở \u202eNội vụ")),
    "zero-width": Case(UNITS, text("id: so-noi-vu", "id: so-\u200bnoi-vu")),
    "null-byte": Case(UNITS, lambda raw: raw.replace(b"so-noi-vu", b"so\x00noi-vu", 1)),
    "empty-file": Case(UNITS, lambda _: b""),
    "a-word": Case(UNITS, lambda _: b"units\n"),
    "duplicate-key": Case(UNITS, text("    index: 1\n", "    index: 1\n    index: 2\n")),
    "doubtful-number": Case(UNITS, text('"99001"', "099001")),
    "doubtful-word": Case(UNITS, text("name: Xã Hai", "name: Null")),
    "merge-of-mappings": Case(
        UNITS, text("[{access: fibre, bandwidth_mbps: 200}]", "[{<<: {access: fibre}}]")
    ),
    "template-in-key": Case(UNITS, text("    wave: 1\n", '    "{{ wave }}": 1\n')),
    "template-in-value": Case(UNITS, text("Sở Nội vụ", '"{{ lookup(pipe) }}"')),
    "template-block": Case(UNITS, text("Sở Nội vụ", '"Sở {% raw %}"')),
    # One record.
    "unknown-field": Case(UNITS, text("    parent: huyen-dong", "    parrent: huyen-dong")),
    "missing-field": Case(UNITS, text("    wave: 1\n", "")),
    "wrong-type": Case(UNITS, text("index: 1", 'index: "1"')),
    "unquoted-code": Case(UNITS, text('"99001"', "99001")),
    "true-as-index": Case(UNITS, text("index: 1", "index: true")),
    "no-links": Case(UNITS, text("[{access: fibre, bandwidth_mbps: 200}]", "[]")),
    "no-bandwidth": Case(UNITS, text("bandwidth_mbps: 200", "bandwidth_mbps: 0")),
    "bad-id": Case(UNITS, text("id: so-noi-vu", "id: Sở-Nội-Vụ")),
    "unknown-state": Case(UNITS, text("state: planned", "state: planed")),
    "service-twice": Case(UNITS, text("[dns, ntp, packages, start]", "[dns, dns]")),
    "name-in-nfd": Case(UNITS, text("Phường Một", unicodedata.normalize("NFD", "Phường Một"))),
    "name-with-a-strange-character": Case(UNITS, text("Phường Một", "Phường M\u043et")),
    "name-with-a-tag": Case(UNITS, text("Phường Một", "Phường <Một>")),
    "province-with-a-strange-space": Case(PROVINCE, text("Tỉnh Mẫu", "Tỉnh\u00a0Mẫu")),
    "name-in-another-case": Case(
        UNITS, both(text("Xã Hai", "HUYỆN ĐÔNG"), text("    parent: huyen-dong\n", ""))
    ),
    "name-with-the-tone-elsewhere": Case(
        UNITS, both(text("Xã Hai", "Xã Hoà 1"), text("Huyện Đông", "Xã Hòa l"))
    ),
    "zone-of-an-interface": Case(
        PROVINCE, text("network6: fd00:99:40::/44", 'network6: "fd00:99:40::%eth0/44"')
    ),
    "pool-with-a-dot": Case(PROVINCE, lambda raw: raw + b'  "a.b": {network4: 10.300.0.0/16}\n'),
    "empty-name": Case(UNITS, text("name: Xã Hai", 'name: " "')),
    "no-such-day": Case(UNITS, text("2025-06-30", "2025-06-31")),
    "host-bits": Case(PROVINCE, text("10.64.0.0/12", "10.65.0.0/12")),
    "not-a-network": Case(PROVINCE, text("10.64.0.0/12", "10.640.0.0/12")),
    "wrong-family": Case(PROVINCE, text("network6: fd00:99:40::/44", "network6: 10.9.0.0/16")),
    # Records among each other.
    "duplicate-id": Case(UNITS, text("id: xa-hai", "id: phuong-mot")),
    "duplicate-code": Case(UNITS, text('"99002"', '"99001"')),
    "duplicate-index": Case(UNITS, text("index: 2", "index: 1")),
    "duplicate-org-code": Case(
        UNITS, lambda raw: raw.replace(b"    links:", b"    org_code: H99.1\n    links:", 2)
    ),
    "unknown-kind": Case(UNITS, text("kind: ward", "kind: wards")),
    "unknown-parent": Case(UNITS, text("parent: huyen-dong", "parent: huyen-dog")),
    "parent-of-itself": Case(UNITS, text("parent: huyen-dong", "parent: phuong-mot")),
    "parent-loop": Case(
        UNITS,
        lambda raw: raw.replace(b"parent: huyen-dong", b"parent: xa-hai").replace(
            b"    kind: commune\n", b"    kind: commune\n    parent: phuong-mot\n"
        ),
    ),
    "parent-of-wrong-kind": Case(UNITS, text("parent: huyen-dong", "parent: van-phong-tinh-uy")),
    "unknown-service": Case(UNITS, text("[dns, ntp, packages, start]", "[dns, starts]")),
    "party-as-government": Case(UNITS, text("sphere: party", "sphere: government")),
    "exhausted-pool": Case(UNITS, text("index: 2", "index: 4096")),
    "overlapping-pools": Case(PROVINCE, text("10.80.0.0/13", "10.72.0.0/13")),
    "further-network-of-others": Case(
        PROVINCE, text("10.64.0.0/12\n", "10.64.0.0/12\n    more4: [10.112.0.0/16, 10.16.0.0/16]\n")
    ),
    "further-network-too-small": Case(
        PROVINCE, text("10.80.0.0/13\n", "10.80.0.0/13\n    more4: [10.112.0.0/24]\n")
    ),
    "overlapping-pools6": Case(PROVINCE, text("fd00:99:50::/44", "fd00:99:40::/44")),
    "overlapping-as-numbers": Case(PROVINCE, text("4200500000", "4200400001")),
    "same-letter": Case(PROVINCE, text("letter: s", "letter: c")),
    "block-larger-than-pool": Case(PROVINCE, last("block4: 24", "block4: 11")),
    "block-too-small": Case(PROVINCE, last("block4: 24", "block4: 26")),
    "small-centre": Case(PROVINCE, text("block4: 16", "block4: 19")),
    "missing-pool": Case(PROVINCE, lambda raw: raw[: raw.index(b"  school:")]),
    "line-inside-a-pool": Case(
        UNITS,
        text(
            "{access: fibre, bandwidth_mbps: 100}",
            "{access: fibre, bandwidth_mbps: 100, assigned4: 10.64.9.0/30}",
        ),
    ),
    "line-assigned-twice": Case(
        UNITS,
        lambda raw: raw.replace(b"bandwidth_mbps: 100}", b"bandwidth_mbps: 100, assigned4: 198.51.100.4/30}"),
    ),
    "block-inside-a-pool": Case(UNITS, given("phuong-mot", "assigned4: 10.16.4.0/22")),
    "block-of-two-units": Case(
        UNITS,
        both(given("phuong-mot", "assigned4: 172.16.0.0/22"), given("xa-hai", "assigned4: 172.16.3.0/24")),
    ),
    "block6-of-two-units": Case(
        UNITS,
        both(
            given("phuong-mot", 'assigned6: "2001:db8:a000::/48"'),
            given("xa-hai", 'assigned6: "2001:db8:a000:ff00::/56"'),
        ),
    ),
    "block-with-the-line-of-another": Case(
        UNITS,
        both(
            text("bandwidth_mbps: 100}", "bandwidth_mbps: 100, assigned4: 172.16.3.4/30}"),
            given("xa-hai", "assigned4: 172.16.3.0/24"),
        ),
    ),
    "block-too-small-for-segments": Case(UNITS, given("phuong-mot", "assigned4: 172.16.0.0/25")),
    "block6-too-small-for-segments": Case(UNITS, given("phuong-mot", 'assigned6: "2001:db8:a000::/60"')),
    # Closed units, those that followed, and former names.
    "closed-without-a-day": Case(UNITS, text('    closed: "2025-06-30"\n', "")),
    "open-with-a-day": Case(UNITS, given("xa-hai", "closed: 2025-06-30")),
    "open-with-successors": Case(UNITS, given("xa-hai", "successors: [phuong-mot]")),
    "open-and-given-back": Case(UNITS, given("xa-hai", "returned: 2025-06-30")),
    "given-back-before-closing": Case(UNITS, given("truong-cu", "returned: 2025-06-29")),
    "closed-parent": Case(UNITS, closing("huyen-dong")),
    "unknown-successor": Case(UNITS, given("truong-cu", "successors: [phuong-mott]")),
    "successor-of-itself": Case(UNITS, given("truong-cu", "successors: [truong-cu]")),
    "loop-of-successors": Case(
        UNITS,
        both(
            closing("xa-hai", "successors: [truong-cu]"),
            given("truong-cu", "successors: [xa-hai]"),
        ),
    ),
    "former-name-in-use": Case(UNITS, given("xa-hai", alias("name: Xã Hai"))),
    "former-name-twice": Case(
        UNITS, given("xa-hai", f"{alias('name: Xã Nhì')[:-1]}, {alias('name: Xã Nhì')[10:]}")
    ),
    "former-name-in-nfd": Case(
        UNITS, given("xa-hai", alias(f"name: {unicodedata.normalize('NFD', 'Xã Nhì')}"))
    ),
    "former-name-of-an-unknown-unit": Case(
        UNITS, given("xa-hai", alias("name: Trường Cũ, unit: truong-cuu", by="merge"))
    ),
    "former-name-of-an-open-unit": Case(
        UNITS, given("xa-hai", alias("name: Phường Một, unit: phuong-mot", by="merge"))
    ),
    "former-code-of-another": Case(UNITS, given("xa-hai", alias('name: Xã Nhì, code: "99001"'))),
    "former-code-in-use": Case(UNITS, given("xa-hai", alias('name: Xã Nhì, code: "99002"'))),
    "former-code-of-a-closed-unit": Case(
        UNITS, given("xa-hai", alias('name: Trường Cũ, code: "99-TC2", unit: truong-cu', by="merge"))
    ),
    "id-of-a-machine": Case(UNITS, text("id: xa-hai", "id: hub-1")),
    "id-of-a-service": Case(UNITS, text("id: xa-hai", "id: start")),
    "former-name-of-another-by-renaming": Case(
        UNITS, given("xa-hai", alias("name: Trường Cũ, unit: truong-cu"))
    ),
    # What the province has of its own.
    "unknown-control-point": Case(PROVINCE, also("control_points: [so-noi-vu, so-noi-vuu]")),
    "closed-control-point": Case(PROVINCE, also("control_points: [so-noi-vu, truong-cu]")),
    "unknown-machine": Case(PROVINCE, also("machines: {mirrors: {disk_gib: 900}}")),
    "more-members-than-reserved": Case(
        PROVINCE, also("machines: {mirror: {disk_gib: 900}, controller: {members: 2}}")
    ),
    "folder-of-another-name": Case(PROVINCE, text("id: base", "id: bases")),
    "everything-at-once": Case(
        UNITS,
        lambda raw: (
            raw.replace(b"index: 2", b"index: 1")
            .replace(b"kind: department", b"kind: departement")
            .replace(b"    wave: 2\n", b"", 1)
            .replace(b"parent: huyen-dong", b"parent: huyen-tay")
        ),
    ),
    # The catalogue.
    "catalogue-missing": Case(f"{CATALOGUE}/flows.yml", None),
    "catalogue-unknown-machine": Case(
        f"{CATALOGUE}/services.yml", text("machine: resolver", "machine: resolvers")
    ),
    "catalogue-unknown-service": Case(f"{CATALOGUE}/flows.yml", text("[unit-dns,", "[unit-dsn,")),
    "catalogue-flow-for-nothing": Case(
        f"{CATALOGUE}/flows.yml", text("    services: [unit-dns, unit-ntp, unit-dhcp, unit-status]\n", "")
    ),
    "catalogue-wrong-zone": Case(
        f"{CATALOGUE}/flows.yml", text("from: {zone: wireless", "from: {zone: internal")
    ),
    "catalogue-service-twice": Case(f"{CATALOGUE}/services.yml", text("- id: ntp", "- id: dns")),
    "catalogue-same-place": Case(f"{CATALOGUE}/machines.yml", text("place: 21", "place: 13")),
    "catalogue-place-outside-segment": Case(f"{CATALOGUE}/machines.yml", text("place: 4\n", "place: 20\n")),
    "catalogue-place-among-leases": Case(
        f"{CATALOGUE}/machines.yml",
        text("place: 1\n    cores: 2\n    memory_mib: 1024", "place: 8\n    cores: 2\n    memory_mib: 1024"),
    ),
    "catalogue-place-outside-the-centre": Case(f"{CATALOGUE}/segments.yml", text("place: 62", "place: 64")),
    "catalogue-same-segment-place": Case(f"{CATALOGUE}/segments.yml", text("place: 20", "place: 30")),
    "catalogue-unit-segments-overlap": Case(
        f"{CATALOGUE}/segments.yml", text("place: 4, place6: 2", "place: 3, place6: 2")
    ),
    "catalogue-no-interface": Case(f"{CATALOGUE}/machines.yml", text("default: dmz", "default: upl")),
    "catalogue-unknown-layer": Case(
        f"{CATALOGUE}/services.yml", text("{pending: trust}", "{pending: trusted}")
    ),
    "catalogue-no-duty": Case(f"{CATALOGUE}/services.yml", text("tls: {pending: trust}", "tls: later")),
    "catalogue-unknown-role": Case(
        f"{CATALOGUE}/machines.yml",
        text("roles: [log_forwarder, dns_resolver, dhcp", "roles: [log_forwarder, dns_resolvers, dhcp"),
    ),
    "catalogue-unknown-base-role": Case(
        f"{CATALOGUE}/machines.yml", text("firewall, ntp]", "fire_wall, ntp]")
    ),
    "catalogue-no-base-role": Case(
        f"{CATALOGUE}/machines.yml", lambda raw: raw[: raw.index(b"base_roles:")] + b"base_roles: []\n"
    ),
    # What the catalogue allows and no address can follow from.
    "plan-no-way": Case(f"{CATALOGUE}/machines.yml", text("forwards: [trans, tun]", "forwards: [trans]")),
    "plan-nobody": Case(
        f"{CATALOGUE}/flows.yml", text("segments: [dmz], machine: ns}", "segments: [dmz], machine: app}")
    ),
    "plan-service-without-flow": Case(
        f"{CATALOGUE}/flows.yml", text("services: [internet-web, internet-dns]", "services: [internet-web]")
    ),
    "plan-flow-twice": Case(f"{CATALOGUE}/flows.yml", text("id: guest", "id: lan")),
    # An application.
    "app-not-yaml": Case(APP, lambda raw: raw + b"x: [\n"),
    "app-unknown-field": Case(APP, text("state: live", "stat: live")),
    "app-wrong-form": Case(APP, text("tls: {pending: trust}", "tls: {pending: trusted}")),
    "app-of-another-name": Case(APP, text("id: start", "id: begin")),
    "app-unknown-machine": Case(APP, text("machine: app", "machine: apps")),
    "app-unknown-container": Case(APP, text("container: web}", "container: wed}")),
    "app-taken-name": Case(APP, text("{name: start, container", "{name: dns, container")),
    "app-unknown-kind": Case(
        APP, text("{kinds: all, spheres: [government, party], segments: [staff, count]}", "{kinds: [wards]}")
    ),
    # An environment.
    "environment-unknown-register": Case(LAB, text("register: base", "register: bas")),
    "environment-unknown-unit": Case(LAB, text("[phuong-mot]", "[phuong-mott]")),
    "environment-unknown-machine": Case(LAB, text("edge: 2", "egde: 2")),
    "environment-too-many-members": Case(LAB, text("edge: 2", "edge: 3")),
    "environment-without-size": Case(LAB, text("default: {memory: 256MiB}", "app: {memory: 256MiB}")),
    "environment-of-another-name": Case(LAB, text("environment: lab", "environment: lap")),
    "environment-without-incus": Case(
        LAB, lambda raw: raw[: raw.index(b"incus:\n")] + raw[raw.index(b"members") :]
    ),
    "environment-closed-unit": Case(
        UNITS, text("wave: 2\n    state: planned", "wave: 2\n    state: closed\n    closed: 2025-06-30"), True
    ),
    "environment-project-of-others": Case(LAB, text("project: province-lab", "project: default")),
    "environment-pool-of-others": Case(LAB, text("pool: province-lab", "pool: default")),
    "environment-no-member": Case(LAB, text("hub: 2", "hub: 0")),
    "environment-no-members": Case(
        LAB, text("{edge: 2, hub: 2, hub_party: 2, ns: 2, resolver: 2, mirror: 1, app: 1, log: 1}", "{}")
    ),
    "environment-too-much-memory": Case(LAB, text("256MiB", "1025GiB")),
    "environment-far-too-much-memory": Case(LAB, text("256MiB", "1048577MiB")),
    "environment-malformed-memory": Case(LAB, text("256MiB", "256 MB")),
    "environment-unknown-host": Case(LAB, text("wireguard:", "packages_tried_on: [mirrow-1]\nwireguard:")),
    "environment-trunks-of-containers": Case(LAB, text("wireguard:", "unit_ports: vlans\nwireguard:")),
    "environment-unknown-field": Case(LAB, text("workstations:", "workstation:")),
}


def sound_tree(folder: Path) -> Path:
    """A whole tree of its own: a small register, the real catalogue and applications, an environment."""
    shutil.copytree(HERE / "base", folder / REGISTER)
    shutil.copytree(ROOT / CATALOGUE, folder / CATALOGUE)
    shutil.copytree(ROOT / "apps", folder / "apps")
    (folder / "inventories/lab").mkdir()
    lab = (ROOT / LAB).read_text(encoding="utf-8")
    lab = lab.replace("register: dien-bien", "register: base").replace(
        "[phuong-dien-bien-phu, van-phong-tinh-uy]", "[phuong-mot]"
    )
    (folder / LAB).write_text(
        "\n".join(
            line
            for line in lab.split("\n")
            if not re.match(r"  (resolver|mirror|app|workstation): {mem", line)
        ),
        encoding="utf-8",
    )
    return folder


def said(folder: Path, capsys: pytest.CaptureFixture[str], *, environment: bool = False) -> tuple[int, str]:
    """Exit status and words of the command, with the tree's own place left out of them."""
    command = ["hosts", str(folder / LAB)] if environment else ["check", str(folder / REGISTER)]
    status = main(command)
    heard = capsys.readouterr()
    assert "Traceback" not in heard.err
    return status, heard.err.replace(f"{folder}/", "")


def test_the_sound_tree_has_no_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sound_tree(tmp_path)
    assert said(folder, capsys) == (0, "")
    assert said(folder, capsys, environment=True) == (0, "")


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_reported_in_these_words(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    folder = sound_tree(tmp_path)
    file = folder / case.file
    if case.change is None:
        file.unlink()
    else:
        before = file.read_bytes()
        file.write_bytes(case.change(before))
        assert file.read_bytes() != before, "the case changes nothing"
    written = sorted(tmp_path.rglob("*"))
    status, words = said(folder, capsys, environment=case.environment or case.file == LAB)
    assert status == 1
    assert sorted(tmp_path.rglob("*")) == written, "a check writes nothing"
    golden = HERE / "problems" / f"{name}.txt"
    if os.environ.get(UPDATE):
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def test_no_golden_message_is_left_over() -> None:
    assert {path.stem for path in (HERE / "problems").iterdir()} == set(CASES)


def messages() -> list[str]:
    """Every golden line."""
    return [
        line
        for name in CASES
        for line in (HERE / "problems" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    ]


def test_every_code_of_the_readers_is_pinned_by_a_case() -> None:
    """A code that no case shows is a message that nobody has read."""
    shown = {line.split()[0] for line in messages()}
    families = {"REG": ["document", "shape", "model"], "CAT": ["catalogue"]}
    wanted = {
        f"{family}-{number}"
        for family, files in families.items()
        for file in files
        for number in re.findall(
            r'"(0\d\d)"', (ROOT / f"province/register/{file}.py").read_text(encoding="utf-8")
        )
    }
    wanted |= {f"ENV-{number:03}" for number in range(20, 28)}
    wanted |= {f"PLN-00{number}" for number in range(1, 5)}
    wanted |= {f"APP-{number:03}" for number in (20, 21, 23, 24, 25)}
    assert sorted(wanted - shown) == []


def test_every_message_says_where_what_and_what_to_do() -> None:
    for line in messages():
        assert re.fullmatch(r"[A-Z]{3}-\d{3} \S.*: found .+; wanted .+\. .+\.", line), line
