"""Private halves of the ledger where they must not be: what is sought, and in what is looked."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)-----END", re.DOTALL)
_LEAST = 24  # letters; what is shorter may be somewhere by chance

# What of a host anybody or everybody sees, beside its processes: what it wrote down, and files open to all.
ON_HOSTS = {
    "processes": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true",
    "journal": "journalctl --quiet --no-pager --output=export",
    "logs": "find /var/log -path /var/log/journal -prune -o -type f -exec zcat --force {} +; true",
    "files open to all": "find /etc /run -xdev -type f -perm /004 -size -512k -exec cat {} +; true",
}


def needles(
    secrets: Mapping[str, str], others: Iterable[str] = (), public: Iterable[str] = ()
) -> dict[str, list[str]]:
    """By name of a secret what is sought of it: long lines that only it has.

    `others` are secrets of the same kinds that nobody uses: lines that those have as well are no secret. Nor
    are lines that are in a public half: a private half has it, too.
    """
    common = {line for other in others for line in _lines(other)}
    known = [raw for text in public for word in text.split() if (raw := _decoded(word))]
    found = {
        name: [line for line in _lines(secret) if line not in common and not _within(line, known)]
        for name, secret in secrets.items()
    }
    assert all(found.values()), f"nothing to seek of {[name for name, lines in found.items() if not lines]}"
    return found


def _lines(secret: str) -> list[str]:
    blocks = _BLOCK.findall(secret)
    lines = [line for block in blocks or [secret] for line in block.splitlines() if len(line) >= _LEAST]
    for line in [] if blocks else list(lines):
        raw = _decoded(line)
        if len(raw) == 32:  # as `wg` programs write keys to each other
            lines.append(raw.hex())
    return lines


def _within(line: str, known: Iterable[bytes]) -> bool:
    """Whether a line is a piece of what is known anyway, however that is put into base64."""
    raw = _decoded(line).strip(b"\0")  # the beginning of the next length, in formats that have lengths
    return bool(raw) and any(raw in one for one in known)


def _decoded(word: str) -> bytes:
    try:
        return base64.b64decode(word, validate=True)
    except (ValueError, binascii.Error):
        return b""


def found(sought: Mapping[str, list[str]], place: str, text: str) -> list[str]:
    """`NAME in PLACE` for each secret of which there is a line in a text."""
    return [f"{name} in {place}" for name, lines in sought.items() if any(line in text for line in lines)]


def files(folder: Path, without: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Path and text of every file below a folder, but of those `without`, by their paths below it."""
    left = tuple(without)
    for path in sorted(folder.rglob("*")):
        below = str(path.relative_to(folder))
        if path.is_file() and not path.is_symlink() and not below.startswith(left):
            yield str(path), path.read_bytes().decode(errors="replace")


def history(repository: Path) -> str:
    """All that was ever committed to a repository on any branch: files as they were, messages, names."""
    command = "git rev-list --objects --all --no-object-names | git cat-file --batch --buffer"
    said = subprocess.run(["sh", "-c", command], cwd=repository, capture_output=True, check=True, timeout=120)
    assert said.stdout, "an empty history"
    return said.stdout.decode(errors="replace")


def processes() -> Iterator[tuple[str, str]]:
    """Words and environments of all processes of this machine, and of the containers on it."""
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield str(folder / name), (folder / name).read_bytes().decode(errors="replace")
            except OSError:  # it ended meanwhile
                continue
