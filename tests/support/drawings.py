"""What is wrong with a drawing, told from its SVG alone: as a reader, or a browser, gets it.

Every drawing is flat: texts, boxes, lines with absolute places. A text names its box (`data-in`), a box the
one around it (`data-within`). How wide a text is comes from the table that the drawing was laid out with, or
from a browser that has shown it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from province.drawings.text import above, pitch, width

SVG = "{http://www.w3.org/2000/svg}"
# Places are written to a tenth of a pixel.
ROUNDING = 0.2
# Gives place and size of every text as the browser draws it, in the order of the document.
SCRIPT = """(() => {{
  const holder = document.createElement('div');
  holder.innerHTML = {svg};
  document.body.replaceChildren(holder);
  return Array.from(holder.querySelectorAll('text'), (text) => {{
    const box = text.getBBox();
    return [box.x, box.y, box.width, box.height];
  }});
}})()"""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle: of a text, a box, a pattern or a page."""

    name: str
    left: float
    top: float
    right: float
    bottom: float

    def inside(self, other: Area) -> bool:
        """Whether it does not leave another."""
        return (
            self.left >= other.left - ROUNDING
            and self.top >= other.top - ROUNDING
            and self.right <= other.right + ROUNDING
            and self.bottom <= other.bottom + ROUNDING
        )

    def meets(self, other: Area) -> bool:
        """Whether it overlaps another; touching is none."""
        return (
            self.left < other.right - ROUNDING
            and other.left < self.right - ROUNDING
            and self.top < other.bottom - ROUNDING
            and other.top < self.bottom - ROUNDING
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A parsed drawing."""

    title: str
    description: str
    page: Area
    labels: tuple[tuple[Area, str], ...]  # with the box that each stands in
    boxes: Mapping[str, tuple[Area, str]]  # with the box around each
    patterns: tuple[Area, ...]
    wires: tuple[Area, ...]  # each straight piece, as thick as it is drawn

    @property
    def words(self) -> str:
        """All that is written, tooltips of shortened labels included."""
        return "\n".join(area.name for area, _ in self.labels)


def _area(name: str, x: float, y: float, w: float, h: float) -> Area:
    return Area(name, x, y, x + w, y + h)


def _number(element: ElementTree.Element, key: str) -> float:
    return float(element.get(key, "0"))


def read(svg: str, measured: Sequence[Sequence[float]] = ()) -> Drawing:
    """Parse a drawing. `measured` are places and sizes of its texts by a browser, if one was asked."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own text, just made
    assert root.tag == f"{SVG}svg"
    texts = list(root.iter(f"{SVG}text"))
    assert not measured or len(measured) == len(texts)
    labels = []
    for place, element in enumerate(texts):
        said = element.text or ""
        full = element.find(f"{SVG}title")
        name = said if full is None else f"{said} [{full.text}]"
        if measured:
            area = _area(name, *measured[place])
        else:
            size = _number(element, "font-size")
            wide = width(said, size, element.get("font-weight") == "bold")
            shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
            x, y = _number(element, "x") - shift * wide, _number(element, "y")
            area = _area(name, x, y - above(size), wide, pitch(size))
        labels.append((area, element.get("data-in", "")))
    boxes: dict[str, tuple[Area, str]] = {}
    patterns = []
    page = None
    for element in root.iter(f"{SVG}rect"):
        area = _area(
            element.get("data-box", ""),
            *(_number(element, key) for key in ("x", "y", "width", "height")),
        )
        if element.get("data-page") is not None:
            page = area
        elif element.get("data-box"):
            boxes[area.name] = (area, element.get("data-within", ""))
        elif element.get("fill", "").startswith("url("):
            patterns.append(area)
    assert page is not None
    return Drawing(
        title=root.findtext(f"{SVG}title") or "",
        description=root.findtext(f"{SVG}desc") or "",
        page=page,
        labels=tuple(labels),
        boxes=boxes,
        patterns=tuple(patterns),
        wires=tuple(_wires(root)),
    )


def _wires(root: ElementTree.Element) -> Iterator[Area]:
    for element in root.iter(f"{SVG}path"):
        if element.get("data-wire") is None:
            continue
        points = [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", element.get("d", ""))]
        half = _number(element, "stroke-width") / 2
        for (x1, y1), (x2, y2) in pairwise(points):
            assert min(abs(x1 - x2), abs(y1 - y2)) < ROUNDING, "lines are upright or level"
            yield Area(
                element.get("d", ""),
                min(x1, x2) - half,
                min(y1, y2) - half,
                max(x1, x2) + half,
                max(y1, y2) + half,
            )


def faults(drawing: Drawing) -> list[str]:
    """Labels that overlap, leave their box or lie on a line; boxes that overlap or leave the one around."""
    return [*_label_faults(drawing), *_box_faults(drawing)]


def _label_faults(drawing: Drawing) -> Iterator[str]:
    ordered = sorted(drawing.labels, key=lambda entry: entry[0].top)
    for place, (area, within) in enumerate(ordered):
        if within not in drawing.boxes:
            yield f"'{area.name}' stands in no box"
            continue
        if not area.inside(drawing.page):
            yield f"'{area.name}' leaves the page"
        if not area.inside(drawing.boxes[within][0]):
            yield f"'{area.name}' leaves its box"
        for other, _ in ordered[place + 1 :]:
            if other.top > area.bottom:
                break
            if area.meets(other):
                yield f"'{area.name}' overlaps '{other.name}'"
        around = set(_around(drawing, within))
        for number, (box, _) in drawing.boxes.items():
            if number not in around and area.meets(box):
                yield f"'{area.name}' lies on another box"
        for what, things in (("a line", drawing.wires), ("a pattern", drawing.patterns)):
            if any(area.meets(thing) for thing in things):
                yield f"'{area.name}' lies on {what}"


def _around(drawing: Drawing, number: str) -> Iterator[str]:
    while number:
        yield number
        number = drawing.boxes[number][1]


def _box_faults(drawing: Drawing) -> Iterator[str]:
    ordered = sorted(drawing.boxes.items(), key=lambda entry: entry[1][0].top)
    for place, (number, (area, within)) in enumerate(ordered):
        if not area.inside(drawing.boxes[within][0] if within else drawing.page):
            yield f"box {number} leaves what is around it"
        around = set(_around(drawing, number))
        for other_number, (other, _) in ordered[place + 1 :]:
            if other.top > area.bottom:
                break
            nested = other_number in around or number in _around(drawing, other_number)
            if not nested and area.meets(other):
                yield f"box {number} overlaps box {other_number}"
    for wire in drawing.wires:
        if not wire.inside(drawing.page):
            yield f"the line {wire.name} leaves the page"


def page_of(svgs: Iterable[str]) -> str:
    """Drawings in one HTML page, as wide as the screen."""
    style = "body{margin:0} svg{width:100%;height:auto;display:block}"
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'>"
    return f"<!doctype html>{head}<style>{style}</style>{''.join(svgs)}"


# Every character that drawings have a width for: ASCII, the letters of Vietnamese, signs of our own words.
CHARACTERS = "".join(
    [chr(code) for code in range(0x20, 0x7F)]
    + list("ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư")
    + [chr(code) for code in range(0x1EA0, 0x1EFA)]
    + list("–—…·→←↔’“”×≤≥°•●○◐")
)
# Gives, by weight and character, the larger width in thousandths of the font size, rounded up.
MEASURE = """(() => {{
  const context = document.createElement('canvas').getContext('2d');
  const found = {{normal: {{}}, bold: {{}}}};
  for (const weight of ['normal', 'bold']) for (const font of {fonts}) {{
    context.font = `${{weight}} 1000px "${{font}}"`;
    for (const character of {characters})
      found[weight][character] = Math.max(
        found[weight][character] || 0, Math.ceil(context.measureText(character).width));
  }}
  return found;
}})()"""
HEAD = '''\
"""How wide letters are: the widest of the fonts that a drawing may be shown in. Measured, not typed.

A width (thousandths of the font size) to the characters that have it: the larger of DejaVu Sans, the widest
of the usual screen fonts, and Noto Sans, as Chromium measures them. `tests/browser/test_drawings.py`
measures again and compares; with PROVINCE_UPDATE_GOLDEN=1 it writes this file.
"""

from __future__ import annotations
'''


def table(widths: Mapping[str, Mapping[str, int]]) -> str:
    """The text of province/drawings/widths.py from what a browser measured."""
    lines = [HEAD]
    for name, weight in (("REGULAR", "normal"), ("BOLD", "bold")):
        by_width: dict[int, list[str]] = {}
        for character, wide in widths[weight].items():
            by_width.setdefault(wide, []).append(character)
        lines.append(f"{name}: dict[int, str] = {{")
        for wide, characters in sorted(by_width.items()):
            text = "".join(sorted(characters))
            quoted = f"'{text}'" if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)
            lines.append(f"    {wide}: {quoted},")
        lines += ["}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"
