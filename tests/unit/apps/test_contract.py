"""The application contract: every record satisfies it, and a wrong record is refused at the wrong place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs/reference/app.schema.json").read_text(encoding="utf-8"))
RECORDS = sorted((ROOT / "apps").glob("*/app.yml"))
Record = dict[str, Any]


def read(path: Path) -> Record:
    record: Record = yaml.safe_load(path.read_text(encoding="utf-8"))
    return record


def test_the_schema_itself_is_valid_and_describes_every_section() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]), "nothing may be left out silently"
    silent = [
        name
        for name, field in SCHEMA["properties"].items()
        if "description" not in field and "$ref" not in field
    ]
    assert silent == []


def test_there_are_applications() -> None:
    assert RECORDS


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_satisfies_the_contract(path: Path) -> None:
    error = best_match(Draft202012Validator(SCHEMA).iter_errors(read(path)))
    assert error is None, f"{error.json_path}: {error.message}"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_names_things_that_exist(path: Path) -> None:
    record = read(path)
    assert record["id"] == path.parent.name
    assert {entry["container"] for entry in record["publish"]} <= set(record["containers"])
    for container in record["containers"].values():
        assert (path.parent / container["containerfile"]).is_file()
    assert (ROOT / record["runbook"]).is_file()
    assert (ROOT / record["user_check"]).is_file()


def test_no_two_containers_share_a_port_of_the_host() -> None:
    ports = [container["host_port"] for path in RECORDS for container in read(path)["containers"].values()]
    assert len(ports) == len(set(ports))


def put(*path: str | int, value: Any) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        place: Any = record
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def drop(name: str) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        del record[name]

    return change


WRONG = {
    "a section left out": (drop("backup"), "$", "'backup' is a required property"),
    "an unknown section": (put("ldap", value=True), "$", "'ldap' was unexpected"),
    "an unknown state": (put("state", value="ready"), "$.state", "'ready' is not one of"),
    "an unknown layer": (put("tls", value={"pending": "later"}), "$.tls.pending", "'later' is not one of"),
    "no reason": (put("sso", value={"not_needed": "no"}), "$.sso.not_needed", "is too short"),
    "a privileged port": (
        put("containers", "web", "port", value=80),
        "$.containers.web.port",
        "minimum of 1024",
    ),
    "the root user": (put("containers", "web", "user", value=0), "$.containers.web.user", "minimum of 1"),
    "a port for all": (
        put("containers", "web", "host_port", value=80),
        "$.containers.web.host_port",
        "18000",
    ),
    "one language": (put("title", value={"vi": "Trang"}), "$.title", "'en' is a required property"),
    "a template in a value": (
        put("title", "vi", value="{{ 7 * 7 }}"),
        "$.title.vi",
        "should not be valid under",
    ),
    "a full name": (put("publish", 0, "name", value="start.vn"), "$.publish[0].name", "does not match"),
    "a person's page": (put("runbook", value="../notes.md"), "$.runbook", "does not match"),
    "too high a level": (put("security", "level", value=6), "$.security.level", "maximum of 5"),
}


@pytest.mark.parametrize(("change", "place", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_record_is_refused_at_the_wrong_place(
    change: Callable[[Record], None], place: str, words: str
) -> None:
    record = copy.deepcopy(read(ROOT / "apps/start/app.yml"))
    change(record)
    error = best_match(Draft202012Validator(SCHEMA).iter_errors(record))
    assert error is not None
    assert error.json_path == place
    assert words in error.message
