"""What stands against building on a machine, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netaddr import IPNetwork

from province.lab.incusd import cgroup_unified
from province.lab.machine import GIB, Demand, Machine, Need, missing_packages, refusals

FITTING = Machine(
    root=True,
    os_id="debian",
    version="12",
    memory_available=12 * GIB,
    disk_cache=40 * GIB,
    disk_incus=40 * GIB,
    taken=(("eth0", IPNetwork("192.0.2.0/24")), ("lo", IPNetwork("::1/128"))),
)
DEMAND = Demand(
    hosts=10,
    addresses=(IPNetwork("10.0.0.0/24"), IPNetwork("fd00:1::/64")),
    prefix="pvl",
    builds_engine=True,
    running=0,
)


def test_nothing_stands_against_a_machine_that_fits() -> None:
    assert refusals(FITTING, DEMAND) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"root": False}, "needs root"),
        ({"os_id": "ubuntu", "version": "24.04"}, "Debian 12 or 13"),
        ({"version": "11"}, "Debian 12 or 13"),
        ({"memory_available": 2 * GIB}, "memory"),
        ({"disk_cache": 3 * GIB}, "Make room"),
        ({"disk_incus": 3 * GIB}, "Make room"),
        ({"taken": (("eth0", IPNetwork("10.0.0.0/8")),)}, "eth0 has 10.0.0.0/8"),
        ({"taken": (("eth0", IPNetwork("fd00:1::5/128")),)}, "eth0 has fd00:1::5/128"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(change: dict[str, object], said: str) -> None:
    found = refusals(replace(FITTING, **change), DEMAND)  # type: ignore[arg-type]  # values of the cases
    assert len(found) == 1
    assert said in found[0]


def test_all_that_does_not_fit_is_said_at_once() -> None:
    poor = replace(FITTING, root=False, version="11", memory_available=0.0, disk_cache=0.0, disk_incus=0.0)
    assert len(refusals(poor, DEMAND)) == 5


def test_the_labs_own_bridges_are_no_conflict() -> None:
    own = replace(FITTING, taken=(("pvl-mgmt", IPNetwork("10.0.0.0/24")),))
    assert refusals(own, DEMAND) == []


def test_a_lab_that_runs_needs_no_room_of_its_own_again() -> None:
    nearly_full = replace(FITTING, memory_available=1.6 * GIB, disk_incus=1.1 * GIB)
    assert refusals(nearly_full, DEMAND)
    assert refusals(nearly_full, replace(DEMAND, running=10)) == []


def test_only_packages_without_their_program_are_missing() -> None:
    needs = [
        Need(package="coreutils", programs=("ls",)),
        Need(package="of-tomorrow", programs=("no-such-program", "/no/such/program")),
        Need(package="elsewhere", programs=("no-such-program", "/bin/sh")),
    ]
    assert missing_packages(needs) == ["of-tomorrow"]


@pytest.mark.parametrize(
    ("mounts", "unified"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", True),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n", False),
        (
            "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
            "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n",
            False,
        ),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/net_cls cgroup rw 0 0\n", False),
        ("proc /proc proc rw 0 0\n", False),
    ],
)
def test_only_the_unified_hierarchy_alone_counts_as_unified(mounts: str, unified: bool) -> None:
    assert cgroup_unified(mounts) is unified
