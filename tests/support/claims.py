"""What roles declare of a host, claim by claim: each a check that asks by testinfra's API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from province.render.configurations import Renderer, Tree, program_for
from tests.support import environment

if TYPE_CHECKING:
    import testinfra.host

KERNEL = "/etc/sysctl.d/90-province.conf"
# How testinfra is asked about each thing.
LOOKS: Mapping[tuple[str, str], Callable[[testinfra.host.Host, str], str | bool]] = {
    ("file", "exists"): lambda host, name: host.file(name).exists,
    ("file", "directory"): lambda host, name: host.file(name).is_directory,
    ("file", "link"): lambda host, name: host.file(name).is_symlink,
    ("file", "mode"): lambda host, name: f"{host.file(name).mode:04o}",
    ("file", "owner"): lambda host, name: host.file(name).user,
    ("file", "group"): lambda host, name: host.file(name).group,
    ("file", "sha256"): lambda host, name: host.file(name).sha256sum,
    ("package", "installed"): lambda host, name: host.package(name).is_installed,
    ("unit", "running"): lambda host, name: host.service(name).is_running,
    ("unit", "enabled"): lambda host, name: host.service(name).is_enabled,
    ("user", "exists"): lambda host, name: host.user(name).exists,
    ("kernel", "value"): lambda host, name: str(host.sysctl(name)),
    ("socket", "listening"): lambda host, name: host.socket(name).is_listening,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must be so: of a `kind` (see LOOKS), `name` says which, `about` what of it."""

    kind: str
    name: str
    about: str
    wanted: str | bool

    @property
    def words(self) -> str:
        """Which claim it is, on its host."""
        return f"{self.kind} {self.name}: {self.about}"

    def __call__(self, host: testinfra.host.Host) -> None:
        """Ask; AssertionError when it is not so."""
        found = LOOKS[self.kind, self.about](host, self.name)
        if found != self.wanted:
            raise AssertionError(f"{found!r}, wanted {self.wanted!r}")

    def wrong(self) -> Claim:
        """The same with another expectation, which does not hold where this one does."""
        wanted = self.wanted
        other: str | bool
        if isinstance(wanted, bool):
            other = not wanted
        elif self.about == "mode":
            other = f"{int(wanted, 8) ^ 0o001:04o}"
        else:
            other = ("0" if wanted[:1] != "0" else "1") + wanted[1:]
        return Claim(self.kind, self.name, self.about, other)


def claims(trees: Iterable[Tree]) -> list[Claim]:
    """What trees claim, each thing once.

    Left out is what only the ledger knows (contents with secrets), whether a unit runs that does its work and
    ends (those that start with the host stay), and that a unit is not enabled: testinfra calls one so that
    cannot be.
    """
    found: dict[tuple[str, str, str], str | bool] = {}
    units: dict[str, dict[str, Any]] = {}
    for tree in trees:
        for file in tree.files:
            said = json.loads(file.line)
            found |= _owned(file.path, said["mode"], said["owner"], said["group"])
            if not file.placeholders:
                found["file", file.path, "sha256"] = said["sha256"]
            if file.path == KERNEL:
                found |= {("kernel", key, "value"): value for key, value in _kernel(file.content.decode())}
        for entry in tree.options.get("directories", []):
            path = entry["path"]
            owned = [entry.get(key, default) for key, default in DEFAULTS.items()]
            found |= _owned(path, *owned)
            found["file", path, "directory"] = True
        for entry in tree.options.get("links", []):
            found |= {("file", entry["path"], about): True for about in ("exists", "link")}
        found |= {("file", path, "exists"): False for path in tree.options.get("absent", [])}
        found |= {("package", name, "installed"): True for name in tree.options.get("packages", [])}
        found |= {("user", entry["name"], "exists"): True for entry in tree.options.get("users", [])}
        for entry in tree.options.get("units", []):
            units[entry["name"]] = {**units.get(entry["name"], {}), **entry}
    for name, unit in units.items():
        found |= {("unit", name, about): value for about, value in _unit(unit)}
    return [Claim(*key, wanted) for key, wanted in found.items()]


DEFAULTS = {"mode": "0755", "owner": "root", "group": "root"}  # of a directory, as managed_tree has them


def _owned(path: str, mode: str, owner: str, group: str) -> dict[tuple[str, str, str], str | bool]:
    wanted: dict[str, str | bool] = {"exists": True, "mode": mode, "owner": owner, "group": group}
    return {("file", path, about): value for about, value in wanted.items()}


def _kernel(text: str) -> Iterable[tuple[str, str]]:
    """Values that a container may set: those with a minus are its host's."""
    yield from re.findall(r"^([a-z][^\s=]*)\s*=\s*(.*?)\s*$", text, re.MULTILINE)


def _unit(unit: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    if unit.get("masked"):
        return
    if unit.get("enabled"):
        yield "enabled", True
        if unit.get("state") == "started":
            yield "running", True
    if unit.get("state") == "stopped":
        yield "running", False


@cache
def _renderer() -> Renderer:
    program = program_for(environment.ROOT, environment.environment_file().parent / "group_vars")
    return Renderer(program, environment.environment(), environment.plan())


@cache
def declared(host: str) -> tuple[Claim, ...]:
    """What is declared of a built host of the environment under test."""
    door = Claim("socket", f"tcp://{environment.management_address(host)}:22", "listening", True)
    return (*claims(_renderer().trees(environment.named(host))), door)
