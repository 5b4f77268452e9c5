"""`province keys`: which WireGuard keys there are, and a new one for a host without a lost packet.

A tunnel whose key changes carries nothing until both ends have the new one. So each tunnel of the host is
done by itself, while traffic goes through the unit's other hub: drawn off in both directions, new keys on
both ends, a session again, next. `province.rotation` has how far it is.
"""

from __future__ import annotations

import argparse
import ipaddress
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from province import rotation
from province.ledger import Kind, Ledger, state_dir
from province.observe import frr, iproute
from province.rotation import NONE, Rotation, heir
from province.run.failure import fail
from province.run.session import run_session

if TYPE_CHECKING:
    from province.hosts import Environment, Host
    from province.plan.model import Peer, Plan
    from province.run.progress import Progress, Running

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PLAYBOOK = "tunnels.yml"
# A session is dialled again every five seconds, and a hub tells of it once the kernel has the route.
MOVED_WITHIN = 120.0
_DAY = 86400
_EVERY = 0.3
_ANSWER_WITHIN = 15

# Longer than BFD takes to see that a tunnel is dead: what looks established may not have noticed yet.
STEADY = 1.5

HANDSHAKES = "wg show all latest-handshakes"
SESSIONS = "vtysh -c 'show bgp summary json'"
LEARNT = {
    4: "ip -json -4 route show protocol bgp",
    6: "ip -json -6 route show protocol bgp",
}


def add_commands(subparsers: Subparsers) -> None:
    """Add `province keys`."""
    keys = subparsers.add_parser("keys", help="keys of WireGuard tunnels: list, rotate")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="public keys and their age, and what is being replaced")
    rotated = actions.add_parser("rotate", help="give a hub or a unit's gateway a new key, losing no packet")
    for action in (listed, rotated):
        action.add_argument("environment", help="environment, a folder of inventories/")
    rotated.add_argument("--host", required=True, help="a hub, or the gateway of a unit")
    listed.set_defaults(run=_list)
    rotated.set_defaults(run=_rotate)


def _list(arguments: argparse.Namespace) -> int:
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab.places import environment_file

    environment = load_environment(environment_file(arguments.environment))
    ledger = Ledger.open(state_dir(environment.name))
    publics = ledger.publics()
    for host in built_hosts(environment, plan_for(environment)):
        name = f"wireguard/{host.name}"
        if name in publics:
            days = int(ledger.age(name) // _DAY)
            sys.stdout.write(f"{host.name:<32} {publics[name]}  {days} days\n")
    at = rotation.read(state_dir(environment.name))
    if at.host:
        sys.stdout.write(
            f"The key of {at.host} is being replaced. Go on: {command(environment.name, at.host)}\n"
        )
    return 0


def command(environment: str, host: str) -> str:
    """What a reader types to give a host a new key, or to go on with it."""
    return f"make keys DO=rotate HOST={host}" + ("" if environment == "lab" else f" ENV={environment}")


def _rotate(arguments: argparse.Namespace) -> int:
    from province.lab.places import environment_file

    environment_file(arguments.environment)
    name, host = arguments.environment, arguments.host
    return run_session(
        command(name, host), lambda progress: rotate(name, host, progress), state=state_dir(name)
    )


def rotate(name: str, host: str, progress: Progress) -> int:
    """Give a host a new key in all its tunnels, or go on with that; returns the exit status."""
    from province.hosts import built_hosts, load_environment, plan_for
    from province.lab.places import environment_file

    environment = load_environment(environment_file(name))
    plan = plan_for(environment)
    Work(environment, plan, built_hosts(environment, plan), host, progress).run()
    progress.say(f"{host} has a new key; the old one is gone.")
    return 0


class Work:
    """A replacement, step by step; every step can be repeated."""

    def __init__(
        self, environment: Environment, plan: Plan, hosts: Sequence[Host], host: str, progress: Progress
    ) -> None:
        self.environment, self.plan, self.host, self.progress = environment, plan, host, progress
        self.state = state_dir(environment.name)
        self.again = command(environment.name, host)
        built = {found.name: found.planned for found in hosts}
        self.edges = [name for name, planned in built.items() if planned.machine == "edge"]
        peers = [peer for peer in plan.peers if peer.gateway in built and peer.hub in built]
        noted = rotation.read(self.state)
        # Of a host that is no longer built nothing is left to go on with.
        self.at = noted if any(noted.host in (peer.gateway, peer.hub) for peer in peers) else NONE
        self.gateways = {peer.gateway: peer.unit for peer in peers if host in (peer.gateway, peer.hub)}
        self.peers = [peer for peer in peers if peer.gateway in self.gateways]
        self.addresses = {
            peer.hub: {
                str(address.ip) for interface in built[peer.hub].interfaces for address in interface.addresses
            }
            for peer in self.peers
        }
        # What carries nothing anyway goes first: one move less for a unit.
        own = sorted((peer for peer in self.peers if peer.gateway == host), key=lambda peer: peer.preferred)
        self.hubs = [peer.hub for peer in own] or [host]

    def run(self) -> None:
        """All of it, or what a run that was killed has left to do."""
        with self.progress.step("keys:check", "other ways of its units") as running:
            self.check()
            self.begin()
            running.done(f"{len(self.gateways)} units have another")
        for hub in self.hubs:
            if hub in self.at.moved and hub != self.at.drained:
                continue
            with self.progress.step("keys:draw-off", f"draw traffic off {hub}") as running:
                self.draw_off(hub, running)
            with self.progress.step("keys:renew", f"new key towards {hub}") as running:
                self.renew(hub, running)
        with self.progress.step("keys:return", "back to the usual way") as running:
            self.come_back(running)
        self.end()

    def tunnels(self, hub: str) -> list[Peer]:
        """The host's tunnels with a hub; of a hub: all of them."""
        return [peer for peer in self.peers if peer.hub == hub and self.host in (peer.gateway, hub)]

    def check(self) -> None:
        """Refuse what would cut somebody off."""
        if not self.peers:
            raise fail(
                tried=f"find tunnels of {self.host}",
                where=f"environment {self.environment.name}",
                came_back="no built hub or gateway of a unit has this name",
                next_command=f"province keys list {self.environment.name}",
            )
        if self.at.host not in ("", self.host):
            raise fail(
                tried=f"give {self.host} a new key",
                where=str(self.state / rotation.FILE),
                came_back=f"the key of {self.at.host} is being replaced",
                next_command=f"{command(self.environment.name, self.at.host)}; then: {self.again}",
            )
        if self.at.host:
            return  # what is drawn off may be down: that is what there is to go on with
        for gateway in self.gateways:
            if len([peer for peer in self.peers if peer.gateway == gateway]) < 2:
                raise fail(
                    tried=f"find another way for {gateway}",
                    where=f"environment {self.environment.name}",
                    came_back="it has one hub: a new key there would cut it off",
                    next_command="raise the members of its hub to 2, make up; then: " + self.again,
                )
        self._wait("every session of its units", self._all_established, within=_ANSWER_WITHIN)

    def begin(self) -> None:
        """Make the key to come."""
        ledger = Ledger.open(self.state)
        if not self.at.host:
            ledger.forget(self._heir)  # left by a run that was killed after all was done: it is in use
            self._note(Rotation(host=self.host))
        ledger.ensure_keypair(self._heir, Kind.WIREGUARD)

    def draw_off(self, hub: str, running: Running) -> None:
        """Have both directions take the other hub; what does so already stays untouched."""
        self._note(replace(self.at, drained=hub))
        if not self._off(hub):
            self._apply([self.host], running)
        self._wait(f"traffic off {hub}", lambda: self._off(hub))
        running.done("both directions go another way")

    def renew(self, hub: str, running: Running) -> None:
        """Give both ends of the drawn-off tunnels the new key."""
        self._note(replace(self.at, moved=tuple(dict.fromkeys((*self.at.moved, hub)))))
        tunnels = self.tunnels(hub)
        self._apply([self.host, *map(self._other_end, tunnels)], running)
        self._wait(f"handshakes with {hub}", lambda: self._shaken(tunnels))
        self._wait(f"sessions with {hub}", lambda: self._established(tunnels), steady=STEADY)
        running.done(f"{len(tunnels)} tunnels have it")

    def come_back(self, running: Running) -> None:
        """Let traffic take the way that it takes by plan."""
        self._note(replace(self.at, drained=""))
        self._apply([self.host], running)
        self._wait("the usual way", self._usual)
        running.done("both directions")

    def end(self) -> None:
        """Make the new key the only one."""
        ledger = Ledger.open(self.state)
        ledger.succeed(f"wireguard/{self.host}", self._heir)
        self._note(NONE)
        ledger.forget(self._heir)

    @property
    def _heir(self) -> str:
        return f"wireguard/{heir(self.host)}"

    def _note(self, at: Rotation) -> None:
        rotation.write(self.state, at)
        self.at = at

    def _apply(self, hosts: Iterable[str], running: Running) -> None:
        from province.lab.converge import converge

        limit = ",".join(hosts)
        converge(self.environment.name, self.progress, running, playbook=PLAYBOOK, limit=limit)

    def _other_end(self, tunnel: Peer) -> str:
        return tunnel.hub if tunnel.gateway == self.host else tunnel.gateway

    def _wait(
        self, what: str, done: Callable[[], bool], within: float = MOVED_WITHIN, steady: float = 0.0
    ) -> None:
        """Until something is so, and has been for `steady` seconds."""
        since = began = time.monotonic()
        deadline = began + within
        while True:
            if not done():
                since = time.monotonic()
            elif time.monotonic() - since >= steady:
                return
            if time.monotonic() > deadline:
                raise fail(
                    tried=f"wait for {what}",
                    where=self.host,
                    came_back=f"not within {within:.0f} s; traffic goes on by the hub that it takes now",
                    next_command=f"docs/runbooks/wan.md, then: {self.again}",
                )
            time.sleep(_EVERY)

    def _shaken(self, tunnels: Sequence[Peer]) -> bool:
        """Whether the other ends have heard from the new key; of one they only know, the time is zero."""
        new = Ledger.open(self.state).public(self._heir)
        said = self._ask({self._other_end(peer): HANDSHAKES for peer in tunnels})
        lines = {host: [line.split() for line in text.splitlines()] for host, text in said.items()}
        return all(any(key == new and at != "0" for _, key, at in found) for found in lines.values())

    def _all_established(self) -> bool:
        return self._established(self.peers)

    def _established(self, tunnels: Sequence[Peer]) -> bool:
        """Whether the gateways of tunnels have a session through each of them, in both families."""
        said = self._ask({peer.gateway: SESSIONS for peer in tunnels})
        up = {
            (gateway, session.address)
            for gateway, text in said.items()
            for session in frr.sessions(text)
            if session.established and session.received
        }
        return all(
            (peer.gateway, str(address)) in up
            for peer in tunnels
            for address in (peer.hub_address4, peer.hub_address6)
        )

    def _off(self, hub: str) -> bool:
        """Whether nothing takes the tunnels with a hub, seen from the units and from the border routers."""
        return all(hub not in ways for ways in self._ways(self.tunnels(hub)))

    def _usual(self) -> bool:
        preferred = {peer.gateway: peer.hub for peer in self.peers if peer.preferred}
        tunnels = [peer for peer in self.peers if peer.hub == preferred[peer.gateway]]
        return all(ways == {peer.hub} for peer, ways in zip(tunnels, self._ways(tunnels), strict=True))

    def _ways(self, tunnels: Sequence[Peer]) -> list[set[str]]:
        """The hubs that the unit of each tunnel is reached by and goes out by; "" where there is no way."""
        gateways = {peer.gateway for peer in tunnels}
        learnt: dict[str, list[iproute.Route]] = {}
        for version in (4, 6):
            for host, text in self._ask(dict.fromkeys((*gateways, *self.edges), LEARNT[version])).items():
                learnt.setdefault(host, []).extend(iproute.routes(text))
        units = {unit.id: unit for unit in self.plan.units}
        return [
            self._out(peer.gateway, learnt[peer.gateway])
            | {
                way
                for edge in self.edges
                for block in (units[peer.unit].prefix4, units[peer.unit].prefix6)
                for way in self._back(learnt[edge], str(block))
            }
            for peer in tunnels
        ]

    def _out(self, gateway: str, learnt: Iterable[iproute.Route]) -> set[str]:
        interfaces = {p.gateway_interface: p.hub for p in self.peers if p.gateway == gateway}
        return {interfaces.get(route.interface, "") for route in learnt} or {""}

    def _back(self, learnt: Iterable[iproute.Route], block: str) -> set[str]:
        wanted = ipaddress.ip_network(block)
        gateways = [r.gateway for r in learnt if ipaddress.ip_network(r.destination) == wanted]
        return {
            next((hub for hub, own in self.addresses.items() if gateway in own), "") for gateway in gateways
        } or {""}

    def _ask(self, questions: Mapping[str, str]) -> dict[str, str]:
        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(zip(questions, pool.map(self._said, questions, questions.values()), strict=True))

    def _said(self, host: str, question: str) -> str:
        config = str(self.state / "ssh" / "config")
        argv = ["ssh", "-F", config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, question]
        problem = ""
        try:
            done = subprocess.run(  # noqa: S603 - ssh with our own config
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ANSWER_WITHIN,
                check=False,
            )
            problem = done.stderr.strip() or f"exit status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"no answer within {_ANSWER_WITHIN} s"
        if problem:
            raise fail(
                tried=shlex.join([host, question]),
                where=host,
                came_back=problem,
                next_command=f"docs/runbooks/wan.md, then: {self.again}",
            )
        return done.stdout
