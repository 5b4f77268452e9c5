"""Errors as values: what was found, where, what was wanted, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, in the words its reader needs.

    `code` is stable (REG-012) and listed in docs/reference/problems.md; `file` is relative to the
    repository; `line` counts from 1, 0 where no line can be named; `path` is the place inside the
    file (`units[17].index`).
    """

    code: str
    file: str
    line: int
    path: str
    found: str
    wanted: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f" {self.path}" if self.path else ""
        return f"{self.code} {where}{place}: found {self.found}; wanted {self.wanted}. {self.remedy}"

    def as_json(self) -> dict[str, str | int]:
        """The same as plain data, for `--format json`."""
        return {
            "code": self.code,
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "found": self.found,
            "wanted": self.wanted,
            "remedy": self.remedy,
        }


class ProblemsFoundError(Exception):
    """Carries the problems that stopped a command; the CLI prints them and exits with status 1."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
