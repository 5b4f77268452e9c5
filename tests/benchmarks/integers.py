"""A province's plan as plain integers and tuples, without types and without checks.

The yardstick of the plan's benchmark: what someone would write who wants the content of a plan and nothing
else. It takes no part of the planner but the catalogue's data, so it is also a second opinion on every
address, name and network of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from province.register.catalogue import Catalogue, Flow, Machine, Service

# (first address, prefix length)
Net = tuple[int, int]
Plain = dict[str, list[Any]]
# Where hosts stand: (owner, IPv4, IPv6) by segment and machine.
Stands = dict[tuple[str, str], list[tuple[str, int, int]]]
# Whole segments: (owner, IPv4, length, IPv6, length) by segment and machine.
Areas = dict[tuple[str, str], list[tuple[str, int, int, int, int]]]

CARRIER, CUSTOMER = 1, 2
PORT, TTL = 51820, 3600


def parse4(text: str) -> Net:
    """`10.0.0.0/8` as integers."""
    address, _, length = text.partition("/")
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return number, int(length)


def parse6(text: str) -> Net:
    """`fd00::/8` as integers."""
    address, _, length = text.partition("/")
    head, _, tail = address.partition("::")
    left, right = ([int(part, 16) for part in side.split(":") if part] for side in (head, tail))
    number = 0
    for part in [*left, *[0] * (8 - len(left) - len(right)), *right]:
        number = number << 16 | part
    return number, int(length)


def text4(number: int) -> str:
    """An IPv4 address."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def text6(number: int) -> str:
    """An IPv6 address with its longest run of zeros, of two or more, left out (RFC 5952)."""
    parts = [f"{number >> shift & 65535:x}" for shift in range(112, -1, -16)]
    longest, where, run = 1, -1, 0
    for position, part in enumerate(parts, start=1):
        run = run + 1 if part == "0" else 0
        if run > longest:
            longest, where = run, position - run
    return (
        ":".join(parts) if where < 0 else f"{':'.join(parts[:where])}::{':'.join(parts[where + longest :])}"
    )


def merged(networks: Iterable[Net], width: int) -> list[Net]:
    """Sorted, without what others contain."""
    kept: list[Net] = []
    end = -1
    for first, length in sorted(networks):
        if first > end:
            kept.append((first, length))
            end = first + (1 << (width - length)) - 1
    return kept


def plan(
    province: Mapping[str, Any],
    units: list[dict[str, Any]],
    catalogue: Catalogue,
    services: Mapping[str, Service],
    taken: Mapping[str, tuple[frozenset[str], frozenset[str], frozenset[str]]],
) -> Plain:
    """Everything that a plan says. `units` in the register's order, without blocks given from outside."""
    domain = province["domain"]
    pools = {
        name: {
            **pool,
            "four": parse4(pool["network4"])[0],
            "six": parse6(pool["network6"])[0],
            "line4": parse4(pool["carrier4"])[0],
            "line6": parse6(pool["carrier6"])[0],
        }
        for name, pool in province["pools"].items()
    }
    machines = catalogue.machines
    roles = {
        name: (*catalogue.base_roles, *machine.roles)
        if machine.roles and machine.where in ("centre", "unit")
        else machine.roles
        for name, machine in machines.items()
    }
    hubs = {machine.sphere: range(1, machine.members + 1) for machine in machines.values() if machine.sphere}
    tunnels = {part.name for part in catalogue.centre if part.tunnel}
    blocks: list[Any] = []
    segments: list[Any] = []
    hosts: list[Any] = []
    peers: list[Any] = []
    names: dict[str, tuple[list[int], list[int]]] = {}
    pointers: dict[int, dict[int, str]] = {4: {}, 6: {}}
    own: Stands = {}
    pairs: Stands = {}
    leased: Areas = {}
    areas: Areas = {}
    offering: dict[str, list[str]] = {"any": []}

    centre = pools["centre"]
    gates = {part.name: part.gateway for part in catalogue.centre}
    at_centre: dict[str, tuple[int, int, str, str]] = {}
    for part in catalogue.centre:
        four, six = centre["four"] + (part.place << 8), centre["six"] + (part.place << 64)
        number = 1 if part.gateway == "outside" else machines[part.gateway].place if part.gateway else 0
        gateway = (four + number, six + number) if number else (None, None)
        ident = f"centre/{part.name}"
        segments.append(
            (ident, "centre", part.name, part.code, part.zone, part.vlan, four, 24, six, 64, *gateway)
        )
        areas[ident, ""] = [("centre", four, 24, six, 64)]
        at_centre[part.name] = (four, six, part.code, part.zone)
    lines: list[tuple[str, str, int, int]] = []
    for machine, code in ((machines["hub"], "hub"), (machines["hub_party"], "hubp")):
        for member in hubs[machine.sphere]:
            slot = len(lines)
            four, six = centre["line4"] + (slot << 2), centre["line6"] + (slot << 64)
            ident = f"carrier/{machine.short}-{member}-wan"
            segments.append(
                (
                    ident,
                    "carrier",
                    "wan",
                    f"{code}{member}",
                    "border",
                    0,
                    four,
                    30,
                    six,
                    64,
                    four + 1,
                    six + 1,
                )
            )
            lines.append((f"{code}{member}", ident, four, six))

    hub_ends: dict[str, list[Any]] = {}
    for machine in machines.values():
        if machine.where != "centre":
            continue
        for member in range(1, machine.members + 1):
            short = f"{machine.short}-{member}" if machine.roles else machine.short
            number = machine.place + member if machine.members > 1 else machine.place
            interfaces: list[Any] = []
            for wanted in machine.interfaces:
                pair: tuple[Net, Net] | tuple[()] = ()
                default = wanted == machine.default
                if wanted == "wan":
                    ident = f"carrier/{short}-wan"
                    _, _, four, six = next(line for line in lines if line[1] == ident)
                    four, six = four + CUSTOMER, six + CUSTOMER
                    ends = ((four, 30), (six, 64))
                    interfaces.append(("wan", ident, "border", ends, (), "static", default))
                    own.setdefault(("centre/wan", machine.id), []).append(("centre", four, six))
                    continue
                four, six, code, zone = at_centre[wanted]
                at = f"centre/{wanted}"
                if wanted in tunnels:
                    ends = ((four + number, 32), (six + number, 128))
                    interfaces.append(("wg0", at, zone, ends, (), "tunnel", False))
                else:
                    routes = gates[wanted] == machine.id
                    if machine.members > 1 and (routes or (machine.vip and machine.primary == wanted)):
                        pair = ((four + machine.place, 32), (six + machine.place, 128))
                        pairs.setdefault((at, machine.id), []).append(("centre", pair[0][0], pair[1][0]))
                    ends = ((four + number, 24), (six + number, 64))
                    interfaces.append((code, at, zone, ends, pair, "static", default))
                four, six = four + number, six + number
                own.setdefault((at, machine.id), []).append(("centre", four, six))
                if wanted == machine.primary:
                    fqdn = f"{short}.dc.{domain}."
                    names[fqdn] = ([four], [six])
                    pointers[4][four] = pointers[6][six] = fqdn
            hosts.append(
                (short, f"{short}.dc.{domain}", "centre", machine.id, member, interfaces, roles[machine.id])
            )
            offering.setdefault(machine.id, []).append(short)
            if machine.roles:
                offering["any"].append(short)
            if machine.sphere:
                told = {interface[0]: interface[3] for interface in interfaces}
                ends_here = (short, member, told["wan"], told["wg0"])
                hub_ends.setdefault(machine.sphere, []).append(ends_here)

    kits = [machines[name] for name in catalogue.unit_machines]
    for unit in units:
        ident, index = unit["id"], unit["index"]
        pool_name = catalogue.kinds[unit["kind"]].pool
        pool = pools[pool_name]
        width = 32 - pool["block4"]
        four, six = pool["four"] + (index << width), pool["six"] + (index << 128 - pool["block6"])
        blocks.append((
            ident, unit["code"], unit["name"], unit["kind"], unit["sphere"], unit.get("parent"), index,
            pool_name, unit["state"], four, pool["block4"], six, pool["block6"], pool["asn"] + index,
            unit.get("closed", ""), unit["services"],
            [(link["access"], link["bandwidth_mbps"]) for link in unit["links"]],
            [(contact["role"], contact["mailbox"]) for contact in unit["contacts"]],
            unit["wave"], unit["level"],
        ))  # fmt: skip
        if unit["state"] == "closed":
            continue
        here: dict[str, tuple[int, int, int, str, str, str]] = {}
        for share in catalogue.unit:
            size = width - share.share
            one, other = four + (share.place << size), six + (share.place6 << 64)
            gateway = (one + 1, other + 1) if share.leases else (None, None)
            at = f"{ident}/{share.name}"
            segments.append((
                at, ident, share.name, share.code, share.zone, share.vlan, one, 32 - size, other, 64, *gateway
            ))  # fmt: skip
            areas.setdefault((f"unit/{share.name}", ""), []).append((ident, one, 32 - size, other, 64))
            here[share.name] = (one, 32 - size, other, at, share.code, share.zone)
        mine = []
        for slot in range(len(unit["links"])):
            one, other = pool["line4"] + (index * 2 + slot << 2), pool["line6"] + (index * 2 + slot << 64)
            name = "wan" if slot == 0 else f"wan{slot + 1}"
            code = f"{pool['letter']}{index}{'' if slot == 0 else 'abcdef'[slot]}"
            at = f"carrier/{ident}-{name}"
            segments.append((at, "carrier", name, code, "border", 0, one, 30, other, 64, one + 1, other + 1))
            lines.append((code, at, one, other))
            mine.append((name, at, one + CUSTOMER, other + CUSTOMER))
        for machine in kits:
            for member in range(1, machine.members + 1):
                host = f"{ident}-{machine.short}-{member}"
                fqdn = f"{machine.short}-{member}.{ident}.{domain}"
                number = machine.place + member if machine.members > 1 else machine.place
                interfaces = []
                for wanted in machine.interfaces:
                    default = wanted == machine.default
                    if wanted == "wan":
                        for name, at, one, other in mine:
                            ends = ((one, 30), (other, 64))
                            interfaces.append(
                                (name, at, "border", ends, (), "static", default and name == "wan")
                            )
                            own.setdefault(("unit/wan", machine.id), []).append((ident, one, other))
                        continue
                    one, length, other, at, code, zone = here[wanted]
                    if wanted == "tun":
                        for hub in hubs[unit["sphere"]]:
                            ends = ((one + hub, 32), (other + hub, 128))
                            interfaces.append((f"wg-hub{hub}", at, zone, ends, (), "tunnel", False))
                            own.setdefault(("unit/tun", machine.id), []).append(
                                (ident, one + hub, other + hub)
                            )
                    elif wanted in machine.dynamic:
                        interfaces.append((code, at, zone, (), (), "dynamic", default))
                        leased.setdefault((f"unit/{wanted}", machine.id), []).append(
                            (ident, one, length, other, 64)
                        )
                    else:
                        one, other = one + number, other + number
                        ends = ((one, length), (other, 64))
                        interfaces.append((code, at, zone, ends, (), "static", default))
                        own.setdefault((f"unit/{wanted}", machine.id), []).append((ident, one, other))
                        if wanted == machine.primary:
                            names[f"{fqdn}."] = ([one], [other])
                            pointers[4][one] = pointers[6][other] = f"{fqdn}."
                hosts.append((host, fqdn, ident, machine.id, member, interfaces, roles[machine.id]))
                offering.setdefault(machine.id, []).append(host)
                if machine.roles:
                    offering["any"].append(host)
                if machine.id == "unit_gateway":
                    one, _, other, _, _, _ = here["tun"]
                    for hub_name, hub, outside, inside in hub_ends[unit["sphere"]]:
                        peers.append((
                            ident, host, hub_name, f"wg-hub{hub}", "wg0", outside[0][0], outside[1][0], PORT,
                            one + hub, other + hub, inside[0][0], inside[1][0],
                            [(four, pool["block4"])], [(six, pool["block6"])],
                            hub == (1 if index % 2 else 2),
                        ))  # fmt: skip
    if "carrier" in machines:
        four, six, code, zone = at_centre["mgmt"]
        number = machines["carrier"].place
        ends = ((four + number, 24), (six + number, 64))
        interfaces = [(code, "centre/mgmt", zone, ends, (), "static", False)]
        for code, at, one, other in lines:
            ends = ((one + CARRIER, 30), (other + CARRIER, 64))
            interfaces.append((code, at, "border", ends, (), "static", False))
        hosts.append(
            ("carrier-1", f"carrier-1.dc.{domain}", "carrier", "carrier", 1, interfaces, roles["carrier"])
        )

    offered = _services(catalogue, services, own, pairs)
    for ident, (fours, sixes) in offered.items():
        # What units have for themselves their own gateways answer for.
        at_unit = services[ident].machine in catalogue.unit_machines
        for short in () if at_unit else services[ident].names:
            name = f"{short}.{domain}."
            names[name] = (fours, sixes)
            for one in fours:
                pointers[4].setdefault(one, name)
            for other in sixes:
                pointers[6].setdefault(other, name)
    servers = [f"{name}.dc.{domain}." for name in offering["ns"]]
    return {
        "units": blocks,
        "segments": segments,
        "hosts": hosts,
        "peers": peers,
        "services": [
            (
                *(ident, service.machine, service.segment),
                [(port.protocol, port.number) for port in service.ports],
                *([f"{short}.{domain}" for short in service.names], offering.get(service.machine, [])),
                *(*offered[ident], service.pending),
            )
            for ident, service in services.items()
        ],
        "flows": _flows(catalogue, services, offered, taken, units, (own, pairs, leased, areas)),
        "zones": _zones(domain, servers, names, pointers, pools),
    }


def _shared(machines: Mapping[str, Machine], name: str) -> bool:
    machine = machines.get(name)
    return bool(machine and machine.vip and machine.members > 1)


def _services(
    catalogue: Catalogue, services: Mapping[str, Service], own: Stands, pairs: Stands
) -> dict[str, tuple[list[int], list[int]]]:
    """Where each service is asked."""
    made = {}
    for service in services.values():
        chosen = pairs if _shared(catalogue.machines, service.machine) else own
        fours: dict[int, None] = {}
        sixes: dict[int, None] = {}
        for machine in catalogue.machines.values():
            if service.machine == machine.id or (service.machine == "any" and machine.roles):
                for at in ("centre", "unit"):
                    for _, four, six in chosen.get((f"{at}/{service.segment}", machine.id), ()):
                        fours[four] = sixes[six] = None
        made[service.id] = (list(fours), list(sixes))
    return made


def _flows(
    catalogue: Catalogue,
    services: Mapping[str, Service],
    offered: Mapping[str, tuple[list[int], list[int]]],
    taken: Mapping[str, tuple[frozenset[str], frozenset[str], frozenset[str]]],
    units: list[dict[str, Any]],
    places: tuple[Stands, Stands, Areas, Areas],
) -> list[Any]:
    """Each flow with each of its services and spheres of units, and the networks of both ends."""
    own, pairs, leased, areas = places
    known: dict[Any, tuple[list[Net], list[Net]]] = {}

    def ends(
        at: str, names: tuple[str, ...], machine: str, spheres: tuple[str, ...], application: str
    ) -> tuple[list[Net], list[Net]]:
        key = (at, names, machine, spheres, application)
        if key in known:
            return known[key]
        refused = {
            unit["id"]
            for unit in units
            if unit["sphere"] not in spheres
            or (
                application
                and (unit["kind"] not in taken[application][0] or application not in unit["services"])
            )
        }
        fours: list[Net] = []
        sixes: list[Net] = []
        for side in ("centre", "unit") if at == "any" else () if at == "outside" else (at,):
            for name in names:
                where = (f"{side}/{name}", machine)
                for stands in (own, pairs):
                    for owner, four, six in stands.get(where, ()):
                        if owner not in refused:
                            fours.append((four, 32))
                            sixes.append((six, 128))
                for whole in (leased, areas):
                    for owner, four, length, six, other in whole.get(where, ()):
                        if owner not in refused:
                            fours.append((four, length))
                            sixes.append((six, other))
        known[key] = (merged(fours, 32), merged(sixes, 128))
        return known[key]

    def flow_of(flow: Flow, wanted: str, sphere: str) -> tuple[Any, ...]:
        service = services[wanted]
        one, two = flow.source, flow.destination
        of = (sphere,) if sphere else flow.spheres
        source = ends(one.at, one.segments, one.machine, of, wanted if flow.applications else "")
        machine = two.machine
        if not machine and service.machine not in ("any", "outside") and two.at != "outside":
            machine = service.machine
        target = ends(two.at, two.segments, machine, of, "")
        if machine == service.machine and _shared(catalogue.machines, machine):
            fours, sixes = offered[wanted]
            target = (merged(((a, 32) for a in fours), 32), merged(((a, 128) for a in sixes), 128))
        return (
            f"{flow.id}-{wanted}" + (f"-{sphere}" if sphere not in ("", flow.spheres[0]) else ""),
            (one.zone, one.segments, one.machine or None, *source),
            (two.zone, two.segments, machine or None, *target),
            wanted,
            [(port.protocol, port.number) for port in service.ports],
            flow.reason,
            flow.owner,
            sphere,
        )

    return [
        flow_of(flow, wanted, sphere)
        for flow in catalogue.flows
        for wanted in (taken if flow.applications else flow.services)
        for sphere in (flow.spheres if "unit" in (flow.source.at, flow.destination.at) else ("",))
        if not flow.applications
        or (
            sphere in taken[wanted][1]
            and (flow.source.at != "unit" or taken[wanted][2] & set(flow.source.segments))
        )
    ]


def _zones(
    domain: str,
    servers: list[str],
    names: Mapping[str, tuple[list[int], list[int]]],
    pointers: Mapping[int, Mapping[int, str]],
    pools: Mapping[str, Mapping[str, Any]],
) -> list[Any]:
    """The forward zone and the reverse ones; pools are private networks of 9 bits and more."""
    records: list[Any] = [(f"{domain}.", "NS", TTL, server) for server in servers]
    records += [(f"{domain}.", "CAA", TTL, f'0 {tag} ";"') for tag in ("issue", "issuewild")]
    for name, (fours, sixes) in sorted(names.items()):
        records += [(name, "A", TTL, text4(four)) for four in fours]
        records += [(name, "AAAA", TTL, text6(six)) for six in sixes]
    zones: list[Any] = [(domain, records)]
    starts4: dict[int, None] = {}
    starts6: dict[tuple[int, int], None] = {}
    for pool in pools.values():
        first, length = parse4(pool["network4"])
        for number in range(1 << max(16 - length, 0)):
            starts4[(first >> 16) + number] = None
        first, length = parse6(pool["network6"])
        nibbles = length // 4
        starts6[first >> 128 - nibbles * 4, nibbles] = None
    by_start: dict[Any, list[Any]] = {}
    for start in sorted(starts4):
        name = f"{start & 255}.{start >> 8}.in-addr.arpa"
        by_start[start] = [(f"{name}.", "NS", TTL, server) for server in servers]
        zones.append((name, by_start[start]))
    for start, nibbles in sorted(starts6, key=lambda key: key[0] << 128 - key[1] * 4):
        name = ".".join(f"{start:0{nibbles}x}"[::-1]) + ".ip6.arpa"
        by_start[start, nibbles] = [(f"{name}.", "NS", TTL, server) for server in servers]
        zones.append((name, by_start[start, nibbles]))
    for number, name in sorted(pointers[4].items()):
        back = f"{number & 255}.{number >> 8 & 255}.{number >> 16 & 255}.{number >> 24}.in-addr.arpa."
        by_start[number >> 16].append((back, "PTR", TTL, name))
    lengths = sorted({nibbles for _, nibbles in starts6}, reverse=True)
    for number, name in sorted(pointers[6].items()):
        nibbles = next(n for n in lengths if (number >> 128 - n * 4, n) in by_start)
        back = ".".join(f"{number:032x}"[::-1]) + ".ip6.arpa."
        by_start[number >> 128 - nibbles * 4, nibbles].append((back, "PTR", TTL, name))
    return zones
