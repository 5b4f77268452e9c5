"""The comparison of a planned ruleset with a loaded one sees what differs, and nothing else.

expected/ruleset.json: a fact `firewall`, and what `nft -j list ruleset` said after the role's own template
was loaded with it.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from province.observe import nft
from tests.support import expected

CASE = json.loads((Path(__file__).parent / "expected" / "ruleset.json").read_text(encoding="utf-8"))


def loaded(objects: dict[str, Any]) -> set[expected.Allowed]:
    """What the ruleset accepts in the name of flows."""
    return expected.loaded(nft.tables(json.dumps(objects))["inet", "province"])


def test_the_roles_own_ruleset_is_the_planned_one() -> None:
    wanted = expected.planned(CASE["firewall"])
    assert loaded(CASE["ruleset"]) == wanted
    # Counted by hand: names 2 protocols × 2 families, ping 2, packages 2 ports, web 2, tunnel 2.
    assert len(wanted) == 12


def test_families_are_narrowed_by_the_family_of_an_address() -> None:
    """From these IPv4 networks must not read as from any IPv6 address."""
    packages = {entry for entry in expected.planned(CASE["firewall"]) if entry.flow == "packages"}
    assert {entry.family for entry in packages} == {4}


@pytest.mark.parametrize("flow", ["names", "ping", "packages", "web", "tunnel"])
def test_a_rule_that_is_missing_is_missed(flow: str) -> None:
    ruleset = copy.deepcopy(CASE["ruleset"])
    ruleset["nftables"] = [
        entry for entry in ruleset["nftables"] if entry.get("rule", {}).get("comment") != flow
    ]
    missing = expected.planned(CASE["firewall"]) - loaded(ruleset)
    assert {entry.flow for entry in missing} == {flow}


@pytest.mark.parametrize("narrowing", ["iifname", "saddr"])
def test_a_rule_that_lost_a_match_is_open_without_a_plan(narrowing: str) -> None:
    """The same flow, wider than planned."""
    ruleset = copy.deepcopy(CASE["ruleset"])
    for entry in ruleset["nftables"]:
        rule = entry.get("rule", {})
        if rule.get("comment") == "names":
            rule["expr"] = [statement for statement in rule["expr"] if narrowing not in json.dumps(statement)]
    extra = loaded(ruleset) - expected.planned(CASE["firewall"])
    assert {entry.flow for entry in extra} == {"names"}


@pytest.mark.parametrize(("planned", "found"), [(30, 30), (30, 31), (30, 0), (0, 30)])
def test_a_limit_that_is_not_the_planned_one_is_seen(planned: int, found: int) -> None:
    case = copy.deepcopy(CASE)
    for chain in ("input", "output"):
        for rule in case["firewall"][chain]:
            if rule["flow"] == "names" and planned:
                rule["connections"] = planned
    for entry in case["ruleset"]["nftables"]:
        rule = entry.get("rule", {})
        if rule.get("comment") == "names" and found:
            family = "ip6" if "ip6" in json.dumps(rule["expr"]) else "ip"
            limit = {
                "op": "add",
                "elem": {"payload": {"protocol": family, "field": "saddr"}},
                "set": "@held_names",
                "stmt": [{"ct count": {"val": found}}],
            }
            rule["expr"].insert(-2, {"set": limit})
    assert (loaded(case["ruleset"]) == expected.planned(case["firewall"])) == (planned == found)


def test_an_accept_without_a_comment_is_open_without_a_plan() -> None:
    ruleset = copy.deepcopy(CASE["ruleset"])
    rule = {
        "family": "inet",
        "table": "province",
        "chain": "forward",
        "handle": 999,
        "expr": [{"accept": None}],
    }
    ruleset["nftables"].append({"rule": rule})
    assert {(entry.chain, entry.flow) for entry in loaded(ruleset) - expected.planned(CASE["firewall"])} == {
        ("forward", "")
    }


def test_drops_that_share_a_counter_are_counted_once() -> None:
    ruleset = copy.deepcopy(CASE["ruleset"])
    for entry in ruleset["nftables"]:
        if entry.get("counter", {}).get("name") in ("drop_management", "drop_forward"):
            entry["counter"]["packets"] = 5
    table = nft.tables(json.dumps(ruleset))["inet", "province"]
    assert table.dropped("forward") == 10
    assert table.dropped("output") == 0
