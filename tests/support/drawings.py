"""What is wrong with a drawing, told from its SVG alone: as a reader, or a browser, gets it.

Every drawing is flat: texts, boxes, lines with absolute places. A text names its box (`data-in`), a box the
one around it (`data-within`). How wide a text is comes from the table that the drawing was laid out with, or
from a browser that has shown it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from province.drawings.text import ASCENT, DESCENT, width

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
            area = _area(name, x, y - size * ASCENT, wide, size * (ASCENT + DESCENT))
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
