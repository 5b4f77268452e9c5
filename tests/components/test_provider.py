"""The Incus provider against an Incus in memory: what the engine asks of it, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pulumi.provider.experimental import provider as sdk

from provider.resources import IMAGE_IDENTITY, IMAGE_MARK, KINDS, MARK
from provider.server import IncusProvider, differences, plain_map, property_map
from province.incus import IncusError
from tests.support.fake_incus import FakeIncus

T = TypeVar("T")

PROJECT, NETWORK, IMAGE, INSTANCE, POOL, PROFILE = (
    f"incus:index:{name}" for name in ("Project", "Network", "Image", "Instance", "StoragePool", "Profile")
)


def urn(token: str, name: str) -> str:
    parent = "province:estate:Estate"
    return f"urn:pulumi:lab::province::{parent}${token}::{name}"


@pytest.fixture
def incus() -> FakeIncus:
    return FakeIncus()


class Engine:
    """Asks the provider as the engine does, in plain data."""

    def __init__(self, incus: FakeIncus) -> None:
        self._loop = asyncio.new_event_loop()
        self._provider = IncusProvider(lambda _: incus.client())
        self._wait(self._provider.configure(sdk.ConfigureRequest({}, {}, True, True)))

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def check(self, token: str, inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return checked inputs, and property → reason of what is refused."""
        request = sdk.CheckRequest(urn(token, "x"), {}, property_map(inputs), b"")
        told = self._wait(self._provider.check(request))
        return plain_map(told.inputs or {}), {f.property: f.reason for f in told.failures or []}

    def inputs(self, token: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return checked inputs that must be fine."""
        checked, failures = self.check(token, inputs)
        assert failures == {}
        return checked

    def create(
        self, token: str, inputs: dict[str, Any], *, preview: bool = False
    ) -> tuple[str | None, dict[str, Any]]:
        """Return id and state."""
        checked = self.inputs(token, inputs)
        name = checked.get("name") or checked["alias"]
        request = sdk.CreateRequest(urn(token, name), property_map(checked), 0, preview)
        told = self._wait(self._provider.create(request))
        return told.resource_id, plain_map(told.properties)

    def diff(self, token: str, state: dict[str, Any], inputs: dict[str, Any]) -> sdk.DiffResponse:
        """Compare a state with inputs."""
        checked = property_map(self.inputs(token, inputs))
        request = sdk.DiffRequest(urn(token, "x"), "", property_map(state), checked, [])
        return self._wait(self._provider.diff(request))

    def read(
        self, token: str, resource_id: str, inputs: dict[str, Any] | None = None
    ) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
        """Return id, state and inputs; None, {} and {} for what is gone."""
        known = property_map(inputs or {})
        request = sdk.ReadRequest(urn(token, resource_id.split("/")[-1]), resource_id, known, known)
        told = self._wait(self._provider.read(request))
        return told.resource_id, plain_map(told.properties), plain_map(told.inputs)

    def update(
        self, token: str, state: dict[str, Any], inputs: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        """Return the new state."""
        checked = self.inputs(token, inputs)
        name = checked.get("name") or checked["alias"]
        request = sdk.UpdateRequest(
            urn(token, name), "", property_map(state), property_map(checked), 0, [], preview
        )
        return plain_map(self._wait(self._provider.update(request)).properties)

    def delete(self, token: str, resource_id: str, state: dict[str, Any]) -> None:
        """Remove an object."""
        name = resource_id.split("/")[-1]
        request = sdk.DeleteRequest(urn(token, name), resource_id, property_map(state), 0)
        self._wait(self._provider.delete(request))


@pytest.fixture
def engine(incus: FakeIncus) -> Iterator[Engine]:
    made = Engine(incus)
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "metadata.tar").write_bytes(b"metadata")
    (tmp_path / "rootfs.tar").write_bytes(b"root" * 1000)
    return {"metadata": str(tmp_path / "metadata.tar"), "rootfs": str(tmp_path / "rootfs.tar")}


def image_inputs(files: dict[str, str], identity: str = "one") -> dict[str, Any]:
    return {"alias": "province-host", "project": "lab", "identity": identity, **files}


def host_inputs(**more: Any) -> dict[str, Any]:
    return {
        "name": "edge-1",
        "project": "lab",
        "image": "province-host",
        "profiles": ["province"],
        "config": {"limits.memory": "256MiB"},
        "devices": {"dmz": {"type": "nic", "network": "pvl-dmz", "name": "dmz"}},
        **more,
    }


BRIDGE = {"name": "pvl-dmz", "config": {"ipv4.address": "none", "ipv6.address": "none"}}


@pytest.fixture
def built(engine: Engine, files: dict[str, str]) -> dict[str, Any]:
    """A project with a network, an image and one host; the host's state."""
    engine.create(PROJECT, {"name": "lab"})
    engine.create(NETWORK, BRIDGE)
    engine.create(IMAGE, image_inputs(files))
    return engine.create(INSTANCE, host_inputs())[1]


# --- check ---


@pytest.mark.parametrize(
    ("token", "inputs", "where", "words"),
    [
        (PROJECT, {}, "name", "needs name"),
        (PROJECT, {"name": "lab", "colour": "red"}, "colour", "no property 'colour'"),
        (NETWORK, {**BRIDGE, "name": "a-name-far-too-long"}, "name", "names an interface"),
        (NETWORK, {"name": "pvl-dmz"}, "config.ipv4.address", "makes one up"),
        (
            NETWORK,
            {**BRIDGE, "config": {"ipv4.address": "auto", "ipv6.address": "none"}},
            "config.ipv4.address",
            "makes one up",
        ),
        (PROFILE, {"name": "p", "config": {"boot.autostart": True}}, "config.boot.autostart", "found True"),
        (PROFILE, {"name": "p", "config": {MARK: "x"}}, f"config.{MARK}", "never by a program"),
        (PROFILE, {"name": "p", "devices": {"d": {"type": "gpu"}}}, "devices.d", "'gpu' is none of"),
        (PROFILE, {"name": "p", "devices": {"d": {"type": "disk"}}}, "devices.d", "needs path"),
        (INSTANCE, host_inputs(name="1edge"), "name", "it is a host name"),
        (INSTANCE, host_inputs(state="frozen"), "state", "neither `running` nor `stopped`"),
        (INSTANCE, host_inputs(type="virtual-machine"), "type", "only `container`"),
        (INSTANCE, host_inputs(profiles="province"), "profiles", "wanted a list"),
        (INSTANCE, host_inputs(devices={"a": {"type": "nic", "name": "a"}}), "devices.a", "needs network"),
        (
            INSTANCE,
            host_inputs(devices={d: {"type": "nic", "network": "n1", "name": "x"} for d in ("a", "b")}),
            "devices.b",
            "is a's already",
        ),
        (
            INSTANCE,
            host_inputs(devices={"a": {"type": "nic", "network": "n", "name": "a", "hwaddr": "02:XX"}}),
            "devices.a",
            "no MAC address",
        ),
        (
            IMAGE,
            {"alias": "i", "identity": "1", "metadata": "m.tar", "rootfs": "/r.tar"},
            "metadata",
            "absolute",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_input_that_cannot_be_is_refused_with_its_reason(
    engine: Engine, token: str, inputs: dict[str, Any], where: str, words: str
) -> None:
    failures = engine.check(token, inputs)[1]
    assert words in failures[where]


def test_defaults_are_filled_in(engine: Engine) -> None:
    assert engine.inputs(NETWORK, BRIDGE) == {
        **BRIDGE,
        "project": "default",
        "type": "bridge",
        "description": "",
    }


# --- create ---


def test_a_created_object_carries_its_urn_and_equals_its_inputs(engine: Engine, incus: FakeIncus) -> None:
    resource_id, state = engine.create(NETWORK, BRIDGE)
    assert resource_id == "default/pvl-dmz"
    assert incus.objects["networks"][("default", "pvl-dmz")]["config"][MARK] == urn(NETWORK, "pvl-dmz")
    assert not engine.diff(NETWORK, state, BRIDGE).changes


def test_a_created_host_runs(built: dict[str, Any], incus: FakeIncus, engine: Engine) -> None:
    assert incus.objects["instances"][("lab", "edge-1")]["status"] == "Running"
    assert built["state"] == "running"
    assert not engine.diff(INSTANCE, built, host_inputs()).changes


def test_a_preview_changes_nothing(engine: Engine, incus: FakeIncus) -> None:
    engine.create(NETWORK, BRIDGE, preview=True)
    engine.update(NETWORK, {}, BRIDGE, preview=True)
    assert incus.changes() == []


def test_a_preview_of_a_host_whose_project_is_not_there_yet_passes(engine: Engine) -> None:
    assert engine.create(INSTANCE, host_inputs(), preview=True)[0] is None


@pytest.mark.parametrize("preview", [True, False])
def test_an_object_that_is_not_ours_is_refused_and_left_alone(
    engine: Engine, incus: FakeIncus, preview: bool
) -> None:
    incus.put_there("networks", "default", "pvl-dmz", config={"ipv4.address": "192.0.2.1/24"})
    with pytest.raises(IncusError, match=r"carries no mark of this stack.*import it into the stack"):
        engine.create(NETWORK, BRIDGE, preview=preview)
    assert incus.changes() == []


def test_an_object_of_another_stack_is_refused(engine: Engine, incus: FakeIncus) -> None:
    other = "urn:pulumi:other::province::incus:index:Network::pvl-dmz"
    incus.put_there("networks", "default", "pvl-dmz", config={MARK: other})
    with pytest.raises(IncusError, match="belongs to urn:pulumi:other"):
        engine.create(NETWORK, BRIDGE)


def test_a_host_left_by_a_killed_run_is_taken_over_and_started(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    instance = incus.objects["instances"][("lab", "edge-1")]
    instance["status"] = "Stopped"
    del instance["config"]["limits.memory"]
    before = instance["config"]["volatile.uuid"]
    _, state = engine.create(INSTANCE, host_inputs())
    after = incus.objects["instances"][("lab", "edge-1")]
    assert after["status"] == "Running"
    assert after["config"]["limits.memory"] == "256MiB"
    assert after["config"]["volatile.uuid"] == before
    assert state == built


def test_an_instance_is_placed_on_its_target(engine: Engine, built: dict[str, Any], incus: FakeIncus) -> None:
    assert built["location"] == "none"
    _, state = engine.create(INSTANCE, host_inputs(name="edge-2", target="member-b"))
    assert state["location"] == "member-b"
    assert incus.objects["instances"][("lab", "edge-2")]["location"] == "member-b"


def test_on_a_cluster_a_bridge_is_announced_to_every_member(engine: Engine, incus: FakeIncus) -> None:
    incus.members = ["member-a", "member-b"]
    incus.announced = [("member-a", "pvl-dmz")]  # by a run that was killed
    engine.create(NETWORK, BRIDGE)
    assert set(incus.announced) == {("member-a", "pvl-dmz"), ("member-b", "pvl-dmz")}
    assert ("default", "pvl-dmz") in incus.objects["networks"]


def test_a_failure_of_an_operation_is_a_sentence(engine: Engine, built: dict[str, Any]) -> None:
    assert built
    nic = {"dmz": {"type": "nic", "network": "nowhere", "name": "dmz"}}
    with pytest.raises(
        IncusError, match=r"creating the instance hub-1 of project lab: .*network .nowhere."
    ) as caught:
        engine.create(INSTANCE, host_inputs(name="hub-1", devices=nic))
    assert "Traceback" not in str(caught.value)


def test_a_busy_object_is_asked_again(engine: Engine, built: dict[str, Any], incus: FakeIncus) -> None:
    incus.fail_once("PUT", "/instances/edge-1", 400, "Instance is busy running a create operation")
    changed = host_inputs(config={"limits.memory": "512MiB"})
    assert engine.update(INSTANCE, built, changed)["config"] == {"limits.memory": "512MiB"}


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    incus.fail_once("PUT", "/instances/edge-1", 412, "ETag doesn't match")
    with pytest.raises(IncusError, match="412"):
        engine.update(INSTANCE, built, host_inputs(config={"limits.memory": "512MiB"}))


# --- diff ---


@pytest.mark.parametrize(
    ("change", "paths", "replaces"),
    [
        ({"description": "Edge"}, ["description"], []),
        ({"config": {"limits.memory": "1GiB"}}, ['config["limits.memory"]'], []),
        ({"devices": {}}, ['devices["dmz"]'], []),
        ({"state": "stopped"}, ["state"], []),
        ({"name": "edge-9"}, ["name"], ["name"]),
        ({"project": "other"}, ["project"], ["project"]),
        ({"image": "province-host-2"}, [], []),
        ({"target": "member-b"}, [], []),
    ],
    ids=str,
)
def test_a_difference_updates_or_replaces(
    engine: Engine, built: dict[str, Any], change: dict[str, Any], paths: list[str], replaces: list[str]
) -> None:
    told = engine.diff(INSTANCE, built, {**host_inputs(), **change})
    assert told.changes == bool(paths)
    assert told.diffs == paths
    assert told.replaces == replaces
    assert told.delete_before_replace


def test_what_incus_keeps_for_itself_is_no_difference(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    incus.objects["instances"][("lab", "edge-1")]["config"]["volatile.dmz.host_name"] = "veth1"
    _, state, _ = engine.read(INSTANCE, "lab/edge-1", engine.inputs(INSTANCE, host_inputs()))
    assert state == built


def test_features_that_incus_fills_in_are_no_difference(engine: Engine) -> None:
    wanted = {"name": "lab", "config": {"features.images": "true"}}
    _, state = engine.create(PROJECT, wanted)
    assert state["config"] == wanted["config"]
    assert differences(KINDS[PROJECT], state, engine.inputs(PROJECT, wanted)) == {}


# --- read ---


def test_a_refresh_sees_drift_and_update_takes_it_back(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    instance = incus.objects["instances"][("lab", "edge-1")]
    instance["config"]["security.privileged"] = "true"
    instance["status"] = "Stopped"
    inputs = engine.inputs(INSTANCE, host_inputs())
    _, state, _ = engine.read(INSTANCE, "lab/edge-1", inputs)
    told = engine.diff(INSTANCE, state, host_inputs())
    assert told.diffs == ['config["security.privileged"]', "state"]
    assert engine.update(INSTANCE, state, host_inputs()) == built
    assert "security.privileged" not in instance["config"]


def test_a_refresh_sees_that_an_object_is_gone(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    assert built
    del incus.objects["instances"][("lab", "edge-1")]
    assert engine.read(INSTANCE, "lab/edge-1", engine.inputs(INSTANCE, host_inputs())) == (None, {}, {})


def test_a_refresh_sees_a_whole_project_gone(engine: Engine) -> None:
    assert engine.read(INSTANCE, "lab/edge-1")[0] is None


def test_an_import_reads_by_id_and_the_next_update_marks_the_object(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    config = incus.objects["instances"][("lab", "edge-1")]["config"]
    del config[MARK]
    resource_id, state, inputs = engine.read(INSTANCE, "lab/edge-1")
    assert resource_id == "lab/edge-1"
    assert inputs["config"] == {"limits.memory": "256MiB"}
    assert engine.diff(INSTANCE, state, host_inputs()).diffs == ["marked"]
    assert engine.update(INSTANCE, state, host_inputs()) == built
    assert incus.objects["instances"][("lab", "edge-1")]["config"][MARK] == urn(INSTANCE, "edge-1")


def test_an_id_without_its_project_is_refused(engine: Engine) -> None:
    with pytest.raises(IncusError, match="<project>/<name>"):
        engine.read(INSTANCE, "edge-1")


def test_an_incus_that_does_not_answer_is_no_deletion(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    assert built
    incus.fail_once("GET", "/instances/edge-1", 503, "Daemon is starting up")
    with pytest.raises(IncusError, match="503"):
        engine.read(INSTANCE, "lab/edge-1", engine.inputs(INSTANCE, host_inputs()))


# --- update ---


def test_an_update_with_nothing_to_do_writes_nothing(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    before = len(incus.changes())
    engine.update(INSTANCE, built, host_inputs())
    assert incus.changes()[before:] == []


def test_an_update_of_what_is_gone_says_so(engine: Engine, built: dict[str, Any], incus: FakeIncus) -> None:
    del incus.objects["instances"][("lab", "edge-1")]
    with pytest.raises(IncusError, match=r"is gone from Incus\. Refresh"):
        engine.update(INSTANCE, built, host_inputs())


# --- delete ---


def test_a_running_host_is_stopped_and_removed_and_a_second_time_is_fine(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    engine.delete(INSTANCE, "lab/edge-1", built)
    assert ("lab", "edge-1") not in incus.objects["instances"]
    engine.delete(INSTANCE, "lab/edge-1", built)


def test_what_became_anothers_is_not_removed(engine: Engine, built: dict[str, Any], incus: FakeIncus) -> None:
    for mark in ("urn:pulumi:other::x", ""):
        incus.objects["instances"][("lab", "edge-1")]["config"][MARK] = mark
        with pytest.raises(IncusError, match="someone replaced it"):
            engine.delete(INSTANCE, "lab/edge-1", built)
        assert incus.objects["instances"][("lab", "edge-1")]["status"] == "Running"


def test_an_imported_object_may_be_removed_before_it_was_marked(
    engine: Engine, built: dict[str, Any], incus: FakeIncus
) -> None:
    del incus.objects["instances"][("lab", "edge-1")]["config"][MARK]
    engine.delete(INSTANCE, "lab/edge-1", {**built, "marked": False})
    assert ("lab", "edge-1") not in incus.objects["instances"]


def test_a_network_in_use_is_not_removed_and_says_why(engine: Engine, built: dict[str, Any]) -> None:
    assert built
    with pytest.raises(IncusError, match=r"removing the network pvl-dmz.*in use"):
        engine.delete(NETWORK, "default/pvl-dmz", engine.read(NETWORK, "default/pvl-dmz")[1])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_bridge_is_worked_on_again_when_another_interface_went_meanwhile(
    engine: Engine, incus: FakeIncus, method: str
) -> None:
    gone = 'Failed to delete bridge children interfaces: Device "veth1" does not exist'
    incus.fail_once(method, "/networks(/pvl-dmz)?", 500, gone)
    _, state = engine.create(NETWORK, BRIDGE)
    state = engine.update(NETWORK, state, {**BRIDGE, "description": "DMZ"})
    assert state["description"] == "DMZ"
    engine.delete(NETWORK, "default/pvl-dmz", state)
    assert incus.objects["networks"] == {}
    assert incus.failures == []


def test_everything_goes_in_the_order_of_dependence(
    engine: Engine, built: dict[str, Any], incus: FakeIncus, files: dict[str, str]
) -> None:
    engine.delete(INSTANCE, "lab/edge-1", built)
    engine.delete(IMAGE, "lab/province-host", {**image_inputs(files), "marked": True})
    for token, resource_id in ((PROJECT, "lab"), (NETWORK, "default/pvl-dmz")):
        engine.delete(token, resource_id, {"marked": True})
    left = {name: list(kept) for name, kept in incus.objects.items() if kept}
    assert left == {"projects": [("", "default")]}


# --- images ---


def test_a_new_identity_is_uploaded_and_the_alias_moved_while_hosts_stay(
    engine: Engine, built: dict[str, Any], incus: FakeIncus, files: dict[str, str]
) -> None:
    old = incus.objects["aliases"][("lab", "province-host")]["target"]
    _, state, _ = engine.read(IMAGE, "lab/province-host", image_inputs(files))
    Path(files["rootfs"]).write_bytes(b"a newer root")
    wanted = image_inputs(files, "two")
    told = engine.diff(IMAGE, state, wanted)
    assert (told.diffs, told.replaces) == (["identity"], [])
    assert engine.update(IMAGE, state, wanted)["identity"] == "two"
    new = incus.objects["aliases"][("lab", "province-host")]["target"]
    assert [key for key in incus.objects["images"] if key[0] == "lab"] == [("lab", new)]
    assert new != old
    assert not engine.diff(INSTANCE, built, host_inputs()).changes


def test_an_upload_that_was_not_written_down_is_taken_over(
    engine: Engine, built: dict[str, Any], incus: FakeIncus, files: dict[str, str]
) -> None:
    assert built
    del incus.objects["aliases"][("lab", "province-host")]
    before = len(incus.changes())
    engine.create(IMAGE, image_inputs(files))
    assert incus.changes()[before:] == [("POST", "/images/aliases")]


def test_the_same_image_without_our_mark_is_marked_not_uploaded_again(
    engine: Engine, built: dict[str, Any], incus: FakeIncus, files: dict[str, str]
) -> None:
    assert built
    ((_, image),) = [item for item in incus.objects["images"].items() if item[0][0] == "lab"]
    image["properties"] = {"os": "debian"}
    del incus.objects["aliases"][("lab", "province-host")]
    engine.create(IMAGE, image_inputs(files))
    assert image["properties"][IMAGE_MARK] == urn(IMAGE, "province-host")
    assert image["properties"][IMAGE_IDENTITY] == "one"
    assert image["properties"]["os"] == "debian"


def test_an_alias_of_somebody_elses_image_is_refused(
    engine: Engine, incus: FakeIncus, files: dict[str, str]
) -> None:
    engine.create(PROJECT, {"name": "lab"})
    incus.objects["images"][("lab", "abc")] = {"fingerprint": "abc", "properties": {}}
    incus.objects["aliases"][("lab", "province-host")] = {"name": "province-host", "target": "abc"}
    with pytest.raises(IncusError, match="image province-host of project lab exists"):
        engine.create(IMAGE, image_inputs(files))


def test_a_missing_file_is_named(engine: Engine, files: dict[str, str]) -> None:
    engine.create(PROJECT, {"name": "lab"})
    Path(files["rootfs"]).unlink()
    with pytest.raises(IncusError, match=r"its rootfs .*rootfs.tar is not there"):
        engine.create(IMAGE, image_inputs(files))
