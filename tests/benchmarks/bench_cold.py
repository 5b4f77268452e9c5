"""A lab from nothing, against nothing but the installation of its packages.

Bare is what every way to a data centre has to pay: for each host a Debian with the packages that its roles
name, and for each image of containers one with those of its recipe; from the same mirror, unpacked and set up
into a folder, as many at a time as there are cores. No host is started there, none is configured.

Ours takes the lab of this machine away first, with its image, and builds it again: run by name only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.repository import ROOT

CONTAINERS = "containers of "
# What makes a host of a Debian: somebody to start it, and to answer an operator.
_HOST = ("systemd-sysv", "python3")


def wanted() -> dict[str, list[str]]:
    """By host, and by image of containers, the packages that roles and recipes of the lab name."""
    from province import packages
    from province.lab.places import environment_file
    from province.ledger import state_dir
    from province.remembered import questions
    from tests.support import environment

    known = questions(environment_file(environment.name()), state_dir(environment.name()))
    assert known
    found = {
        host: sorted({*_HOST, *(name for one in requests for name in one["options"].get("packages") or ())})
        for host, (requests, _) in known.items()
    }
    sets = packages.wanted(ROOT)
    return found | {f"{CONTAINERS}{name}": sets[name] for name in sets if name != "hosts"}


def listed(status: str) -> set[str]:
    """Packages of a dpkg status file that are installed."""
    stanzas = (
        dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and line[0] != " ")
        for text in status.split("\n\n")
    )
    return {one["Package"] for one in stanzas if one.get("Status", "").endswith(" installed")}


def left_out(there: Mapping[str, Iterable[str]], packages: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """By place, packages that are wanted and not there."""
    lacking = {place: sorted(set(names) - set(there.get(place, ()))) for place, names in packages.items()}
    return {place: names for place, names in lacking.items() if names}


def _all_of(there: Mapping[str, Iterable[str]], packages: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    """The hosts with their packages, which have to be there."""
    hosts = {place: names for place, names in packages.items() if not place.startswith(CONTAINERS)}
    if lacking := left_out(there, hosts):
        raise RuntimeError(f"not installed: {lacking}")
    return hosts


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be installed where; `folder` is for what is made."""

    packages: Mapping[str, list[str]]
    folder: Path


def _prepare_bare(folder: Path, size: int) -> Given:
    del size
    place = folder / "bare"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return Given(wanted(), place)


def _run_bare(given: Given, meter: Meter) -> Mapping[str, list[str]]:
    from province.lab import apt
    from province.lab.image import RELEASE

    machine = apt.machine_sources()
    main, security = apt.mirror(machine, RELEASE), apt.security_mirror(machine, RELEASE)
    sources = [f"deb {main} {RELEASE} main", f"deb {main} {RELEASE}-updates main"]
    sources += [f"deb {security} {RELEASE}-security main"]

    def install(place: str) -> None:
        argv = ["unshare", "--mount", "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root"]
        argv += ["--format=directory", f"--include={','.join(given.packages[place])}"]
        argv += ["--dpkgopt=force-unsafe-io", RELEASE, str(given.folder / place), *sources]
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
            env={**os.environ, "TMPDIR": str(given.folder)},
        )
        if done.returncode:
            raise RuntimeError(f"{place}: {done.stderr[-1000:]}")

    with meter.whole(), ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        try:
            for done in as_completed([pool.submit(install, place) for place in given.packages]):
                done.result()
        except RuntimeError:
            pool.shutdown(cancel_futures=True)
            raise
    there = {
        place: listed((given.folder / place / "var/lib/dpkg/status").read_text(encoding="utf-8"))
        for place in given.packages
    }
    shutil.rmtree(given.folder)
    return _all_of(there, given.packages)


def _prepare_ours(folder: Path, size: int) -> Given:
    from province.lab.image import cached_image

    del size
    packages = wanted()
    _province("down")
    if made := cached_image():
        shutil.rmtree(made.rootfs.parent)
    return Given(packages, folder)


def _run_ours(given: Given, meter: Meter) -> Mapping[str, list[str]]:
    from tests.support.places import batch, machine

    with meter.whole():
        _province("up")
    status = {"status": "cat /var/lib/dpkg/status"}
    hosts = [place for place in given.packages if not place.startswith(CONTAINERS)]
    there = {host: listed(batch(machine(host), status, timeout=60)["status"].checked()) for host in hosts}
    return _all_of(there, given.packages)


def _province(command: str) -> None:
    from tests.support import environment

    # Neither the variables of a `make` above us nor the mark of its run go along.
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PROVINCE_RUN"))
    }
    done = subprocess.run(
        [Path(sys.executable).parent / "province", command, environment.name()],
        cwd=ROOT,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"province {command}: {done.stdout[-1500:]}{done.stderr[-500:]}")


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="cold",
        title="A lab from nothing, and nothing but the installation of its packages",
        sides=(
            Side(
                name="bare",
                words="the packages that roles name, for each host in a folder of its own, and those of "
                "images of containers: mmdebstrap from the same mirror, as many at a time as there are cores",
                prepare=_prepare_bare,
                run=_run_bare,
                content=lambda installed: installed,
            ),
            Side(
                name="ours",
                words="`make up` after `make down`, without its image: image, machines, all layers, "
                "smoke check",
                prepare=_prepare_ours,
                run=_run_ours,
                content=lambda installed: installed,
            ),
        ),
        sizes=(1,),
        tiny=1,
        needs="lab",
        by_name=True,
        bounds=(
            Bound(
                claim="a lab from nothing, to the bare installation of its packages",
                figure=Figure(side="ours", size=1),
                over=Figure(side="bare", size=1),
                most=1.4,
            ),
        ),
    ),
)
