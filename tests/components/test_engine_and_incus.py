"""The real engine and a real Incus: a small estate made, changed, drifted, killed, and taken away.

Everything here is in a project, a pool and networks of its own (prefix `ptc`). Where the engine, Incus
or the host image are not on the machine these tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from province.incus import Endpoint, Incus, IncusError
from province.lab.engine import engine_root
from province.problems import ProblemsFoundError
from province_stack.estate import Estate, EstateArgs, ImageArgs
from province_stack.host import HostArgs, Nic
from province_stack.runner import Stack
from province_stack.segment import SegmentArgs
from tests.support.eventually import eventually

PROJECT = "ptc-lab"
ROOT = Path(__file__).resolve().parents[2]
ADDRESS4 = "198.18.255.1/28"  # RFC 2544: nobody's, and no network of a plan


def incus_answers() -> bool:
    try:
        Incus(Endpoint()).request("GET", "")
    except IncusError:
        return False
    return True


ENGINE = engine_root()
pytestmark = [
    pytest.mark.skipif(ENGINE is None, reason="no Pulumi engine on this machine: make up builds it"),
    pytest.mark.skipif(not incus_answers(), reason="no Incus answers on this machine: make up starts it"),
    pytest.mark.xdist_group("engine"),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageArgs:
    """An image that is no more than Incus asks of one: instances of it are made, not started."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "metadata.yaml").write_text("architecture: x86_64\ncreation_date: 1\nproperties: {os: none}\n")
    (folder / "sbin").mkdir()
    (folder / "sbin/init").write_text("#!/bin/sh\n")
    tar = ["tar", "-C", str(folder), "-cf"]
    subprocess.run([*tar, str(folder / "metadata.tar"), "metadata.yaml"], check=True)
    subprocess.run([*tar, str(folder / "rootfs.tar"), "sbin"], check=True)
    return ImageArgs(
        alias="ptc-image",
        metadata=str(folder / "metadata.tar"),
        rootfs=str(folder / "rootfs.tar"),
        identity="one",
    )


def arguments(image: ImageArgs, hosts: int, project: str = PROJECT) -> EstateArgs:
    return EstateArgs(
        province="thu",
        endpoint=Endpoint(),
        project=project,
        pool=PROJECT,
        own_pool=True,
        image=image,
        segments=(
            SegmentArgs(name="ptc-dmz", kind="isolated", description="trial"),
            SegmentArgs(name="ptc-mgmt", kind="management", description="trial", address4=ADDRESS4),
        ),
        hosts=tuple(
            HostArgs(
                province="thu",
                name=f"ptc-{number}",
                project=project,
                image=image.alias,
                profile="province",
                nics=(Nic(name="mgmt", network="ptc-mgmt"),),
                memory="64MiB",
            )
            for number in range(1, hosts + 1)
        ),
    )


def stack_of(state: Path, image: ImageArgs, hosts: int) -> Stack:
    assert ENGINE is not None
    args = arguments(image, hosts)

    def program() -> None:
        Estate("ptc", args)

    return Stack("ptc", program, engine=ENGINE, state=state)


@pytest.fixture
def state(tmp_path: Path, image: ImageArgs) -> Iterator[Path]:
    yield tmp_path / "ptc"
    stack_of(tmp_path / "ptc", image, 0).destroy()
    incus = Incus(Endpoint())
    assert incus.find(f"/projects/{PROJECT}") is None
    assert incus.find(f"/storage-pools/{PROJECT}") is None
    assert incus.find("/networks/ptc-mgmt") is None
    incus.close()


@pytest.fixture
def incus() -> Iterator[Incus]:
    client = Incus(Endpoint())
    yield client
    client.close()


# Project, pool, image, profile and two networks.
FIXED = 6


def test_an_estate_is_made_kept_healed_and_taken_away(state: Path, image: ImageArgs, incus: Incus) -> None:
    """One story, because each step costs seconds: up, again, preview, drift, refresh, import, remove."""
    none = stack_of(state, image, 0)
    assert none.up().operations == {"create": FIXED}
    again = none.up()
    assert (again.changed, again.unchanged, again.drifted) == (0, FIXED, 0)

    one = stack_of(state, image, 1)
    assert one.preview().operations == {"create": 1}
    assert incus.find("/instances/ptc-1", project=PROJECT) is None

    # Somebody changed a network by hand, and removed another.
    network = incus.request("GET", "/networks/ptc-mgmt").metadata
    network["config"]["ipv4.nat"] = "true"
    incus.change("PUT", "/networks/ptc-mgmt", body={key: network[key] for key in ("config", "description")})
    incus.change("DELETE", "/networks/ptc-dmz")
    assert none.refresh().drifted == 2
    healed = none.up()
    assert healed.operations == {"update": 1, "create": 1}
    assert incus.request("GET", "/networks/ptc-mgmt").metadata["config"]["ipv4.nat"] == "false"

    # A profile of the same name as ours that somebody else made is left alone, until it is imported.
    incus.change("DELETE", "/profiles/province", project=PROJECT)
    incus.change("POST", "/profiles", project=PROJECT, body={"name": "province", "config": {}})
    incus_profile = "/profiles/province"
    assert none.refresh().drifted == 1
    profile = incus.request("GET", incus_profile, project=PROJECT).metadata
    assert profile["config"] == {}
    assert none.up().operations == {"update": 1}
    assert incus.request("GET", incus_profile, project=PROJECT).metadata["config"]["boot.autostart"] == "true"


def test_an_object_that_is_not_ours_is_refused_then_imported(
    state: Path, image: ImageArgs, incus: Incus
) -> None:
    incus.change("POST", "/networks", body={"name": "ptc-dmz", "type": "bridge", "config": _NO_ADDRESSES})
    none = stack_of(state, image, 0)
    try:
        with pytest.raises(ProblemsFoundError, match=r"ptc-dmz .*carries no mark") as caught:
            none.up()
        assert "Traceback" not in str(caught.value)
        assert "rpc error" not in str(caught.value)
        none.import_object("incus:index:Network", "ptc-dmz", "default/ptc-dmz")
    except BaseException:
        incus.change("DELETE", "/networks/ptc-dmz")
        raise
    assert none.up().operations["update"] == 1
    assert none.up().changed == 0


_NO_ADDRESSES = {"ipv4.address": "none", "ipv6.address": "none"}

_RUN = """
import sys
from pathlib import Path
from tests.components.test_engine_and_incus import ImageArgs, stack_of
stack_of(Path(sys.argv[1]), ImageArgs(*[], **__import__("json").loads(sys.argv[2])), 0).up()
"""


@pytest.mark.parametrize("moment", ["locked", "creating"])
def test_a_killed_run_is_healed_by_the_next(state: Path, image: ImageArgs, incus: Incus, moment: str) -> None:
    """Killed with SIGKILL, engine and all: as by the OOM killer, or by a person."""
    given = json.dumps({key: getattr(image, key) for key in ("alias", "metadata", "rootfs", "identity")})
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'pulumi'}"}
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(state), given],
        env=environment,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    locks = state / "pulumi/.pulumi/locks"
    reached = {
        "locked": lambda: any(locks.rglob("*.json")),
        "creating": lambda: incus.find(f"/projects/{PROJECT}") is not None,
    }
    try:
        # The whole run takes a second: half of one, as is usual, would miss the moment.
        eventually(reached[moment], within=30, every=0.01)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert any(locks.rglob("*.json")), "the run was over before it was killed"
    healed = stack_of(state, image, 0)
    assert healed.up().changed > 0
    assert healed.up().changed == 0


@pytest.mark.parametrize("left", ["", '{"version": 3, "checkp'])
def test_a_state_left_half_written_is_made_good(state: Path, image: ImageArgs, left: str) -> None:
    """With the engine's copy and without it: what exists is taken over by its mark, not made again."""
    stack = stack_of(state, image, 0)
    assert stack.up().changed > 0
    checkpoint = next((state / "pulumi/.pulumi/stacks").rglob("ptc.json"))
    for attributes in checkpoint.parent.glob("*.attrs"):
        attributes.write_text(left)
    assert stack_of(state, image, 0).up().changed == 0
    checkpoint.write_text(left)
    assert stack_of(state, image, 0).up().operations.get("replace", 0) == 0
    for copy in checkpoint.parent.glob("ptc.json*"):
        copy.write_text(left)
    stack_of(state, image, 0).up()
    assert stack_of(state, image, 0).up().changed == 0
