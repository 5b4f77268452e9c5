"""What a play sees of a host is what the plan tells it: made when asked for, of the right environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from province.cli import main
from province.facts import Built
from province.hosts import Estate, built_hosts, load_environment, plan_for
from province.problems import ProblemsFoundError
from tests.support.ansible_inventory import Managed
from tests.support.repository import ENVIRONMENTS, ROOT

LAB = ROOT / "inventories/lab/environment.yml"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory: the ledger's keys are part of the facts."""
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the hosts whose facts are made, as it happens."""
    names: list[str] = []
    real = Built.facts

    def noted(built: Built, host: Any) -> dict[str, Any]:
        names.append(host.name)
        return real(built, host)

    monkeypatch.setattr(Built, "facts", noted)
    return names


def tree(folder: Path) -> Path:
    """A copy of the inventories; returns the lab's environment file in it."""
    shutil.copytree(ROOT / "inventories", folder / "inventories", symlinks=True)
    return folder / "inventories/lab/environment.yml"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_a_play_sees_all_facts_of_every_host_and_no_others(environment: Path) -> None:
    loaded = load_environment(environment / "environment.yml")
    hosts = built_hosts(loaded, plan_for(loaded))
    seen = Managed(environment / "environment.yml")
    assert hosts
    assert sorted(seen.names()) == sorted(host.name for host in hosts)
    for host in hosts:
        assert seen.facts(host.name) == host.facts(), host.name


def test_a_folder_is_as_good_a_source_as_its_file() -> None:
    by_folder, by_file = Managed(LAB.parent), Managed(LAB)
    assert by_folder.names() == by_file.names()
    assert by_folder.facts("hub-1") == by_file.facts("hub-1") != {}


def test_nothing_is_lost_against_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", str(LAB), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)["hosts"]
    seen = Managed(LAB)
    assert len(printed) == len(seen.names())
    for host in printed:
        assert json.loads(json.dumps(seen.facts(host["name"]))) == host["facts"], host["name"]
        assert set(host["groups"]) <= set(seen.variables(host["name"])["group_names"])


def test_reading_an_inventory_makes_no_facts_and_asking_makes_them_once(made: list[str]) -> None:
    seen = Managed(LAB)
    assert made == []
    for _ in range(3):
        seen.facts("hub-1")
        seen.facts("mirror-1")
    assert made == ["hub-1", "mirror-1"]


def test_an_inventory_that_is_read_again_tells_what_is_true_now(tmp_path: Path) -> None:
    file = tree(tmp_path)
    seen = Managed(file)
    assert seen.facts("hub-1")["wireguard"][0]["mode"] == "userspace"
    file.write_text(file.read_text(encoding="utf-8").replace("wireguard: userspace", "wireguard: kernel"))
    assert seen.facts("hub-1")["wireguard"][0]["mode"] == "userspace"
    seen.inventory.refresh_inventory()
    assert seen.facts("hub-1")["wireguard"][0]["mode"] == "kernel"


def test_of_an_environment_that_is_no_longer_sound_nothing_is_known(tmp_path: Path) -> None:
    """What it was told before would be yesterday's truth, and look like today's."""
    file = tree(tmp_path)
    Managed(file)
    assert Estate.known(str(file)) is not None
    file.write_text(file.read_text(encoding="utf-8").replace("wireguard: userspace", "wireguard: nowhere"))
    with pytest.raises(ProblemsFoundError, match="ENV-"):
        Estate.read(str(file))
    assert Estate.known(str(file)) is None


def test_environments_in_one_process_do_not_mix(tmp_path: Path) -> None:
    other = tree(tmp_path)
    other.write_text(other.read_text(encoding="utf-8").replace("wireguard: userspace", "wireguard: kernel"))
    ours, theirs = Managed(LAB), Managed(other)
    modes = [seen.facts("hub-1")["wireguard"][0]["mode"] for seen in (ours, theirs, ours)]
    assert modes == ["userspace", "kernel", "userspace"]


def test_a_host_that_is_not_built_is_told_nothing() -> None:
    seen = Managed(LAB)
    planned = {host.name for host in plan_for(load_environment(LAB)).hosts} - set(seen.names())
    assert "app-2" in planned
    known = Estate.known(str(LAB))
    assert known is not None
    assert known.variables("app-2") == {}
    # Nor one that a play adds while it runs.
    seen.inventory.add_host("app-2", group="app")
    assert seen.facts("app-2") == {}
    assert "ansible_host" not in seen.variables("app-2")


def test_a_file_that_was_never_read_has_no_estate(tmp_path: Path) -> None:
    assert Estate.known(str(tmp_path / "environment.yml")) is None


def test_group_vars_bind_facts_of_the_very_host() -> None:
    seen = Managed(LAB)
    gateway = next(name for name in seen.names() if name.endswith("-cpe-1"))
    for host in ("edge-1", "hub-1", gateway):
        facts = seen.facts(host)
        assert seen.rendered(host, "{{ firewall_input }}") == facts["firewall"]["input"] != []
        assert seen.rendered(host, "{{ routing_asn }}") == facts["routing"]["asn"]
    assert seen.rendered(gateway, "{{ dhcp_server_networks }}") == seen.facts(gateway)["dhcp"] != []


def test_what_a_register_says_is_never_a_template(tmp_path: Path) -> None:
    """A value with braces must run nothing on the controller, wherever group_vars put it."""
    file = tree(tmp_path)
    seen = Managed(file)
    known = Estate.known(str(file))
    assert known is not None
    hostile = "{{ 6 * 7 }}"
    told = dict(known.variables("hub-1"))
    known._variables["hub-1"] = {**told, "province_fqdn": hostile, "province_search": [hostile]}
    assert seen.rendered("hub-1", "{{ province_fqdn }} {{ province_search[0] }}") == f"{hostile} {hostile}"
    assert seen.rendered("hub-1", "{{ 6 * 7 }}") == 42, "templates of ours must still be rendered"


def test_no_string_of_a_fact_is_trusted_as_a_template() -> None:
    from ansible.template import is_trusted_as_template

    def trusted(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [found for key, entry in value.items() for found in (*trusted(key), *trusted(entry))]
        if isinstance(value, list):
            return [found for entry in value for found in trusted(entry)]
        return [value] if isinstance(value, str) and is_trusted_as_template(value) else []

    seen = Managed(LAB)
    for name in seen.names():
        assert trusted(seen.facts(name)) == [], name


def refused(file: Path, **variables: str) -> str:
    """What ansible-inventory says of a source that it must not accept."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", file, "--list"],
        cwd=ROOT,
        env=dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0, done.stdout[:200]
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_an_unknown_unit_stops_the_run_with_its_code_and_line(tmp_path: Path) -> None:
    file = tree(tmp_path)
    lines = file.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if text.startswith("units:"))
    lines[line - 1] = "units: [phuong-dien-bien-phu, khong-co-don-vi-nay]"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = refused(file)
    assert "ENV-024" in said
    assert f"environment.yml:{line}" in said
    assert "khong-co-don-vi-nay" in said


def test_hosts_that_would_be_told_nothing_stop_the_run() -> None:
    """Without the vars plugin every role would find its variables undefined, host by host."""
    assert "province_facts is not enabled" in refused(LAB, ANSIBLE_VARS_ENABLED="host_group_vars")
