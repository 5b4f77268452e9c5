"""Chooses the environment, and gives the checks of a living one their hosts.

`tests/unit tests/components tests/repo` need no machine. `tests/layers tests/flows tests/browser
tests/survival` ask a living environment; asked for without one they fail and say how to get it (they are
never skipped).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # Imported when a check needs them: unit tests shall not wait for paramiko.
    import testinfra.host

    from province.plan.model import Plan
    from tests.support.places import Machine

VARIABLE = "PROVINCE_ENVIRONMENT"
LIVING = ("tests/layers/", "tests/flows/", "tests/browser/", "tests/survival/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the environment under test."""
    parser.addoption(
        "--environment",
        default=None,
        help=f"environment under test, a folder of inventories/ (default: ${VARIABLE}, else lab)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the choice known before modules that parametrize over the plan are collected."""
    chosen = config.getoption("--environment")
    if chosen:
        os.environ[VARIABLE] = chosen
    config.addinivalue_line("markers", "living: asks a living environment; set by folder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a living environment, so that `-m 'not living'` is everything else."""
    for item in items:
        if item.nodeid.startswith(LIVING):
            item.add_marker("living")


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The plan of the environment under test."""
    from tests.support import environment

    return environment.plan()


@pytest.fixture(scope="session")
def living() -> None:
    """Fail with one sentence when there is no environment to ask."""
    from tests.support import environment, places

    try:
        for host in environment.ours():
            places.machine(host).client  # noqa: B018  connecting is the question
    except places.NoLabError as reason:
        pytest.fail(str(reason), pytrace=False)


@pytest.fixture(autouse=True)
def _living_when_asked(request: pytest.FixtureRequest) -> None:
    """Every check under a living folder stands on the sentence above, whichever fixtures it names."""
    if request.node.get_closest_marker("living"):
        request.getfixturevalue("living")


@pytest.fixture(scope="session")
def machine(living: None) -> Callable[[str], Machine]:
    """Give a built host by name, as a place to act from."""
    del living
    from tests.support import places

    return places.machine


@pytest.fixture(scope="session")
def host_of(machine: Callable[[str], Machine]) -> Callable[[str], testinfra.host.Host]:
    """Give a built host by name, as testinfra sees it."""
    return lambda name: machine(name).testinfra
