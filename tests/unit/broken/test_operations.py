"""What commands say that build, reach and keep machines and keys: pinned in problems/<case>.txt.

Nothing here needs a machine: what the cases stand on is missing, foreign, spoilt or held by somebody.
PROVINCE_UPDATE_GOLDEN=1 rewrites the files: review the diff.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi.automation as automation
import pyrage  # type: ignore[import-untyped]  # ships no types
import pytest

from province import contact, stack
from province.cli import main
from province.hosts import load_environment, plan_for
from province.lab import converge
from province.ledger import Kind, Ledger, state_dir
from province.problems import ProblemsFoundError
from province_stack import runner
from tests.support.broken.golden import compare, problems_as_said
from tests.support.repository import ROOT
from tests.unit.contact.test_contact import Machines, target

LAB = ROOT / "inventories/lab/environment.yml"
EDGE, HUB = "wireguard/edge-1", "wireguard/hub-1"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for what environments keep."""
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path))
    return tmp_path


def refused(case: str, state: Path, act: Callable[[], object]) -> None:
    """Something that must fail in sentences."""
    with pytest.raises(ProblemsFoundError) as caught:
        act()
    compare(case, problems_as_said(caught.value.problems, state, ROOT))


# --- the ledger ---------------------------------------------------------------------------------------


def _other_person(state: Path) -> None:
    """The identity that opens another ledger lies here."""
    Ledger.create(state / "other")
    shutil.copy(state / "other/identity.txt", state / "lab/identity.txt")


def _moved(state: Path) -> None:
    place = state / "lab/ledger/wireguard"
    shutil.copy(place / "hub-1.age", place / "edge-1.age")


def _public_of_another(state: Path) -> None:
    place = state / "lab/ledger/wireguard"
    shutil.copy(place / "hub-1.pub", place / "edge-1.pub")


def _recipient() -> str:
    return str(pyrage.x25519.Identity.generate().to_public())


def _opened(state: Path) -> None:
    (state / "lab/identity.txt").chmod(0o644)


def _opened_by_two(state: Path) -> None:
    Ledger.open(state / "lab").add_recipient(_recipient(), "An")


def _copied(state: Path) -> None:
    Ledger.create(state / "there")
    shutil.rmtree(state / "there/ledger")
    Ledger.open(state / "lab").copy_to(state / "copy.tar")
    archive = state / "copy.tar"
    archive.write_bytes(archive.read_bytes()[:700])


LEDGER: dict[str, tuple[Callable[[Path], object], Callable[[Path, Ledger], object]]] = {
    "ledger-of-a-strange-name": (lambda _: None, lambda _, __: state_dir("Lab 1")),
    "ledger-of-nothing": (lambda s: shutil.rmtree(s / "lab"), lambda s, _: Ledger.open(s / "lab")),
    "ledger-without-identity": (
        lambda s: (s / "lab/identity.txt").unlink(),
        lambda s, _: Ledger.open(s / "lab"),
    ),
    "ledger-with-a-broken-identity": (
        lambda s: (s / "lab/identity.txt").write_text("AGE-SECRET-KEY-1x\n"),
        lambda s, _: Ledger.open(s / "lab"),
    ),
    "ledger-with-two-identities": (
        lambda s: (s / "lab/identity.txt").write_text("AGE-SECRET-KEY-1x\nAGE-SECRET-KEY-1y\n"),
        lambda s, _: Ledger.open(s / "lab"),
    ),
    "ledger-of-somebody-else": (_other_person, lambda s, _: Ledger.open(s / "lab").secret(EDGE)),
    "ledger-half-a-pair": (
        lambda s: (s / "lab/ledger/wireguard/edge-1.age").unlink(),
        lambda _, ledger: ledger.ensure_keypair(EDGE, Kind.WIREGUARD),
    ),
    "ledger-entry-moved": (_moved, lambda _, ledger: ledger.secret(EDGE)),
    "ledger-public-half-of-another": (
        _public_of_another,
        lambda _, ledger: ledger.ensure_keypair(EDGE, Kind.WIREGUARD),
    ),
    "ledger-open-to-others": (_opened, lambda s, _: Ledger.open(s / "lab")),
    "ledger-another-kind": (lambda _: None, lambda _, ledger: ledger.ensure_keypair(EDGE, Kind.SSH)),
    "ledger-strange-recipient": (lambda _: None, lambda _, ledger: ledger.add_recipient("age1x", "An")),
    "ledger-recipient-of-nobody": (lambda _: None, lambda _, ledger: ledger.add_recipient(_recipient(), "")),
    "ledger-recipient-of-a-taken-name": (
        lambda _: None,
        lambda _, ledger: ledger.add_recipient(_recipient(), "lab: first operator"),
    ),
    "ledger-removal-of-nobody": (lambda _: None, lambda _, ledger: ledger.remove_recipient("An")),
    "ledger-removal-of-oneself": (
        lambda _: None,
        lambda _, ledger: ledger.remove_recipient("lab: first operator"),
    ),
    "ledger-removal-of-one-too-many": (_opened_by_two, lambda _, ledger: ledger.remove_recipient("An")),
    "ledger-copy-that-is-none": (_copied, lambda s, _: Ledger.restore(s / "there", s / "copy.tar")),
    "ledger-copy-over-a-ledger": (
        lambda _: None,
        lambda s, _: Ledger.restore(s / "lab", s / "copy.tar"),
    ),
    "ledger-strange-entry": (lambda _: None, lambda _, ledger: ledger.secret("../edge-1")),
    "ledger-unknown-entry": (lambda _: None, lambda _, ledger: ledger.secret("wireguard/egde-1")),
}


@pytest.mark.parametrize("case", LEDGER)
def test_what_a_ledger_refuses(case: str, state: Path) -> None:
    ledger = Ledger.create(state / "lab")
    for name in (EDGE, HUB):
        ledger.ensure_keypair(name, Kind.WIREGUARD)
    spoil, act = LEDGER[case]
    spoil(state)
    refused(case, state, lambda: act(state, ledger))


# --- first contact ------------------------------------------------------------------------------------


def test_an_instance_that_is_not_there_is_named(state: Path) -> None:
    desk = contact.Desk(state / "lab")
    refused("contact-no-instance", state, lambda: contact.contact(desk, Machines(), "lab", [target()]))


def test_a_host_that_does_not_answer_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: Any) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(contact, "_await_sshd", silent)
    desk = contact.Desk(state / "lab")
    refused("contact-no-answer", state, lambda: contact.contact(desk, Machines("edge-1"), "lab", [target()]))


def test_an_existing_host_is_wanted_by_its_key(state: Path) -> None:
    environment = load_environment(LAB)
    object.__setattr__(environment, "provider", "none")
    refused("contact-no-key", state, lambda: contact.first_contact(environment, plan_for(environment)))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("contact-unknown-host", ["--host", "egde-1"]),
        ("contact-strange-key", ["--host", "edge-1", "--host-key", "ssh-rsa AAAA"]),
    ],
)
@pytest.mark.usefixtures("state")
def test_a_host_on_the_command_line_is_checked(
    case: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contact", "lab", *words]) == 1
    compare(case, capsys.readouterr().err)


# --- the stack ----------------------------------------------------------------------------------------


class Known(runner.Stack):
    """A stack of which nothing is asked but its state."""

    def __init__(self, state: Path, resources: list[dict[str, Any]]) -> None:
        super().__init__("lab", lambda: None, engine=state, state=state / "lab")
        self.known = resources

    def resources(self) -> list[dict[str, Any]]:
        """What the state has."""
        return self.known

    def refresh(self) -> runner.Summary:
        """Nothing is there."""
        return runner.Summary(operations={}, unchanged=0, seconds=0.0)

    def _open(self) -> Any:
        return self

    def export_stack(self) -> automation.Deployment:
        """The state, as the engine gives it."""
        return automation.Deployment(version=3, deployment={"resources": []})

    def import_stack(self, deployment: automation.Deployment) -> None:
        """Taken, and gone again with the next look."""
        assert deployment.deployment


ESTATE = [
    {"urn": "urn:pulumi:lab::province::province:estate:Estate::lab", "type": "province:estate:Estate"},
    {
        "urn": "urn:pulumi:lab::province::pulumi:providers:incus::incus",
        "type": "pulumi:providers:incus",
        "id": "1",
    },
]
NETWORK = ("incus:index:Network", "srv", "lab/srv")


def _component() -> list[dict[str, Any]]:
    kind = runner._COMPONENTS[NETWORK[0]] or "province:estate:Estate"
    return [*ESTATE, {"urn": f"urn:pulumi:lab::province::{kind}::srv", "type": kind}]


def test_an_object_of_no_component_is_not_taken_in(state: Path) -> None:
    refused("stack-no-component", state, lambda: Known(state, []).import_object(*NETWORK))


def test_an_object_that_is_not_there_is_not_taken_in(state: Path) -> None:
    refused("stack-no-object", state, lambda: Known(state, _component()).import_object(*NETWORK))


def test_a_stack_that_another_run_holds_is_waited_for_and_named(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = state / f"lab/pulumi/.pulumi/locks/organization/{runner.PROJECT}/lab/a.json"
    lock.parent.mkdir(parents=True)
    monkeypatch.setattr(runner, "_LOCK_PATIENCE", -1.0)
    lock.write_text(json.dumps({"pid": 4711, "hostname": "desk-2"}))
    refused("stack-held", state, lambda: Known(state, []).up())


def test_what_the_engine_says_is_told(state: Path) -> None:
    class Failing(Known):
        def _open(self) -> Any:
            result = automation.CommandResult(stdout="", stderr="error: no space left\n", code=255)
            raise automation.CommandError(result)

    refused("stack-fails", state, lambda: Failing(state, []).up())


def test_without_an_engine_there_is_no_stack(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack, "engine_root", lambda: None)
    monkeypatch.setattr(stack, "cached_image", lambda: None)
    assert main(["stack", "preview", "lab"]) == 1
    compare("stack-no-engine", capsys.readouterr().err)
    monkeypatch.setattr(stack, "engine_root", lambda: state)
    assert main(["stack", "preview", "lab"]) == 1
    compare("stack-no-image", capsys.readouterr().err)


# --- runs ---------------------------------------------------------------------------------------------


def test_a_layer_that_there_is_not_is_refused(state: Path) -> None:
    refused("run-unknown-layer", state, lambda: converge.playbook_of("names"))


def test_a_run_or_a_host_that_there_is_not_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (state / "logs").exists()
    assert main(["runs", "lab", "1"]) == 1
    compare("run-unknown-number", capsys.readouterr().err)
    assert main(["runs", "lab", "--host", "ns-9"]) == 1
    compare("run-unknown-host", capsys.readouterr().err)


def test_an_environment_that_there_is_not_is_refused(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not list(state.iterdir())
    assert main(["status", "labb"]) == 1
    compare("run-unknown-environment", capsys.readouterr().err)
