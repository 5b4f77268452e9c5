"""A sheet of paper: boxes, labels and lines at places, as SVG. It knows nothing of a province.

Lengths are pixels (1/96 inch), y grows downwards. What is on a sheet is flat and absolute: no transforms, and
looks are attributes, so that several drawings can stand in one page and any viewer shows the same. A label
names the box that it stands in (`data-in`, the `data-box` of a rectangle): the tests hold it to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from province.drawings.text import FONTS, above, pitch, shorten, width, wrap

# ISO 216, landscape, in millimetres; the smallest that a drawing fits on is taken.
SIZES = {"A4": (297, 210), "A3": (420, 297), "A2": (594, 420), "A1": (841, 594), "A0": (1189, 841)}
PIXELS_PER_MM = 96 / 25.4
MARGIN = 26.0
INK, FAINT = "#111111", "#444444"
PAD = 7.0
# What XML 1.0 has no place for.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a sheet, by its number; `inside` is the one around it."""

    number: int
    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a zone or a state is drawn: colour, tint, and a pattern that shows without colour."""

    colour: str
    tint: str
    pattern: str  # a key of PATTERNS


@dataclass(frozen=True, slots=True)
class Line:
    """A line of words in a card; wrapped into at most `lines`."""

    text: str
    size: float = 10.0
    bold: bool = False
    fill: str = INK
    lines: int = 2


# Each is drawn in a tile of 8 x 8; black on white they still differ.
PATTERNS = {
    "solid": '<rect width="8" height="8" fill="{c}"/>',
    "dots": '<circle cx="2" cy="2" r="1.3" fill="{c}"/><circle cx="6" cy="6" r="1.3" fill="{c}"/>',
    "rising": '<path d="M-1 9 L9 -1 M-1 1 L1 -1 M7 9 L9 7" stroke="{c}" stroke-width="1.6"/>',
    "falling": '<path d="M-1 -1 L9 9 M7 -1 L9 1 M-1 7 L1 9" stroke="{c}" stroke-width="1.6"/>',
    "crossed": '<path d="M0 0 L8 8 M8 0 L0 8" stroke="{c}" stroke-width="1.3"/>',
    "level": '<path d="M0 2 H8 M0 6 H8" stroke="{c}" stroke-width="1.5"/>',
    "upright": '<path d="M2 0 V8 M6 0 V8" stroke="{c}" stroke-width="1.5"/>',
    "grid": '<path d="M0 4 H8 M4 0 V8" stroke="{c}" stroke-width="1.1"/>',
}


def number(value: float) -> str:
    """A length as text, to a tenth."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def words(text: str) -> str:
    """Text for XML: escaped, and without what XML cannot say."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


@dataclass(slots=True)
class Sheet:
    """One page, being drawn. `name` is unique among the drawings of a province: ids are made from it."""

    name: str
    size: str
    title: str
    description: str
    language: str = "vi"
    _areas: list[str] = field(default_factory=list)
    _wires: list[str] = field(default_factory=list)
    _boxes: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _patterns: dict[tuple[str, str], str] = field(default_factory=dict)
    _arrows: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    @property
    def w(self) -> float:
        """Width of the page."""
        return SIZES[self.size][0] * PIXELS_PER_MM

    @property
    def h(self) -> float:
        """Height of the page."""
        return SIZES[self.size][1] * PIXELS_PER_MM

    @property
    def slug(self) -> str:
        """The name as the beginning of ids."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        *,
        inside: Box | None = None,
        fill: str = "#ffffff",
        stroke: str = INK,
        thick: float = 1.1,
        dash: str = "",
        radius: float = 3,
        area: bool = False,
    ) -> Box:
        """A rectangle. An `area` lies below lines, other boxes above them."""
        self._count += 1
        made = Box(self._count, x, y, w, h)
        within = f' data-within="{inside.number}"' if inside else ""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        place = f'x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}"'
        round_ = f' rx="{number(radius)}"' if radius else ""
        (self._areas if area else self._boxes).append(
            f'<rect data-box="{made.number}"{within} {place}{round_} fill="{fill}" stroke="{stroke}" '
            f'stroke-width="{number(thick)}"{dashed}/>'
        )
        return made

    def stripe(self, x: float, y: float, w: float, h: float, look: Look, *, area: bool = False) -> None:
        """A patterned strip: what a zone is, without colour. Nothing is written on it."""
        key = (look.pattern, look.colour)
        ident = self._patterns.setdefault(key, f"{self.slug}-p{len(self._patterns)}")
        (self._areas if area else self._boxes).append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" '
            f'fill="url(#{ident})" stroke="{look.colour}" stroke-width="0.8"/>'
        )

    def label(
        self,
        x: float,
        y: float,
        text: str,
        box: Box,
        *,
        size: float = 10.0,
        bold: bool = False,
        fill: str = INK,
        anchor: str = "start",
        room: float | None = None,
        full: str = "",
    ) -> None:
        """A text on the base line `y`, shortened to its room; then the whole of it is its tooltip."""
        if room is None:
            left, right = x - box.x, box.right - x
            room = {"start": right, "end": left, "middle": 2 * min(left, right)}[anchor] - 3
        shown = shorten(text, size, room, bold)
        full = full or (text if shown != text else "")
        self._texts.append(
            f'<text data-in="{box.number}" x="{number(x)}" y="{number(y)}" font-size="{number(size)}"'
            + (' font-weight="bold"' if bold else "")
            + (f' text-anchor="{anchor}"' if anchor != "start" else "")
            + (f' fill="{fill}"' if fill != INK else "")
            + f">{words(shown)}"
            + (f"<title>{words(full)}</title>" if full else "")
            + "</text>"
        )

    def card(
        self,
        x: float,
        y: float,
        w: float,
        lines: Sequence[Line],
        *,
        h: float | None = None,
        look: Look | None = None,
        inside: Box | None = None,
        stroke: str = INK,
        dash: str = "",
        thick: float = 1.1,
        fill: str = "#ffffff",
    ) -> Box:
        """A box with lines of words, as high as they need or as given; a `look` puts a stripe on its left."""
        box = self.box(
            x,
            y,
            w,
            h or card_height(lines, w, look is not None),
            inside=inside,
            stroke=look.colour if look else stroke,
            dash=dash,
            thick=thick,
            fill=look.tint if look else fill,
            radius=0 if look else 3,
        )
        if look:
            self.stripe(x, y, STRIPE, box.h, look)
        self.write(box, lines, left=STRIPE if look else 0)
        return box

    def write(self, box: Box, lines: Iterable[Line], *, left: float = 0, top: float = 0) -> float:
        """Write lines into a box from its top; gives where the next would begin."""
        at = box.y + PAD / 2 + top
        for line in lines:
            shown = wrap(line.text, line.size, _room(box.w, left), line.lines, line.bold)
            cut = "".join(shown).endswith("…") and not line.text.endswith("…")
            for text in shown:
                self.label(
                    box.x + left + PAD,
                    at + above(line.size),
                    text,
                    box,
                    size=line.size,
                    bold=line.bold,
                    fill=line.fill,
                    full=line.text if cut else "",
                )
                at += pitch(line.size)
        return at

    def wire(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str = INK,
        thick: float = 1.6,
        dash: str = "",
        arrow: bool = False,
    ) -> None:
        """A line through points, behind boxes and in front of areas."""
        path = " ".join(
            f"{'L' if place else 'M'}{number(x)} {number(y)}" for place, (x, y) in enumerate(points)
        )
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        end = ""
        if arrow:
            ident = self._arrows.setdefault(stroke, f"{self.slug}-a{len(self._arrows)}")
            end = f' marker-end="url(#{ident})"'
        self._wires.append(
            f'<path data-wire="" d="{path}" fill="none" stroke="{stroke}" '
            f'stroke-width="{number(thick)}"{dashed}{end}/>'
        )

    def dot(self, x: float, y: float, *, radius: float = 3.2, fill: str = INK) -> None:
        """A connection: lines that only cross have none."""
        self._boxes.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{fill}" stroke="{INK}"/>'
        )

    def bar(self, x: float, y: float, w: float, h: float, share: float) -> None:
        """A bar that is filled to a share of its width."""
        for wide, fill in ((w, "#ffffff"), (w * share, INK)):
            if wide:
                self._boxes.append(
                    f'<rect x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="{number(h)}" '
                    f'fill="{fill}" stroke="{INK}" stroke-width="0.7"/>'
                )

    def badge(self, x: float, y: float, text: str, *, inside: Box | None = None, size: float = 10) -> Box:
        """A number in a ring around a point."""
        w = max(18.0, width(text, size, bold=True) + 8)
        box = self.box(x - w / 2, y - 9, w, 18, inside=inside, radius=9, thick=1.4)
        self.label(x, y + size * 0.37, text, box, size=size, bold=True, anchor="middle", room=w)
        return box

    def svg(self) -> str:
        """The sheet as a document: valid XML, the same every time."""
        mm = SIZES[self.size]
        defs = [
            f'<pattern id="{ident}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="#ffffff"/>{PATTERNS[pattern].format(c=colour)}</pattern>'
            for (pattern, colour), ident in self._patterns.items()
        ] + [
            f'<marker id="{ident}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
            f'markerUnits="userSpaceOnUse" orient="auto">'
            f'<path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker>'
            for colour, ident in self._arrows.items()
        ]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{mm[0]}mm" height="{mm[1]}mm" '
                f'viewBox="0 0 {number(self.w)} {number(self.h)}" role="img" xml:lang="{self.language}" '
                f'lang="{self.language}" aria-labelledby="{self.slug}-t {self.slug}-d" '
                f'font-family={quoteattr(FONTS)} fill={quoteattr(INK)} text-rendering="geometricPrecision">',
                f'<title id="{self.slug}-t">{words(self.title)}</title>',
                f'<desc id="{self.slug}-d">{words(self.description)}</desc>',
                # Printed by itself, it comes out at its size; the only style, as attributes cannot say it.
                f"<style>@page{{size:{mm[0]}mm {mm[1]}mm;margin:0}}</style>",
                *(["<defs>", *defs, "</defs>"] if defs else []),
                f'<rect data-page="" width="{number(self.w)}" height="{number(self.h)}" fill="#ffffff"/>',
                *self._areas,
                *self._wires,
                *self._boxes,
                *self._texts,
                "</svg>",
                "",
            ]
        )


STRIPE = 10.0


def _room(w: float, left: float) -> float:
    return w - left - 2 * PAD


def card_height(lines: Iterable[Line], w: float, striped: bool = False) -> float:
    """How high a card of width `w` must be for its lines."""
    room = _room(w, STRIPE if striped else 0)
    return PAD + sum(
        len(wrap(line.text, line.size, room, line.lines, line.bold)) * pitch(line.size) for line in lines
    )


def base_line(y: float, size: float) -> float:
    """The base line of a text whose box begins at `y`."""
    return y + above(size)
