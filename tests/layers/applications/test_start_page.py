"""Applications: published by name through the gateway, healthy, and reachable in no other way."""

from __future__ import annotations

import json

import pytest

from tests.support import environment
from tests.support.places import batch, machine
from tests.support.probes import Outcome, Question, questions
from tests.support.state import state
from tests.support.web import page, request

APP = environment.only("app")
START = environment.service("start")
ASKER = environment.only("workstation")


def _ask(host: str, address: str, path: str = "/") -> Question:
    return Question(
        protocol="tcp",
        address=address,
        port=START.ports[0].number,
        payload=request(host, path),
        until="close",
        timeout=5,
        device="staff",
    )


ADDRESSES = [str(address) for address in (*START.addresses4, *START.addresses6)]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("name", START.names)
def test_the_start_page_is_served_under_its_name(name: str, address: str) -> None:
    """Both families, from a unit's PC; the page is this province's."""
    (answer,) = questions(machine(ASKER), [_ask(name, address)])
    assert answer.outcome is Outcome.OPEN
    served = page(answer.payload)
    assert served.status == 200
    assert served.headers["content-type"].startswith("text/html")
    assert environment.plan().name in served.body.decode("utf-8")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_was_not_published_is_refused(address: str) -> None:
    """The gateway guesses nothing: neither another name nor a bare address shows an application."""
    names = (f"intranet.{environment.plan().domain}", address if ":" not in address else f"[{address}]")
    for answer in questions(machine(ASKER), [_ask(name, address) for name in names]):
        assert answer.outcome is Outcome.OPEN
        assert page(answer.payload).status in (403, 404, 421)


def test_containers_are_healthy() -> None:
    """What the health check of each running container says; one for each published application."""
    said = batch(machine(APP), {"ps": "podman ps --all --format json"})["ps"].checked()
    containers = {entry["Names"][0]: entry for entry in json.loads(said)}
    assert len(containers) == len({app["app"] for app in environment.facts(APP)["published"]})
    checks = batch(machine(APP), {name: f"podman healthcheck run {name}" for name in containers})
    assert {name: said.rc for name, said in checks.items()} == dict.fromkeys(containers, 0)


def test_containers_are_published_on_loopback_only() -> None:
    """The gateway is the only way in: TLS, limits and logs will hang on it."""
    ports = {app["backend_port"] for app in environment.facts(APP)["published"]}
    assert ports
    found = {listener.port: listener for listener in state(APP).listeners if listener.port in ports}
    assert set(found) == ports
    assert [listener for listener in found.values() if not listener.loopback] == []
