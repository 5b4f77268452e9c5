"""What is to be done on a host, asked by the program that is sent there, here run on this machine."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from province.look import Seen, as_request, by_ssh, look, program_text
from province.render.configurations import RenderedFile, Tree

ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name
TEXT = "a line\n"


def file(path: Path, text: str = TEXT, mode: str = "0644") -> RenderedFile:
    line = json.dumps({"path": str(path), "mode": mode, "owner": ME, "group": MINE})
    return RenderedFile(str(path), text.encode(), int(mode, 8), False, (), line)


def folder(path: Path, **options: Any) -> dict[str, Any]:
    return {"path": str(path), "mode": "0755", "owner": ME, "group": MINE, **options}


def asked(*trees: Tree) -> dict[str, list[str]]:
    """What this machine says to it."""
    program = program_text(map(as_request, trees))
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.fixture
def laid(tmp_path: Path) -> Tree:
    """A role whose files, folder and link are as they should be."""
    place = tmp_path / "etc"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    for name in ("one", "two"):
        (place / name).write_text(TEXT)
        (place / name).chmod(0o644)
    (tmp_path / "link").symlink_to("etc/one")
    return Tree(
        "role",
        (file(place / "one"), file(place / "two")),
        {
            "directories": [folder(place, exclusive=True)],
            "links": [{"path": str(tmp_path / "link"), "target": "etc/one"}],
            "absent": [str(tmp_path / "gone")],
            "commands": [{"command": "false", "unless": "true"}],
        },
    )


def test_a_host_where_all_is_as_asked_has_nothing_to_say(laid: Tree) -> None:
    assert asked(laid) == {}


def changed(place: Path) -> None:
    (place / "etc/one").write_text("another\n")


def opened(place: Path) -> None:
    (place / "etc/one").chmod(0o666)


def removed(place: Path) -> None:
    (place / "etc/two").unlink()


def foreign(place: Path) -> None:
    (place / "etc/stale").touch()


def closed(place: Path) -> None:
    (place / "etc").chmod(0o700)


def linked_elsewhere(place: Path) -> None:
    (place / "link").unlink()
    (place / "link").symlink_to("etc/two")


def came_back(place: Path) -> None:
    (place / "gone").touch()


def replaced(place: Path) -> None:
    (place / "etc/two").unlink()
    (place / "etc/two").mkdir()


@pytest.mark.parametrize(
    ("wound", "named"),
    [
        (changed, "etc/one"),
        (opened, "etc/one"),
        (removed, "etc/two"),
        (foreign, "etc/stale"),
        (closed, "etc "),
        (linked_elsewhere, "link"),
        (came_back, "gone"),
        (replaced, "etc/two is a directory"),
    ],
)
def test_what_is_not_as_asked_is_named_and_left_as_it_is(
    laid: Tree, tmp_path: Path, wound: Callable[[Path], None], named: str
) -> None:
    wound(tmp_path)
    before = state(tmp_path)
    said = asked(laid)
    assert list(said) == ["role"]
    assert len(said["role"]) == 1, said
    assert f"{tmp_path}/{named}" in said["role"][0] + " "
    assert state(tmp_path) == before


def state(place: Path) -> list[tuple[str, int, str]]:
    """Everything below a folder."""
    return [
        (str(one), one.lstat().st_mode, hashlib.sha256(one.read_bytes()).hexdigest() if one.is_file() else "")
        for one in sorted(place.rglob("*"))
    ]


def test_a_command_that_is_needed_is_named_and_not_run(tmp_path: Path) -> None:
    tree = Tree(
        "role", (), {"commands": [{"command": f"touch {tmp_path}/ran", "creates": f"{tmp_path}/there"}]}
    )
    assert asked(tree) == {"role": [f"Ran `touch {tmp_path}/ran`."]}
    assert not (tmp_path / "ran").exists()


def test_a_question_that_may_not_be_run_yet_is_no_end_of_the_look(tmp_path: Path) -> None:
    """Its mode is put right before it is asked for good."""
    question = tmp_path / "question"
    question.write_text("#!/bin/sh\nexit 0\n")
    question.chmod(0o644)
    commands = [{"command": "true", "unless": str(question)}]
    said = asked(Tree("role", (file(question, question.read_text(), "0755"),), {"commands": commands}))
    assert said["role"][1:] == ["Ran `true`."]
    assert f"Set {question} to 0755" in said["role"][0]


def test_every_role_is_asked_also_after_one_that_cannot_be(laid: Tree, tmp_path: Path) -> None:
    broken = Tree("broken", (file(tmp_path / "etc"),), {})
    (tmp_path / "etc/one").write_text("another\n")
    said = asked(broken, laid)
    assert list(said) == ["broken", "role"]
    assert "is a directory" in said["broken"][0]


def test_no_content_of_a_file_goes_to_the_host(tmp_path: Path) -> None:
    tree = Tree("role", (file(tmp_path / "key", "a very secret text\n"),), {})
    request = json.dumps(as_request(tree))
    assert "secret text" not in request
    assert hashlib.sha256(b"a very secret text\n").hexdigest() in request


def test_of_a_file_place_mode_owner_and_group_are_asked(tmp_path: Path) -> None:
    (entry,) = as_request(Tree("role", (file(tmp_path / "a"),), {}))["options"]["files"]
    assert entry == {
        "dest": str(tmp_path / "a"),
        "mode": "0644",
        "owner": ME,
        "group": MINE,
        "sensitive": True,
    }


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (subprocess.TimeoutExpired("ssh", 120), "no answer within 120 s"),
        (OSError("no route to host"), "no route to host"),
        ("no JSON", "Expecting value"),
    ],
    ids=["late", "away", "nonsense"],
)
def test_a_host_that_does_not_answer_is_not_settled_and_keeps_nobody_else_from_being_asked(
    failure: Exception | str, said: str
) -> None:
    def ask(host: str, _: str) -> str:
        if host == "ns-1":
            return "{}"
        if isinstance(failure, Exception):
            raise failure
        return failure

    seen = {one.host: one for one in look({"hub-1": [], "ns-1": []}, ask)}
    assert seen["ns-1"].settled
    assert not seen["hub-1"].settled
    assert said in seen["hub-1"].error


def test_a_host_that_cannot_be_asked_is_not_settled(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-config"):
        by_ssh(tmp_path / "no-config")("nowhere", "print('{}')\n")
    seen = Seen(host="nowhere", changes={}, error="no route")
    assert not seen.settled
    assert seen.words() == ["nowhere could not be looked at: no route"]
    assert Seen(host="ns-1", changes={}).settled
    assert Seen(host="ns-1", changes={"ntp": ["Wrote /a."]}).words() == ["ns-1, ntp: Wrote /a."]
