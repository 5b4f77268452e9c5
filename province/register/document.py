"""Reads one YAML file into plain data that remembers its lines; everything doubtful is a Problem.

The dialect is small on purpose: UTF-8 without byte order mark, LF, one document, YAML 1.2 scalars,
no anchors or aliases (an alias bomb needs them, a register does not), no duplicate keys, no tags.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml

from province.problems import Problem

Path_ = tuple[str | int, ...]

# 3,321 communes with every field take about 1.5 MB and 80,000 values.
MAXIMUM_BYTES = 16 * 1024 * 1024
MAXIMUM_VALUES = 500_000
MAXIMUM_DEPTH = 20
# Who is shown so many corrects them first. Beyond, saying what is wrong could take longer than anything else.
MAXIMUM_PROBLEMS = 100
MAXIMUM_HINTS = 20

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+\Z")
# Unquoted, some reader of YAML takes these for a number, a time, a truth or nothing, and we do not.
_DOUBTFUL = re.compile(
    r"[-+]?(0[xob][0-9A-Fa-f_]+|[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
    r"|(Null|NULL|True|TRUE|False|FALSE|=|<<)\Z"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9].*\Z"
)
# Unicode categories that never belong in a name: controls, format characters (bidi overrides,
# zero-width), surrogates, private use, unassigned.
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
# Plain scalars that begin otherwise are texts: what `_plain` and `_DOUBTFUL` are about.
_MEANINGS_BEGIN = frozenset(["", *"+-0123456789.=<~ntfNTF"])


class Lines:
    """Where the parts of a collection stand: `own` by key or position; `inner` are those of collections."""

    __slots__ = ("inner", "own")

    def __init__(self) -> None:
        self.own: dict[str | int, int] = {}
        self.inner: dict[str | int, Lines] = {}


@dataclass(slots=True)
class Document:
    """The data of a file and where each part of it stands.

    `data` is None when the file could not be read at all; `problems` then says why. `family` is the
    first part of its problems' codes: REG, CAT or ENV. `first_line` and `lines` are where the whole and its
    parts stand, `last_line` is where the text ends; 0 without one.
    """

    file: str
    family: str
    data: Any = None
    first_line: int = 0
    last_line: int = 0
    lines: Lines | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether more problems would not be noted."""
        return len(self.problems) > MAXIMUM_PROBLEMS

    def line(self, path: Path_) -> int:
        """The line of a place, or of the nearest thing around it."""
        line, here = self.first_line, self.lines
        for part in path:
            if here is None or part not in here.own:
                break
            line, here = here.own[part], here.inner.get(part)
        return line

    def near(self, word: str, words: Iterable[str]) -> str:
        """`near`, for the first problems alone: among thousands of words a hint takes as long as a check."""
        return near(word, list(words)) if len(self.problems) < MAXIMUM_HINTS else ""

    def problem(self, code: str, path: Path_, found: str, wanted: str, remedy: str, line: int = 0) -> None:
        """Note a problem; `code` is the three digits. One beyond `MAXIMUM_PROBLEMS` says: there are more."""
        if self.full:
            return
        line = line or self.line(path)
        if self.last_line:  # what is missing at the end of a file is found behind its last line
            line = min(line, self.last_line)
        if len(self.problems) == MAXIMUM_PROBLEMS:
            code, path = "006", ()
            found, wanted = f"more than {MAXIMUM_PROBLEMS} problems in the file", "none"
            remedy = "Correct these first; then the others are said."
        self.problems.append(
            Problem(
                code=f"{self.family}-{code}",
                file=self.file,
                line=line,
                path=dotted(path),
                found=found,
                wanted=wanted,
                remedy=remedy,
            )
        )


def dotted(path: Path_) -> str:
    """`("units", 17, "index")` as people write it: `units[17].index`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(value: object) -> str:
    """A value as a message quotes it: short, printable, one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = str(value)
    text = text if len(text) <= 80 else text[:77] + "..."
    text = "".join(c if unicodedata.category(c) not in _FORBIDDEN else f"<U+{ord(c):04X}>" for c in text)
    return f"'{text}'" if isinstance(value, str) else text


def near(word: str, words: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """The most similar of some words as a hint, or nothing."""
    found = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"Did you mean '{found[0]}'? " if found else ""


def read_document(path: Path, file: str, family: str) -> Document:
    """Read a file. `file` is how messages call it. Never raises for what the file holds."""
    document = Document(file=file, family=family)
    text = _text(path, document)
    if text is None:
        return document
    # Of a file that says nothing, or not what is wanted, the first line is named.
    document.first_line = 1 if text else 0
    document.last_line = text.count("\n") + (not text.endswith("\n")) if text else 0
    try:
        _Builder(document).build(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = " ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", None))))
        document.problem(
            "003",
            (),
            f"no YAML: {words or type(error).__name__}",
            "a YAML document",
            "Correct the line; often it is indentation, or a colon inside an unquoted text.",
            line=mark.line + 1 if mark else 0,
        )
    except _StopError:
        pass
    if document.problems:
        document.data = None
    return document


def _text(path: Path, document: Document) -> str | None:
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            document.problem(
                "006",
                (),
                f"{path.stat().st_size} bytes",
                f"at most {MAXIMUM_BYTES} bytes",
                "Split the file.",
            )
            return None
        if path.exists() and not (path.is_file() or path.is_dir()):
            # A pipe would be waited for, and some devices never end.
            document.problem("001", (), "no regular file", "a YAML file", "Put a file there.")
            return None
        with path.open("rb") as file:
            raw = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        document.problem(
            "001",
            (),
            f"no file that can be read ({(error.strerror or 'error').lower()})",
            "a YAML file",
            "Create it, or correct the name or its permissions.",
        )
        return None
    if len(raw) > MAXIMUM_BYTES:  # its size was not yet that, or it has none
        document.problem(
            "006", (), f"more than {MAXIMUM_BYTES} bytes", f"at most {MAXIMUM_BYTES} bytes", "Split the file."
        )
        return None
    if raw.startswith(b"\xef\xbb\xbf"):
        document.problem(
            "008", (), "a byte order mark", "UTF-8 without one", "Save the file as plain UTF-8.", line=1
        )
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        document.problem(
            "002",
            (),
            f"the byte 0x{raw[error.start]:02x}, which is not UTF-8",
            "UTF-8",
            "Save the file as UTF-8; old Vietnamese encodings (TCVN3, VNI) must be converted.",
            line=line,
        )
        return None
    if "\r" in text:
        document.problem(
            "008",
            (),
            "a carriage return (CRLF line ends)",
            "lines that end in LF",
            "Convert the line ends (dos2unix).",
            line=text.count("\n", 0, text.index("\r")) + 1,
        )
        return None
    for number, words in enumerate(text.split("\n"), start=1):
        # What is printable has nothing forbidden; what is not may still be a space of another kind.
        for char in "" if words.isprintable() else words:
            if unicodedata.category(char) in _FORBIDDEN:
                tab = char == "\t"
                document.problem(
                    "007",
                    (),
                    "a tab" if tab else f"the invisible character U+{ord(char):04X}",
                    "visible characters and spaces",
                    "Indent with spaces; editors can be set so."
                    if tab
                    else "Delete it; control and direction characters make a text look like another.",
                    line=number,
                )
                return None
    return text


class _StopError(Exception):
    """The document goes beyond a bound; its problem is noted."""


class _Open:
    """A collection that is being read: its data, whether it is a mapping, and its lines."""

    __slots__ = ("data", "key", "lines", "mapping", "own")

    def __init__(self, data: Any, mapping: bool) -> None:
        self.data = data
        self.mapping = mapping
        self.key: str | None = None  # of a mapping, while it waits for its value
        self.lines = Lines()
        self.own = self.lines.own


class _Builder:
    """Turns parser events into data without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.around: list[_Open] = []
        # The way to the open collection: keys and positions.
        self.trail: list[str | int] = []
        self.values = 0

    def build(self, text: str) -> None:
        """Fill the document's data and lines."""
        here: _Open | None = None
        documents = 0
        scalar = yaml.ScalarEvent
        loader = _Loader(text)
        try:
            # Thousands of units are 150,000 events, nearly all of them scalars with nothing special.
            for event in iter(loader.get_event, None):
                kind = event.__class__
                line = event.start_mark.line + 1
                if kind is scalar:
                    if event.anchor or event.tag:
                        self._refuse(event, line)
                    value = event.value
                    if not value.isprintable():
                        self._visible(value, event.style, line)
                    if here is not None and here.mapping and here.key is None:
                        if value in here.own or "{" in value or value == "<<":
                            self._odd_key(here, value, event.style, line)
                        here.key = value
                        # The place is known from its key on, for values that turn out to be missing.
                        here.own[value] = line
                    elif value[:1] not in _MEANINGS_BEGIN or event.style:
                        self._place(here, value, line)
                    else:
                        place = self._place(here, _plain(value), line)
                        if _DOUBTFUL.match(value):
                            self._doubt(here, place, line)
                elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                    if event.anchor or event.tag:
                        self._refuse(event, line)
                    here = self._open(here, kind is yaml.MappingStartEvent, line)
                elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                    here = self._close()
                elif kind is yaml.AliasEvent:
                    self._refuse(event, line)
                elif kind is yaml.DocumentStartEvent:
                    documents += 1
                    if documents > 1:
                        self._stop("003", "a second document (---)", "one document", "Remove the line.", line)
        finally:
            loader.dispose()

    def _refuse(self, event: Any, line: int) -> NoReturn:
        if event.anchor:
            self._stop(
                "005",
                "an anchor or alias (& or *)",
                "plain values",
                "Write the value out; quote a text that begins with & or *.",
                line,
            )
        self._stop("003", f"the tag {event.tag}", "values without tags", "Remove the tag.", line)

    def _visible(self, value: str, style: str | None, line: int) -> None:
        """Refuse what an escape brings in: the file itself was searched before it was parsed."""
        lines_end = {"\n"} if style in ("|", ">") else set()
        for char in set(value) - lines_end:
            if unicodedata.category(char) in _FORBIDDEN:
                self._stop(
                    "007",
                    f"the invisible character U+{ord(char):04X} (escaped)",
                    "visible characters and spaces",
                    "Delete it; control and direction characters make a text look like another.",
                    line,
                )

    def _stop(self, code: str, found: str, wanted: str, remedy: str, line: int) -> NoReturn:
        self.document.problem(code, tuple(self.trail), found, wanted, remedy, line=line)
        raise _StopError

    def _open(self, around: _Open | None, mapping: bool, line: int) -> _Open:
        if len(self.around) >= MAXIMUM_DEPTH:
            self._stop(
                "006",
                f"more than {MAXIMUM_DEPTH} levels",
                f"at most {MAXIMUM_DEPTH}",
                "Correct the nesting.",
                line,
            )
        here = _Open({} if mapping else [], mapping)
        place = self._place(around, here.data, line)
        if around is None:
            self.document.lines = here.lines
        else:
            around.lines.inner[place] = here.lines
            self.trail.append(place)
        self.around.append(here)
        return here

    def _close(self) -> _Open | None:
        self.around.pop()
        if not self.around:
            return None
        self.trail.pop()
        return self.around[-1]

    def _odd_key(self, here: _Open, key: str, style: str | None, line: int) -> None:
        """Refuse a key that is there already, merges mappings or looks like a template."""
        if key == "<<" and not style:
            self._stop("003", "a merge of mappings (<<)", "plain fields", "Write the fields out.", line)
        if key in here.own:
            self.document.problem(
                "004",
                (*self.trail, key),
                f"the key '{key}' twice, first in line {here.own[key]}",
                "each key once",
                "Remove one of the two.",
                line=line,
            )
        self._braces(key, (*self.trail, key), line)

    def _place(self, here: _Open | None, value: Any, line: int) -> str | int:
        """Put a value where it belongs; its key or position there."""
        self.values += 1
        if self.values > MAXIMUM_VALUES:
            self._stop(
                "006",
                f"more than {MAXIMUM_VALUES} values",
                f"at most {MAXIMUM_VALUES}",
                "Split the file.",
                line,
            )
        place: str | int
        if here is None:
            place = ""
            self.document.data = value
            self.document.first_line = line
        elif here.mapping:
            if here.key is None:  # a collection as a key
                self._stop("003", "a list or mapping as a key", "text as a key", "Correct the line.", line)
            place, here.key = here.key, None
            here.data[place] = value
            here.own[place] = line
        else:
            place = len(here.data)
            here.data.append(value)
            here.own[place] = line
        if value.__class__ is str and "{" in value:
            self._braces(value, (*self.trail, place) if here else (), line)
        return place

    def _doubt(self, here: _Open | None, place: str | int, line: int) -> None:
        """Refuse what others read otherwise, where we did not take it for a number either."""
        value = here.data[place] if here else self.document.data
        if isinstance(value, str):
            self.document.problem(
                "019",
                (*self.trail, place) if here else (),
                f"{shown(value)} without quotes, which not every reader of YAML takes for the same",
                "a text in quotes, or a number as it is usually written",
                "Put it in quotes if it is a text, such as a code with a zero in front.",
                line=line,
            )

    def _braces(self, text: str, path: Path_, line: int) -> None:
        """Refuse what a template engine would take for its own, wherever the text comes to stand."""
        if "{{" in text or "{%" in text or "{#" in text:
            self.document.problem(
                "009",
                path,
                f"template braces in {shown(text)}",
                "plain text",
                "Remove the braces; values are never templates.",
                line=line,
            )


def _plain(text: str) -> Any:
    """An unquoted scalar: YAML 1.2 core, so that `no` is a word and 03127 keeps its zero."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text) and len(text) <= 18:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def is_nfc(text: str) -> bool:
    """Whether a text is in the normal form that keyboards for Vietnamese produce today."""
    return unicodedata.is_normalized("NFC", text)
