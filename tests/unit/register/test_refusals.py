"""What may be wrong in a register and a catalogue: each is refused in a sentence, none is half-taken."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from province.cli import main

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
REGISTER, CATALOGUE = "inventories/registers/base", "inventories/catalogue"
PROVINCE, UNITS = f"{REGISTER}/province.yml", f"{REGISTER}/units/all.yml"
SEGMENTS, MACHINES = f"{CATALOGUE}/segments.yml", f"{CATALOGUE}/machines.yml"
SERVICES, ZONES = f"{CATALOGUE}/services.yml", f"{CATALOGUE}/zones.yml"

NAME = "name: Phường Một"
LINE = "bandwidth_mbps: 100}"

# Name: code, file, what stands there, what stands there instead.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "a direction character by an escape": ("REG-007", UNITS, NAME, r'name: "Phường \u202eMột"'),
    "a zero-width character by an escape": ("REG-007", UNITS, NAME, r'name: "Phường\u200b Một"'),
    "a null by an escape": ("REG-007", UNITS, NAME, r'name: "Phường\0 Một"'),
    "a line end by an escape": ("REG-007", UNITS, NAME, r'name: "Phường\nMột"'),
    "an escaped character in a key": ("REG-007", UNITS, "    wave: 2", r'    "wa\u200bve": 2'),
    "a name of two lines": ("REG-013", UNITS, NAME, "name: |-\n      Phường\n      Một"),
    **{
        f"a name with {words}": ("REG-017", UNITS, NAME, f"name: {name}")
        for words, name in {
            "a Cyrillic letter": "Phường M\u043et",
            "a Greek letter": "Phường \u039cột",
            "an IPA letter": "Phường M\u0251i",
            "a full-width letter": "Phường \uff2dột",
            "a Hangul filler": "Phường\u3164Một",
            "a no-break space": "Phường\u00a0Một",
            "an ideographic space": "Phường\u3000Một",
            "a variation selector": "Phường Một\ufe0f",
            "a lone combining mark": "Phường Mx\u0323t",
            "an emoji": "Phường Một \U0001f600",
            "an opening tag": "Phường <b",
            "a closing tag": "Phường b>",
            "a quotation mark": 'Phường "Một"',
            "a modifier letter apostrophe": "Phường M\u02bct",
            "a fraction slash": "Phường 1\u20442",
            "Arabic-Indic digits": "Phường \u0661",
        }.items()
    },
    "a province with a Cyrillic letter": ("REG-017", PROVINCE, "name: Tỉnh Mẫu", "name: Tỉnh M\u0430u"),
    "a tag on a list": ("REG-003", UNITS, "units:\n", "units: !!set\n"),
    "a tag that names a program": ("REG-003", UNITS, "units:\n", "units: !!python/object/apply:os.system\n"),
    "a unit called as the centre": ("REG-020", UNITS, "id: phuong-mot", "id: centre"),
    "a unit called as the carrier": ("REG-020", UNITS, "id: phuong-mot", "id: carrier"),
    "a line of loopback": ("REG-013", UNITS, LINE, "bandwidth_mbps: 100, assigned4: 127.0.0.0/30}"),
    "a line of multicast": ("REG-013", UNITS, LINE, "bandwidth_mbps: 100, assigned4: 224.0.0.0/30}"),
    "a line of link-local": ("REG-013", UNITS, LINE, 'bandwidth_mbps: 100, assigned6: "fe80::/64"}'),
    "a line of nobody": ("REG-013", UNITS, LINE, "bandwidth_mbps: 100, assigned4: 0.0.0.0/30}"),
    "a line with a mask": (
        "REG-013",
        UNITS,
        LINE,
        "bandwidth_mbps: 100, assigned4: 198.51.100.0/255.255.255.252}",
    ),
    "AS numbers that begin where others do": ("REG-025", PROVINCE, "asn: 4200500000", "asn: 4200400000"),
    "a pool of loopback": ("REG-013", PROVINCE, "10.64.0.0/12", "127.0.0.0/12"),
    "AS numbers beyond the last": ("REG-025", PROVINCE, "asn: 4200600000", "asn: 4294967294"),
    "AS numbers of the border router": ("REG-025", PROVINCE, "asn: 4200100000", "asn: 4200000001"),
    "two segments on one IPv6 network": ("CAT-023", SEGMENTS, "place6: 2", "place6: 1"),
    "two segments on one bridge": ("CAT-023", SEGMENTS, "letter: c", "letter: s"),
    "two segments on one interface": ("CAT-023", SEGMENTS, "code: count", "code: staff"),
    "two segments on one tag": ("CAT-023", SEGMENTS, "vlan: 120", "vlan: 130"),
    "an unknown gateway": ("CAT-020", SEGMENTS, "gateway: edge", "gateway: egde"),
    "a gateway outside its segment": ("CAT-020", SEGMENTS, "gateway: edge", "gateway: mirror"),
    "two machines with one name": ("CAT-023", MACHINES, "short: pc", "short: cpe"),
    "a machine that nobody can administer": (
        "CAT-020",
        MACHINES,
        "interfaces: [mgmt, dmz]",
        "interfaces: [dmz]",
    ),
    "a default route by management": ("CAT-022", MACHINES, "default: dmz", "default: mgmt"),
    "forwarding from management": (
        "CAT-022",
        MACHINES,
        "forwards: [trans, tun]",
        "forwards: [trans, tun, mgmt]",
    ),
    "a router without a number": ("CAT-020", MACHINES, "    asn: 4200000002\n", ""),
    "two routers with one number": ("CAT-023", MACHINES, "asn: 4200000002", "asn: 4200000001"),
    "an unknown right": ("CAT-013", MACHINES, "needs: [tun]", "needs: [root]"),
    "a pair that reaches the broadcast address": ("CAT-013", MACHINES, "place: 51", "place: 253"),
    "a port that is too high": ("CAT-013", SERVICES, "udp/51820", "udp/65536"),
    "two services with one name": ("CAT-023", SERVICES, "names: [ntp]", "names: [dns]"),
    "a service in an unknown segment": ("CAT-020", SERVICES, "segment: srv", "segment: srw"),
    "a service where its machine is not": ("CAT-020", SERVICES, "segment: srv", "segment: dmz"),
    "a zone too few": ("CAT-020", ZONES, "id: dmz", "id: servers"),
}


def _remove(path: Path) -> None:
    path.unlink()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _other_ending(path: Path) -> None:
    shutil.copy(path, path.with_name("more.yaml"))


def _deeper(path: Path) -> None:
    (path.parent / "more").mkdir()
    shutil.copy(path, path.parent / "more/all.yml")


FILES: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "no province": ("REG-001", PROVINCE, _remove),
    "a province that is a loop of links": ("REG-001", PROVINCE, _loop),
    "units that are a loop of links": ("REG-001", UNITS, _loop),
    "units that are a pipe": ("REG-001", UNITS, _pipe),
    "units that never end": ("REG-001", UNITS, _endless),
    "units that nothing would read, by their ending": ("REG-015", UNITS, _other_ending),
    "units that nothing would read, by their folder": ("REG-015", UNITS, _deeper),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A register, with the catalogue and applications beside it."""
    shutil.copytree(HERE / "base", tmp_path / REGISTER)
    shutil.copytree(ROOT / CATALOGUE, tmp_path / CATALOGUE)
    shutil.copytree(ROOT / "apps", tmp_path / "apps")
    return tmp_path


def refused(tree: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command says that must fail in sentences and write nothing."""
    before = sorted(tree.rglob("*"))
    assert main(words or ["check", str(tree / REGISTER)]) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    for line in heard.err.splitlines():
        assert re.match(r"[A-Z]{3}-\d{3} \S.*: found .+; wanted .+\. .+\.", line), line
    assert sorted(tree.rglob("*")) == before
    return heard.err


def test_the_tree_of_these_tests_is_sound(tree: Path) -> None:
    assert main(["check", str(tree / REGISTER)]) == 0


@pytest.mark.parametrize("name", WORDS)
def test_a_wrong_word_is_refused_at_its_line(
    name: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, file, right, wrong = WORDS[name]
    text = (tree / file).read_text(encoding="utf-8")
    assert right in text
    (tree / file).write_text(text.replace(right, wrong, 1), encoding="utf-8")
    assert re.search(rf"^{code} \S+/{Path(file).name}:\d+", refused(tree, capsys), re.MULTILINE)


def test_every_letter_of_vietnamese_and_plain_punctuation_may_be_in_a_name(tree: Path) -> None:
    marks = ("", *"\u0300\u0301\u0303\u0309\u0323")
    vowels = "aăâeêioôơuưy"
    letters = "".join(unicodedata.normalize("NFC", vowel + mark) for vowel in vowels for mark in marks)
    text = (tree / UNITS).read_text(encoding="utf-8")
    name = f"{letters}{letters.upper()} đĐ fjwz"
    other = "Trường THPT số 1 (cơ sở 2) – Nà Tấu, Xã M'Drắk, Xã M’Drắk; 3/4 & A+B-C.".replace(";", "")
    changed = text.replace(NAME, f'name: "{name}"').replace("name: Xã Hai", f'name: "{other}"')
    assert changed.count(name) == changed.count(other) == 1
    (tree / UNITS).write_text(changed, encoding="utf-8")
    assert main(["check", str(tree / REGISTER)]) == 0


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_as_one_is_refused(
    name: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, file, change = FILES[name]
    change(tree / file)
    assert re.search(rf"^{code} ", refused(tree, capsys), re.MULTILINE)


def test_a_folder_that_is_a_loop_of_links_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = tree / "inventories/registers/loop"
    loop.symlink_to("loop")
    assert refused(tree, capsys, "check", str(loop)).startswith("REG-001 ")


def test_an_empty_reference_is_no_reference(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(tree, capsys, "plan", str(tree / REGISTER), "--diff", "").startswith("PLN-010 ")


def test_a_line_inside_a_larger_one_is_found_behind_a_smaller(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sweep must remember the range that reaches farthest, not the last it saw."""
    lines = iter(["198.51.100.0/24", "198.51.100.4/30", "198.51.100.128/30"])
    text = (tree / UNITS).read_text(encoding="utf-8")
    marked = re.sub(
        r"(bandwidth_mbps: \d+)\}",
        lambda m: f"{m[1]}, assigned4: {line}}}" if (line := next(lines, "")) else m[0],
        text,
    )
    assert next(lines, None) is None
    (tree / UNITS).write_text(marked, encoding="utf-8")
    told = refused(tree, capsys)
    assert [line for line in told.splitlines() if "198.51.100.4/30" in line]
    assert [line for line in told.splitlines() if "198.51.100.128/30" in line]


def test_of_a_way_into_a_loop_the_loop_alone_is_told(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who follows into it has nothing to correct."""
    text = (tree / UNITS).read_text(encoding="utf-8")
    record = text[text.index("  - id: xa-hai\n") : text.index("  - id: truong-cu\n")].rstrip("\n")
    closed = record.replace("state: planned", "state: closed\n    closed: 2025-06-30\n    successors: [HEIR]")
    first = text.index("  - id: so-noi-vu\n")
    made = ""
    for number, (ident, heir) in enumerate((("xa-a", "xa-b"), ("xa-b", "xa-c"), ("xa-c", "xa-b")), start=3):
        words = closed.replace("xa-hai", ident).replace("index: 2", f"index: {number}").replace("HEIR", heir)
        made += words.replace('"99002"', f'"9900{number}"').replace("Xã Hai", f"Xã Số {number}") + "\n\n"
    (tree / UNITS).write_text(text[:first] + made + text[first:], encoding="utf-8")
    told = refused(tree, capsys).splitlines()
    assert [line.partition(": found ")[2].partition(";")[0] for line in told] == [
        "a loop of successors: xa-b -> xa-c -> xa-b"
    ]
