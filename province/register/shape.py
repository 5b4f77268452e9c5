"""What a file may hold, said once: the check of values and the published JSON schema come from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Protocol

from province.register.document import Document, Path_, is_nfc, near, shown

WRONG_TYPE = "012"
BAD_VALUE = "013"
BAD_CHARACTER = "017"
NO_DATE = "018"


# Of no use for an interface (RFC 6890): this network, loopback, link-local, multicast, reserved.
_NO_HOSTS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/8",
        "fe80::/10",
        "ff00::/8",
    )
)


Test = Callable[[Any], bool]


def sound(shape: Shape) -> Test:
    """A test that says true of nothing that `check` refuses, and of nearly all that it takes: much faster.

    It knows no words. A register of thousands of units is checked by it alone; where it says no, `check`
    says what is wrong. Shapes without one of their own are tested by their check.
    """
    own: Test | None = getattr(shape, "sound", None)
    if own:
        return own

    def unsaid(value: Any) -> bool:
        document = Document(file="", family="")
        shape.check(document, (), value)
        return not document.problems

    return unsaid


class Shape(Protocol):
    """A kind of value."""

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Note in the document what is wrong with a value."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, in NFC; `pattern` holds for the whole of it, `words` says it in English.

    `characters` are all it may hold, as the inside of a regular expression's brackets; `characters_words`
    says them in English.
    """

    words: str = "text"
    pattern: str = ""
    characters: str = ""
    characters_words: str = ""
    maximum: int = 200
    sound: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        maximum = self.maximum
        form = re.compile(self.pattern).fullmatch if self.pattern else None
        letters = re.compile(f"[{self.characters}]*").fullmatch if self.characters else None

        def sound(value: Any) -> bool:
            return (
                value.__class__ is str
                and 0 < len(value) <= maximum
                and (value.isascii() or is_nfc(value))
                and (letters is None or letters(value) is not None)
                and (form is None or form(value) is not None)
                and "\n" not in value
                and value == value.strip()
            )

        object.__setattr__(self, "sound", sound)

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type, normal form, length, pattern."""
        if not isinstance(value, str):
            quoted = " Quote it." if isinstance(value, int | float) else ""
            document.problem(WRONG_TYPE, path, shown(value), self.words, f"Write {self.words}.{quoted}")
        elif not is_nfc(value):
            document.problem(
                "014",
                path,
                f"decomposed letters (not NFC) in {shown(value)}",
                "text in Unicode NFC",
                "Type it again with a Vietnamese keyboard, or convert it (uconv -x NFC).",
            )
        elif not value.strip() or len(value) > self.maximum or value != value.strip():
            document.problem(
                BAD_VALUE,
                path,
                shown(value),
                f"{self.words}, 1 to {self.maximum} characters without spaces around",
                "Correct the value.",
            )
        elif "\n" in value:
            document.problem(
                BAD_VALUE, path, shown(value), f"{self.words}, in one line", "Write it in one line."
            )
        elif self.characters and (strange := re.search(f"[^{self.characters}]", value)):
            name = f"U+{ord(strange[0]):04X} ({unicodedata.name(strange[0], 'without a name').lower()})"
            document.problem(
                BAD_CHARACTER,
                path,
                f"the character {name} in {shown(value)}",
                self.characters_words,
                f"Delete {name}, or type the letter or sign that is meant.",
            )
        elif self.pattern and not re.fullmatch(self.pattern, value):
            document.problem(BAD_VALUE, path, shown(value), self.words, "Correct the value.")

    def schema(self) -> dict[str, Any]:
        """A string."""
        whole = self.pattern or (f"[{self.characters}]*" if self.characters else "")
        pattern = {"pattern": f"^(?:{whole})$"} if whole else {}
        return {"type": "string", "minLength": 1, "maxLength": self.maximum, **pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A whole number within bounds; `unit` for messages ("Mbit/s")."""

    minimum: int
    maximum: int
    unit: str = ""
    sound: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        minimum, maximum = self.minimum, self.maximum
        object.__setattr__(
            self, "sound", lambda value: value.__class__ is int and minimum <= value <= maximum
        )

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type and bounds."""
        wanted = f"a whole number from {self.minimum} to {self.maximum} {self.unit}".strip()
        if not isinstance(value, int) or isinstance(value, bool):
            document.problem(WRONG_TYPE, path, shown(value), wanted, "Write a number without quotes.")
        elif not self.minimum <= value <= self.maximum:
            document.problem(BAD_VALUE, path, shown(value), wanted, "Correct the number.")

    def schema(self) -> dict[str, Any]:
        """An integer."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """The type."""
        if not isinstance(value, bool):
            document.problem(WRONG_TYPE, path, shown(value), "true or false", "Write true or false.")

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar as text, YYYY-MM-DD."""

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type, form, and that there is such a day."""
        wanted = "a day as YYYY-MM-DD, such as 2025-07-01"
        if not isinstance(value, str):
            document.problem(WRONG_TYPE, path, shown(value), wanted, "Write the day.")
            return
        try:
            # fromisoformat alone takes other forms too, such as 20250701 and 2025-W27-2.
            sound = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) and date.fromisoformat(value)
        except ValueError:
            sound = None
        if not sound:
            document.problem(NO_DATE, path, shown(value), wanted, "Write a day that the calendar has.")

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    values: tuple[str, ...]
    sound: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = frozenset(self.values)
        object.__setattr__(self, "sound", lambda value: value.__class__ is str and value in known)

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Membership."""
        if value not in self.values:
            document.problem(
                BAD_VALUE,
                path,
                shown(value),
                "one of " + ", ".join(self.values),
                near(str(value), self.values) + "Choose one of them.",
            )

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An IP network in CIDR form without host bits; `host_bits` allows an address with its length."""

    family: int
    longest: int

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Syntax, family, host bits, length."""
        wanted = f"an IPv{self.family} network such as " + (
            "10.64.0.0/12" if self.family == 4 else "fd12:3456:7800::/48"
        )
        if not isinstance(value, str):
            document.problem(WRONG_TYPE, path, shown(value), wanted, "Write the network as text.")
            return
        try:
            # Both classes read more than CIDR: masks, zones (%eth0), capital letters.
            if not re.fullmatch(self._pattern, value):
                raise ValueError
            network = IPv4Network(value) if self.family == 4 else IPv6Network(value)
        except ValueError as error:
            words = str(error).split(": ")[-1] if "host bits" in str(error) else ""
            remedy = (
                "Clear the bits behind the prefix length." if "host bits" in str(error) else "Correct it."
            )
            document.problem(BAD_VALUE, path, shown(value) + (f" ({words})" if words else ""), wanted, remedy)
            return
        if network.prefixlen > self.longest:
            document.problem(
                BAD_VALUE, path, shown(value), f"{wanted}, /{self.longest} or shorter", "Correct the length."
            )
        elif any(network.overlaps(special) for special in _NO_HOSTS if special.version == self.family):
            document.problem(
                BAD_VALUE,
                path,
                shown(value),
                f"{wanted}, of addresses that machines may have",
                "Choose another network; loopback, link-local, multicast and reserved ones are nobody's.",
            )

    def schema(self) -> dict[str, Any]:
        """A string; what a pattern cannot say is checked by the command."""
        return {"type": "string", "pattern": f"^{self._pattern}$"}

    @property
    def _pattern(self) -> str:
        return r"[0-9.]+/[0-9]+" if self.family == 4 else r"[0-9a-f:]+/[0-9]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of one shape."""

    item: Shape
    minimum: int = 0
    maximum: int = 100_000
    unique: bool = False
    sound: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        minimum, maximum, unique, of_item = self.minimum, self.maximum, self.unique, sound(self.item)

        def test(value: Any) -> bool:
            return (
                value.__class__ is list
                and minimum <= len(value) <= maximum
                and all(map(of_item, value))
                and (not unique or len(set(map(repr, value))) == len(value))
            )

        object.__setattr__(self, "sound", test)

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type, number, each item."""
        if not isinstance(value, list):
            document.problem(
                WRONG_TYPE, path, shown(value), "a list", "Write a list, one `- ` for each entry."
            )
            return
        if not self.minimum <= len(value) <= self.maximum:
            document.problem(
                BAD_VALUE,
                path,
                f"a list of {len(value)}",
                f"{self.minimum} to {self.maximum} entries",
                "Add or remove entries.",
            )
            if len(value) > self.maximum:
                return  # what is wrong with so many would take long to say
        seen: set[str] = set()
        of_item = sound(self.item)
        for number, item in enumerate(value):
            if document.full:
                return
            if not of_item(item):
                self.item.check(document, (*path, number), item)
            if self.unique and repr(item) in seen:
                document.problem(
                    BAD_VALUE,
                    (*path, number),
                    f"{shown(item)} twice",
                    "each entry once",
                    "Remove one of the two.",
                )
            seen.add(repr(item))

    def schema(self) -> dict[str, Any]:
        """An array."""
        bounds: dict[str, Any] = {"minItems": self.minimum} if self.minimum else {}
        if self.maximum < 100_000:
            bounds["maxItems"] = self.maximum
        if self.unique:
            bounds["uniqueItems"] = True
        return {"type": "array", "items": self.item.schema(), **bounds}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    shape: Shape
    doc: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known fields."""

    name: str
    fields: Mapping[str, Field]
    sound: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tests = {key: sound(entry.shape) for key, entry in self.fields.items()}
        required = {key for key, entry in self.fields.items() if entry.required}

        def test(value: Any) -> bool:
            if value.__class__ is not dict or not required <= value.keys():
                return False
            for key, item in value.items():
                of_item = tests.get(key)
                if of_item is None or not of_item(item):
                    return False
            return True

        object.__setattr__(self, "sound", test)

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type, unknown and missing fields, each field."""
        if not isinstance(value, dict):
            document.problem(
                WRONG_TYPE,
                path,
                shown(value),
                f"{self.name}: a mapping with {', '.join(k for k, f in self.fields.items() if f.required)}",
                "Write `field: value` lines.",
            )
            return
        for key, entry in value.items():
            if key not in self.fields:
                document.problem(
                    "010",
                    (*path, key),
                    f"the unknown field {shown(key)} of {self.name}",
                    "one of " + ", ".join(self.fields),
                    near(key, list(self.fields)) + "Correct or remove it.",
                )
                continue
            shape = self.fields[key].shape
            if not sound(shape)(entry):
                shape.check(document, (*path, key), entry)
        for key, entry in self.fields.items():
            if entry.required and key not in value:
                document.problem(
                    "011",
                    path,
                    f"{self.name} without '{key}'",
                    f"the field '{key}': {entry.doc}",
                    f"Add `{key}:`.",
                )

    def schema(self) -> dict[str, Any]:
        """An object."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [key for key, entry in self.fields.items() if entry.required],
            "properties": {
                key: {"description": entry.doc, **entry.shape.schema()} for key, entry in self.fields.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A mapping from names to one shape."""

    key: Text
    item: Shape
    minimum: int = 0

    def check(self, document: Document, path: Path_, value: Any) -> None:
        """Type, names, each value."""
        if not isinstance(value, dict) or len(value) < self.minimum:
            document.problem(
                WRONG_TYPE, path, shown(value), "a mapping from names to values", "Write `name: value` lines."
            )
            return
        for key, item in value.items():
            if document.full:
                return
            self.key.check(document, (*path, key), key)
            self.item.check(document, (*path, key), item)

    def schema(self) -> dict[str, Any]:
        """An object with free names."""
        minimum = {"minProperties": self.minimum} if self.minimum else {}
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.item.schema(),
            **minimum,
        }
