"""Reads one YAML file into plain data that remembers its lines; everything doubtful is a Problem.

The dialect is small on purpose: UTF-8 without byte order mark, LF, one document, YAML 1.2 scalars,
no anchors or aliases (an alias bomb needs them, a register does not), no duplicate keys, no tags.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from province.problems import Problem

Path_ = tuple[str | int, ...]

# 3,321 communes with every field take about 1.5 MB.
MAXIMUM_BYTES = 16 * 1024 * 1024
MAXIMUM_DEPTH = 20

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+\Z")
# Unquoted, some reader of YAML takes these for a number, a time, a truth or nothing, and we do not.
_DOUBTFUL = re.compile(
    r"[-+]?(0[xob][0-9A-Fa-f_]+|[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
    r"|(Null|NULL|True|TRUE|False|FALSE|=)\Z"
)
# Unicode categories that never belong in a name: controls, format characters (bidi overrides,
# zero-width), surrogates, private use, unassigned.
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """The data of a file and where each part of it stands.

    `data` is None when the file could not be read at all; `problems` then says why. `family` is the
    first part of its problems' codes: REG, CAT or ENV.
    """

    file: str
    family: str
    data: Any = None
    lines: dict[Path_, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path_) -> int:
        """The line of a place, or of the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 0)

    def problem(self, code: str, path: Path_, found: str, wanted: str, remedy: str, line: int = 0) -> None:
        """Note a problem; `code` is the three digits."""
        self.problems.append(
            Problem(
                code=f"{self.family}-{code}",
                file=self.file,
                line=line or self.line(path),
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
        raw = path.read_bytes()
    except OSError as error:
        document.problem(
            "001",
            (),
            f"no file that can be read ({(error.strerror or 'error').lower()})",
            "a YAML file",
            "Create it, or correct the name or its permissions.",
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
        for char in words:
            if unicodedata.category(char) in _FORBIDDEN:
                document.problem(
                    "007",
                    (),
                    f"the invisible character U+{ord(char):04X}",
                    "visible characters and spaces",
                    "Delete it; control and direction characters make a text look like another.",
                    line=number,
                )
                return None
    return text


class _StopError(Exception):
    """The document goes beyond a bound; its problem is noted."""


class _Builder:
    """Turns parser events into data without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, document: Document) -> None:
        self.document = document
        # Open collections: (path, container, key waiting for its value).
        self.stack: list[tuple[Path_, Any]] = []
        self.keys: list[str | None] = []

    def build(self, text: str) -> None:
        """Fill the document's data and lines."""
        documents = 0
        for event in yaml.parse(text, Loader=_Loader):
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop("003", "a second document (---)", "one document", "Remove the line.", line)
            elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                self._stop(
                    "005",
                    "an anchor or alias (& or *)",
                    "plain values",
                    "Write the value out; quote a text that begins with & or *.",
                    line,
                )
            elif isinstance(event, yaml.CollectionStartEvent):
                if event.tag:
                    self._stop("003", f"the tag {event.tag}", "values without tags", "Remove the tag.", line)
                self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
                self.keys.pop()
            elif isinstance(event, yaml.ScalarEvent):
                if event.tag:
                    self._stop("003", f"the tag {event.tag}", "values without tags", "Remove the tag.", line)
                self._visible(event, line)
                self._scalar(event, line)

    def _visible(self, event: Any, line: int) -> None:
        """Refuse what an escape brings in: the file itself was searched before it was parsed."""
        lines_end = {"\n"} if event.style in ("|", ">") else set()
        for char in set(str(event.value)) - lines_end:
            if unicodedata.category(char) in _FORBIDDEN:
                self._stop(
                    "007",
                    f"the invisible character U+{ord(char):04X} (escaped)",
                    "visible characters and spaces",
                    "Delete it; control and direction characters make a text look like another.",
                    line,
                )

    def _stop(self, code: str, found: str, wanted: str, remedy: str, line: int) -> None:
        path = self.stack[-1][0] if self.stack else ()
        self.document.problem(code, path, found, wanted, remedy, line=line)
        raise _StopError

    def _open(self, container: Any, line: int) -> None:
        if len(self.stack) >= MAXIMUM_DEPTH:
            self._stop(
                "006",
                f"more than {MAXIMUM_DEPTH} levels",
                f"at most {MAXIMUM_DEPTH}",
                "Correct the nesting.",
                line,
            )
        path = self._place(container, line)
        self.stack.append((path, container))
        self.keys.append(None)

    def _scalar(self, event: Any, line: int) -> None:
        if self.stack and isinstance(self.stack[-1][1], dict) and self.keys[-1] is None:
            path, container = self.stack[-1]
            key = str(event.value)
            if key == "<<" and not event.style:
                self._stop("003", "a merge of mappings (<<)", "plain fields", "Write the fields out.", line)
            if key in container:
                first = self.document.lines[(*path, key)]
                self.document.problem(
                    "004",
                    (*path, key),
                    f"the key '{key}' twice, first in line {first}",
                    "each key once",
                    "Remove one of the two.",
                    line=line,
                )
            self.keys[-1] = key
            self._braces(key, (*path, key), line)
            # The place is known from its key on, for values that turn out to be missing.
            self.document.lines[(*path, key)] = line
            return
        value = str(event.value) if event.style in ("'", '"', "|", ">") else _plain(str(event.value))
        path = self._place(value, line)
        if isinstance(value, str) and event.style not in ("'", '"', "|", ">") and _DOUBTFUL.match(value):
            self.document.problem(
                "019",
                path,
                f"{shown(value)} without quotes, which not every reader of YAML takes for the same",
                "a text in quotes, or a number as it is usually written",
                "Put it in quotes if it is a text, such as a code with a zero in front.",
                line=line,
            )
        if isinstance(value, str):
            self._braces(value, path, line)

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

    def _place(self, value: Any, line: int) -> Path_:
        if not self.stack:
            self.document.data = value
            self.document.lines[()] = line
            return ()
        path, container = self.stack[-1]
        if isinstance(container, list):
            here: Path_ = (*path, len(container))
            container.append(value)
        else:
            key = self.keys[-1]
            if key is None:  # a collection as a key
                self._stop("003", "a list or mapping as a key", "text as a key", "Correct the line.", line)
            here = (*path, str(key))
            container[key] = value
            self.keys[-1] = None
        self.document.lines[here] = line
        return here


def _plain(text: str) -> Any:
    """An unquoted scalar: YAML 1.2 core, so that `no` is a word and 03127 keeps its zero."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text) and len(text) <= 18:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def is_nfc(text: str) -> bool:
    """Whether a text is in the normal form that keyboards for Vietnamese produce today."""
    return unicodedata.is_normalized("NFC", text)
