"""Changes of the files that provinces share, of applications and of environments: anywhere in their data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.broken.mutants import ANY, pick
from tests.support.broken.oracle import (
    FREE,
    IDENT,
    NEEDED,
    SHORT,
    WORD,
    Fault,
    fault,
    many,
    mapping,
    one_of,
    record,
    unreadable,
    whole,
    words,
)
from tests.support.repository import ROOT

Place = tuple[str | int, ...]
CATALOGUE = ("zones", "segments", "machines", "services", "flows", "kinds")
FILES = {
    **{name: f"inventories/catalogue/{name}.yml" for name in CATALOGUE},
    "app": "apps/start/app.yml",
    "environment": "inventories/lab/environment.yml",
}
# What one file says of another.
NAMES = (
    "edge", "hub", "ns", "resolver", "mirror", "app", "controller", "carrier", "unit_gateway", "workstation",
    "any", "outside", "mgmt", "trans", "dmz", "srv", "db", "conf", "upl", "tun", "wan", "staff", "count",
    "meet", "guest", "internal", "border", "servers", "management", "wireless", "dns", "ntp", "packages",
    "wan-routing", "start", "commune", "ward", "district", "department", "tcp/53", "udp/53", "icmp/0",
    "tcp/0", "tcp/65536", "pending", "trust", "centre", "unit", "firewall", "ntpd", "512MiB", "1GiB", "0MiB",
    "default", "phuong-mot", "huyen-dong", "truong-cu", "base", "dien-bien", "incus", "none", "all",
)  # fmt: skip


def read(root: Path, name: str) -> Any:
    """A file's data, by the other reader."""
    return YAML(typ="safe", pure=True).load((root / FILES[name]).read_text(encoding="utf-8"))


def places(value: Any, path: Place = ()) -> list[Place]:
    """Every place inside a value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in items:
        found += places(entry, (*path, key))
    return found


def at(value: Any, path: Place) -> Any:
    """What stands at a place."""
    for key in path:
        value = value[key]
    return value


def change(data: Any, how: int, a: int, b: int, value: Any) -> None:
    """Change something somewhere: take it away, double it, put another in its place, exchange two."""
    there = places(data)
    if not there:
        return
    path = pick(there, a)
    around: Any = at(data, path[:-1])
    key: Any = path[-1]
    other = pick(there, b)
    if how % 8 == 0:
        del around[key]
    elif how % 8 == 1:
        if isinstance(around, list):
            around.append(deepcopy(around[key]))
        else:
            around[pick(NAMES, b)] = deepcopy(around[key])
    elif how % 8 in (2, 3):
        around[key] = deepcopy(value)
    elif how % 8 in (4, 5):
        around[key] = pick(NAMES, b)
    elif how % 8 == 6:
        taken = deepcopy(at(data, other))
        around[key] = taken
    elif isinstance(around[key], bool) or not isinstance(around[key], int):
        around[key] = pick(ANY, b)
    else:
        around[key] += pick((1, -1, 10, 100, -100, 2**32), b)


def tree(folder: Path) -> Path:
    """A tree with a small register, the real catalogue, applications and environment."""
    from tests.unit.register.test_problems import sound_tree

    made = sound_tree(folder)
    (made / "docs/reference").mkdir(parents=True)
    schema = "docs/reference/app.schema.json"
    (made / schema).write_bytes((ROOT / schema).read_bytes())
    return made


# --- which of the rules are broken: in the words of docs/reference and of the files' own remarks ------

SENTENCE = words(longest=300)
ZONES = ("internal", "wireless", "border", "dmz", "servers", "databases", "conferencing", "management")
ZONE = one_of(*ZONES)
CODE = words("[a-z][a-z0-9]{0,5}", 6)
LETTER = words("[a-z]", 1)
LAYERS = (
    "base", "network", "logs", "naming", "mirror", "trust", "data", "identity", "applications",
    "monitoring", "security", "backup",
)  # fmt: skip
PORTS = re.compile(r"(tcp|udp)/([1-9][0-9]{0,4})")


def flag(file: str, path: Place, value: Any) -> Iterator[Fault]:
    """True or false."""
    if type(value) is not bool:
        yield fault("012", (file, path))


def port(file: str, path: Place, value: Any) -> Iterator[Fault]:
    """A protocol and a port."""
    found = PORTS.fullmatch(value) if type(value) is str else None
    if not found or int(found[2]) > 65_535:
        yield fault("013", (file, path))


def care(file: str, path: Place, value: Any) -> Iterator[Fault]:
    """Pending on a layer, not needed for a reason, or something that there is."""
    if type(value) is not dict or not value:
        yield fault("012", (file, path))
    elif set(value) == {"pending"}:
        yield from one_of(*LAYERS)(file, path, value["pending"])
    elif set(value) == {"not_needed"}:
        yield from SENTENCE(file, path, value["not_needed"])


SEGMENT = {
    "name": (NEEDED, SHORT),
    "code": (NEEDED, CODE),
    "zone": (NEEDED, ZONE),
    "vlan": (NEEDED, whole(0, 4094)),
}
SEGMENT |= {"tunnel": (FREE, flag), "purpose": (NEEDED, SENTENCE)}
SPHERES = ("government", "party")
SOME_SPHERES = many(one_of(*SPHERES), 1, once=True)
CENTRE = SEGMENT | {
    "place": (NEEDED, whole(0, 63)),
    "gateway": (FREE, SHORT),
    "announced": (FREE, SOME_SPHERES),
}
UNIT_SEGMENT = SEGMENT | {
    "letter": (NEEDED, LETTER),
    "share": (NEEDED, whole(0, 4)),
    "place": (NEEDED, whole(0, 255)),
    "place6": (NEEDED, whole(0, 255)),
    "leases": (FREE, flag),
    "time": (FREE, flag),
}
MACHINE = {
    "title": (NEEDED, SENTENCE),
    "short": (FREE, SHORT),
    "sphere": (FREE, one_of(*SPHERES)),
    "group": (FREE, WORD),
    "where": (NEEDED, one_of("centre", "unit", "carrier", "everywhere")),
    "members": (NEEDED, whole(1, 2)),
    "place": (NEEDED, whole(1, 252)),
    "vip": (FREE, flag),
    "cores": (NEEDED, whole(1, 256)),
    "memory_mib": (NEEDED, whole(128, 4_194_304)),
    "disk_gib": (NEEDED, whole(1, 1_048_576)),
    "size_reason": (NEEDED, SENTENCE),
    "interfaces": (NEEDED, many(SHORT, 1, once=True)),
    "dynamic": (FREE, many(SHORT)),
    "primary": (NEEDED, SHORT),
    "default": (FREE, SHORT),
    "forwards": (FREE, many(SHORT)),
    "asn": (FREE, whole(1, 4_294_967_294)),
    "roles": (NEEDED, many(WORD, once=True)),
    "needs": (FREE, many(one_of("tun", "nesting"))),
}
SERVICE = {
    "id": (NEEDED, SHORT),
    "title": (NEEDED, SENTENCE),
    "machine": (NEEDED, WORD),
    "segment": (NEEDED, SHORT),
    "ports": (NEEDED, many(port, 1, once=True)),
    "names": (NEEDED, many(SHORT, once=True)),
    "class": (FREE, one_of("realtime", "interactive", "bulk")),
    "base": (FREE, flag),
    **dict.fromkeys(("tls", "metrics", "logs", "backup", "probe"), (NEEDED, care)),
    "runbook": (NEEDED, words(r"docs/runbooks/[a-z0-9-]+\.md")),
}
SIDE = record(
    {
        "zone": (NEEDED, ZONE),
        "at": (NEEDED, one_of("centre", "unit", "any", "outside")),
        "segments": (FREE, many(SHORT, 1)),
        "machine": (FREE, WORD),
    }
)
FLOW = {
    "id": (NEEDED, SHORT),
    "from": (NEEDED, SIDE),
    "to": (NEEDED, SIDE),
    "spheres": (FREE, SOME_SPHERES),
    "services": (FREE, many(SHORT, 1, once=True)),
    "applications": (FREE, flag),
    "same_segment": (FREE, flag),
    "connections": (FREE, whole(1, 60_000)),
    "reason": (NEEDED, SENTENCE),
    "owner": (NEEDED, SHORT),
}
KIND = {
    "title": (NEEDED, record({"vi": (NEEDED, words()), "en": (NEEDED, words())})),
    "pool": (NEEDED, SHORT),
    "parents": (NEEDED, many(WORD)),
    "rate_mbps": (NEEDED, whole(1, 100_000)),
}
SIZE = record({"memory": (NEEDED, words(r"[1-9][0-9]*(MiB|GiB)"))})
ADDRESS, HTTP = words(r"[A-Za-z0-9.:-]+"), words(r"https?://\S+")
INCUS = {
    "endpoint": (NEEDED, words(r"unix|https://\S+")),
    "project": (NEEDED, SHORT),
    "pool": (NEEDED, SHORT),
    "own_pool": (FREE, flag),
    "prefix": (NEEDED, words("[a-z]{1,4}", 4)),
    "image": (NEEDED, SHORT),
}
RULES = {
    "zones": record(
        {"zones": (NEEDED, many(record({"id": (NEEDED, ZONE), "purpose": (NEEDED, SENTENCE)}), 1))}
    ),
    "segments": record(
        {
            "centre": (NEEDED, many(record(CENTRE), 1)),
            "unit": (NEEDED, many(record(UNIT_SEGMENT), 1)),
        }
    ),
    "machines": record(
        {
            "machines": (NEEDED, mapping(WORD, record(MACHINE), 1)),
            "base_roles": (NEEDED, many(WORD, 1, once=True)),
        }
    ),
    "services": record({"services": (NEEDED, many(record(SERVICE), 1))}),
    "flows": record({"flows": (NEEDED, many(record(FLOW), 1))}),
    "kinds": record(
        {
            "kinds": (NEEDED, mapping(WORD, record(KIND), 1)),
            "machines": (NEEDED, many(WORD, 1, once=True)),
        }
    ),
    "environment": record(
        {
            "plugin": (NEEDED, one_of("province_register")),
            "environment": (NEEDED, SHORT),
            "register": (NEEDED, IDENT),
            "provider": (NEEDED, one_of("incus", "none")),
            "incus": (FREE, record(INCUS)),
            "members": (NEEDED, mapping(WORD, whole(0, 8))),
            "units": (NEEDED, many(IDENT, once=True)),
            "workstations": (NEEDED, whole(0, 1)),
            "identities": (FREE, whole(1, 9)),
            "simulators": (NEEDED, many(one_of("carrier", "probe"), once=True)),
            "wireguard": (NEEDED, one_of("userspace", "kernel")),
            "queue": (FREE, one_of("fifo", "fq_codel")),
            "unit_ports": (FREE, one_of("bridges", "vlans")),
            "spheres": (FREE, one_of("one_table", "vrf")),
            "sizes": (NEEDED, mapping(WORD, SIZE, 1)),
            "time_upstreams": (FREE, many(ADDRESS, once=True)),
            "packages": (FREE, mapping(SHORT, many(HTTP, 1), 1)),
            "packages_tried_on": (FREE, many(SHORT, once=True)),
        }
    ),
}


def broken(data: dict[str, Any], name: str, roles: frozenset[str]) -> list[str]:
    """What is wrong with one of the files, by the others as they are; nothing where it cannot be said.

    Applications are not judged here: their contract is a schema of its own.
    """
    one = data[name]
    if unreadable(name, one, blocks=False):
        return ["text"]
    if name in RULES and (shape := list(RULES[name](name, (), one))):
        return [f"{sorted(f.codes)} at {sorted(f.places)}" for f in shape]
    if name in CATALOGUE:
        return list(_between(data, roles))
    return list(_environment(data)) if name == "environment" else []


def _double(what: str, values: list[Any]) -> Iterator[str]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{what} {value} twice"


def _between(data: dict[str, Any], roles: frozenset[str]) -> Iterator[str]:
    """References between the files of the catalogue, and what collides."""
    centre, unit = data["segments"]["centre"], data["segments"]["unit"]
    machines, services = data["machines"]["machines"], data["services"]["services"]
    flows, kinds = data["flows"]["flows"], data["kinds"]["kinds"]
    zones = [zone["id"] for zone in data["zones"]["zones"]]
    yield from _double("zone", zones)
    yield from (f"no zone {zone}" for zone in ZONES if zone not in zones)
    for segments in (centre, unit):
        for key in ("name", "code", "vlan", "letter", "place6"):
            yield from _double(key, [s[key] for s in segments if s.get(key)])
    yield from _double("place", [segment["place"] for segment in centre])
    parts: list[int] = []
    for segment in unit:
        size = 256 >> segment["share"]
        parts += range(segment["place"] * size, segment["place"] * size + size)
    if max(parts) > 255 or len(set(parts)) < len(parts):
        yield "segments of a unit overlap or leave its block"
    there = {"centre": {s["name"]: s["zone"] for s in centre}, "unit": {s["name"]: s["zone"] for s in unit}}
    for segment in centre:
        gate = segment.get("gateway", "outside")
        here = machines.get(gate, {"where": "", "interfaces": []})
        if gate != "outside" and (here["where"] != "centre" or segment["name"] not in here["interfaces"]):
            yield f"gateway {gate}"
    for name, machine in machines.items():
        side = "unit" if machine["where"] == "unit" else "centre"
        ways = [machine["primary"], *machine.get("forwards", []), *machine.get("dynamic", [])]
        ways += [machine["default"]] if "default" in machine else []
        yield from (f"{name} in {s}" for s in machine["interfaces"] if s != "wan" and s not in there[side])
        yield from (f"{name} without interface {s}" for s in ways if s not in machine["interfaces"])
        managed = [s for s in machine["interfaces"] if there[side].get(s) == "management"]
        if not managed or any(s in managed for s in (machine.get("default"), *machine.get("forwards", []))):
            yield f"{name} and management"
        if machine["where"] == "centre" and "routing" in machine["roles"] and "asn" not in machine:
            yield f"{name} without a number"
        yield from (f"role {role} of {name}" for role in machine["roles"] if role not in roles)
    hubs = {name: machine for name, machine in machines.items() if "sphere" in machine}
    stands: list[str] = []
    for name, hub in hubs.items():
        ends = [s["name"] for s in centre if s.get("tunnel") and s["name"] in hub["interfaces"]]
        if hub["where"] != "centre" or len(ends) != 1 or "wan" not in hub["interfaces"]:
            yield f"hub {name}"
        if hub["primary"] in ends:
            yield f"hub {name}"
        stands += {hub["primary"], *ends}
    yield from _double("segment of a hub", stands)
    yield from _double("sphere", [hub["sphere"] for hub in hubs.values()])
    yield from (f"no hub of {s}" for s in SPHERES if s not in [hub["sphere"] for hub in hubs.values()])
    yield from (
        f"group of {name}" for name, m in machines.items() if "group" in m and m["group"] not in machines
    )
    yield from (f"base role {role}" for role in data["machines"]["base_roles"] if role not in roles)
    yield from _double("AS number", [m["asn"] for m in machines.values() if "asn" in m])
    for inside in (True, False):
        some = {n: m for n, m in machines.items() if (m["where"] == "unit") == inside}
        slots = [slot for m in some.values() for slot in range(m["place"], m["place"] + 3)]
        yield from _double("place", slots)
        for where in ("centre", "unit"):
            yield from _double(
                "short name", [m.get("short", n) for n, m in some.items() if m["where"] == where]
            )
    ids = [service["id"] for service in services]
    yield from _double("service", ids)
    yield from _double("name", [name for service in services for name in service["names"]])
    for service in services:
        if service["machine"] not in (*machines, "any", "outside"):
            yield f"machine {service['machine']} of a service"
        elif (
            service["machine"] in machines
            and service["segment"] not in machines[service["machine"]]["interfaces"]
        ):
            yield f"segment of {service['id']}"
    for flow in flows:
        yield from (f"service {s} of a flow" for s in flow.get("services", []) if s not in ids)
        if bool(flow.get("services")) == flow.get("applications", False):
            yield "a flow for nothing, or for both"
        for end in (flow["from"], flow["to"]):
            if "machine" in end and end["machine"] not in machines:
                yield f"machine {end['machine']} of a flow"
            for segment in end.get("segments", []) if end["at"] in there else ():
                if segment != "wan" and there[end["at"]].get(segment) != end["zone"]:
                    yield f"segment {segment} of a flow"
                if segment == "wan" and end["zone"] != "border":
                    yield "a line that is not in the border"
    for kind in kinds.values():
        yield from (f"parent {parent}" for parent in kind["parents"] if parent not in kinds)
    for name in data["kinds"]["machines"]:
        if name not in machines or machines[name]["where"] != "unit":
            yield f"machine {name} of units"


def _environment(data: dict[str, Any]) -> Iterator[str]:
    """What an environment says of the catalogue and the register."""
    one, machines = data["environment"], data["machines"]["machines"]
    ours = {n: m["members"] for n, m in machines.items() if m["where"] == "centre" and m["roles"]}
    if one.get("unit_ports") == "vlans" and one["provider"] == "incus" and one["units"]:
        yield "VLANs for containers"
    if one["environment"] != "lab" or one["register"] != "base":
        yield "another name"
    if one["provider"] == "incus" and "incus" not in one:
        yield "no server"
    if "default" in (one.get("incus", {}).get("project"), one.get("incus", {}).get("pool")):
        yield "what others use"
    if any(not 0 < one["members"].get(name, 0) <= most for name, most in ours.items()):
        yield "members"
    if (
        set(one["members"]) - set(ours)
        or set(one["sizes"]) - {*machines, "default"}
        or "default" not in one["sizes"]
    ):
        yield "an unknown machine, or no size"
    for size in one["sizes"].values():
        number, giga = int(size["memory"][:-3]), size["memory"].endswith("GiB")
        if number * (1024 if giga else 1) > 1024 * 1024:
            yield "too much memory"
    built = {name: range(1, one["members"].get(name, 0) + 1) for name in ours}
    hosts = {f"{machines[name].get('short', name)}-{m}" for name, members in built.items() for m in members}
    yield from (f"no host {name}" for name in one.get("packages_tried_on", []) if name not in hosts)
    open_units = {"so-noi-vu", "van-phong-tinh-uy", "huyen-dong", "phuong-mot", "xa-hai"}
    yield from (f"unit {unit}" for unit in one["units"] if unit not in open_units)
