"""Reader of apps/*/app.yml: one record of each application, checked against the published contract.

The contract is docs/reference/app.schema.json; what a schema cannot say is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from province.plan.model import Port
from province.problems import ProblemsFoundError
from province.register.catalogue import CLASSES, NOWHERE, SPHERES, Catalogue, Origin, Service
from province.register.document import Document, Path_, is_nfc, near, read_document, shown

# What an application is asked at by people: the gateway of its host.
GATEWAY_PORT = Port(protocol="tcp", number=80)
SCHEMA = Path(__file__).resolve().parents[1] / "docs/reference/app.schema.json"
CARE = ("tls", "sso", "database", "broker", "backup", "probe", "metrics", "logs", "alerts", "runbook")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application; `record` is the file as it is, in the contract's words."""

    id: str
    record: Mapping[str, Any]
    origin: Origin = field(default=NOWHERE, compare=False, repr=False)

    @property
    def published(self) -> bool:
        """Whether names and flows lead to it: `setup` is deployed and not shown."""
        return bool(self.record["state"] != "setup" and self.record["publish"])

    def service(self, segment: str) -> Service:
        """The application as a service of the catalogue, asked in a segment of its machine."""
        return Service(
            id=self.id,
            title=self.record["title"]["en"],
            machine=self.record["machine"],
            segment=segment,
            ports=(GATEWAY_PORT,) if self.published else (),
            names=tuple(entry["name"] for entry in self.record["publish"]) if self.published else (),
            base=False,
            traffic=CLASSES[1],
            care={key: self.record[key] for key in CARE},
            origin=self.origin,
        )

    def taken_by(self, kinds: Mapping[str, Any]) -> frozenset[str]:
        """The kinds of units that are given it."""
        wanted = self.record["taken_by"]["kinds"]
        return frozenset(kinds) if wanted == "all" else frozenset(wanted)

    @property
    def spheres(self) -> frozenset[str]:
        """The spheres whose units are given it."""
        return frozenset(self.record["taken_by"].get("spheres", (SPHERES[0],)))

    @property
    def segments(self) -> frozenset[str]:
        """The networks of a unit from which it is opened."""
        return frozenset(self.record["taken_by"].get("segments", ("staff",)))


def check_apps(
    directory: Path, schema: Path, catalogue: Catalogue | None, called: Callable[[Path], str]
) -> tuple[App, ...]:
    """Read all applications, by id, and check them against each other and the catalogue.

    `called` names a file in messages. Raises ProblemsFoundError with every problem (APP-nnn).
    """
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    documents: dict[str, Document] = {}
    sound: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.glob("*/app.yml")):
        document = read_document(path, called(path), "APP")
        documents[path.parent.name] = document
        if document.problems:
            continue
        for error in sorted(
            validator.iter_errors(document.data), key=lambda e: list(map(str, e.absolute_path))
        ):
            _note(document, error)
        if not document.problems:
            sound[path.parent.name] = document.data
    if catalogue:
        _cross_check(documents, sound, catalogue)
    problems = tuple(problem for document in documents.values() for problem in document.problems)
    if problems:
        raise ProblemsFoundError(problems)
    return tuple(
        App(id=name, record=record, origin=Origin(documents[name].file, documents[name].line(())))
        for name, record in sorted(sound.items())
    )


def _note(document: Document, error: jsonschema.ValidationError) -> None:
    if error.validator == "oneOf":  # of several forms, what is wrong with the one that was meant
        error = jsonschema.exceptions.best_match([error])
    path: Path_ = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    wanted = str(schema.get("description", "what docs/reference/app.schema.json says")).rstrip(".")
    if error.validator == "enum":
        wanted = "one of " + ", ".join(map(str, schema["enum"]))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(schema.get("properties", {}))
        for key in [k for k in error.instance if k not in known]:
            document.problem(
                "010",
                (*path, key),
                f"the unknown field {shown(key)}",
                "one of " + ", ".join(known),
                near(str(key), known) + "Correct or remove it.",
            )
    elif error.validator == "required" and isinstance(error.instance, dict):
        missing = [key for key in schema["required"] if key not in error.instance]
        if missing and repr(missing[0]) in error.message:
            for key in missing:
                about = schema.get("properties", {}).get(key, {}).get("description", "").rstrip(".")
                document.problem("011", path, f"no field '{key}'", f"'{key}': {about}", f"Add `{key}:`.")
    elif error.validator == "type":
        document.problem(
            "012", path, shown(error.instance), f"{schema['type']}: {wanted}", "Correct the value."
        )
    else:
        document.problem(
            "013",
            path,
            shown(error.instance),
            f"{wanted} ({error.validator})",
            "See docs/reference/app.schema.json.",
        )


def _cross_check(
    documents: Mapping[str, Document], sound: Mapping[str, dict[str, Any]], catalogue: Catalogue
) -> None:
    ports: dict[int, str] = {}
    names = {name: service.id for service in catalogue.services for name in service.names}
    services = {service.id for service in catalogue.services}
    machines = [machine.id for machine in catalogue.machines_at("centre")]
    for folder, record in sound.items():
        problem = documents[folder].problem
        if record["id"] != folder or record["id"] in services:
            problem(
                "020",
                ("id",),
                shown(record["id"]),
                f"'{folder}', the folder's name, and no service's id",
                "Rename the application or its folder.",
            )
        if record["machine"] not in machines:
            problem(
                "021",
                ("machine",),
                f"the unknown machine {shown(record['machine'])}",
                "a machine of the centre: " + ", ".join(machines),
                near(record["machine"], machines) + "Correct the name, or add the machine to the catalogue.",
            )
        for name, container in record["containers"].items():
            port = container["host_port"]
            if port in ports:
                problem(
                    "022",
                    ("containers", name, "host_port"),
                    f"{port}, which {ports[port]} has",
                    "a port of its own",
                    "Choose another port.",
                )
            ports.setdefault(port, folder)
        for number, entry in enumerate(record["publish"]):
            if entry["container"] not in record["containers"]:
                problem(
                    "023",
                    ("publish", number, "container"),
                    shown(entry["container"]),
                    "one of its containers: " + ", ".join(record["containers"]),
                    near(entry["container"], list(record["containers"])) + "Correct the name.",
                )
            if entry["name"] in names:
                problem(
                    "024",
                    ("publish", number, "name"),
                    f"{shown(entry['name'])}, which {names[entry['name']]} has",
                    "a name of its own",
                    "Choose another name.",
                )
            names.setdefault(entry["name"], folder)
        kinds = record["taken_by"]["kinds"]
        for number, kind in enumerate(kinds if isinstance(kinds, list) else ()):
            if kind not in catalogue.kinds:
                problem(
                    "025",
                    ("taken_by", "kinds", number),
                    f"the unknown kind {shown(kind)}",
                    "one of " + ", ".join(catalogue.kinds),
                    near(kind, list(catalogue.kinds)) + "Correct it, or write `all`.",
                )
        for path, text in _texts((), record):
            if not is_nfc(text):
                problem(
                    "014",
                    path,
                    f"decomposed letters (not NFC) in {shown(text)}",
                    "text in Unicode NFC",
                    "Type it again with a Vietnamese keyboard, or convert it (uconv -x NFC).",
                )


def _texts(path: Path_, value: Any) -> list[tuple[Path_, str]]:
    if isinstance(value, str):
        return [(path, value)]
    inner: list[tuple[Any, Any]] = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [found for key, item in inner for found in _texts((*path, key), item)]
