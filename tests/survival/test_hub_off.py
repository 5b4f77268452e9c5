"""A unit has two hubs: one without power costs less than a second and no connection, its return nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.hubs import PEERS, UNIT, fall, preferred, taken
from tests.support.survival import power_on

# The second that is promised, of which signs of life every 250 ms take 0.75 s at most; and a hub that returns
# hears everybody before it tells anybody.
LONGEST = 1.0
LONGEST_BACK = 0.2


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """The unit takes the hub that it prefers before and after."""
    assert len(PEERS) == 2, f"{UNIT.id} has no two hubs: members {{hub: 2, hub_party: 2}}"
    eventually(lambda: taken() == {preferred()}, within=30)
    yield
    for hub in PEERS:
        power_on(hub)
    eventually(lambda: taken() == {preferred()}, within=60)


@pytest.mark.requirement("tcvn-14423/5.12.2.2a-standby")
def test_a_hub_without_power_costs_a_second_at_most_its_return_nothing_and_neither_a_connection() -> None:
    """Questions at 100 Hz in both families; a page and a download over connections that stay."""
    seen = fall()
    assert len(seen.off) == len(seen.back) == 2
    for gap in seen.off:
        assert 0 < gap.seconds <= LONGEST, f"{seen.hub} off: {gap}"
    for gap in seen.back:
        assert gap.seconds <= LONGEST_BACK, f"{seen.hub} back: {gap}"
    assert len(seen.pages) == 4
    for page in seen.pages:
        assert page["error"] == "", page
        assert page["fetched"] > 10, page
