"""What roles ask of hosts, resource by resource, and the same as a playbook of one task for each.

Read from what the roles' tasks send (plugins/action/managed_tree.py beside this file), so that nobody
writes it down a second time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT

NOTES = "PROVINCE_BENCH_NOTES"
PROGRAMS = ROOT / ".venv/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing that must be so on a host.

    `kind` packages, user, directory, exclusive, file, link, absent, command or unit; `name` says which;
    `options` as the roles give them, without a file's content, which lies in the folder of contents.
    """

    role: str
    host: str
    kind: str
    name: str
    options: Mapping[str, Any]


def noted(environment: Path, hosts: Iterable[str], folder: Path) -> list[Resource]:
    """What roles ask of hosts; writes contents of files to `<folder>/contents/<host>/<path>`."""
    notes = folder / "notes"
    notes.mkdir(mode=0o700)
    plugins = [ROOT / "tests/benchmarks/plugins/action", ROOT / "playbooks/plugins/action"]
    done = subprocess.run(
        [
            PROGRAMS / "ansible-playbook",
            ROOT / "playbooks/site.yml",
            "--check",
            "-i",
            environment,
            "--limit",
            ",".join(hosts),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            NOTES: str(notes),
            "ANSIBLE_ACTION_PLUGINS": ":".join(map(str, plugins)),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"roles could not be noted: {done.stdout[-1500:]}{done.stderr[-500:]}")
    found: list[Resource] = []
    for path in sorted(notes.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        note = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        found += _resources(note, folder / "contents" / note["host"])
    return found


def _resources(note: Mapping[str, Any], contents: Path) -> list[Resource]:
    options = note["options"]
    found: list[tuple[str, str, dict[str, Any]]] = []
    if options.get("packages"):
        found.append(("packages", " ".join(options["packages"]), {"packages": options["packages"]}))
    found += [("user", user["name"], user) for user in options.get("users", [])]
    for entry in options.get("directories", []):
        found.append(("directory", entry["path"], entry))
    for entry in options["files"]:
        place = contents / entry["dest"].lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(entry["content"], encoding="utf-8")
        found.append(("file", entry["dest"], {k: v for k, v in entry.items() if k != "content"}))
    wanted = {entry["dest"] for entry in options["files"]}
    wanted |= {entry["path"] for part in ("links", "directories") for entry in options.get(part, [])}
    for entry in options.get("directories", []):
        if entry.get("exclusive"):
            inside = {path for path in wanted if path.startswith(f"{entry['path']}/")}
            parents = {str(parent) for path in inside for parent in Path(path).parents}
            below = sorted(inside | {path for path in parents if path.startswith(f"{entry['path']}/")})
            found.append(("exclusive", entry["path"], {"keep": entry.get("keep", []), "wanted": below}))
    found += [("link", entry["path"], entry) for entry in options.get("links", [])]
    found += [("absent", path, {}) for path in options.get("absent", [])]
    found += [("command", entry["command"], entry) for entry in options.get("commands", [])]
    found += [("unit", entry["name"], entry) for entry in _units(options.get("units", []))]
    return [
        Resource(role=note["role"], host=note["host"], kind=kind, name=name, options=given)
        for kind, name, given in found
    ]


def _units(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A unit named twice, with other things to watch, is one resource."""
    merged: dict[str, dict[str, Any]] = {}
    for entry in entries:
        kept = {key: entry[key] for key in ("name", "state", "enabled", "masked") if key in entry}
        merged[entry["name"]] = {**merged.get(entry["name"], {}), **kept}
    return list(merged.values())


def playbook(resources: Iterable[Resource], contents: Path) -> list[dict[str, Any]]:
    """A play for each role, a task for each resource, as a careful author writes it without a module of ours.

    Packages of a role are one task, as they are where people know what a task costs. A resource that only
    some hosts of the play have is left out on the others by a condition.
    """
    plays: dict[str, dict[str, Any]] = {}
    for resource in resources:
        play = plays.setdefault(resource.role, {"hosts": {}, "tasks": {}})
        play["hosts"][resource.host] = None
        for number, task in enumerate(_tasks(resource, contents)):
            key = json.dumps([resource.kind, resource.name, number, task], sort_keys=True, default=str)
            kept = play["tasks"].setdefault(key, {**task, "hosts": []})
            kept["hosts"].append(resource.host)
    made = []
    for role, play in plays.items():
        tasks = []
        for task in play["tasks"].values():
            only = task.pop("hosts")
            conditions = task.pop("when", [])
            if set(only) != set(play["hosts"]):
                conditions = [f"inventory_hostname in {only!r}", *conditions]
            tasks.append({**task, **({"when": conditions} if conditions else {})})
        made.append(
            {
                "name": f"Apply {role}",
                "hosts": ",".join(play["hosts"]),
                "gather_facts": False,
                "tasks": tasks,
            }
        )
    return made


def _tasks(resource: Resource, contents: Path) -> list[dict[str, Any]]:
    given, name = resource.options, resource.name
    owned = {key: given[key] for key in ("mode", "owner", "group") if key in given}
    if resource.kind == "packages":
        # The module `apt` wants python3-apt, which these hosts do without.
        asked = {"argv": ["dpkg-query", "--show", *given["packages"]]}
        install = {"argv": ["apt-get", "install", "--yes", *given["packages"]]}
        return _unless(name, asked, install)
    if resource.kind == "user":
        fields: dict[str, Any] = {"name": name, "system": given.get("system", True)}
        fields |= {"groups": list(given["groups"]), "append": True} if given.get("groups") else {}
        fields |= {"password_lock": True} if given.get("locked") else {}
        fields |= {"create_home": False} if fields["system"] else {}
        return [_task("Make the user", "user", name, fields)]
    if resource.kind == "directory":
        return [_task("Make", "file", name, {"path": name, "state": "directory", "mode": "0755", **owned})]
    if resource.kind == "file":
        fields = {"src": f"{contents}/{{{{ inventory_hostname }}}}{name}", "dest": name, "mode": "0644"}
        checked = {"validate": given["validate"]} if given.get("validate") else {}
        secret = {"no_log": True} if given.get("sensitive") else {}
        return [{**_task("Lay down", "copy", name, {**fields, **owned, **checked}), **secret}]
    if resource.kind == "exclusive":
        found = {"paths": [name], "file_type": "any", "recurse": True, "hidden": True}
        found |= {"excludes": list(given["keep"])} if given["keep"] else {}
        register = "found" + re.sub(r"\W", "_", name)
        foreign = f"{register}.files | map(attribute='path') | difference({list(given['wanted'])!r})"
        return [
            {**_task("Look into", "find", name, found), "register": register},
            {
                **_task("Remove what is foreign in", "file", name, {"path": "{{ item }}", "state": "absent"}),
                "loop": f"{{{{ {foreign} }}}}",
            },
        ]
    if resource.kind == "link":
        return [_task("Link", "file", name, {"src": given["target"], "dest": name, "state": "link"})]
    if resource.kind == "absent":
        return [_task("Remove", "file", name, {"path": name, "state": "absent"})]
    if resource.kind == "command":
        fields = {"cmd": name} | ({"creates": given["creates"]} if given.get("creates") else {})
        if not given.get("unless"):
            return [_task("Run", "command", name, fields)]
        return _unless(name, {"cmd": given["unless"]}, fields)
    fields = {key: given[key] for key in ("state", "enabled", "masked") if given.get(key) is not None}
    return [_task("Settle", "systemd_service", name, {"name": name, **fields})]


def _unless(name: str, asked: Mapping[str, Any], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A command that a question may find needless."""
    # A later task of another host must not look at this one's answer.
    looked = "looked_" + hashlib.sha256(f"{name}{asked}".encode()).hexdigest()[:8]
    quiet = {"register": looked, "changed_when": False, "failed_when": False, "check_mode": False}
    return [
        {**_task("Look whether there is need of", "command", name, asked), **quiet},
        {**_task("Run", "command", name, fields), "when": [f"{looked}.rc != 0"]},
    ]


def _task(verb: str, module: str, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": f"{verb} {name}", f"ansible.builtin.{module}": dict(fields)}
