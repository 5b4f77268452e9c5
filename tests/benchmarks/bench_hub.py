"""A hub of the WAN with every commune of the country: tunnels, and routes over real BGP sessions.

Both run the files that the plan gives a hub, in network namespaces of this machine, with the daemons of the
host image. Tunnels: WireGuard in user space takes all peers, then one more. Sessions: FRR with the whole
configuration, and so many neighbours as `size` says, half of each family, each a real BGP session that
announces its unit's block, without BFD (what that costs is not measured here). What 3,321 sessions cost is to
be told from the ratios between sizes; it was not tried.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import select
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.country import COMMUNES, write_country
from tests.support.eventually import eventually
from tests.support.host_root import Space, joined, spaces, unpack
from tests.support.repository import ROOT

TENTH = 332
SESSIONS, MANY = 200, 1000
FEW = 50
PATIENCE = 120.0  # seconds
IDLE = 10.0  # seconds over which the work of standing sessions is measured
LINK = "wg0"
DAEMONS = ("mgmtd", "zebra", "staticd", "bfdd", "bgpd")


class _Keys(Mapping[str, str]):
    """A public key for every name that is asked for: 32 bytes that nobody has the private half of."""

    def __getitem__(self, name: str) -> str:
        return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


def _make(folder: Path, units: int) -> None:
    """A hub's files for a register of `units` open units, its facts, and the programs of a host."""
    from dataclasses import replace

    from province.hosts import built_hosts, plan_for
    from province.render.configurations import PRIVATE, Renderer, as_if_built, chosen, program_for
    from province.sources import load_sources

    number = next(n for n in range(units, 2 * units + 2) if n - n // 50 == units)
    write_country(folder / "country", number)
    environment = replace(as_if_built(load_sources(folder / "country")), wireguard="userspace")
    plan = plan_for(environment)
    environment = replace(environment, units=chosen(plan, (), "country"))
    hub = next(host for host in built_hosts(environment, plan, _Keys()) if host.planned.machine == "hub")
    made = Renderer(program_for(ROOT, ROOT / "inventories/common/group_vars"), environment, plan).render(hub)
    secret = base64.b64encode(os.urandom(32)).decode()
    for file in made.files:
        if file.path.startswith(("/etc/wireguard/", "/etc/frr/", "/usr/local/sbin/wireguard-apply")):
            target = folder / "files" / file.path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = file.content.decode()
            for placeholder in file.placeholders:
                if placeholder.startswith(PRIVATE.partition("{")[0]):
                    text = text.replace(placeholder, secret)
            # The light neighbours do not answer BFD, and a hub lets nobody in who does not.
            text = re.sub(r"(?m)^ neighbor \S+ bfd.*\n", "", text)
            target.write_text(text, encoding="utf-8")
            target.chmod(0o755 if "sbin" in file.path else 0o644)
    asns = {unit.id: unit.asn for unit in plan.units}
    owner = {host.name: host.owner for host in plan.hosts}
    routing = hub.facts()["routing"]
    members = [
        {"address": m["address"], "asn": asns[owner[m["description"]]], "prefix": m["accept"][0]}
        for listen in routing["listen"]
        for m in listen["members"]
    ]
    own = {str(a.version): str(a.ip) for i in hub.planned.interfaces if i.name == LINK for a in i.addresses}
    (folder / "members.json").write_text(json.dumps({"hub": own, "members": members}), encoding="utf-8")
    shutil.copytree(folder / "files", unpack(folder), dirs_exist_ok=True)


def _root(folder: Path, size: int) -> tuple[Path, Path, int]:
    return folder, folder / "root", size


# --- tunnels ---


def _tunnels(given: tuple[Path, Path, int], meter: Meter) -> dict[str, int]:
    folder, root, size = given
    configuration, link = (root / f"etc/wireguard/{LINK}{end}" for end in (".conf", ".link"))
    whole = {path: (folder / "files" / path.relative_to(root)).read_text() for path in (configuration, link)}
    peers = whole[configuration].count("[Peer]")
    # All but the last unit first; the last is the one that is added.
    last = whole[configuration].rindex("\n\n# ")
    configuration.write_text(whole[configuration][:last] + "\n", encoding="utf-8")
    routes = [line for line in whole[link].splitlines() if line.startswith("route ")]
    link.write_text("\n".join(line for line in whole[link].splitlines() if line not in routes[-2:]) + "\n")
    with spaces(root, "hub") as (hub,):
        hub.start("wireguard-go", "--foreground", LINK)
        eventually(lambda: hub.run("wg", "show", LINK, check=False), PATIENCE, every=0.05)
        apply = "/usr/local/sbin/wireguard-apply"
        with meter.whole():
            with meter.part("all but one"):
                hub.run(apply, LINK)
            process = hub.pids()
            for path, text in whole.items():
                path.write_text(text, encoding="utf-8")
            with meter.part("one more"):
                hub.run(apply, LINK)
        assert set(process) <= set(hub.pids()), "the process was started anew"
        meter.parts["MiB of wireguard-go"] = hub.memory("wireguard-go")
        shown = hub.run("wg", "show", LINK, "peers").split()
        known = [
            line
            for six in ("-4", "-6")
            for line in hub.run("ip", six, "route", "show", "dev", LINK).splitlines()
        ]
        return {
            "peers missing": peers - len(shown),
            "routes missing": len(routes) - sum("proto static" in line for line in known),
            "units": size,
        }


# --- sessions ---


def _sessions(given: tuple[Path, Path, int], meter: Meter) -> dict[str, int]:
    folder, root, size = given
    everything = json.loads((folder / "members.json").read_text(encoding="utf-8"))
    families = [[m for m in everything["members"] if (":" in m["address"]) == six] for six in (False, True)]
    members = [member for family in families for member in family[: size // 2]]
    speakers = root / "tmp/members.json"
    speakers.write_text(json.dumps({"hub": everything["hub"], "members": members}), encoding="utf-8")
    shutil.copy(ROOT / "tests/support/bgp_speaker.py", root / "tmp/bgp_speaker.py")
    own = everything["hub"]
    with spaces(root, "hub", "units") as (hub, units):
        joined(hub, units, (LINK, "line"))
        _addresses(hub, units, own, members)
        with meter.whole():
            with meter.part("start with all units"):
                _start(hub, root)
            with meter.part("sessions up"):
                said = units.start("python3", "/tmp/bgp_speaker.py", "/tmp/members.json")  # noqa: S108 - inside the root
                assert said.stdout is not None
                ready, _, _ = select.select([said.stdout], [], [], PATIENCE)
                word = said.stdout.readline().strip() if ready else "nobody in time"
                assert word == f"established {len(members)}", word
            with meter.part("routes in the kernel"):
                eventually(lambda: _learnt(hub) >= len(members), PATIENCE, every=0.05)
        meter.parts["MiB of bgpd"] = hub.memory("bgpd")
        meter.parts["MiB of zebra"] = hub.memory("zebra")
        before = hub.worked("bgpd")
        threading.Event().wait(IDLE)  # nothing is waited for: what standing sessions cost is measured
        meter.parts["bgpd, s of the processor in 10 s"] = hub.worked("bgpd") - before
        summary = hub.run("vtysh", "-c", "show bgp summary established json")
        up = sum(
            len(family.get("peers", {}))
            for family in json.loads(summary).values()
            if isinstance(family, dict)
        )
        return {"sessions": up, "routes": _learnt(hub)}


def _addresses(hub: Space, units: Space, own: dict[str, str], members: list[dict[str, Any]]) -> None:
    length = {"4": 32, "6": 128}
    mine = [f"address add {address}/{length[v]} dev {LINK} nodad" for v, address in own.items()]
    mine += [f"route add {m['address']}/{_bits(m)} dev {LINK}" for m in members]
    theirs = [f"address add {m['address']}/{_bits(m)} dev line nodad" for m in members]
    theirs += [f"route add {address}/{length[v]} dev line" for v, address in own.items()]
    for space, lines in ((hub, mine), (units, theirs)):
        space.run("ip", "-batch", "-", text="\n".join(lines) + "\n")


def _bits(member: dict[str, Any]) -> int:
    return 128 if ":" in member["address"] else 32


def _start(hub: Space, root: Path) -> None:
    hub.run("install", "-d", "-o", "frr", "-g", "frr", "/run/frr")
    hub.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for name in DAEMONS:
        options = ("-p", "179") if name == "bgpd" else ()
        large = ("-s", "90000000") if name == "zebra" else ()
        hub.start(f"/usr/lib/frr/{name}", "-A", "127.0.0.1", "-P", "0", *options, *large)
        eventually((root / f"run/frr/{name}.vty").is_socket, PATIENCE, every=0.05)
    hub.run("vtysh", "-b")


def _learnt(hub: Space) -> int:
    shown = [hub.run("ip", six, "route", "show", "proto", "bgp") for six in ("-4", "-6")]
    return sum(not line.startswith(("\t", " ")) for text in shown for line in text.splitlines())


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="hub-tunnels",
        title="All 3,321 peers and their routes on one hub, and one peer more",
        sides=(
            Side(
                name="wireguard-go",
                words="WireGuard in user space takes the hub's files by `wireguard-apply`, as on a hub",
                prepare=_root,
                run=_tunnels,
                content=lambda made: made,
            ),
        ),
        sizes=(TENTH, COMMUNES),
        tiny=4,
        needs="image",
        make=_make,
        bounds=(
            Bound(
                claim="a hub takes 3,321 peers with their routes",
                figure=Figure(side="wireguard-go", size=COMMUNES, of="all but one"),
                most=10,
            ),
            Bound(
                claim="one peer more on a hub that has 3,320",
                figure=Figure(side="wireguard-go", size=COMMUNES, of="one more"),
                most=3,
            ),
            Bound(
                claim="memory of wireguard-go for a peer, 3,321 peers to 332",
                figure=Figure(side="wireguard-go", size=COMMUNES, of="MiB of wireguard-go", each=True),
                over=Figure(side="wireguard-go", size=TENTH, of="MiB of wireguard-go", each=True),
                most=1.5,
            ),
        ),
    ),
    Benchmark(
        name="hub-sessions",
        title="A hub configured for all 3,321 units, with 50, 200 and 1,000 real BGP sessions",
        sides=(
            Side(
                name="frr",
                words="FRR with the hub's whole configuration; neighbours of one light process",
                prepare=_root,
                run=_sessions,
                content=lambda made: made,
            ),
        ),
        sizes=(FEW, SESSIONS, MANY),
        tiny=4,
        needs="image",
        make=lambda folder, size: _make(folder, COMMUNES if size >= FEW else size),
        bounds=(
            Bound(
                claim="200 sessions are up after their neighbours dial",
                figure=Figure(side="frr", size=SESSIONS, of="sessions up"),
                most=10,
            ),
            Bound(
                claim="1,000 sessions are up after their neighbours dial",
                figure=Figure(side="frr", size=MANY, of="sessions up"),
                most=10,
            ),
            Bound(
                claim="time until sessions are up, for a session, 200 to 50",
                figure=Figure(side="frr", size=SESSIONS, of="sessions up", each=True),
                over=Figure(side="frr", size=FEW, of="sessions up", each=True),
                most=1.5,
            ),
            Bound(
                claim="memory of bgpd, 200 sessions to 50, the same configuration",
                figure=Figure(side="frr", size=SESSIONS, of="MiB of bgpd"),
                over=Figure(side="frr", size=FEW, of="MiB of bgpd"),
                most=1.5,
            ),
        ),
    ),
)
