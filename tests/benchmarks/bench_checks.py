"""Checks of living hosts: ours, goss, and stock testinfra over ssh.

All sides answer the same claims about the same hosts, those that roles declare (tests/support/claims.py), of
as many hosts at the same time. What is wanted is known before; the time is that of asking, connections
included. Before any round each side has to see each kind of claim fail whose expectation is wrong.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

from tests.benchmarks.goss import built, gossfile, placed, validate
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support import environment
from tests.support.claims import Claim, declared

FEW, MANY = 2, 17  # hosts; stock testinfra takes a minute for each, and 17 are all of the lab
Told = Mapping[str, Sequence[Claim]]
Counts = Mapping[str, tuple[int, int]]  # by host how many claims were judged, and how many do not hold


def hosts_of(size: int) -> list[str]:
    """A name server and a unit's gateway first, few roles and many; then the others."""
    first = [environment.only(group) for group in ("ns", "unit_gateway")]
    return [*first, *(host for host in environment.ours() if host not in first)][:size]


def _config() -> Path:
    return environment.state_directory() / "ssh" / "config"


# Each side gets claims, makes ready what is not measured, and gives what is.


def _ours(told: Told) -> Callable[[], Counts]:
    from tests.support.together import together_all

    checks = {host: {claim.words: claim for claim in told[host]} for host in told}

    def run() -> Counts:
        failed = together_all(checks)
        return {host: (len(checks[host]), len(failed[host])) for host in told}

    return run


def _goss(told: Told) -> Callable[[], Counts]:
    files = {host: gossfile(told[host]) for host in told}
    return lambda: _at_once(lambda host: validate(_config(), host, files[host]), told)


def _stock(told: Told) -> Callable[[], Counts]:
    """As it comes, told where the configuration of ssh is."""
    import testinfra.backend.ssh  # noqa: F401 - not to be waited for inside the clock

    return lambda: _at_once(lambda host: _one_by_one(host, told[host]), told)


def _shared(told: Told) -> Callable[[], Counts]:
    """The same, told where connections are to be kept, too: then it uses one again."""
    import testinfra.backend.ssh  # noqa: F401 - as above

    def run() -> Counts:
        folder = tempfile.mkdtemp(prefix="cp-")  # short, and new: nobody finds a connection that is open
        try:
            return _at_once(lambda host: _one_by_one(host, told[host], f"{folder}/{host}"), told)
        finally:
            for socket in Path(folder).iterdir():
                subprocess.run(["ssh", "-O", "exit", "-S", socket, "host"], capture_output=True, check=False)
            shutil.rmtree(folder, ignore_errors=True)

    return run


def _at_once(ask: Callable[[str], tuple[int, int]], hosts: Iterable[str]) -> Counts:
    from tests.support.together import WORKERS

    names = list(hosts)
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def _one_by_one(host: str, claims: Sequence[Claim], connection: str = "") -> tuple[int, int]:
    import testinfra.backend
    import testinfra.host

    kept = {"controlpath": connection} if connection else {}
    backend = testinfra.backend.get_backend(f"ssh://{host}", ssh_config=str(_config()), **kept)
    asked = testinfra.host.Host(backend)
    backend.set_host(asked)
    failed = 0
    for claim in claims:
        try:
            claim(asked)
        except AssertionError:
            failed += 1
    return len(claims), failed


SIDES: Mapping[str, tuple[Callable[[Told], Callable[[], Counts]], str]] = {
    "ours": (_ours, "testinfra's API, the questions of all checks in a few round trips over one connection"),
    "goss": (_goss, "goss 0.4.9 on the hosts already, one ssh for each, its gossfile sent along"),
    "shared": (_shared, "testinfra 10.2.2 over ssh, told a ControlPath: one connection for each host"),
    "stock": (
        _stock,
        "testinfra 10.2.2 over ssh as it comes: it asks for ControlPersist, but without a ControlPath in "
        "the configuration of ssh each question is a connection",
    ),
}


def _make(folder: Path, size: int, *, sides: Iterable[str]) -> None:
    told = {host: declared(host) for host in hosts_of(size)}
    (folder / "claims.json").write_text(
        json.dumps({host: [astuple(claim) for claim in claims] for host, claims in told.items()})
    )
    built()
    host, claims = next(iter(told.items()))
    for side in sides:
        with _around(side, [host]):
            _prove(side, host, claims)


def _prove(side: str, host: str, claims: Iterable[Claim]) -> None:
    """RuntimeError when a side lets a wrong expectation pass: one of each kind, alone."""
    for claim in {(claim.kind, claim.about): claim for claim in claims}.values():
        wrong = claim.wrong()
        _, failed = SIDES[side][0]({host: [wrong]})()[host]
        if failed != 1:
            raise RuntimeError(f"{side} takes it for true that {wrong.words} is {wrong.wanted!r}")


def _around(side: str, hosts: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """What is there for the time of a round."""
    return placed(_config(), built(), hosts) if side == "goss" else contextlib.nullcontext()


def _prepare(folder: Path, size: int, *, side: str) -> tuple[Callable[[], Counts], list[str]]:
    del size
    said = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    told = {host: [Claim(*claim) for claim in claims] for host, claims in said.items()}
    environment.plan()  # where hosts are
    return SIDES[side][0](told), list(told)


def _run(given: tuple[Callable[[], Counts], list[str]], meter: Meter, *, side: str) -> Counts:
    ask, hosts = given
    with _around(side, hosts), meter.whole():
        counts = ask()
    meter.cpu = 0.0  # others worked
    if wrong := {host: failed for host, (_, failed) in counts.items() if failed}:
        raise RuntimeError(f"{side} says that not all is as declared: {wrong}")
    meter.parts["checks a second"] = sum(count for count, _ in counts.values()) / meter.seconds
    return counts


def _sides(*names: str) -> tuple[Side, ...]:
    return tuple(
        Side(
            name=name,
            words=SIDES[name][1],
            prepare=functools.partial(_prepare, side=name),
            run=functools.partial(_run, side=name),
            content=lambda counts: counts,
        )
        for name in names
    )


def _least(side: str, size: int, least: float, claim: str) -> Bound:
    return Bound(
        claim=f"{claim}, over ours",
        figure=Figure(side=side, size=size),
        over=Figure(side="ours", size=size),
        least=least,
    )


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="checks",
        title="The same checks of two hosts",
        sides=_sides(*SIDES),
        sizes=(FEW,),
        tiny=1,
        needs="lab",
        make=functools.partial(_make, sides=SIDES),
        packages=("pytest-testinfra", "paramiko"),
        bounds=(
            _least("stock", FEW, 50, "stock testinfra over ssh"),
            _least("goss", FEW, 0.5, "goss by one ssh for each host"),
        ),
    ),
    Benchmark(
        name="checks-all",
        title="The same checks of all hosts of the lab",
        sides=_sides("ours", "goss"),
        sizes=(MANY,),
        tiny=1,
        needs="lab",
        make=functools.partial(_make, sides=("ours", "goss")),
        packages=("pytest-testinfra", "paramiko"),
        bounds=(_least("goss", MANY, 0.5, "goss by one ssh for each of all hosts"),),
    ),
)
