"""Base: everything that roles declare is so on every host, asked by testinfra's API."""

from __future__ import annotations

import pytest

from tests.support import environment
from tests.support.claims import LOOKS, declared
from tests.support.places import machine
from tests.support.together import together


@pytest.mark.parametrize("host", environment.ours())
def test_whatever_roles_declare_is_so_on_the_host(host: str) -> None:
    """Packages, users, files with their modes, units, values of the kernel: hundreds of claims."""
    claims = {claim.words: claim for claim in declared(host)}
    assert len(claims) > 150
    assert together(machine(host), claims) == {}


def test_each_kind_of_claim_fails_where_it_does_not_hold() -> None:
    """One of each, with another expectation: all are refused, and the rest is not."""
    host = environment.only("unit_gateway")
    kinds = {(claim.kind, claim.about): claim for claim in declared(host)}
    assert set(kinds) == set(LOOKS)
    wrong = {f"wrong {claim.words}": claim.wrong() for claim in kinds.values()}
    right = {claim.words: claim for claim in kinds.values()}
    assert set(together(machine(host), {**wrong, **right})) == set(wrong)
