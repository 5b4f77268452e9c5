"""When a person cannot tell two names apart.

That is so when they differ only in case, in signs that look alike, in spaces, or in the vowel that bears a
syllable's tone (`hòa` and `hoà` are one word in two spellings). The official list has no two such names in
one province; names that differ in a tone or a letter are many.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_TONE = re.compile(f"[{_TONES}]")
_SIGNS = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{EN DASH}": "-"})
# One stroke, and one ring, in many fonts.
_STROKES = str.maketrans({"I": "l", "1": "l", "O": "0"})


def _coarse() -> dict[int, str]:
    """Each letter without case and tone, strokes and rings as one: names alike in any way are alike here."""
    table: dict[int, str] = {}
    for vowel in "aăâeêioôơuưy":
        for tone in ("", *_TONES):
            letter = unicodedata.normalize("NFC", vowel + tone)
            table |= {ord(letter): vowel, ord(letter.upper()): vowel}
    # Behind this line: the plain letters, whose tones were taken above.
    strokes = dict.fromkeys("iIlL1", "l") | dict.fromkeys("oO0", "0")
    table |= {ord(c): c.lower() for c in "BCDĐFGHJKLMNPQRSTVWXZ"} | {ord(c): by for c, by in strokes.items()}
    for tone in _TONES:
        table |= {ord(unicodedata.normalize("NFC", c + tone)): strokes[c] for c in "iIoO"}
    return table | {ord(sign): "'" for sign in "\N{RIGHT SINGLE QUOTATION MARK}'"} | {0x2013: "-"}


_COARSE = _coarse()


def looks(name: str) -> tuple[str, str]:
    """A name as it is seen by who does not mind case, and by who takes one stroke or ring for another."""
    parts = unicodedata.normalize("NFD", name.translate(_SIGNS)).split()
    plain = " ".join(_TONE.sub("", part) + "".join(_TONE.findall(part)) for part in parts)
    return plain.casefold(), plain.translate(_STROKES)


def indistinct(named: Iterable[tuple[Hashable, str, T]]) -> Iterator[tuple[T, T]]:
    """Pairs (later, first) of things of one group whose names look the same; linear in their number.

    `named` are (group, name, thing). Of several that look the same each is told with the first.
    """
    alike: dict[tuple[Hashable, str], list[tuple[str, T]]] = {}
    for group, name, thing in named:
        alike.setdefault((group, " ".join(name.translate(_COARSE).split())), []).append((name, thing))
    for several in alike.values():
        first: tuple[dict[str, T], dict[str, T]] = ({}, {})
        for name, thing in several if len(several) > 1 else ():
            seen = looks(name)
            found = first[0].get(seen[0], first[1].get(seen[1]))
            if found is not None:
                yield thing, found
            for known, look in zip(first, seen, strict=True):
                known.setdefault(look, thing)
