"""The line to the Internet is cut: hosts are installed and updated as before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, machine

MIRROR = environment.only("mirror")
HOST = environment.only("ns")
# Small, wanted by the repository, and on no host of this kind: it can be put in and taken out again.
PACKAGE = "uidmap"
# The lab's Internet is the bridge of this segment, on the machine that holds the lab.
UPLINK = f"{environment.environment().incus.prefix}-upl"
INSTALLED = f"dpkg-query --show --showformat '${{db:Status-Status}}' {PACKAGE} 2>/dev/null || true"


def link(state: str) -> None:
    """Set the uplink up or down."""
    subprocess.run(["ip", "link", "set", UPLINK, state], check=True)


def outside() -> int:
    """Whether the mirror can fetch an upstream's index at this moment: apt's status."""
    facts = environment.facts(MIRROR)["packages"]
    first = facts["upstreams"][0]
    index = f"{first['url']}/dists/{first['suites'].split()[0]}/InRelease"
    names = "".join(f"nameserver {address}\\n" for address in facts["resolvers"])
    ask = (
        f'unshare --mount sh -c \'printf "{names}" > /run/outside.conf && mount --bind /run/outside.conf '
        f"/etc/resolv.conf && curl --silent --fail --max-time 8 --output /dev/null {index}'"
    )
    return batch(machine(MIRROR), {"it": ask}, timeout=20)["it"].rc


@pytest.fixture(scope="module")
def _cut() -> Iterator[None]:
    """The uplink is down while the tests of this file run; before and after it works."""
    assert outside() == 0, "the line is cut already: nothing would be proven"
    link("down")
    try:
        yield
    finally:
        link("up")
        batch(machine(HOST), {"out": f"apt-get -qq --yes purge --auto-remove {PACKAGE}"}, timeout=60)

        def back() -> bool:
            return outside() == 0

        eventually(back, within=60, every=2)


@pytest.mark.usefixtures("_cut")
def test_without_the_internet_a_host_is_updated_and_gets_a_package_it_never_had() -> None:
    assert outside() != 0
    host = machine(HOST)
    assert batch(host, {"it": INSTALLED})["it"].strip() != "installed"
    install = f"apt-get -qq -o APT::Update::Error-Mode=any update && apt-get -qq --yes install {PACKAGE}"
    batch(host, {"it": install}, timeout=60)["it"].checked()
    assert batch(host, {"it": INSTALLED})["it"].strip() == "installed"


@pytest.mark.usefixtures("_cut")
def test_without_the_internet_the_mirror_lists_promotes_and_comes_up() -> None:
    said = batch(
        machine(MIRROR),
        {
            "list": "package-mirror list --json",
            "fill": "package-mirror fill",
            "promote": "package-mirror promote $(package-mirror list --json | "
            'python3 -c \'import json, sys; print(json.load(sys.stdin)["published"]["production"])\')',
        },
        timeout=60,
    )
    assert json.loads(said["list"].checked())["published"].keys() == {"test", "production"}
    assert "all that is wanted is there" in said["fill"].checked()
    assert "already" in said["promote"].checked()


@pytest.mark.usefixtures("_cut")
def test_an_update_without_the_internet_fails_in_words_and_leaves_all_as_it_was() -> None:
    show = "package-mirror list --json"
    before = batch(machine(MIRROR), {"it": show})["it"].checked()
    said = batch(machine(MIRROR), {"it": "package-mirror update"}, timeout=120)["it"]
    assert (said.rc, said.err.partition(":")[0]) == (1, "package-mirror"), said.err
    assert "failed to download" in said.err
    assert batch(machine(MIRROR), {"it": show})["it"].checked() == before
