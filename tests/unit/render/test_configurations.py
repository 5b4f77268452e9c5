"""What `province render` writes: all hosts that are asked for, no secret, nothing that is not needed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from province.cli import main
from province.facts import ARCHIVE_KEY, SIGNING_KEYS
from province.hosts import built_hosts, load_environment, plan_for
from province.ledger import Ledger
from province.render.configurations import PRIVATE, PUBLIC
from province.sources import load_sources

LAB = Path("inventories/lab/environment.yml")
REGISTER = Path("inventories/registers/dien-bien")


def render(capsys: pytest.CaptureFixture[str], source: Path, *arguments: str) -> dict[str, Any]:
    """The report of a run into the folder `out`."""
    capsys.readouterr()
    assert main(["render", str(source), "--out", "out", "--format", "json", *arguments]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def hosts_of(out: Path) -> set[str]:
    """Names of the hosts in a folder."""
    return {path.name for path in out.iterdir() if path.is_dir()}


def manifest(host: str) -> dict[str, Any]:
    """What is said of a host."""
    found: dict[str, Any] = json.loads(Path("out", host, "manifest.json").read_text(encoding="utf-8"))
    return found


def state(out: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, time of change and mode of every file."""
    found = {}
    for path in sorted(out.rglob("*")):
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode):
            found[str(path.relative_to(out))] = (about.st_ino, about.st_mtime_ns, about.st_mode)
    return found


def contents(out: Path) -> dict[str, bytes]:
    """Every file with its bytes."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_register_gives_the_gateway_of_every_open_unit_as_if_built(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = render(capsys, REGISTER)
    plan = load_sources(tree / REGISTER).plan()
    gateways = {
        host.name
        for host in plan.hosts
        if host.machine == "unit_gateway"
        and next(unit for unit in plan.units if unit.id == host.owner).state != "closed"
    }
    assert hosts_of(tree / "out") == gateways
    assert report["hosts"] == len(gateways) > 50
    for name in gateways:
        tunnels = list((tree / "out" / name / "files/etc/wireguard").glob("*.link"))
        hubs = {peer.hub for peer in plan.peers if peer.gateway == name}
        assert len(tunnels) == len(hubs) > 0
        assert all("mode kernel\n" in path.read_text() for path in tunnels)


def test_an_environment_gives_its_built_hosts(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    render(capsys, LAB)
    environment = load_environment(LAB)
    assert hosts_of(tree / "out") == {host.name for host in built_hosts(environment, plan_for(environment))}


def test_a_unit_that_no_environment_builds_is_prepared_with_the_keys_of_that_environment(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = load_environment(LAB)
    plan = plan_for(environment)
    unit = next(unit for unit in plan.units if unit.id not in environment.units)
    ledger = Ledger.create(tree.parent / "state/lab")
    public = ledger.ensure_for_hosts(["hub-1"])["hub-1"]
    render(capsys, LAB, "--unit", unit.id)
    names = {host.name for host in plan.hosts if host.owner == unit.id}
    assert hosts_of(tree / "out") <= names
    (gateway,) = (host for host in plan.hosts if host.name in names and host.machine == "unit_gateway")
    text = (tree / "out" / gateway.name / "files/etc/wireguard/wg-hub1.conf").read_text()
    assert f"PublicKey = {public}\n" in text
    assert f"PrivateKey = {PRIVATE.format(f'wireguard/{gateway.name}')}\n" in text


def test_peers_whose_key_is_not_there_yet_are_left_out_and_named(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that is carried out without its hub's key would stay dark."""
    unit = load_environment(LAB).units[0]
    assert render(capsys, LAB, "--unit", unit)["missing_keys"] == ["hub-1", "hub-2"]
    assert main(["render", str(LAB), "--out", "out", "--unit", unit]) == 0
    assert "Tunnels to hub-1, hub-2 are left out" in capsys.readouterr().out
    gateway = next(host for host in sorted(hosts_of(tree / "out")) if "-cpe-" in host)
    assert manifest(gateway)["missing_keys"] == ["hub-1", "hub-2"]
    Ledger.create(tree.parent / "state/lab").ensure_for_hosts(["hub-1", "hub-2"])
    assert render(capsys, LAB, "--unit", unit)["missing_keys"] == []


def test_no_private_half_is_written_although_the_ledger_has_it(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = load_environment(LAB)
    hosts = built_hosts(environment, plan_for(environment))
    tunnelled = [host.name for host in hosts if "wireguard" in host.planned.roles]
    ledger = Ledger.create(tree.parent / "state/lab")
    publics = ledger.ensure_for_hosts(tunnelled)
    render(capsys, LAB)
    everything = b"".join(contents(tree / "out").values())
    assert tunnelled
    for name in tunnelled:
        assert publics[name].encode() in everything
        assert ledger.secret(f"wireguard/{name}") not in everything
        kept = [file for file in manifest(name)["files"] if file.get("placeholders")]
        assert kept
        for file in kept:
            assert file["sensitive"] is True
            kind = "log" if file["path"].endswith("pair.pem") else "wireguard"
            assert file["placeholders"] == [PRIVATE.format(f"{kind}/{name}")]


def test_without_an_environment_keys_of_hubs_are_placeholders_too(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = load_sources(tree / REGISTER).plan()
    unit = plan.units[0].id
    render(capsys, REGISTER, "--unit", unit)
    (name,) = hosts_of(tree / "out")
    said = {word for file in manifest(name)["files"] for word in file.get("placeholders", [])}
    hubs = {peer.hub for peer in plan.peers if peer.unit == unit}
    assert said == {
        PRIVATE.format(f"wireguard/{name}"),
        PRIVATE.format(f"log/{name}"),
        *(PUBLIC.format(f"log-store/{host.name}") for host in plan.hosts if host.machine == "log"),
        *(PUBLIC.format(f"wireguard/{hub}") for hub in hubs),
        PUBLIC.format(ARCHIVE_KEY),
        PUBLIC.format(f"{SIGNING_KEYS}ksk-1"),
    }


def test_the_manifest_tells_every_file_with_its_digest_and_mode(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(capsys, LAB)
    for host in hosts_of(tree / "out"):
        said = manifest(host)
        files = tree / "out" / host / "files"
        assert {f"/{path.relative_to(files)}" for path in files.rglob("*") if path.is_file()} == {
            entry["path"] for entry in said["files"]
        }
        for entry in said["files"]:
            path = files / entry["path"].lstrip("/")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
            assert stat.S_IMODE(path.stat().st_mode) == int(entry["mode"], 8)
        assert said["host"] == host
        assert {entry["path"] for entry in said["links"]} >= {"/etc/localtime"}


def test_a_second_run_touches_no_file_and_says_so(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = render(capsys, LAB)
    assert len(first["written"]) == first["files"] == len(state(tree / "out")) - 1
    before = state(tree / "out")
    second = render(capsys, LAB)
    assert (second["written"], second["removed"]) == ([], [])
    assert state(tree / "out") == before
    assert main(["render", str(LAB), "--out", "out"]) == 0
    assert ": nothing changed.\n" in capsys.readouterr().out


def test_a_change_rewrites_only_the_files_that_it_changes(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(capsys, LAB)
    before = state(tree / "out")
    with (tree / "roles/dhcp_server/templates/etc/kea/kea-dhcp4.conf.j2").open("a") as file:
        file.write("// more\n")
    report = render(capsys, LAB)
    servers = sorted(
        host for host in hosts_of(tree / "out") if "-cpe-" in host or host.startswith("resolver-")
    )
    assert len(servers) > 1
    assert sorted(report["written"]) == [
        path for host in servers for path in (f"{host}/files/etc/kea/kea-dhcp4.conf", f"{host}/manifest.json")
    ]
    after = state(tree / "out")
    assert {path for path in after if after[path] != before[path]} == set(report["written"])


def test_what_is_no_longer_rendered_goes_and_what_was_changed_by_hand_is_put_right(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(capsys, LAB)
    out = tree / "out"
    sound = contents(out)
    outside = tree.parent / "outside"
    (outside / "etc").mkdir(parents=True)
    (outside / "etc/hosts").write_text("not ours")
    host = out / sorted(hosts_of(out))[0]
    (host / "files/etc/hosts").write_text("changed")
    (host / "files/etc/hostname").unlink()
    (host / "files/etc/hostname").symlink_to(outside / "etc/hosts")
    (host / "files/etc/more/deep").mkdir(parents=True)
    (host / "files/etc/more/deep/file").write_text("stale")
    (host / "files/etc/profile.d/idle.sh").chmod(0o600)
    (out / "gone-1").symlink_to(outside)
    (out / "gone-2/files").mkdir(parents=True)
    (out / "gone-2/files/a").write_text("stale")
    (out / "loose").write_text("stale")
    # A link to the same text is none of our files either: whoever may write there could change it later.
    linked = host / "files/etc/resolv.conf"
    assert linked.is_file()
    linked.rename(outside / "same")
    linked.symlink_to(outside / "same")
    report = render(capsys, LAB)
    assert contents(out) == sound
    assert set(report["removed"]) == {
        f"{host.name}/files/etc/more/deep/file",
        "gone-1",
        "gone-2/files/a",
        "loose",
    }
    assert not linked.is_symlink()
    assert (outside / "etc/hosts").read_text() == "not ours"
    assert stat.S_IMODE((host / "files/etc/profile.d/idle.sh").stat().st_mode) == 0o644
    assert not (out / "gone-2").exists()


def test_a_folder_in_place_of_a_file_and_the_other_way_round_are_replaced(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    render(capsys, LAB)
    sound = contents(tree / "out")
    etc = tree / "out" / sorted(hosts_of(tree / "out"))[0] / "files/etc"
    (etc / "hosts").unlink()
    (etc / "hosts/a").mkdir(parents=True)
    (etc / "hosts/a/b").write_text("")
    for path in (etc / "profile.d").iterdir():
        path.unlink()
    (etc / "profile.d").rmdir()
    (etc / "profile.d").write_text("")
    render(capsys, LAB)
    assert contents(tree / "out") == sound


def test_one_unit_leaves_the_others_in_the_folder_alone(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (unit.id for unit in load_sources(tree / REGISTER).plan().units[:2])
    render(capsys, REGISTER, "--unit", first)
    before = state(tree / "out")
    render(capsys, REGISTER, "--unit", second)
    assert hosts_of(tree / "out") == {f"{first}-cpe-1", f"{second}-cpe-1"}
    after = state(tree / "out")
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("after", [0, 1, 2, 40, 100])
@pytest.mark.parametrize("what", ["write", "replace"])
def test_a_run_that_was_cut_off_is_healed_by_the_next(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, after: int, what: str
) -> None:
    """Cut off as by a kill, which runs no `finally`: at a write or a rename, after so many of them."""
    render(capsys, LAB)
    whole = contents(tree / "out")
    (tree / "out").rename(tree / "whole")
    done = 0
    real = getattr(os, what)

    def cut(*arguments: Any) -> Any:
        nonlocal done
        if done == after:
            raise KeyboardInterrupt
        done += 1
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, what, cut)
        patch.setattr(shutil, "rmtree", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            main(["render", str(LAB), "--out", "out"])
    half = contents(tree / "out")
    assert half != whole
    assert any(part.startswith(".province") for path in half for part in Path(path).parts)
    report = render(capsys, LAB)
    assert contents(tree / "out") == whole
    assert report["files"] == len(whole) - 1
    assert len(report["written"]) > 0


def test_a_disk_that_is_full_leaves_a_host_as_it_was(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    render(capsys, LAB)
    before = contents(tree / "out")
    for name in ("hosts", "resolv.conf"):
        with (tree / f"roles/system_base/templates/etc/{name}.j2").open("a") as file:
            file.write("# more\n")
    room = 2
    write = os.write

    def fill(handle: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room -= 1
        return write(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill)
        assert main(["render", str(LAB), "--out", "out"]) == 1
    assert "RND-032" in capsys.readouterr().err
    assert contents(tree / "out") == before
    assert len(render(capsys, LAB)["written"]) > 2


def test_hosts_are_rendered_the_same_whatever_was_rendered_before(tree: Path) -> None:
    """Results that are kept for hosts with equal values must not reach hosts with others."""
    from province.render.configurations import Renderer, program_for

    environment = load_environment(tree / LAB)
    environment = replace(environment, units=tuple(u.id for u in environment.sources.register.units[:12]))
    plan = plan_for(environment)
    hosts = built_hosts(environment, plan, {})
    program = program_for(tree, tree / LAB.parent / "group_vars")
    forwards = Renderer(program, environment, plan)
    backwards = Renderer(program, environment, plan)
    one = {host.name: forwards.render(host) for host in hosts}
    other = {host.name: backwards.render(host) for host in reversed(hosts)}
    alone = {host.name: Renderer(program, environment, plan).render(host) for host in hosts}
    assert one == other == alone
