"""The tables of a plan: addresses, devices, services, flows, units, cost.

Rows of plain values, in the plan's order. Headings are Vietnamese with English beside; values that are words
of ours are both as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from netaddr import IPAddress, IPNetwork

from province.drawings import words
from province.plan.addressing import nth
from province.plan.flows import declared
from province.plan.model import Endpoint, PlannedFlow, Port, Segment
from province.reading.cost import size_of
from province.reading.difference import CARRIER, CLOSED, State
from province.register.catalogue import CENTRE_LEASES, FIRST_LEASE, SPHERES, Flow, Side
from province.register.model import CENTRE, Alias, Link, Unit

Cell = str | int
# Beyond these a cell says how many, not which: nobody reads a cell of thousands.
FEW_NETWORKS, FEW_NAMES = 8, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its key and its heading in both languages. `code`: ids and addresses; `wide`: sentences."""

    key: str
    vi: str
    en: str
    number: bool = False
    code: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `groups` says for each row whose it is (a unit, the centre): pages are cut between them."""

    id: str
    vi: str
    en: str
    about_vi: str
    about_en: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What tables are made of: a state, and the machines that an environment builds (None: nobody said)."""

    state: State
    built: frozenset[str] | None = None
    applications: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # id → title in both languages

    @cached_property
    def titles(self) -> Mapping[str, tuple[str, str]]:
        """Services by id, in both languages."""
        found = {
            service.id: (words.SERVICES.get(service.id, service.title), service.title)
            for service in self.state.catalogue.services
        }
        return {**found, **self.applications}

    def place(self, owner: str) -> str:
        """Whose something is, in words: the unit's name, or the centre."""
        unit = self.state.units.get(owner)
        return unit.name if unit else words.both(words.of(words.POOLS, owner))

    def owner(self, segment: Segment) -> str:
        """Whose a segment is; lines of carriers are their customer's."""
        return self.state.line_owners.get(segment.id, segment.owner)


def address_table(subject: Subject) -> Table:
    """Every segment of the plan."""
    state = subject.state
    leased = {segment.name for segment in state.catalogue.unit if segment.leases}
    centre = {
        f"centre/{machine.primary}"
        for machine in state.catalogue.machines_at("centre")
        if "dhcp_server" in machine.roles
    }
    rows, groups = [], []
    for segment in state.plan.segments:
        owner = subject.owner(segment)
        unit = state.units.get(owner)
        lease_from = lease_to = ""
        if segment.name in leased and segment.owner in state.units:
            lease_from, lease_to = (
                str(nth(segment.network4, FIRST_LEASE)),
                str(IPAddress(segment.network4.last - 1, 4)),
            )
        elif segment.id in centre:
            lease_from, lease_to = (str(nth(segment.network4, number)) for number in CENTRE_LEASES)
        rows.append((
            segment.id,
            owner,
            subject.place(owner),
            words.both(words.of(words.SEGMENTS, segment.name)),
            words.both(words.ZONES[segment.zone]),
            segment.vlan or "",
            str(segment.network4),
            str(segment.network6),
            _text(segment.gateway4),
            _text(segment.gateway6),
            lease_from,
            lease_to,
            unit.asn if unit else "",
        ))  # fmt: skip
        groups.append(owner)
    return Table(
        id="address-table",
        vi="Bảng địa chỉ mạng",
        en="Address table",
        about_vi="Mọi mạng trên địa bàn: của trung tâm, của từng đơn vị và từng đường truyền.",
        about_en="Every network of the province: of the centre, of each unit, and each line of a carrier.",
        columns=(
            Column(key="segment", vi="Mạng", en="Segment", code=True),
            Column(key="owner", vi="Mã đơn vị trong hệ thống", en="Id of the unit", code=True),
            Column(key="place", vi="Đơn vị", en="Unit", wide=True),
            Column(key="purpose", vi="Dùng cho", en="For"),
            Column(key="zone", vi="Vùng", en="Zone"),
            Column(key="vlan", vi="VLAN", en="VLAN", number=True),
            Column(key="ipv4", vi="IPv4", en="IPv4", code=True),
            Column(key="ipv6", vi="IPv6", en="IPv6", code=True),
            Column(key="gateway4", vi="Cổng IPv4", en="Gateway IPv4", code=True),
            Column(key="gateway6", vi="Cổng IPv6", en="Gateway IPv6", code=True),
            Column(key="lease_from", vi="Cấp phát từ", en="Leases from", code=True),
            Column(key="lease_to", vi="Cấp phát đến", en="Leases to", code=True),
            Column(key="as", vi="Số AS", en="AS number", number=True),
        ),
        rows=tuple(rows),
        groups=tuple(groups),
    )


def host_addresses(subject: Subject) -> Table:
    """Every interface of every host."""
    rows, groups = [], []
    for host in subject.state.plan.hosts:
        if host.owner == CARRIER:
            continue
        for interface in host.interfaces:
            own = [[str(a) for a in interface.addresses if a.version == version] for version in (4, 6)]
            rows.append((
                host.name,
                interface.name,
                host.owner,
                subject.place(host.owner),
                interface.segment,
                words.both(words.ZONES[interface.zone]),
                " ".join(own[0]),
                " ".join(own[1]),
                " ".join(str(vip.ip) for vip in interface.vips),
                words.both(_METHODS[interface.method]),
                words.both(("có", "yes")) if interface.default_route else "",
            ))  # fmt: skip
            groups.append(host.owner)
    return Table(
        id="host-addresses",
        vi="Địa chỉ của thiết bị",
        en="Addresses of hosts",
        about_vi="Mọi cổng mạng của mọi thiết bị; mạng cấp phát tự động thì không có địa chỉ ghi ở đây.",
        about_en="Every interface of every device; where addresses are leased, none is written here.",
        columns=(
            Column(key="host", vi="Thiết bị", en="Device", code=True),
            Column(key="interface", vi="Cổng mạng", en="Interface", code=True),
            Column(key="owner", vi="Mã đơn vị trong hệ thống", en="Id of the unit", code=True),
            Column(key="place", vi="Đơn vị", en="Unit", wide=True),
            Column(key="segment", vi="Mạng", en="Segment", code=True),
            Column(key="zone", vi="Vùng", en="Zone"),
            Column(key="ipv4", vi="IPv4", en="IPv4", code=True),
            Column(key="ipv6", vi="IPv6", en="IPv6", code=True),
            Column(key="vip", vi="Địa chỉ chung của cặp", en="Address of the pair", code=True),
            Column(key="method", vi="Cách đặt", en="Set by"),
            Column(key="default_route", vi="Đường mặc định", en="Default route"),
        ),
        rows=tuple(rows),
        groups=tuple(groups),
    )


_METHODS = {
    "static": ("cố định", "fixed"),
    "dynamic": ("cấp phát", "leased"),
    "tunnel": ("đường hầm", "tunnel"),
}
_BUILT = {True: ("đã dựng", "built"), False: ("giữ chỗ", "reserved")}


def device_list(subject: Subject) -> Table:
    """Every host with its size."""
    state = subject.state
    sizes = {name: size_of(machine, state.register) for name, machine in state.catalogue.machines.items()}
    rows, groups = [], []
    for host in state.plan.hosts:
        if host.owner == CARRIER:
            continue
        unit, size = state.units.get(host.owner), sizes[host.machine]
        if subject.built is not None:
            stands = _BUILT[host.name in subject.built]
        else:
            stands = words.of(words.STATES, unit.state if unit else "planned")
        rows.append((
            host.name,
            host.fqdn,
            words.both(words.of(words.MACHINES, host.machine)),
            host.owner,
            subject.place(host.owner),
            host.member,
            " ".join(interface.name for interface in host.interfaces),
            " ".join(host.roles),
            size.cores,
            size.memory_mib,
            size.disk_gib,
            words.both(stands),
        ))  # fmt: skip
        groups.append(host.owner)
    return Table(
        id="device-list",
        vi="Danh mục thiết bị",
        en="Device list",
        about_vi="Mọi máy trên địa bàn, kể cả máy mới giữ chỗ; cấu hình là mức cần khi vận hành.",
        about_en="Every machine of the province, also those only reserved; sizes are what service needs.",
        columns=(
            Column(key="host", vi="Thiết bị", en="Device", code=True),
            Column(key="name", vi="Tên miền", en="Name", code=True),
            Column(key="machine", vi="Loại", en="Machine", wide=True),
            Column(key="owner", vi="Mã đơn vị trong hệ thống", en="Id of the unit", code=True),
            Column(key="place", vi="Nơi đặt", en="Place", wide=True),
            Column(key="member", vi="Thứ tự trong cặp", en="Member", number=True),
            Column(key="interfaces", vi="Cổng mạng", en="Interfaces", code=True),
            Column(key="roles", vi="Vai trò", en="Roles", code=True, wide=True),
            Column(key="cores", vi="Nhân xử lý", en="Cores", number=True),
            Column(key="memory_mib", vi="Bộ nhớ (MiB)", en="Memory (MiB)", number=True),
            Column(key="disk_gib", vi="Đĩa (GiB)", en="Disk (GiB)", number=True),
            Column(key="state", vi="Tình trạng", en="State"),
        ),
        rows=tuple(rows),
        groups=tuple(groups),
    )


def service_list(subject: Subject) -> Table:
    """Every service, of the catalogue and of applications."""
    rows = []
    for service in subject.state.plan.services:
        title = subject.titles.get(service.id, (service.id, service.id))
        rows.append((
            service.id,
            title[0],
            title[1],
            _ports(service.ports),
            " ".join(service.names),
            words.both(words.of({**words.MACHINES, **_ELSE}, service.machine)),
            words.both(words.of(words.SEGMENTS, service.segment)),
            _few(service.hosts, FEW_NAMES, ("máy", "hosts")),
            _few(_texts(service.addresses4), FEW_NAMES, ("địa chỉ", "addresses")),
            _few(_texts(service.addresses6), FEW_NAMES, ("địa chỉ", "addresses")),
            " ".join(f"{name}:{layer}" for name, layer in service.pending),
        ))  # fmt: skip
    return Table(
        id="service-list",
        vi="Danh mục dịch vụ",
        en="Service list",
        about_vi="Mọi dịch vụ, nơi hỏi và cổng; cột cuối là phần còn chờ lớp khác.",
        about_en="Every service, where it is asked; the last column is what waits for a layer.",
        columns=(
            Column(key="id", vi="Mã", en="Id", code=True),
            Column(key="title_vi", vi="Dịch vụ", en="Service, in Vietnamese", wide=True),
            Column(key="title_en", vi="Tên tiếng Anh", en="Service", wide=True),
            Column(key="ports", vi="Cổng", en="Ports", code=True),
            Column(key="names", vi="Tên miền", en="Names", code=True),
            Column(key="machine", vi="Loại máy", en="Machine", wide=True),
            Column(key="segment", vi="Mạng", en="Segment"),
            Column(key="hosts", vi="Máy", en="Hosts", code=True),
            Column(key="ipv4", vi="IPv4", en="IPv4", code=True),
            Column(key="ipv6", vi="IPv6", en="IPv6", code=True),
            Column(key="pending", vi="Còn chờ", en="Pending", code=True),
        ),
        rows=tuple(rows),
    )


_ELSE = {"any": ("mọi máy", "every machine"), "outside": ("bên ngoài", "outside")}


def flow_list(subject: Subject) -> Table:
    """Every flow: who may begin, who answers, why, and who answers for it."""
    state = subject.state
    sides = _Sides(subject)
    rows = []
    for planned, flow in declared(state.catalogue, state.plan.flows):
        rows.append((
            planned.id,
            words.both(words.of(words.SPHERES, planned.sphere)) if planned.sphere else "",
            words.both(words.ZONES[planned.source.zone]),
            sides.words(planned.source, flow.source, planned.sphere),
            words.both(words.ZONES[planned.destination.zone]),
            sides.words(planned.destination, flow.destination, planned.sphere),
            planned.service,
            _ports(planned.ports),
            _reason(planned, flow),
            planned.owner,
            sides.networks(planned.source, 4),
            sides.networks(planned.source, 6),
            sides.networks(planned.destination, 4),
            sides.networks(planned.destination, 6),
        ))  # fmt: skip
    return Table(
        id="flow-list",
        vi="Danh mục luồng được phép",
        en="Flow list",
        about_vi="Chỉ những luồng này được phép; mọi luồng khác bị chặn.",
        about_en="These flows are allowed; every other is refused.",
        columns=(
            Column(key="id", vi="Mã", en="Id", code=True),
            Column(key="sphere", vi="Khối", en="Sphere"),
            Column(key="from_zone", vi="Từ vùng", en="From zone"),
            Column(key="from", vi="Bên gọi", en="From", wide=True),
            Column(key="to_zone", vi="Đến vùng", en="To zone"),
            Column(key="to", vi="Bên trả lời", en="To", wide=True),
            Column(key="service", vi="Dịch vụ", en="Service", code=True),
            Column(key="ports", vi="Cổng", en="Ports", code=True),
            Column(key="reason", vi="Lý do", en="Reason", wide=True),
            Column(key="owner", vi="Chịu trách nhiệm", en="Owner"),
            Column(key="from4", vi="Nguồn IPv4", en="From IPv4", code=True),
            Column(key="from6", vi="Nguồn IPv6", en="From IPv6", code=True),
            Column(key="to4", vi="Đích IPv4", en="To IPv4", code=True),
            Column(key="to6", vi="Đích IPv6", en="To IPv6", code=True),
        ),
        rows=tuple(rows),
    )


def _reason(planned: PlannedFlow, flow: Flow) -> str:
    inside = (
        " (mỗi mạng với cổng của chính nó · each network with its own gateway)" if flow.same_segment else ""
    )
    return planned.reason + inside


class _Sides:
    """Sides of flows in words: which segments or machines, of which units, and their networks."""

    def __init__(self, subject: Subject) -> None:
        self._state = subject.state
        open_units = [unit for unit in subject.state.plan.units if unit.state != CLOSED]
        self._open = {
            sphere: {unit.id for unit in open_units if sphere in ("", unit.sphere)}
            for sphere in ("", *SPHERES)
        }
        spans = sorted(
            (network.version, network.first, network.last, str(network))
            for pool in subject.state.register.pools.values()
            for network in (
                pool.network4,
                pool.network6,
                pool.carrier4,
                pool.carrier6,
                *pool.more4,
            )
        )
        self._spans = {version: [s for s in spans if s[0] == version] for version in (4, 6)}
        self._firsts = {version: [s[1] for s in spans if s[0] == version] for version in (4, 6)}

    def words(self, planned: Endpoint, side: Side, sphere: str) -> str:
        """`Máy tính cán bộ · staff: cả 71 đơn vị · all 71 units`, of a sphere where the flow is of one."""
        everybody = self._open[sphere]
        if side.machine:
            what = words.both(words.of(words.MACHINES, side.machine))
        else:
            what = ", ".join(words.both(words.of(words.SEGMENTS, name)) for name in planned.segments)
        if not planned.segments:
            return words.both(_ELSE["outside"])
        owners = {self._state.owners.get(n) for n in (*planned.networks4, *planned.networks6)}
        units = sorted(owner for owner in owners if owner in everybody)
        where = [words.both(words.of(words.POOLS, CENTRE))] if CENTRE in owners else []
        if len(units) == len(everybody) and len(units) > 1:
            where.append(f"cả {len(units)} đơn vị · all {len(units)} units")
        elif len(units) > FEW_NAMES:
            where.append(
                f"{len(units)} trong {len(everybody)} đơn vị · {len(units)} of {len(everybody)} units"
            )
        else:
            where += units
        return f"{what}: {', '.join(where)}" if where else what

    def networks(self, planned: Endpoint, version: int) -> str:
        """The networks where they are few, else how many and inside what."""
        listed = planned.networks4 if version == 4 else planned.networks6
        if len(listed) <= FEW_NETWORKS:
            return " ".join(_network(network) for network in listed)
        inside: dict[str, None] = {}
        for network in listed:
            place = bisect_right(self._firsts[version], network.first) - 1
            span = self._spans[version][place] if place >= 0 else None
            inside[span[3] if span and network.last <= span[2] else _network(network)] = None
        within = _few(list(inside), FEW_NETWORKS, ("dải khác", "other ranges"))
        return f"{len(listed)} mạng trong · {len(listed)} networks in {within}"


def unit_list(subject: Subject) -> Table:
    """Every unit, closed ones too: their codes and blocks are never given to another."""
    state = subject.state
    records = {unit.id: unit for unit in state.register.units}
    rows = []
    for unit in state.plan.units:
        record = records[unit.id]
        kind = state.catalogue.kinds[unit.kind]
        rows.append((
            unit.code,
            unit.id,
            unit.name,
            "; ".join(_alias(alias) for alias in record.aliases),
            f"{kind.title['vi']} · {kind.title['en']}",
            subject.place(unit.parent) if unit.parent else state.plan.name,
            words.both(words.of(words.SPHERES, unit.sphere)),
            words.both(words.of(words.STATES, unit.state)),
            _closed(record),
            record.level,
            record.wave,
            str(unit.prefix4),
            str(unit.prefix6),
            unit.asn,
            " ".join(record.services),
            "; ".join(_line(link) for link in record.links),
            " ".join(f"{contact.mailbox}@{state.plan.domain}" for contact in record.contacts),
        ))  # fmt: skip
    return Table(
        id="unit-list",
        vi="Danh sách đơn vị",
        en="Unit list",
        about_vi="Mọi đơn vị, kể cả đã đóng: mã và dải địa chỉ không bao giờ cấp lại cho đơn vị khác.",
        about_en="Every unit, closed ones too: codes and blocks are never given to another.",
        columns=(
            Column(key="code", vi="Mã chính thức", en="Official code", code=True),
            Column(key="id", vi="Mã trong hệ thống", en="Id", code=True),
            Column(key="name", vi="Tên", en="Name", wide=True),
            Column(key="former", vi="Tên cũ", en="Former names"),
            Column(key="kind", vi="Loại", en="Kind"),
            Column(key="parent", vi="Trực thuộc", en="Under"),
            Column(key="sphere", vi="Khối", en="Sphere"),
            Column(key="state", vi="Tình trạng", en="State"),
            Column(key="closed", vi="Ngày đóng, nơi kế thừa", en="Closed, heirs"),
            Column(key="level", vi="Cấp độ an toàn", en="Security level", number=True),
            Column(key="wave", vi="Đợt triển khai", en="Wave", number=True),
            Column(key="ipv4", vi="Dải IPv4", en="IPv4 block", code=True),
            Column(key="ipv6", vi="Dải IPv6", en="IPv6 block", code=True),
            Column(key="as", vi="Số AS", en="AS number", number=True),
            Column(key="services", vi="Dịch vụ", en="Services", code=True),
            Column(key="lines", vi="Đường truyền", en="Lines"),
            Column(key="contacts", vi="Liên hệ", en="Contacts", code=True),
        ),
        rows=tuple(rows),
        groups=tuple(unit.id for unit in state.plan.units),
    )


def _alias(alias: Alias) -> str:
    return f"{alias.name} (đến · until {alias.until})"


def _line(link: Link) -> str:
    return f"{words.both(words.of(words.ACCESS, link.access))} {link.bandwidth_mbps} Mbit/s"


def _closed(record: Unit) -> str:
    heirs = f"→ {', '.join(record.successors)}" if record.successors else ""
    return " ".join(part for part in (record.closed, heirs) if part)


def cost_table(subject: Subject) -> Table:
    """Machines by kind and place, lines by kind, totals, and money where the province gives prices."""
    cost = subject.state.cost
    rows: list[tuple[Cell, ...]] = []
    for entry in cost.machines:
        place = words.both(words.of(words.POOLS, CENTRE) if entry.place == CENTRE else ("Đơn vị", "units"))
        rows.append((
            place,
            words.both(words.of(words.MACHINES, entry.machine)),
            entry.count,
            entry.cores,
            entry.memory_mib,
            entry.disk_gib,
            "",
            "",
        ))  # fmt: skip
    for line in cost.lines:
        kind = words.both(words.of(words.ACCESS, line.access))
        rows.append((words.both(("Đường truyền", "lines")), kind, line.count, "", "", "", line.mbps, ""))
    if cost.totals["public_addresses"]:
        number = cost.totals["public_addresses"]
        rows.append(
            (words.both(("Địa chỉ Internet", "Internet addresses")), "IPv4", number, "", "", "", "", "")
        )
    for price in cost.prices:
        given = f"{words.both(_PRICES[price.price])}: {price.vnd:,} VND"
        rows.append(
            (
                words.both(("Đơn giá của địa phương", "prices of the province")),
                given,
                "",
                "",
                "",
                "",
                "",
                price.vnd_year,
            )
        )
    totals = cost.totals
    rows.append((
        words.both(("Tổng cộng", "total")),
        "",
        totals["machines"],
        totals["cores"],
        totals["memory_mib"],
        totals["disk_gib"],
        totals["line_mbps"],
        "" if cost.vnd_year is None else cost.vnd_year,
    ))  # fmt: skip
    return Table(
        id="cost",
        vi="Khối lượng và chi phí",
        en="Quantities and cost",
        about_vi="Khối lượng tính từ quy hoạch. Tiền chỉ tính theo đơn giá của chính tỉnh, nếu có.",
        about_en="Quantities follow from the plan; money from the province's own prices only, where given.",
        columns=(
            Column(key="part", vi="Phần", en="Part"),
            Column(key="item", vi="Hạng mục", en="Item"),
            Column(key="count", vi="Số lượng", en="Count", number=True),
            Column(key="cores", vi="Nhân xử lý", en="Cores", number=True),
            Column(key="memory_mib", vi="Bộ nhớ (MiB)", en="Memory (MiB)", number=True),
            Column(key="disk_gib", vi="Đĩa (GiB)", en="Disk (GiB)", number=True),
            Column(key="mbps", vi="Băng thông thuê (Mbit/s)", en="Contracted rate (Mbit/s)", number=True),
            Column(key="vnd_year", vi="Đồng mỗi năm", en="VND a year", number=True),
        ),
        rows=tuple(rows),
    )


_PRICES = {
    "core_year": ("một nhân xử lý một năm", "a core a year"),
    "memory_gib_year": ("một GiB bộ nhớ một năm", "a GiB of memory a year"),
    "disk_gib_year": ("một GiB đĩa một năm", "a GiB of disk a year"),
    "line_mbps_month": ("một Mbit/s một tháng", "a Mbit/s a month"),
    "public_address_year": ("một địa chỉ Internet một năm", "an Internet address a year"),
}
TABLES: Mapping[str, Callable[[Subject], Table]] = {
    "unit-list": unit_list,
    "address-table": address_table,
    "host-addresses": host_addresses,
    "device-list": device_list,
    "service-list": service_list,
    "flow-list": flow_list,
    "cost": cost_table,
}


def _ports(ports: Iterable[Port]) -> str:
    return " ".join(f"{port.protocol}/{port.number}" for port in ports)


def _few(names: Sequence[str], number: int, what: tuple[str, str]) -> str:
    """The names where they are few, else some of them and how many there are."""
    if len(names) <= number:
        return " ".join(names)
    return f"{' '.join(names[:2])} … ({len(names)} {what[0]} · {len(names)} {what[1]})"


def _network(network: IPNetwork) -> str:
    """A network; a single address without its length."""
    return str(network.ip) if network.size == 1 else str(network)


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


def _text(value: IPAddress | None) -> str:
    return "" if value is None else str(value)
