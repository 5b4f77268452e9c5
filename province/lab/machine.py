"""Whether a lab fits on this machine, and the packages that it needs.

Only what is missing is installed, and every package that came with it is written down in the cache
directory, so that `make down` can say what may go.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netaddr import IPNetwork

from province.lab import apt
from province.ledger import write_atomically
from province.run.command import must_run, run_program
from province.run.failure import Failure, RunFailedError, fail
from province.run.progress import Progress, Running
from province.run.session import cache_dir

GIB = 1024**3
RELEASES = {"12": "bookworm", "13": "trixie"}
BACKPORTS_LIST = Path("/etc/apt/sources.list.d/province-backports.list")

# Memory of the controller's own work (engine, playbook) and of a host of the lab, as seen.
_MEMORY_OF_WORK = 1.5 * GIB
_MEMORY_OF_HOST = 0.2 * GIB
_DISK_OF_HOST = 0.7 * GIB
_DISK_OF_BUILD = 4.0 * GIB  # modules and build cache of the engine, removed when it is built

INCUS_PROGRAMS = ("/usr/libexec/incus/incusd", "/opt/incus/bin/incusd", "/usr/bin/incusd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A package and the program that shows that it, or something in its place, is there."""

    package: str
    programs: tuple[str, ...]


NEEDS = (
    Need(package="incus-base", programs=INCUS_PROGRAMS),
    Need(package="incus-client", programs=("incus",)),
    Need(package="dnsmasq-base", programs=("dnsmasq",)),
    Need(package="nftables", programs=("nft",)),
    Need(package="iproute2", programs=("ip",)),
    Need(package="mmdebstrap", programs=("mmdebstrap",)),
    Need(package="openssh-client", programs=("ssh",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an environment wants of the machine: host count, addresses of its own, bridge prefix."""

    hosts: int
    addresses: tuple[IPNetwork, ...]
    prefix: str
    builds_engine: bool
    running: int  # hosts of it that run already


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the prechecks look at; bytes for memory and disk. `taken`: (interface, prefix) in use."""

    root: bool
    os_id: str
    version: str
    memory_available: float
    disk_cache: float
    disk_incus: float
    taken: tuple[tuple[str, IPNetwork], ...]


def look() -> Machine:
    """Look at this machine."""
    release = platform.freedesktop_os_release()
    return Machine(
        root=os.geteuid() == 0,
        os_id=release.get("ID", ""),
        version=release.get("VERSION_ID", ""),
        memory_available=_memory_available(),
        disk_cache=_disk(cache_dir()),
        disk_incus=_disk(Path("/var/lib/incus")),
        taken=tuple(_taken()),
    )


def refusals(machine: Machine, demand: Demand) -> list[str]:
    """Return what stands against building here, a sentence each with what to do; [] when nothing does."""
    found = []
    if not machine.root:
        found.append("This needs root: run it as root (`sudo make up`); `make check` does without.")
    if machine.os_id != "debian" or machine.version not in RELEASES:
        found.append(
            f"This machine is {machine.os_id or 'unknown'} {machine.version}; wanted: Debian 12 or 13."
        )
    new = max(0, demand.hosts - demand.running)
    memory = _MEMORY_OF_WORK + new * _MEMORY_OF_HOST
    if machine.memory_available < memory:
        found.append(
            f"{_gib(machine.memory_available)} of memory are free; {new} hosts need about {_gib(memory)}. "
            "End something, or take units out of the environment."
        )
    cache = _DISK_OF_BUILD if demand.builds_engine else 0.0
    for place, free, wanted in (
        (str(cache_dir()), machine.disk_cache, cache + GIB),
        ("/var/lib/incus", machine.disk_incus, new * _DISK_OF_HOST + GIB),
    ):
        if free < wanted:
            found.append(f"{_gib(free)} are free under {place}; wanted: {_gib(wanted)}. Make room there.")
    for address in demand.addresses:
        for interface, prefix in machine.taken:
            if not interface.startswith(f"{demand.prefix}-") and _overlap(address, prefix):
                found.append(
                    f"{address} of the plan is in use here: {interface} has {prefix}. "
                    "Give that interface other addresses, or the register another pool."
                )
    return found


def check(demand: Demand) -> None:
    """Refuse to begin on a machine that cannot carry the environment."""
    found = refusals(look(), demand)
    if found:
        raise fail(
            tried="check this machine before anything is changed",
            where="this machine",
            came_back="\n".join(found),
            next_command="mend this, then: make up",
        )


def missing_packages(needs: Sequence[Need] = NEEDS) -> list[str]:
    """Return the packages whose programs are not there."""
    return [need.package for need in needs if not any(map(_program, need.programs))]


def install_packages(progress: Progress, running: Running) -> None:
    """Install what is missing, and write down every package that came with it.

    A run that was killed meanwhile leaves dpkg half way, also with packages whose programs are there:
    what was installed before it is on record until all is well, and tells that there is something to mend.
    """
    wanted = missing_packages()
    before = _begun()
    if not wanted and before is None:
        running.done("all there")
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    hint = "are the machine's package sources right (apt-get update)? Then: make up"
    cache_dir().mkdir(parents=True, exist_ok=True)
    if before is None:
        before = installed()
        write_atomically(_begun_record(), "\n".join(sorted(before)).encode(), 0o644)
    else:
        running.now("go on where a killed run left the package manager")
        # What this alone cannot bring to an end, `--fix-broken` below can.
        run_program(["dpkg", "--configure", "-a"], progress, environment=quiet)
    running.now(f"install {', '.join(wanted)}")
    must_run(["apt-get", "-q", "update"], progress, environment=quiet, next_command=hint)
    if not _has_candidate(wanted, progress):
        _add_backports(progress, hint)
    run = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends"]
    run += ["--fix-broken", "install"]
    ended = run_program([*run, *wanted], progress, environment=quiet)
    _remember(installed() - before)
    if ended.code != 0:
        raise RunFailedError(
            Failure(
                tried=f"apt-get install {' '.join(wanted)}",
                where="this machine",
                came_back=ended.tail,
                next_command=hint,
            )
        )
    _begun_record().unlink(missing_ok=True)
    running.done(f"installed {', '.join(wanted)}" if wanted else "mended")


def installed() -> set[str]:
    """Return the names of all packages that are installed."""
    said = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n"],  # noqa: S607 - Debian's own
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith("ii")}


def installed_by_us() -> list[str]:
    """Return the packages that this project brought to this machine and that are still there."""
    record = _record()
    if not record.is_file():
        return []
    return sorted(set(record.read_text(encoding="utf-8").split()) & installed())


def _remember(names: Iterable[str]) -> None:
    record = _record()
    known = set(record.read_text(encoding="utf-8").split()) if record.is_file() else set()
    write_atomically(record, "".join(f"{name}\n" for name in sorted(known | set(names))).encode(), 0o644)


def _record() -> Path:
    return cache_dir() / "installed-packages"


def _begun_record() -> Path:
    return cache_dir() / "packages-before"


def _begun() -> set[str] | None:
    """Return what was installed before an installation that never came to its end, None without one."""
    record = _begun_record()
    return set(record.read_text(encoding="utf-8").split()) if record.is_file() else None


def _has_candidate(names: Sequence[str], progress: Progress) -> bool:
    simulate = ["apt-get", "-q", "-s", "--no-install-recommends", "--fix-broken", "install"]
    ended = run_program([*simulate, *names], progress)
    return ended.code == 0


def _add_backports(progress: Progress, hint: str) -> None:
    """Debian 12 has Incus in its backports only: another suite of the mirror it already uses."""
    codename = RELEASES.get(platform.freedesktop_os_release().get("VERSION_ID", ""), "")
    if codename != "bookworm":
        return
    address = apt.mirror(apt.machine_sources(), codename)
    text = (
        f"# Added by the lab of the data-integration centre, for Incus.\n"
        f"deb {address} {codename}-backports main\n"
    )
    write_atomically(BACKPORTS_LIST, text.encode(), 0o644)  # half a line would stop every apt-get
    must_run(["apt-get", "-q", "update"], progress, next_command=hint)


def _program(name: str) -> bool:
    return Path(name).is_file() if "/" in name else shutil.which(name) is not None


def _memory_available() -> float:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _disk(path: Path) -> float:
    while not path.exists():
        path = path.parent
    return float(shutil.disk_usage(path).free)


def _taken() -> Iterable[tuple[str, IPNetwork]]:
    """Yield what this machine has on its interfaces and routes, defaults and link-locals left out."""
    ip = shutil.which("ip")
    if ip is None:  # a bare machine: nothing but its own interface, and the package comes later
        return
    for family in ("-4", "-6"):
        said = subprocess.run(  # noqa: S603 - ip of iproute2
            [ip, "-j", family, "route", "show"], capture_output=True, text=True, check=False
        )
        for route in json.loads(said.stdout or "[]"):
            target = str(route.get("dst", "default"))
            if target == "default" or target.startswith("fe80"):
                continue
            yield str(route.get("dev", "")), IPNetwork(target)


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and (one.first <= other.last and other.first <= one.last)


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
