"""Every refusal of `province unit` in its words, and that it leaves the register as it is.

A case is a small register, perhaps changed beforehand, and a command. PROVINCE_UPDATE_GOLDEN=1 rewrites
problems/<case>.txt: review the diff.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import province.unit
from province.cli import main
from province.register.edit import edited
from tests.support.changes import PROVINCE, REGISTER, UNITS, text
from tests.support.repository import ROOT

HERE = Path(__file__).parent
UPDATE = "PROVINCE_UPDATE_GOLDEN"
Edit = Callable[[str], str]


@dataclass(frozen=True)
class Case:
    """What is done to the files first, and the command with its arguments behind the register."""

    command: tuple[str, ...]
    before: dict[str, Edit] = field(default_factory=dict)


def two_parents(before: str) -> str:
    """A second ward, directly below the province."""
    record = before[before.index("  - id: phuong-mot") : before.index("  - id: xa-hai")]
    other = (
        record.replace("phuong-mot", "phuong-ba").replace("99001", "99003").replace("index: 1", "index: 9")
    )
    return (
        before
        + "\n"
        + other.replace("Phường Một", "Phường Ba").replace("    parent: huyen-dong\n", "").rstrip()
        + "\n"
    )


WARD = ("add", "--kind", "ward", "--name", "Phường Mới", "--code", "99009", "--under-province")
ALIAS = '{name: Xã B, until: "2026-01-01", by: rename}'
SCHOOL = ("add", "--kind", "school", "--name", "Trường Mới")
CASES = {
    "unknown-unit": Case(("close", "phuong-mott")),
    "unknown-heir": Case(("merge", "xa-hai", "--into", "phuong-mott")),
    "closed-unit": Case(("rename", "truong-cu", "--name", "Trường Xưa")),
    "closed-unit-with-an-heir": Case(
        ("move", "truong-cu", "--under-province"),
        {UNITS: text(('    closed: "2025-06-30"', '    closed: "2025-06-30"\n    successors: [xa-hai]'))},
    ),
    "closed-on-another-day": Case(("close", "truong-cu", "--date", "2026-01-01")),
    "closed-parent": Case((*SCHOOL, "--parent", "truong-cu")),
    "open-units-below": Case(("close", "huyen-dong")),
    "control-point": Case(
        ("merge", "so-noi-vu", "--into", "xa-hai"),
        {PROVINCE: lambda before: before + "control_points: [so-noi-vu]\n"},
    ),
    "no-such-day": Case(("close", "xa-hai", "--date", "2026-02-30")),
    "day-before-another": Case(
        ("close", "xa-hai", "--date", "2025-12-31"),
        {UNITS: text(("    name: Xã Hai\n", f"    name: Xã Hai\n    aliases: [{ALIAS}]\n"))},
    ),
    "unknown-kind": Case(("add", "--kind", "wards", "--name", "Phường Mới")),
    "merger-of-kinds": Case(("merge", "xa-hai", "phuong-mot", "--new", "--name", "Xã Chung", "--code", "9")),
    "parent-of-wrong-kind": Case(("move", "phuong-mot", "--parent", "so-noi-vu")),
    "below-itself": Case(
        ("move", "so-noi-vu", "--parent", "phong-mot"),
        {
            UNITS: lambda before: before
            + before[before.index("  - id: so-noi-vu") : before.index("  - id: van-phong")]
            .replace("so-noi-vu", "phong-mot")
            .replace("99-SNV", "99-PM")
            .replace("index: 1", "index: 2")
            .replace("Sở Nội vụ", "Phòng Một")
            .replace("    sphere", "    parent: so-noi-vu\n    sphere")
        },
    ),
    "name-in-use": Case((*WARD[:4], "Xã Hai", *WARD[5:])),
    "code-in-use": Case((*WARD[:6], "99-TC", *WARD[7:])),
    "id-in-use": Case((*WARD, "--id", "truong-cu")),
    "bad-id": Case((*WARD, "--id", "Phường-Mới")),
    "bad-name": Case((*WARD[:4], "Phường <Mới>", *WARD[5:])),
    "bad-block": Case((*WARD, "--assigned4", "172.16.0.1/24")),
    "no-code": Case(("add", "--kind", "commune", "--name", "Xã Mới")),
    "part-without-a-code": Case(("split", "xa-hai", "--into", "Xã Mới", "Xã Khác")),
    "no-reason-for-a-level": Case((*WARD, "--level", "3")),
    "parents-differ": Case(WARD[:-1], {UNITS: two_parents}),
    "merger-with-nothing": Case(("merge", "xa-hai", "--into", "xa-hai")),
    "merger-into-nobody": Case(("merge", "xa-hai", "phuong-mot")),
    "merger-into-half-a-unit": Case(("merge", "xa-hai", "--into", "phuong-mot", "--name", "Xã Chung")),
    "split-into-one": Case(("split", "xa-hai", "--into", "Xã Ba=99003")),
    "split-name-twice": Case(("split", "xa-hai", "--into", "Xã Ba=99003", "Xã Ba=99004")),
    "split-keeps-and-inherits": Case(
        ("split", "xa-hai", "--into", "Xã Ba=99003", "--keep", "--heir", "Xã Ba")
    ),
    "split-without-heir": Case(("split", "huyen-dong", "--into", "Huyện Bắc=991", "Huyện Nam=992")),
    "split-unknown-heir": Case(
        ("split", "huyen-dong", "--into", "Huyện Bắc=991", "Huyện Nam=992", "--heir", "Huyện Đông")
    ),
    "returned-while-open": Case(("returned", "xa-hai")),
    "returned-on-another-day": Case(
        ("returned", "truong-cu", "--date", "2026-02-01"),
        {UNITS: text(('    closed: "2025-06-30"', '    closed: "2025-06-30"\n    returned: "2026-01-01"'))},
    ),
    "code-without-name": Case(("rename", "xa-hai", "--name", "Xã Hai", "--code", "99007")),
    "no-unit-at-all": Case((*SCHOOL, "--code", "99-TM"), {UNITS: lambda _: "units: []\n"}),
    "unsound-afterwards": Case((*WARD, "--services", "dns,starts")),
    "written-strangely": Case(
        ("move", "phuong-mot", "--under-province"),
        {UNITS: text(("    parent: huyen-dong\n", "    ? parent\n    : huyen-dong\n"))},
    ),
    "register-unsound": Case(("close", "xa-hai"), {UNITS: text(("kind: ward", "kind: wards"))}),
}  # fmt: skip
# Those that need more than files.
OTHERS = ("says-something-else", "unfinished", "changed-meanwhile", "cannot-write", "another-at-work")


def refused(unit: Callable[..., tuple[int, str, str]], command: tuple[str, ...]) -> str:
    status, out, err = unit(*command)
    assert (status, out) == (1, "")
    return err


def pinned(name: str, words: str) -> None:
    golden = HERE / "problems" / f"{name}.txt"
    if os.environ.get(UPDATE):
        golden.write_text(words, encoding="utf-8")
    assert words == golden.read_text(encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_says_where_what_and_what_to_do_and_changes_nothing(
    small: Path, unit: Callable[..., tuple[int, str, str]], name: str
) -> None:
    for file, edit in CASES[name].before.items():
        path = small / file
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = files(small / REGISTER)
    pinned(name, refused(unit, CASES[name].command))
    assert files(small / REGISTER) == before


def test_a_text_that_says_something_else_is_not_written(
    small: Path, unit: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever mistake the editor makes: here it forgets a line."""
    before = files(small / REGISTER)

    def forgetful(*given: Any) -> str:
        return re.sub(r'    closed: "20(?!25).*\n', "", edited(*given))

    monkeypatch.setattr(province.unit, "edited", forgetful)
    pinned("says-something-else", refused(unit, ("close", "xa-hai", "--date", "2026-01-01")))
    assert files(small / REGISTER) == before


def test_a_change_left_unfinished_is_told_before_another(
    small: Path, unit: Callable[..., tuple[int, str, str]]
) -> None:
    left = small / REGISTER / "units/.unfinished"
    left.mkdir()
    (left / "all.yml").write_text("units: []\n", encoding="utf-8")
    pinned("unfinished", refused(unit, ("close", "xa-hai")))


def test_a_file_changed_meanwhile_is_left_alone(
    small: Path, unit: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = province.unit.write

    def late(register: Path, made: province.unit.Made) -> None:
        with (small / UNITS).open("a", encoding="utf-8") as file:
            file.write("# a colleague was here\n")
        honest(register, made)

    monkeypatch.setattr(province.unit, "write", late)
    pinned("changed-meanwhile", refused(unit, ("close", "xa-hai")))
    assert (small / UNITS).read_text(encoding="utf-8").endswith("# a colleague was here\n")


def test_what_cannot_be_written_leaves_everything(
    small: Path, unit: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(small / REGISTER)

    def full(path: Path, raw: bytes, like: Path) -> None:
        del raw, like
        raise OSError(28, "No space left on device", str(path.relative_to(small)))

    monkeypatch.setattr(province.unit, "_write", full)
    pinned("cannot-write", refused(unit, ("close", "xa-hai")))
    assert files(small / REGISTER) == before


def test_two_commands_at_once_are_one_too_many(
    small: Path, unit: Callable[..., tuple[int, str, str]]
) -> None:
    handle = os.open(small / REGISTER, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        pinned("another-at-work", refused(unit, ("close", "xa-hai")))
    finally:
        os.close(handle)
    assert unit("close", "xa-hai")[0] == 0


def test_no_golden_message_is_left_over_or_missing() -> None:
    assert {path.stem for path in (HERE / "problems").iterdir()} == {*CASES, *OTHERS}


def test_every_code_is_pinned_by_a_case() -> None:
    shown = {
        line.split()[0]
        for path in (HERE / "problems").iterdir()
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    source = (ROOT / "province/register/life.py").read_text(encoding="utf-8")
    source += (ROOT / "province/unit.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'"(0\d\d)"', source)) | set(re.findall(r"UNT-(0\d\d)", source))
    assert {f"UNT-{code}" for code in codes} - shown == set()
    assert {"UNT-013", "UNT-017", "UNT-018"} <= shown


def test_problems_are_data_where_data_is_asked_for(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unit", "close", str(small / REGISTER), "nobody", "--format", "json"]) == 1
    assert '"code": "UNT-020"' in capsys.readouterr().out
