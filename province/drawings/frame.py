"""What every drawing has around it: frame, legend, title block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from province.drawings.sheet import FAINT, INK, MARGIN, Box, Look, Sheet, base_line
from province.drawings.text import width
from province.drawings.words import LOOKS, SUBJECTS, VIEWS, ZONES, both
from province.plan.model import Zone

BLOCK_W, ROW = 520.0, 28.0
BLOCK_H = 4 * ROW
GAP = 10.0
LEGEND_ROW = 17.0


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a title block says. `source` is a text such as a commit; empty leaves the field to a pen."""

    province: str  # its id
    province_name: str
    of: str
    view: str
    subject: str
    source: str
    name: str  # of the drawing: `units/xa-sin-thau-logical`


@dataclass(frozen=True, slots=True)
class Stroke:
    """An entry of the legend that is a line."""

    words: str
    colour: str = INK
    dash: str = ""
    thick: float = 1.6
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of the legend that is a box, with or without a pattern."""

    words: str
    look: Look | None = None
    dash: str = ""


def zone_marks(zones: Iterable[Zone]) -> list[Mark]:
    """Entries for zones, in the order of the standard."""
    found = set(zones)
    return [Mark(both(ZONES[zone]), LOOKS[zone]) for zone in Zone if zone in found]


def framed(
    size: str, about: About, legend: Sequence[Mark | Stroke], page: int, pages: int, description: str
) -> tuple[Sheet, Box, Box]:
    """A sheet with everything but the drawing, its frame, and the room that is left for the drawing.

    The room is no rectangle on the sheet: it has the number of the frame.
    """
    view, subject = VIEWS[about.view], SUBJECTS[about.of]
    title = f"{view[0]} {subject[0]} · {view[1]}, {subject[1]}: {about.subject}"
    # The province's own name is the subject of two of three, once is enough.
    whole = title if about.subject == about.province_name else f"{title}, {about.province_name}"
    numbered = f" ({page}/{pages})" if pages > 1 else ""
    sheet = Sheet(f"{about.name}-{page}", size, whole + numbered, description)
    outer = sheet.box(
        MARGIN, MARGIN, sheet.w - 2 * MARGIN, sheet.h - 2 * MARGIN, radius=0, thick=2, area=True
    )
    block = _title_block(sheet, outer, about, page, pages)
    _legend(sheet, outer, outer.x + GAP, block.y + 2, block.x - outer.x - 2 * GAP, legend)
    room = Box(
        outer.number,
        outer.x + GAP,
        outer.y + GAP,
        outer.w - 2 * GAP,
        block.y - outer.y - 2 * GAP,
    )
    return sheet, outer, room


def room_of(size: str) -> tuple[float, float]:
    """Width and height that a drawing has on a size of paper."""
    sheet = Sheet("", size, "", "")
    return sheet.w - 2 * MARGIN - 2 * GAP, sheet.h - 2 * MARGIN - BLOCK_H - 2 * GAP


def _title_block(sheet: Sheet, outer: Box, about: About, page: int, pages: int) -> Box:
    x, y = outer.right - BLOCK_W, outer.bottom - BLOCK_H
    block = sheet.box(x, y, BLOCK_W, BLOCK_H, inside=outer, radius=0, thick=1.6)
    view, subject = VIEWS[about.view], SUBJECTS[about.of]
    rows: list[list[tuple[float, str, str, bool]]] = [
        [
            (230, "Tỉnh, thành phố · Province", about.province_name, True),
            (290, "Bản vẽ · Drawing", f"{about.province}/{about.name}", False),
        ],
        [(520, "Nội dung · What", f"{view[0]} {subject[0]} · {view[1]}, {subject[1]}", True)],
        [(520, "Đối tượng · Subject", about.subject, True)],
        [
            (82, "Lập · Drawn", "", False),
            (100, "Kiểm tra · Checked", "", False),
            (118, "Phê duyệt · Approved", "", False),
            (110, "Nguồn · Source", about.source, False),
            (55, "Tờ · Sheet", f"{page}/{pages}", False),
            (55, "Khổ · Size", sheet.size, False),
        ],
    ]
    for number, row in enumerate(rows):
        at = x
        for wide, caption, value, bold in row:
            cell = sheet.box(at, y + number * ROW, wide, ROW, inside=block, radius=0, thick=0.8)
            sheet.label(at + 4, base_line(cell.y + 1, 8), caption, cell, size=8, fill=FAINT)
            if value:
                sheet.label(at + 4, base_line(cell.y + 13, 10), value, cell, size=10, bold=bold)
            at += wide
    return block


def _legend(sheet: Sheet, outer: Box, x: float, y: float, w: float, entries: Sequence[Mark | Stroke]) -> None:
    if not entries:
        return
    size = 9.0
    sheet.label(x, base_line(y, size), "Chú giải · Legend", outer, size=size, bold=True, room=w)
    left, top = x, y + LEGEND_ROW
    for entry in entries:
        wide = 30 + width(entry.words, size) + 12
        if left + wide > x + w and left > x:
            left, top = x, top + LEGEND_ROW
        middle = top + 7
        if isinstance(entry, Stroke):
            sheet.wire(
                [(left, middle), (left + 26, middle)],
                stroke=entry.colour,
                thick=entry.thick,
                dash=entry.dash,
                arrow=entry.arrow,
            )
        elif entry.look:
            sheet.stripe(left, top + 1, 26, 12, entry.look)
        else:
            sheet.box(left, top + 1, 26, 12, inside=outer, dash=entry.dash)
        sheet.label(left + 30, base_line(top + 0.5, size), entry.words, outer, size=size, room=w - 30)
        left += wide
