"""What the checks stand on: programs that run on hosts, tried here over loopback."""

from __future__ import annotations

import socket
from pathlib import Path

import paramiko
import pytest

from tests.support.eventually import NotYetError, eventually
from tests.support.places import Local, NoLabError, batch, known_hosts
from tests.support.probes import Listener, Outcome, Question, listening, questions

HERE = Local("here")


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_eventually_returns_the_first_truth() -> None:
    answers = iter([0, None, "yes", "later"])
    assert eventually(lambda: next(answers), within=1, every=0.01) == "yes"


def test_eventually_says_what_it_saw_last() -> None:
    def neighbours() -> list[str]:
        raise AssertionError("one of two neighbours is up")

    with pytest.raises(NotYetError, match="one of two neighbours is up"):
        eventually(neighbours, within=0.05, every=0.01)


def test_eventually_lets_a_mistake_of_the_check_through() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0, within=5)


def test_commands_run_side_by_side_and_say_what_they_said() -> None:
    said = batch(
        HERE, {"good": "echo good; echo oops >&2", "bad": "exit 3", "slow": "exec sleep 30"}, timeout=0.5
    )
    assert (said["good"], said["good"].rc, said["good"].err) == ("good\n", 0, "oops\n")
    assert said["bad"].rc == 3
    assert said["slow"].rc == 124
    with pytest.raises(AssertionError, match="status 3"):
        said["bad"].checked()


@pytest.mark.parametrize(
    ("protocol", "address"), [("tcp", "127.0.0.1"), ("udp", "127.0.0.1"), ("tcp", "::1"), ("udp", "::1")]
)
def test_a_listener_answers_and_remembers_who_came(free_port: int, protocol: str, address: str) -> None:
    with listening(HERE, [Listener(protocol, address, free_port)]) as guests:
        (answer,) = questions(HERE, [Question(protocol=protocol, address=address, port=free_port)])
        assert answer.outcome is Outcome.OPEN
    assert len(guests.from_address(address)) == 2, "the listener's own trial and the question"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_nobody_listening_is_refused(free_port: int, protocol: str) -> None:
    (answer,) = questions(HERE, [Question(protocol=protocol, address="127.0.0.1", port=free_port)])
    assert answer.outcome is Outcome.REFUSED


def test_a_listener_that_never_answers_is_a_timeout() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        question = Question(protocol="udp", address="127.0.0.1", port=silent.getsockname()[1], timeout=0.2)
        (answer,) = questions(HERE, [question])
    assert answer.outcome is Outcome.TIMEOUT


def test_an_address_without_a_route_is_unreachable() -> None:
    (answer,) = questions(HERE, [Question(protocol="tcp", address="127.0.0.1", port=9, source="192.0.2.1")])
    assert (answer.outcome, answer.error) == (Outcome.UNREACHABLE, "EADDRNOTAVAIL")


def test_a_taken_port_serves_as_its_own_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        listening(HERE, [Listener("tcp", "127.0.0.1", service.getsockname()[1])]) as guests,
    ):
        pass
    assert guests.arrived == []


def test_until_close_returns_all_bytes(free_port: int) -> None:
    question = Question(protocol="tcp", address="127.0.0.1", port=free_port, payload=b"hello", until="close")
    with listening(HERE, [Listener("tcp", "127.0.0.1", free_port)]):
        (answer,) = questions(HERE, [question])
    assert answer.payload.startswith(b"province-listener")


def test_asking_nothing_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="pass by absence"):
        questions(HERE, [])


def test_known_hosts_leaves_certificate_lines_and_reads_the_rest(tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate().get_base64()
    (tmp_path / "known_hosts").write_text(
        f"# ours\n@cert-authority *.example.vn ecdsa-sha2-nistp256 {key}\n"
        f"edge-1,10.0.0.2 ecdsa-sha2-nistp256 {key}\n"
    )
    (entry,) = known_hosts(tmp_path / "known_hosts")
    assert entry.hostnames == ["edge-1", "10.0.0.2"]


def test_without_an_environment_the_sentence_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoLabError, match="`make up` builds it"):
        known_hosts(tmp_path / "known_hosts")
