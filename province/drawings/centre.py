"""The centre: its zones, and who may speak across them; its machines, and what each hangs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from province.drawings.atlas import CARRIER, CLOSED, Atlas, centre_places
from province.drawings.frame import About, Mark, Stroke, framed, room_of, zone_marks
from province.drawings.sheet import FAINT, INK, SIZES, Box, Line, Sheet, base_line, card_height
from province.drawings.text import width
from province.drawings.unit import LINE, ports
from province.drawings.words import LOOKS, MACHINES, SEGMENTS, ZONES, Words, of
from province.plan.model import Interface, PlannedFlow, PlannedHost, Segment, Zone
from province.register.catalogue import ANY, OUTSIDE, Flow
from province.register.model import CENTRE

UNIT = "unit"
RESERVED = Mark("Máy dự phòng, chưa dựng · reserved, not built", None, "4 3")
VIP = Mark("Địa chỉ chung của cặp · address of the pair (VIP)", None, "1 3")
FLOW = Stroke("Luồng được phép · allowed flow (số · number)", INK, "", 1.5, True)
AT: dict[str, Words] = {
    CENTRE: ("trung tâm", "centre"),
    UNIT: ("đơn vị", "units"),
    OUTSIDE: ("bên ngoài", "outside"),
}
# From outside to what is best guarded: lines stay short, and a reader goes down as traffic does.
ROWS = [
    (OUTSIDE, Zone.BORDER),
    (CENTRE, Zone.BORDER),
    (UNIT, Zone.BORDER),
    (UNIT, Zone.WIRELESS),
    (UNIT, Zone.INTERNAL),
    *((at, zone) for at in (CENTRE, UNIT) for zone in Zone if zone not in (Zone.BORDER, Zone.MANAGEMENT)),
    (CENTRE, Zone.MANAGEMENT),
    (UNIT, Zone.MANAGEMENT),
]
Row = tuple[str, Zone]
NAME_W, CHIP_W, LANE, GAP = 134.0, 121.0, 34.0, 5.0
LEGEND_W = 284.0
HEAD = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """All flows from one row to another, by the number that the drawing gives them."""

    number: int
    source: Row
    destination: Row
    flows: tuple[tuple[PlannedFlow, Flow], ...]


def crossings(atlas: Atlas) -> list[Crossing]:
    """The flows of the plan, gathered by where they begin and end, in the order of the rows."""
    order = {row: place for place, row in reversed(list(enumerate(ROWS)))}
    found: dict[tuple[Row, Row], list[tuple[PlannedFlow, Flow]]] = {}
    for flow, declared in atlas.flows:
        source = [(at, flow.source.zone) for at in _ats(declared.source.at)]
        for start in source:
            for at in _ats(declared.destination.at):
                end = (at, flow.destination.zone)
                # `any` on both sides means each in its own network, not units in the centre's.
                if not declared.same_segment or start[0] == at:
                    found.setdefault((start, end), []).append((flow, declared))
    ordered = sorted(found.items(), key=lambda item: (order[item[0][0]], order[item[0][1]]))
    return [
        Crossing(number=number, source=source, destination=end, flows=tuple(flows))
        for number, ((source, end), flows) in enumerate(ordered, start=1)
    ]


def _ats(at: str) -> tuple[str, ...]:
    return (CENTRE, UNIT) if at == ANY else (at,)


def logical(atlas: Atlas) -> list[str]:
    """Zones as rows with segments, machines, addresses; flows between them in lanes; their reasons."""
    across = crossings(atlas)
    rows = [row for row in dict.fromkeys(ROWS) if _present(atlas, row, across)]
    lanes, count = _lanes(across, rows)
    lanes_w = max(count, 1) * LANE + 14
    legend = [_crossing_lines(crossing) for crossing in across]
    legend_h = HEAD + sum(card_height(lines, LEGEND_W) + 3 for lines in legend)

    def heights(inner: float) -> list[float]:
        return [_row_height(atlas, row, inner) for row in rows]

    size, inner = list(SIZES)[-1], 0.0
    for size in [name for name in SIZES if name != "A4"]:
        w, h = room_of(size)
        inner = w - NAME_W - lanes_w - LEGEND_W - 12
        needed = HEAD + sum(height + GAP for height in heights(inner))
        if inner > 2 * CHIP_W and max(needed, legend_h) <= h:
            break
    reasons = _reason_pages(across)
    pages = 1 + len(reasons)
    about = _about(atlas, "logical")
    described = (
        f"{len(rows)} vùng, {len(across)} nhóm luồng được phép giữa các vùng; luồng khác bị chặn · "
        f"{len(rows)} rows of zones, {len(across)} groups of allowed flows; everything else is refused."
    )
    marks: list[Mark | Stroke] = [*zone_marks(zone for _, zone in rows), FLOW, VIP]
    if _any_reserved(atlas):
        marks.append(RESERVED)
    sheet, outer, room = framed(size, about, marks, 1, pages, described)
    _head(
        sheet,
        outer,
        room,
        "Vùng, đoạn mạng, máy và luồng được phép · zones, segments, machines, allowed flows",
    )
    y = room.y + HEAD
    areas: dict[Row, Box] = {}
    for row, height in zip(rows, heights(inner), strict=True):
        areas[row] = _draw_row(sheet, outer, atlas, row, room.x, y, NAME_W + inner + lanes_w, inner, height)
        y += height + GAP
    start = room.x + NAME_W + inner + 5
    for crossing in across:
        x = start + lanes[crossing.number] * LANE + LANE / 2
        source, target = areas[crossing.source], areas[crossing.destination]
        top, end = source.y + source.h / 2, target.y + target.h / 2
        if crossing.source == crossing.destination:
            loop = [(x + 9, top - 5), (x + 20, top - 5), (x + 20, top + 5), (x + 10, top + 5)]
            sheet.wire(loop, thick=FLOW.thick, arrow=True)
        else:
            ahead = 1 if end > top else -1
            sheet.wire([(x, top + 9 * ahead), (x, end - 5 * ahead)], thick=FLOW.thick, arrow=True)
        sheet.badge(x, top, str(crossing.number), inside=source)
    x, y = start + lanes_w + 2, room.y + HEAD
    sheet.label(
        x, base_line(room.y, 11), "Luồng giữa các vùng · flows", outer, size=11, bold=True, room=LEGEND_W
    )
    for lines in legend:
        y = sheet.card(x, y, LEGEND_W, lines, inside=outer, stroke="#999999", thick=0.7).bottom + 3
    made = [sheet.svg()]
    for number, entries in enumerate(reasons, start=2):
        made.append(_reason_sheet(about, entries, number, pages))
    return made


def _about(atlas: Atlas, view: str) -> About:
    return About(
        province=atlas.plan.province,
        province_name=atlas.plan.name,
        of="centre",
        view=view,
        subject=f"{atlas.plan.name} – dc.{atlas.plan.domain}",
        source=atlas.source,
        name=f"centre-{view}",
    )


def _head(sheet: Sheet, outer: Box, room: Box, text: str) -> None:
    sheet.label(room.x, base_line(room.y, 11), text, outer, size=11, bold=True, room=room.w - LEGEND_W - 20)


def _present(atlas: Atlas, row: Row, across: Sequence[Crossing]) -> bool:
    if any(row in (crossing.source, crossing.destination) for crossing in across):
        return True
    at, zone = row
    return bool(_segments(atlas, zone)) if at == CENTRE else at == UNIT and bool(_unit_segments(atlas, zone))


def _segments(atlas: Atlas, zone: Zone) -> list[Segment]:
    """The centre's segments of a zone, the lines of its machines included."""
    lines = {line.id for host in centre_places(atlas) for line in atlas.lines(host)}
    return [
        segment
        for segment in atlas.plan.segments
        if segment.zone is zone and (segment.owner == CENTRE or segment.id in lines)
    ]


def _unit_segments(atlas: Atlas, zone: Zone) -> list[str]:
    return [
        f"{s.name}{f' (VLAN {s.vlan})' if s.vlan else ''}" for s in atlas.catalogue.unit if s.zone is zone
    ]


def _lanes(across: Sequence[Crossing], rows: Sequence[Row]) -> tuple[dict[int, int], int]:
    """A lane for each crossing, so that in no row two of them share one; and how many lanes there are."""
    taken: list[list[tuple[int, int]]] = []
    given: dict[int, int] = {}
    for crossing in across:
        low, high = sorted((rows.index(crossing.source), rows.index(crossing.destination)))
        for number, spans in enumerate(taken):
            if all(high < start or low > end for start, end in spans):
                spans.append((low, high))
                given[crossing.number] = number
                break
        else:
            given[crossing.number] = len(taken)
            taken.append([(low, high)])
    return given, len(taken)


def _chips(atlas: Atlas, segment: Segment) -> list[tuple[list[Line], str]]:
    """Machines of a segment with their addresses, then the pairs' addresses; with the dash of their frame."""
    made: list[tuple[list[Line], str]] = []
    shared: dict[str, list[Line]] = {}
    for host in centre_places(atlas):
        for interface in host.interfaces:
            if interface.segment != segment.id:
                continue
            dash = RESERVED.dash if _reserved(atlas, host) else ""
            said = _addresses(interface.addresses) or [Line("dự phòng · reserved", 8)]
            made.append(([Line(host.name, 9, bold=True), *said], dash))
            if interface.vips:
                short = atlas.catalogue.machines[host.machine].short
                shared[host.machine] = [
                    Line(f"{short} (VIP)", 9, bold=True),
                    *_addresses(interface.vips),
                ]
    return made + [(lines, VIP.dash) for lines in shared.values()]


def _addresses(given: Sequence[object]) -> list[Line]:
    return [Line(str(address).partition("/")[0], 8) for address in given]


def _reserved(atlas: Atlas, host: PlannedHost) -> bool:
    planned = host in atlas.hosts.get(CENTRE, ())
    return not planned or host.member > atlas.size(host.machine, "members")


def _any_reserved(atlas: Atlas) -> bool:
    return any(_reserved(atlas, host) for host in centre_places(atlas))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Island:
    """A segment as it is laid out in a row: its head, its chips in columns."""

    segment: Segment
    head: list[Line]
    chips: list[tuple[list[Line], str]]
    columns: int
    w: float
    head_h: float
    chip_h: float

    @property
    def h(self) -> float:
        return self.head_h + -(-len(self.chips) // self.columns) * (self.chip_h + 4) + 3


def _island(atlas: Atlas, segment: Segment, inner: float, alone: bool) -> _Island:
    chips = _chips(atlas, segment)
    # A head of one line wants five chips' width; where several segments share a row, two must do.
    least = 5 if alone else 2
    columns = max(least, min(len(chips), int((inner - 10) // CHIP_W)))
    w = columns * CHIP_W + 4
    vi, _ = of(SEGMENTS, segment.name)
    vlan = f" – VLAN {segment.vlan}" if segment.vlan else ""
    owner = (
        f" {segment.id.rpartition('/')[2].removesuffix(f'-{segment.name}')}"
        if segment.owner == CARRIER
        else ""
    )
    way = f" – GW {segment.gateway4}, {segment.gateway6}" if segment.gateway4 is not None else ""
    head = [
        Line(f"{segment.name}{owner} · {vi}{vlan} – {segment.network4} – {segment.network6}{way}", 9, lines=4)
    ]
    return _Island(
        segment=segment,
        head=head,
        chips=chips,
        columns=columns,
        w=w,
        head_h=card_height(head, w),
        chip_h=max((card_height(lines, CHIP_W - 4) for lines, _ in chips), default=0),
    )


def _shelves(atlas: Atlas, row: Row, inner: float) -> list[list[_Island]]:
    shelves: list[list[_Island]] = []
    segments = _segments(atlas, row[1]) if row[0] == CENTRE else []
    for segment in segments:
        island = _island(atlas, segment, inner, alone=len(segments) == 1)
        if shelves and sum(other.w + 6 for other in shelves[-1]) + island.w <= inner - 6:
            shelves[-1].append(island)
        else:
            shelves.append([island])
    return shelves


def _row_height(atlas: Atlas, row: Row, inner: float) -> float:
    shelves = _shelves(atlas, row, inner)
    islands = sum(max(island.h for island in shelf) + 5 for shelf in shelves) + 5
    words_h = card_height(_row_name(row), NAME_W, True) + 4
    return max(islands if shelves else card_height(_row_words(atlas, row), inner), words_h)


def _row_name(row: Row) -> list[Line]:
    at, zone = row
    vi, en = ZONES[zone]
    if at == CENTRE:
        return [Line(vi, 10, bold=True), Line(en, 9)]
    return [Line(f"{vi} ({AT[at][0]})", 9, bold=True)]


def _row_words(atlas: Atlas, row: Row) -> list[Line]:
    at, zone = row
    if at == OUTSIDE:
        return [Line(f"Internet, không thuộc tỉnh · {ZONES[zone][1]} outside, not ours", 9)]
    number = sum(unit.state != CLOSED for unit in atlas.plan.units)
    named = ["wan"] if zone is Zone.BORDER else _unit_segments(atlas, zone)
    said = f"{', '.join(named)} – {number} đơn vị · {ZONES[zone][1]}, {number} units"
    return [Line(said, 9, lines=2)]


def _draw_row(
    sheet: Sheet, outer: Box, atlas: Atlas, row: Row, x: float, y: float, w: float, inner: float, h: float
) -> Box:
    """Draw a zone with its segments and machines; its box."""
    look = LOOKS[row[1]]
    area = sheet.box(x, y, w, h, inside=outer, fill=look.tint, stroke=look.colour, radius=0, area=True)
    sheet.stripe(x, y, 10, h, look, area=True)
    sheet.write(Box(area.number, x, y, NAME_W, h), _row_name(row), left=10, top=2)
    shelves = _shelves(atlas, row, inner)
    if not shelves:
        sheet.write(Box(area.number, x + NAME_W, y, inner, h), _row_words(atlas, row), top=2)
    top = y + 5
    for shelf in shelves:
        left = x + NAME_W
        for island in shelf:
            frame = sheet.box(left, top, island.w, island.h, inside=area, stroke=look.colour, radius=0)
            sheet.write(frame, island.head)
            for number, (lines, dash) in enumerate(island.chips):
                down, along = divmod(number, island.columns)
                sheet.card(
                    left + 4 + along * CHIP_W,
                    top + island.head_h + down * (island.chip_h + 4),
                    CHIP_W - 4,
                    lines,
                    h=island.chip_h,
                    inside=frame,
                    dash=dash,
                    thick=0.9,
                )
            left += island.w + 6
        top += max(island.h for island in shelf) + 5
    return area


def _where(row: Row) -> str:
    return f"{ZONES[row[1]][0]} ({AT[row[0]][0]})"


def _crossing_lines(crossing: Crossing) -> list[Line]:
    services = list(dict.fromkeys(flow.service for flow, _ in crossing.flows))
    return [
        Line(f"{crossing.number}  {_where(crossing.source)} → {_where(crossing.destination)}", 9, bold=True),
        Line(", ".join(services), 9, lines=4),
    ]


# A row of the table of reasons: its cells, as wide as COLUMNS.
Cells = tuple[str, ...]
COLUMNS = (38.0, 250.0, 290.0, 330.0, 110.0, 0.0)
TITLES: Cells = (
    "Số",
    "Từ · from",
    "Đến · to",
    "Dịch vụ · services",
    "Phụ trách · owner",
    "Lý do · reason",
)


def _reasons(across: Sequence[Crossing]) -> list[Cells]:
    """A row for each flow of the catalogue in each crossing: it has one reason for all its services."""
    made: list[Cells] = []
    for crossing in across:
        grouped: dict[int, list[tuple[PlannedFlow, Flow]]] = {}
        for flow, declared in crossing.flows:
            grouped.setdefault(id(declared), []).append((flow, declared))
        for flows in grouped.values():
            flow, declared = flows[0]
            services = "; ".join(f"{one.service} {ports(one.ports)}" for one, _ in flows)
            made.append(
                (
                    str(crossing.number),
                    _end(crossing.source, flow.source.segments, {one.source.machine for one, _ in flows}),
                    _end(
                        crossing.destination,
                        flow.destination.segments,
                        {one.destination.machine for one, _ in flows},
                    ),
                    services,
                    declared.owner,
                    declared.reason,
                )
            )
    return made


def _end(row: Row, segments: Sequence[str], machines: set[str | None]) -> str:
    named = ", ".join(segments) or "bất kỳ · any"
    who = ", ".join(sorted(machine for machine in machines if machine))
    return f"{_where(row)}: {named}" + (f" – {who}" if who else "")


TABLE_SIZE = "A3"


def _cell_widths() -> list[float]:
    w = room_of(TABLE_SIZE)[0]
    return [*COLUMNS[:-1], w - sum(COLUMNS[:-1])]


def _row_lines(cells: Cells, bold: bool = False) -> list[list[Line]]:
    return [[Line(cell, 10, bold=bold, lines=12)] for cell in cells]


def _table_height(cells: Cells, bold: bool = False) -> float:
    return max(
        card_height(lines, wide) for lines, wide in zip(_row_lines(cells, bold), _cell_widths(), strict=True)
    )


def _reason_pages(across: Sequence[Crossing]) -> list[list[Cells]]:
    room = room_of(TABLE_SIZE)[1] - HEAD - 24
    pages: list[list[Cells]] = []
    left = 0.0
    for cells in _reasons(across):
        height = _table_height(cells)
        if height > left:
            pages.append([])
            left = room
        pages[-1].append(cells)
        left -= height
    return pages


def _reason_sheet(about: About, entries: Sequence[Cells], page: int, pages: int) -> str:
    described = "Lý do của từng luồng được phép · why each flow is allowed."
    sheet, outer, room = framed(TABLE_SIZE, about, [], page, pages, described)
    _head(sheet, outer, room, "Lý do của từng luồng được phép · why each flow is allowed")
    y = room.y + HEAD
    for number, cells in enumerate([TITLES, *entries]):
        height = _table_height(cells, bold=not number)
        x = room.x
        for lines, wide in zip(_row_lines(cells, bold=not number), _cell_widths(), strict=True):
            sheet.card(
                x, y, wide, lines, h=height, inside=outer, thick=0.7, fill="#ffffff" if number else "#eeeeee"
            )
            x += wide
        y += height
    return sheet.svg()


LABEL_W, END_W, PITCH_Y = 256.0, 104.0, 62.0


def physical(atlas: Atlas) -> list[str]:
    """Machines as columns, networks as rails: a dot is a port; lines of carriers at the end."""
    hosts = centre_places(atlas)
    used = {interface.segment for host in hosts for interface in host.interfaces}
    rails = [
        segment
        for segment in atlas.plan.segments
        if (segment.owner == CENTRE or segment.id in used) and (segment.vlan or segment.owner == CARRIER)
    ]
    named = [_host_lines(atlas, host) for host in hosts]
    column = max(
        [86.0]
        + [
            width(text, 9) + 24
            for host in hosts
            for interface in host.interfaces
            for text in _port_words(atlas, interface)
        ]
    )
    host_h = max((card_height(lines, column - 6) for lines in named), default=0)

    def fitting(size: str) -> int:
        return int((room_of(size)[0] - LABEL_W - END_W - 10) // column)

    needed = HEAD + host_h + 34 + len(rails) * PITCH_Y
    sizes = [size for size in ("A3", "A2", "A1", "A0") if needed <= room_of(size)[1]] or ["A0"]
    size = next((size for size in sizes if fitting(size) >= len(hosts)), sizes[-1])
    each = max(1, fitting(size))
    pages = -(-len(hosts) // each) or 1
    about = _about(atlas, "physical")
    described = (
        f"{len(hosts)} máy trên {len(rails)} mạng · {len(hosts)} machines on {len(rails)} networks. "
        "Đường hầm không phải dây, xem sơ đồ logic · tunnels are no wires, see the logical drawing."
    )
    marks: list[Mark | Stroke] = [
        *zone_marks(segment.zone for segment in rails),
        Stroke("Cầu nối hoặc VLAN trên bộ chuyển mạch · bridge or switch VLAN", thick=3),
        LINE,
        Stroke("Cổng máy, chấm là có nối · port, a dot is a connection"),
        RESERVED,
    ]
    made = []
    for page in range(1, pages + 1):
        first = (page - 1) * each
        sheet, outer, room = framed(size, about, marks, page, pages, described)
        _head(sheet, outer, room, "Máy và mạng mỗi máy nối vào · machines and the networks each hangs on")
        _rails(sheet, outer, room, atlas, rails, hosts[first : first + each], column, host_h)
        made.append(sheet.svg())
    return made


def _rails(
    sheet: Sheet,
    outer: Box,
    room: Box,
    atlas: Atlas,
    rails: Sequence[Segment],
    hosts: Sequence[PlannedHost],
    column: float,
    host_h: float,
) -> None:
    top = room.y + HEAD
    begin, end = room.x + LABEL_W, room.right - END_W
    # Rails use the height that there is, up to a point.
    pitch = min(PITCH_Y + 16, (room.bottom - top - host_h - 34) / max(1, len(rails)))
    step = min(column + 24, (end - begin - 10) / max(1, len(hosts)))
    at = {segment.id: top + host_h + 34 + pitch * (number + 0.5) for number, segment in enumerate(rails)}
    for segment in rails:
        look, y = LOOKS[segment.zone], at[segment.id]
        sheet.card(room.x, y - 27, LABEL_W, _rail_lines(segment), h=54, look=look, inside=outer)
        carried = segment.owner == CARRIER
        sheet.wire(
            [(begin, y), (end if _leaves(atlas, segment) else end - 8, y)],
            stroke=look.colour,
            thick=LINE.thick if carried else 3,
            dash=LINE.dash if carried else "",
        )
        if _leaves(atlas, segment):
            words_ = ["Nhà mạng", "carrier"] if carried else ["Internet"]
            sheet.card(
                end, y - 20, END_W, [Line(text, 10, bold=not place) for place, text in enumerate(words_)],
                h=40, inside=outer, dash="6 3",
            )  # fmt: skip
    for number, host in enumerate(hosts):
        x = begin + 8 + number * step
        reserved = _reserved(atlas, host)
        sheet.card(
            x, top, step - 6, _host_lines(atlas, host), h=host_h, inside=outer, thick=1.8,
            dash=RESERVED.dash if reserved else "",
        )  # fmt: skip
        found = [interface for interface in host.interfaces if interface.segment in at]
        if not found:
            continue
        spine = x + 12
        sheet.wire(
            [(spine, top + host_h), (spine, max(at[interface.segment] for interface in found))],
            dash=RESERVED.dash if reserved else "",
        )
        for interface in found:
            y = at[interface.segment]
            sheet.dot(spine, y)
            words_ = _port_words(atlas, interface)
            for text, line in zip(words_, (y - 5.5, y + 4 + 9), strict=False):
                sheet.label(spine + 7, line, text, outer, size=9, room=step - 19)


def _leaves(atlas: Atlas, segment: Segment) -> bool:
    """Whether a rail goes on to somebody else."""
    gateway = next((s.gateway for s in atlas.catalogue.centre if s.name == segment.name), "")
    return segment.owner == CARRIER or gateway == OUTSIDE


def _rail_lines(segment: Segment) -> list[Line]:
    vi, _ = of(SEGMENTS, segment.name)
    name = segment.id.rpartition("/")[2]
    first = f"VLAN {segment.vlan} · {name}" if segment.vlan else f"{vi} · {name}"
    return [
        Line(f"{first} · {vi}" if segment.vlan else first, 10, bold=True, lines=1),
        Line(str(segment.network4), 9),
        Line(str(segment.network6), 9, lines=1),
    ]


def _host_lines(atlas: Atlas, host: PlannedHost) -> list[Line]:
    machine = atlas.catalogue.machines[host.machine]
    return [
        Line(host.name, 10, bold=True),
        Line(of(MACHINES, host.machine)[0], 9, lines=3),
        *_size_lines(atlas, host),
        *(
            [Line("dự phòng · reserved", 9, bold=True)]
            if _reserved(atlas, host)
            else [Line(f"cặp · pair {host.member}/{machine.members}", 9, fill=FAINT)]
            if machine.members > 1
            else []
        ),
    ]


def _size_lines(atlas: Atlas, host: PlannedHost) -> list[Line]:
    cores, memory, disk = (atlas.size(host.machine, what) for what in ("cores", "memory_mib", "disk_gib"))
    shown = f"{memory // 1024} GiB" if memory % 1024 == 0 else f"{memory} MiB"
    return [
        Line(f"CPU {cores} nhân", 9),
        Line(f"RAM {shown}", 9),
        Line(f"Đĩa {disk} GiB", 9),
    ]


def _port_words(atlas: Atlas, interface: Interface) -> list[str]:
    """The IPv4 address of a port, and what its IPv6 address adds to the network's."""
    segment = atlas.segments[interface.segment]
    made = []
    for address in interface.addresses:
        if address.version == 4:
            made.append(str(address.ip))
        else:
            made.append(f"::{int(address.ip) - segment.network6.first:x}")
    return made
