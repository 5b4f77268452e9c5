"""What a cold lab is measured against: the packages that its hosts name, all of them installed."""

from __future__ import annotations

import pytest

from tests.benchmarks.bench_cold import CONTAINERS, _all_of, listed

STATUS = """\
Package: chrony
Status: install ok installed
Description: time
 Status: deinstall ok half-configured

Package: frr
Status: deinstall ok config-files

Package: knot
Status: install ok unpacked
"""


def test_only_what_is_set_up_counts_as_installed() -> None:
    assert listed(STATUS) == {"chrony"}


def test_a_side_that_lacks_a_package_of_a_host_is_no_round() -> None:
    wanted = {"edge-1": ["chrony", "frr"], f"{CONTAINERS}app-start": ["nginx"]}
    there = {"edge-1": {"chrony", "frr", "more"}}
    assert _all_of(there, wanted) == {"edge-1": ["chrony", "frr"]}
    with pytest.raises(RuntimeError, match="'edge-1': \\['frr'\\]"):
        _all_of({"edge-1": {"chrony"}}, wanted)
    with pytest.raises(RuntimeError, match="not installed"):
        _all_of({}, wanted)
