"""A folder that holds what was rendered and nothing else: equal files stay untouched, stale ones go.

The folder is ours by a mark inside it. A run that was killed leaves at most a file too few or a temporary
one too many; the next run compares what is there with what should be, and so heals it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from province.problems import Problem, ProblemsFoundError

MARK = ".province-render"
# Where a subfolder's new files are written before they are named.
TEMPORARY = ".province-new"
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Outcome:
    """What a run did, as paths inside the folder."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0


class Folder:
    """An output folder that is ours. Get one with `owned`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.outcome = Outcome()

    def put(self, name: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Make the subfolder `name` hold exactly these files: path inside it → content and mode.

        What differs is written beside first, all of it, and only then named: a disk that is full leaves the
        files of before.
        """
        base = f"{self._path}/{name}"
        there, folders = self._listed(name, base)
        wanted = {""}
        for path in files:
            front = path.rpartition("/")[0]
            while front not in wanted:
                wanted.add(front)
                front = front.rpartition("/")[0]
        new = [
            path
            for path, (content, mode) in files.items()
            if path not in there or not _same(f"{base}/{path}", content, mode)
        ]
        self.outcome.unchanged += len(files) - len(new)
        staged = f"{base}/{TEMPORARY}"
        if new:
            Path(staged).mkdir(parents=True)
        try:
            for number, path in enumerate(new):
                _write(f"{staged}/{number}", *files[path])
            for path in sorted(there - files.keys()):
                Path(base, path).unlink()
                self.outcome.removed.append(f"{name}/{path}")
            for path in sorted(folders - wanted, reverse=True):
                Path(base, path).rmdir()
            for path in sorted(wanted - folders - {""}):
                Path(base, path).mkdir()
            for number, path in enumerate(new):
                os.replace(f"{staged}/{number}", f"{base}/{path}")  # noqa: PTH105 - a hundred thousand times
                self.outcome.written.append(f"{name}/{path}")
        finally:
            if new:
                shutil.rmtree(staged)

    def keep_only(self, names: set[str]) -> None:
        """Remove every other subfolder and file."""
        for entry in sorted(os.scandir(self._path), key=lambda entry: entry.name):
            if entry.name == MARK or entry.name in names:
                continue
            if entry.is_dir(follow_symlinks=False):
                paths, _ = self._listed(entry.name, entry.path)
                self.outcome.removed += [f"{entry.name}/{path}" for path in sorted(paths)]
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink()
                self.outcome.removed.append(entry.name)

    def _listed(self, name: str, base: str) -> tuple[set[str], set[str]]:
        """Files (and whatever else is no folder) and folders below, "" being the subfolder itself."""
        files: set[str] = set()
        folders: set[str] = set()
        place = Path(base)
        if place.is_symlink() or place.is_file():  # somebody put it there instead of our folder
            place.unlink()
            self.outcome.removed.append(name)
        if Path(base, TEMPORARY).is_dir():  # of a run that was cut off
            shutil.rmtree(Path(base, TEMPORARY))
        left = [""] if place.is_dir() else []
        while left:
            here = left.pop()
            folders.add(here)
            with os.scandir(f"{base}/{here}" if here else base) as entries:
                for entry in entries:
                    path = f"{here}/{entry.name}" if here else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        left.append(path)
                    else:
                        files.add(path)
        return files, folders


def _same(path: str, content: bytes, mode: int) -> bool:
    try:
        handle = os.open(path, _READ)
    except OSError:
        return False  # a link, or unreadable: written anew
    try:
        about = os.fstat(handle)
        if about.st_size != len(content) or about.st_mode & 0o7777 != mode:
            return False
        return os.read(handle, len(content) + 1) == content
    finally:
        os.close(handle)


def _write(path: str, content: bytes, mode: int) -> None:
    handle = os.open(path, _WRITE, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


@contextmanager
def owned(path: Path, source: str) -> Iterator[Folder]:
    """The folder, made or found to be ours and of the same source, for one run at a time.

    Raises ProblemsFoundError: RND-030 for a folder with something else in it, RND-031 for one of another
    source, RND-032 when it cannot be written, RND-033 while another run is at it.
    """
    mark = path / MARK
    said = json.dumps({"format": 1, "of": source}, ensure_ascii=False) + "\n"
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not mark.is_file() or mark.is_symlink():
            if any(entry.name != f"{MARK}.new" for entry in os.scandir(path)):
                raise _stop(
                    "030",
                    path,
                    "a folder with something else in it",
                    "an empty folder, a new one, or one that this command has made",
                    "Name another folder: what is no longer rendered is removed from this one.",
                )
            _write(f"{mark}.new", said.encode(), 0o644)
            Path(f"{mark}.new").replace(mark)
        with mark.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _stop("033", path, "another run that writes here", "one at a time", "Wait.") from None
            found = _source_of(handle.read())
            if found != source:
                raise _stop(
                    "031", path, f"the files of {found}", f"those of {source}", "Name another folder."
                )
            yield Folder(path)
    except OSError as error:
        raise _stop(
            "032",
            Path(str(error.filename or path)),
            f"no way to write ({error.strerror})",
            "a folder that can be written, and space in it",
            "Correct the permissions, make space, or name another folder; the next run goes on here.",
        ) from None


def _source_of(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["of"])
    except (ValueError, KeyError, TypeError):
        return "something unknown"


def _stop(code: str, path: Path, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    return ProblemsFoundError((
        Problem(
            code=f"RND-{code}", file=str(path), line=0, path="", found=found, wanted=wanted, remedy=remedy
        ),
    ))  # fmt: skip
