"""What roles declare becomes claims, each once, and goss is told the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from province.render.configurations import RenderedFile, Tree
from tests.benchmarks.goss import KINDS, gossfile, judged
from tests.support.claims import KERNEL, LOOKS, Claim, claims


def file(path: str, content: str, *, placeholders: tuple[str, ...] = (), mode: str = "0600") -> RenderedFile:
    said = {"path": path, "mode": mode, "owner": "root", "group": "clock", "sha256": f"digest of {path}"}
    return RenderedFile(path, content.encode(), int(mode, 8), False, placeholders, json.dumps(said))


def tree(*files: RenderedFile, **options: list[Any]) -> Tree:
    return Tree("clock", files, options)


def said(*trees: Tree) -> dict[str, str | bool]:
    return {claim.words: claim.wanted for claim in claims(trees)}


def test_a_file_is_its_mode_owner_group_and_digest() -> None:
    assert said(tree(file("/etc/a", "x"))) == {
        "file /etc/a: exists": True,
        "file /etc/a: mode": "0600",
        "file /etc/a: owner": "root",
        "file /etc/a: group": "clock",
        "file /etc/a: sha256": "digest of /etc/a",
    }


def test_what_only_the_ledger_knows_is_claimed_of_no_content() -> None:
    found = said(tree(file("/etc/a", "x", placeholders=("key",))))
    assert "file /etc/a: mode" in found
    assert "file /etc/a: sha256" not in found


def test_values_of_the_kernel_are_those_that_a_container_may_set() -> None:
    text = "# a word\nnet.a = 1\n-net.b = 2\n\nnet.c=4 5\n"
    found = said(tree(file(KERNEL, text)))
    kernel = {words: value for words, value in found.items() if words.startswith("kernel")}
    assert kernel == {"kernel net.a: value": "1", "kernel net.c: value": "4 5"}


def test_directories_links_and_what_must_not_be_there_are_claims() -> None:
    found = said(
        tree(
            directories=[{"path": "/d", "mode": "0750"}],
            links=[{"path": "/l", "target": "/d"}],
            absent=["/gone"],
        )
    )
    assert found == {
        "file /d: exists": True,
        "file /d: directory": True,
        "file /d: mode": "0750",
        "file /d: owner": "root",
        "file /d: group": "root",
        "file /l: exists": True,
        "file /l: link": True,
        "file /gone: exists": False,
    }


def test_a_unit_of_two_roles_is_one_and_one_that_ends_by_itself_need_not_run() -> None:
    found = said(
        tree(
            units=[
                {"name": "a.service", "state": "started", "enabled": True},
                {"name": "a.service", "watch": ["/etc/a"]},
                {"name": "once.service", "state": "started"},
                {"name": "off.socket", "state": "stopped", "enabled": False},
                {"name": "never.service", "masked": True, "state": "stopped"},
            ]
        ),
        tree(packages=["chrony"], users=[{"name": "clock"}]),
    )
    assert found == {
        "unit a.service: enabled": True,
        "unit a.service: running": True,
        "unit off.socket: running": False,
        "package chrony: installed": True,
        "user clock: exists": True,
    }


@pytest.mark.parametrize("wanted", [True, False, "0644", "0", "root", "/bin/sh"])
@pytest.mark.parametrize("about", ["mode", "value"])
def test_a_wrong_claim_is_about_the_same_and_wants_something_else(wanted: str | bool, about: str) -> None:
    if about == "mode" and wanted != "0644":
        wanted = "4755"
    right = Claim("file", "/etc/a", about, wanted)
    assert right.wrong().words == right.words
    assert right.wrong().wanted != right.wanted
    assert right.wrong().wrong().wanted == right.wanted or about == "value"


def test_goss_is_told_every_claim_by_an_attribute_of_its_own() -> None:
    told = [
        Claim("file", "/d", "exists", True),
        Claim("file", "/d", "mode", "0750"),
        Claim("file", "/d", "directory", True),
        Claim("file", "/l", "link", True),
        Claim("unit", "a.service", "running", True),
        Claim("kernel", "net.a", "value", "1"),
        Claim("socket", "tcp://10.0.0.1:22", "listening", True),
        Claim("package", "chrony", "installed", True),
        Claim("user", "clock", "exists", True),
    ]
    assert yaml.safe_load(gossfile(told)) == {
        "file": {
            "/d": {"exists": True, "mode": "0750", "filetype": "directory"},
            "/l": {"filetype": "symlink"},
        },
        "service": {"a.service": {"running": True}},
        "kernel-param": {"net.a": {"value": "1"}},
        "port": {"tcp:22": {"listening": True}},
        "package": {"chrony": {"installed": True}},
        "user": {"clock": {"exists": True}},
    }
    assert {kind for kind, _ in LOOKS} == set(KINDS)


def test_goss_is_taken_at_its_count_and_what_it_skipped_is_not_judged() -> None:
    assert judged("...\n\nTotal Duration: 0.1s\nCount: 293, Failed: 0, Skipped: 0\n") == (293, 0)
    assert judged("Count: 5, Failed: 1, Skipped: 3\n") == (2, 1)
    with pytest.raises(ValueError, match="no such file"):
        judged("no such file")
