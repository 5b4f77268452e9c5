"""How much room a text takes, and what is done when it takes too much. Lengths are pixels (1/96 inch)."""

from __future__ import annotations

import math
import re

from province.drawings.widths import BOLD, REGULAR

# The fonts of the table first; others that know Vietnamese and are narrower follow.
FONTS = "'Noto Sans','DejaVu Sans',Arial,'Liberation Sans',Helvetica,sans-serif"
# Noto Sans reaches this far above and below the base line, in font sizes, capitals with two marks (Ẫ, Ặ)
# included; DejaVu Sans less. Browsers round both up to whole pixels.
_ASCENT, _DESCENT = 1.069, 0.293
# Where letters are fitted to the pixels of a screen, small ones grow; 6 % is the most that was measured.
MARGIN = 1.065
ELLIPSIS = "…"
# A character that the table does not know may come from any font.
UNKNOWN = 1400
_WIDTHS = tuple(
    {letter: wide for wide, letters in table.items() for letter in letters} for table in (REGULAR, BOLD)
)
# Where a word that is too long for a line may be broken: behind these.
_BREAKS = re.compile(r"(?<=[-./:_@])")


def above(size: float) -> float:
    """How far a text reaches above its base line."""
    return math.ceil(size * _ASCENT)


def below(size: float) -> float:
    """How far it reaches below."""
    return math.ceil(size * _DESCENT)


def pitch(size: float) -> float:
    """From one base line to the next, without overlap."""
    return above(size) + below(size)


def width(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of how wide a text is drawn, in any of the fonts."""
    table = _WIDTHS[bold]
    return sum(table.get(letter, UNKNOWN) for letter in text) * size * MARGIN / 1000


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if width(text, size, bold) <= room:
        return text
    left = room - width(ELLIPSIS, size, bold)
    end = 0
    while end < len(text) and width(text[: end + 1], size, bold) <= left:
        end += 1
    return text[:end].rstrip() + ELLIPSIS


def wrap(text: str, size: float, room: float, lines: int, bold: bool = False) -> list[str]:
    """The text in at most so many lines; the last one is shortened when that is not enough.

    Broken at spaces; words that are too long for a line behind `- . / : _ @`, and else anywhere.
    """
    made: list[str] = []
    line = ""
    for piece in _pieces(text, size, room, bold):
        if width((line + piece).rstrip(), size, bold) <= room or not line:
            line += piece
        else:
            made.append(line.rstrip())
            line = piece
    made.append(line.rstrip())
    if len(made) <= lines:
        return made
    kept = made[: lines - 1]
    rest = " ".join(made[lines - 1 :])
    return [*kept, shorten(rest + ELLIPSIS, size, room, bold)]


def _pieces(text: str, size: float, room: float, bold: bool) -> list[str]:
    """What may stand on a line of its own, each with the space behind it."""
    made: list[str] = []
    for word in re.findall(r"\S+\s*|\s+", text):
        if width(word.rstrip(), size, bold) <= room:
            made.append(word)
            continue
        for part in _BREAKS.split(word):
            start = ""
            for letter in part:
                if start and width((start + letter).rstrip(), size, bold) > room:
                    made.append(start)
                    start = ""
                start += letter
            made.append(start)
    return made
