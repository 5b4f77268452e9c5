"""What an environment left on this machine, and only that: chosen by mark, taken away in order.

Every object that the stack makes in Incus carries its URN, whose first part names the environment. An
object without that mark is somebody else's, whatever its name is; what is inside a marked project is
ours. Interfaces, rules, processes and mounts carry no marks: of these only those go whose names begin
with the environment's prefix (or its pool) and which no object in Incus explains any more.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from province.incus import Incus, IncusError

INCUS_DIR = Path("/var/lib/incus")
_MARK = "user.province.urn"
_STOP_AND_DELETE = 120.0  # seconds for one object
_SETTLE = 20.0  # seconds that interfaces may take to vanish from a bridge


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """How to know what belongs to an environment."""

    environment: str
    project: str
    pool: str
    prefix: str

    def marked(self, config: dict[str, Any]) -> bool:
        """Say whether the mark in an object's config (or an image's properties) is this environment's."""
        mark = str(config.get(_MARK) or config.get(_MARK.removeprefix("user.")) or "")
        return mark.startswith(f"urn:pulumi:{self.environment}::")

    def named(self, name: str) -> bool:
        """Say whether an interface's name is one of ours: `<prefix>-…`."""
        return name.startswith(f"{self.prefix}-") and len(name) <= 15


@dataclass(frozen=True, slots=True)
class Object:
    """An object of Incus: what it is called in a sentence, and the API's paths for it."""

    noun: str
    name: str
    path: str
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What Incus holds, as far as it matters here. Objects inside other projects are not looked at."""

    projects: tuple[Object, ...] = ()
    inside: tuple[Object, ...] = ()  # instances, images, profiles, volumes of the project of our name
    networks: tuple[Object, ...] = ()
    pools: tuple[Object, ...] = ()


def choose(contents: Contents, ours: Ours) -> list[Object]:
    """Return what is to be deleted, in an order that works; nothing that is not ours.

    An unmarked project of our name is somebody's: then nothing inside it is touched either, marked
    objects excepted.
    """
    own_project = any(
        project.name == ours.project and ours.marked(project.config) for project in contents.projects
    )
    order = {"instance": 0, "image": 1, "profile": 2, "volume": 3}
    inside = [item for item in contents.inside if own_project or ours.marked(item.config)]
    inside.sort(key=lambda item: order[item.noun])
    marked = [
        item for item in (*contents.networks, *contents.pools, *contents.projects) if ours.marked(item.config)
    ]
    # The default profile of a project goes with the project; until then it may hold our devices.
    return [item for item in (*inside, *marked) if (item.noun, item.name) != ("profile", "default")]


def look(incus: Incus, ours: Ours) -> Contents:
    """Ask Incus what it holds."""
    projects = _list(incus, "project", "/projects")
    inside: list[Object] = []
    if any(project.name == ours.project for project in projects):
        inside += _list(incus, "instance", "/instances", ours.project)
        inside += _list(incus, "image", "/images", ours.project, key="fingerprint", marks="properties")
        inside += _list(incus, "profile", "/profiles", ours.project)
    pools = _list(incus, "storage pool", "/storage-pools")
    for pool in pools:
        if pool.name == ours.pool and any(project.name == ours.project for project in projects):
            path = f"/storage-pools/{quote(pool.name)}/volumes/custom"
            inside += _list(incus, "volume", path, ours.project)
    networks = [item for item in _list(incus, "network", "/networks") if item.config.get("_managed")]
    return Contents(
        projects=tuple(projects), inside=tuple(inside), networks=tuple(networks), pools=tuple(pools)
    )


def delete(incus: Incus, item: Object) -> None:
    """Delete one object; one that is gone already is fine."""
    what = f"removing the {item.noun} {item.name}"
    deadline = time.monotonic() + _SETTLE
    while True:
        try:
            _delete(incus, item, what)
        except IncusError as error:
            # Incus 6.0 gives up on a bridge while interfaces of stopped instances still vanish from it.
            if "bridge children" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _delete(incus: Incus, item: Object, what: str) -> None:
    try:
        if item.noun == "instance" and item.running:
            incus.change(
                "PUT",
                f"{item.path}/state",
                project=item.project,
                body={"action": "stop", "force": True, "timeout": 30},
                what=f"stopping {item.name}",
                timeout=_STOP_AND_DELETE,
            )
        incus.change("DELETE", item.path, project=item.project, what=what, timeout=_STOP_AND_DELETE)
    except IncusError as error:
        if error.status != 404:
            raise


def sweep_incus(incus: Incus, ours: Ours) -> list[str]:
    """Remove everything of ours from Incus; returns what was removed, in words."""
    gone = []
    contents = look(incus, ours)
    for item in choose(contents, ours):
        if item.noun == "project":
            _empty_default_profile(incus, item.name)
        delete(incus, item)
        gone.append(f"{item.noun} {item.name}")
    return gone


def only_defaults(incus: Incus) -> bool:
    """Say whether Incus holds nothing but what it makes by itself."""
    if [item.name for item in _list(incus, "project", "/projects")] != ["default"]:
        return False
    empty = ("/instances", "/images", "/storage-pools")
    if any(incus.request("GET", path).metadata for path in empty):
        return False
    if any(item.config.get("_managed") for item in _list(incus, "network", "/networks")):
        return False
    profiles = incus.request("GET", "/profiles", parameters={"recursion": "1"}).metadata
    return [profile["name"] for profile in profiles] == ["default"] and not profiles[0].get("devices")


# What is outside Incus -----------------------------------------------------------------------------


def stray_chains(ruleset: Iterable[dict[str, Any]], ours: Ours, networks: Iterable[str]) -> list[list[str]]:
    """Return `[family, table, chain]` of Incus's chains for networks of ours that Incus has no more.

    `ruleset` is what `nft -j list chains` says below `nftables`. Incus names them `<hook>.<network>`.
    """
    kept = set(networks)
    found = []
    for entry in ruleset:
        chain = entry.get("chain")
        if not chain or chain["table"] != "incus":
            continue
        _, dot, network = chain["name"].partition(".")
        if dot and ours.named(network) and network not in kept:
            found.append([chain["family"], chain["table"], chain["name"]])
    return found


def stray_links(links: Iterable[dict[str, Any]], ours: Ours, networks: Iterable[str]) -> list[str]:
    """Return bridges of ours that Incus has no more; `links` is what `ip -j link` says."""
    kept = set(networks)
    names = [str(link.get("ifname", "")) for link in links]
    return [name for name in names if ours.named(name) and name not in kept]


def stray_mounts(mounts: str, ours: Ours) -> list[str]:
    """Return mounts below our pool and our instances' devices, deepest first (text of /proc/mounts)."""
    below = (
        f"{INCUS_DIR}/storage-pools/{ours.pool}",
        f"{INCUS_DIR}/devices/{ours.project}_",
        f"{INCUS_DIR}/shmounts/{ours.project}_",
    )
    targets = [fields[1] for line in mounts.splitlines() if len(fields := line.split()) > 1]
    ours_only = [path for path in targets if path.startswith(below[1:]) or _is_below(path, below[0])]
    return sorted(ours_only, key=len, reverse=True)


def sweep_machine(ours: Ours, networks: Sequence[str]) -> list[str]:
    """Remove what Incus no more explains: chains, bridges, name servers, mounts, folders.

    `networks`: the networks that Incus still has.
    """
    gone = []
    for family, table, chain in stray_chains(_nft_chains(), ours, networks):
        _quiet(["nft", "delete", "chain", family, table, chain])
        gone.append(f"nftables chain {chain}")
    if not networks:
        for empty in _empty_incus_tables():
            _quiet(["nft", "delete", "table", *empty])
            gone.append(f"nftables table {' '.join(empty)}")
    for pid in _stray_name_servers(ours, networks):
        os.kill(pid, signal.SIGTERM)
        gone.append(f"name server process {pid}")
    for name in stray_links(_json(["ip", "-j", "link", "show"]), ours, networks):
        _quiet(["ip", "link", "delete", name])
        gone.append(f"interface {name}")
    for path in stray_mounts(Path("/proc/self/mounts").read_text(encoding="utf-8"), ours):
        _quiet(["umount", "--lazy", path])
        gone.append(f"mount {path}")
    return gone


def sweep_folders(ours: Ours) -> list[str]:
    """Remove folders that Incus left of our pool and networks; only called when Incus has them no more."""
    gone = []
    candidates = [INCUS_DIR / "storage-pools" / ours.pool]
    candidates += sorted((INCUS_DIR / "networks").glob(f"{ours.prefix}-*"))
    for path in candidates:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            gone.append(f"folder {path}")
    return gone


def _list(
    incus: Incus, noun: str, path: str, project: str = "", *, key: str = "name", marks: str = "config"
) -> list[Object]:
    """List a collection with its configs (recursion 1)."""
    answer = incus.find(path, project=project, parameters={"recursion": "1"})
    found = []
    for item in (answer.metadata if answer else None) or []:
        config = dict(item.get(marks) or {})
        if noun == "network":
            config["_managed"] = bool(item.get("managed"))
        name = str(item[key])
        where = f"{path}/{quote(name, safe='')}"
        running = str(item.get("status", "")) not in ("", "Stopped")
        found.append(Object(noun, name, where, project, config, running))
    return found


def _empty_default_profile(incus: Incus, project: str) -> None:
    incus.change(
        "PUT",
        "/profiles/default",
        project=project,
        body={"config": {}, "devices": {}, "description": ""},
        what=f"emptying the default profile of {project}",
    )


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _nft_chains() -> list[dict[str, Any]]:
    said = _json(["nft", "-j", "list", "chains"])
    return list(said.get("nftables", [])) if isinstance(said, dict) else []


def _empty_incus_tables() -> list[list[str]]:
    """Return `[family, incus]` of tables named incus without a chain."""
    said = _json(["nft", "-j", "list", "tables"])
    tables = [entry["table"] for entry in said.get("nftables", []) if "table" in entry] if said else []
    used = {(e["chain"]["family"], e["chain"]["table"]) for e in _nft_chains() if "chain" in e}
    return [
        [table["family"], table["name"]]
        for table in tables
        if table["name"] == "incus" and (table["family"], table["name"]) not in used
    ]


def _stray_name_servers(ours: Ours, networks: Sequence[str]) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if not argv[0].endswith("dnsmasq"):
            continue
        for argument in argv:
            match = re.fullmatch(r"--interface=(\S+)", argument)
            if match and ours.named(match[1]) and match[1] not in networks:
                found.append(int(process.name))
    return found


def _json(argv: list[str]) -> Any:
    program = shutil.which(argv[0])
    if program is None:
        return []
    said = subprocess.run([program, *argv[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    try:
        return json.loads(said.stdout or "[]")
    except ValueError:
        return []


def _quiet(argv: list[str]) -> None:
    """Run a removal; what is gone meanwhile is fine, what stays is found by the next look."""
    program = shutil.which(argv[0])
    if program is not None:
        subprocess.run([program, *argv[1:]], capture_output=True, check=False)  # noqa: S603 - ours
