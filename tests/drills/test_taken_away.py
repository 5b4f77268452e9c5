"""`make down` takes all of the lab and nothing of others, whatever it finds; `make up` builds it again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import drills, environment, neighbours

Make = Callable[[str], drills.Ran]


@pytest.fixture
def before() -> Iterator[dict[str, Any]]:
    """Somebody else's things beside the lab, as they are before anything is done."""
    with neighbours.neighbours():
        yield neighbours.settled()


def check_round(make: Make, before: dict[str, Any]) -> None:
    """Take the lab away and build it again, looking at the neighbours after each."""
    make("down").well()
    assert drills.left() == []
    neighbours.check_unchanged(before)
    make("up").well()
    neighbours.check_unchanged(before)
    assert "\nNothing changed." in make("up").well()


def test_the_description_of_neighbours_sees_a_change(before: dict[str, Any]) -> None:
    """Otherwise the checks below would pass whatever happened."""
    name = neighbours.CLOSE
    drills.incus_command("network", "set", name, "--project", "default", "ipv4.nat=false")
    told = neighbours.differences(before, neighbours.describe())
    places = {line.split(":")[0] for line in told}
    # Incus sets the bridge's addresses anew as well.
    assert places - {f"link {name}", "routes"} == {f"networks default/{name}", "rules"}


def test_down_and_up_without_their_state_leave_neighbours_alone(
    make: Make, before: dict[str, Any], tmp_path: Path
) -> None:
    assert drills.left(), "a lab stands, and the search for it finds nothing"
    shutil.move(environment.state_directory(), tmp_path / "lost")
    check_round(make, before)


def test_down_and_up_with_a_dead_daemon_leave_neighbours_alone(make: Make, before: dict[str, Any]) -> None:
    assert drills.left(), "a lab stands, and the search for it finds nothing"
    drills.kill_daemon()
    check_round(make, before)
