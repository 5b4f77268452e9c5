"""`make down` takes what is marked as its environment's, and nothing of anybody else."""

from __future__ import annotations

from typing import Any

from province.lab.sweep import (
    Contents,
    Object,
    Ours,
    choose,
    stray_chains,
    stray_links,
    stray_mounts,
)

OURS = Ours(environment="lab", project="province-lab", pool="province-lab", prefix="pvl")


def marked(environment: str = "lab") -> dict[str, Any]:
    return {"user.province.urn": f"urn:pulumi:{environment}::province::incus:index:Thing::x"}


def thing(noun: str, name: str, config: dict[str, Any] | None = None, project: str = "") -> Object:
    return Object(noun, name, f"/{noun}s/{name}", project, config or {})


def names(items: list[Object]) -> list[tuple[str, str]]:
    return [(item.noun, item.name) for item in items]


def test_all_that_is_marked_goes_in_an_order_that_works() -> None:
    contents = Contents(
        projects=(thing("project", "default"), thing("project", "province-lab", marked())),
        inside=(
            thing("profile", "default", None, "province-lab"),
            thing("profile", "province", marked(), "province-lab"),
            thing("image", "f00", None, "province-lab"),
            thing("instance", "edge-1", marked(), "province-lab"),
        ),
        networks=(thing("network", "pvl-mgmt", marked()),),
        pools=(thing("storage pool", "province-lab", marked()),),
    )
    assert names(choose(contents, OURS)) == [
        ("instance", "edge-1"),
        ("image", "f00"),
        ("profile", "province"),
        ("network", "pvl-mgmt"),
        ("storage pool", "province-lab"),
        ("project", "province-lab"),
    ]


def test_what_stands_in_our_project_goes_with_it_marked_or_not() -> None:
    contents = Contents(
        projects=(thing("project", "province-lab", marked()),),
        inside=(thing("instance", "left-by-a-test", None, "province-lab"),),
    )
    assert ("instance", "left-by-a-test") in names(choose(contents, OURS))


def test_names_alone_take_nothing_away() -> None:
    contents = Contents(
        projects=(thing("project", "default"), thing("project", "province-lab")),
        inside=(thing("instance", "edge-1", None, "province-lab"),),
        networks=(thing("network", "pvl-mgmt"), thing("network", "incusbr0")),
        pools=(thing("storage pool", "province-lab"), thing("storage pool", "default")),
    )
    assert choose(contents, OURS) == []


def test_another_environments_marks_are_not_ours() -> None:
    contents = Contents(
        projects=(thing("project", "province-lab", marked("lab2")),),
        inside=(thing("instance", "edge-1", marked("lab2"), "province-lab"),),
        networks=(thing("network", "pvl-mgmt", marked("lab2")),),
    )
    assert choose(contents, OURS) == []


def chain(name: str, table: str = "incus") -> dict[str, Any]:
    return {"chain": {"family": "inet", "table": table, "name": name}}


def test_only_chains_of_our_networks_that_incus_has_no_more_are_stray() -> None:
    ruleset = [
        {"metainfo": {}},
        chain("fwd.pvl-upl"),
        chain("in.pvl-mgmt"),
        chain("fwd.incusbr0"),
        chain("fwd.pvl-upl", table="filter"),
        chain("input", table="incus"),
    ]
    assert stray_chains(ruleset, OURS, ["pvl-mgmt"]) == [["inet", "incus", "fwd.pvl-upl"]]


def test_only_interfaces_with_our_prefix_that_incus_has_no_more_are_stray() -> None:
    links = [{"ifname": name} for name in ("lo", "eth0", "pvl-mgmt", "pvl-dmz", "pvlan0", "xpvl-dmz")]
    assert stray_links(links, OURS, ["pvl-mgmt"]) == ["pvl-dmz"]


def test_only_mounts_of_our_pool_and_instances_are_stray_deepest_first() -> None:
    base = "/var/lib/incus"
    mounts = "\n".join(
        f"x {path} ext4 rw 0 0"
        for path in (
            f"{base}/storage-pools/province-lab",
            f"{base}/storage-pools/province-lab/containers/edge-1",
            f"{base}/storage-pools/province-lab-2",
            f"{base}/storage-pools/default",
            f"{base}/devices/province-lab_edge-1/disk.root",
            f"{base}/devices/other_vm/disk.root",
        )
    )
    assert stray_mounts(mounts, OURS) == [
        f"{base}/storage-pools/province-lab/containers/edge-1",
        f"{base}/devices/province-lab_edge-1/disk.root",
        f"{base}/storage-pools/province-lab",
    ]
