"""The components with Pulumi's mocks: what an estate consists of, without engine and without Incus."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.resources import KINDS, Failure
from province.incus import Endpoint
from province_stack.estate import Estate, EstateArgs, ImageArgs
from province_stack.host import HostArgs, Nic, devices, mac
from province_stack.segment import SegmentArgs, bridge_config
from tests.support.pulumi_mocks import made_by, of_type

IMAGE = ImageArgs(alias="province-host", metadata="/m.tar", rootfs="/r.tar", identity="one")
SEGMENTS = (
    SegmentArgs(name="pvl-dmz", kind="isolated", description="centre/dmz"),
    SegmentArgs(
        name="pvl-mgmt",
        kind="management",
        description="centre/mgmt",
        address4="192.0.2.1/26",
        address6="2001:db8::1/64",
        routes4=("198.51.100.0/28", "198.51.100.16/28"),
        routes6=("2001:db8:1::/64",),
    ),
    SegmentArgs(name="pvl-upl", kind="uplink", description="centre/upl", address4="203.0.113.1/28"),
)


def host(name: str, *nics: str, needs: tuple[str, ...] = ()) -> HostArgs:
    return HostArgs(
        province="thu",
        name=name,
        project="lab",
        image=IMAGE.alias,
        profile="province",
        nics=tuple(Nic(name=nic, network=f"pvl-{nic}") for nic in nics),
        memory="256MiB",
        needs=needs,
    )


def estate(
    *hosts: HostArgs, segments: tuple[SegmentArgs, ...] = SEGMENTS, own_pool: bool = True
) -> EstateArgs:
    return EstateArgs(
        province="thu",
        endpoint=Endpoint(),
        project="lab",
        pool="lab",
        own_pool=own_pool,
        image=IMAGE,
        segments=segments,
        hosts=hosts,
    )


def test_every_segment_is_one_bridge_and_every_host_one_instance() -> None:
    hosts = (host("edge-1", "dmz", "mgmt"), host("mirror-1", "mgmt", "upl"))
    counts = Counter(args.typ for args in made_by(lambda: Estate("trial", estate(*hosts))))
    assert counts == {
        "province:estate:Estate": 1,
        "pulumi:providers:incus": 1,
        "incus:index:Project": 1,
        "incus:index:StoragePool": 1,
        "incus:index:Image": 1,
        "incus:index:Profile": 1,
        "province:network:Segment": len(SEGMENTS),
        "incus:index:Network": len(SEGMENTS),
        "province:compute:HostInstance": len(hosts),
        "incus:index:Instance": len(hosts),
    }


def test_a_pool_that_is_there_is_not_made() -> None:
    made = made_by(lambda: Estate("trial", estate(own_pool=False)))
    assert of_type(made, "incus:index:StoragePool") == {}
    assert of_type(made, "incus:index:Profile")["province"]["devices"]["root"]["pool"] == "lab"


def test_the_interfaces_of_a_host_are_those_of_its_plan() -> None:
    made = made_by(lambda: Estate("trial", estate(host("edge-1", "mgmt", "dmz"))))
    found = of_type(made, "incus:index:Instance")["edge-1"]["devices"]
    nics = {(device["name"], device["network"]) for device in found.values() if device["type"] == "nic"}
    assert nics == {("mgmt", "pvl-mgmt"), ("dmz", "pvl-dmz")}


def test_a_host_gets_what_it_needs_and_nothing_else() -> None:
    plain, both = host("ns-1", "mgmt"), host("hub-1", "mgmt", needs=("tun", "nesting"))
    made = of_type(made_by(lambda: Estate("trial", estate(plain, both))), "incus:index:Instance")
    assert made["ns-1"]["config"] == {"limits.memory": "256MiB"}
    assert made["hub-1"]["config"] == {"limits.memory": "256MiB", "security.nesting": "true"}
    extra = made["hub-1"]["devices"].keys() - made["ns-1"]["devices"].keys()
    assert [made["hub-1"]["devices"][name]["type"] for name in extra] == ["unix-char"]


def test_everything_that_is_made_passes_the_providers_checks() -> None:
    hosts = (host("edge-1", "dmz", "mgmt", needs=("tun",)), host("mirror-1", "mgmt", "upl"))
    failures: list[tuple[str, list[Failure]]] = []
    checked = 0
    for args in made_by(lambda: Estate("trial", estate(*hosts))):
        if args.typ in KINDS:
            checked += 1
            failures.append((args.name, KINDS[args.typ].check(args.inputs)[1]))
    assert checked == 4 + len(SEGMENTS) + len(hosts)
    assert [failure for failure in failures if failure[1]] == []


def test_the_host_has_no_address_on_an_isolated_bridge() -> None:
    assert bridge_config(SEGMENTS[0]) == {"ipv4.address": "none", "ipv6.address": "none"}
    with pytest.raises(ValueError, match="no address on an isolated bridge"):
        bridge_config(SegmentArgs(name="x", kind="isolated", description="", address4="192.0.2.1/24"))


def test_the_management_bridge_gives_no_leases_no_names_no_way_out() -> None:
    args = SEGMENTS[1]
    config = bridge_config(args)
    for family, address, routes in (
        ("ipv4", args.address4, args.routes4),
        ("ipv6", args.address6, args.routes6),
    ):
        assert config[f"{family}.address"] == address
        assert config[f"{family}.routes"] == ",".join(routes)
        assert {config[f"{family}.{key}"] for key in ("dhcp", "nat", "routing")} == {"false"}
        assert config[f"{family}.firewall"] == "true"  # or "routing" is a word without rules
    assert config["dns.mode"] == "none"
    assert config["raw.dnsmasq"] == "ra-param=pvl-mgmt,0,0"


def test_the_uplink_translates_and_answers_names_but_gives_no_leases() -> None:
    args = SEGMENTS[2]
    assert bridge_config(args) == {
        "ipv4.address": args.address4,
        "ipv4.dhcp": "false",
        "ipv4.nat": "true",
        "ipv6.address": "none",
        "dns.mode": "managed",
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (estate(host("edge-1", "db")), "hangs on pvl-db"),
        (estate(host("edge-1", "mgmt"), host("edge-1", "mgmt")), "host edge-1 is planned twice"),
        (estate(segments=(SEGMENTS[0], SEGMENTS[0])), "bridge pvl-dmz is planned twice"),
        (estate(host("edge-1", "mgmt", "mgmt")), "two interfaces have the same name"),
        (estate(host("edge-1", "mgmt", needs=("gpu",))), "needs gpu"),
        (estate(segments=(SegmentArgs(name="x", kind="open", description=""),)), "'open' is none of"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_impossible_estate_is_refused_by_the_program(args: EstateArgs, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made_by(lambda: Estate("trial", args))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=15))
def test_a_mac_address_is_local_single_and_always_the_same(province: str, name: str, nic: str) -> None:
    address = mac(province, name, nic)
    first = int(address.split(":")[0], 16)
    assert first & 0b11 == 0b10
    assert address == mac(province, name, nic)


def test_no_two_interfaces_share_a_mac_address() -> None:
    names = [f"u{index:04d}-cpe-1" for index in range(2000)]
    addresses = {
        device["hwaddr"] for name in names for device in devices(host(name, "wan", "staff", "mgmt")).values()
    }
    assert len(addresses) == 3 * len(names)
