"""What can go wrong with the text of a register, and what a reader of YAML 1.2 makes of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode

from tests.support.broken.mutants import pick
from tests.support.broken.oracle import INVISIBLE

Text = str | bytes
TextChange = Callable[[str, int, int], Text]

# What people and programs put behind a colon.
SCALARS = (
    "yes", "no", "on", "off", "Yes", "NO", "y", "n", "true", "True", "TRUE", "null", "Null", "~", "",
    "03127", "0x1F", "0o17", "017", "0b101", "1_000", "1e3", "1.5", "1.", ".5", "-1", "+1", "-0", "00",
    ".inf", "-.INF", ".nan", "12:30", "12:30:45", "2025-06-30", "2025-06-30T10:00:00Z", "2025-06-30 10:00:00",
    "12345678901234567890", "=", "<<", "!!str 1", "!!int '1'", "!x y", "!!python/object/apply:os.system [id]",
    "&a 1", "*a", "&a [*a]", "| ", ">-", "'it''s'", '"\\u202e"', '"\\x41"', '"\\ud800"', '"a\\tb"', "'", '"',
    "{a: 1}", "[1, 2]", "[", "{", "]", "}", "{a: [b, {c: d}]}", "@a", "`a`", "%a", "a: b", "a #b", "#", "- a",
    "? a", "x" * 3_000, "1" * 18, "1" * 19, "{}", "[]", "{? a : b}", "{[a]: b}", "\u3000", "\u00a0", "’",
)  # fmt: skip
LETTERS = (
    "\0\x07\x0b\x0c\x1b\x7f\x85\u2028\u2029\u200b\u200e\u202e\u2066\ufeff\u00ad\ufffe\ue000\t\r"
    " \"'#:,[]{}&*!|>%@`-?ạ\u0323"
)
TCVN3 = {"ô": b"\xab", "ờ": b"\xea", "ư": b"\xad", "đ": b"\xae", "Đ": b"\xa7", "ộ": b"\xe9", "ã": b"\xb7"}


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _with_line(text: str, a: int, change: Callable[[str], str]) -> str:
    """One line changed, one that holds something."""
    lines = _lines(text)
    there = [number for number, line in enumerate(lines) if line.strip()]
    if there:
        lines[pick(there, a)] = change(lines[pick(there, a)])
    return "\n".join(lines)


def _value(text: str, a: int, value: str) -> str:
    """Another value behind a key in one line."""
    keyed = list(re.finditer(r"(?m)^([ -]*[a-z0-9_]+:)[^\n]*$", text))
    if not keyed:
        return text
    match = pick(keyed, a)
    return f"{text[: match.start()]}{match[1]} {value}{text[match.end() :]}"


def indent(text: str, a: int, b: int) -> Text:
    """A line stands farther in or out."""
    by = pick((1, 2, 3, 4, -1, -2, -4), b)
    return _with_line(text, a, lambda line: " " * by + line if by > 0 else line[-by:])


def tab(text: str, a: int, b: int) -> Text:
    """A tab in a line: before, inside, behind."""
    forms: tuple[Callable[[str], str], ...] = (
        lambda line: "\t" + line.lstrip(),
        lambda line: line.replace(": ", ":\t", 1),
        lambda line: line + "\t",
        lambda line: line.replace("  ", "\t", 1),
    )
    return _with_line(text, a, pick(forms, b))


def ends(text: str, a: int, b: int) -> Text:
    """Line ends of other systems, all of them or one."""
    end = pick(("\r\n", "\r", "\n\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\r\n"), b)
    if b % 2:
        return text.replace("\n", end)
    places = [match.start() for match in re.finditer("\n", text)]
    at = pick(places, a) if places else 0
    return text[:at] + end + text[at + 1 :]


def mark(text: str, a: int, b: int) -> Text:
    """Byte order marks and encodings of their kind."""
    forms: tuple[Text, ...] = (
        "\ufeff" + text,
        text + "\ufeff",
        text.encode("utf-16"),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        text.encode("utf-32"),
        b"\xef\xbb" + text.encode(),
        b"\xff\xfe" + text.encode(),
    )
    return pick(forms, a + b)


def old_encoding(text: str, a: int, b: int) -> Text:
    """Encodings of Vietnamese from before Unicode, and mishaps with UTF-8."""
    if b % 5 == 0:
        raw = b"".join(TCVN3.get(c, c.encode("ascii", "replace")) for c in text)
        return raw if raw != text.encode("ascii", "replace") else raw + b"\xab"
    if b % 5 == 1:
        return unicodedata.normalize("NFD", text).encode("cp1258", "replace") + b"\n# \xea\n"
    if b % 5 == 2:
        return text.encode().decode("latin-1").encode()
    raw = text.encode()
    at = a % (len(raw) + 1)
    stain = pick(
        (b"\xff", b"\x80", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"), b
    )
    return raw[:at] + stain + raw[at:]


def drop_line(text: str, a: int, b: int) -> Text:
    """Some lines are gone."""
    lines = _lines(text)
    at = a % len(lines)
    del lines[at : at + 1 + b % 3]
    return "\n".join(lines)


def copy_line(text: str, a: int, b: int) -> Text:
    """A line stands there twice, perhaps elsewhere."""
    lines = _lines(text)
    line = lines[a % len(lines)]
    lines.insert(a % len(lines) if b % 2 else b % (len(lines) + 1), line)
    return "\n".join(lines)


def swap_lines(text: str, a: int, b: int) -> Text:
    """Two lines stand in each other's place."""
    lines = _lines(text)
    one, other = a % len(lines), (a + 1 + b % 4) % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def cut(text: str, a: int, b: int) -> Text:
    """The file ends too early, perhaps within a character."""
    raw = text.encode()
    return raw[: a * 7919 % (len(raw) + 1)] if b % 2 else text[: a * 7919 % (len(text) + 1)]


def hole(text: str, a: int, b: int) -> Text:
    """Some characters are gone."""
    at = a * 7919 % (len(text) + 1)
    return text[:at] + text[at + 1 + b % 12 :]


def stain(text: str, a: int, b: int) -> Text:
    """A character too many, of those that are not seen or mean something."""
    at = a * 7919 % (len(text) + 1)
    return text[:at] + pick(LETTERS, b) + text[at:]


def other_letter(text: str, a: int, b: int) -> Text:
    """One character is another."""
    at = a * 7919 % max(1, len(text))
    return text[:at] + pick(LETTERS + "0aZ\u0430\u03bf\uff11", b) + text[at + 1 :]


def other_value(text: str, a: int, b: int) -> Text:
    """Anything behind a key."""
    return _value(text, a, pick(SCALARS, b))


def code_without_quotes(text: str, a: int, b: int) -> Text:
    """Codes as people type them."""
    codes = list(re.finditer(r'(?m)^    code: "([^"]*)"$', text))
    if not codes:
        return text
    match = pick(codes, a)
    forms = (match[1], f"'{match[1]}'", f'"{match[1]}" # code', f"0{match[1]}", f"!!str {match[1]}")
    return f"{text[: match.start()]}    code: {pick(forms, b)}{text[match.end() :]}"


def quotes(text: str, a: int, b: int) -> Text:
    """A value in other quotes or in a block: the same to every reader."""
    plain = list(re.finditer(r"(?m)^(    (?:name|kind|state|sphere|level_basis): )([^\"'\n]+)$", text))
    if not plain:
        return text
    match = pick(plain, a)
    forms = (
        '"{0}"',
        "'{0}'",
        "|-\n      {0}",
        ">-\n      {0}",
        "\n      {0}",
        "{0}  # so",
        "|\n      {0}",
        '"{0}',
    )
    return f"{text[: match.start()]}{match[1]}{pick(forms, b).format(match[2])}{text[match.end() :]}"


def anchor(text: str, a: int, b: int) -> Text:
    """Anchors, aliases, merges: names for what shall be written out."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: _with_line(text, a, lambda line: re.sub(r": (?=\S)", ": &a ", line, count=1)),
        lambda: _value(text, a, "*a"),
        lambda: text + "more: &a [x]\nagain: *a\n",
        lambda: text.replace("units:\n", "units: &all\n", 1),
        lambda: re.sub(r"(?m)^(    wave: )", r"    <<: {level: 1}\n\1", text, count=1),
        lambda: text.replace("  - id", "  - &u id", 1),
        lambda: "&a " + text,
    )
    return pick(forms, b)()


def tag(text: str, a: int, b: int) -> Text:
    """Tags: orders to the reader."""
    tags = ("!!str", "!!int", "!!python/name:os.system", "!u", "!<tag:x>", "!!binary", "!!set", "!!omap", "!")
    return _with_line(text, a, lambda line: re.sub(r": (?=\S)|:$", f": {pick(tags, b)} ", line, count=1))


def documents(text: str, a: int, b: int) -> Text:
    """Marks of documents, and what follows them."""
    forms = (
        "---\n{0}", "{0}---\n", "{0}...\n", "{0}---\nunits: []\n", "%YAML 1.1\n---\n{0}",
        "%YAML 1.2\n---\n{0}", "---\n---\n{0}", "{0}...\nunits: []\n", "%TAG ! tag:x,2025:\n---\n{0}",
        "--- {0}", "{0}\n# Hết\n", "\n\n{0}",
    )  # fmt: skip
    return pick(forms, a + b).replace("{0}", text)


def twice(text: str, a: int, b: int) -> Text:
    """A key stands there twice."""
    if b % 3 == 0:
        return text + pick(("units: []\n", "id: x\n", '"units": []\n', "'id': y\n"), a)
    fields = list(re.finditer(r"(?m)^    ([a-z0-9_]+): .*\n", text))
    if not fields:
        return text
    match = pick(fields, a)
    again = pick((match[0], f"    {match[1]}: x\n", f'    "{match[1]}": 1\n'), b)
    return text[: match.end()] + again + text[match.end() :]


def other_key(text: str, a: int, b: int) -> Text:
    """A key is written otherwise, or is no text."""
    fields = list(re.finditer(r"(?m)^( *(?:- )?)([a-z0-9_]+):", text))
    if not fields:
        return text
    match = pick(fields, a)
    forms = (
        match[2].upper(), f'"{match[2]}"', f"'{match[2]}'", f"{match[2]} ", f"? {match[2]}\n  ", "1", "null",
        "~", "[a]", "{a: b}", "", f"{match[2]}\u200b", match[2].replace("e", "е") + "е", f"!!str {match[2]}",
        "<<", "true", "2025-06-30",
    )  # fmt: skip
    return f"{text[: match.start()]}{match[1]}{pick(forms, b)}:{text[match.end() :]}"


def remark(text: str, a: int, b: int) -> Text:
    """Remarks: nobody reads them, whatever they say, as long as they can be seen."""
    remarks = (
        "# {{ a }}",
        "#",
        "# &a *b !c",
        "# \u202e",
        "    # đổi tên",
        "#\t",
        "# " + "x" * 3_000,
        "\t# a",
        "# \u00a0",
    )
    lines = _lines(text)
    lines.insert(a % (len(lines) + 1), pick(remarks, b))
    return "\n".join(lines)


def blank(text: str, a: int, b: int) -> Text:
    """Blank lines, spaces at ends of lines, no line end at the end: nothing."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: text.rstrip("\n"),
        lambda: text + "\n\n\n",
        lambda: _with_line(text, a, lambda line: line + "   "),
        lambda: text.replace("\n", "\n\n"),
        lambda: text.replace(": ", ":   "),
        lambda: text.replace(", ", " , "),
        lambda: "\n" + text,
    )
    return pick(forms, b)()


def nesting(text: str, a: int, b: int) -> Text:
    """Far too many levels, or nearly."""
    depth = pick((3, 15, 19, 20, 21, 25, 200, 1_000), b)
    if a % 2:
        return _value(text, a, "[" * depth + "]" * depth)
    return text + "deep:\n" + "".join(f"{' ' * (level + 1)}a:\n" for level in range(depth))


def nothing(text: str, a: int, b: int) -> Text:
    """A file of nothing, or of nothing to read."""
    forms = (
        "",
        "\n",
        " ",
        "# nothing\n",
        "---\n",
        "null\n",
        "units\n",
        "42\n",
        "[]\n",
        "{}\n",
        "units:\n",
        "- a\n",
        "...\n",
    )
    return pick((*forms, "\t\n", "\n" * 50, '""\n', "units: {}\n", text[:0]), a + b)


def whole_record(text: str, a: int, b: int) -> Text:
    """A whole record stands there again, farther in, or in pieces."""
    head, *records = re.split(r"(?m)^(?=  - id: )", text)
    if not records:
        return text
    record = pick(records, a)
    forms = (
        [*records, record],
        [r for r in records if r is not record],
        [r if r is not record else re.sub("(?m)^", "  ", r) for r in records],
        [r if r is not record else r.replace("  - id", "    id") for r in records],
        [r if r is not record else r.replace("\n    ", "\n  ") for r in records],
        records[::-1],
        [r if r is not record else r.replace("  - ", "  -\n    ", 1) for r in records],
    )
    return head + "".join(pick(forms, b))


_TEXTS: tuple[TextChange, ...] = (
    indent, tab, ends, mark, old_encoding, drop_line, copy_line, swap_lines, cut, hole, stain, other_letter,
    other_value, code_without_quotes, quotes, anchor, tag, documents, twice, other_key, remark, blank,
    nesting, nothing, whole_record,
)  # fmt: skip
TEXTS = {change.__name__: change for change in _TEXTS}


# --- the other reader --------------------------------------------------------------------------------

DEEPEST = 20
# Read as text by some readers and as a number or a time by others.
TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp")
RESOLVE: Callable[..., Any] = YAML(typ="safe", pure=True).resolver.resolve
DOUBTFUL = re.compile(r"[-+0-9._:eExob]*[0-9][-+0-9._:eExobA-Fa-f]*|=")


class NotReadError(Exception):
    """The other reader does not read a text, or reads what our files must not hold; says why."""


def reference(raw: bytes) -> Any:
    """What a reader of YAML 1.2 finds in a file. Raises NotReadError where our dialect is left.

    Days without quotes are given as text.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotReadError("encoding") from error
    for char in text:
        if char != "\n" and unicodedata.category(char) in INVISIBLE:
            raise NotReadError("invisible")
    text = _ended_once(text)
    try:
        depth = 0
        for event in YAML(typ="safe", pure=True).parse(StringIO(text)):
            depth += {"MappingStart": 1, "SequenceStart": 1, "MappingEnd": -1, "SequenceEnd": -1}.get(
                type(event).__name__.removesuffix("Event"), 0
            )
            if depth > DEEPEST:
                raise NotReadError("depth")
            if getattr(event, "anchor", None):
                raise NotReadError("anchor")
            if getattr(event, "tag", None):
                raise NotReadError("tag")
        return _without_dates(YAML(typ="safe", pure=True).load(text))
    except NotReadError:
        raise
    except (YAMLError, ValueError, TypeError, RecursionError, AttributeError, KeyError) as error:
        raise NotReadError(type(error).__name__) from error


def _ended_once(text: str) -> str:
    """YAML 1.2 (9.2) lets an end of a document stand twice, as libyaml does; this reader does not."""
    return re.sub(r"(?m)(^\.\.\.\n)(?:\.\.\.\n)+", r"\1", text)


def _without_dates(value: Any) -> Any:
    if isinstance(value, datetime):
        raise NotReadError("time")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotReadError("key")
        return {key: _without_dates(entry) for key, entry in value.items()}
    return [_without_dates(entry) for entry in value] if isinstance(value, list) else value


def doubtful(raw: bytes) -> str:
    """Whether an unquoted scalar is a number, a truth or nothing in a form that readers do not agree on.

    "must" where the other reader takes it for no text, "may" where only older ones would.
    """
    doubt = ""
    for event in YAML(typ="safe", pure=True).parse(StringIO(_ended_once(raw.decode()))):
        if type(event).__name__ != "ScalarEvent" or event.style or not event.implicit[0]:
            continue
        text = event.value
        if re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})|[-+]?[0-9]+\.[0-9]+|~|null|true|false|", text):
            continue
        if str(RESOLVE(ScalarNode, text, (True, False))) not in TEXT_TAGS:
            return "must"
        if DOUBTFUL.fullmatch(text):
            doubt = "may"
    return doubt
