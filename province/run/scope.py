"""Which checks of the living lab a change calls for: a table from paths to layers.

What needs no machine (linters, unit, component and repository tests) always runs. A file that the
table does not know calls for everything: a table that is behind costs time, never a missed check.
"""

from __future__ import annotations

import fnmatch
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

ALL = "all"

# Folders of tests/layers, lowest first, and folders of tests beside it. `survival` comes last: it switches
# machines off, and what it found wanting would only be found again by the others.
LAYERS = ("base", "network", "logs", "naming", "mirror", "applications")
BESIDE = ("flows", "browser", "survival")

# First match wins. () = nothing of the living lab; a layer calls for those above it only where named.
TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("docs/*", ()),
    ("*.md", ()),
    ("LICENSE", ()),
    ("tests/unit/*", ()),
    ("tests/components/*", ()),
    ("tests/repo/*", ()),
    ("tests/drills/*", ()),
    ("tests/benchmarks/*", ()),
    ("inventories/controls/*", ()),
    ("tests/layers/base/*", ("base",)),
    ("tests/layers/network/*", ("network",)),
    ("tests/layers/logs/*", ("logs",)),
    ("tests/layers/naming/*", ("naming",)),
    ("tests/layers/mirror/*", ("mirror",)),
    ("tests/layers/applications/*", ("applications",)),
    ("tests/flows/*", ("flows",)),
    ("tests/browser/*", ("browser",)),
    ("tests/survival/*", ("survival",)),
    ("roles/wireguard/*", ("network", "flows", "survival")),
    ("roles/routing/*", ("network", "flows", "survival")),
    ("roles/virtual_address/*", ("network", "survival")),
    ("roles/conntrack_sync/*", ("network", "survival")),
    ("roles/carrier/*", ("network", "flows")),
    ("roles/zone_probe/*", ("network", "flows")),
    ("roles/log_store/*", ("logs", "survival")),
    ("roles/log_forwarder/*", ("logs", "survival")),
    ("roles/dhcp_server/*", ("naming", "flows")),
    ("roles/router_advertisement/*", ("naming", "flows")),
    ("roles/dns_authoritative/*", ("naming", "flows")),
    ("roles/dns_resolver/*", ("naming", "flows")),
    ("roles/ntp/*", ("base", "naming")),
    ("roles/package_mirror/*", ("mirror",)),
    ("province/packages.py", ("mirror",)),
    ("province/openpgp.py", ("base", "mirror")),
    ("roles/container_host/*", ("applications", "browser")),
    ("roles/container_app/*", ("applications", "browser")),
    ("roles/web_gateway/*", ("applications", "browser")),
    ("roles/workstation/*", ("flows", "browser")),
    ("apps/*", ("applications", "flows", "browser")),
    ("province/drawings/*", ("browser",)),
    ("province/reading/*", ()),
    ("province/render/*", ("applications", "browser")),
    ("playbooks/layers/network.yml", ("network", "flows", "survival")),
    ("playbooks/layers/logs.yml", ("logs",)),
    ("playbooks/layers/naming.yml", ("naming", "flows")),
    ("playbooks/layers/mirror.yml", ("mirror",)),
    ("playbooks/layers/applications.yml", ("applications", "browser")),
)


def wanted(files: Iterable[str]) -> tuple[str, ...]:
    """Return what of the living lab the changed files call for, `("all",)` for everything, () for nothing.

    `files` are paths relative to the repository, with `/`.
    """
    found: set[str] = set()
    for file in files:
        match = next((layers for pattern, layers in TABLE if fnmatch.fnmatchcase(file, pattern)), None)
        if match is None:
            return (ALL,)
        found.update(match)
    order = (*LAYERS, *BESIDE)
    return tuple(name for name in order if name in found)


def folders(names: Sequence[str]) -> list[str]:
    """Return the test folders of what is wanted."""
    if ALL in names:
        return ["tests/layers", *(f"tests/{name}" for name in BESIDE)]
    return [f"tests/{name}" if name in BESIDE else f"tests/layers/{name}" for name in names]


def changed_files(repository: Path, base: str = "") -> list[str] | None:
    """Return the files that differ from `base`, what is not committed included; None where git cannot say.

    Without a `base`: the point where this branch left the branch of its remote. A clone that does not
    differ from its remote says nothing about what changed there: None as well.
    """
    start = base or git(repository, "merge-base", "HEAD", "@{upstream}")
    if not start:
        return None
    differing = git(repository, "diff", "--name-only", "-z", start, "--")
    untracked = git(repository, "ls-files", "--others", "--exclude-standard", "-z")
    if differing is None or untracked is None:
        return None
    return sorted({name for name in (differing + "\0" + untracked).split("\0") if name}) or None


def git(repository: Path, *words: str) -> str | None:
    """What git says of a repository, without the blanks around it; None where it cannot say."""
    said = subprocess.run(  # noqa: S603 - words are ours
        ["git", "-C", str(repository), *words],  # noqa: S607 - git of the machine
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() if said.returncode == 0 else None
