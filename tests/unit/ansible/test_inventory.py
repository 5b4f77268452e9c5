"""The inventory as Ansible sees it, against the plan; and what it says when there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from province.hosts import built_hosts, load_environment, plan_for

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "inventories/lab/environment.yml"


def ansible_inventory(source: Path, state: Path) -> subprocess.CompletedProcess[str]:
    """`ansible-inventory --list` of a source, in the repository's configuration."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", source, "--list"],
        cwd=ROOT,
        env=dict(os.environ, PROVINCE_STATE_DIR=str(state), ANSIBLE_CONFIG=str(ROOT / "ansible.cfg")),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def plain(value: Any) -> Any:
    """What ansible-inventory prints, without its mark on strings that are never templates."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty state directory, for the plan of this process too: the ledger's keys are part of the facts."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVINCE_STATE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def listed(state: Path) -> dict[str, Any]:
    """The lab's inventory."""
    done = ansible_inventory(LAB, state)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = plain(json.loads(done.stdout))
    return loaded


def test_strings_of_the_plan_are_never_templates(tmp_path: Path) -> None:
    """A register that says {{ }} in a name must not run anything on the controller."""
    done = ansible_inventory(LAB, tmp_path)
    variables = json.loads(done.stdout)["_meta"]["hostvars"]
    assert variables
    for host, facts in variables.items():
        assert set(facts["province_name_vi"]) == {"__ansible_unsafe"}, host


def test_every_built_host_is_there_with_its_groups(listed: dict[str, Any]) -> None:
    environment = load_environment(LAB)
    hosts = built_hosts(environment, plan_for(environment))
    assert hosts
    assert set(listed["_meta"]["hostvars"]) == {host.name for host in hosts}
    for host in hosts:
        assert [group for group in host.groups if host.name not in listed[group]["hosts"]] == []


def test_facts_arrive_as_they_are(listed: dict[str, Any]) -> None:
    environment = load_environment(LAB)
    for host in built_hosts(environment, plan_for(environment)):
        variables = listed["_meta"]["hostvars"][host.name]
        given = {
            key.removeprefix("province_"): value for key, value in variables.items() if "province_" in key
        }
        assert {key: given[key] for key in host.facts()} == json.loads(json.dumps(host.facts()))


def test_hosts_are_reached_on_their_management_address_with_the_environments_ssh_configuration(
    listed: dict[str, Any],
) -> None:
    for name, variables in listed["_meta"]["hostvars"].items():
        assert variables["ansible_host"] == variables["province_management"]["address4"], name
        assert variables["ansible_ssh_common_args"].endswith("/ssh/config"), name


def test_an_environment_of_a_register_that_is_not_there_is_refused_in_sentences(tmp_path: Path) -> None:
    place = tmp_path / "inventories"
    shutil.copytree(ROOT / "inventories", place, symlinks=True)
    source = place / "lab/environment.yml"
    source.write_text(source.read_text().replace("register: dien-bien", "register: no-such-province"))
    done = ansible_inventory(source, tmp_path)
    assert done.returncode != 0
    assert "The register or the plan has problems" in done.stderr
    assert "no-such-province" in done.stderr
    assert "Traceback" not in done.stderr
