"""Changes the text of a register's file so that it says other data, and leaves all else byte for byte.

A file is read by people: their comments, blank lines, quoting and order are theirs. So it is never written
anew from its data. The places of its values are taken from the parser, and only what differs is cut and put
in: one scalar replaced, one field's line added, one entry more at the end of a list. What is added is written
as the entries around it are: block or flow, indentation, quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Lists that grow over the years: an entry a line, so that a change shows one line.
GROWING = frozenset({"aliases"})
_PLAIN = re.compile(r"""[^\W\d_][^:#,\[\]{}"'&*!|>%@`\\?=<~\n]*\Z""")
# Words that readers of YAML 1.1 take for something else than text.
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_BLANK, _BETWEEN, _REMARK = re.compile(r"[ \n]*"), re.compile(r"(?:[ \n]+|#[^\n]*)*"), re.compile(r"#[^\n]*")


class CannotEditError(Exception):
    """A value is written in a way that cannot be changed without touching more; `line` counts from 1."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line
        self.words = words


def edited(text: str, before: Mapping[str, Any], after: Mapping[str, Any], order: Sequence[str]) -> str:
    """A file's text that says `after`, from one that says `before`.

    Both are what `province.register.document` reads: `{"units": [...]}`. Units keep their places in the list,
    new ones stand at its end; other lists lose entries or gain some at their end. `order` is the usual order
    of fields: a new field stands behind the nearest one that comes before it there. The text has to be one
    that was read without a problem. Raises CannotEditError.
    """
    return _Editor(text, order).run(before, after)


@dataclass(slots=True)
class _Node:
    """A value's place in a text: from `start` to `end`, without what follows (remarks, blank lines).

    `column` is that of the first character: of the first dash of a block list, of the first key of a block
    mapping. `style` of scalars is the sign they begin with, of collections `[`, `{` or nothing for blocks.
    `value` is a scalar's text.
    """

    start: int
    end: int
    column: int
    style: str
    value: str = ""
    pairs: list[tuple[_Node, _Node]] = field(default_factory=list)
    items: list[_Node] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        """The keys of a mapping, in their order."""
        return [key.value for key, _ in self.pairs]

    def get(self, key: str) -> tuple[_Node, _Node] | None:
        """The pair of a key."""
        return next((pair for pair in self.pairs if pair[0].value == key), None)

    def leaves(self) -> Iterator[_Node]:
        """The scalars, in their order."""
        if not self.pairs and not self.items:
            yield self
        for pair in self.pairs:
            for node in pair:
                yield from node.leaves()
        for item in self.items:
            yield from item.leaves()


class _Alike:
    """The records of a list as one example: the form of the last, each field as the last that has it."""

    def __init__(self, records: Sequence[_Node]) -> None:
        self.records = records
        self.style = records[-1].style
        self.column = records[-1].column
        self.pairs = records[-1].pairs
        self.keys = records[-1].keys

    def get(self, key: str) -> tuple[_Node, _Node] | None:
        """The pair of a key."""
        return next((found for node in reversed(self.records) if (found := node.get(key))), None)


class _Editor:
    """Collects cuts and insertions against one parsed text, and carries them out at once."""

    def __init__(self, text: str, order: Sequence[str]) -> None:
        self.text = text
        self.order = order
        self.edits: list[tuple[int, int, str]] = []

    def run(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        """The new text."""
        root = _parsed(self.text)
        units = dict(zip(root.keys, root.pairs, strict=True))["units"][1]
        old, new = before["units"], after["units"]
        for node, one, other in zip(units.items, old, new, strict=False):
            if one != other:
                self._mapping(node, one, other)
        if len(new) > len(old):
            self._records(root, units, new[len(old) :])
        made, place = [], 0
        for start, end, words in sorted(self.edits, key=lambda edit: edit[:2]):
            if start < place:
                raise self._cannot(start, "values that share a place")
            made += [self.text[place:start], words]
            place = end
        return "".join((*made, self.text[place:]))

    def _cannot(self, at: int, words: str) -> CannotEditError:
        return CannotEditError(self.text.count("\n", 0, at) + 1, words)

    # What differs

    def _value(self, node: _Node, key: str, old: Any, new: Any) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            self._mapping(node, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            self._list(node, key, old, new)
        elif isinstance(old, dict | list) or isinstance(new, dict | list):
            raise self._cannot(node.start, f"another kind of value for {key}")
        else:
            words = _scalar(new, node.style)
            head = self.text[node.start : self._line_end(node.start)]
            if node.style in ("|", ">") and (remark := _REMARK.search(head)):
                # A remark may stand in the first line of such a text.
                words += f"  {remark[0]}"
            self.edits.append((node.start, node.end, words))

    def _mapping(self, node: _Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        pairs = dict(zip(node.keys, node.pairs, strict=True))
        for key, value in old.items():
            if key in new and value != new[key]:
                self._value(pairs[key][1], key, value, new[key])
        self._cut(
            node,
            [(key.start, value.end) for key, value in node.pairs],
            {number for number, key in enumerate(pairs) if key not in new},
        )
        behind = node.pairs[0]
        for key in _arranged(list(new), [key for key in pairs if key in new], self.order):
            if key in pairs:
                behind = pairs[key]
            elif node.style:
                self._insert(behind[1].end, f", {_name(key, node)}: {_flow(new[key], None)}")
            else:
                self._lines(behind[1].end, node.column, self._pair(key, new[key], node.column, node))

    def _list(self, node: _Node, key: str, old: Sequence[Any], new: Sequence[Any]) -> None:
        """Entries go from anywhere and come at the end."""
        if not new:
            raise self._cannot(node.start, f"nothing left in {key}")
        gone, place = set(), 0
        for number, item in enumerate(old):
            if place < len(new) and item == new[place]:
                place += 1
            else:
                gone.add(number)
        self._cut(node, [(item.start, item.end) for item in node.items], gone)
        last = node.items[-1] if node.items else None
        # Between brackets behind the last that stays, in lines below the last that was there.
        stays = max(set(range(len(old))) - gone, default=-1)
        for number, entry in enumerate(new[place:]):
            if not node.style:
                self._lines(
                    last.end if last else node.start, node.column, self._item(entry, node.column, last)
                )
            elif stays >= 0:
                self._insert(node.items[stays].end, f", {_flow(entry, last)}")
            else:
                self._insert(node.start + 1, (", " if number else "") + _flow(entry, last))
        if place < len(new) and stays < 0 and node.style and self.text[node.start + 1] == "#":
            self._insert(node.start + 1, " ")

    # What is added

    def _insert(self, at: int, words: str) -> None:
        # Insertions at one place stand in the order in which they were asked for.
        for number, (start, end, given) in enumerate(self.edits):
            if start == end == at:
                self.edits[number] = (start, end, given + words)
                return
        self.edits.append((at, at, words))

    def _lines(self, at: int, column: int, lines: Sequence[str]) -> None:
        """Lines below that of a place, and below the remarks that belong to it."""
        self._insert(self._line_end(at, column), "".join(f"\n{line}" for line in lines))

    def _records(self, root: _Node, units: _Node, records: Sequence[Mapping[str, Any]]) -> None:
        """Units behind the last one."""
        like = _Alike(units.items) if units.items else None
        keys = like.keys if like else []
        ordered = [
            {
                key: record[key]
                for key in _arranged(list(record), [k for k in keys if k in record], self.order)
            }
            for record in records
        ]
        if units.style and not like and not root.style and "#" not in self.text[units.start : units.end]:
            # `units: []`: the brackets give way to records.
            start = len(self.text[: units.start].rstrip(" "))
            self.edits.append((start, units.end, ""))
            column = root.column + 2
            for record in ordered:
                self._lines(units.end, root.column, ["", *self._item(record, column, None, unit=True)])
        elif units.style:
            self._flow_records(units, [_flow(record, like) for record in ordered])
        else:
            gap = [""] * self._gap(units)
            for record in ordered:
                lines = self._item(record, units.column, like)
                self._lines(units.items[-1].end, units.column, [*gap, *lines])

    def _flow_records(self, units: _Node, records: Sequence[str]) -> None:
        if not units.items:
            space = " " if self.text[units.start + 1] == "#" else ""
            self._insert(units.start + 1, ", ".join(records) + space)
            return
        last = units.items[-1]
        comma = self._comma(last.end)
        behind = last.end if comma is None else comma + 1
        stop = self._line_end(behind)
        begin = self.text.rfind("\n", 0, last.start) + 1
        alone = not self.text[begin : last.start].strip(" ")
        if alone and not _REMARK.sub("", self.text[behind:stop]).strip(" "):
            # A record a line: the comma stays with the record, a remark with its line.
            if comma is None:
                self._insert(last.end, ",")
            indent = "\n" + " " * (last.start - begin)
            words = ",".join(indent + record for record in records)
            self._insert(stop, words + ("" if comma is None else ","))
        elif comma is None:
            self._insert(last.end, "".join(f", {record}" for record in records))
        else:
            self._insert(behind, "".join(f" {record}," for record in records))

    def _gap(self, units: _Node) -> int:
        """How many blank lines stand between the last two records."""
        if len(units.items) < 2:
            return 1
        end = self._line_end(units.items[-2].end, units.column)
        blank = _BLANK.match(self.text, end)
        return max(0, self.text.count("\n", end, blank.end()) - 1) if blank else 0

    def _pair(self, key: str, value: Any, column: int, like: _Node | _Alike | None) -> list[str]:
        """A field's lines in a block mapping; where `like` has the field, it is written as there."""
        name, found = _name(key, like), like.get(key) if like else None
        shape = found[1] if found else None
        block = not shape.style if shape and shape.items else key in GROWING
        if not (block and isinstance(value, list) and value):
            return [" " * column + f"{name}: {_flow(value, shape)}"]
        inner = column + max(0, shape.column - found[0].column if found and shape and shape.items else 2)
        entry = shape.items[-1] if shape and shape.items else None
        lines = [line for item in value for line in self._item(item, inner, entry)]
        return [" " * column + f"{name}:", *lines]

    def _item(self, value: Any, column: int, like: _Node | _Alike | None, *, unit: bool = False) -> list[str]:
        """An entry's lines in a block list. Without an example, units are blocks and all else is not."""
        dash = " " * column + "-"
        if not (isinstance(value, dict) and (not like.style if like else unit)):
            return [f"{dash} {_flow(value, like)}"]
        inner = like.column if like and like.column > column else column + 2
        lines = [line for key, entry in value.items() for line in self._pair(key, entry, inner, like)]
        return [dash + lines[0][len(dash) :], *lines[1:]]

    # What is cut

    def _cut(self, node: _Node, spans: Sequence[tuple[int, int]], gone: set[int]) -> None:
        """Take entries of a collection away; remarks in their lines stay, as lines of their own."""
        for number in sorted(gone):
            if node.style:
                self._cut_flow(spans, number, first=set(range(number)) <= gone)
            else:
                self._cut_lines(node, spans, number)

    def _cut_flow(self, spans: Sequence[tuple[int, int]], number: int, *, first: bool) -> None:
        """An entry with one of its commas; of ways to do it, the first that takes no remark along."""
        start, end = spans[number]
        behind, before = self._comma(end), None if first else self._comma(spans[number - 1][1])
        ways = []
        if before is not None:
            ways.append([(before, end)])
        if behind is not None:
            space = len(self.text[behind + 1 :]) - len(self.text[behind + 1 :].lstrip(" "))
            ways.append([(start, behind + 1 + space)])
        ways.append([(start, end)] if before is None else [(before, before + 1), (start, end)])
        for way in ways:
            if not any("#" in self.text[one:other] for one, other in way):
                self.edits += [(one, other, "") for one, other in way]
                return
        raise self._cannot(start, "a remark inside what has to go")

    def _cut_lines(self, node: _Node, spans: Sequence[tuple[int, int]], number: int) -> None:
        start, end = spans[number]
        if node.items:  # the dash belongs to the entry
            start = self._dash(start, node.column)
        begin = self.text.rfind("\n", 0, start) + 1
        stop = self._line_end(end)
        head = self.text[begin:start].strip(" ")
        remarks = self._remarks(start, stop, node)
        lines = ("\n" + " " * node.column).join(remarks)
        if head and not head.strip("-") and number + 1 < len(spans):
            # The first field stands behind the dash of its unit: the next one takes its place.
            follows = spans[number + 1][0]
            self.edits.append((start, stop if "#" in self.text[start:follows] else follows, lines))
        elif head:
            raise self._cannot(start, "a field on the line of something else")
        elif remarks:
            self.edits.append((start, stop, lines))
        else:
            above = [leaf for leaf in node.leaves() if leaf.end <= begin]
            deeper = re.compile(rf"(?:\n *)*\n {{{node.column + 1},}}#").match(self.text, stop)
            if deeper and above and above[-1].style in ("|", ">"):
                raise self._cannot(start, "a remark that would become a part of the text above")
            # With the line end before it: what is added behind the last line has its place there.
            self.edits.append((begin - 1, stop, ""))

    def _dash(self, at: int, column: int) -> int:
        """The dash of an entry of a block list: before it in its line, or alone in one above."""
        while True:
            begin = self.text.rfind("\n", 0, at) + 1
            if self.text[begin : begin + column + 1] == " " * column + "-":
                return begin + column
            between = self.text[begin:at].strip(" ")
            if not begin or (between and not between.startswith("#")):
                raise self._cannot(at, "an entry on the line of another")
            at = begin - 1

    def _remarks(self, start: int, stop: int, node: _Node) -> list[str]:
        """Remarks between the values of some lines."""
        found, place = [], start
        for leaf in node.leaves():
            if start <= leaf.start < stop:
                # A text of many lines may have one in its first.
                head = self._line_end(leaf.start) if leaf.style in ("|", ">") else leaf.start
                found += _REMARK.findall(self.text, place, head)
                place = leaf.end
        return [*found, *_REMARK.findall(self.text, place, stop)]

    # Places

    def _line_end(self, at: int, column: int | None = None) -> int:
        """Where the line of a place ends; with a column, behind the remarks below that stand deeper."""
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        if column is not None:
            remark = re.compile(rf"\n {{{column + 1},}}#[^\n]*")
            while below := remark.match(self.text, end):
                end = below.end()
        return end

    def _comma(self, at: int) -> int | None:
        """The comma behind a value in a flow collection."""
        between = _BETWEEN.match(self.text, at)
        place = between.end() if between else at
        return place if self.text[place : place + 1] == "," else None


def _parsed(text: str) -> _Node:
    """The places of a text that was read without a problem."""
    stack: list[tuple[_Node, list[_Node]]] = [(_Node(0, 0, 0, ""), [])]
    for event in yaml.parse(text, Loader=_Loader):
        start: Any = event.start_mark
        end: Any = event.end_mark
        if isinstance(event, yaml.CollectionStartEvent):
            sign = "{" if isinstance(event, yaml.MappingStartEvent) else "["
            node = _Node(start.index, 0, start.column, sign if event.flow_style else "")
            stack[-1][1].append(node)
            stack.append((node, []))
        elif isinstance(event, yaml.CollectionEndEvent):
            node, inside = stack.pop()
            if isinstance(event, yaml.MappingEndEvent):
                node.pairs = list(zip(inside[::2], inside[1::2], strict=True))
            else:
                node.items = inside
            # The end of a block is said where the next thing begins.
            node.end = end.index if node.style else inside[-1].end
        elif isinstance(event, yaml.ScalarEvent):
            stop, style = end.index, event.style or ""
            if style in ("|", ">"):  # its span takes in the blank lines behind it
                stop = start.index + len(text[start.index : stop].rstrip())
            stack[-1][1].append(_Node(start.index, stop, start.column, style, str(event.value)))
    return stack[0][1][0]


def _arranged(keys: Sequence[str], standing: Sequence[str], order: Sequence[str]) -> list[str]:
    """Keys in their order: those that stand stay, each other goes behind what comes before it in `order`."""
    made = list(standing)
    for key in sorted(set(keys) - set(standing), key=lambda k: order.index(k) if k in order else len(order)):
        before = order[: order.index(key)] if key in order else ()
        place = next((made.index(name) + 1 for name in reversed(before) if name in made), len(made))
        made.insert(place, key)
    return made


def _name(key: str, like: _Node | _Alike | None) -> str:
    """A key, quoted as its neighbours are."""
    quote = like.pairs[-1][0].style if like and like.pairs else ""
    return f"{quote}{key}{quote}" if quote in ("'", '"') else key


def _flow(value: Any, like: _Node | _Alike | None) -> str:
    """A value in one line, its scalars quoted as those of `like` are."""
    if isinstance(value, dict):
        parts = []
        for key, entry in value.items():
            found = like.get(key) if like else None
            parts.append(f"{_name(key, like)}: {_flow(entry, found[1] if found else None)}")
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        example = like.items[-1] if isinstance(like, _Node) and like.items else None
        return "[" + ", ".join(_flow(item, example) for item in value) + "]"
    return _scalar(value, like.style if like else "")


def _scalar(value: Any, style: str) -> str:
    """A scalar in one line, in quotes where it had them or needs them."""
    if not isinstance(value, str):
        return str(value)
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and _PLAIN.match(value) and value == value.strip() and value.lower() not in _WORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
