"""What the provider manages in Incus: one class a type, plain JSON in and out, no Pulumi in it.

Every object carries the resource's URN: `user.province.urn` in its config, `province.urn` in an
image's properties. `create` takes over an object that carries its own URN (a run was killed between
making it and writing that down) and refuses any other; `delete` does not touch what became another's.

State and inputs have the same keys, so that a difference between them is a difference in Incus. Of
the keys that Incus itself writes only those that somebody asked for are compared; any other key that
appears is drift.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode

from province.incus import JSON, Incus, IncusError, multipart

T = TypeVar("T")

MARK = "user.province.urn"
IMAGE_MARK = "province.urn"
IMAGE_IDENTITY = "province.identity"
DEFAULT_PROJECT = "default"

# The text that stands for a value not known before it is made (pulumi.runtime.rpc.UNKNOWN).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

_INSTANCE_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NETWORK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,14}")  # IFNAMSIZ: 15 characters and an end
_INTERFACE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,14}")
_OBJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
_BRIDGES = threading.Lock()
_STUMBLING = 30.0  # seconds
_LOOK_AGAIN = 0.5  # seconds
_HWADDR = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Failure:
    """One input that cannot be accepted, and why."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Field:
    """An input. `kind`: text, texts (a list), config (text → text) or devices (name → config).

    `default` None: required. `change`: what a new value means for an object that exists: `update`,
    `replace`, or `ignore` (used when the object is made, never compared afterwards).
    """

    kind: str = "text"
    default: Any = None
    change: str = "update"


class Kind(ABC):
    """A type of resource. One instance serves all resources of the type."""

    token: ClassVar[str]
    noun: ClassVar[str]
    collection: ClassVar[str]
    fields: ClassVar[dict[str, Field]]
    name_field: ClassVar[str] = "name"
    name_pattern: ClassVar[re.Pattern[str]] = _OBJECT_NAME
    name_rule: ClassVar[str] = "at most 63 letters, digits, '.', '_' and '-', not beginning with a sign"
    timeout: ClassVar[float] = 120.0

    # --- inputs ---

    def check(self, given: JSON) -> tuple[JSON, list[Failure]]:
        """Fill in defaults, and say what cannot be accepted. Values not known yet are let through."""
        failures = [
            Failure(name, f"{self.noun} has no property {name!r}; it has {', '.join(self.fields)}")
            for name in given
            if name not in self.fields and not name.startswith("__")
        ]
        checked: JSON = {}
        for name, field in self.fields.items():
            value = given.get(name)
            if value is None:
                if field.default is None:
                    failures.append(Failure(name, f"{self.noun} needs {name}"))
                    continue
                value = field.default
            checked[name] = value
            failures += _wrong_type(name, field.kind, value)
        if not failures:
            failures += self._name_failures(checked) + self.cross_check(checked)
        return checked, failures

    def _name_failures(self, inputs: JSON) -> list[Failure]:
        name = inputs[self.name_field]
        if name == UNKNOWN or self.name_pattern.fullmatch(name):
            return []
        return [
            Failure(self.name_field, f"{name!r} cannot be the name of a {self.noun}: wanted {self.name_rule}")
        ]

    def cross_check(self, inputs: JSON) -> list[Failure]:
        """Say what is wrong with inputs whose types are right."""
        del inputs
        return []

    def id_of(self, inputs: JSON) -> str:
        """Build the id: `<project>/<name>`, or the name alone for what belongs to no project."""
        name: str = inputs[self.name_field]
        return f"{inputs['project']}/{name}" if "project" in self.fields else name

    def inputs_of(self, resource_id: str) -> JSON:
        """Take an id apart: what an import knows of an object before it is read."""
        if "project" not in self.fields:
            return {self.name_field: resource_id}
        project, slash, name = resource_id.partition("/")
        if not slash or not name:
            raise IncusError(f"The id of a {self.noun} is <project>/<name>, not {resource_id!r}.")
        return {"project": project, self.name_field: name}

    # --- the object in Incus ---

    def path(self, inputs: JSON) -> str:
        """Return the path of the object below /1.0."""
        return f"/{self.collection}/{quote(inputs[self.name_field], safe='')}"

    def project(self, inputs: JSON) -> str:
        """Return the Incus project that the object is in, "" for what belongs to none."""
        return str(inputs.get("project", ""))

    def label(self, inputs: JSON) -> str:
        """Name the object in a sentence."""
        project = self.project(inputs)
        return f"{self.noun} {inputs[self.name_field]}" + (f" of project {project}" if project else "")

    def foreign(self, key: str) -> bool:
        """Say whether Incus itself writes this config key, so that it is compared only if asked for."""
        return key.startswith("volatile.") or key == MARK

    def seen(self, incus: Incus, inputs: JSON) -> tuple[JSON, str] | None:
        """Fetch the object and its etag; None where there is none."""
        answer = incus.find(self.path(inputs), project=self.project(inputs))
        return None if answer is None else (answer.metadata, answer.etag)

    def mark_of(self, found: JSON) -> str:
        """Return the URN that the object carries, "" for none."""
        return str((found.get("config") or {}).get(MARK, ""))

    def state(self, found: JSON, inputs: JSON, urn: str) -> JSON:
        """Describe the object with the keys of the inputs, so that the two can be compared."""
        state: JSON = {"marked": self.mark_of(found) == urn}
        for name, field in self.fields.items():
            if field.kind == "config":
                asked = inputs.get(name) or {}
                actual = found.get(name) or {}
                state[name] = {
                    key: value
                    for key, value in sorted(actual.items())
                    if key in asked or not self.foreign(key)
                }
            elif field.change == "ignore" or name in (self.name_field, "project"):
                state[name] = inputs.get(name, field.default or "")
            else:
                state[name] = found.get(name, field.default)
        return state

    def merged(self, found: JSON, inputs: JSON, urn: str) -> JSON:
        """Build the body of a PUT: what is wanted, and of what is there the keys Incus keeps for itself."""
        config = {key: value for key, value in (found.get("config") or {}).items() if self.foreign(key)}
        body = self.body(inputs, urn)
        return {**body, "config": {**config, **body["config"]}}

    def body(self, inputs: JSON, urn: str) -> JSON:
        """Build what a PUT of a new object of this type holds."""
        body = {
            name: inputs[name]
            for name, field in self.fields.items()
            if field.change == "update" and name != "state"
        }
        return {**body, "config": {**inputs.get("config", {}), MARK: urn}}

    # --- verbs ---

    def refusal(self, incus: Incus, inputs: JSON, urn: str) -> None:
        """Raise when the name is taken by an object that does not carry `urn`."""
        present = self.seen(incus, inputs)
        if present is not None and self.mark_of(present[0]) != urn:
            raise self._not_ours(inputs, self.mark_of(present[0]))

    def create(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> JSON:
        """Make the object, or take over one that carries this URN; return its state."""
        deadline = time.monotonic() + timeout
        while True:
            present = self.seen(incus, inputs)
            if present is not None and self.mark_of(present[0]) != urn:
                raise self._not_ours(inputs, self.mark_of(present[0]))
            try:
                (self.make if present is None else self.put)(incus, inputs, urn, timeout)
                break
            except IncusError as error:
                # Incus goes on with what a killed run had asked for, unseen until it is written down: the
                # object comes between our look and our wish, or goes when its making fails.
                moved = error.status == 404 if present is not None else _came_meanwhile(error)
                if not moved or time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_AGAIN)
        self.settle(incus, inputs, timeout)
        return self._state_now(incus, inputs, urn)

    def read(self, incus: Incus, resource_id: str, inputs: JSON, urn: str) -> JSON | None:
        """Return the state of the object with this id, None when it is gone."""
        known = {**inputs, **self.inputs_of(resource_id)}
        present = self.seen(incus, known)
        return None if present is None else self.state(present[0], known, urn)

    def update(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> JSON:
        """Bring an object that exists to its inputs; return its state."""
        self.put(incus, inputs, urn, timeout)
        self.settle(incus, inputs, timeout)
        return self._state_now(incus, inputs, urn)

    def delete(self, incus: Incus, resource_id: str, state: JSON, urn: str, timeout: float) -> None:
        """Remove the object; what is gone already is fine, what became another's is refused.

        An object that was imported and never marked may go: the state says that it was so.
        """
        inputs = {**state, **self.inputs_of(resource_id)}
        present = self.seen(incus, inputs)
        if present is None:
            return
        mark = self.mark_of(present[0])
        if mark != urn and (mark or state.get("marked", True)):
            raise IncusError(
                f"The {self.label(inputs)} is to be removed but {_of_whom(mark)}: someone replaced it. "
                "Look at it; remove it by hand, or take it out of the state with `pulumi state delete`."
            )
        self.remove(incus, inputs, present[0], timeout)

    def make(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Create the object in Incus."""
        body = {**self.body(inputs, urn), **self.birth(inputs)}
        incus.change(
            "POST",
            f"/{self.collection}",
            project=self.project(inputs),
            body=body,
            what=f"creating the {self.label(inputs)}",
            timeout=timeout,
        )

    @abstractmethod
    def birth(self, inputs: JSON) -> JSON:
        """Return what only the creation says: the name, a type, a source."""

    def put(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Write the wanted configuration, if it differs from what is there."""
        present = self.seen(incus, inputs)
        if present is None:
            raise IncusError(
                f"The {self.label(inputs)} is gone from Incus. Refresh the state, then run again.", status=404
            )
        found, etag = present
        body = self.merged(found, inputs, urn)
        if all(found.get(key) == value for key, value in body.items()):
            return
        incus.change(
            "PUT",
            self.path(inputs),
            project=self.project(inputs),
            body=body,
            etag=etag,
            what=f"changing the {self.label(inputs)}",
            timeout=timeout,
        )

    def settle(self, incus: Incus, inputs: JSON, timeout: float) -> None:
        """Bring the object into the wanted condition once its configuration is right."""
        del incus, inputs, timeout  # most objects have no condition

    def remove(self, incus: Incus, inputs: JSON, found: JSON, timeout: float) -> None:
        """Remove an object that is there."""
        del found
        try:
            incus.change(
                "DELETE",
                self.path(inputs),
                project=self.project(inputs),
                what=f"removing the {self.label(inputs)}",
                timeout=timeout,
            )
        except IncusError as error:
            if error.status != 404:
                raise

    def _state_now(self, incus: Incus, inputs: JSON, urn: str) -> JSON:
        present = self.seen(incus, inputs)
        if present is None:
            raise IncusError(f"The {self.label(inputs)} vanished while it was worked on.", status=404)
        return self.state(present[0], inputs, urn)

    def _not_ours(self, inputs: JSON, mark: str) -> IncusError:
        return IncusError(
            f"The {self.label(inputs)} exists in Incus but {_of_whom(mark)}. It is left as it is. "
            f"Remove or rename it, or import it into the stack as {self.id_of(inputs)}.",
            status=409,
        )


class Project(Kind):
    """A space of instances, images and profiles of its own."""

    token = "incus:index:Project"  # noqa: S105 - a type of Pulumi
    noun = "project"
    collection = "projects"
    fields: ClassVar = {
        "name": Field(change="replace"),
        "description": Field(default=""),
        "config": Field("config", {}),
    }

    def foreign(self, key: str) -> bool:
        """Incus fills in `features.*` when a project is made."""
        return super().foreign(key) or key.startswith("features.")

    def birth(self, inputs: JSON) -> JSON:
        """Return the name."""
        return {"name": inputs["name"]}


class _Clustered(Kind):
    """What a cluster wants announced for each member before it is made for all of them."""

    def make(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Create the object, member by member first where the server is a cluster."""
        server = incus.request("GET", "", what="asking who the server is").metadata
        if server["environment"].get("server_clustered"):
            members = incus.request("GET", "/cluster/members", parameters={"recursion": "1"}).metadata
            for member in members:
                try:
                    incus.change(
                        "POST",
                        f"/{self.collection}",
                        project=self.project(inputs),
                        body={**self.birth(inputs), "config": {}},
                        parameters={"target": member["server_name"]},
                        what=f"announcing the {self.label(inputs)} to {member['server_name']}",
                        timeout=timeout,
                    )
                except IncusError as error:
                    if "already" not in str(error):  # announced by a run that was killed
                        raise
        super().make(incus, inputs, urn, timeout)


class StoragePool(_Clustered):
    """Where root disks and volumes are kept."""

    token = "incus:index:StoragePool"  # noqa: S105 - a type of Pulumi
    noun = "storage pool"
    collection = "storage-pools"
    fields: ClassVar = {
        "name": Field(change="replace"),
        "driver": Field(default="dir", change="replace"),
        "description": Field(default=""),
        "config": Field("config", {}),
    }

    def foreign(self, key: str) -> bool:
        """Incus says where it put the pool."""
        return super().foreign(key) or key == "source"

    def birth(self, inputs: JSON) -> JSON:
        """Return name and driver."""
        return {"name": inputs["name"], "driver": inputs["driver"]}


class Network(_Clustered):
    """A bridge. Addresses, DHCP and NAT of the Incus host itself are config keys, written out."""

    token = "incus:index:Network"  # noqa: S105 - a type of Pulumi
    noun = "network"
    collection = "networks"
    name_pattern = _NETWORK_NAME
    name_rule = "2 to 15 letters, digits, '.', '_' and '-', beginning with a letter (it names an interface)"
    fields: ClassVar = {
        "name": Field(change="replace"),
        "project": Field(default=DEFAULT_PROJECT, change="replace"),
        "type": Field(default="bridge", change="replace"),
        "description": Field(default=""),
        "config": Field("config", {}),
    }

    def cross_check(self, inputs: JSON) -> list[Failure]:
        """Refuse a bridge whose addresses Incus would make up."""
        if inputs["type"] != "bridge":
            return []
        return [
            Failure(f"config.{key}", "a bridge needs `none` or an address: left out, Incus makes one up")
            for key in ("ipv4.address", "ipv6.address")
            if inputs["config"].get(key) in (None, "auto")
        ]

    def birth(self, inputs: JSON) -> JSON:
        """Return name and type."""
        return {"name": inputs["name"], "type": inputs["type"]}

    def create(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> JSON:
        """Make the bridge, or take it over."""
        make = super().create
        return _one_bridge(lambda: make(incus, inputs, urn, timeout))

    def update(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> JSON:
        """Bring the bridge to its inputs."""
        change = super().update
        return _one_bridge(lambda: change(incus, inputs, urn, timeout))

    def remove(self, incus: Incus, inputs: JSON, found: JSON, timeout: float) -> None:
        """Remove the bridge."""
        remove = super().remove
        _one_bridge(lambda: remove(incus, inputs, found, timeout))


def _one_bridge(work: Callable[[], T]) -> T:
    """Work on one bridge at a time, again when Incus stumbled over somebody else's interface.

    Incus 6.0.4 looks at every interface of the machine when it sets up or removes a bridge, and fails
    when one of them goes meanwhile: another bridge of ours, or anybody's veth.
    """
    deadline = time.monotonic() + _STUMBLING
    while True:
        try:
            with _BRIDGES:
                return work()
        except IncusError as error:
            if "bridge children interfaces" not in str(error) or time.monotonic() > deadline:
                raise


class Profile(Kind):
    """Config and devices that several instances share."""

    token = "incus:index:Profile"  # noqa: S105 - a type of Pulumi
    noun = "profile"
    collection = "profiles"
    fields: ClassVar = {
        "name": Field(change="replace"),
        "project": Field(default=DEFAULT_PROJECT, change="replace"),
        "description": Field(default=""),
        "config": Field("config", {}),
        "devices": Field("devices", {}),
    }

    def cross_check(self, inputs: JSON) -> list[Failure]:
        """Check the devices."""
        return _device_failures(inputs["devices"])

    def birth(self, inputs: JSON) -> JSON:
        """Return the name."""
        return {"name": inputs["name"]}


class Image(Kind):
    """A host image under an alias, from a metadata tarball and a root filesystem tarball.

    `identity` says what is in it (recipe and package snapshot): another identity means a new upload,
    to which the alias is moved. Instances that exist do not notice.
    """

    token = "incus:index:Image"  # noqa: S105 - a type of Pulumi
    noun = "image"
    collection = "images"
    name_field = "alias"
    timeout = 600.0
    fields: ClassVar = {
        "alias": Field(change="replace"),
        "project": Field(default=DEFAULT_PROJECT, change="replace"),
        "identity": Field(),
        "description": Field(default=""),
        "metadata": Field(change="ignore"),
        "rootfs": Field(change="ignore"),
    }

    def cross_check(self, inputs: JSON) -> list[Failure]:
        """Ask for absolute paths: the provider runs elsewhere than the program."""
        return [
            Failure(name, f"{inputs[name]!r} is not an absolute path")
            for name in ("metadata", "rootfs")
            if inputs[name] != UNKNOWN and not Path(inputs[name]).is_absolute()
        ]

    def seen(self, incus: Incus, inputs: JSON) -> tuple[JSON, str] | None:
        """Follow the alias to the image."""
        project = self.project(inputs)
        alias = incus.find(f"/images/aliases/{quote(inputs['alias'], safe='')}", project=project)
        if alias is None:
            return None
        image = incus.find(f"/images/{alias.metadata['target']}", project=project)
        return None if image is None else (image.metadata, image.etag)

    def mark_of(self, found: JSON) -> str:
        """Images carry the mark among their properties."""
        return str((found.get("properties") or {}).get(IMAGE_MARK, ""))

    def state(self, found: JSON, inputs: JSON, urn: str) -> JSON:
        """Read identity and description back from the image's properties."""
        properties = found.get("properties") or {}
        found = {
            **found,
            "identity": properties.get(IMAGE_IDENTITY, ""),
            "description": properties.get("description", ""),
        }
        return {**super().state(found, inputs, urn), "fingerprint": found["fingerprint"]}

    def birth(self, inputs: JSON) -> JSON:
        """Images are uploaded, not described: see `put`."""
        raise NotImplementedError

    def make(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Upload the image and point the alias to it."""
        self._ensure(incus, inputs, urn, timeout)

    def put(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Upload the image of the wanted identity if another is there, and point the alias to it."""
        self._ensure(incus, inputs, urn, timeout)

    def remove(self, incus: Incus, inputs: JSON, found: JSON, timeout: float) -> None:
        """Remove alias and image, and those left over by an interrupted exchange."""
        project = self.project(inputs)
        try:
            incus.request("DELETE", f"/images/aliases/{quote(inputs['alias'], safe='')}", project=project)
        except IncusError as error:
            if error.status != 404:
                raise
        mark = self.mark_of(found)
        for image in self._all(incus, project):
            if image["fingerprint"] == found["fingerprint"] or (mark and self.mark_of(image) == mark):
                self._drop(incus, inputs, image["fingerprint"], timeout)

    def _all(self, incus: Incus, project: str) -> list[JSON]:
        images: list[JSON] = incus.request(
            "GET", "/images", project=project, parameters={"recursion": "1"}
        ).metadata
        return images

    def _drop(self, incus: Incus, inputs: JSON, fingerprint: str, timeout: float) -> None:
        try:
            incus.change(
                "DELETE",
                f"/images/{fingerprint}",
                project=self.project(inputs),
                what=f"removing the {self.label(inputs)} ({fingerprint[:12]})",
                timeout=timeout,
            )
        except IncusError as error:
            if error.status != 404:
                raise

    def _ensure(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        project = self.project(inputs)
        ours = [image for image in self._all(incus, project) if self.mark_of(image) == urn]
        wanted = {IMAGE_MARK: urn, IMAGE_IDENTITY: inputs["identity"], "description": inputs["description"]}
        current = [i for i in ours if i["properties"].get(IMAGE_IDENTITY) == inputs["identity"]]
        found = current[0]["fingerprint"] if current else ""
        fingerprint = found or self._upload(incus, inputs, wanted, timeout)
        self._describe(incus, inputs, fingerprint, wanted)
        path = f"/images/aliases/{quote(inputs['alias'], safe='')}"
        alias = incus.find(path, project=project)
        body = {"target": fingerprint, "description": ""}
        what = f"pointing the alias of the {self.label(inputs)}"
        if alias is None:
            incus.request(
                "POST", "/images/aliases", project=project, body={**body, "name": inputs["alias"]}, what=what
            )
        elif alias.metadata["target"] != fingerprint:
            incus.request("PUT", path, project=project, body=body, what=what)
        for image in ours:
            if image["fingerprint"] != fingerprint:
                self._drop(incus, inputs, image["fingerprint"], timeout)

    def _upload(self, incus: Incus, inputs: JSON, properties: dict[str, str], timeout: float) -> str:
        files = {name: Path(inputs[name]) for name in ("metadata", "rootfs")}
        for name, path in files.items():
            if not path.is_file():
                raise IncusError(f"The {self.label(inputs)} cannot be made: its {name} {path} is not there.")
        digest = hashlib.sha256()
        for path in files.values():
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        fingerprint = digest.hexdigest()  # Incus: SHA-256 over both files, one after the other
        if incus.find(f"/images/{fingerprint}", project=self.project(inputs)) is None:
            kind, length, content = multipart(files, secrets.token_hex(16))
            incus.change(
                "POST",
                "/images",
                project=self.project(inputs),
                what=f"uploading the {self.label(inputs)}",
                timeout=timeout,
                content=content,
                headers={
                    "Content-Type": kind,
                    "Content-Length": str(length),
                    "X-Incus-properties": urlencode(properties),
                },
            )
        return fingerprint

    def _describe(self, incus: Incus, inputs: JSON, fingerprint: str, wanted: dict[str, str]) -> None:
        path, project = f"/images/{fingerprint}", self.project(inputs)
        answer = incus.request("GET", path, project=project)
        properties = answer.metadata.get("properties") or {}
        if all(properties.get(key) == value for key, value in wanted.items()):
            return
        kept = ("auto_update", "public", "expires_at", "profiles")
        body = {key: answer.metadata[key] for key in kept if key in answer.metadata}
        body["properties"] = {**properties, **wanted}
        incus.request(
            "PUT",
            path,
            project=project,
            body=body,
            etag=answer.etag,
            what=f"marking the {self.label(inputs)}",
        )


class Instance(Kind):
    """A system container. Image and target say how it is made: a new value moves nothing that exists."""

    token = "incus:index:Instance"  # noqa: S105 - a type of Pulumi
    noun = "instance"
    collection = "instances"
    name_pattern = _INSTANCE_NAME
    name_rule = "at most 63 letters, digits and '-', beginning with a letter (it is a host name)"
    timeout = 300.0
    fields: ClassVar = {
        "name": Field(change="replace"),
        "project": Field(default=DEFAULT_PROJECT, change="replace"),
        "type": Field(default="container", change="replace"),
        "image": Field(change="ignore"),
        "target": Field(default="", change="ignore"),
        "description": Field(default=""),
        "profiles": Field("texts", []),
        "config": Field("config", {}),
        "devices": Field("devices", {}),
        "state": Field(default="running"),
    }

    def foreign(self, key: str) -> bool:
        """Incus copies what it knows of the image."""
        return super().foreign(key) or key.startswith("image.")

    def cross_check(self, inputs: JSON) -> list[Failure]:
        """Check the devices and the wanted condition."""
        failures = _device_failures(inputs["devices"])
        if inputs["state"] not in ("running", "stopped"):
            failures.append(Failure("state", f"{inputs['state']!r} is neither `running` nor `stopped`"))
        if inputs["type"] != "container":
            failures.append(Failure("type", "only `container` is supported"))
        return failures

    def birth(self, inputs: JSON) -> JSON:
        """Return name, type and source."""
        image = inputs["image"]
        by = "fingerprint" if _FINGERPRINT.fullmatch(image) else "alias"
        return {
            "name": inputs["name"],
            "type": inputs["type"],
            "source": {"type": "image", by: image},
        }

    def make(self, incus: Incus, inputs: JSON, urn: str, timeout: float) -> None:
        """Create the instance, on the wanted member of a cluster."""
        incus.change(
            "POST",
            "/instances",
            project=self.project(inputs),
            body={**self.body(inputs, urn), **self.birth(inputs)},
            parameters={"target": inputs["target"]} if inputs["target"] else None,
            what=f"creating the {self.label(inputs)}",
            timeout=timeout,
        )

    def state(self, found: JSON, inputs: JSON, urn: str) -> JSON:
        """Add the condition, and where a cluster has put it."""
        status = str(found.get("status", "")).lower()
        return {
            **super().state({**found, "state": status}, inputs, urn),
            "location": str(found.get("location", "")),
        }

    def merged(self, found: JSON, inputs: JSON, urn: str) -> JSON:
        """Keep what a PUT must repeat."""
        kept: JSON = {key: found[key] for key in ("architecture", "ephemeral", "stateful") if key in found}
        return {**kept, **super().merged(found, inputs, urn)}

    def settle(self, incus: Incus, inputs: JSON, timeout: float) -> None:
        """Start or stop the instance if it is not as wanted."""
        present = self.seen(incus, inputs)
        if present is not None and str(present[0].get("status", "")).lower() != inputs["state"]:
            self._act(incus, inputs, "start" if inputs["state"] == "running" else "stop", timeout)

    def remove(self, incus: Incus, inputs: JSON, found: JSON, timeout: float) -> None:
        """Power it off and remove it."""
        if found.get("status") != "Stopped":
            self._act(incus, inputs, "stop", timeout, force=True)
        super().remove(incus, inputs, found, timeout)

    def _act(self, incus: Incus, inputs: JSON, action: str, timeout: float, *, force: bool = False) -> None:
        body = {"action": action, "timeout": 30, "force": force}
        what = f"{action} of the {self.label(inputs)}"
        try:
            incus.change(
                "PUT",
                f"{self.path(inputs)}/state",
                project=self.project(inputs),
                body=body,
                what=what,
                timeout=timeout,
            )
        except IncusError as error:
            # It got there by itself (or is gone) between the look and the request.
            present = self.seen(incus, inputs)
            reached = {"start": "Running", "stop": "Stopped"}[action]
            if present is not None and present[0].get("status") != reached:
                raise IncusError(
                    f"{error} See: incus info --show-log {inputs['name']}", status=error.status
                ) from None


KINDS: dict[str, Kind] = {
    kind.token: kind for kind in (Project(), StoragePool(), Network(), Profile(), Image(), Instance())
}


def _came_meanwhile(error: IncusError) -> bool:
    """Tell whether an object could not be made because it exists by now."""
    return "UNIQUE constraint failed" in str(error) or "already exists" in str(error)


def _of_whom(mark: str) -> str:
    return f"belongs to {mark}" if mark else f"carries no mark of this stack ({MARK})"


def _wrong_type(name: str, kind: str, value: Any) -> list[Failure]:
    if value == UNKNOWN:
        return []
    if kind == "text":
        return [] if isinstance(value, str) else [Failure(name, f"wanted text, found {value!r}")]
    if kind == "texts":
        fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return [] if fine else [Failure(name, f"wanted a list of texts, found {value!r}")]
    if not isinstance(value, dict):
        return [Failure(name, f"wanted a mapping, found {value!r}")]
    if kind == "devices":
        return [
            f for device, config in value.items() for f in _wrong_type(f"{name}.{device}", "config", config)
        ]
    return [
        Failure(
            f"{name}.{key}", f'Incus keeps text: wanted a text such as "true" or "512MiB", found {item!r}'
        )
        for key, item in value.items()
        if not isinstance(item, str)
    ] + [
        Failure(f"{name}.{key}", "is written by the provider or by Incus, never by a program")
        for key in value
        if key == MARK or key.startswith("volatile.")
    ]


_DEVICE_NEEDS = {"nic": ("network", "name"), "disk": ("path",), "unix-char": ("path",)}


def _device_failures(devices: dict[str, dict[str, str]]) -> list[Failure]:
    failures = []
    names: dict[str, str] = {}
    for device, config in devices.items():
        where = f"devices.{device}"
        kind = config.get("type", "")
        if kind not in _DEVICE_NEEDS:
            failures.append(Failure(where, f"type {kind!r} is none of {', '.join(_DEVICE_NEEDS)}"))
            continue
        failures += [
            Failure(where, f"a {kind} needs {need}") for need in _DEVICE_NEEDS[kind] if not config.get(need)
        ]
        if kind != "nic":
            continue
        name = config.get("name", "")
        if name and not _INTERFACE_NAME.fullmatch(name):
            failures.append(Failure(where, f"{name!r} cannot name an interface (at most 15 characters)"))
        if name in names:
            failures.append(Failure(where, f"the interface {name!r} is {names[name]}'s already"))
        names[name] = device
        if "hwaddr" in config and not _HWADDR.fullmatch(config["hwaddr"]):
            failures.append(Failure(where, f"{config['hwaddr']!r} is no MAC address in lower case"))
    return failures
