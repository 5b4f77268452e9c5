"""The sides of the converge benchmark look after the same resources, and a change is not taken for none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench_converge import nothing
from tests.benchmarks.resources import Resource, _resources, playbook

NOTE = {
    "role": "ntp",
    "host": "ns-1",
    "options": {
        "packages": ["chrony", "tzdata"],
        "users": [{"name": "clock", "system": True}],
        "directories": [{"path": "/etc/clock", "mode": "0750", "exclusive": True, "keep": ["*.local"]}],
        "files": [
            {"dest": "/etc/clock/deep/one.conf", "content": "one\n", "mode": "0640", "validate": "check %s"},
            {"dest": "/etc/secret", "content": "hidden\n", "sensitive": True},
        ],
        "links": [{"path": "/etc/link", "target": "/etc/clock"}],
        "absent": ["/etc/gone"],
        "commands": [{"command": "make it", "unless": "is it"}, {"command": "do", "creates": "/done"}],
        "units": [
            {"name": "chrony.service", "state": "started", "enabled": True, "watch": ["/etc/clock"]},
            {"name": "chrony.service", "watch": ["/etc/secret"]},
            {"name": "other.service", "masked": True},
        ],
    },
}


@pytest.fixture
def found(tmp_path: Path) -> list[Resource]:
    return _resources(NOTE, tmp_path / "ns-1")


def modules(play: dict[str, Any]) -> list[str]:
    """Modules of its tasks, in order."""
    return [
        key.rpartition(".")[2] for task in play["tasks"] for key in task if key.startswith("ansible.builtin.")
    ]


def test_every_thing_that_a_role_asks_is_a_resource_and_a_unit_named_twice_is_one(
    found: list[Resource], tmp_path: Path
) -> None:
    kinds = [resource.kind for resource in found]
    assert kinds == [
        *("packages", "user", "directory", "file", "file", "exclusive", "link", "absent"),
        *("command", "command", "unit", "unit"),
    ]
    assert (tmp_path / "ns-1/etc/clock/deep/one.conf").read_text() == "one\n"
    assert all("content" not in resource.options for resource in found)
    exclusive = next(resource for resource in found if resource.kind == "exclusive")
    assert exclusive.options["wanted"] == ["/etc/clock/deep", "/etc/clock/deep/one.conf"]


def test_the_playbook_has_a_task_for_every_resource(found: list[Resource], tmp_path: Path) -> None:
    (play,) = playbook(found, tmp_path)
    assert modules(play) == [
        *("command", "command"),  # are the packages there? install them
        *("user", "file", "copy", "copy"),
        *("find", "file"),  # what is foreign in a folder
        *("file", "file"),
        *("command", "command", "command", "systemd_service", "systemd_service"),
    ]
    files = [task for task in play["tasks"] if "ansible.builtin.copy" in task]
    assert files[0]["ansible.builtin.copy"]["validate"] == "check %s"
    assert files[1]["no_log"] is True
    unit = play["tasks"][-2]["ansible.builtin.systemd_service"]
    assert unit == {"name": "chrony.service", "state": "started", "enabled": True}


def test_what_only_one_host_has_is_left_out_on_the_others(found: list[Resource], tmp_path: Path) -> None:
    both = [Resource(role="ntp", host="ns-2", kind="absent", name="/etc/gone", options={})]
    (play,) = playbook([*found, *both], tmp_path)
    assert play["hosts"] == "ns-1,ns-2"
    gone = next(task for task in play["tasks"] if task["name"] == "Remove /etc/gone")
    assert "when" not in gone
    link = next(task for task in play["tasks"] if task["name"] == "Link /etc/link")
    assert link["when"] == ["inventory_hostname in ['ns-1']"]


@pytest.mark.parametrize(
    ("side", "said", "none"),
    [
        ("ours", " 1/1 converge all layers  2 s, nothing to change on 2 hosts\n", True),
        ("ours", " 1/1 converge all layers  2 s, nothing to change on 1 hosts\n", False),
        ("every-task", " 1/1 converge all layers  9 s, 3 changes on 1 of 2 hosts\n", False),
        ("pyinfra", "    Grand total    171     -         -       171         \n", True),
        ("pyinfra", "    Grand total    171     1         -       170         \n", False),
        ("pyinfra", "    Grand total    171     -         2       169         \n", False),
        ("pyinfra", "--> Connecting to hosts...\n", False),
        (
            "stock",
            "a : ok=9 changed=0 unreachable=0 failed=0\nb : ok=9 changed=0 unreachable=0 failed=0",
            True,
        ),
        ("stock", "a : ok=9 changed=0 unreachable=0 failed=0\n", False),
        (
            "stock",
            "a : ok=9 changed=1 unreachable=0 failed=0\nb : ok=9 changed=0 unreachable=0 failed=0",
            False,
        ),
        (
            "stock",
            "a : ok=9 changed=0 unreachable=1 failed=0\nb : ok=9 changed=0 unreachable=0 failed=0",
            False,
        ),
    ],
)
def test_a_side_that_changed_something_or_did_not_end_is_not_taken_for_one_that_did_nothing(
    side: str, said: str, *, none: bool
) -> None:
    assert nothing(side, said, 2) is none
