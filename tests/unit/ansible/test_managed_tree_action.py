"""The whole way of managed_tree on this machine: real ansible-core, a local connection, a temporary root."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
OWNER = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
SECRET = "the-private-half-of-a-key-that-nobody-may-see"  # noqa: S105 - made up


class Run:
    """What a run left: what it printed, what programs read of it, and the tree."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.status = done.returncode
        self.output = done.stdout + done.stderr
        self.recap: dict[str, Any] = json.loads((folder / "recap.json").read_text())
        self.log = (folder / "log").read_text()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Run]:
    """`play(options, *arguments, **variables)`: a role with one task, run on this machine."""
    role = tmp_path / "roles/thing"
    (role / "templates").mkdir(parents=True)
    (role / "tasks").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "inventory.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"here": {"ansible_connection": "local"}}}})
    )

    def run(options: dict[str, Any], *arguments: str, **variables: Any) -> Run:
        task = {"name": "Lay it down", "managed_tree": {**options, "root": str(tmp_path / "target")}}
        (role / "tasks/main.yml").write_text(yaml.safe_dump([task]))
        (tmp_path / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, "vars": variables, "roles": ["thing"]}])
        )
        environment = dict(
            os.environ,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_INVENTORY_ENABLED="yaml",
            ANSIBLE_PYTHON_INTERPRETER=sys.executable,
            ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
            ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"),
            ANSIBLE_ROLES_PATH=str(tmp_path / "roles"),
            PROVINCE_RECAP=str(tmp_path / "recap.json"),
            PROVINCE_LOG=str(tmp_path / "log"),
            PROVINCE_TIMINGS=str(tmp_path / "timings.json"),
        )
        program = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [program, "-i", tmp_path / "inventory.yml", "play.yml", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Run(done, tmp_path)

    return run


def template(tmp_path: Path, name: str, text: str) -> None:
    """A template of the role."""
    path = tmp_path / "roles/thing/templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_templates_are_rendered_as_ansible_renders_them_and_land_where_their_path_says(
    play: Callable[..., Run], tmp_path: Path
) -> None:
    loop = "{% for port in ports %}\n  {% if port %}\nport {{ port }}\n  {% endif %}\n{% endfor %}\n"
    template(tmp_path, "etc/thing/main.conf.j2", "{{ ansible_managed | comment }}\n" + loop)
    template(
        tmp_path, "etc/thing/part.j2", "{% include 'etc/thing/shared.j2' %}\n\n{{ item.name }} {{ word }}\n"
    )
    template(tmp_path, "etc/thing/shared.j2", "shared\n")
    options = {
        "templates": [
            {"src": "etc/thing/main.conf.j2", **OWNER},
            {
                "src": "etc/thing/part.j2",
                "dest": "/etc/thing/{name}.part",
                "each": [{"name": "a"}, {"name": "b"}],
                "validate": "grep -q {name} %s",
                **OWNER,
            },
        ],
        "files": [{"dest": "/etc/thing/data.json", "content": {"tên": [1, True]}, **OWNER}],
    }
    first = play(options, ports=[53, 0, 853], word="bạn", ansible_managed="Ours")
    assert first.status == 0, first.output
    target = tmp_path / "target/etc/thing"
    assert (target / "main.conf").read_text() == "#\n# Ours\n#\nport 53\nport 853\n"
    assert (target / "a.part").read_text() == "shared\na bạn\n"
    assert (target / "b.part").read_text() == "shared\nb bạn\n"
    assert json.loads((target / "data.json").read_text()) == {"tên": [1, True]}
    assert first.recap["changed"] == 1
    assert "here: Wrote /etc/thing/a.part." in first.output
    second = play(options, ports=[53, 0, 853], word="bạn", ansible_managed="Ours")
    assert second.recap["changed"] == 0, second.output
    assert "nothing to change" in second.output


def test_check_mode_with_diff_shows_what_would_change_and_leaves_it(
    play: Callable[..., Run], tmp_path: Path
) -> None:
    options = {"files": [{"dest": "/a", "content": "{{ text }}\n", **OWNER}]}
    play(options, text="old")
    run = play(options, "--check", "--diff", text="new")
    assert "-old" in run.output
    assert "+new" in run.output
    assert (tmp_path / "target/a").read_text() == "old\n"
    assert (run.status, run.recap["changed"]) == (0, 1)


@pytest.mark.parametrize("arguments", [("--diff",), ("--check", "--diff"), ("-vvv", "--diff")], ids=" ".join)
def test_a_secret_is_in_its_file_and_nowhere_else(
    play: Callable[..., Run], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    template(tmp_path, "key.j2", "PrivateKey = {{ secret }}\n")
    options = {
        "templates": [{"src": "key.j2", "mode": "0600", "sensitive": True, "validate": "cat %s", **OWNER}],
        "files": [{"dest": "/key2", "content": "{{ secret }}", "sensitive": True, **OWNER}],
    }
    run = play(options, *arguments, secret=SECRET)
    assert run.status == 0, run.output
    assert (tmp_path / "target/key").exists() == ("--check" not in arguments)
    for place in (run.output, run.log, json.dumps(run.recap)):
        assert SECRET not in place


def test_a_checker_that_quotes_a_secret_does_not_give_it_away(play: Callable[..., Run]) -> None:
    options = {
        "files": [
            {
                "dest": "/key",
                "content": "{{ secret }}\n",
                "sensitive": True,
                "validate": "grep --invert-match x %s --quiet --no-such",
                **OWNER,
            },
            {"dest": "/other", "content": "", "validate": "sh -c 'cat $(dirname %s)/key; exit 1'", **OWNER},
        ]
    }
    run = play(options, secret=SECRET)
    assert run.status != 0
    assert "No file has changed" in run.output
    assert SECRET not in run.output + run.log


def test_a_failure_names_host_layer_task_message_and_the_next_command(play: Callable[..., Run]) -> None:
    run = play(
        {"files": [{"dest": "/a", "content": "x", "validate": "sh -c 'echo line 7: no; exit 1'", **OWNER}]}
    )
    (failure,) = run.recap["failures"]
    assert failure["host"] == "here"
    assert "line 7: no" in failure["message"]
    for words in (
        "FAILED on here, layer play",
        "Lay it down",
        "line 7: no",
        "make converge LAYER=play LIMIT=here",
    ):
        assert words in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"templates": [{"src": "no-such.j2"}]}, "There is no no-such.j2 in this role's templates"),
        ({"files": [{"dest": "relative", "content": ""}]}, "is not an absolute path"),
        ({"files": [{"dest": "/a/../b", "content": ""}]}, "is not an absolute path"),
        ({"files": [{"dest": "/a", "content": ""}, {"dest": "/a", "content": ""}]}, "named twice"),
        ({"files": [{"dest": "/{nom}", "content": "x", "each": [{"x": "", "name": "a"}]}]}, "names {nom}"),
        ({"files": [{"content": "x"}]}, "neither `dest` nor `src`"),
        ({"units": [{"name": "a.service"}]}, "With another root"),
        ({"filse": []}, "Unsupported parameters"),
        ({"files": [{"dest": "/a", "content": "{{ nowhere }}"}]}, "'nowhere' is undefined"),
    ],
    ids=str,
)
def test_a_mistake_in_a_task_is_refused_in_a_sentence(
    play: Callable[..., Run], tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    run = play(options)
    assert run.status != 0
    assert words in run.output
    assert list((tmp_path / "target").iterdir()) == []


def test_an_undefined_variable_in_a_template_is_refused(play: Callable[..., Run], tmp_path: Path) -> None:
    template(tmp_path, "t.j2", "{{ nowhere }}\n")
    run = play({"templates": [{"src": "t.j2", **OWNER}]})
    assert run.status != 0
    assert "nowhere" in run.output
    assert list((tmp_path / "target").iterdir()) == []


def test_strings_of_the_inventory_are_never_templates(
    play: Callable[..., Run], tmp_path: Path, action: ModuleType
) -> None:
    """A register that says {{ }} must end up as these letters in a file, whatever the variable's way."""
    assert action.as_text("/a", "{{ 1 + 1 }}") == "{{ 1 + 1 }}"
    literal = "{{ '{{' }} 1 + 1 {{ '}}' }}"
    play({"files": [{"dest": "/a", "content": literal, **OWNER}]})
    assert (tmp_path / "target/a").read_text() == "{{ 1 + 1 }}"
