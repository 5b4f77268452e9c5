"""The provider when somebody else is at work on the same Incus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from provider.resources import KINDS, MARK, Kind
from province.incus import Incus, IncusError
from province_stack.estate import Estate, EstateArgs, ImageArgs
from tests.support.fake_incus import FakeIncus
from tests.support.pulumi_mocks import made_by, of_type

OURS = "urn:pulumi:lab::province::incus:index:Network::pvl-dmz"
KEY = ("default", "pvl-dmz")


class Busy(FakeIncus):
    """Somebody changes an object between our look at it and our change of it."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer, after the other has been there."""
        if request.method == "PUT":
            self.objects["networks"][KEY]["description"] = "somebody else's"
        return super().answer(request)


@pytest.fixture
def kind() -> Kind:
    return next(kind for kind in KINDS.values() if kind.noun == "network")


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.fixture
def client(busy: Busy) -> Iterator[Incus]:
    made = busy.client()
    yield made
    made.close()


def inputs(kind: Kind) -> dict[str, Any]:
    given = {"name": "pvl-dmz", "config": {"ipv4.address": "none", "ipv6.address": "none"}}
    checked, failures = kind.check(given)
    assert failures == []
    return checked


def test_a_change_made_meanwhile_by_another_is_not_overwritten(kind: Kind, busy: Busy, client: Incus) -> None:
    busy.put_there("networks", "default", "pvl-dmz", type="bridge", config={MARK: OURS})
    with pytest.raises(IncusError):
        kind.update(client, inputs(kind), OURS, 5.0)
    assert busy.objects["networks"][KEY]["description"] == "somebody else's"


def test_what_goes_away_while_it_is_removed_is_gone(kind: Kind, busy: Busy, client: Incus) -> None:
    busy.put_there("networks", "default", "pvl-dmz", type="bridge", config={MARK: OURS})
    busy.fail_once("DELETE", "/networks/pvl-dmz", 404, "Network not found")
    kind.delete(client, "default/pvl-dmz", {**inputs(kind), "marked": True}, OURS, 5.0)


def test_no_host_is_privileged() -> None:
    from province.incus import Endpoint

    image = ImageArgs(alias="a", metadata="/m", rootfs="/r", identity="one")
    args = EstateArgs(
        province="thu", endpoint=Endpoint(), project="lab", pool="lab", own_pool=True, image=image,
        segments=(), hosts=(),
    )  # fmt: skip
    profile = of_type(made_by(lambda: Estate("trial", args)), "incus:index:Profile")["province"]
    assert profile["config"]["security.privileged"] == "false"
