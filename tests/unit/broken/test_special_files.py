"""Files that were made to hurt, or came from another world: refused in a sentence, within bounded memory.

Files that are too large are read in a process of their own whose memory is limited: a bound that does not
hold ends there in a MemoryError, and not in the tests of everybody.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from province.cli import main
from tests.support.repository import ROOT

BASE = ROOT / "tests/unit/register/base"
RECORD = """\
  - {{id: u-{n}, code: "{n}", index: {n}, name: Xã {n}, kind: commune, sphere: government,
     links: [{{access: fibre, bandwidth_mbps: 100}}], services: [dns],
     contacts: [{{role: office, mailbox: vp.u}}],
     wave: 0, state: planned, level: 2, level_basis: x}}
"""
# Of address space. Reading the small register takes about 150 MiB of it; a million rows as data, some GiB.
ENOUGH = 1536 << 20


@pytest.fixture
def register(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "base"))


def units(register: Path) -> Path:
    """The file of its units."""
    return register / "units/all.yml"


def said(register: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a refusal."""
    assert main(["check", str(register)]) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    lines = heard.err.splitlines()
    for line in lines:
        assert re.fullmatch(r"[A-Z]{3}-\d{3} \S.*: found .+; wanted .+\. .+\.", line), line
    return lines


def told(register: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Code and place of the first problem."""
    found = re.match(r"(\S+) (\S+?):? ", said(register, capsys)[0])
    assert found
    return found[1], found[2].replace(f"{register}/", "")


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ENOUGH, ENOUGH))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))


def in_little_memory(register: Path) -> str:
    """What the command says in a process that may take little memory."""
    ended = subprocess.run(
        [sys.executable, "-m", "province.cli", "check", str(register)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        preexec_fn=_limited,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 1, ended.stderr[-2_000:]
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr, ended.stderr[-2_000:]
    assert len(ended.stderr) < 200_000
    for line in ended.stderr.splitlines():
        assert re.match(r"REG-\d{3} ", line), line
    return ended.stderr


def _bomb() -> str:
    """Nine levels of nine aliases: 400 million values from 500 bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines) + "\nunits: *a8\n"


LARGE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "an alias bomb": ("REG-005", lambda: _bomb().encode()),
    "a million rows of nothing": ("REG-006", lambda: b"units:\n" + b"  - {}\n" * 1_000_000),
    "a million empty rows": ("REG-006", lambda: b"units:\n" + b"  -\n" * 1_000_000),
    "a million words": ("REG-006", lambda: b"units: [" + b"x, " * 1_000_000 + b"x]\n"),
    "a million keys": ("REG-006", lambda: "".join(f"k{n}: 1\n" for n in range(1_000_000)).encode()),
    "as many sound rows as fit": (
        "REG-006",
        lambda: ("units:\n" + "".join(RECORD.format(n=n) for n in range(60_000))).encode()[: 16 << 20],
    ),
    "sixteen mebibytes and one": ("REG-006", lambda: b"#" * ((16 << 20) + 1)),
    "sixteen mebibytes of remarks": ("REG-012", lambda: b"#" * ((16 << 20) - 1) + b"\n"),
    "sixteen mebibytes of line ends": ("REG-012", lambda: b"\n" * (16 << 20)),
    "one text of sixteen mebibytes": ("REG-012", lambda: b'units: "' + b"x" * ((16 << 20) - 10) + b'"\n'),
    "five million levels": ("REG-006", lambda: b"units: " + b"[" * 5_000_000),
    "four thousand levels of blocks": ("REG-006", lambda: b"".join(b" " * n + b"a:\n" for n in range(4_000))),
    "a hundred thousand braces": ("REG-009", lambda: b"units:\n" + b"  - '{{ a }}'\n" * 100_000),
    "a hundred thousand wrong rows": ("REG-012", lambda: b"units:\n" + b"  - x\n" * 100_000),
    "the same key half a million times": ("REG-004", lambda: b"a: 1\n" * 400_000),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_file_that_is_too_much_is_refused_in_bounded_memory(name: str, register: Path) -> None:
    code, content = LARGE[name]
    units(register).write_bytes(content())
    words = in_little_memory(register)
    assert words.startswith(f"{code} ") or f"\n{code} " in words, words[:2_000]
    # However much is wrong, a person reads the beginning.
    assert len(words.splitlines()) <= 110


def test_the_limit_of_these_tests_is_one(register: Path) -> None:
    """The same process cannot take what a million rows would need."""
    del register
    taken = subprocess.run(
        [sys.executable, "-c", "bytearray(2 << 30)"], capture_output=True, preexec_fn=_limited, check=False
    )
    assert taken.returncode != 0
    assert b"MemoryError" in taken.stderr


WORDS: dict[str, tuple[str, Callable[[str], str | bytes]]] = {
    "line ends of another system": ("REG-008", lambda text: text.replace("\n", "\r\n")),
    "line ends of an old system": ("REG-008", lambda text: text.replace("\n", "\r")),
    "a byte order mark": ("REG-008", lambda text: "\ufeff" + text),
    "UTF-16": ("REG-002", lambda text: text.encode("utf-16")),
    "UTF-16 without a mark": ("REG-002", lambda text: text.encode("utf-16-le")),
    "UTF-32": ("REG-002", lambda text: text.encode("utf-32")),
    "TCVN3": ("REG-002", lambda text: text.encode("ascii", "replace").replace(b"S? N?i", b"S\xeb N\xe9i")),
    "VNI": (
        "REG-002",
        lambda text: text.encode("ascii", "replace").replace(b"S? N?i", b"S\xf4\xfb N\xf4\xefi"),
    ),
    "Windows-1258": ("REG-002", lambda text: text.encode("cp1258", "replace")),
    "Latin letters of ISO 8859-1": ("REG-002", lambda text: text.encode("latin-1", "replace") + b"# \xe0\n"),
    "an overlong null": ("REG-002", lambda text: text.encode() + b"# \xc0\x80\n"),
    "half a character": ("REG-002", lambda text: text.encode() + "ạ".encode()[:2]),
    "a surrogate": ("REG-002", lambda text: text.encode() + b"# \xed\xa0\x80\n"),
    "a null": ("REG-007", lambda text: text.replace("Sở", "S\0ở")),
    "an override of direction": ("REG-007", lambda text: text.replace("Sở", "\u202eSở")),
    "an isolate of direction": ("REG-007", lambda text: text.replace("Sở", "\u2067Sở\u2069")),
    "a mark of direction": ("REG-007", lambda text: text.replace("Sở", "Sở\u200f")),
    "a zero-width space": ("REG-007", lambda text: text.replace("Sở", "S\u200bở")),
    "a zero-width joiner": ("REG-007", lambda text: text.replace("Sở", "S\u200dở")),
    "a word joiner": ("REG-007", lambda text: text.replace("Sở", "S\u2060ở")),
    "a mark inside": ("REG-007", lambda text: text.replace("Sở", "Sở\ufeff")),
    "tags that nobody sees": ("REG-007", lambda text: text.replace("Sở", "Sở\U000e0041")),
    "a letter of private use": ("REG-007", lambda text: text.replace("Sở", "Sở\ue001")),
    "a line end of Unicode": ("REG-007", lambda text: text.replace("Sở", "Sở\u2028")),
    "a next line": ("REG-007", lambda text: text.replace("Sở", "Sở\x85")),
    "an escape of terminals": ("REG-007", lambda text: text.replace("Sở", "\x1b[31mSở")),
    "a tab": ("REG-007", lambda text: text.replace("    code", "\tcode", 1)),
    "a Cyrillic letter": ("REG-017", lambda text: text.replace("Xã Hai", "Xã H\u0430i")),
    "a Greek letter": ("REG-017", lambda text: text.replace("Phường Một", "Phường M\u03bft")),
    "a Cherokee letter": ("REG-017", lambda text: text.replace("Xã Hai", "Xã \u13bbai")),
    "full-width digits": ("REG-017", lambda text: text.replace("Xã Hai", "Xã \uff12")),
    "mathematical letters": ("REG-017", lambda text: text.replace("Xã Hai", "Xã \U0001d407ai")),
    "a combining mark of its own": ("REG-017", lambda text: text.replace("Xã Hai", "Xã H\u0335ai")),
    "a letter apostrophe": ("REG-017", lambda text: text.replace("Xã Hai", "Xã H\u02bcai")),
    "an eth for a đ": ("REG-017", lambda text: text.replace("Huyện Đông", "Huyện \u00d0ông")),
    "letters in pieces": (
        "REG-014",
        lambda text: text.replace("Xã Hai", unicodedata.normalize("NFD", "Xã Hai")),
    ),
    "marks out of order": ("REG-014", lambda text: text.replace("Phường Một", "Phường Mo\u0302\u0323t")),
    "a full-width digit as an index": ("REG-012", lambda text: text.replace("index: 2", "index: \uff12")),
    "an id of look-alikes": ("REG-013", lambda text: text.replace("id: xa-hai", "id: x\u0430-hai")),
    "a code of look-alikes": ("REG-013", lambda text: text.replace('"99002"', '"9900\u0662"')),
    "nothing": ("REG-012", lambda _: ""),
    "a line end": ("REG-012", lambda _: "\n"),
    "only remarks": ("REG-012", lambda _: "# Xã và phường\n# (chưa có)\n"),
    "only a mark of a document": ("REG-012", lambda _: "---\n"),
    "an end of a document": ("REG-003", lambda _: "...\n"),
    "JSON in pieces": ("REG-003", lambda _: '{"units": ['),
    "a page of the web": ("REG-003", lambda _: "<!DOCTYPE html>\n<p>a: b: c</p>\n"),
    "an archive": ("REG-002", lambda _: b"PK\x03\x04\x14\x00\x08\x08\x08\x00\xff\xfe" * 40),
    "names that differ in case": (
        "REG-042",
        lambda text: text.replace("Xã Hai", "HUYỆN ĐÔNG").replace("    parent: huyen-dong\n", ""),
    ),
    "names that differ in an apostrophe": (
        "REG-042",
        lambda text: text.replace("Xã Hai", "Xã Cư M’gar").replace("Sở Nội vụ", "Xã Cư M'gar"),
    ),
    "names that differ in a dash": (
        "REG-042",
        lambda text: text.replace("Xã Hai", "Xã A–B").replace("Sở Nội vụ", "Xã A-B"),
    ),
    "names that differ in the place of the tone": (
        "REG-042",
        lambda text: text.replace("Xã Hai", "Xã Hoà").replace("Sở Nội vụ", "Xã Hòa"),
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_file_of_another_world_is_refused_at_its_line(
    name: str, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, change = WORDS[name]
    before = units(register).read_text(encoding="utf-8")
    after = change(before)
    raw = after if isinstance(after, bytes) else after.encode()
    assert raw != before.encode()
    units(register).write_bytes(raw)
    found, place = told(register, capsys)
    assert found == code
    assert re.fullmatch(r"units/all\.yml:[1-9][0-9]*" if raw else r"units/all\.yml", place)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _circle(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.with_name("other").unlink()
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


def _nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("not-there")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("change", [_loop, _circle, _nowhere, _fifo, _folder, _device])
@pytest.mark.parametrize("file", ["province.yml", "units/all.yml"])
def test_what_is_no_file_is_refused_and_not_waited_for(
    change: Callable[[Path], None], file: str, register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(register / file)
    assert ("REG-001", file) in {
        (line.split()[0], line.split()[1].rstrip(":").replace(f"{register}/", ""))
        for line in said(register, capsys)
    }


def test_a_file_that_may_not_be_read_is_refused(register: Path, capsys: pytest.CaptureFixture[str]) -> None:
    units(register).chmod(0)
    if os.access(units(register), os.R_OK):  # root reads everything: then somebody else has to try
        ended = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(units(register))],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert ended.stdout == "REG-001 no file that can be read (permission denied)\n", ended.stderr
        return
    assert told(register, capsys) == ("REG-001", "units/all.yml")


# The folders of a test of root are closed to others: it is held open by its number.
_AS_NOBODY = """
import os, sys
from pathlib import Path
from province.register.document import read_document
folder = os.open(Path(sys.argv[1]).parent, os.O_RDONLY)
os.fchdir(folder)
os.setgid(65534), os.setuid(65534)
problem = read_document(Path(Path(sys.argv[1]).name), "x", "REG").problems[0]
print(problem.code, problem.found)
"""


def test_folders_that_lead_back_to_themselves_are_not_walked_for_ever(
    register: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (register / "units/again").symlink_to("..")
    assert main(["check", str(register)]) == 0
    assert capsys.readouterr().out.startswith("Tỉnh Mẫu: no problems. 6 units ")
