"""What may not be in the tree at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT, own_files, shown, text_of

# Written in pieces, so that this file does not find itself.
SECRETS = {
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
    "an age identity": re.compile("AGE-SECRET-" + "KEY-1[0-9A-Z]+"),
    "a password in a URL": re.compile(r"https?://[^\s/:@]+:[^\s/:@{$]+@"),
}
REGISTRIES = re.compile(
    r"\b(deb|security|ftp|snapshot)[.]debian[.]org\b|\bpypi[.]org\b|\bpythonhosted[.]org\b"
    r"|\bregistry[.]npmjs[.]org\b|\bproxy[.]golang[.]org\b|\bsum[.]golang[.]org\b|\bcrates[.]io\b"
)
MACHINE = re.compile(r"(?<![\w.])/(?:work|root)/[\w.]|/tmp/v/")
LEFT_OPEN = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MARKER = re.compile(
    r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)*( - |  )\S)|#\s*type: ignore(?!\[[\w-]+(, ?[\w-]+)*\]\s+# \S)"
)
SHELLCHECK = re.compile(r"# shellcheck disable=\S+\s*$", re.MULTILINE)
LOCKS = ("go.sum", "requirements/environment.txt")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every text of the project by its path."""
    found = {shown(path): text_of(path) for path in own_files()}
    return {path: text for path, text in found.items() if text is not None and path != shown(Path(__file__))}


def places(texts: dict[str, str], pattern: re.Pattern[str], suffixes: tuple[str, ...] = ()) -> list[str]:
    """Where a pattern is found, as file:line."""
    return [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}: {match[0]}"
        for path, text in texts.items()
        if not suffixes or path.endswith(suffixes)
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("what", SECRETS)
def test_no_secret_is_in_the_tree(texts: dict[str, str], what: str) -> None:
    assert places(texts, SECRETS[what]) == []


def test_the_search_for_secrets_finds_one() -> None:
    sample = {"x": "-----BEGIN OPENSSH PRIVATE" + " KEY-----\n", "y": "AGE-SECRET-" + "KEY-1ABC"}
    assert len(places(sample, SECRETS["a private key"])) == 1
    assert len(places(sample, SECRETS["an age identity"])) == 1


def test_no_registry_is_named(texts: dict[str, str]) -> None:
    """Mirrors are variables; package managers know their own registries."""
    assert places({path: text for path, text in texts.items() if not path.endswith(LOCKS)}, REGISTRIES) == []


def test_no_path_of_one_machine_is_in_the_tree(texts: dict[str, str]) -> None:
    assert places(texts, MACHINE) == []


def test_nothing_is_left_for_later_in_a_comment(texts: dict[str, str]) -> None:
    assert places(texts, LEFT_OPEN, (".py", ".yml", ".yaml", ".j2", ".sh", ".toml", ".cfg", "Makefile")) == []


def test_a_linter_is_silenced_only_with_a_reason(texts: dict[str, str]) -> None:
    """`# noqa: S603 - why` and `# type: ignore[misc] # why`; a bare one hides the next mistake too."""
    assert places(texts, MARKER, (".py",)) == []
    assert places(texts, SHELLCHECK) == []


def test_paths_of_the_tree_are_plain(texts: dict[str, str]) -> None:
    assert [path for path in texts if not re.fullmatch(r"[\w./+@-]+", path)] == []
    assert (ROOT / "LICENSE").exists()
