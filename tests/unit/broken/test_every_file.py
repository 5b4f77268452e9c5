"""What is wrong with a file of any kind is told of every kind in the same words.

A case is a change of one file of a sound tree; what is then said is pinned in problems/<family>-<case>.txt.
PROVINCE_UPDATE_GOLDEN=1 rewrites the files: review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from province.cli import main
from tests.support.broken.golden import pinned
from tests.unit.register.test_problems import APP, CATALOGUE, LAB, REGISTER, sound_tree, text

KINDS = f"{CATALOGUE}/kinds.yml"
# The file that is changed, and what is asked of the tree then.
READERS: dict[str, tuple[str, list[str]]] = {
    "catalogue": (KINDS, ["check", REGISTER]),
    "application": (APP, ["check", REGISTER]),
    "environment": (LAB, ["hosts", LAB]),
    "divisions": ("divisions.yml", ["new", "--from", "divisions.yml", "--out", "new"]),
}
DIVISIONS = """\
id: tinh-cu
code: "98"
name: Tỉnh Cũ
source: a list of these tests
slot: 41
bodies: bodies-three-tiers.yml
units:
  - {code: "26500", name: Phường 1, type: phường, parent: "747"}
  - {code: "747", name: Thành phố Biển, type: thành phố}
"""
Change = Callable[[Path], object]


def raw(change: Callable[[bytes], bytes]) -> Change:
    """A change of a file's bytes."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def folder(path: Path) -> None:
    """A folder in place of a file."""
    path.unlink()
    path.mkdir()


def behind(line: str) -> Change:
    """One more line."""
    return raw(lambda before: before + line.encode() + b"\n")


OF_ANY_FILE: dict[str, Change] = {
    "folder": folder,
    "not-utf-8": raw(lambda before: before + b"# \xf4\n"),
    "not-yaml": behind("more: ["),
    "a-tag": behind("more: !x y"),
    "second-document": behind("---\nmore: 1"),
    "key-twice": behind("more: 1\nmore: 2"),
    "anchor": behind("more: &a 1"),
    "too-deep": behind(f"more: {'[' * 30}{']' * 30}"),
    "too-large": behind("#" * (17 << 20)),
    "unseen-character": behind("# \u202e"),
    "escaped-character": behind('more: "\\u200b"'),
    "other-line-ends": raw(lambda before: before.replace(b"\n", b"\r\n")),
    "byte-order-mark": raw(lambda before: b"\xef\xbb\xbf" + before),
    "template-braces": behind("more: '{{ a }}'"),
    "doubtful-number": behind("more: 0777"),
    "merge-of-mappings": behind("<<: {a: 1}"),
    "nothing-but-remarks": lambda path: path.write_text("# nothing\n", encoding="utf-8"),
    "a-word": lambda path: path.write_text("nothing\n", encoding="utf-8"),
}
OWN: dict[str, dict[str, Change]] = {
    "catalogue": {
        "unknown-field": raw(text("pool: school", "pools: school")),
        "missing-field": raw(text("{vi: Xã, en: Commune}", "{vi: Xã}")),
        "letters-in-pieces": raw(text("Xã, en", "Xa\u0303, en")),
    },
    "application": {
        "wrong-type": raw(text("id: start", "id: [start]")),
        "letters-in-pieces": raw(text("vi: ", "vi: Tra\u0323ng ")),
        "port-of-another": lambda path: _second(path),
    },
    "environment": {
        "wrong-type": raw(text("workstations: 1", "workstations: one")),
        "letters-in-pieces": raw(text("image: province-host", "image: a\u0301nh")),
        "unknown-value": raw(text("provider: incus", "provider: incas")),
    },
    "divisions": {"letters-in-pieces": raw(text("Tỉnh Cũ", "Tỉnh Cu\u0303"))},
}
CASES = [
    (reader, case, change) for reader in READERS for case, change in {**OF_ANY_FILE, **OWN[reader]}.items()
]


def _second(path: Path) -> None:
    """Another application whose container takes the same port."""
    other = path.parents[1] / "other"
    other.mkdir()
    words = path.read_text(encoding="utf-8")
    words = re.sub(r"(?m)^id: start$", "id: other", words).replace("{name: start,", "{name: other,")
    (other / "app.yml").write_text(words, encoding="utf-8")


@pytest.mark.parametrize(("reader", "case", "change"), CASES, ids=[f"{r}-{c}" for r, c, _ in CASES])
def test_what_is_wrong_with_a_file_is_told_in_these_words(
    reader: str,
    case: str,
    change: Change,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tree = sound_tree(tmp_path)
    (tree / "divisions.yml").write_text(DIVISIONS, encoding="utf-8")
    monkeypatch.chdir(tree)
    file, command = READERS[reader]
    change(tree / file)
    before = sorted(tree.rglob("*"))
    pinned(f"{reader}-{case}", command, capsys, tree)
    assert sorted(tree.rglob("*")) == before, "a refusal writes nothing"


@pytest.mark.parametrize("reader", READERS)
def test_the_sound_files_are_taken(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the cases above would be refused for another reason."""
    tree = sound_tree(tmp_path)
    (tree / "divisions.yml").write_text(DIVISIONS, encoding="utf-8")
    monkeypatch.chdir(tree)
    assert main(READERS[reader][1]) == 0
    assert capsys.readouterr().err == ""
