"""The whole lab rendered without a host: real inventory, real wiring, real roles, the module replaced.

What is compared here is what the wiring could get wrong; that daemons take it is the layers' affair.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from province.hosts import Host, built_hosts, load_environment, plan_for
from province.lab.up import make_keys
from province.ledger import Ledger
from province.look import as_request
from province.render.configurations import Configuration, Renderer, program_for

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "inventories/lab/environment.yml"
STAND_IN = ROOT / "tests/support/ansible/library"


@pytest.fixture(scope="module")
def hosts() -> tuple[Host, ...]:
    """The lab's hosts."""
    environment = load_environment(LAB)
    found = built_hosts(environment, plan_for(environment))
    assert found
    return found


@pytest.fixture(scope="module")
def estate(hosts: tuple[Host, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for each host with every file that the site playbook lays down there."""
    folder = tmp_path_factory.mktemp("estate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVINCE_STATE_DIR", str(folder / "state"))
        make_keys(hosts[0].facts()["environment"], hosts)
    (folder / "local.yml").write_text(
        yaml.safe_dump(
            {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "ansible_remote_tmp": f"{folder}/hosts/{{{{ inventory_hostname }}}}",
            }
        )
    )
    environment = dict(
        os.environ,
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_LIBRARY=str(STAND_IN),
        ANSIBLE_LOCAL_TEMP=str(folder / "local"),
        PROVINCE_STATE_DIR=str(folder / "state"),
        PROVINCE_RECAP=str(folder / "recap.json"),
    )
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", LAB, "-e", f"@{folder}/local.yml", "playbooks/site.yml"),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "hosts"


def texts(folder: Path) -> dict[str, str]:
    """Every file of a host by its path."""
    found = {
        f"/{path.relative_to(folder)}": path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).parts[0].startswith("ansible-")
    }
    assert found, f"nothing was rendered for {folder.name}"
    return found


def guarded(hosts: tuple[Host, ...]) -> list[Host]:
    """Hosts with a ruleset of ours: all but stand-ins for others."""
    found = [host for host in hosts if "firewall" in host.planned.roles]
    assert found
    return found


def test_every_host_gets_the_roles_that_the_plan_gives_it(hosts: tuple[Host, ...]) -> None:
    """The plan says what a host does, the plays say which groups do it; neither may know better."""
    plays = [
        play
        for path in (ROOT / "playbooks/layers").glob("*.yml")
        for play in yaml.safe_load(path.read_text())
    ]
    assert plays
    for host in hosts:
        given: set[str] = set()
        for play in plays:
            words = play["hosts"].split(":")
            wanted = {word for word in words if not word.startswith("!")} & set(host.groups)
            if wanted and not {word[1:] for word in words if word.startswith("!")} & set(host.groups):
                given |= {role["role"] for role in play["roles"]}
        stands_in = (
            {"system_base", "ssh_server", "network_interface"}
            if host.planned.machine in ("carrier", "probe")
            else set()
        )
        assert given == set(host.planned.roles) | stands_in, host.name


def test_no_template_is_left_unrendered(estate: Path, hosts: tuple[Host, ...]) -> None:
    left = [
        f"{host.name}:{path}: {match[0]}"
        for host in hosts
        for path, text in texts(estate / host.name).items()
        for match in re.finditer(r"\{\{ ?[a-z_]+ ?\}\}|\{% ", text)
        if not path.endswith((".container", ".build"))  # podman has templates of its own
    ]
    assert left == []


def test_every_json_file_is_json(estate: Path, hosts: tuple[Host, ...]) -> None:
    for host in hosts:
        for path, text in texts(estate / host.name).items():
            if path.endswith(".json"):
                json.loads(text)


def test_every_interface_of_the_plan_has_its_addresses_and_no_other(
    estate: Path, hosts: tuple[Host, ...]
) -> None:
    for host in hosts:
        files = texts(estate / host.name)
        written = {
            Path(path).stem.removeprefix("10-"): sorted(re.findall(r"^Address=(\S+)$", text, re.MULTILINE))
            for path, text in files.items()
            if path.startswith("/etc/systemd/network/")
        }
        planned = {
            entry["name"]: sorted([*entry["addresses"], *entry["vips"]])
            if entry["method"] == "static"
            else []
            for entry in host.facts()["interfaces"]
        }
        assert written == planned, host.name


def test_no_management_interface_has_a_gateway(estate: Path, hosts: tuple[Host, ...]) -> None:
    for host in hosts:
        file = texts(estate / host.name)["/etc/systemd/network/10-mgmt.network"]
        assert "Gateway=" not in file, host.name
        assert "IPv6AcceptRA=no" in file, host.name


def test_the_ruleset_of_a_host_names_exactly_its_planned_flows(estate: Path, hosts: tuple[Host, ...]) -> None:
    for host in guarded(hosts):
        text = texts(estate / host.name)["/etc/province/firewall/rules.nft"]
        for chain in ("input", "output", "forward"):
            body = text.split(f"chain {chain} {{", 1)[1].split("\n    }\n", 1)[0]
            comments = set(re.findall(r'comment "([^"]+)"$', body, re.MULTILINE))
            flows = {
                comment for comment in comments if not comment.startswith(("base: ", "beyond: ", "drop"))
            }
            assert flows == {rule["flow"] for rule in host.facts()["firewall"][chain]}, (host.name, chain)
            assert "policy drop;" in body
            assert body.strip().splitlines()[-1].strip() == f'counter name "drop_{chain}" drop comment "drop"'


def test_only_the_controller_signs_in_and_only_on_the_management_address(
    estate: Path, hosts: tuple[Host, ...]
) -> None:
    for host in guarded(hosts):
        management = host.facts()["management"]
        files = texts(estate / host.name)
        listens = re.findall(
            r"^ListenAddress (\S+)$", files["/etc/ssh/sshd_config.d/20-province.conf"], re.MULTILINE
        )
        assert listens == [management["address4"], management["address6"]], host.name
        doors = re.findall(r"^.*dport 22 accept.*$", files["/etc/province/firewall/rules.nft"], re.MULTILINE)
        assert len(doors) == 2, host.name
        assert management["controller4"] in doors[0]
        assert management["controller6"] in doors[1]


def test_private_keys_are_where_their_tunnel_is_and_nowhere_else(
    estate: Path, hosts: tuple[Host, ...]
) -> None:
    found = {
        host.name
        for host in hosts
        if any(
            "PrivateKey" in text for path, text in texts(estate / host.name).items() if "/wireguard/" in path
        )
    }
    assert found == {host.name for host in hosts if "wireguard" in host.planned.roles}


def said(folder: Path, part: str) -> list[dict[str, Any]]:
    """What all tasks of a host have said of files, directories, links or absent paths."""
    lines = (folder / "ansible-tasks.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for line in lines for entry in json.loads(line)[part]]


@pytest.fixture(scope="module")
def rendered(hosts: tuple[Host, ...], estate: Path) -> dict[str, Configuration]:
    """The same hosts by `province render`: same ledger, no Ansible."""
    environment = load_environment(LAB)
    planned = plan_for(environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVINCE_STATE_DIR", str(estate.parent / "state"))
        built = built_hosts(environment, planned)
    renderer = Renderer(program_for(ROOT, LAB.parent / "group_vars"), environment, planned)
    assert [host.name for host in built] == [host.name for host in hosts]
    return {host.name: renderer.render(host) for host in built}


def test_files_rendered_without_ansible_are_those_of_ansible_byte_for_byte(
    estate: Path, rendered: dict[str, Configuration]
) -> None:
    ledger = Ledger.open(estate.parent / "state/lab")
    compared = secrets = 0
    for name, made in rendered.items():
        laid = texts(estate / name)
        assert [file.path for file in made.files] == sorted(laid), name
        for file in made.files:
            expected = laid[file.path]
            for placeholder in file.placeholders:
                entry = placeholder.removeprefix("<ledger: ").removesuffix(">")
                private = ledger.secret(entry).decode()
                # In a file of JSON a key of several lines stands as one string.
                forms = (private.strip(), json.dumps(private.strip())[1:-1])
                form = next((form for form in forms if form in expected), "")
                assert form, f"{name}:{file.path} has no {entry}"
                expected = expected.replace(form, placeholder)
                secrets += 1
            assert file.content.decode() == expected, f"{name}:{file.path}"
            compared += 1
    assert compared > 200
    assert secrets > 0, "no host of the lab has a secret any more: this proves less than it says"


def test_what_hosts_are_asked_before_a_converge_is_what_ansible_would_ask_them(estate: Path) -> None:
    """Packages, users, folders, links, commands and units, word for word; files by their digest."""
    environment = load_environment(LAB)
    planned = plan_for(environment)
    ledger = Ledger.open(estate.parent / "state/lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVINCE_STATE_DIR", str(estate.parent / "state"))
        built = built_hosts(environment, planned)
    program = program_for(ROOT, LAB.parent / "group_vars")
    renderer = Renderer(program, environment, planned, lambda name: ledger.secret(name).decode().rstrip("\n"))
    for host in built:
        trees = [as_request(tree) for tree in renderer.trees(host)]
        for option in ("packages", "users", "directories", "links", "absent", "commands", "units"):
            asked = [entry for tree in trees for entry in tree["options"].get(option, [])]
            assert asked == said(estate / host.name, option), f"{host.name} {option}"
        digests = {
            entry["dest"]: digest
            for tree in trees
            for entry, digest in zip(tree["options"]["files"], tree["digests"], strict=True)
        }
        wanted = {
            path: hashlib.sha256(text.encode()).hexdigest()
            for path, text in texts(estate / host.name).items()
        }
        assert digests == wanted, host.name


def test_modes_owners_directories_and_links_are_those_of_ansible(
    estate: Path, rendered: dict[str, Configuration]
) -> None:
    for name, made in rendered.items():
        manifest = json.loads(made.manifest)
        folder = estate / name
        files = {
            entry["dest"]: (
                entry.get("mode", "0644"),
                entry.get("owner", "root"),
                entry.get("group", "root"),
                bool(entry.get("sensitive")),
            )
            for entry in said(folder, "files")
        }
        assert {
            entry["path"]: (entry["mode"], entry["owner"], entry["group"], entry["sensitive"])
            for entry in manifest["files"]
        } == files, name
        directories = [
            (
                entry["path"],
                entry.get("mode", "0755"),
                entry.get("owner", "root"),
                entry.get("group", "root"),
                bool(entry.get("exclusive")),
            )
            for entry in said(folder, "directories")
        ]
        assert directories == [
            (entry["path"], entry["mode"], entry["owner"], entry["group"], entry["exclusive"])
            for entry in manifest["directories"]
        ], name
        links = [(entry["path"], entry["target"]) for entry in said(folder, "links")]
        assert links == [(entry["path"], entry["target"]) for entry in manifest["links"]], name
        assert said(folder, "absent") == [entry["path"] for entry in manifest["absent"]], name
