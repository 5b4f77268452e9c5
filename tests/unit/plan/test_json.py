"""What `province plan` prints: its schema and its order."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from province.cli import main
from province.register import model
from tests.support.repository import ROOT

REGISTER = ROOT / "inventories/registers/dien-bien"
PLAN_SCHEMA = ROOT / "docs/reference/plan.schema.json"
REGISTER_SCHEMA = ROOT / "docs/reference/register.schema.json"


def printed(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    """The JSON that a command prints."""
    assert main([*command, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Any:
    return printed(capsys, "plan", str(REGISTER))


def test_the_plan_is_what_its_published_schema_says(plan: Any) -> None:
    schema = json.loads(PLAN_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plan, schema)
    broken = {**plan, "units": [{**plan["units"][0], "prefix4": "10.0.0.0"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_the_published_schema_of_registers_is_that_of_the_checks() -> None:
    text = json.dumps(model.schema(), ensure_ascii=False, indent=2) + "\n"
    if os.environ.get("PROVINCE_UPDATE_GOLDEN"):
        REGISTER_SCHEMA.write_text(text, encoding="utf-8")
    assert REGISTER_SCHEMA.read_text(encoding="utf-8") == text


def test_the_committed_register_is_what_the_published_schema_says() -> None:
    schema = json.loads(REGISTER_SCHEMA.read_text(encoding="utf-8"))
    files = [REGISTER / "province.yml", *sorted((REGISTER / "units").glob("*.yml"))]
    assert len(files) == 6
    for file in files:
        jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"units": [{"id": "x"}]}, schema)


def test_the_same_register_gives_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    texts = set()
    for _ in range(2):
        assert main(["plan", str(REGISTER), "--format", "json"]) == 0
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1


def test_the_order_of_records_in_the_files_does_not_matter(
    plan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "dien-bien"
    shutil.copytree(REGISTER, copy)
    for file in (copy / "units").iterdir():
        head, *records = file.read_text(encoding="utf-8").split("\n\n")
        file.write_text(
            "\n\n".join([head, *reversed([r.rstrip("\n") for r in records])]) + "\n", encoding="utf-8"
        )
    assert printed(capsys, "plan", str(copy)) == plan


def test_the_text_form_names_every_unit_and_flow(plan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(REGISTER)]) == 0
    text = capsys.readouterr().out
    assert [unit["id"] for unit in plan["units"] if f" {unit['id']} " not in text] == []
    assert [flow["id"] for flow in plan["flows"] if f" {flow['id']} " not in text] == []


def test_problems_come_as_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere"), "--format", "json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [problem["code"] for problem in problems] == ["REG-001"]
    assert set(problems[0]) == {"code", "file", "line", "path", "found", "wanted", "remedy"}
