"""`province new`: the official list becomes a register; the same input gives the same bytes."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from vietnam_provinces import Ward

from province.cli import main
from province.new import new_register, official, slug, write_register
from province.problems import ProblemsFoundError
from province.sources import load_sources
from tests.support.repository import ROOT

REGISTERS = ROOT / "inventories/registers"
COMMITTED = REGISTERS / "dien-bien"


@pytest.mark.parametrize(("code", "folder"), [(11, "dien-bien"), (31, "hai-phong")])
def test_the_committed_register_is_exactly_what_the_command_writes(code: int, folder: str) -> None:
    files = {
        path.relative_to(REGISTERS / folder).as_posix(): path for path in (REGISTERS / folder).rglob("*.yml")
    }
    written = new_register(code)
    assert set(files) == set(written)
    for name, text in written.items():
        assert files[name].read_text(encoding="utf-8") == text


def test_a_city_with_two_control_points_has_its_114_communes_and_wards() -> None:
    register = load_sources(REGISTERS / "hai-phong").register
    kinds = Counter(unit.kind for unit in register.units if unit.code.isdigit())
    assert kinds == {"commune": 67, "ward": 45, "special_zone": 2}
    assert kinds.total() == 114
    names = {unit.id: unit.name for unit in register.units}
    assert [names[point] for point in register.control_points] == [
        "Trung tâm Hội nghị thành phố",
        "Văn phòng Thành ủy",
    ]


def test_the_command_writes_what_the_function_gives_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "11", "--out", str(tmp_path / "dien-bien")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "dien-bien" / name) for name in new_register(11)
    ]
    assert main(["check", str(tmp_path / "dien-bien")]) == 0


def test_every_official_commune_is_there_once_with_its_code_and_name() -> None:
    units = load_sources(COMMITTED).register.units
    communes = {unit.code: unit.name for unit in units if unit.kind in ("commune", "ward", "special_zone")}
    official = {
        f"{int(ward.code):05d}": ward.name for ward in Ward.iter_all() if int(ward.province_code) == 11
    }
    assert len(official) == 45
    assert communes == {code: unicodedata.normalize("NFC", name) for code, name in official.items()}


def test_all_kinds_that_the_province_has_are_there() -> None:
    kinds = Counter(unit.kind for unit in load_sources(COMMITTED).register.units)
    assert kinds == {"commune": 42, "ward": 3, "department": 15, "party_body": 6, "hospital": 1, "school": 4}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Phường Điện Biên Phủ", "phuong-dien-bien-phu"),
        ("Xã Pú Nhung", "xa-pu-nhung"),
        ("Sở Văn hóa, Thể thao và Du lịch", "so-van-hoa-the-thao-va-du-lich"),
        (unicodedata.normalize("NFD", "Xã Tủa Chùa"), "xa-tua-chua"),
        ("Ủy ban Kiểm tra Tỉnh ủy", "uy-ban-kiem-tra-tinh-uy"),
        ("Uỷ ban Kiểm tra Tỉnh uỷ", "uy-ban-kiem-tra-tinh-uy"),
        ("Xã M’Drắk", "xa-m-drak"),
        ("Xã D'Ran", "xa-d-ran"),
        ("Phường 1", "phuong-1"),
    ],
)
def test_names_become_ids_of_plain_letters(name: str, wanted: str) -> None:
    assert slug(name) == wanted


@pytest.mark.parametrize("code", [0, 3, 99, -1])
def test_an_unknown_code_is_refused_with_the_codes_there_are(code: int) -> None:
    with pytest.raises(ProblemsFoundError, match=r"NEW-001 .*11 Điện Biên"):
        new_register(code)


def test_what_people_have_edited_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yml").write_text("mine", encoding="utf-8")
    assert main(["new", "11", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("NEW-002 ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yml"]
    assert main(["new", "11", "--out", str(tmp_path / "mine.yml")]) == 1
    assert main(["new", "11", "--out", str(tmp_path / "mine.yml" / "x")]) == 1
    assert capsys.readouterr().err.startswith("NEW-00")


@pytest.mark.parametrize(
    "code", ["eleven", "x", "", "1x", "11.0", "-1", "+11", "0x0b", "\u0661\u0661", "1" * 5000]
)
def test_what_is_no_code_is_a_problem_as_any_other(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", code, "--out", str(tmp_path / "out")]) == 1
    heard = capsys.readouterr()
    assert heard.out == ""
    assert re.fullmatch(
        r"NEW-001 province new: found '.*'; wanted .+ Take one of: .*11 Điện Biên.*\n", heard.err
    )
    assert len(heard.err) < 2000
    assert list(tmp_path.iterdir()) == []


def test_a_code_may_have_a_leading_zero(tmp_path: Path) -> None:
    assert main(["new", "01", "--out", str(tmp_path / "out")]) == 0


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = Path.write_text, []

    def full(path: Path, *words: Any, **how: Any) -> int:
        written.append(path)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, *words, **how)

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["new", "11", "--out", str(tmp_path / "out")]) == 1
    assert len(written) == 3
    assert capsys.readouterr().err.startswith("NEW-003 ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [False, True], ids=["no folder", "an empty folder"])
def test_whoever_is_killed_half_way_leaves_no_register(tmp_path: Path, made: bool) -> None:
    """Killed before the last file: what is there has neither the register's name nor its files."""
    out = tmp_path / "out"
    if made:
        out.mkdir()
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from province.cli import main\n"
        "write = Path.write_text\n"
        "def kill(path, *words, **how):\n"
        "    if path.name == 'schools.yml': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return write(path, *words, **how)\n"
        "Path.write_text = kill\n"
        "main(['new', '11', '--out', sys.argv[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(out)], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if path != out]
    assert [path.name.startswith(".out.") for path in left] == [True], "it was killed while it wrote"
    assert out.exists() == made
    assert not made or list(out.iterdir()) == []
    # And the next one is not in its way.
    assert main(["new", "11", "--out", str(out)]) == 0
    assert main(["check", str(out)]) == 0


def test_a_register_is_readable_as_any_other_file_and_may_take_the_place_of_an_empty_folder(
    tmp_path: Path,
) -> None:
    out, plain = tmp_path / "out", tmp_path / "plain"
    out.mkdir(mode=0o700)
    plain.mkdir()
    write_register(official(11), out)
    assert out.stat().st_mode == plain.stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "plain"]


def test_the_folder_that_the_command_runs_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Renaming over it would leave the caller in a folder that is gone."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "11", "--out", "."]) == 1
    assert capsys.readouterr().err.startswith("NEW-002 ")
    assert list(tmp_path.iterdir()) == []


def test_a_loop_of_links_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert main(["new", "11", "--out", str(tmp_path / "loop")]) == 1
    assert capsys.readouterr().err.startswith("NEW-00")
