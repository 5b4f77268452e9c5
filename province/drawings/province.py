"""The whole province: its centre, and every unit under whom it stands, or by the line that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from province.drawings.atlas import CLOSED, Atlas, centre_hosts
from province.drawings.frame import About, Mark, Stroke, framed, room_of
from province.drawings.sheet import FAINT, Box, Line, Look, Sheet, base_line, card_height
from province.drawings.text import pitch
from province.drawings.unit import LINE, TUNNEL, TUNNEL_COLOUR
from province.drawings.words import ACCESS, POOLS, SPHERES, STATES, Words, both, of
from province.plan.model import PlannedUnit, Segment
from province.register.model import CENTRE

SIZE = "A3"
COLUMNS = 8
BAND_H, RAIL, SPACE = 160.0, 22.0, 16.0
STRIPE = 8.0
# More than fit on a sheet, so that of long groups only what matters is measured.
MOST_ROWS = 60
SPHERE_LOOKS = {
    "government": Look(colour="#1b5e9b", tint="#eef5fc", pattern="level"),
    "party": Look(colour="#b3261e", tint="#fdf0ee", pattern="rising"),
}
OTHER_SPHERE = Look(colour="#455a64", tint="#f2f4f5", pattern="grid")
CLOSED_MARK = Mark("Đã đóng · closed", None, "4 3")
# How far a unit is: the share of a bar that is filled.
PROGRESS = {"planned": 0.0, "provisioned": 0.5, "live": 1.0, "closed": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A unit in a grid."""

    lines: tuple[Line, ...]
    dash: str = ""
    progress: float | None = None


@dataclass(slots=True, kw_only=True)
class Group:
    """Units that belong together, with words over them."""

    title: str
    note: str
    look: Look
    cells: list[Cell] = field(default_factory=list)


def logical(atlas: Atlas) -> list[str]:
    """Centre, hubs and tunnels; units by sphere, by whom they stand under, and by pool."""
    groups: dict[tuple[str, str, str], Group] = {}
    for unit in _ordered(atlas):
        key = (unit.sphere, unit.parent or "", unit.pool)
        if key not in groups:
            groups[key] = _group(atlas, unit)
        groups[key].cells.append(_logical_cell(atlas, unit))
    hubs = {peer.hub for peer in atlas.plan.peers}
    legend: list[Mark | Stroke] = [
        *(Mark(both(of(SPHERES, name)), SPHERE_LOOKS.get(name, OTHER_SPHERE)) for name in _spheres(atlas)),
        Stroke(
            f"Đường hầm từ mỗi đơn vị đến {len(hubs)} đầu mối · tunnels of each unit to {len(hubs)} hubs",
            TUNNEL_COLOUR,
            TUNNEL.dash,
            TUNNEL.thick,
        ),
    ]
    if any(unit.state == CLOSED for unit in atlas.plan.units):
        legend.append(CLOSED_MARK)
    return _pages(atlas, "logical", list(groups.values()), legend, _logical_band, TUNNEL)


def physical(atlas: Atlas) -> list[str]:
    """Lines by access and rate, with the wave and the state of each unit; the lines of the centre."""
    found: dict[tuple[str, int], list[tuple[PlannedUnit, int]]] = {}
    for unit in _ordered(atlas):
        if unit.state != CLOSED:
            for number, link in enumerate(atlas.records[unit.id].links):
                found.setdefault((link.access, link.bandwidth_mbps), []).append((unit, number))
    groups = []
    kinds = list(ACCESS)
    for access, rate in sorted(found, key=lambda key: (kinds.index(key[0]), -key[1])):
        entries = found[access, rate]
        group = Group(
            title=f"{both(of(ACCESS, access))}, {rate} Mbit/s: {len(entries)} đường · lines",
            note=f"tổng · total {len(entries) * rate} Mbit/s",
            look=_access_look(access),
        )
        group.cells += [_physical_cell(atlas, unit, number) for unit, number in entries]
        groups.append(group)
    closed = [unit for unit in _ordered(atlas) if unit.state == CLOSED]
    if closed:
        group = Group(
            title=f"Đã đóng: {len(closed)} đơn vị · closed units",
            note="không còn đường truyền · no lines",
            look=OTHER_SPHERE,
        )
        group.cells += [
            Cell(
                lines=(Line(unit.name, 9, bold=True), Line(unit.code, 8), *_closed_lines(atlas, unit)),
                dash=CLOSED_MARK.dash,
            )
            for unit in closed
        ]
        groups.append(group)
    legend: list[Mark | Stroke] = [
        *(
            Mark(both(of(ACCESS, access)), _access_look(access))
            for access in kinds
            if any(key[0] == access for key in found)
        ),
        LINE,
        Mark("Thanh tiến độ: rỗng dự kiến, nửa đã chuẩn bị, đầy hoạt động · bar: planned, provisioned, live"),
    ]
    if closed:
        legend.append(CLOSED_MARK)
    return _pages(atlas, "physical", groups, legend, _physical_band, LINE)


def _spheres(atlas: Atlas) -> list[str]:
    present = {unit.sphere for unit in atlas.plan.units}
    return [name for name in SPHERES if name in present] + sorted(present - set(SPHERES))


def _ordered(atlas: Atlas) -> list[PlannedUnit]:
    """Units by sphere, those directly under the province first, then by parent; else the plan's order."""
    place = {unit.id: number for number, unit in enumerate(atlas.plan.units)}
    sphere = {name: number for number, name in enumerate(_spheres(atlas))}
    return sorted(
        atlas.plan.units,
        key=lambda unit: (
            sphere[unit.sphere],
            place[unit.parent] if unit.parent else -1,
            place[unit.id],
        ),
    )


def _group(atlas: Atlas, first: PlannedUnit) -> Group:
    under = f" – trực thuộc {atlas.units[first.parent].name}" if first.parent else ""
    members = [
        unit
        for unit in atlas.plan.units
        if (unit.sphere, unit.parent, unit.pool) == (first.sphere, first.parent, first.pool)
    ]
    tunnels = sum(len(atlas.peers.get(unit.id, ())) for unit in members)
    return Group(
        title=f"{of(POOLS, first.pool)[0]}: {len(members)}{under}",
        note=f"{tunnels} đường hầm · tunnels",
        look=SPHERE_LOOKS.get(first.sphere, OTHER_SPHERE),
    )


def _logical_cell(atlas: Atlas, unit: PlannedUnit) -> Cell:
    lines = [Line(unit.name, 9, bold=True, lines=3), Line(f"{unit.code} · AS {unit.asn}", 8)]
    if unit.state == CLOSED:
        lines += _closed_lines(atlas, unit)
        return Cell(lines=tuple(lines), dash=CLOSED_MARK.dash)
    lines.append(Line(str(unit.prefix4), 8))
    if unit.id in atlas.register.control_points:
        lines.append(Line("điều khiển hội nghị · control point", 8, bold=True))
    return Cell(lines=tuple(lines))


def _closed_lines(atlas: Atlas, unit: PlannedUnit) -> list[Line]:
    record = atlas.records[unit.id]
    heirs = ", ".join(atlas.units[heir].name for heir in record.successors)
    return [
        Line(f"đã đóng · closed {record.closed}".rstrip(), 8),
        *([Line(f"→ {heirs}", 8)] if heirs else []),
    ]


def _physical_cell(atlas: Atlas, unit: PlannedUnit, number: int) -> Cell:
    gateways = atlas.gateways(unit.id)
    lines = [segment for host in gateways for segment in atlas.lines(host)]
    links = atlas.records[unit.id].links
    which = f" ({number + 1}/{len(links)})" if len(links) > 1 else ""
    return Cell(
        lines=(
            Line(unit.name, 9, bold=True, lines=3),
            Line(f"đợt {atlas.records[unit.id].wave} · {of(STATES, unit.state)[0]}{which}", 8),
            Line(str(lines[number].network4), 8),
        ),
        progress=PROGRESS.get(unit.state, 0.0),
    )


def _access_look(access: str) -> Look:
    return {
        "fibre": Look(colour="#1b5e9b", tint="#eef5fc", pattern="solid"),
        "copper": Look(colour="#b35900", tint="#fdf4e9", pattern="level"),
        "microwave": Look(colour="#5e3a9a", tint="#f4f0fa", pattern="rising"),
        "mobile": Look(colour="#00796b", tint="#ebf7f5", pattern="dots"),
        "satellite": Look(colour="#a3195b", tint="#fcf0f5", pattern="crossed"),
    }.get(access, OTHER_SPHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A group, or what of it stands on one page."""

    group: Group
    cells: Sequence[Cell]
    part: str
    columns: int
    w: float
    rows: Sequence[float]  # how high each row of cells is

    @property
    def head(self) -> list[Line]:
        """What stands over the cells."""
        return [Line(f"{self.group.title}{self.part} – {self.group.note}", 10, bold=True, lines=5)]

    @property
    def head_h(self) -> float:
        """How high that is."""
        return card_height(self.head, self.w - STRIPE)

    @property
    def h(self) -> float:
        """How high the piece is."""
        return self.head_h + sum(row + 4 for row in self.rows) + 3

    def fitting(self, room: float) -> int:
        """How many rows fit."""
        room -= self.head_h + 3
        rows = 0
        for row in self.rows:
            room -= row + 4
            if room < 0:
                break
            rows += 1
        return rows


def _pages(
    atlas: Atlas,
    view: str,
    groups: Sequence[Group],
    legend: Sequence[Mark | Stroke],
    band: Callable[[Sheet, Box, Box, Atlas], float],
    stroke: Stroke,
) -> list[str]:
    width, height = room_of(SIZE)
    width -= RAIL
    height -= BAND_H + SPACE
    cell_w = (width - 6) / COLUMNS
    pages: list[list[list[_Piece]]] = [[]]
    left = height
    for group in groups:
        rest: Sequence[Cell] = group.cells
        part = 1
        while rest:
            columns = _columns(len(rest))
            shelf = pages[-1][-1] if pages[-1] else []
            piece = _piece(group, rest, part, columns, cell_w)
            beside = sum(other.columns for other in shelf) + columns <= COLUMNS
            higher = max(0.0, piece.h - max((other.h for other in shelf), default=0))
            if shelf and beside and columns < COLUMNS and higher <= left:
                shelf.append(piece)
                left -= higher
                break
            if piece.h + SPACE <= left:
                pages[-1].append([piece])
                left -= piece.h + SPACE
                break
            rows = piece.fitting(left - SPACE)
            # A head with one row under it at the foot of a page is worse than a gap.
            if rows > 1 or left == height:
                taken = max(rows, 1) * columns
                pages[-1].append([_piece(group, rest[:taken], part, columns, cell_w)])
                rest = rest[taken:]
                part += 1
            pages.append([])
            left = height
    if not pages[-1] and len(pages) > 1:
        pages.pop()
    about = About(
        province=atlas.plan.province,
        province_name=atlas.plan.name,
        of="province",
        view=view,
        subject=atlas.plan.name,
        source=atlas.source,
        name=f"province-{view}",
    )
    number = len(atlas.plan.units)
    described = (
        f"{atlas.plan.name}: trung tâm và {number} đơn vị trong {len(groups)} nhóm · "
        f"the centre and {number} units in {len(groups)} groups."
    )
    made = []
    for page, shelves in enumerate(pages, start=1):
        sheet, outer, room = framed(SIZE, about, legend, page, len(pages), described)
        start = band(sheet, outer, room, atlas)
        _draw(sheet, outer, room, shelves, start, stroke)
        made.append(sheet.svg())
    return made


def _columns(count: int) -> int:
    """Half the width for groups that are a little more than a row: two of them then stand side by side."""
    return count if count <= COLUMNS // 2 else COLUMNS // 2 if COLUMNS < count <= 12 else min(count, COLUMNS)


def _piece(group: Group, cells: Sequence[Cell], part: int, columns: int, cell_w: float) -> _Piece:
    w = columns * cell_w - 2
    inner = (w - 12) / columns - 4
    high = [
        card_height(cell.lines, inner) + (7 if cell.progress is not None else 0)
        for cell in cells[: columns * MOST_ROWS]
    ]
    return _Piece(
        group=group,
        cells=cells,
        part=" (tiếp · continued)" if part > 1 else "",
        columns=columns,
        w=w,
        rows=[max(high[first : first + columns]) for first in range(0, len(high), columns)],
    )


def _draw(
    sheet: Sheet, outer: Box, room: Box, shelves: Sequence[Sequence[_Piece]], start: float, stroke: Stroke
) -> None:
    """The shelves of a page, and the line that comes from the band down the left and along each shelf."""
    rail = room.x + RAIL / 2
    y = room.y + BAND_H + SPACE
    cell_w = (room.w - RAIL - 6) / COLUMNS
    for shelf in shelves:
        x = room.x + RAIL + 3
        along = y - SPACE / 2
        taps = []
        for piece in shelf:
            taps.append(x + 24)
            _draw_piece(sheet, outer, piece, x, y)
            x += piece.columns * cell_w
        sheet.wire(
            [(rail, start), (rail, along), (taps[-1], along)],
            stroke=stroke.colour,
            thick=stroke.thick,
            dash=stroke.dash,
        )
        for tap in taps:
            sheet.wire([(tap, along), (tap, y)], stroke=stroke.colour, thick=stroke.thick)
            sheet.dot(tap, along, fill=stroke.colour)
        y += max(piece.h for piece in shelf) + SPACE


def _draw_piece(sheet: Sheet, outer: Box, piece: _Piece, x: float, y: float) -> None:
    look = piece.group.look
    frame = sheet.box(
        x, y, piece.w, piece.h, inside=outer, fill=look.tint, stroke=look.colour, radius=0, area=True
    )
    sheet.stripe(x, y, STRIPE, piece.h, look, area=True)
    sheet.write(Box(frame.number, x + STRIPE, y, piece.w - STRIPE, piece.h), piece.head)
    inner = (piece.w - 12) / piece.columns
    rows = piece.rows
    for number, cell in enumerate(piece.cells):
        down, along = divmod(number, piece.columns)
        left, top = x + 11 + along * inner, y + piece.head_h + sum(row + 4 for row in rows[:down])
        box = sheet.card(
            left, top, inner - 4, cell.lines, h=rows[down], inside=frame, dash=cell.dash, thick=0.8
        )
        if cell.progress is not None:
            wide = box.w - 14
            sheet.bar(box.x + 7, box.bottom - 8, wide, 4, cell.progress)


def _logical_band(sheet: Sheet, outer: Box, room: Box, atlas: Atlas) -> float:
    """Centre, hubs and pools over the units; gives where the tunnels begin, under the hubs."""
    plan, register = atlas.plan, atlas.register
    pool = register.pools[CENTRE]
    centre_w, hub_w = 300.0, 232.0
    y, h = room.y, BAND_H - 14
    machines = atlas.catalogue.machines
    hubs = [host for host in centre_hosts(atlas) if machines[host.machine].sphere]
    tunnels = Counter(peer.hub for peer in plan.peers)
    left = room.x + RAIL + 3
    for number, host in enumerate(hubs):
        lines = [
            Line(host.name, 11, bold=True),
            Line(
                f"{both(of(SPHERES, machines[host.machine].sphere))}; AS {machines[host.machine].asn}; "
                f"{tunnels[host.name]} đường hầm · tunnels",
                9,
                lines=3,
            ),
        ]
        for interface in host.interfaces:
            if interface.method == "tunnel" or atlas.segments[interface.segment] in atlas.lines(host):
                said = ", ".join(str(address.ip) for address in interface.addresses)
                lines.append(Line(f"{interface.name}: {said}", 8, lines=2))
        x = left + number * (hub_w + 10)
        sheet.card(x, y, hub_w, lines, h=h, inside=outer, thick=2, stroke=TUNNEL_COLOUR)
        sheet.wire(
            [(x + 24, y + h), (x + 24, y + h + 7), (room.x + RAIL / 2, y + h + 7)],
            stroke=TUNNEL_COLOUR,
            thick=TUNNEL.thick,
            dash=TUNNEL.dash,
        )
    x = left + len(hubs) * (hub_w + 10) + 24
    inner = [
        Line(f"Trung tâm · centre dc.{plan.domain}", 11, bold=True),
        Line(f"{pool.network4}, {pool.network6}", 9),
        Line(f"{len(centre_hosts(atlas))} máy · machines, {len(plan.services)} dịch vụ · services", 9),
        Line("Xem sơ đồ trung tâm · see the drawings of the centre", 8, fill=FAINT),
    ]
    sheet.card(x, y, centre_w, inner, h=h, inside=outer, thick=2)
    if hubs:
        for end, start in ((x, left + (len(hubs) - 1) * (hub_w + 10)), *_gaps(left, hub_w, len(hubs))):
            sheet.wire([(start + hub_w, y + h / 2), (end, y + h / 2)], thick=2)
    x += centre_w + 14
    counts = Counter(unit.pool for unit in plan.units)
    rows = [(name, pool) for name, pool in register.pools.items() if counts[name]]
    lines = [Line("Vùng địa chỉ · pools", 10, bold=True)]
    lines += [
        Line(f"{of(POOLS, name)[0]}: {counts[name]} đơn vị – {given.network4}, {given.network6}", 8, lines=1)
        for name, given in rows
    ]
    fitting = int((h - pitch(10) - 7) // pitch(8))
    sheet.card(x, y, room.right - x, lines[: 1 + fitting], h=h, inside=outer)
    return y + h + 7


def _gaps(left: float, w: float, count: int) -> list[tuple[float, float]]:
    """Where each hub but the first begins, with where the one before it does."""
    return [(left + number * (w + 10), left + (number - 1) * (w + 10)) for number in range(1, count)]


def _physical_band(sheet: Sheet, outer: Box, room: Box, atlas: Atlas) -> float:
    """Lines of the centre, and how many units of each wave are how far."""
    y, h = room.y, BAND_H - 14
    left = room.x + RAIL + 3
    carrier_w, line_w = 240.0, 250.0
    lines = [segment for host in centre_hosts(atlas) for segment in atlas.lines(host)]
    open_units = [unit for unit in atlas.plan.units if unit.state != CLOSED]
    total = sum(link.bandwidth_mbps for unit in open_units for link in atlas.records[unit.id].links)
    number = sum(len(atlas.records[unit.id].links) for unit in open_units)
    words: Words = ("Mạng của nhà cung cấp", "networks of carriers")
    sheet.card(
        left,
        y,
        carrier_w,
        [
            Line(both(words), 11, bold=True),
            Line(f"{number} đường của đơn vị · lines of units", 10),
            Line(f"tổng · total {total} Mbit/s", 10),
            Line(f"{len(lines)} đường của trung tâm · lines of the centre", 10),
        ],
        h=h,
        inside=outer,
        dash="6 3",
        thick=1.8,
    )
    sheet.wire(
        [(left + 24, y + h), (left + 24, y + h + 7), (room.x + RAIL / 2, y + h + 7)],
        stroke=LINE.colour,
        thick=LINE.thick,
        dash=LINE.dash,
    )
    x = left + carrier_w + 60
    each = h / max(1, len(lines))
    for place, segment in enumerate(lines):
        at = y + place * each
        sheet.wire(
            [(left + carrier_w, at + each / 2), (x, at + each / 2)],
            stroke=LINE.colour,
            thick=LINE.thick,
            dash=LINE.dash,
        )
        sheet.card(x, at, line_w, _centre_line(segment), h=each - 5, inside=outer, thick=1.8)
    x += line_w + 14
    _wave_table(sheet, outer, atlas, x, y, room.right - x, h)
    return y + h + 7


def _centre_line(segment: Segment) -> list[Line]:
    return [
        Line(segment.id.rpartition("/")[2], 10, bold=True),
        Line(f"{segment.network4}, {segment.network6}", 8, lines=1),
    ]


def _wave_table(sheet: Sheet, outer: Box, atlas: Atlas, x: float, y: float, w: float, h: float) -> None:
    """Waves as rows, states as columns."""
    counts: dict[int, Counter[str]] = {}
    for unit in atlas.plan.units:
        counts.setdefault(atlas.records[unit.id].wave, Counter())[unit.state] += 1
    row_h = 17.0
    fitting = int(h // row_h) - 1
    waves = sorted(counts)
    rows = [(str(wave), counts[wave]) for wave in waves[:fitting]]
    if len(waves) > fitting:
        last: Counter[str] = Counter()
        for wave in waves[fitting - 1 :]:
            last += counts[wave]
        rows[-1] = (f"{waves[fitting - 1]}–{waves[-1]}", last)
    titles = ["Đợt · wave", *(both(words) for words in STATES.values())]
    wide = w / len(titles)
    for line, cells in enumerate(
        [titles, *([name, *(str(found[state]) for state in STATES)] for name, found in rows)]
    ):
        for place, text in enumerate(cells):
            cell = sheet.box(
                x + place * wide, y + line * row_h, wide, row_h, inside=outer, radius=0, thick=0.7,
                fill="#eeeeee" if not line else "#ffffff",
            )  # fmt: skip
            sheet.label(cell.x + 5, base_line(cell.y + 2, 9), text, cell, size=9, bold=not line)
