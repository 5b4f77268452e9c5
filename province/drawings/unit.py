"""A unit: what its networks mean, and what hangs where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from province.drawings.atlas import Atlas
from province.drawings.frame import About, Mark, Stroke, framed, room_of, zone_marks
from province.drawings.sheet import FAINT, PAD, SIZES, Box, Line, Sheet, base_line, card_height
from province.drawings.words import (
    ACCESS,
    LEASED,
    LOOKS,
    MACHINES,
    SEGMENTS,
    SERVICES,
    SPHERES,
    STATES,
    ZONES,
    both,
    of,
)
from province.plan.flows import ports_of
from province.plan.model import Peer, PlannedHost, PlannedService, PlannedUnit, Port, Segment, Zone

TUNNEL_COLOUR = "#0b6b45"
TUNNEL = Stroke("Đường hầm · tunnel (WireGuard, BGP)", TUNNEL_COLOUR, "9 5", 2.6)
WIRED = Stroke("Kết nối · connection")
TRUNK = Stroke("Trunk 802.1Q", thick=3.6)
LINE = Stroke("Đường truyền của nhà mạng · carrier's line", LOOKS[Zone.BORDER].colour, "12 3 3 3", 2.6)
HEAD = 54.0
SEGMENT_W, SERVICE_W, HUB_W, GATEWAY_W = 212.0, 212.0, 252.0, 222.0
TUNNEL_GAP, CHANNEL, ROW_GAP, PORT_H = 86.0, 26.0, 12.0, 34.0


def ports(given: Iterable[Port]) -> str:
    """`udp/53 tcp/53, 80`."""
    return " ".join(f"{protocol}/{','.join(map(str, numbers))}" for protocol, numbers in ports_of(given))


def logical(atlas: Atlas, unit: PlannedUnit) -> list[str]:
    """Segments with zone, VLAN, addresses; the gateway with its AS; tunnels to the hubs; services."""
    peers = atlas.peers.get(unit.id, ())
    gateway = _gateway_lines(atlas, unit, peers)
    hubs = [_hub_lines(atlas, peer) for peer in peers]
    segments = [_segment_lines(atlas, unit, segment) for segment in unit.segments]
    services = [_service_lines(atlas, unit, service) for service in _taken(atlas, unit)]

    hub_h = max((card_height(lines, HUB_W) for lines in hubs), default=0)
    least = max(card_height(gateway, GATEWAY_W), len(hubs) * (hub_h + ROW_GAP) - ROW_GAP)
    segment_h = max((card_height(lines, SEGMENT_W, True) for lines in segments), default=0)
    service_h = max((card_height(lines, SERVICE_W, True) for lines in services), default=0)
    left = HUB_W + TUNNEL_GAP + GATEWAY_W

    def needed(width: float) -> tuple[int, int, float, float]:
        """Columns of segments and of services, where the services begin, and the height of all."""
        columns = max(1, int((width - left) // (SEGMENT_W + CHANNEL)))
        rows = -(-len(segments) // columns)
        top = HEAD + max(least, 24 + rows * (segment_h + ROW_GAP)) + 6
        across = max(1, int((width + ROW_GAP) // (SERVICE_W + ROW_GAP)))
        down = -(-len(services) // across)
        return columns, across, top, top + 20 + down * (service_h + ROW_GAP)

    size = next((size for size in SIZES if needed(room_of(size)[0])[3] <= room_of(size)[1]), list(SIZES)[-1])
    sheet, outer, room = _sheet(
        atlas,
        unit,
        "logical",
        size,
        [*zone_marks(s.zone for s in unit.segments), TUNNEL, WIRED],
    )
    columns, across, services_at, _ = needed(room.w)
    top = room.y + HEAD
    gateway_x = room.x + HUB_W + TUNNEL_GAP
    # As high as what stands beside it, and the hubs spread along it.
    gateway_h = services_at - HEAD - 6
    step = gateway_h / max(1, len(hubs))
    for number, (peer, lines) in enumerate(zip(peers, hubs, strict=True)):
        y = top + number * step + (step - hub_h) / 2
        sheet.card(room.x, y, HUB_W, lines, h=hub_h, inside=outer)
        middle = y + hub_h / 2
        sheet.wire(
            [(room.x + HUB_W, middle), (gateway_x, middle)],
            stroke=TUNNEL_COLOUR,
            thick=TUNNEL.thick,
            dash=TUNNEL.dash,
        )
        centre = room.x + HUB_W + TUNNEL_GAP / 2
        sheet.label(
            centre,
            middle - 7,
            peer.gateway_interface,
            outer,
            size=10,
            bold=True,
            anchor="middle",
            room=TUNNEL_GAP,
        )
        sheet.label(centre, middle + 14, f"udp/{peer.port}", outer, size=9, anchor="middle", room=TUNNEL_GAP)
    sheet.card(gateway_x, top, GATEWAY_W, gateway, h=gateway_h, inside=outer, thick=2)

    rail = top + 12
    for number, (segment, lines) in enumerate(zip(unit.segments, segments, strict=True)):
        column, row = divmod(number, -(-len(segments) // columns))
        x = gateway_x + GATEWAY_W + CHANNEL + column * (SEGMENT_W + CHANNEL)
        y = top + 24 + row * (segment_h + ROW_GAP)
        sheet.card(x, y, SEGMENT_W, lines, h=segment_h, look=LOOKS[segment.zone], inside=outer)
        bus, tap = x - CHANNEL / 2, y + segment_h / 2
        sheet.wire([(gateway_x + GATEWAY_W, rail), (bus, rail), (bus, tap), (x, tap)])
        sheet.dot(bus, tap)

    y = room.y + services_at
    if services:
        sheet.label(
            room.x,
            base_line(y, 11),
            f"Dịch vụ đơn vị dùng · Services taken ({len(services)})",
            outer,
            size=11,
            bold=True,
            room=room.w,
        )
    for number, (service, lines) in enumerate(zip(_taken(atlas, unit), services, strict=True)):
        row, column = divmod(number, across)
        sheet.card(
            room.x + column * (SERVICE_W + ROW_GAP),
            y + 20 + row * (service_h + ROW_GAP),
            SERVICE_W,
            lines,
            h=service_h,
            look=LOOKS[atlas.segments[f"centre/{service.segment}"].zone],
            inside=outer,
        )
    return [sheet.svg()]


def physical(atlas: Atlas, unit: PlannedUnit) -> list[str]:
    """Lines of the carrier, the gateway with its ports, the switch, and what hangs on each of its VLANs."""
    hosts = atlas.hosts.get(unit.id, ())
    gateways = atlas.gateways(unit.id)
    wired = [segment for segment in unit.segments if segment.vlan]
    devices = [_device_lines(hosts, gateways, segment, atlas) for segment in wired]
    record = atlas.records[unit.id]
    lines = [
        (segment, _line_lines(segment, record.links[number].access, record.links[number].bandwidth_mbps))
        for number, segment in enumerate(atlas.lines(gateways[0]) if gateways else [])
    ]
    line_w, port_w, switch_w, device_w = 214.0, 214.0, 186.0, 282.0
    gateway = _box_lines(atlas, gateways, unit, wired)
    device_h = [max(card_height(found, device_w, True), PORT_H + 2) for found in devices]
    line_h = max((card_height(found, line_w, True) for _, found in lines), default=0)
    gateway_h = max(card_height(gateway, port_w), len(lines) * (line_h + ROW_GAP))
    rows_h = sum(height + ROW_GAP for height in device_h)
    needed = HEAD + max(gateway_h, rows_h + 34)
    size = next((size for size in SIZES if needed <= room_of(size)[1]), list(SIZES)[-1])
    sheet, outer, room = _sheet(
        atlas,
        unit,
        "physical",
        size,
        [*zone_marks([s.zone for s in wired] + [Zone.BORDER]), LINE, TRUNK, WIRED],
    )
    top = room.y + HEAD
    spare = (room.w - line_w - port_w - switch_w - device_w) / 3
    gateway_x = room.x + line_w + spare
    switch_x = gateway_x + port_w + spare
    device_x = switch_x + switch_w + spare

    # What room is left goes between the rows.
    gap = ROW_GAP + max(0, min(28, (room.h - HEAD - 34 - rows_h) / max(1, len(wired))))
    switch_h = max(rows_h + (gap - ROW_GAP) * len(wired) + 34 - gap, 60)
    step = gateway_h / max(1, len(lines))
    for number, (_segment, found) in enumerate(lines):
        y = top + number * step + (step - line_h) / 2
        sheet.card(room.x, y, line_w, found, h=line_h, look=LOOKS[Zone.BORDER], inside=outer)
        sheet.wire(
            [(room.x + line_w, y + line_h / 2), (gateway_x, y + line_h / 2)],
            stroke=LINE.colour,
            thick=LINE.thick,
            dash=LINE.dash,
        )
    sheet.card(gateway_x, top, port_w, gateway, h=gateway_h, inside=outer, thick=2)

    switch = sheet.box(switch_x, top, switch_w, switch_h, inside=outer, thick=2)
    sheet.write(switch, [Line("Bộ chuyển mạch · switch", 11, bold=True, lines=1)], top=2)
    trunk_y = top + 14
    sheet.wire([(gateway_x + port_w, trunk_y), (switch_x, trunk_y)], thick=TRUNK.thick)
    y = top + 34
    for segment, found, height in zip(wired, devices, device_h, strict=True):
        look = LOOKS[segment.zone]
        port = sheet.box(
            switch_x + switch_w - 160, y + (height - PORT_H) / 2, 160, PORT_H, inside=switch, fill=look.tint
        )
        vi, en = of(SEGMENTS, segment.name)
        sheet.label(
            port.x + 6,
            base_line(port.y + 2, 10),
            f"VLAN {segment.vlan} · {segment.name}",
            port,
            size=10,
            bold=True,
        )
        sheet.label(port.x + 6, base_line(port.y + 17, 9), both((vi, en)), port, size=9)
        sheet.card(device_x, y, device_w, found, h=height, look=look, inside=outer)
        sheet.wire([(port.right, y + height / 2), (device_x, y + height / 2)])
        y += height + gap
    return [sheet.svg()]


def _sheet(
    atlas: Atlas, unit: PlannedUnit, view: str, size: str, legend: Sequence[Mark | Stroke]
) -> tuple[Sheet, Box, Box]:
    """The framed sheet of a unit, with who it is in its head."""
    kind = atlas.catalogue.kinds[unit.kind].title
    record = atlas.records[unit.id]
    parent = atlas.units[unit.parent].name if unit.parent else atlas.plan.name
    about = About(
        province=atlas.plan.province,
        province_name=atlas.plan.name,
        of="unit",
        view=view,
        subject=f"{unit.name} ({unit.code})",
        source=atlas.source,
        name=f"units/{unit.id}-{view}",
    )
    what = {
        "logical": f"{len(unit.segments)} đoạn mạng, {len(atlas.peers.get(unit.id, ()))} đường hầm · "
        f"{len(unit.segments)} segments, {len(atlas.peers.get(unit.id, ()))} tunnels to the hubs",
        "physical": f"{len(record.links)} đường truyền, thiết bị cổng, bộ chuyển mạch, máy · "
        f"{len(record.links)} lines, gateway, switch, machines",
    }[view]
    sheet, outer, room = framed(size, about, legend, 1, 1, f"{unit.name} ({unit.id}): {what}.")
    sheet.label(room.x, base_line(room.y, 15), unit.name, outer, size=15, bold=True, room=room.w)
    facts = [
        both((kind["vi"], kind["en"])),
        f"mã · code {unit.code}",
        f"id {unit.id}",
        f"trực thuộc · under {parent}",
        both(of(SPHERES, unit.sphere)),
        f"đợt · wave {record.wave}",
        both(of(STATES, unit.state)),
        f"cấp độ · level {record.level}",
    ]
    head = Box(outer.number, room.x - PAD, room.y + 20, room.w + PAD, HEAD - 20)
    sheet.write(head, [Line("; ".join(facts), 10, fill=FAINT, lines=2)])
    return sheet, outer, room


def _hub_lines(atlas: Atlas, peer: Peer) -> list[Line]:
    sphere = atlas.units[peer.unit].sphere
    hub = next(machine for machine in atlas.catalogue.hubs if machine.sphere == sphere)
    return [
        Line(peer.hub, 11, bold=True),
        Line(both(of(MACHINES, hub.id)), lines=2),
        Line(f"AS {hub.asn}", 10),
        Line(f"Đầu hầm · tunnel end {peer.hub_interface}: {peer.hub_address4}", lines=2),
        Line(f"{peer.hub_address6}", lines=2),
        Line("Điểm cuối ngoài · outer endpoint:", fill=FAINT),
        Line(f"{peer.endpoint4}, {peer.endpoint6}", lines=3),
    ]


def _gateway_lines(atlas: Atlas, unit: PlannedUnit, peers: Iterable[Peer]) -> list[Line]:
    made: list[Line] = []
    for host in atlas.gateways(unit.id):
        made += [Line(host.name, 11, bold=True, lines=4), Line(both(MACHINES["unit_gateway"]))]
    made += [
        Line(f"AS {unit.asn}", 11, bold=True),
        Line("Khối địa chỉ · block:", fill=FAINT),
        Line(str(unit.prefix4)),
        Line(str(unit.prefix6), lines=2),
    ]
    for peer in peers:
        made += [
            Line(f"{peer.gateway_interface} → {peer.hub}:", bold=True),
            Line(f"{peer.gateway_address4}"),
            Line(f"{peer.gateway_address6}", lines=2),
        ]
    for host in atlas.gateways(unit.id):
        made.append(Line("Đường truyền · lines:", fill=FAINT))
        for segment in atlas.lines(host):
            own = next(i for i in host.interfaces if i.segment == segment.id)
            made.append(Line(f"{own.name}: " + ", ".join(str(a.ip) for a in own.addresses), lines=3))
    offered = [s.id for s in atlas.services.values() if s.machine == "unit_gateway"]
    if offered:
        made += [Line("Phục vụ tại chỗ · local services:", fill=FAINT), Line(", ".join(offered), lines=4)]
    made.append(Line("Luồng không nêu đều bị chặn · what is not listed is refused", 9, fill=FAINT, lines=3))
    return made


def _segment_lines(atlas: Atlas, unit: PlannedUnit, segment: Segment) -> list[Line]:
    vi, _ = of(SEGMENTS, segment.name)
    vlan = f"VLAN {segment.vlan}" if segment.vlan else "không VLAN · none"
    made = [
        Line(both((vi, segment.name)), 11, bold=True, lines=1),
        Line(f"{both(ZONES[segment.zone])} – {vlan}", 9),
        Line(str(segment.network4)),
        Line(str(segment.network6), lines=2),
    ]
    if segment.gateway4 is not None:
        made.append(Line(f"Cổng · gateway {segment.gateway4}", 9))
        made.append(Line(f"{segment.gateway6}", 9))
    used = _services_from(atlas, unit, segment)
    if used:
        made.append(Line("→ " + ", ".join(used), 9, fill=FAINT, lines=8))
    return made


def _services_from(atlas: Atlas, unit: PlannedUnit, segment: Segment) -> list[str]:
    """Services that machines of a segment may ask, by id."""
    return list(
        dict.fromkeys(
            flow.service
            for flow, declared in atlas.flows
            if declared.source.at in ("unit", "any")
            and segment.name in flow.source.segments
            and _takes(atlas, unit, flow.service)
        )
    )


def _takes(atlas: Atlas, unit: PlannedUnit, service: str) -> bool:
    """Whether a flow to a service is this unit's: those of the centre with a name are taken singly."""
    planned = atlas.services.get(service)
    if planned is None or not planned.names or planned.machine in atlas.catalogue.unit_machines:
        return True
    return service in atlas.records[unit.id].services


def _taken(atlas: Atlas, unit: PlannedUnit) -> list[PlannedService]:
    return [atlas.services[name] for name in atlas.records[unit.id].services if name in atlas.services]


def _service_lines(atlas: Atlas, unit: PlannedUnit, service: PlannedService) -> list[Line]:
    askers = [segment.name for segment in unit.segments if service.id in _services_from(atlas, unit, segment)]
    title = SERVICES.get(service.id, service.id)
    made = [
        Line(both((title, service.id)), 10, bold=True),
        Line(f"{', '.join(service.names)}", 9, lines=3),
        Line(ports(service.ports), 9, lines=3),
        Line(", ".join(map(str, service.addresses4)), 9, lines=4),
        Line(", ".join(map(str, service.addresses6)), 9, lines=4),
    ]
    if askers:
        made.append(Line(f"từ · from: {', '.join(askers)}", 9, fill=FAINT, lines=3))
    return made


def _line_lines(segment: Segment, access: str, rate: int) -> list[Line]:
    return [
        Line(f"Đường truyền · line {segment.name}", 11, bold=True),
        Line(f"{both(of(ACCESS, access))}, {rate} Mbit/s", 10, bold=True),
        Line(str(segment.network4), 10),
        Line(str(segment.network6), 10, lines=2),
        Line(f"phía nhà mạng · carrier {segment.gateway4}", 9),
        Line(f"{segment.gateway6}", 9, lines=2),
    ]


def _box_lines(
    atlas: Atlas, gateways: Iterable[PlannedHost], unit: PlannedUnit, wired: Sequence[Segment]
) -> list[Line]:
    made: list[Line] = []
    for host in gateways:
        made += [Line(host.name, 11, bold=True, lines=4), Line(both(MACHINES["unit_gateway"]))]
        for interface in host.interfaces:
            if atlas.segments[interface.segment].owner != unit.id:
                made.append(Line(f"Cổng WAN · WAN port {interface.name}:", 10, bold=True))
                made += [Line(str(address), 10, lines=2) for address in interface.addresses]
        made.append(Line("Cổng LAN · LAN port: trunk 802.1Q", 10, bold=True))
        made.append(Line("VLAN " + ", ".join(str(segment.vlan) for segment in wired), 10, lines=8))
        for interface in host.interfaces:
            if interface.method == "tunnel":
                continue
            if atlas.segments[interface.segment].owner == unit.id:
                first = next(iter(interface.addresses), None)
                made.append(Line(f"{interface.name}: {first or 'DHCP'}", 9, lines=2))
    return made


def _device_lines(
    hosts: Iterable[PlannedHost], gateways: Sequence[PlannedHost], segment: Segment, atlas: Atlas
) -> list[Line]:
    """What hangs on a VLAN: machines of the plan with their addresses, and those that lease one."""
    made: list[Line] = []
    for host in hosts:
        if host in gateways:
            continue
        for interface in host.interfaces:
            if interface.segment != segment.id:
                continue
            had = (
                "DHCP, SLAAC"
                if interface.method == "dynamic"
                else ", ".join(str(address) for address in interface.addresses)
            )
            made.append(Line(f"{host.name} ({both(of(MACHINES, host.machine))})", 10, bold=True, lines=4))
            made.append(Line(f"{interface.name}: {had}", 9, lines=3))
    leases = next((s.leases for s in atlas.catalogue.unit if s.name == segment.name), False)
    if leases:
        vi, en = LEASED.get(segment.name, ("Máy nhận địa chỉ tự động", "machines with leases"))
        made.append(Line(f"{both((vi, en))}: DHCP", 10))
    made.append(Line(f"{segment.network4}, {segment.network6}", 9, fill=FAINT, lines=2))
    return made
