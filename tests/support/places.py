"""Places from which a check can act: a host over SSH, or a network namespace on the controller.

A place runs one of the programs in tests/support/remote in one round trip. Hosts are reached over the
management network with the operator's certificate; their keys are checked against known_hosts of the
environment's state, never trusted on first use.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import paramiko
import testinfra.backend.paramiko
import testinfra.host

from tests.support import environment

REMOTE = Path(__file__).parent / "remote"


class NoLabError(Exception):
    """There is nothing to ask: says what is missing and how to get it."""


class Running(Protocol):
    """A program under way: lines out of it, and its end once standard input is closed."""

    def line(self) -> Any:
        """The next line of JSON that the program printed."""

    def say(self, request: object) -> None:
        """Send another line of JSON."""

    def finish(self) -> Any:
        """Close standard input, wait for the end, return the last line of JSON."""


class Place(Protocol):
    """Somewhere a check can act from."""

    name: str

    def start(self, program: str, request: object) -> Running:
        """Start tests/support/remote/<program>.py with a request."""


def ask(place: Place, program: str, request: object) -> Any:
    """Run a program with a request and return its one answer."""
    return place.start(program, request).finish()


@cache
def source(program: str) -> str:
    """The text of a program of tests/support/remote."""
    return (REMOTE / f"{program}.py").read_text(encoding="utf-8")


class _Process:
    """A program under way, by its streams."""

    def __init__(self, where: str, stdin: Any, stdout: Any, stderr: Any) -> None:
        self.where, self.stdin, self.stdout, self.stderr = where, stdin, stdout, stderr

    def line(self) -> Any:
        text = self.stdout.readline()
        if not text:
            raise RuntimeError(f"{self.where} ended without an answer: {_text(self.stderr.read())}")
        return json.loads(text)

    def say(self, request: object) -> None:
        self.stdin.write(json.dumps(request) + "\n")
        self.stdin.flush()

    def close_input(self) -> None:
        self.stdin.close()

    def finish(self) -> Any:
        self.close_input()
        return self.line()


class _Channel(_Process):
    """The same over SSH, where closing standard input is a message of its own.

    Not by paramiko's `exec_command` of a client: the file that it makes of standard input takes the channel's
    lock when it is collected, and a collection in the thread that holds the lock stands still for good
    (paramiko issue 2685).
    """

    def __init__(self, where: str, channel: paramiko.Channel) -> None:
        super().__init__(where, channel, channel.makefile("r"), channel.makefile_stderr("r"))

    def say(self, request: object) -> None:
        self.stdin.sendall(json.dumps(request).encode() + b"\n")

    def close_input(self) -> None:
        self.stdin.shutdown_write()


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode(errors="replace")


class VerifiedBackend(testinfra.backend.paramiko.ParamikoBackend):  # type: ignore[misc]  # it has no types
    """Testinfra's paramiko backend, on a connection whose host key was checked."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(f"root@{machine.address}")
        self._machine = machine

    @property
    def client(self) -> paramiko.SSHClient:
        """The machine's connection."""
        return self._machine.client


class Machine:
    """A built host, over one persistent SSH connection."""

    def __init__(self, host: str) -> None:
        self.name = host
        self.address = environment.management_address(host)

    @cached_property
    def client(self) -> paramiko.SSHClient:
        """The connection; made once, kept for the session."""
        keys = environment.state_directory() / "ssh"
        client = paramiko.SSHClient()
        for entry in known_hosts(keys / "known_hosts"):
            for host in entry.hostnames:
                client.get_host_keys().add(host, entry.key.get_name(), entry.key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                self.address,
                username="root",
                key_filename=str(keys / "id_ed25519"),  # paramiko takes id_ed25519-cert.pub beside it
                allow_agent=False,
                look_for_keys=False,
                timeout=10,
            )
        except (OSError, paramiko.SSHException) as error:
            raise NoLabError(
                f"{self.name} ({self.address}) does not let the checks in: {error}. "
                f"`make up` builds or heals the {environment.name()}; `make test` does so by itself."
            ) from error
        return client

    @cached_property
    def testinfra(self) -> testinfra.host.Host:
        """The host as testinfra sees it."""
        return testinfra.host.Host(VerifiedBackend(self))

    def start(self, program: str, request: object, within: str = "") -> Running:
        """Start a program on the host, `within` one of its network namespaces if it says so."""
        enter = f"nsenter --net=/run/netns/{shlex.quote(within)} " if within else ""
        command = f"{enter}python3 -c {shlex.quote(source(program))}"
        transport = self.client.get_transport()
        if transport is None or not transport.is_active():
            # The server ends a connection that nobody has used for five minutes.
            del self.__dict__["client"]
            transport = self.client.get_transport()
        assert transport is not None
        channel = transport.open_session(timeout=60)
        channel.settimeout(300)
        channel.exec_command(command)
        channel.sendall(json.dumps(request).encode() + b"\n")
        return _Channel(f"{program} on {self.name}", channel)


class Local:
    """The controller itself, or a network namespace on it."""

    def __init__(self, name: str, namespace: str | None = None) -> None:
        self.name = name
        self.namespace = namespace

    def start(self, program: str, request: object) -> Running:
        """Start a program here, in the namespace if there is one."""
        enter = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        process = subprocess.Popen(
            [*enter, sys.executable, "-c", source(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return _Process(f"{program} in {self.name}", process.stdin, process.stdout, process.stderr)


@cache
def known_hosts(path: Path) -> tuple[paramiko.hostkeys.HostKeyEntry, ...]:
    """The plain host keys of a known_hosts file; certificate lines are left, paramiko cannot verify them."""
    if not path.is_file():
        raise NoLabError(
            f"There is no {environment.name()} on this machine: {path} does not exist. "
            "`make up` builds it; `make test` does so by itself."
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    plain = [line for line in lines if line.strip() and not line.startswith(("@", "#"))]
    entries = [paramiko.hostkeys.HostKeyEntry.from_line(line) for line in plain]
    return tuple(entry for entry in entries if entry is not None and entry.hostnames)


@cache
def machine(host: str) -> Machine:
    """The built host of this name; the same object, and so the same connection, every time."""
    return Machine(host)


def forget() -> None:
    """Know no host any more: those that were made again have other keys, and old connections lead nowhere."""
    known_hosts.cache_clear()
    machine.cache_clear()


class Said(str):
    """What a command printed on standard output, with its status and its complaints."""

    rc: int
    err: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Said:
        """From one answer of the program `commands`."""
        said = cls(answer["out"])
        said.rc, said.err = answer["rc"], answer["err"]
        return said

    def checked(self) -> str:
        """The output of a command that must have worked."""
        assert self.rc == 0, f"status {self.rc}: {self.err.strip() or str(self).strip()}"
        return str(self)


def batch(place: Place, commands: Mapping[str, str], timeout: float = 20) -> dict[str, Said]:
    """Run many shell commands on one place in one round trip, each at most `timeout` seconds."""
    request = {key: {"command": command, "timeout": timeout} for key, command in commands.items()}
    return {key: Said.of(answer) for key, answer in ask(place, "commands", request).items()}


def batch_all(
    hosts: Iterable[str], commands: Mapping[str, str], timeout: float = 20
) -> dict[str, dict[str, Said]]:
    """The same on many hosts at the same time."""
    names = list(hosts)
    with ThreadPoolExecutor(max_workers=6) as pool:
        answers = pool.map(lambda host: batch(machine(host), commands, timeout), names)
        return dict(zip(names, answers, strict=True))
