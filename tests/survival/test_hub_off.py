"""A unit has two hubs: one without power costs less than a second and no connection, its return nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.hubs import Way, ways
from tests.support.survival import power_on

# The second that is promised, of which signs of life every 250 ms take 0.75 s at most; and a hub that returns
# hears everybody before it tells anybody.
LONGEST = 1.0
LONGEST_BACK = 0.2


@pytest.fixture(params=["government", "party"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """A unit of a sphere, which takes the hub that it prefers before and after."""
    way = ways()[request.param]
    eventually(lambda: way.taken() == {way.preferred()}, within=30)
    yield way
    for hub in way.peers:
        power_on(hub)
    eventually(lambda: way.taken() == {way.preferred()}, within=60)


@pytest.mark.requirement("tcvn-14423/5.12.2.2a-standby")
def test_a_hub_without_power_costs_a_second_at_most_its_return_nothing_and_neither_a_connection(
    way: Way,
) -> None:
    """Questions at 100 Hz in both families; a page and a download over connections that stay."""
    seen = way.fall()
    assert len(seen.off) == len(seen.back) == 2
    for gap in seen.off:
        assert 0 < gap.seconds <= LONGEST, f"{seen.hub} off: {gap}"
    for gap in seen.back:
        assert gap.seconds <= LONGEST_BACK, f"{seen.hub} back: {gap}"
    assert len(seen.pages) == 4
    for page in seen.pages:
        assert page["error"] == "", page
        assert page["fetched"] > 10, page
