"""Register files as people might write them: forms that are legal, with remarks in awkward places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

Record = Mapping[str, Any]
REMARK = re.compile(r"# r\d+ [^\n]*")


def remarks(text: str) -> list[str]:
    """The remarks of a text that was made here, sorted: each is there once."""
    return sorted(REMARK.findall(text))


def styled(records: Sequence[Record], random: Random) -> str:
    """A file that says these records, in a style of its own."""
    return _Writer(random).file(records)


class _Writer:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.number = 0
        # Whether a deeper line would belong to a text of many lines.
        self.inside = False

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def remark(self, *, often: int = 4) -> str:
        """A remark of its own, or nothing."""
        if self.random.randrange(often):
            return ""
        self.number += 1
        words = self.one("why", "since: May", "- not an entry", "id: no-unit", "{[", '"', "a, b")
        return f"# r{self.number} {words}"

    def behind(self) -> str:
        """What may follow a value in its line."""
        said = self.remark()
        return f"{self.one(' ', '   ')}{said}" if said else str(self.one("", "", "", " "))

    def above(self, column: int) -> list[str]:
        """Lines before a field: blank, or remarks at any depth."""
        lines = [""] * self.one(0, 0, 0, 0, 1)
        if said := self.remark(often=8):
            lines.append(" " * self.one(0, column, column + 3 * (not self.inside)) + said)
        return lines

    def file(self, records: Sequence[Record]) -> str:
        lines = [said for _ in range(2) if (said := self.remark(often=2))] + self.one([], [], ["---"])
        if not records and self.one(True, False):
            lines.append("units: []" + self.behind())
        elif self.one(*[False] * 7, True) or not records:
            lines += self.flow_file(records)
        else:
            column = self.one(0, 2, 2, 4)
            lines += [self.one("units:", '"units":', "'units':", "units :") + self.behind()]
            gap = [""] * self.one(0, 1, 1, 2)
            for number, record in enumerate(records):
                lines += gap if number or self.one(True, False) else []
                lines += self.above(column) + self.record(record, column)
        lines += [said for _ in range(2) if (said := self.remark(often=2))] + self.one([], [], [], ["..."])
        return "\n".join(lines) + str(self.one("\n", "\n", "\n\n", ""))

    def flow_file(self, records: Sequence[Record]) -> list[str]:
        key = self.one("units", '"units"')
        if self.one(True, False):
            inner = ", ".join(self.flow(record) for record in records)
            return [f"{{{key}: [{inner}{self.one('', ',') if records else ''}]}}{self.behind()}"]
        lines = [f"{key}: [{self.behind()}"]
        trailing = self.one("", ",")
        for number, record in enumerate(records):
            last = number == len(records) - 1
            lines.append(f"  {self.flow(record)}{trailing if last else ','}{self.behind()}")
        return [*lines, f"  ]{self.behind()}"]

    def record(self, record: Record, column: int) -> list[str]:
        form = self.one("block", "block", "block", "flow", "lines")
        dash = " " * column + "-"
        if form == "flow":
            return [f"{dash} {self.flow(record)}{self.behind()}"]
        items = list(record.items())
        if self.one(False, False, True):
            self.random.shuffle(items)
        if form == "lines":
            trailing = self.one("", ",")
            lines = [f"{dash} {{{self.behind()}"]
            for number, (key, value) in enumerate(items):
                comma = trailing if number == len(items) - 1 else ","
                lines.append(f"{' ' * column}    {self.key(key)}: {self.flow(value)}{comma}{self.behind()}")
            return [*lines, f"{' ' * column}  }}{self.behind()}"]
        gap = self.one(1, 1, 1, 3)
        inner = column + 1 + gap
        lines = []
        for number, (key, value) in enumerate(items):
            lines += self.above(inner) if number else []
            lines += self.field(key, value, inner)
        if self.one(False, False, False, True):
            return [f"{dash}{self.behind()}", *lines]
        return [dash + lines[0][len(dash) :], *lines[1:]]

    def key(self, key: str) -> str:
        return str(self.one(key, key, key, f'"{key}"', f"'{key}'"))

    def field(self, key: str, value: Any, column: int) -> list[str]:
        self.inside = False
        head = " " * column + self.key(key) + self.one("", "", "", " ") + ":"
        if isinstance(value, list) and value and self.one(True, False):
            return self.block_list(head, value, column)
        if isinstance(value, list) and value and self.one(True, False):
            inner = " " * (column + 4)
            parts = [f"{inner}{self.flow(item)}," + self.behind() for item in value]
            return [f"{head} [{self.behind()}", *parts, f"{inner}]{self.behind()}"]
        if isinstance(value, str) and " " in value and not self.random.randrange(4):
            sign, self.inside = self.one(">-", "|-"), True
            return [
                f"{head} {sign}{self.behind()}",
                " " * (column + self.one(1, 2)) + value,
                *self.one([], [""]),
            ]
        if isinstance(value, str) and not self.random.randrange(6):
            return [f"{head}{self.behind()}", f"{' ' * (column + 2)}{self.scalar(value)}{self.behind()}"]
        return [f"{head} {self.flow(value)}{self.behind()}"]

    def block_list(self, head: str, value: Sequence[Any], column: int) -> list[str]:
        inner = column + self.one(0, 2, 2)
        lines = [head + self.behind()]
        for item in value:
            dash = " " * inner + "-"
            if isinstance(item, dict) and self.one(True, False):
                fields = [line for key, entry in item.items() for line in self.field(key, entry, inner + 2)]
                lines += [dash + fields[0][len(dash) :], *fields[1:]]
            else:
                lines.append(f"{dash} {self.flow(item)}{self.behind()}")
        return lines

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.key(k)}: {self.flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return (
                "["
                + ", ".join(self.flow(item) for item in value)
                + str(self.one("", "", ",")) * bool(value)
                + "]"
            )
        return self.scalar(value)

    def scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return str(value)
        plain = re.fullmatch(r"[^\W\d_][\w .()/–-]*", value) and value.strip() == value
        single, double = "'" + value.replace("'", "''") + "'", '"' + value.replace('"', '\\"') + '"'
        return str(self.one(single, double, *([value] * 3 if plain else [])))
