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

from province.apps import check_apps
from province.problems import Problem, ProblemsFoundError
from province.register.catalogue import load_catalogue
from province.sources import roles_in

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


def refused(tmp_path: Path, change: Callable[[Record], None]) -> list[Problem]:
    """What the reader says about a changed record in a folder of its own."""
    record = copy.deepcopy(read(ROOT / "apps/start/app.yml"))
    change(record)
    (tmp_path / "start").mkdir()
    text = yaml.safe_dump(record, allow_unicode=True)
    (tmp_path / "start/app.yml").write_text(text, encoding="utf-8")
    catalogue = load_catalogue(ROOT / "inventories/catalogue", str, roles_in(ROOT / "roles"))
    with pytest.raises(ProblemsFoundError) as caught:
        check_apps(tmp_path, ROOT / "docs/reference/app.schema.json", catalogue, lambda path: path.name)
    return list(caught.value.problems)


def test_the_reader_takes_the_applications_as_they_are() -> None:
    catalogue = load_catalogue(ROOT / "inventories/catalogue", str, roles_in(ROOT / "roles"))
    apps = check_apps(ROOT / "apps", ROOT / "docs/reference/app.schema.json", catalogue, str)
    assert [app.id for app in apps] == [path.parent.name for path in RECORDS]


@pytest.mark.parametrize(("change", "place", "words"), WRONG.values(), ids=WRONG.keys())
def test_the_reader_says_what_is_wrong_where_and_what_to_do(
    tmp_path: Path, change: Callable[[Record], None], place: str, words: str
) -> None:
    del words
    (problem,) = refused(tmp_path, change)
    assert problem.file == "app.yml"
    assert problem.code.startswith("APP-")
    inner = place.removeprefix("$").removeprefix(".")
    assert problem.path.startswith(inner) or inner.startswith(problem.path)
    assert all((problem.found, problem.wanted, problem.remedy))


CROSS = {
    "a container that is not there": (put("publish", 0, "container", value="api"), "APP-023"),
    "a machine that is not there": (put("machine", value="mainframe"), "APP-021"),
    "the name of another service": (put("publish", 0, "name", value="dns"), "APP-024"),
    "an id that is not the folder's": (put("id", value="begin"), "APP-020"),
    "a kind that is not there": (put("taken_by", value={"kinds": ["castle"]}), "APP-025"),
}


@pytest.mark.parametrize(("change", "code"), CROSS.values(), ids=CROSS.keys())
def test_what_names_nothing_is_refused(tmp_path: Path, change: Callable[[Record], None], code: str) -> None:
    assert [problem.code for problem in refused(tmp_path, change)] == [code]
