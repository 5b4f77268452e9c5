"""Mirror: snapshots, how they are shown and gone back to, and what is refused on the way to a host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import environment
from tests.support.places import ask, batch, machine

MIRROR = environment.only("mirror")
CUSTOMER = environment.only("ns")
KEY = environment.facts(CUSTOMER)["mirror_key"]
HOSTS = tuple(host for host in environment.ours())


def listed() -> dict[str, Any]:
    """What the mirror says of itself."""
    said: dict[str, Any] = json.loads(
        batch(machine(MIRROR), {"it": "package-mirror list --json"})["it"].checked()
    )
    return said


@pytest.mark.requirement("tcvn-14423/5.7.2.2-patch-server")
def test_both_distributions_show_a_snapshot_with_all_that_is_wanted() -> None:
    said = listed()
    assert said["published"].keys() == {"test", "production"}
    assert set(said["published"].values()) <= said["snapshots"].keys()
    wanted = sorted(
        {name for names in environment.facts(MIRROR)["packages"]["wanted"].values() for name in names}
    )
    assert len(wanted) > 30
    batch(machine(MIRROR), {"it": f"package-mirror covers {' '.join(wanted)}"})["it"].checked()


@pytest.mark.requirement("tcvn-14423/5.3.2.2-own-source", "tcvn-14423/5.7.2.2-patch-server")
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_has_one_source_and_accepts_one_key(host: str) -> None:
    """Apt's own words: every index it would fetch, and what must have signed it."""
    said = batch(
        machine(host),
        {
            "targets": 'apt-get --print-uris update | cut --delimiter="\'" --fields=2',
            "files": "ls /etc/apt/sources.list.d; test ! -e /etc/apt/sources.list",
            "source": "cat /etc/apt/sources.list.d/province.sources",
        },
    )
    facts = environment.facts(host)
    assert said["files"].checked().split() == ["province.sources"]
    lines = said["source"].checked().splitlines()
    assert [line.strip() for line in lines if line.startswith(" ")] == [line or "." for line in KEY]
    published = f"{facts['mirror_url']}/debian/dists/{facts['mirror_suite']}/"
    targets = said["targets"].checked().split()
    assert f"{published}InRelease" in targets
    assert [target for target in targets if not target.startswith(published)] == []


@pytest.mark.requirement("tcvn-14423/5.7.2.2-patch-server")
def test_what_apt_would_install_is_of_the_mirror_alone() -> None:
    """`apt-cache policy` after a real update, into a folder that is thrown away."""
    policy = (
        "set -e; lists=$(mktemp -d); trap 'rm -rf $lists' EXIT; chmod 755 $lists; mkdir $lists/partial; "
        "apt-get -qq -o Dir::State::Lists=$lists -o APT::Update::Error-Mode=any update; "
        "apt-cache -o Dir::State::Lists=$lists policy | grep http"
    )
    said = batch(machine(CUSTOMER), {"it": policy}, timeout=120)["it"].checked().splitlines()
    assert said
    assert {line.split()[1] for line in said} == {f"{environment.facts(CUSTOMER)['mirror_url']}/debian"}


# A copy of what the mirror serves, with one thing changed on the way; `good` proves that the way works.
TAMPERED = """
set -e
work=$(mktemp -d); trap 'rm -rf $work' EXIT; chmod 755 $work
url=URL/debian
fetch() { mkdir -p $work/debian/$(dirname $1); curl --silent --fail --output $work/debian/$1 $url/$1; }
fetch dists/SUITE/InRelease
fetch dists/SUITE/main/binary-amd64/Packages.gz
name=$(gzip -dc $work/debian/dists/SUITE/main/binary-amd64/Packages.gz | sed -n 's/^Filename: //p' | grep '/base-files_')
fetch $name
gzip -dkc $work/debian/dists/SUITE/main/binary-amd64/Packages.gz > $work/debian/dists/SUITE/main/binary-amd64/Packages
sed "s|^URIs: .*|URIs: file:$work/debian|" /etc/apt/sources.list.d/province.sources > $work/own.sources
mkdir -p $work/lists/partial $work/archives/partial $work/in; chown _apt $work/in
options="-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist=$work/own.sources -o Dir::State::Lists=$work/lists"
options="$options -o Dir::Cache=$work -o APT::Update::Error-Mode=any"
CHANGE
apt-get -qq $options update 2>&1 && cd $work/in && apt-get -qq $options download base-files 2>&1 && echo taken
"""  # noqa: E501 - lines of a shell
CHANGES = {
    "good": ("true", True),
    "index": ("sed -i 's/^Suite: .*/Suite: another/' $work/debian/dists/SUITE/InRelease", False),
    "list": (
        "sed -i 's/^Version: /Version: 9/' $work/debian/dists/SUITE/main/binary-amd64/Packages; "
        "rm $work/debian/dists/SUITE/main/binary-amd64/Packages.gz",
        False,
    ),
    "package": ("printf x | dd of=$work/debian/$name bs=1 seek=200 conv=notrunc 2>/dev/null", False),
}


@pytest.mark.requirement("tcvn-14423/5.3.2.2-own-source")
@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_on_the_way_is_refused(what: str) -> None:
    change, taken = CHANGES[what]
    facts = environment.facts(CUSTOMER)
    script = TAMPERED.replace("CHANGE", change).replace("URL", facts["mirror_url"])
    script = script.replace("SUITE", facts["mirror_suite"])
    said = batch(machine(CUSTOMER), {"it": script}, timeout=120)["it"]
    assert (said.rc == 0 and said.strip().endswith("taken")) == taken, f"{said} {said.err}"


@pytest.mark.requirement("tcvn-14423/5.7.2.2-patch-server")
def test_a_snapshot_is_widened_updated_promoted_and_gone_back_from() -> None:
    """The program itself with real apt and aptly, in folders of its own on the mirror."""
    wanted = ["ca-certificates", "netcat-openbsd"]
    said = ask(machine(MIRROR), "mirror_trial", {"key": KEY, "wanted": wanted})
    filled, widened, updated = said["filled"], said["widened"], said["updated"]
    assert len(set(filled["shown"].values())) == 1
    assert filled["has"] == {"test": wanted[:1], "production": wanted[:1]}
    assert widened["has"] == {"test": wanted, "production": wanted}
    assert updated["has"] == {"test": wanted[:1], "production": wanted}
    assert updated["shown"]["production"] == widened["shown"]["production"]
    assert said["promoted"]["shown"]["production"] == updated["shown"]["test"]
    assert said["back"]["shown"]["production"] == widened["shown"]["production"]
    assert "ended with" in said["another key"]
    assert "ended with" in said["another index"]
    assert said["after"]["shown"] == said["back"]["shown"]
    assert len(said["after"]["snapshots"]) <= 4


def test_the_private_half_of_the_key_lies_in_one_file_of_roots_and_in_no_process() -> None:
    commands = {
        "mode": "stat --format '%a %U' /etc/package-mirror/signing-key /etc/package-mirror",
        "world": "find / -xdev -name '*.gpg' -newer /etc/hostname -path '*private*' 2>/dev/null | head",
        "processes": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | "
        "grep --count --fixed-strings --file /etc/package-mirror/signing-key || true",
        "agents": "pgrep --count gpg-agent || true",
    }
    said = batch(machine(MIRROR), commands)
    assert said["mode"].checked().split() == ["600", "root", "700", "root"]
    assert said["world"].checked().split() == []
    assert said["processes"].checked().strip() == "0"
    assert said["agents"].checked().strip() == "0"
