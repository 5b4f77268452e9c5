"""Files of a border router with a VRF for each sphere, given to the programs of the host image.

The kernel makes no VRF here, so no packet is sent: FRR knows the domain as one whose device is still missing,
and for systemd-networkd another device has to stand where the VRF would.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from province.lab.image import cached_image
from province.register.catalogue import SPHERES
from tests.support.borders import PRODUCTION, files, spheres
from tests.support.domains import FRR, NETWORKD, RULES, sections
from tests.support.eventually import eventually
from tests.support.host_root import Space, spaces, unpack

DAEMONS = ("mgmtd", "zebra", "staticd", "bfdd", "bgpd")
WITHIN = 30.0
STAND_IN = "stand-in"
# What FRR says of itself, and what is no line of ours.
_OF_ITSELF = re.compile(
    r"frr version|hostname|Building|Current|no ipv6 forwarding|no ip forwarding|end$|exit|!|$"
)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces, which wants root"),
    pytest.mark.skipif(
        cached_image() is None, reason="no host image of the present recipe: make up makes it"
    ),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host's programs, with the files of a border router of production."""
    made = unpack(tmp_path_factory.mktemp("border"))
    for path, text in files(PRODUCTION).items():
        if path.startswith(("/etc/frr/", "/etc/systemd/network", "/etc/province/firewall/")):
            target = made / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return made


@pytest.fixture
def space(root: Path) -> Iterator[Space]:
    with spaces(root, "border") as (made,):
        yield made


def lines(text: str) -> Counter[tuple[str, str, str]]:
    """Lines of a configuration of FRR, each with what it stands in."""
    found: Counter[tuple[str, str, str]] = Counter()
    around = family = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not raw.startswith(" "):
            around = family = ""
        if line.startswith("exit-address-family"):
            family = ""
        if _OF_ITSELF.match(line):
            continue
        found[around, family, line] += 1
        if not raw.startswith(" ") and line.startswith(("vrf ", "router ", "route-map ", "bfd")):
            around = line
        if line.startswith("address-family "):
            family = line
    return found


def test_frr_prints_what_is_written_for_every_domain(space: Space) -> None:
    """A reload takes each difference for a change, and ends sessions."""
    space.run("vtysh", "--dryrun", "--inputfile", FRR)
    space.run("install", "-d", "-o", "frr", "-g", "frr", "/run/frr")
    for name in DAEMONS:
        space.start(f"/usr/lib/frr/{name}", "-A", "127.0.0.1", "-P", "0")
    sockets = {f"{name}.vty" for name in DAEMONS if name != "mgmtd"}
    eventually(
        lambda: sockets <= {path.name for path in (space.root / "run/frr").iterdir()}, WITHIN, every=0.1
    )
    space.run("vtysh", "-b")
    wanted = lines(files(PRODUCTION)[FRR])
    assert [line for line in wanted if line[0] == "router bgp 4200000001 vrf party"]
    assert [line for line in wanted if line[0] == "vrf party"]

    def same() -> bool:
        printed = lines(space.run("vtysh", "-c", "show running-config"))
        assert printed - wanted == Counter(), "printed and not written"
        assert wanted - printed == Counter(), "written and not printed"
        return True

    assert eventually(same, WITHIN, every=0.5)
    for question in ("show bgp vrf party summary", "show bfd vrf party peers", "clear bgp vrf party * soft"):
        assert "Unknown command" not in space.run("vtysh", "-c", question)


def test_nft_takes_the_rules_that_know_domains(space: Space) -> None:
    assert "sdifname" in files(PRODUCTION)[RULES]
    space.run("nft", "--check", "--file", RULES)


def test_networkd_ends_the_lookups_of_a_domain_and_closes_it_to_the_other_sphere(space: Space) -> None:
    path = space.root / NETWORKD.lstrip("/") / "05-party.network"
    told = sections(path.read_text(encoding="utf-8"))
    closed = {found["To"] for kind, found in told if kind == "RoutingPolicyRule"}
    assert closed
    path.write_text(
        path.read_text(encoding="utf-8").replace("Name=party", f"Name={STAND_IN}"), encoding="utf-8"
    )
    for name, other in (("trans", "far"), (STAND_IN, "nobody")):
        space.run("ip", "link", "add", name, "type", "veth", "peer", "name", other)
    space.run("mkdir", "-p", *(f"/run/systemd/netif/{name}" for name in ("links", "leases", "lldp")))
    space.run("chown", "-R", "systemd-network:systemd-network", "/run/systemd/netif")
    space.run("chmod", "-R", "a+rX", "/etc/systemd")
    # As in a container: nobody announces devices, so none is waited for.
    space.start("sh", "-c", "mount -o remount,ro /sys; exec /usr/lib/systemd/systemd-networkd")
    for six, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        wanted = {network for network in closed if (":" in network) == (":" in everything)}
        pattern = r"^900:\tfrom all to (\S+) iif trans .*unreachable proto static$"

        def refused(six: str = six, wanted: set[str] = wanted, pattern: str = pattern) -> bool:
            assert set(re.findall(pattern, space.run("ip", six, "rule"), re.MULTILINE)) == wanted
            shown = space.run("ip", six, "route", "show", "table", "1001", check=False)
            assert re.match(r"unreachable default .*proto static metric 4194312192", shown), shown
            return True

        assert eventually(refused, WITHIN, every=0.2)
    _what_is_found(space)


def _what_is_found(space: Space) -> None:
    """With a way to a unit of the Party, as answers need it: the government's hubs do not find it."""
    party, government = (next(s for s in spheres(PRODUCTION) if s.name == name) for name in SPHERES[::-1])
    space.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for other in ("far", "nobody"):
        space.run("ip", "link", "set", other, "up")
    for version, six in ((4, "-4"), (6, "-6")):
        unit, own = (min(n for n in s.units if n.version == version) for s in (party, government))
        space.run("ip", six, "route", "add", str(unit), "dev", STAND_IN)
        space.run("ip", six, "route", "add", str(own), "dev", "trans")
        server = ["ip", six, "route", "get", str(unit[1])]
        assert f"dev {STAND_IN}" in space.run(*server)
        with pytest.raises(RuntimeError, match=r"unreachable|No route to host"):
            space.run(*server, "from", str(own[1]), "iif", "trans")
        # What comes in there goes on to whatever is not the Party's.
        back = space.run("ip", six, "route", "get", str(own[2]), "from", str(own[1]), "iif", "trans")
        assert "dev trans" in back
