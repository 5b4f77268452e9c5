"""What drawings call things: Vietnamese first, English beside. Other ids stand for themselves."""

from __future__ import annotations

from collections.abc import Mapping

from province.drawings.sheet import Look
from province.plan.model import Zone

Words = tuple[str, str]

ZONES: Mapping[Zone, Words] = {
    Zone.INTERNAL: ("Nội bộ", "internal"),
    Zone.WIRELESS: ("Không dây", "wireless"),
    Zone.BORDER: ("Biên", "border"),
    Zone.DMZ: ("DMZ", "DMZ"),
    Zone.SERVERS: ("Máy chủ nội bộ", "servers"),
    Zone.DATABASES: ("Cơ sở dữ liệu", "databases"),
    Zone.CONFERENCING: ("Hội nghị truyền hình", "conferencing"),
    Zone.MANAGEMENT: ("Quản trị", "management"),
}
# Colours that stay apart for most colour-blind readers; the pattern and the name say the same in black.
LOOKS: Mapping[Zone, Look] = {
    Zone.INTERNAL: Look(colour="#1b5e9b", tint="#eef5fc", pattern="solid"),
    Zone.WIRELESS: Look(colour="#00796b", tint="#ebf7f5", pattern="dots"),
    Zone.BORDER: Look(colour="#b3261e", tint="#fdf0ee", pattern="rising"),
    Zone.DMZ: Look(colour="#b35900", tint="#fdf4e9", pattern="crossed"),
    Zone.SERVERS: Look(colour="#2e7031", tint="#eff7ef", pattern="level"),
    Zone.DATABASES: Look(colour="#5e3a9a", tint="#f4f0fa", pattern="upright"),
    Zone.CONFERENCING: Look(colour="#a3195b", tint="#fcf0f5", pattern="falling"),
    Zone.MANAGEMENT: Look(colour="#455a64", tint="#f2f4f5", pattern="grid"),
}
SEGMENTS: Mapping[str, Words] = {
    "staff": ("Máy tính cán bộ", "staff"),
    "count": ("Quầy giao dịch", "public counter"),
    "meet": ("Phòng họp", "meeting room"),
    "guest": ("Mạng khách", "guests"),
    "mgmt": ("Quản trị", "management"),
    "tun": ("Đầu đường hầm", "tunnel ends"),
    "ptun": ("Đầu đường hầm khối Đảng", "tunnel ends, Party"),
    "trans": ("Trung chuyển", "transit"),
    "ptrans": ("Trung chuyển khối Đảng", "transit, Party"),
    "dmz": ("Máy chủ DMZ", "DMZ"),
    "srv": ("Máy chủ nội bộ", "servers"),
    "db": ("Cơ sở dữ liệu", "databases"),
    "conf": ("Hội nghị truyền hình", "conferencing"),
    "upl": ("Đường ra Internet", "uplink"),
    "wan": ("Đường truyền", "line"),
}
# What hangs on a segment besides the machines of the plan: those that lease an address.
LEASED: Mapping[str, Words] = {
    "staff": ("Máy tính, máy in khác", "other PCs, printers"),
    "count": ("Máy quầy, ki-ốt", "counters, kiosks"),
    "meet": ("Thiết bị họp trực tuyến", "conferencing equipment"),
    "guest": ("Điểm phát Wi-Fi cho khách", "guest access point"),
}
MACHINES: Mapping[str, Words] = {
    "edge": ("Định tuyến biên, tường lửa", "border router, firewall"),
    "hub": ("Trạm đầu mối WAN", "WAN hub"),
    "hub_party": ("Trạm đầu mối WAN khối Đảng", "WAN hub of the Party"),
    "ns": ("Máy chủ tên miền", "authoritative names"),
    "resolver": ("Phân giải tên, thời gian", "resolver, time"),
    "mirror": ("Kho gói phần mềm", "package mirror"),
    "app": ("Máy chủ ứng dụng", "applications"),
    "log": ("Kho nhật ký", "central logs"),
    "controller": ("Máy điều khiển", "controller"),
    "carrier": ("Mạng nhà cung cấp", "carriers' network"),
    "probe": ("Máy dò vùng mạng", "probe of zones"),
    "unit_gateway": ("Thiết bị cổng", "gateway (CPE)"),
    "workstation": ("Máy tính cán bộ", "staff PC"),
}
SERVICES: Mapping[str, str] = {
    "dns": "Phân giải tên miền",
    "ntp": "Đồng bộ thời gian",
    "dns-authoritative": "Tên miền của địa phương",
    "packages": "Gói phần mềm, bản vá",
    "logs": "Nhật ký tập trung",
    "start": "Trang khởi đầu",
    "wan": "Đường hầm mã hóa",
    "wan-party": "Đường hầm mã hóa khối Đảng",
    "wan-routing-party": "Định tuyến đơn vị – đầu mối khối Đảng",
    "transit-routing-party": "Định tuyến đầu mối – biên khối Đảng",
    "wan-routing": "Định tuyến đơn vị – đầu mối",
    "transit-routing": "Định tuyến đầu mối – biên",
    "edge-connections": "Kết nối chung của cặp định tuyến biên",
    "hub-connections": "Kết nối chung của cặp đầu mối",
    "hub-connections-party": "Kết nối chung của cặp đầu mối khối Đảng",
    "unit-liveness": "Tín hiệu đầu mối – đơn vị",
    "unit-dns": "Phân giải tên tại đơn vị",
    "unit-ntp": "Thời gian tại đơn vị",
    "unit-status": "Tình trạng kết nối của đơn vị",
    "unit-dhcp": "Cấp địa chỉ tại đơn vị",
    "server-dhcp": "Cấp địa chỉ tại trung tâm",
    "lease-pair": "Đồng bộ cấp địa chỉ",
    "management": "Quản trị máy",
    "internet-web": "Nguồn gói trên Internet",
    "internet-dns": "Tên miền Internet",
}
ACCESS: Mapping[str, Words] = {
    "fibre": ("Cáp quang", "fibre"),
    "copper": ("Cáp đồng", "copper"),
    "microwave": ("Vi ba", "microwave"),
    "mobile": ("Di động", "mobile"),
    "satellite": ("Vệ tinh", "satellite"),
}
STATES: Mapping[str, Words] = {
    "planned": ("dự kiến", "planned"),
    "provisioned": ("đã chuẩn bị", "provisioned"),
    "live": ("đang hoạt động", "live"),
    "closed": ("đã đóng", "closed"),
}
SPHERES: Mapping[str, Words] = {
    "government": ("Khối chính quyền", "government"),
    "party": ("Khối Đảng", "Party"),
}
POOLS: Mapping[str, Words] = {
    "centre": ("Trung tâm", "centre"),
    "department": ("Sở, ban, ngành", "departments"),
    "party": ("Cơ quan Đảng", "Party bodies"),
    "hospital": ("Bệnh viện", "hospitals"),
    "commune": ("Cấp xã", "communes, wards"),
    "district": ("Cấp huyện", "districts"),
    "school": ("Trường học", "schools"),
}
VIEWS: Mapping[str, Words] = {
    "logical": ("Sơ đồ logic", "Logical drawing"),
    "physical": ("Sơ đồ vật lý", "Physical drawing"),
}
SUBJECTS: Mapping[str, Words] = {
    "unit": ("đơn vị", "unit"),
    "centre": ("trung tâm tích hợp dữ liệu", "data-integration centre"),
    "province": ("mạng toàn địa bàn", "network of the province"),
}


def both(said: Words) -> str:
    """`Nội bộ · internal`; once where the two are the same."""
    return said[0] if said[0] == said[1] else f"{said[0]} · {said[1]}"


def of(table: Mapping[str, Words], key: str) -> Words:
    """The words of an id, or the id itself."""
    return table.get(key, (key, key))
