"""What an environment builds of a plan, and the facts that its hosts are told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from province.cli import main
from province.hosts import Environment, Host, built_hosts, instances, load_environment, networks, plan_for
from province.plan.model import Zone
from tests.support.repository import ROOT

LAB = ROOT / "inventories/lab/environment.yml"
UNIT = "phuong-dien-bien-phu"
CPE, PC = f"{UNIT}-cpe-1", f"{UNIT}-pc-1"
PARTY = "van-phong-tinh-uy"
PARTY_CPE, PARTY_PC = f"{PARTY}-cpe-1", f"{PARTY}-pc-1"
KEYS = {
    "hub-1": "hub's key",
    CPE: "gateway's key",
    "hub-2": "second hub's key",
    "hub-party-2": "second hub of the Party's key",
    "hub-party-1": "the Party's hub's key",
    PARTY_CPE: "the Party's gateway's key",
}


@cache
def lab() -> Environment:
    return load_environment(LAB)


@cache
def hosts() -> Mapping[str, Host]:
    return {host.name: host for host in built_hosts(lab(), plan_for(lab()), KEYS)}


def facts(host: str) -> dict[str, Any]:
    return hosts()[host].facts()


def test_the_lab_builds_what_its_file_says_and_a_unit_of_each_sphere() -> None:
    assert {name: host.groups for name, host in hosts().items()} == {
        # What is done to hubs is done to those of every sphere.
        **{
            f"{machine.replace('_', '-')}-{member}": (
                ("province", "centre", "hub", "hub_party")
                if machine == "hub_party"
                else ("province", "centre", machine)
            )
            for machine, members in lab().members.items()
            for member in range(1, members + 1)
        },
        CPE: ("province", "unit", "unit_gateway"),
        PC: ("province", "unit", "workstation"),
        PARTY_CPE: ("province", "unit", "unit_gateway"),
        PARTY_PC: ("province", "unit", "workstation"),
        "carrier-1": ("province", "carrier"),
        "probe-1": ("province", "probe"),
    }


@pytest.mark.parametrize("environment", ["lab", "production"])
def test_committed_environments_are_sound_and_build_something(environment: str) -> None:
    loaded = load_environment(ROOT / f"inventories/{environment}/environment.yml")
    assert len(built_hosts(loaded, plan_for(loaded), {})) >= 6


def test_facts_are_native_json_and_no_templates() -> None:
    for name in hosts():
        told = facts(name)
        assert json.loads(json.dumps(told)) == told
        assert "{{" not in json.dumps(told, ensure_ascii=False)


def test_every_host_is_told_the_same_basic_facts() -> None:
    everywhere = set.intersection(*(set(facts(name)) for name in hosts()))
    assert everywhere >= {
        "environment", "register", "domain", "name_vi", "host", "fqdn", "owner", "unit", "unit_name",
        "machine", "member", "interfaces", "management", "management_routes", "resolvers", "search",
        "time_servers", "ntp", "mirror_url", "forwards", "firewall", "dhcp",
    }  # fmt: skip


def test_services_are_asked_at_built_members_alone() -> None:
    """A resolver that is not built must not be in anybody's list: every second question would hang."""
    plan = plan_for(lab())
    built = {a.ip for h in hosts().values() for i in h.planned.interfaces for a in (*i.addresses, *i.vips)}
    for service in plan.services:
        if service.machine not in ("unit_gateway", "any"):
            assert set(service.addresses4) | set(service.addresses6) <= built
    records = {r.data for zone in plan.dns_zones for r in zone.records if r.name.startswith(("dns.", "ntp."))}
    assert records == {"10.12.30.32", "10.12.30.33", "fdfd:1475:4900:1e::20", "fdfd:1475:4900:1e::21"}
    for name in hosts():
        listed = [*facts(name)["resolvers"], *facts(name)["time_servers"]]
        assert {IPAddress(address) for address in listed} <= built | {IPAddress("10.13.1.1")}


def test_a_firewall_knows_the_interfaces_of_its_own_host() -> None:
    for name in hosts():
        told = facts(name)
        own = [(i["name"], i["zone"], i["method"]) for i in told["interfaces"]]
        known = [(i["name"], i["zone"], i["method"]) for i in told["firewall"]["interfaces"]]
        assert [entry for entry in known if entry[2] != "tunnel"] == own, name
        tunnels = [tunnel["name"] for tunnel in told.get("wireguard", ())]
        assert [entry[0] for entry in known if entry[2] == "tunnel"] == tunnels, name


def test_those_may_ask_a_server_whom_a_flow_lets_ask_it_and_in_order() -> None:
    plan = plan_for(lab())
    machines = {service.id: service.machine for service in plan.services}
    blocks = {unit.id: (unit.prefix4, unit.prefix6) for unit in plan.units}

    def askers(host: Host, services: set[str]) -> list[str]:
        offered = {service for service in services if machines.get(service) == host.planned.machine}
        found = {
            network
            for flow in plan.flows
            if flow.service in offered
            for network in (*flow.source.networks4, *flow.source.networks6)
        }
        own = blocks.get(host.planned.owner)
        chosen = [n for n in found if own is None or any(n in block for block in own)]
        return [str(n) for n in sorted(chosen, key=lambda n: (n.version, n.first))]

    asked = 0
    for host in hosts().values():
        told = host.facts()
        assert told["ntp"]["serve"] == askers(host, {"ntp", "unit-ntp"}), host.name
        if "dns_allow" in told:
            authority = "dns_authoritative" in host.planned.roles
            services = {"dns-authoritative"} if authority else {"dns", "unit-dns"}
            assert told["dns_allow"] == askers(host, services) != [], host.name
        asked += bool(told["ntp"]["serve"])
    assert asked >= 2


def test_nobody_asks_himself_for_the_time() -> None:
    for name in hosts():
        own = {a.partition("/")[0] for i in facts(name)["interfaces"] for a in (*i["addresses"], *i["vips"])}
        assert not own & set(facts(name)["time_servers"])


def test_a_tunnel_is_the_same_from_both_ends() -> None:
    hub, gateway = facts("hub-1")["wireguard"][0], facts(CPE)["wireguard"][0]
    at_hub, at_gateway = hub["peers"][0], gateway["peers"][0]
    assert at_hub["public_key"] == KEYS[CPE]
    assert at_gateway["public_key"] == KEYS["hub-1"]
    assert at_hub["routes"] == gateway["addresses"]
    assert at_gateway["routes"] == hub["addresses"]
    assert at_gateway["endpoint"] == f"100.67.0.2:{hub['listen_port']}"
    assert at_hub["allowed"] == ["10.13.1.0/24", "fdfd:1475:4940:100::/56"]
    # Who is behind a carrier's translation keeps the way open; the other end only answers.
    assert (at_gateway["keepalive"], at_hub["keepalive"]) == (25, 0)
    assert (at_gateway["endpoint"] != "", at_hub["endpoint"]) == (True, "")
    # What the hub may send through the tunnel is what the gateway takes from it.
    centre = [IPNetwork(n) for n in at_gateway["allowed"]]
    for host in ("resolver-1", "app-1", "mirror-1", "ns-1"):
        address = next(i for i in facts(host)["interfaces"] if i["zone"] in ("servers", "dmz"))["addresses"][
            0
        ]
        assert any(IPNetwork(address).ip in network for network in centre)


def test_a_peer_without_key_is_left_out_and_named() -> None:
    bare = {host.name: host for host in built_hosts(lab(), plan_for(lab()), {})}
    assert bare["hub-1"].missing_keys == (CPE,)
    assert bare[CPE].missing_keys == ("hub-1", "hub-2")
    assert bare["hub-1"].facts()["wireguard"][0]["peers"] == []
    assert hosts()["hub-1"].missing_keys == ()


@pytest.mark.parametrize(
    ("hubs", "gateways", "block"),
    [
        ("hub-1", CPE, ["10.13.1.0/24", "fdfd:1475:4940:100::/56"]),
        ("hub-party-1", PARTY_CPE, ["10.12.66.0/23", "fdfd:1475:4920:100::/56"]),
    ],
)
def test_neighbours_agree_on_what_they_tell_each_other(hubs: str, gateways: str, block: list[str]) -> None:
    """What one announces the other accepts, for every session; a unit tells its block alone."""
    edge, hub, gateway = (facts(name)["routing"] for name in ("edge-1", hubs, gateways))
    sessions = [session for session in edge["neighbors"] if session["description"] == hubs]
    beside = [session for session in hub["neighbors"] if session["description"] == "edge-1"]
    for ours, theirs in zip(sessions, beside, strict=True):
        assert ours["announce"] == theirs["accept"]
        assert ours["accept"] == theirs["announce"]
        assert (ours["asn"], theirs["asn"]) == (hub["asn"], edge["asn"])
    assert [IPAddress(n["address"]).version for n in sessions] == [4, 6]
    dialled = [session for session in gateway["neighbors"] if session["description"] == hubs]
    for session, group in zip(dialled, hub["listen"], strict=True):
        member = group["members"][0]
        assert session["tunnel"]
        assert session["accept"] == group["announce"]
        assert session["announce"] == member["accept"]
        assert IPAddress(member["address"]) in IPNetwork(group["range"])
    assert gateway["announce"] == gateway["discard"] == block
    assert len({edge["asn"], hub["asn"], gateway["asn"]}) == 3


def test_a_gateway_takes_the_hub_that_the_plan_prefers_in_both_directions() -> None:
    """Ways by it are taken, and the other hub is told a longer one."""
    plan = plan_for(lab())
    for gateway in (CPE, PARTY_CPE):
        told = facts(gateway)
        assert [tunnel["name"] for tunnel in told["wireguard"]] == ["wg-hub1", "wg-hub2"]
        preferred = {peer.hub for peer in plan.peers if peer.gateway == gateway and peer.preferred}
        assert len(preferred) == 1
        for session in told["routing"]["neighbors"]:
            first = session["description"] in preferred
            assert (session["preference"] > 100, session["prepend"] == 0) == (first, first)


def test_leases_lie_in_their_network_beside_what_is_fixed() -> None:
    leases = facts(CPE)["dhcp"]
    assert [lease["interface"] for lease in leases] == ["staff", "count", "meet", "guest"]
    fixed = {a.ip for h in hosts().values() for i in h.planned.interfaces for a in i.addresses}
    for lease in leases:
        network = IPNetwork(lease["network"])
        first, last = IPAddress(lease["pool_start"]), IPAddress(lease["pool_end"])
        assert network.first < int(first) < int(last) < network.last
        assert not [a for a in fixed if a.version == 4 and first <= a <= last]
        assert [lease["gateway"]] == lease["dns"]
    # Guests are given names, not the time.
    assert [bool(lease["ntp"]) for lease in leases] == [True, True, True, False]
    assert [ra["interface"] for ra in facts(CPE)["ra"]] == ["staff", "count", "meet", "guest"]


def test_the_mirror_finds_the_province_inside_and_packages_outside() -> None:
    interfaces = {i["name"]: i for i in facts("mirror-1")["interfaces"]}
    assert interfaces["upl"]["default_route"]
    assert interfaces["upl"]["gateway4"] == "10.12.60.1"
    assert not interfaces["srv"]["gateway4"]
    inside = [IPNetwork(route["destination"]) for route in interfaces["srv"]["routes"]]
    for unit in plan_for(lab()).units:
        assert any(unit.prefix4 in network for network in inside)
        assert any(unit.prefix6 in network for network in inside)
    assert {route["gateway"] for route in interfaces["srv"]["routes"]} == {
        "10.12.30.1",
        "fdfd:1475:4900:1e::1",
    }


def test_management_is_reached_directly_and_never_a_way_out() -> None:
    for name in hosts():
        told = facts(name)
        interface = next(i for i in told["interfaces"] if i["name"] == told["management"]["interface"])
        assert (interface["zone"], interface["default_route"], interface["gateway4"]) == (
            "management",
            False,
            "",
        )
        assert told["management"]["addresses"] == interface["addresses"]
        assert told["management_routes"] == ["10.12.1.250/32", "fdfd:1475:4900:1::fa/128"]


def test_bridges_carry_no_address_of_the_machine_but_management_and_uplink() -> None:
    made = {network.name: network for network in networks(lab(), plan_for(lab()))}
    assert all(len(name) <= 15 for name in made)
    assert {n.name: n.kind for n in made.values() if n.kind != "isolated"} == {
        "pvl-mgmt": "management",
        "pvl-upl": "uplink",
    }
    assert all(not (n.address4 or n.address6) for n in made.values() if n.kind == "isolated")
    assert made["pvl-mgmt"].address4 == "10.12.1.250/24"
    assert made["pvl-mgmt"].routes4 == ("10.12.67.192/27", "10.13.1.224/28")
    assert made["pvl-upl"].address6 == "fdfd:1475:4900:3c::1/64"


def test_every_device_of_every_instance_hangs_on_a_bridge() -> None:
    made = {network.name for network in networks(lab(), plan_for(lab()))}
    built = instances(lab(), plan_for(lab()))
    assert {instance.name for instance in built} == set(hosts())
    for instance in built:
        planned = hosts()[instance.name].planned
        assert {network for _, network in instance.nics} <= made
        assert len({device for device, _ in instance.nics}) == len(instance.nics)
        if planned.machine != "carrier":
            wanted = [i.name for i in planned.interfaces if i.method != "tunnel"]
            assert [device for device, _ in instance.nics] == wanted
    needs = {instance.name: instance.needs for instance in built if instance.needs}
    assert needs == {**dict.fromkeys(KEYS, ("tun",)), "app-1": ("nesting",)}


def test_no_two_segments_share_a_bridge_but_those_of_management() -> None:
    plan = plan_for(lab())
    zones = {segment.id: segment.zone for segment in plan.segments}
    for network in networks(lab(), plan):
        if len(network.segment_ids) > 1:
            assert {zones[segment] for segment in network.segment_ids} == {Zone.MANAGEMENT}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the inventories: an environment of its own, complete."""
    shutil.copytree(ROOT / "inventories", tmp_path / "inventories", symlinks=True)
    return tmp_path


def environment_of(tree: Path) -> tuple[Environment, dict[str, Host]]:
    loaded = load_environment(tree / "inventories/lab/environment.yml")
    return loaded, {host.name: host for host in built_hosts(loaded, plan_for(loaded), KEYS)}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_building_one_more_unit_touches_the_hubs_alone(tree: Path) -> None:
    """Others list all registered units from the start."""
    edit(tree / "inventories/lab/environment.yml", f"[{UNIT},", f"[{UNIT}, xa-muong-phang,")
    _, after = environment_of(tree)
    assert set(after) - set(hosts()) == {"xa-muong-phang-cpe-1", "xa-muong-phang-pc-1"}
    changed = {name for name, host in hosts().items() if after[name].facts() != host.facts()}
    assert changed == {"hub-1", "hub-2", "carrier-1", "probe-1"}


def test_a_second_member_moves_nobody(tree: Path) -> None:
    file = tree / "inventories/lab/environment.yml"
    members = dict(lab().members)
    for machine in ("edge", "hub"):
        text = re.sub(rf"\b{machine}: \d", f"{machine}: 1", file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
    assert members["edge"] == 2
    _, before = environment_of(tree)
    edit(file, "edge: 1, hub: 1", "edge: 2, hub: 2")
    _, after = environment_of(tree)
    assert set(after) - set(before) == {"edge-2", "hub-2"}
    for name, host in before.items():
        had = {i["name"]: i["addresses"] for i in host.facts()["interfaces"]}
        has = {i["name"]: i["addresses"] for i in after[name].facts()["interfaces"]}
        assert {interface: has[interface] for interface in had} == had
    assert [t["name"] for t in after[CPE].facts()["wireguard"]] == ["wg-hub1", "wg-hub2"]
    # A member alone always has the pair's addresses; two of them carry them by turns.
    for vip in ("10.12.30.1/32", "10.12.10.1/32"):
        assert [n for n, h in before.items() if vip in str(h.facts()["interfaces"])] == ["edge-1"]
        assert [n for n, h in after.items() if vip in str(h.facts()["interfaces"])] == []
        shared = [n for n, h in after.items() if vip in str(h.facts().get("pair", {}).get("instances"))]
        assert shared == ["edge-1", "edge-2"]
    assert before["edge-1"].facts()["pair"]["instances"] == []


def test_members_of_a_pair_mean_each_other() -> None:
    one, other = facts("edge-1")["pair"], facts("edge-2")["pair"]
    assert one["priority"] > other["priority"]
    assert (one["own"], one["peer"]) == (other["peer"], other["own"])
    routed = [i["name"] for i in facts("edge-1")["interfaces"] if i["name"] != "mgmt"]
    assert [i["interface"] for i in one["instances"]] == [name for name in routed for _ in (4, 6)]
    for mine, its in zip(one["instances"], other["instances"], strict=True):
        assert (mine["own"], mine["peer"]) == (its["peer"], its["own"])
        assert {k: mine[k] for k in ("name", "number", "addresses")} == {
            k: its[k] for k in ("name", "number", "addresses")
        }
    assert facts("edge-1")["firewall"]["pairs"] == one["instances"]
    assert facts("hub-1")["firewall"]["pairs"] == []


def test_an_application_that_no_unit_takes_is_open_to_nobody(tree: Path) -> None:
    """No source must never read as any source."""
    for file in (tree / "inventories/registers/dien-bien/units").iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace(", start]", "]"), encoding="utf-8")
    _, after = environment_of(tree)
    for host in after.values():
        rules = host.facts()["firewall"]
        assert [
            r for chain in ("input", "output", "forward") for r in rules[chain] if r["flow"] == "staff-start"
        ] == []


def test_the_kernels_own_tunnels_need_no_right(tree: Path) -> None:
    edit(tree / "inventories/lab/environment.yml", "wireguard: userspace", "wireguard: kernel")
    loaded, after = environment_of(tree)
    assert after["hub-1"].facts()["wireguard"][0]["mode"] == "kernel"
    assert {i.needs for i in instances(loaded, plan_for(loaded))} == {(), ("nesting",)}


def test_the_command_prints_hosts_networks_and_instances(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hosts", str(LAB), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [host["name"] for host in printed["hosts"]] == list(hosts())
    assert {network["name"] for network in printed["networks"]} >= {"pvl-mgmt", "pvl-srv"}
    assert main(["hosts", str(LAB)]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in hosts())
