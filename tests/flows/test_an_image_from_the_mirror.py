"""An engineer makes a tree of Debian: of the province's own mirror alone, where there is no other way out."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from province.lab import alone
from province.lab.alone import served
from province.lab.image import OwnMirror, own_argv, packages
from province.lab.mirror import for_images, missing
from tests.support import environment

# The mirror's own management port, which this machine reaches.
MANAGEMENT = environment.facts(environment.only("mirror"))["management"]
CAN = f"__import__('socket').create_connection(('{MANAGEMENT['address4']}', 22), 5)"


@pytest.fixture
def mirror() -> OwnMirror:
    """What `make image` would take; it covers the recipe."""
    found = for_images(environment.environment(), environment.plan())
    assert found is not None, "production lacks something of the image's recipe, or no mirror answers"
    return found


@pytest.fixture
def work(tmp_path: Path, mirror: OwnMirror) -> Iterator[Path]:
    """A folder with the door to the mirror."""
    with served(tmp_path / "door", mirror.connect):
        yield tmp_path


def test_the_image_would_be_made_of_a_snapshot_that_has_the_whole_recipe(mirror: OwnMirror) -> None:
    assert missing(environment.environment(), packages()) == []
    assert missing(environment.environment(), ["chrony", "no-such-package"]) == ["no-such-package"]
    assert mirror.snapshot


def test_inside_there_is_no_way_but_to_the_mirror(work: Path) -> None:
    """The same connection is made outside, so what refuses it is the namespace."""
    subprocess.run([sys.executable, "-c", CAN], check=True, timeout=20)
    index = "http://127.0.0.1/debian/dists/production/InRelease"
    inside = (
        f"import urllib.request\ntry:\n    {CAN}\nexcept OSError as error:\n    print(error.strerror)\n"
        f"print(urllib.request.urlopen({index!r}, timeout=15).read().decode())"
    )
    begin = ["unshare", "--net", sys.executable, alone.__file__, str(work / "door"), "80", "--"]
    said = subprocess.run([*begin, sys.executable, "-c", inside], capture_output=True, text=True, timeout=40)
    assert said.stdout.startswith("Network is unreachable"), said.stderr
    assert "Suite: production" in said.stdout


def test_a_minimal_tree_is_made_of_the_mirror_and_remembers_no_source(work: Path, mirror: OwnMirror) -> None:
    made = subprocess.run(own_argv(work, mirror, ()), capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr[-2000:]
    with tarfile.open(work / "rootfs.tar") as tree:
        names = set(tree.getnames())
    assert {"./usr/bin/apt-get", "./usr/bin/dpkg"} <= names
    assert [name for name in names if name.startswith("./etc/apt/sources.list.d/")] == []


def test_a_tree_signed_with_another_key_is_not_made(work: Path, mirror: OwnMirror) -> None:
    """Everything as before, but for the key that is accepted."""
    from province.openpgp import armored, generate, in_base64, public_half

    key = tuple(armored(in_base64(public_half(generate("another", 1_700_000_000)))).splitlines())
    other = OwnMirror(snapshot=mirror.snapshot, suite=mirror.suite, key=key, connect=mirror.connect)
    made = subprocess.run(own_argv(work, other, ()), capture_output=True, text=True, timeout=120)
    assert made.returncode != 0
    assert "InRelease" in made.stderr
