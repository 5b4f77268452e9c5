"""Drills take the lab of this machine away and build it again: only `make drill` collects them.

`--drill-kills=N` is how it asks; without it nothing here is selected, whatever folders pytest is given.
`--drill-seed=N` repeats the kills of an earlier session.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from province.lab.up import complete
from tests.support import drills, environment, wounds
from tests.support.places import forget

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how many runs are killed, and which."""
    parser.addoption("--drill-kills", type=int, default=None, help="collect drills, with N killed runs")
    parser.addoption("--drill-seed", type=int, default=1, help="which kills are drawn")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "drill: takes the lab away and builds it again; set by folder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark drills; leave them out unless they were asked for."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker("drill")
    if ours and config.getoption("--drill-kills", None) is None:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Draw the kills; a test's name says where it killed, so that a report is enough to repeat it."""
    count = metafunc.config.getoption("--drill-kills", None) or 0
    seed = metafunc.config.getoption("--drill-seed", 1)
    for name, draw in (("kill", drills.kills), ("killed_converge", wounds.kills)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, draw(count, seed), ids=str)


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], drills.Ran]:
    """`make("up")`: run a target of the Makefile to its end."""
    output = tmp_path_factory.mktemp("drill") / "output"
    return lambda target: drills.run(target, output)


@pytest.fixture(autouse=True)
def _a_whole_lab(make: Callable[[str], drills.Ran], _a_whole_lab_at_the_end: None) -> None:
    """Every drill begins with a lab that stands."""
    assert os.geteuid() == 0, "drills need root, and a machine whose lab may go: sudo make drill"
    _stand(make)


@pytest.fixture(scope="session")
def _a_whole_lab_at_the_end(make: Callable[[str], drills.Ran]) -> Iterator[None]:
    """However the drills end, a lab stands afterwards."""
    yield
    _stand(make)


def _stand(make: Callable[[str], drills.Ran]) -> None:
    if not complete(environment.name()):
        make("up").well()
    forget()  # an earlier drill may have had hosts made again
