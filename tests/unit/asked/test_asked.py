"""Which hosts a change concerns: those of which something else is asked, found without rendering the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from province import asked
from province.asked import Asked, Asking, forget, keep, known, sentence
from province.hosts import Environment, Host, built_hosts, plan_for
from province.plan.model import Plan
from province.render.configurations import Renderer, as_if_built, keys_as_placeholders, program_for
from province.sources import load_sources
from tests.support.country import write_country
from tests.support.repository import ROOT

UNITS = 4
ONE = Asked(made_from="1", secrets={}, roles={"ntp": "a", "firewall": "b"})


class Estate(NamedTuple):
    """A country that is built whole."""

    environment: Environment
    plan: Plan
    hosts: tuple[Host, ...]

    def asking(self, stamp: str = "", secret: str = "", of: str = "") -> Asking:
        """What computes; the entry `of` the ledger is another one, and its secret if it is said."""
        return Asking(
            self.environment,
            self.plan,
            lambda name: (secret if name == of else "") or f"secret {name}",
            lambda name: stamp if name == of else "",
        )


def estate(folder: Path, units: int) -> Estate:
    write_country(folder / "country", units)
    bare = as_if_built(load_sources(folder / "country"))
    plan = plan_for(bare)
    environment = replace(
        bare,
        path=ROOT / "inventories/lab/environment.yml",
        units=tuple(unit.id for unit in plan.units),
        workstations=1,
    )
    keys = {**{host.name: f"key of {host.name}" for host in plan.hosts}, **keys_as_placeholders(plan)}
    return Estate(environment, plan, built_hosts(environment, plan, keys))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return estate(tmp_path_factory.mktemp("before"), UNITS)


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return estate(tmp_path_factory.mktemp("after"), UNITS + 1)


@pytest.fixture(scope="module")
def record(before: Estate) -> dict[str, Asked]:
    asking = before.asking()
    return {host.name: asking.requests(host)[1] for host in before.hosts}


def all_of(made: Estate) -> dict[str, dict[str, object]]:
    """Everything that is asked of every host, by role, compared by nothing but itself."""
    renderer = Renderer(
        program_for(ROOT, ROOT / "inventories/common/group_vars"),
        made.environment,
        made.plan,
        lambda name: f"secret {name}",
    )
    return {host.name: {tree.role: tree for tree in renderer.trees(host)} for host in made.hosts}


def test_a_unit_that_joins_concerns_the_hosts_whose_files_differ_and_no_other(
    before: Estate, after: Estate, record: Mapping[str, Asked]
) -> None:
    old, new = all_of(before), all_of(after)
    wanted = {
        host: {
            role for role in {**trees, **old.get(host, {})} if trees.get(role) != old.get(host, {}).get(role)
        }
        for host, trees in new.items()
        if trees != old.get(host)
    }
    found = after.asking().changed(after.hosts, record)
    assert {host: set(roles) for host, roles in found.items()} == wanted
    assert "hub-1" in found
    units = {host for host in found if host.startswith("don-vi-")}
    assert units == {"don-vi-00005-cpe-1", "don-vi-00005-pc-1"}


def test_of_a_host_with_the_same_facts_nothing_is_rendered(
    after: Estate, record: Mapping[str, Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    honest = Renderer.trees

    def counted(self: Renderer, host: Host) -> object:
        rendered.append(host.name)
        return honest(self, host)

    monkeypatch.setattr(Renderer, "trees", counted)
    after.asking().changed(after.hosts, record)
    assert not [name for name in rendered if name.startswith("don-vi-") and "00005" not in name]


def test_where_nothing_changed_nobody_is_concerned(before: Estate, record: Mapping[str, Asked]) -> None:
    assert before.asking().changed(before.hosts, record) == {}


def test_a_secret_that_was_replaced_concerns_those_that_have_it(
    before: Estate, record: Mapping[str, Asked]
) -> None:
    (name,) = [name for name in record["don-vi-00001-cpe-1"].secrets if name.startswith("wireguard/")]
    asking = before.asking("another", "another", name)
    assert list(asking.changed(before.hosts, record)) == ["don-vi-00001-cpe-1"]


def test_an_entry_that_was_only_encrypted_again_concerns_nobody(
    before: Estate, record: Mapping[str, Asked]
) -> None:
    (name,) = [name for name in record["don-vi-00001-cpe-1"].secrets if name.startswith("wireguard/")]
    assert before.asking("another", of=name).changed(before.hosts, record) == {}


def test_a_host_that_is_not_on_record_is_concerned(before: Estate, record: Mapping[str, Asked]) -> None:
    less = {host: said for host, said in record.items() if host != "edge-1"}
    assert list(before.asking().changed(before.hosts, less)) == ["edge-1"]


def test_a_host_that_is_not_on_record_is_concerned_even_if_no_role_asks_anything(
    before: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Renderer, "trees", lambda *_: [])
    host = next(host for host in before.hosts if host.name == "edge-1")
    assert before.asking().changed([host], {}) == {"edge-1": []}


def test_other_code_means_that_everybody_is_rendered_and_nobody_concerned_who_is_asked_the_same(
    before: Estate, record: Mapping[str, Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "_digest_of_files", lambda _: "other code")
    asking = before.asking()
    assert asking.changed(before.hosts, record) == {}
    assert not any(asking._same(host, record[host.name]) for host in before.hosts)


def hosts_on_record(state: Path) -> Iterable[str]:
    return sorted(known(state))


def test_the_record_is_of_hosts_and_survives_nothing_that_may_not_have_ended(tmp_path: Path) -> None:
    keep(tmp_path, {"ns-1": ONE, "ns-2": ONE})
    keep(tmp_path, {"ns-3": ONE})
    assert known(tmp_path)["ns-1"] == ONE
    forget(tmp_path, ["ns-1", "unknown"])
    assert hosts_on_record(tmp_path) == ["ns-2", "ns-3"]
    assert (tmp_path / asked.RECORD).stat().st_mode & 0o777 == 0o600
    forget(tmp_path, None)
    assert hosts_on_record(tmp_path) == []


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    for text in ("", "[1]", '{"ns-1": 1}', '{"ns-1": {"other": 1}}'):
        (tmp_path / asked.RECORD).write_text(text)
        assert known(tmp_path) == {}


def test_a_role_that_is_no_longer_asked_for_is_a_difference() -> None:
    assert replace(ONE, roles={"ntp": "a"}).differs(ONE) == ["firewall"]
    assert replace(ONE, roles={"ntp": "c"}).differs(None) == ["ntp"]


def test_one_sentence_says_which_hosts_and_why() -> None:
    assert sentence({"hub-1": ["wireguard"], "ns-1": ["a", "b", "c", "d"]}, 40) == (
        "Of 2 of 40 hosts something else is asked than when they last were as declared: "
        "hub-1 (wireguard), ns-1 (a, b, c, …)."
    )
    assert sentence({}, 40).startswith("Of none of 40 hosts")
    assert sentence({f"h-{n}": ["a"] for n in range(25)}, 40).endswith("h-19 (a), and 5 more.")


def test_what_is_asked_does_not_depend_on_where_the_files_lie_but_on_each_name_and_content(
    tmp_path: Path,
) -> None:
    for name in ("here", "there"):
        (tmp_path / name / "group_vars").mkdir(parents=True)
        (tmp_path / name / "group_vars/all.yml").write_text("a: 1\n", encoding="utf-8")
    here, there = tmp_path / "here/group_vars", tmp_path / "there/group_vars"
    same = asked._digest_of_files([here])
    assert asked._digest_of_files([there]) == same
    (there / "all.yml").write_text("a: 2\n", encoding="utf-8")
    assert asked._digest_of_files([there]) != same
    (there / "all.yml").write_text("a: 1\n", encoding="utf-8")
    (there / "all.yml").rename(there / "other.yml")
    assert asked._digest_of_files([there]) != same
    assert asked._digest_of_files([here, there]) != asked._digest_of_files([there, here])
