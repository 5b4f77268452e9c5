"""Two provinces planned and rendered from one checkout in one process share no name, key, prefix or secret.

Each has its own ledger. They are rendered one after the other, the other way round, and host by host in
turn: what each gets must be what it gets alone in a process of its own, byte for byte.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_interface
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from province.hosts import Environment, Host, built_hosts, plan_for
from province.ledger import Kind, Ledger
from province.plan.as_json import as_json
from province.plan.model import Plan
from province.render.applications import application_tree
from province.render.configurations import Configuration, Renderer, as_if_built, program_for
from province.render.roles import Program
from province.sources import load_sources
from tests.support.repository import ROOT
from tests.support.traces import Traces, leaks, more, traces

GROUP_VARS = ROOT / "inventories/common/group_vars"
REGISTERS = ROOT / "inventories/registers"
NAMES = ("dien-bien", "hai-phong")
BODIES = [
    body["name"]
    for kind in yaml.safe_load((ROOT / "province/bodies.yml").read_text(encoding="utf-8"))["bodies"].values()
    for body in kind["bodies"]
    if "{" not in body["name"]
]
LAW = "the law gives the departments of all provinces the same names, so their ids are the same words"
SIGN_IN = ROOT / "roles/ssh_server/templates/etc/ssh/sshd_config.d/20-province.conf.j2"
ALGORITHMS = re.findall(r"[\w-]+@(?:openssh\.com|libssh\.org)", SIGN_IN.read_text(encoding="utf-8"))
# Everything that two provinces may have in common, and why.
SHARED: Mapping[str, Mapping[str, str]] = {
    "networks": {
        "0.0.0.0/0": "everything: resolvers refuse it, default routes are it",
        "::/0": "the same",
        "::": "the unspecified address, in rules for listeners and servers",
        "::1": "loopback",
        "127.0.0.1": "loopback",
        "127.0.1.1": "the host itself in /etc/hosts",
        "10.0.0.0/8": "RFC 1918 as a whole: foreign names must not resolve into it",
        "172.16.0.0/12": "the same",
        "192.168.0.0/16": "the same",
        "169.254.0.0/16": "RFC 3927, the same",
        "fc00::/7": "RFC 4193 as a whole, the same",
        "fe80::/10": "RFC 4291, the same; neighbours in rulesets",
        "::ffff:0:0/96": "RFC 4291, the same",
        "198.18.0.0/16": "RFC 2544, bridges of containers: never leaves a host",
        "ff02::1": "all nodes, in /etc/hosts",
        "ff02::2": "all routers, in /etc/hosts",
        "5.8.2.1": "no address: a clause of TCVN 14423:2026 in a comment",
    },
    "names": {
        "gov.vn": "the State's domain, of which each province has a part",
        "wiki.nftables.org": "documentation that a unit file names",
        "blocked.example.org": "RFC 2606: what the filter of names blocks, there to be tried",
        "www.w3.org": "the name space of a picture",
    },
    "as_numbers": {
        "4200000001": "the edge of any centre: the catalogue's, never seen by another province",
        "4200000002": "the hub of any centre, the same",
        "4200000003": "the Party's hub of any centre, the same",
    },
    "keys": {},
    "mailboxes": dict.fromkeys(ALGORITHMS, "no mailbox: an algorithm that sshd may agree on"),
    "titles": dict.fromkeys(BODIES, LAW),
    "words": {},
}


@dataclass(frozen=True)
class Province:
    """All that is made of a province before rendering."""

    environment: Environment
    plan: Plan
    hosts: tuple[Host, ...]
    secrets: frozenset[str]

    def renderer(self, program: Program) -> Renderer:
        """A new one."""
        return Renderer(program, self.environment, self.plan)


def province(register: Path, state: Path) -> Province:
    """A whole province: centre, carrier, gateway and one staff PC of every open unit; keys from a ledger."""
    sources = load_sources(register)
    environment = as_if_built(sources)
    units = tuple(unit.id for unit in sources.register.units if unit.state != "closed")
    environment = replace(
        environment,
        name=register.name,
        units=units,
        workstations=1,
        simulators=("carrier",),
        # Otherwise those of the machine that runs this, which are everybody's.
        packages={"debian": (f"http://upstream-{register.name}.example.org/debian",)},
    )
    plan = plan_for(environment)
    ledger = Ledger.create(state)
    tunnelled = [
        host.name for host in built_hosts(environment, plan, {}) if "wireguard" in host.planned.roles
    ]
    keys = ledger.ensure_for_hosts(tunnelled)
    ledger.ensure_keypair("ssh/authority", Kind.SSH)
    ledger.ensure_keypair("password/first", Kind.PASSWORD)
    secrets = {ledger.secret(entry.name).decode().strip() for entry in ledger.entries()}
    assert len(secrets) == len(keys) + 2
    return Province(environment, plan, built_hosts(environment, plan, keys), frozenset(secrets))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ledgers of both are made."""
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def provinces(folder: Path) -> tuple[Province, Province]:
    """Both, planned in this process."""
    one, other = (province(REGISTERS / name, folder / f"state-{name}") for name in NAMES)
    assert len(one.hosts) > 50
    assert len(other.hosts) > 50
    return one, other


@pytest.fixture(scope="module")
def program() -> Program:
    """One for both: it reads roles and plays, which are of no province."""
    return program_for(ROOT, GROUP_VARS)


Rendered = dict[str, Configuration]


def in_turn(provinces: Iterable[Province], program: Program, interleaved: bool = False) -> list[Rendered]:
    """What each gets, rendered one after the other or host by host in turn."""
    given = list(provinces)
    renderers = [one.renderer(program) for one in given]
    made: list[Rendered] = [{} for _ in given]
    if interleaved:
        for hosts in zip_longest(*(one.hosts for one in given)):
            for number, host in enumerate(hosts):
                if host is not None:
                    made[number][host.name] = renderers[number].render(host)
    else:
        for number, one in enumerate(given):
            made[number] = {host.name: renderers[number].render(host) for host in one.hosts}
    return made


def texts(one: Province, rendered: Rendered) -> Iterator[str]:
    """Everything that is said of a province: plan, facts, files, manifests."""
    yield json.dumps(as_json(one.plan), ensure_ascii=False)
    for host in one.hosts:
        yield json.dumps(host.facts(), ensure_ascii=False)
    for made in rendered.values():
        yield made.manifest.decode()
        for file in made.files:
            yield file.content.decode()


def found_in(one: Province, rendered: Rendered) -> Traces:
    """The traces of a province in all that was made of it."""
    return traces(one.plan, texts(one, rendered), one.secrets)


@pytest.fixture(scope="module")
def rendered(provinces: tuple[Province, Province], program: Program) -> tuple[Rendered, Rendered]:
    """Both, host by host in turn: the order in which anything kept would reach the other first."""
    one, other = in_turn(provinces, program, interleaved=True)
    return one, other


@pytest.fixture(scope="module")
def found(provinces: tuple[Province, Province], rendered: tuple[Rendered, Rendered]) -> tuple[Traces, Traces]:
    """The traces of both."""
    return found_in(provinces[0], rendered[0]), found_in(provinces[1], rendered[1])


@pytest.fixture(scope="module")
def shared(provinces: tuple[Province, Province]) -> Mapping[str, Mapping[str, str]]:
    """SHARED, with the ids and host names that follow from names which the law makes the same."""
    same = {unit.id: unit for one in provinces for unit in one.plan.units if unit.name in BODIES}
    hosts = {host.name for one in provinces for host in one.plan.hosts if host.owner in same}
    mailboxes = {contact.mailbox for unit in same.values() for contact in unit.contacts}
    return {**SHARED, "words": dict.fromkeys(same.keys() | hosts | mailboxes, LAW)}


def test_two_provinces_share_no_name_key_prefix_or_secret(
    found: tuple[Traces, Traces], shared: Mapping[str, Mapping[str, str]]
) -> None:
    for one in found:
        assert len(one.networks) > 1000
        assert len(one.names) > 200
        assert len(one.keys) > 50
        assert len(one.as_numbers) > 50
        assert len(one.secrets) > 50
    assert leaks(*found, shared) == []


def test_the_list_of_what_is_shared_has_no_entry_too_many(found: tuple[Traces, Traces]) -> None:
    """An exception that nothing needs any more would hide the next leak."""
    one, other = found
    for value in SHARED["networks"]:
        assert ip_interface(value).network in one.networks & other.networks, value
    for kind in ("names", "keys", "mailboxes", "as_numbers"):
        assert set(SHARED[kind]) <= getattr(one, kind) & getattr(other, kind), kind
    assert set(BODIES) <= set(one.titles) & set(other.titles)


def test_the_order_of_rendering_changes_no_byte(
    provinces: tuple[Province, Province], rendered: tuple[Rendered, Rendered], program: Program
) -> None:
    one, other = provinces
    assert in_turn([one, other], program) == list(rendered)
    assert in_turn([other, one], program) == [rendered[1], rendered[0]]


ALONE = """
import hashlib, json, sys
from pathlib import Path
from tests.unit.render.test_no_leak import alone
json.dump(alone(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
"""


def digests(made: Rendered) -> dict[str, str]:
    """A digest of all files of each host and of its manifest."""
    return {
        name: hashlib.sha256(
            b"\0".join([host.manifest, *(file.path.encode() + b"\0" + file.content for file in host.files)])
        ).hexdigest()
        for name, host in made.items()
    }


def alone(register: Path, state: Path) -> dict[str, str]:
    """What a province gets when there is no other: run in a process of its own."""
    (made,) = in_turn([province(register, state)], program_for(ROOT, GROUP_VARS))
    return digests(made)


@pytest.mark.parametrize("number", [0, 1], ids=NAMES)
def test_beside_another_a_province_gets_what_it_gets_alone(
    folder: Path, rendered: tuple[Rendered, Rendered], number: int
) -> None:
    name = NAMES[number]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, REGISTERS / name, folder / f"state-{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert json.loads(done.stdout) == digests(rendered[number])


def seen_in_turn(provinces: tuple[Province, Province], program: Program) -> tuple[Traces, Traces]:
    """The traces of both, one after the other: of the centre and a few units, which is where these leak."""
    few = [replace(one, hosts=one.hosts[:20]) for one in provinces]
    made = in_turn(few, program)
    return found_in(few[0], made[0]), found_in(few[1], made[1])


def test_without_a_fault_there_is_nothing_to_see(
    provinces: tuple[Province, Province], program: Program, shared: Mapping[str, Mapping[str, str]]
) -> None:
    """What the faults below are measured by."""
    one, other = seen_in_turn(provinces, program)
    assert min(len(one.keys), len(other.keys)) > 5
    assert leaks(one, other, shared) == []


# The test above is worth what it finds: each of these is a way in which a value has got across somewhere.


def test_a_tree_of_applications_kept_for_the_whole_process_is_found(
    provinces: tuple[Province, Province],
    program: Program,
    shared: Mapping[str, Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[tuple[str, ...], Any] = {}
    make = Renderer._application_tree

    def cached(self: Renderer, placed: tuple[str, ...]) -> Any:
        return kept.setdefault(placed, make(self, placed))

    monkeypatch.setattr(Renderer, "_application_tree", cached)
    seen = leaks(*seen_in_turn(provinces, program), shared)
    assert any(line.startswith("names") for line in seen)
    assert any(line.startswith("title") for line in seen)


def test_facts_kept_by_the_name_of_a_host_are_found(
    provinces: tuple[Province, Province],
    program: Program,
    shared: Mapping[str, Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """edge-1 is a host of every province."""
    kept: dict[str, Any] = {}
    make = Host.facts
    monkeypatch.setattr(Host, "facts", lambda self: kept.setdefault(self.name, make(self)))
    seen = leaks(*seen_in_turn(provinces, program), shared)
    assert {line.split()[0] for line in seen} >= {"network", "names", "keys", "word"}


def test_a_lookup_that_keeps_the_first_plan_is_found(
    provinces: tuple[Province, Province],
    program: Program,
    shared: Mapping[str, Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = functools.cache(lambda placed: configurations_tree(*first, placed))
    first = (provinces[0].plan, provinces[0].environment)

    def configurations_tree(plan: Plan, environment: Environment, placed: tuple[str, ...]) -> Any:
        apps = [app.record for app in environment.sources.apps]
        kinds = {name: kind.title for name, kind in environment.sources.catalogue.kinds.items()}
        return application_tree(plan, apps, kinds, placed, ROOT / "apps")

    monkeypatch.setattr(Renderer, "_application_tree", lambda _, placed: tree(placed))
    assert leaks(*seen_in_turn(provinces, program), shared) != []


PLANTED: dict[str, Callable[[Province], str]] = {
    "a unit's name": lambda one: one.plan.units[-1].name,
    "a unit's code": lambda one: one.plan.units[-1].code,
    "a host's name": lambda one: next(h for h in one.plan.hosts if h.owner == one.plan.units[-1].id).name,
    "a full name": lambda one: one.plan.hosts[0].fqdn,
    "an address": lambda one: str(one.plan.units[-1].prefix4[7]),
    "an IPv6 prefix": lambda one: str(one.plan.units[-1].prefix6),
    "a carrier's line": lambda one: str(next(s for s in one.plan.segments if s.owner == "carrier").network4),
    "an AS number": lambda one: str(one.plan.units[-1].asn),
    "a mailbox": lambda one: f"hostmaster@{one.plan.domain}",
    "a unit's mailbox": lambda one: one.plan.units[-1].contacts[0].mailbox,
    "a private half": lambda one: min(one.secrets, key=len),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_single_value_of_the_one_in_the_files_of_the_other_is_found(
    provinces: tuple[Province, Province],
    found: tuple[Traces, Traces],
    shared: Mapping[str, Mapping[str, str]],
    what: str,
) -> None:
    other = traces(provinces[1].plan, [], provinces[1].secrets)
    assert leaks(found[0], more(other, f"# {PLANTED[what](provinces[0])}\n"), shared) != []
