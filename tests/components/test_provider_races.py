"""The provider when somebody else is at work on the same Incus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
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


@dataclass
class Late(FakeIncus):
    """What a killed run had asked for is written down between the next run's look and its wish."""

    mark: str = OURS
    vanishes: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer as Incus 6.0.4 does when the name was taken a moment ago."""
        if request.method == "POST" and request.url.path == "/1.0/networks" and not self.log_of("POST"):
            self.put_there("networks", "default", "pvl-dmz", type="bridge", config={MARK: self.mark})
            refused = 'Failed to create "networks" entry: UNIQUE constraint failed: networks.name'
            self.fail_once("POST", "/networks", 500, refused)
        if request.method == "PUT" and self.vanishes:
            self.vanishes = False
            del self.objects["networks"][KEY]
        return super().answer(request)

    def log_of(self, method: str) -> list[tuple[str, str]]:
        """Return the requests of a method so far."""
        return [entry for entry in self.log if entry[0] == method]


def test_what_a_killed_run_had_asked_for_and_comes_late_is_taken_over(kind: Kind) -> None:
    late = Late()
    with closing(late.client()) as client:
        state = kind.create(client, inputs(kind), OURS, 5.0)
    assert late.objects["networks"][KEY]["config"][MARK] == OURS
    assert state["config"]["ipv4.address"] == "none"
    assert len(late.log_of("POST")) == 1


def test_what_comes_late_and_goes_again_is_made_anew(kind: Kind) -> None:
    late = Late(vanishes=True)
    with closing(late.client()) as client:
        kind.create(client, inputs(kind), OURS, 5.0)
    assert late.objects["networks"][KEY]["config"][MARK] == OURS
    assert len(late.log_of("POST")) == 2


def test_what_comes_late_and_is_anothers_is_left_as_it_is(kind: Kind) -> None:
    late = Late(mark="urn:of:another")
    with closing(late.client()) as client, pytest.raises(IncusError, match=r"belongs to urn:of:another"):
        kind.create(client, inputs(kind), OURS, 5.0)
    assert late.objects["networks"][KEY]["config"] == {MARK: "urn:of:another"}


def test_a_name_that_stays_taken_and_unseen_ends_in_an_error(kind: Kind, busy: Busy, client: Incus) -> None:
    for _ in range(20):
        busy.fail_once("POST", "/networks", 500, "UNIQUE constraint failed: networks.name")
    with pytest.raises(IncusError, match="UNIQUE"):
        kind.create(client, inputs(kind), OURS, 1.0)


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
