"""What a host lays down to run its applications: a pure function from records and files to plain data.

The result is what the role `container_app` takes: containers, networks, files, folders. An image is
named by the hash of its build context, so that other files are another image and the same files are
never built twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from province.plan.model import Plan
from province.render import start

# Where the applications of a host live: <ROOT>/<app>/<container>/context and <ROOT>/<app>/<volume>.
ROOT = "/srv/apps"

# Bridges of applications are known by this prefix; the kernel takes names of at most 15 characters.
BRIDGE_PREFIX = "pod-"
BRIDGE_LENGTH = 15

# Volumes that are made from the plan: (app, volume) to the function that makes their files.
RENDERED = {("start", "pages"): start.render}


def application_tree(
    plan: Plan,
    apps: Iterable[Mapping[str, Any]],
    kinds: Mapping[str, Mapping[str, str]],
    placed: Iterable[str],
    folder: Path,
) -> dict[str, list[dict[str, Any]]]:
    """The variables of the role `container_app`, without its prefix, for the apps with ids `placed`.

    `apps` are all records of apps/*/app.yml (an application may tell about others), `kinds` the
    catalogue's titles of kinds of units, `folder` is apps/.
    Keys of the result: `containers`, `networks`, `files`, `folders`.
    """
    records = {record["id"]: record for record in apps}
    tree: dict[str, list[dict[str, Any]]] = {"containers": [], "networks": [], "files": [], "folders": []}
    for identity in sorted(placed):
        app = records[identity]
        tree["networks"].append({"name": identity, "interface": bridge_name(identity)})
        rendered: dict[str, Mapping[str, str]] = {}
        for name, container in sorted(app["containers"].items()):
            for volume in container["volumes"]:
                if volume["content"] == "rendered" and volume["name"] not in rendered:
                    make = RENDERED[identity, volume["name"]]
                    rendered[volume["name"]] = make(plan, tuple(records.values()), kinds, folder / identity)
            context = build_context(folder / identity, container)
            tree["containers"].append(_container(app, name, container, context))
            _add_files(tree, f"{ROOT}/{identity}/{name}/context", context)
        for volume, files in sorted(rendered.items()):
            _add_files(tree, f"{ROOT}/{identity}/{volume}", files)
    return tree


def bridge_name(app: str) -> str:
    """The bridge of an application; a long id keeps its start and is told apart by a hash."""
    name = BRIDGE_PREFIX + app
    if len(name) > BRIDGE_LENGTH:
        name = name[: BRIDGE_LENGTH - 5] + hashlib.sha256(app.encode()).hexdigest()[:5]
    return name


def build_context(folder: Path, container: Mapping[str, Any]) -> dict[str, str]:
    """Files of a build context by their path in it; the Containerfile is always called so."""
    recipe = folder / container["containerfile"]
    files = {
        path.relative_to(recipe.parent).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(recipe.parent.rglob("*"))
        if path.is_file()
    }
    files["Containerfile"] = files.pop(recipe.name)
    return files


def context_hash(context: Mapping[str, str]) -> str:
    """16 hex digits over names and contents; lengths keep two files from being taken for one."""
    digest = hashlib.sha256()
    for path in sorted(context):
        content = context[path].encode()
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _container(
    app: Mapping[str, Any], name: str, container: Mapping[str, Any], context: Mapping[str, str]
) -> dict[str, Any]:
    unit = f"{app['id']}-{name}"
    home = f"{ROOT}/{app['id']}"
    return {
        "unit": unit,
        "description": f"{app['title']['en']} ({name})",
        "image": f"localhost/{unit}:{context_hash(context)}",
        "context": f"{home}/{name}/context",
        "network": app["id"],
        "port": container["port"],
        "host_port": container["host_port"],
        "user": container["user"],
        "memory_mib": container["memory_mib"],
        "tmpfs": list(container.get("tmpfs", [])),
        "volumes": [
            {
                "source": f"{home}/{volume['name']}",
                "path": volume["path"],
                "writable": volume["content"] == "data",
            }
            for volume in container["volumes"]
        ],
        "health": {"every_seconds": container["health"]["every_seconds"]},
        "services": [
            {"name": f"{unit}-build.service", "state": "started", "watch": [f"{home}/{name}/context"]},
            {
                "name": f"{unit}.service",
                "state": "started",
                # What the process reads once, at its start; all else in a volume is read when asked for.
                "watch": [
                    f"{home}/{volume['name']}/conf.d"
                    for volume in container["volumes"]
                    if volume["content"] == "rendered"
                ],
            },
        ],
    }


def _add_files(tree: Mapping[str, list[dict[str, Any]]], place: str, files: Mapping[str, str]) -> None:
    tree["folders"].append({"path": place, "exclusive": True})
    tree["files"].extend(_entries(place, files))


def _entries(place: str, files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for path, content in sorted(files.items()):
        yield {"path": f"{place}/{path}", "content": content}
