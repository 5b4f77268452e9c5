"""An Incus in memory, behind an httpx transport: what the provider's tests talk to.

It behaves like 6.0.4 where the provider can notice: defaults it fills in, etags, operations that are
waited for, refusals with their status, objects that cannot go while they are used.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from province.incus import Endpoint, Incus

JSON = dict[str, Any]


class RefusedError(Exception):
    """An answer with an HTTP error."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


@dataclass
class FakeIncus:
    """The objects, by collection and (project, name); `log` holds every request as (method, path)."""

    members: list[str] = field(default_factory=list)
    objects: dict[str, dict[tuple[str, str], JSON]] = field(
        default_factory=lambda: {
            name: {}
            for name in (
                "projects",
                "storage-pools",
                "networks",
                "profiles",
                "images",
                "aliases",
                "instances",
            )
        }
    )
    operations: dict[str, JSON] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str, int, str]] = field(default_factory=list)
    announced: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """Every Incus has a project `default`."""
        self.objects["projects"][("", "default")] = {"name": "default", "config": {}, "description": ""}

    def client(self) -> Incus:
        """Return a client that talks to this one."""
        return Incus(Endpoint(), transport=httpx.MockTransport(self.answer))

    def fail_once(self, method: str, path: str, status: int, error: str) -> None:
        """Answer the next such request (path as a regular expression) with an error."""
        self.failures.append((method, path, status, error))

    def changes(self) -> list[tuple[str, str]]:
        """Return the requests that were not mere questions."""
        return [(method, path) for method, path in self.log if method != "GET"]

    def put_there(self, collection: str, project: str, name: str, **content: Any) -> None:
        """Let an object exist that somebody else made."""
        base: JSON = {"name": name, "config": {}, "description": "", "devices": {}, "profiles": []}
        self.objects[collection][(project, name)] = {**base, **content}

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        with self._lock:
            path = request.url.path.removeprefix("/1.0")
            self.log.append((request.method, path))
            try:
                for index, (method, pattern, status, error) in enumerate(self.failures):
                    if method == request.method and re.fullmatch(pattern, path):
                        del self.failures[index]
                        raise RefusedError(status, error)
                return self._route(request, path, dict(parse_qsl(request.url.query.decode())))
            except RefusedError as refused:
                content = {"type": "error", "error": str(refused), "error_code": refused.status}
                return httpx.Response(refused.status, json=content)

    def _route(self, request: httpx.Request, path: str, query: dict[str, str]) -> httpx.Response:
        parts = path.strip("/").split("/")
        project = query.get("project", "default")
        if path == "":
            return _sync({"environment": {"server_clustered": bool(self.members)}})
        if path == "/cluster/members":
            return _sync([{"server_name": name} for name in self.members])
        if parts[0] == "operations":
            return _sync(self.operations[parts[1]])
        if parts[0] in ("profiles", "images", "instances") and ("", project) not in self.objects["projects"]:
            raise RefusedError(404, "Project not found")
        if parts[0] in ("projects", "storage-pools"):
            project = ""
        collection, rest = parts[0], parts[1:]
        if parts[:2] == ["images", "aliases"]:
            collection, rest = "aliases", parts[2:]
        kept = self.objects[collection]
        if not rest:
            if request.method == "GET":
                return _sync([deepcopy(o) for (place, _), o in kept.items() if place == project])
            return self._create(request, collection, project, query)
        name = rest[0]
        found = kept.get((project, name))
        if found is None:
            raise RefusedError(404, f"{collection.rstrip('s').capitalize()} not found")
        if rest[1:] == ["state"]:
            return self._act(found, json.loads(request.content))
        if request.method == "GET":
            return _sync(deepcopy(found), etag=_etag(found))
        if request.method == "PUT":
            if request.headers.get("If-Match", _etag(found)) != _etag(found):
                raise RefusedError(412, "ETag doesn't match")
            found.update(json.loads(request.content))
        if request.method == "DELETE":
            self._check_unused(collection, project, name, found)
            del kept[(project, name)]
        return self._begin({}) if collection in ("instances", "images") else _sync({})

    def _create(
        self, request: httpx.Request, collection: str, project: str, query: dict[str, str]
    ) -> httpx.Response:
        if collection == "images":
            return self._upload(request, project)
        body: JSON = json.loads(request.content)
        name = body["name"]
        if (project, name) in self.objects[collection]:
            raise RefusedError(409, f"The {collection.rstrip('s')} already exists")
        made: JSON = {"description": "", "config": {}, **body}
        if collection in ("networks", "storage-pools") and self.members:
            if "target" in query:
                if (query["target"], name) in self.announced:
                    raise RefusedError(409, "The network already defined on member")
                self.announced.append((query["target"], name))
                return _sync({})
            if {member for member, known in self.announced if known == name} != set(self.members):
                raise RefusedError(400, "Network not defined on members")
        if collection == "projects":
            features = {f"features.{name}": "true" for name in ("images", "profiles", "storage.buckets")}
            made["config"] = {**features, **made["config"]}
        if collection == "storage-pools":
            made["config"] = {"source": f"/var/lib/incus/storage-pools/{name}", **made["config"]}
        if collection == "instances":
            return self._instance(made, project, query)
        self.objects[collection][(project, name)] = made
        return _sync({})

    def _instance(self, made: JSON, project: str, query: dict[str, str]) -> httpx.Response:
        source = made.pop("source")
        fingerprint = source.get("fingerprint")
        if "alias" in source:
            alias = self.objects["aliases"].get((project, source["alias"]))
            fingerprint = alias["target"] if alias else None
        if fingerprint is None or (project, fingerprint) not in self.objects["images"]:
            raise RefusedError(404, "Image not found")
        for device in made.get("devices", {}).values():
            if device["type"] == "nic" and ("default", device["network"]) not in self.objects["networks"]:
                return self._begin({}, error=f'Failed loading network "{device["network"]}"')
        volatile = {"volatile.uuid": "f00d", "volatile.base_image": fingerprint, "image.os": "debian"}
        made["config"] = {**volatile, **made["config"]}
        made.update(
            status="Stopped",
            location=query.get("target", "none"),
            architecture="x86_64",
            ephemeral=False,
            stateful=False,
        )
        self.objects["instances"][(project, made["name"])] = made
        return self._begin({})

    def _act(self, found: JSON, body: JSON) -> httpx.Response:
        wanted = {"start": "Running", "stop": "Stopped"}[body["action"]]
        if found["status"] == wanted:
            return self._begin({}, error=f"The instance is already {wanted.lower()}")
        found["status"] = wanted
        return self._begin({})

    def _upload(self, request: httpx.Request, project: str) -> httpx.Response:
        request.read()
        boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
        if len(request.content) != int(request.headers["Content-Length"]):
            raise RefusedError(400, "unexpected EOF")
        digest = hashlib.sha256()
        names = []
        for part in request.content.split(b"--" + boundary)[1:-1]:
            head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
            names.append(re.search(rb'name="(\w+)"', head)[1])  # type: ignore[index]  # our own form
            digest.update(content)
        if names != [b"metadata", b"rootfs"]:
            raise RefusedError(400, f"Invalid multipart image {names}")
        fingerprint = digest.hexdigest()
        if (project, fingerprint) in self.objects["images"]:
            return self._begin({}, error="Image with same fingerprint already exists")
        self.objects["images"][(project, fingerprint)] = {
            "fingerprint": fingerprint,
            "properties": {"os": "debian", **dict(parse_qsl(request.headers.get("X-Incus-properties", "")))},
            "public": False,
        }
        return self._begin({"fingerprint": fingerprint})

    def _check_unused(self, collection: str, project: str, name: str, found: JSON) -> None:
        if collection == "instances" and found["status"] == "Running":
            raise RefusedError(400, "Instance is running")
        if collection == "networks":
            users = [
                instance["name"]
                for instance in self.objects["instances"].values()
                if any(device.get("network") == name for device in instance.get("devices", {}).values())
            ]
            if users:
                raise RefusedError(400, "The network is currently in use")
        if collection == "projects":
            held = [key for kind in ("instances", "images") for key in self.objects[kind] if key[0] == name]
            if held:
                raise RefusedError(400, "Only empty projects can be removed")
        if collection == "images":
            for key in [key for key, alias in self.objects["aliases"].items() if alias["target"] == name]:
                if key[0] == project:
                    del self.objects["aliases"][key]

    def _begin(self, metadata: JSON, error: str = "") -> httpx.Response:
        identity = f"op-{len(self.operations)}"
        self.operations[identity] = {
            "status_code": 400 if error else 200,
            "status": "Failure" if error else "Success",
            "err": error,
            "metadata": metadata,
        }
        return httpx.Response(
            202, json={"type": "async", "operation": f"/1.0/operations/{identity}", "metadata": {}}
        )


def _sync(metadata: Any, etag: str = "") -> httpx.Response:
    headers = {"ETag": etag} if etag else {}
    return httpx.Response(200, json={"type": "sync", "metadata": metadata}, headers=headers)


def _etag(content: JSON) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
