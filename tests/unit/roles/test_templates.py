"""What the templates of network, naming and mirror say for given records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"
OWN = [
    "carrier",
    "dhcp_server",
    "dns_authoritative",
    "dns_resolver",
    "package_mirror",
    "router_advertisement",
    "routing",
    "wireguard",
]

Render = Callable[..., str]

PLAIN: dict[str, Any] = {"preference": 100, "prepend": 0, "source": "", "next_hop": ""}
HUB: dict[str, Any] = {
    "routing_asn": 4200000002,
    "routing_router_id": "10.1.0.4",
    "routing_neighbors": [
        {
            "address": "10.1.0.2",
            "asn": 4200000001,
            "description": "edge-1",
            "tunnel": False,
            "accept": ["10.2.0.0/24"],
            "announce": ["10.16.0.0/20"],
            **PLAIN,
        }
    ],
    "routing_listen": [
        {
            "range": "10.16.0.0/12",
            "group": "units4",
            "source": "10.3.0.4",
            "announce": ["10.2.0.0/24"],
            "members": [
                {
                    "address": "10.16.15.1",
                    "asn": 4201000001,
                    "description": "first",
                    "accept": ["10.16.0.0/20"],
                },
                {
                    "address": "10.16.31.1",
                    "asn": 4201000002,
                    "description": "second",
                    "accept": ["10.16.16.0/20"],
                },
            ],
        },
        {"range": "fd20::/40", "group": "units6", "source": "fd30::4", "announce": [], "members": []},
    ],
}


def stanzas(configuration: str) -> list[list[str]]:
    """Blocks of an FRR configuration, each from its heading to `exit`, lines stripped."""
    found: list[list[str]] = []
    for line in configuration.splitlines():
        if line and not line.startswith((" ", "!")) and line != "exit":
            found.append([])
        if found and line.strip(" !"):
            found[-1].append(line.strip())
    return found


@pytest.mark.parametrize(
    "template",
    [path for role in OWN for path in sorted((ROLES / role / "templates").rglob("*.j2"))],
    ids=lambda path: str(path.relative_to(ROLES)),
)
def test_every_template_says_that_it_is_managed(template: Path) -> None:
    assert "ansible_managed" in "".join(template.read_text().splitlines(keepends=True)[:3])


def test_a_unit_that_dials_in_may_announce_its_own_block_only(render: Render) -> None:
    configuration = render("routing", "etc/frr/frr.conf.j2", **HUB)
    for member in ("10.16.15.1", "10.16.31.1"):
        assert f"  neighbor {member} prefix-list in-{member} in\n" in configuration
    allowed = re.findall(r"(?m)^ip prefix-list in-10.16.15.1 seq \d+ (.*)$", configuration)
    assert allowed == ["permit 10.16.0.0/20"]


def test_a_neighbour_that_is_not_listed_gets_no_session(render: Render) -> None:
    """Also because only a listed one is answered by BFD before there is a session."""
    configuration = render("routing", "etc/frr/frr.conf.j2", **HUB)
    assert "listen range" not in configuration
    assert "neighbor 10.16.15.1 remote-as 4201000001\n neighbor 10.16.15.1 peer-group units4" in configuration
    assert "neighbor units4 passive" in configuration


def test_both_directions_take_the_neighbour_that_is_preferred(render: Render) -> None:
    """Its ways are taken in, and it alone is told the short path."""
    one, two = {"address": "10.1.0.2", **PLAIN}, {"address": "10.1.0.3", **PLAIN}
    shared = {"asn": 4200000001, "description": "x", "tunnel": True, "accept": [], "announce": []}
    neighbors = [{**shared, **one, "preference": 200}, {**shared, **two, "prepend": 2}]
    configuration = render("routing", "etc/frr/frr.conf.j2", **{**HUB, "routing_neighbors": neighbors})
    assert "route-map in-10.1.0.2 permit 10\n set local-preference 200\nexit" in configuration
    assert "route-map out-10.1.0.2 permit 10\nexit" in configuration
    assert "route-map in-10.1.0.3 permit 10\n set local-preference 100\nexit" in configuration
    told = "route-map out-10.1.0.3 permit 10\n set as-path prepend 4200000002 4200000002\nexit"
    assert told in configuration


def test_one_unit_more_changes_no_line_of_a_hub(render: Render) -> None:
    """A line that changes is deleted and added again by a reload, and may end somebody's session."""
    (edge,), (four, six) = HUB["routing_neighbors"], HUB["routing_listen"]
    # In front of all others, where every number that counts would shift.
    member = {"address": "10.16.0.1", "asn": 4201000009, "description": "new", "accept": ["10.16.8.0/24"]}
    grown = {
        **HUB,
        "routing_neighbors": [{**edge, "announce": ["10.16.8.0/24", *edge["announce"]]}],
        "routing_listen": [{**four, "members": [member, *four["members"]]}, six],
    }
    before = render("routing", "etc/frr/frr.conf.j2", **HUB).splitlines()
    after = render("routing", "etc/frr/frr.conf.j2", **grown).splitlines()
    assert [line for line in after if line in before] == before
    assert len(after) > len(before)


def test_traffic_is_drawn_off_a_whole_router(render: Render) -> None:
    assert "graceful-shutdown" not in render("routing", "etc/frr/frr.conf.j2", **HUB)
    assert " bgp graceful-shutdown\n" in render("routing", "etc/frr/frr.conf.j2", **HUB, routing_drained=True)


def test_what_the_daemon_would_do_anyway_is_not_written(render: Render) -> None:
    """It does not print it either, so that a reload would take it for a change and end every session."""
    usual = render("routing", "etc/frr/frr.conf.j2", **HUB, routing_bfd_interval=300)
    assert "bfd\n profile neighbour\n exit\n" in usual
    other = {"routing_bfd_interval": 100, "routing_bfd_multiplier": 5}
    assert (
        "bfd\n profile neighbour\n  detect-multiplier 5\n"
        "  transmit-interval 100\n  receive-interval 100\n exit\n"
    ) in render("routing", "etc/frr/frr.conf.j2", **HUB, **other)


def test_a_group_without_members_accepts_and_tells_nothing(render: Render) -> None:
    configuration = render("routing", "etc/frr/frr.conf.j2", **HUB)
    assert "ipv6 prefix-list out-units6 seq 5 deny any" in configuration


def test_every_neighbour_that_is_active_is_filtered_both_ways(render: Render) -> None:
    configuration = render("routing", "etc/frr/frr.conf.j2", **HUB)
    active = re.findall(r"neighbor (\S+) activate", configuration)
    assert sorted(active) == ["10.1.0.2", "units4", "units6"]
    for name in active:
        assert re.search(rf"neighbor {re.escape(name)} prefix-list \S+ out\n", configuration)
    # Members of a group are filtered each by its own list; nobody is heard without one (bgp
    # ebgp-requires-policy).
    for name in ("10.1.0.2", "10.16.15.1", "10.16.31.1"):
        assert re.search(rf"neighbor {re.escape(name)} prefix-list \S+ in\n", configuration)


def test_no_requirement_of_policy_is_switched_off_and_no_default_route_is_made(render: Render) -> None:
    configuration = render("routing", "etc/frr/frr.conf.j2", **HUB)
    for word in ("ebgp-requires-policy", "default-originate", "redistribute", "permit any", "0.0.0.0/0"):
        assert word not in re.sub(r"(?m)^!.*$", "", configuration)


def test_families_do_not_mix(render: Render) -> None:
    configuration = render(
        "routing",
        "etc/frr/frr.conf.j2",
        **{**HUB, "routing_announce": ["10.2.0.0/24", "fd20::/64"], "routing_discard": ["fd20::/56"]},
    )
    four, six = configuration.split("address-family ipv6 unicast")
    assert "network 10.2.0.0/24" in four
    assert "network fd20::/64" not in four
    assert "network fd20::/64" in six
    assert "ipv6 route fd20::/56 reject" in four


def kea(text: str) -> dict[str, Any]:
    """The DHCP server's JSON, which allows comments of whole lines."""
    loaded: dict[str, Any] = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
    server: dict[str, Any] = loaded["Dhcp4"]
    return server


def test_leases_are_given_on_the_listed_interfaces_with_the_listed_options(render: Render) -> None:
    network = {
        "interface": "staff",
        "network": "10.16.0.0/24",
        "pool_start": "10.16.0.100",
        "pool_end": "10.16.0.199",
        "gateway": "10.16.0.1",
        "dns": ["10.16.0.1"],
        "ntp": [],
        "domain": "unit.example",
    }
    other = {**network, "interface": "meet", "network": "10.16.2.0/24", "domain": ""}
    shown = kea(render("dhcp_server", "etc/kea/kea-dhcp4.conf.j2", dhcp_server_networks=[network, other]))
    assert shown["interfaces-config"]["interfaces"] == ["staff", "meet"]
    assert [subnet["subnet"] for subnet in shown["subnet4"]] == ["10.16.0.0/24", "10.16.2.0/24"]
    first, second = ({o["name"]: o["data"] for o in s["option-data"]} for s in shown["subnet4"])
    assert first == {
        "routers": "10.16.0.1",
        "domain-name-servers": "10.16.0.1",
        "domain-name": "unit.example",
        "domain-search": "unit.example",
    }
    assert second == {"routers": "10.16.0.1", "domain-name-servers": "10.16.0.1"}


@pytest.mark.requirement("tcvn-14423/5.2.2.4-dhcp-log")
def test_every_lease_is_logged(render: Render) -> None:
    shown = kea(render("dhcp_server", "etc/kea/kea-dhcp4.conf.j2"))
    levels = {entry["name"]: entry["severity"] for entry in shown["loggers"]}
    assert levels["kea-dhcp4.leases"] == "INFO"
    assert all(o == {"output": "syslog"} for entry in shown["loggers"] for o in entry["output-options"])


def test_a_member_of_a_pair_takes_over_on_silence_alone_and_obeys_in_leases_only(render: Render) -> None:
    members = [
        {"name": "one", "address": "10.2.0.2", "port": 8000, "role": "primary"},
        {"name": "two", "address": "10.2.0.3", "port": 8000, "role": "standby"},
    ]
    pair = {"own_name": "two", "members": members}
    shown = kea(render("dhcp_server", "etc/kea/kea-dhcp4.conf.j2", dhcp_server_pair=pair))
    leases, together = shown["hooks-libraries"]
    assert leases["library"].endswith("/libdhcp_lease_cmds.so")
    (said,) = together["parameters"]["high-availability"]
    assert (said["mode"], said["this-server-name"]) == ("hot-standby", "two")
    assert [(peer["name"], peer["url"], peer["role"]) for peer in said["peers"]] == [
        ("one", "http://10.2.0.2:8000/", "primary"),
        ("two", "http://10.2.0.3:8000/", "standby"),
    ]
    assert (said["max-unacked-clients"], said["restrict-commands"]) == (0, True)
    assert said["heartbeat-delay"] < said["max-response-delay"] <= 5000
    assert "hooks-libraries" not in kea(render("dhcp_server", "etc/kea/kea-dhcp4.conf.j2"))


def test_a_server_without_networks_listens_nowhere(render: Render) -> None:
    shown = kea(render("dhcp_server", "etc/kea/kea-dhcp4.conf.j2"))
    assert shown["interfaces-config"]["interfaces"] == []
    assert shown["subnet4"] == []


ZONE = {
    "name": "example.gov.vn",
    "primary": "ns-1.dc.example.gov.vn",
    "allow_transfer": [],
    "records": [
        {"name": "example.gov.vn.", "ttl": 3600, "type": "NS", "data": "ns-1.dc.example.gov.vn."},
        {"name": "start.example.gov.vn.", "ttl": 300, "type": "A", "data": "10.2.0.10"},
    ],
}
SERVER = {"dns_authoritative_listen": ["10.2.0.53", "fd20::53"], "dns_authoritative_zones": [ZONE]}


def test_a_zone_file_depends_on_its_records_alone(render: Render) -> None:
    """No clock and no counter in it: an unchanged zone is an unchanged file."""
    arguments = {"item": ZONE, "dns_authoritative_contact_domain": "example.gov.vn"}
    lines = render("dns_authoritative", "etc/knot/zone.j2", **arguments).splitlines()
    assert [line for line in lines if line and not line.startswith(";")] == [
        "$TTL 3600",
        "@ SOA ns-1.dc.example.gov.vn. hostmaster.example.gov.vn. 1 3600 900 1209600 300",
        "example.gov.vn. 3600 NS ns-1.dc.example.gov.vn.",
        "start.example.gov.vn. 300 A 10.2.0.10",
    ]


def test_nobody_may_copy_zones_unless_it_is_listed_and_knows_the_secret(render: Render) -> None:
    closed = render("dns_authoritative", "etc/knot/knot.conf.j2", **SERVER)
    assert "acl:" not in closed
    copy = {"name": "ns-2", "addresses": ["10.2.0.54"]}
    opened = render(
        "dns_authoritative",
        "etc/knot/knot.conf.j2",
        **SERVER,
        dns_authoritative_copies=[copy],
        dns_authoritative_transfer_secret="c2VjcmV0",  # noqa: S106 - of no server
    )
    rule = opened[opened.index("\nacl:") :].split("\n\n")[0]
    assert re.findall(r"address: (.+)|key: (.+)|action: (.+)", rule) == [
        ("[ 10.2.0.54 ]", "", ""),
        ("", "transfer", ""),
        ("", "", "transfer"),
    ]
    assert "acl: [ ns-2 ]" in opened


def test_a_change_of_addresses_restarts_the_server_and_a_change_of_zones_does_not(render: Render) -> None:
    template = "etc/systemd/system/knot.service.d/50-restart.conf.j2"
    before = render("dns_authoritative", template, **SERVER)
    assert render("dns_authoritative", template, **{**SERVER, "dns_authoritative_zones": []}) == before
    assert render("dns_authoritative", template, **{**SERVER, "dns_authoritative_listen": ["::1"]}) != before


def test_a_resolver_answers_on_its_addresses_for_listed_networks_only(render: Render) -> None:
    shown = render(
        "dns_resolver",
        "etc/unbound/unbound.conf.j2",
        dns_resolver_listen=["10.2.0.53", "fd20::53"],
        dns_resolver_allow=["10.0.0.0/8"],
    )
    assert re.findall(r"(?m)^ +interface: (\S+)", shown) == ["10.2.0.53", "fd20::53"]
    assert re.findall(r"access-control: (.+)", shown) == [
        "0.0.0.0/0 refuse",
        "::0/0 refuse",
        "10.0.0.0/8 allow",
    ]
    assert "forward-zone" not in shown
    assert not re.search(r"(?m)^ +serve-expired: yes", shown)


def test_a_unit_passes_questions_on_and_keeps_old_answers(render: Render) -> None:
    shown = render(
        "dns_resolver",
        "etc/unbound/unbound.conf.j2",
        dns_resolver_listen=["10.16.0.1"],
        dns_resolver_forward=["10.2.0.53", "fd20::53"],
        dns_resolver_own_zones=["example.gov.vn"],
        dns_resolver_stale=86400,
    )
    assert shown.count("forward-addr:") == 2
    assert "serve-expired-ttl: 86400" in shown
    for word in ("domain-insecure", "private-domain"):
        assert f"{word}: example.gov.vn\n" in shown


@pytest.mark.requirement("tcvn-14423/5.3.2.2-own-source")
def test_the_mirror_serves_files_on_its_own_addresses_and_nothing_else(render: Render) -> None:
    text = render(
        "package_mirror", "etc/nginx/nginx.conf.j2", package_mirror_listen=["10.2.0.42", "fd20::42"]
    )
    assert [line.strip() for line in text.splitlines() if "listen " in line] == [
        "listen 10.2.0.42:80;",
        "listen [fd20::42]:80 ipv6only=on;",
    ]
    assert not re.search(r"autoindex|proxy_pass|include |fastcgi|dav_", text)
    assert re.search(r"location / \{\s*return 404;", text)


def test_a_carrier_passes_its_own_addresses_only(render: Render) -> None:
    shown = render(
        "carrier", "etc/carrier/forwarding.nft.j2", carrier_prefixes=["203.0.113.0/30", "2001:db8::/64"]
    )
    assert "elements = { 203.0.113.0/30 }" in shown
    assert "elements = { 2001:db8::/64 }" in shown
    assert "policy drop" in shown
    assert re.findall(r"(.*) accept$", shown, re.MULTILINE) == [
        "        ip saddr @four ip daddr @four",
        "        ip6 saddr @six ip6 daddr @six",
    ]


def test_a_private_key_stands_in_the_file_for_root_alone(render: Render) -> None:
    tunnel = {
        "name": "wg0",
        "mode": "kernel",
        "listen_port": 51820,
        "addresses": ["10.1.0.1/32"],
        "peers": [],
    }
    arguments = {
        "item": {**tunnel, "key": "wireguard/hub-1"},
        "wireguard_private_keys": {"wireguard/hub-1": "secret=", "wireguard/hub-1.next": "another="},
    }
    assert "PrivateKey = secret=" in render("wireguard", "etc/wireguard/tunnel.conf.j2", **arguments)
    assert "secret=" not in render("wireguard", "etc/wireguard/tunnel.link.j2", **arguments)


def test_a_resolver_without_a_line_out_refuses_foreign_names_and_keeps_its_own(render: Render) -> None:
    arguments = {"dns_resolver_listen": ["10.2.0.53"], "dns_resolver_own_zones": ["example.gov.vn"]}
    template = "etc/unbound/unbound.conf.j2"
    shown = render("dns_resolver", template, dns_resolver_outside=False, **arguments)
    assert re.findall(r"local-zone: (.+)", shown) == ["example.gov.vn transparent", ". refuse"]
    assert ". refuse" not in render("dns_resolver", template, **arguments)


PAIR = {
    "virtual_address_instances": [
        {
            "name": f"{name}-{version}",
            "interface": name,
            "number": 1,
            "own": own,
            "peer": peer,
            "addresses": [vip],
        }
        for name, version, own, peer, vip in (
            ("trans", 4, "10.1.10.2", "10.1.10.3", "10.1.10.1/32"),
            ("trans", 6, "fd00::2", "fd00::3", "fd00::1/128"),
            ("srv", 4, "10.1.30.2", "10.1.30.3", "10.1.30.1/32"),
        )
    ],
    "virtual_address_priority": 150,
}  # fmt: skip


def test_all_shared_addresses_move_together_and_nobody_takes_over_on_return(render: Render) -> None:
    configuration = render("virtual_address", "etc/keepalived/keepalived.conf.j2", **PAIR)
    group = re.search(r"vrrp_sync_group all \{\s+group \{([^}]+)\}", configuration)
    assert group
    instances = re.findall(r"vrrp_instance (\S+) \{", configuration)
    assert group[1].split() == instances == ["trans-4", "trans-6", "srv-4"]
    for word in ("state BACKUP", "nopreempt", "priority 150", "advert_int 0.1"):
        assert configuration.count(word) == len(instances)
    assert "vrrp_version 3" in configuration
    assert re.search(r"unicast_src_ip fd00::2\n\s+unicast_peer \{\n\s+fd00::3\n", configuration)


def test_a_member_alone_shares_nothing(render: Render) -> None:
    configuration = render("virtual_address", "etc/keepalived/keepalived.conf.j2")
    assert "vrrp_instance" not in configuration
    assert "vrrp_sync_group" not in configuration
    assert "Sync {" not in render("conntrack_sync", "etc/conntrackd/conntrackd.conf.j2")


def test_a_host_never_tells_its_own_connections(render: Render) -> None:
    configuration = render(
        "conntrack_sync",
        "etc/conntrackd/conntrackd.conf.j2",
        conntrack_sync_peer="10.1.10.3",
        conntrack_sync_own="10.1.10.2",
        conntrack_sync_ignore=["10.1.10.2", "fd00::2"],
    )
    ignored = re.search(r"Address Ignore \{([^}]+)\}", configuration)
    assert ignored
    assert ignored[1].split("\n")[1:-1] == [
        f"            {line}"
        for line in (
            "IPv4_address 127.0.0.1",
            "IPv6_address ::1",
            "IPv4_address 10.1.10.2",
            "IPv6_address fd00::2",
        )
    ]
    assert "DisableExternalCache on" in configuration
    assert "IPv4_Destination_Address 10.1.10.3" in configuration


def test_signs_of_life_are_heard_from_the_other_member_alone(render: Render) -> None:
    pairs = [
        {"interface": "trans", "own": "10.1.10.2", "peer": "10.1.10.3"},
        {"interface": "trans", "own": "fd00::2", "peer": "fd00::3"},
    ]
    ruleset = render(
        "firewall",
        "etc/province/firewall/rules.nft.j2",
        firewall_pairs=pairs,
        firewall_management_sources4=["10.1.1.250"],
    )
    heard = [line.strip() for line in ruleset.splitlines() if "base: pair" in line]
    assert heard == [
        'iifname "trans" ip saddr 10.1.10.3 ip daddr 10.1.10.2 meta l4proto 112 accept comment "base: pair"',
        'iifname "trans" ip6 saddr fd00::3 ip6 daddr fd00::2 meta l4proto 112 accept comment "base: pair"',
        'oifname "trans" ip saddr 10.1.10.2 ip daddr 10.1.10.3 meta l4proto 112 accept comment "base: pair"',
        'oifname "trans" ip6 saddr fd00::2 ip6 daddr fd00::3 meta l4proto 112 accept comment "base: pair"',
    ]
