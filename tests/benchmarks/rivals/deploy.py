"""The operations of `bench_converge` as pyinfra has them; it runs this file in an environment of its own.

What it is to do stands in the file that PROVINCE_BENCH_RESOURCES names.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from pyinfra import host  # type: ignore[import-not-found] # its own environment
from pyinfra.facts.files import File, FindDirectories, FindFiles, FindLinks  # type: ignore[import-not-found] # its own environment
from pyinfra.facts.server import Command  # type: ignore[import-not-found] # its own environment
from pyinfra.operations import apt, files, server, systemd  # type: ignore[import-not-found] # its own environment

PLACE = Path(os.environ["PROVINCE_BENCH_RESOURCES"])
CONTENTS = PLACE.parent / "contents" / host.name


def owned(given: dict[str, Any], mode: str) -> dict[str, Any]:
    """Mode, owner and group as pyinfra names them."""
    return {"mode": given.get("mode", mode), "user": given.get("owner"), "group": given.get("group")}


def foreign(path: str, given: dict[str, Any]) -> list[str]:
    """What lies in a folder that nobody declared."""
    found = [
        one
        for fact in (FindFiles, FindDirectories, FindLinks)
        for one in host.get_fact(fact, path=path) or []
    ]
    kept = set(given["keep"])
    return [one for one in found if one not in {path, *given["wanted"]} and Path(one).name not in kept]


def apply(kind: str, name: str, given: dict[str, Any]) -> None:
    """One operation for one resource."""
    title = f"{kind} {name}"
    if kind == "packages":
        apt.packages(name=title, packages=given["packages"])
    elif kind == "user":
        server.user(name=title, user=name, groups=given.get("groups") or None, ensure_home=False, append=True)
    elif kind == "directory":
        files.directory(name=title, path=name, **owned(given, "0755"))
    elif kind == "file":
        source = f"{CONTENTS}{name}"
        files.put(name=title, src=source, dest=name, add_deploy_dir=False, **owned(given, "0644"))
    elif kind == "exclusive":
        for path in foreign(name, given):
            files.file(name=f"absent {path}", path=path, present=False)
    elif kind == "link":
        files.link(name=title, path=name, target=given["target"])
    elif kind == "absent":
        files.file(name=title, path=name, present=False)
    elif kind == "command":
        unless = given.get("unless")
        question = f"{unless} >/dev/null 2>&1 && echo needless || echo needed"
        if unless and host.get_fact(Command, f"sh -c {shlex.quote(question)}") == "needless":
            return
        if given.get("creates") and host.get_fact(File, path=given["creates"]):
            return
        server.shell(name=title, commands=[name])
    else:
        running = {"started": True, "stopped": False}.get(given.get("state", ""))
        systemd.service(name=title, service=name, running=running, enabled=given.get("enabled"))


asked = json.loads(PLACE.read_text(encoding="utf-8"))
# All hosts go through all resources in the same order, as pyinfra wants it of loops.
for key in host.loop(asked["order"]):
    resource = asked["hosts"][host.name].get(key)
    if resource is not None:
        apply(resource["kind"], resource["name"], resource["options"])
