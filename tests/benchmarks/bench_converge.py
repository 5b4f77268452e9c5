"""A converge that changes nothing: ours, a playbook of one task for each resource, and pyinfra.

All sides look after the same resources of the same living hosts (tests/benchmarks/resources.py notes what
the roles ask). Before any round each side has to heal the same wounds (a file changed, a mode, a unit
stopped), so that none is quick by not looking. The time is that of the whole program, its start included,
over connections that are made anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.benchmarks.resources import PROGRAMS, Resource, noted, playbook
from tests.support.repository import ROOT

SIZE = 2  # hosts
LIMIT = 590  # seconds for one run
WOUNDED = "/etc/chrony/chrony.conf"  # what every host has
OPENED = "/etc/ulogd.conf"
STOPPED = "chrony.service"
STOCK = """[defaults]
interpreter_python = /usr/bin/python3
display_skipped_hosts = False
[ssh_connection]
pipelining = {pipelining}
ssh_args = -F {config} -C -o ControlMaster=auto -o ControlPersist=60s
"""


def _hosts(size: int) -> list[str]:
    """A name server and a unit's gateway first: few roles and many."""
    from tests.support import environment

    return [environment.only(group) for group in ("ns", "unit_gateway", "app", "edge")][:size]


def _make(folder: Path, size: int) -> None:
    from province.run.session import cache_dir
    from tests.support import environment
    from tests.support.places import batch, machine

    folder.chmod(0o700)  # contents of files are the hosts' own, secrets included; they go with the folder
    hosts = _hosts(size)
    found = noted(environment.environment_file(), hosts, folder)
    shown = {
        host: {
            r.name: f"systemctl show --property=Type,RemainAfterExit -- {r.name}"
            for r in found
            if r.kind == "unit" and r.host == host
        }
        for host in hosts
    }
    ended = {
        (host, name)
        for host, asked in shown.items()
        for name, said in batch(machine(host), asked).items()
        if set(said.split()) == {"Type=oneshot", "RemainAfterExit=no"}
    }
    found = [
        _settled(resource) if (resource.host, resource.name) in ended else resource for resource in found
    ]
    config = environment.state_directory() / "ssh" / "config"
    (folder / "playbook.yml").write_text(
        yaml.safe_dump(playbook(found, folder / "contents"), sort_keys=False)
    )
    (folder / "hosts").write_text("\n".join(hosts) + "\n")
    for name, pipelining in (("stock", False), ("pipelining", True)):
        (folder / f"{name}.cfg").write_text(STOCK.format(pipelining=pipelining, config=config))
    (folder / "inventory.py").write_text(
        f"hosts = {[(host, {'ssh_hostname': environment.management_address(host)}) for host in hosts]!r}\n"
    )
    (folder / "resources.json").write_text(
        json.dumps(
            {
                "order": list(dict.fromkeys(map(_key, found))),
                "hosts": {h: {_key(r): asdict(r) for r in found if r.host == h} for h in hosts},
            }
        )
    )
    rivals = cache_dir() / "rivals"
    subprocess.run(
        [ROOT / "bootstrap/locked.sh", rivals, "requirements/rivals.txt"], check=True, capture_output=True
    )
    (folder / "rivals").symlink_to(rivals)
    # The two conventional ones are the same playbook; without pipelining it is only slower.
    for side in SIDES:
        if side != "stock":
            _prove(side, folder, hosts)


def _settled(resource: Resource) -> Resource:
    """A unit that does its work and ends: who starts it at every run changes something at every run."""
    return replace(resource, options={k: v for k, v in resource.options.items() if k != "state"})


def _key(resource: Resource) -> str:
    return f"{resource.role} {resource.kind} {resource.name}"


def _prove(side: str, folder: Path, hosts: list[str]) -> None:
    """Let a side heal a host. RuntimeError when it does not see what is wrong."""
    from tests.support.places import batch, machine

    place = machine(hosts[0])
    looked = {
        "content": f"sha256sum < {WOUNDED}",
        "mode": f"stat --format='%a %U %G' {OPENED}",
        "runs": f"systemctl is-active {STOPPED}",
    }
    before = {name: said.strip() for name, said in batch(place, looked).items()}
    wounds = {
        "content": f"echo '# wounded' >> {WOUNDED}",
        "mode": f"chmod 0666 {OPENED}",
        "runs": f"systemctl stop {STOPPED}",
    }
    for said in batch(place, wounds).values():
        said.checked()
    told = RUNS[side](folder, hosts)
    after = {name: said.strip() for name, said in batch(place, looked).items()}
    if after != before:
        raise RuntimeError(f"{side} did not heal {before} but left {after}: {told[-2000:]}")


def _called(argv: list[Any], folder: Path, **variables: str) -> str:
    connections = tempfile.mkdtemp(prefix="cp-")  # short, and new: nobody finds a connection that is open
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": connections,
            "PROVINCE_BENCH_RESOURCES": str(folder / "resources.json"),
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    for socket in Path(connections).iterdir():
        subprocess.run(["ssh", "-O", "exit", "-S", socket, "host"], capture_output=True, check=False)
    shutil.rmtree(connections, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def _ours(folder: Path, hosts: list[str], *options: str, **variables: str) -> str:
    from tests.support import environment

    command = [PROGRAMS / "province", "converge", environment.name(), "--limit", ",".join(hosts), *options]
    return _called(command, folder, **variables)


def _mitogen(folder: Path, hosts: list[str]) -> str:
    (site,) = (folder / "rivals/lib").glob("python3*/site-packages")
    return _ours(
        folder,
        hosts,
        "--no-look",
        ANSIBLE_STRATEGY_PLUGINS=f"{site}/ansible_mitogen/plugins/strategy",
        ANSIBLE_STRATEGY="mitogen_linear",
        PYTHONPATH=str(site),
    )


def _conventional(folder: Path, _: list[str], *, name: str) -> str:
    command = [PROGRAMS / "ansible-playbook", "-i", folder / "hosts", folder / "playbook.yml"]
    return _called(command, folder, ANSIBLE_CONFIG=str(folder / f"{name}.cfg"))


def _pyinfra(folder: Path, _: list[str]) -> str:
    from tests.support import environment

    key = environment.state_directory() / "ssh" / "id_ed25519"
    signed = ["--user", "root", "--key", key, "--data", "ssh_strict_host_key_checking=off"]
    command = [folder / "rivals/bin/pyinfra", "-y", *signed, folder / "inventory.py"]
    return _called([*command, ROOT / "tests/benchmarks/rivals/deploy.py"], folder)


RUNS: Mapping[str, Callable[[Path, list[str]], str]] = {
    "ours": _ours,
    "every-task": lambda folder, hosts: _ours(folder, hosts, "--no-look"),
    "mitogen": _mitogen,
    "pyinfra": _pyinfra,
    "pipelining": functools.partial(_conventional, name="pipelining"),
    "stock": functools.partial(_conventional, name="stock"),
}
SIDES: Mapping[str, str] = {
    "ours": "`province converge`: hosts say what is to be done, in one round trip each, and nothing is; what "
    "they are asked is remembered from the round before",
    "every-task": "`province converge --no-look`: every task of every role runs, one `managed_tree` a role",
    "mitogen": "the same with mitogen 0.3.54 in place of Ansible's own strategy",
    "pyinfra": "pyinfra 3.10 with an operation for each resource",
    "pipelining": "a playbook with a task for each resource, with pipelining",
    "stock": "the same playbook with Ansible's own settings",
}


def _prepare(folder: Path, size: int) -> tuple[Path, list[str]]:
    return folder, _hosts(size)


def _run(given: tuple[Path, list[str]], meter: Meter, *, side: str) -> dict[str, Any]:
    folder, hosts = given
    with meter.whole():
        said = RUNS[side](folder, hosts)
    meter.cpu = 0.0  # others worked
    if not nothing(side, said, len(hosts)):
        raise RuntimeError(f"{side} changed something: {said[-3000:]}")
    asked = json.loads((folder / "resources.json").read_text(encoding="utf-8"))["hosts"]
    text = json.dumps({host: sorted(keys) for host, keys in asked.items()}, sort_keys=True)
    return {"resources": sum(map(len, asked.values())), "which": hashlib.sha256(text.encode()).hexdigest()}


def nothing(side: str, said: str, hosts: int) -> bool:
    """Whether a side says that it has changed nothing, on so many hosts."""
    if side in ("ours", "every-task", "mitogen"):
        return f"nothing to change on {hosts} hosts" in said
    if side == "pyinfra":
        # Operations, those that changed something, those that failed, those with nothing to do.
        summary = re.findall(r"^\s*Grand total\s+(\d+)\s+(\S+)\s+(\S+)\s+(\d+)\s*$", said, re.MULTILINE)
        return [(total, "-", "-", total) for total, *_ in summary] == summary != []
    recap = re.findall(r"^\S+\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", said, re.M)
    return len(recap) == hosts and {int(number) for line in recap for number in line} == {0}


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="converge",
        title="A converge of hosts where nothing is to be done",
        sides=tuple(
            Side(
                name=name,
                words=words,
                prepare=_prepare,
                run=functools.partial(_run, side=name),
                content=lambda made: made,
            )
            for name, words in SIDES.items()
        ),
        sizes=(SIZE,),
        tiny=1,
        needs="lab",
        make=_make,
        bounds=(
            *(
                Bound(
                    claim=f"{words}, over ours",
                    figure=Figure(side=side, size=SIZE),
                    over=Figure(side="ours", size=SIZE),
                    least=least,
                )
                for side, words, least in (
                    ("stock", "a conventional playbook", 15),
                    ("pipelining", "the same with pipelining", 6),
                    ("pyinfra", "pyinfra with the same resources", 3),
                )
            ),
        ),
    ),
)
