"""goss, which checks are compared with: built from its Go module, told the same claims, asked by one ssh.

tests/benchmarks/rivals/goss/go.mod pins its version and go.sum the hashes of all that it is made of; the Go
toolchain is that of the Python environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from tests.support.claims import Claim
from tests.support.repository import ROOT

MODULE = ROOT / "tests/benchmarks/rivals/goss"
PACKAGE = "github.com/goss-org/goss/cmd/goss"
PLACE = "/run/province-bench-goss"  # on hosts, for the time of a round
KINDS = {
    "file": "file",
    "package": "package",
    "unit": "service",
    "user": "user",
    "kernel": "kernel-param",
    "socket": "port",
}
TYPES = {"directory": "directory", "link": "symlink"}


def gossfile(claims: Iterable[Claim]) -> str:
    """Claims as goss wants them: an attribute for each."""
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for claim in claims:
        name, about, wanted = claim.name, claim.about, claim.wanted
        if claim.kind == "socket":
            # It knows ports and no addresses here: less is asked of it.
            protocol, _, place = name.partition("://")
            name = f"{protocol}:{place.rpartition(':')[2]}"
        if about in TYPES:
            about, wanted = "filetype", TYPES[about] if wanted else "file"
        told.setdefault(KINDS[claim.kind], {}).setdefault(name, {})[about] = wanted
    return yaml.safe_dump(told, sort_keys=False)


def judged(said: str) -> tuple[int, int]:
    """How much it looked at, and how much of that is not so; ValueError when it did not get there."""
    found = re.search(r"^Count: (\d+), Failed: (\d+), Skipped: (\d+)$", said, re.MULTILINE)
    if found is None:
        raise ValueError(f"goss said nothing of what it counted: {said[-500:]}")
    count, failed, skipped = map(int, found.groups())
    return count - skipped, failed


def validate(config: Path, host: str, told: str) -> tuple[int, int]:
    """Ask a host that it was brought to, by one ssh."""
    done = subprocess.run(
        ["ssh", "-F", config, host, f"{PLACE} --gossfile - validate --no-color"],
        input=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return judged(done.stdout or done.stderr)


@contextlib.contextmanager
def placed(config: Path, binary: Path, hosts: Sequence[str]) -> Iterator[None]:
    """Bring it to hosts, and take it away again."""

    def ask(host: str, command: str, **given: Any) -> None:
        subprocess.run(["ssh", "-F", config, host, command], check=True, capture_output=True, **given)

    def bring(host: str) -> None:
        with binary.open("rb") as file:
            ask(host, f"cat > {PLACE} && chmod 0700 {PLACE}", stdin=file)

    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            list(pool.map(bring, hosts))
            yield
        finally:
            list(pool.map(lambda host: ask(host, f"rm -f {PLACE}", stdin=subprocess.DEVNULL), hosts))


def built() -> Path:
    """The program, built where there is none of this version."""
    from province.lab.engine import go_toolchain
    from province.run.session import cache_dir

    pinned = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    root = cache_dir() / "goss"
    binary = root / hashlib.sha256(pinned).hexdigest()[:16] / "goss"
    if binary.is_file():
        return binary
    shutil.rmtree(root, ignore_errors=True)
    binary.parent.mkdir(parents=True)
    unfinished = binary.with_name("goss.unfinished")
    # The user's own Go settings other than the proxy (an address) stay outside.
    settings = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(root / "build"),
        "GOFLAGS": "-modcacherw",
        "GOMODCACHE": str(root / "mod"),
        "GOTOOLCHAIN": "local",
    }
    subprocess.run(
        [go_toolchain(), "build", "-trimpath", "-mod=readonly", "-ldflags=-s -w", "-o", unfinished, PACKAGE],
        cwd=MODULE,
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
    )
    unfinished.replace(binary)
    for work in ("build", "mod"):
        shutil.rmtree(root / work, ignore_errors=True)
    return binary
