"""Whatever `province render` does not take is said in these words, with role, file and line.

A case is a change of a sound tree, or an odd call; what is then said is pinned in problems/<case>.txt.
PROVINCE_UPDATE_GOLDEN=1 rewrites the files: review the diff.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from province.cli import main
from province.problems import ProblemsFoundError
from province.render import configurations, folder
from province.sources import load_sources

HERE = Path(__file__).parent
UPDATE = "PROVINCE_UPDATE_GOLDEN"
LAB = "inventories/lab/environment.yml"
REGISTER = "inventories/registers/dien-bien"
BASE, NTP, FIREWALL = "roles/system_base", "roles/ntp", "roles/firewall"
NAMING = "playbooks/layers/naming.yml"
COMMON = "inventories/common/group_vars"

Change = Callable[[Path], object]


def swap(file: str, old: str, new: str) -> Change:
    """Replace the first occurrence of a text that is there."""

    def change(tree: Path) -> None:
        text = (tree / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} to change"
        (tree / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def add(file: str, text: str) -> Change:
    """Write a text at the end of a file, which may be new."""

    def change(tree: Path) -> None:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        with (tree / file).open("a", encoding="utf-8") as handle:
            handle.write(text)

    return change


HOSTS = f"{BASE}/templates/etc/hosts.j2"
TASKS = f"{NTP}/tasks/main.yml"
CHANGES: dict[str, Change] = {
    "no-such-template": swap(f"{BASE}/tasks/main.yml", "src: etc/hosts.j2", "src: etc/host.j2"),
    "no-tasks": lambda tree: (tree / TASKS).unlink(),
    "no-such-layer": swap("playbooks/site.yml", "layers/naming.yml", "layers/names.yml"),
    "not-utf-8": lambda tree: (tree / HOSTS).write_bytes(b"\xff"),
    "malformed-tasks": swap(TASKS, "    packages:", "   packages:"),
    "another-module": add(TASKS, "\n- name: Say hello\n  ansible.builtin.debug:\n    msg: hello\n"),
    "a-condition-on-a-task": add(TASKS, "  when: ntp_serve | length > 0\n"),
    "a-loop": add(TASKS, "  loop: [1, 2]\n"),
    "an-unknown-option": swap(TASKS, "    packages:", "    package:"),
    "an-unknown-option-of-a-template": swap(TASKS, "        validate: chronyd", "        backup: chronyd"),
    "an-entry-that-is-a-word": swap(
        TASKS, "- src: etc/systemd/system/chrony.service.d/province.conf.j2", "- etc/chrony.conf.j2"
    ),
    "a-list-made-elsewhere": swap(
        TASKS,
        "    templates:",
        '    files: "{{ ntp_files }}"\n    templates:',
    ),
    "a-template-without-src": swap(TASKS, "- src: etc/chrony/chrony.conf.j2", "- dest: /etc/chrony.conf"),
    "a-file-without-a-place": swap(TASKS, "    templates:", '    files: [{content: ""}]\n    templates:'),
    "a-template-in-a-template": add(HOSTS, "{% include 'etc/resolv.conf.j2' %}\n"),
    "a-backslash-in-an-expression": add(f"{COMMON}/ns/ntp.yml", "ntp_upstreams: \"{{ ['a\\\\tb'] }}\"\n"),
    "a-pattern-with-a-star": swap(NAMING, "hosts: resolver", 'hosts: "resol*"'),
    "variables-of-a-play": swap(NAMING, "  any_errors_fatal", "  vars: {a: 1}\n  any_errors_fatal"),
    "options-of-a-role": swap(NAMING, "    - role: ntp\n", "    - role: ntp\n      tags: [time]\n"),
    "a-play-in-the-site": add("playbooks/site.yml", "\n- name: More\n  hosts: all\n  roles: [ntp]\n"),
    "a-role-that-depends": swap(f"{NTP}/meta/main.yml", "dependencies: []", "dependencies: [firewall]"),
    "variables-of-one-host": add("inventories/lab/host_vars/ns-1.yml", "ntp_upstreams: []\n"),
    "variables-in-another-format": add(f"{COMMON}/ns/ntp.json", "{}"),
    "a-variable-that-needs-itself": add(f"{COMMON}/ns/ntp.yml", 'ntp_upstreams: "{{ ntp_upstreams }}"\n'),
    "an-unknown-filter": add(HOSTS, "{{ system_base_fqdn | to_nice_yaml }}\n"),
    "an-unknown-filter-in-a-variable": add(f"{COMMON}/ns/ntp.yml", 'ntp_serve: "{{ [] | product([]) }}"\n'),
    "a-broken-template": add(HOSTS, "{% if %}\n"),
    "an-undefined-variable": add(HOSTS, "{{ system_base_nowhere }}\n"),
    "an-undefined-fact": add(f"{COMMON}/ns/system_base.yml", 'system_base_fqdn: "{{ province_nowhere }}"\n'),
    "an-unknown-lookup": add(
        f"{COMMON}/ns/system_base.yml", "system_base_fqdn: \"{{ lookup('env', 'A') }}\"\n"
    ),
    "a-mistake-in-a-template": add(HOSTS, "\n{{ system_base_fqdn + 1 }}\n"),
    "an-unknown-style-of-comment": add(HOSTS, "{{ 'a' | comment('fortran') }}\n"),
    "each-of-no-list": swap(f"{COMMON}/hub/wireguard.yml", '"{{ province_wireguard }}"', "5"),
    "each-without-the-key": swap(
        "roles/dns_authoritative/tasks/main.yml",
        "dest: /etc/knot/zones/{name}.zone",
        "dest: /etc/knot/zones/{nom}.zone",
    ),
    "a-file-without-its-text": swap(
        "roles/container_app/tasks/main.yml", "content: content", "content: inhalt"
    ),
    "an-assertion-that-fails": add(
        f"{COMMON}/ns/firewall.yml", "firewall_management_sources4: []\nfirewall_management_sources6: []\n"
    ),
    "a-path-of-two-roles": swap(
        TASKS, "    templates:", "    templates:\n      - {src: etc/chrony/chrony.conf.j2, dest: /etc/hosts}"
    ),
    "a-relative-path": swap(
        TASKS, "    templates:", "    files: [{dest: etc/a, content: a}]\n    templates:"
    ),
    "a-path-that-climbs": swap(
        TASKS, "    templates:", "    files: [{dest: /etc/../a, content: a}]\n    templates:"
    ),
    "a-number-as-content": swap(
        TASKS, "    templates:", "    files: [{dest: /a, content: 5}]\n    templates:"
    ),
    "a-secret-that-is-not-marked": swap("roles/wireguard/tasks/main.yml", "        sensitive: true\n", ""),
}


def said(capsys: pytest.CaptureFixture[str], tree: Path, *arguments: str) -> str:
    """What a call says, which must be a refusal, without this machine's folders."""
    capsys.readouterr()
    assert main(["render", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    return err.replace(f"{tree}/", "").replace(f"{tree.parent}/", "")


def pinned(case: str, text: str) -> None:
    """Compare with the golden file."""
    assert re.fullmatch(r"(RND-\d{3} [^\n]+\n)+", text)
    golden = HERE / "problems" / f"{case}.txt"
    if os.environ.get(UPDATE):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CHANGES)
def test_a_source_that_is_not_understood_is_refused_and_nothing_is_written(
    case: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CHANGES[case](tree)
    text = said(capsys, tree, LAB, "--out", str(tree / "out"))
    pinned(case, text)
    laid = [path for path in (tree / "out").rglob("*") if path.is_file() and path.name != folder.MARK]
    whole = {path.relative_to(tree / "out").parts[0] for path in laid}
    # Hosts before the one that fails may stand there, whole; of that one there is nothing.
    assert all((tree / "out" / host / "manifest.json").exists() for host in whole)


def test_the_sound_tree_is_rendered(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise the cases above would be refused for another reason."""
    assert main(["render", LAB, "--out", str(tree / "out")]) == 0
    assert "0 unchanged" in capsys.readouterr().out


def test_units_that_cannot_be_rendered_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinned("an-unknown-unit", said(capsys, tree, REGISTER, "--out", "out", "--unit", "phuong-dien-bien-fu"))
    assert not (tree / "out").exists()
    plan = load_sources(tree / REGISTER).plan()
    closed = replace(plan, units=(replace(plan.units[0], state="closed"), *plan.units[1:]))
    with pytest.raises(ProblemsFoundError) as caught:
        configurations.chosen(closed, [plan.units[0].id, "no-such-unit"], REGISTER)
    pinned("a-closed-unit-and-an-unknown-one", f"{caught.value}\n")
    assert plan.units[0].id not in configurations.chosen(closed, [], REGISTER)


@contextmanager
def busy(out: Path) -> Iterator[None]:
    """Another run that writes into the folder."""
    with (out / folder.MARK).open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def test_a_folder_that_is_not_ours_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tree / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    unit = "phuong-dien-bien-phu"
    pinned("a-folder-of-somebody", said(capsys, tree, REGISTER, "--out", "out", "--unit", unit))
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    assert main(["render", REGISTER, "--out", "out", "--unit", unit]) == 0
    before = sorted(out.rglob("*"))
    pinned("a-folder-of-another-source", said(capsys, tree, LAB, "--out", "out"))
    with busy(out):
        pinned("a-folder-in-use", said(capsys, tree, REGISTER, "--out", "out", "--unit", unit))
    assert sorted(out.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_a_problem(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "out").write_text("a file")
    pinned("a-file-as-folder", said(capsys, tree, LAB, "--out", "out"))
    assert (tree / "out").read_text() == "a file"


def test_every_code_has_a_case() -> None:
    """A message that is nowhere pinned would be read for the first time by whoever needs it."""
    root = Path(folder.__file__).parent
    sources = "".join((root / f"{name}.py").read_text() for name in ("roles", "configurations", "folder"))
    codes = set(re.findall(r'"(?:RND-)?(0\d\d)"', sources))
    shown = "".join(path.read_text(encoding="utf-8") for path in (HERE / "problems").glob("*.txt"))
    assert codes == set(re.findall(r"RND-(\d{3})", shown))
