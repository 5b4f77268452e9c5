"""Where the input of a plan lies: a register, the catalogue and the applications beside it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from province.apps import App, check_apps
from province.plan.build import make_plan
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.register.catalogue import Catalogue, load_catalogue
from province.register.model import Register, load_register

REPOSITORY = Path(__file__).resolve().parents[1]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles, for work that makes very many objects and no cycles.

    It would go through all of them again and again, which takes longer than the work itself. What was made
    counts as old afterwards: else the first thing to come would have the collector go through it after all.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        if was:
            gc.enable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a plan is made from, read and checked."""

    register: Register
    catalogue: Catalogue
    apps: tuple[App, ...]

    @uncollected()
    def plan(self, members: Mapping[str, int] | None = None) -> Plan:
        """The plan that follows; `members` as in `make_plan`."""
        return make_plan(self.register, self.catalogue, self.apps, members)


def called(path: Path) -> str:
    """How messages name a file: from the repository's root where it lies inside, else as it was given."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):  # a loop of links; reading the file says so
        return str(path)
    for base in (REPOSITORY, Path.cwd()):
        if resolved.is_relative_to(base) and resolved != base:
            return resolved.relative_to(base).as_posix()
    return str(path)


@uncollected()
def load_sources(
    register: Path, name: Callable[[Path], str] = called, otherwise: Sources | None = None
) -> Sources:
    """Read a register with the catalogue and applications of its tree.

    `register` is a folder. When it lies in `inventories/registers/`, that tree's catalogue and
    applications hold; otherwise, or where the tree has none, the repository's. `name` says how messages
    call a file. With `otherwise`, a catalogue and applications that are not there, or that cannot be read
    as they are written today, are taken from it: then `.catalogue is otherwise.catalogue`. Raises
    ProblemsFoundError with all problems of the first part that has any.
    """
    try:
        directory = register.resolve()
    except (OSError, RuntimeError):  # a loop of links
        directory = register
    root = tree_of(directory)
    if not directory.is_dir():
        raise ProblemsFoundError((
            Problem(
                code="REG-001",
                file=name(register),
                line=0,
                path="",
                found="no folder of this name",
                wanted="the folder of a register, with province.yml and units/",
                remedy="Correct the path, or make a register with `province new`.",
            ),
        ))  # fmt: skip
    catalogue, apps = _common(root, name, otherwise)
    # What every unit has for itself is not taken.
    offered = {s.id for s in catalogue.services if s.names and s.machine not in catalogue.unit_machines}
    services = frozenset(offered | {app.id for app in apps})
    return Sources(
        register=load_register(directory, catalogue, services, name), catalogue=catalogue, apps=apps
    )


def _common(
    root: Path, name: Callable[[Path], str], otherwise: Sources | None
) -> tuple[Catalogue, tuple[App, ...]]:
    """What all provinces of a tree have in common."""
    if otherwise and not (root / "inventories/catalogue").is_dir():
        return otherwise.catalogue, otherwise.apps
    try:
        catalogue = load_catalogue(
            _here_or_ours(root, "inventories/catalogue"), name, roles_in(_here_or_ours(root, "roles"))
        )
        contract = _here_or_ours(root, "docs/reference/app.schema.json")
        return catalogue, check_apps(_here_or_ours(root, "apps"), contract, catalogue, name)
    except ProblemsFoundError:
        if otherwise is None:
            raise
        return otherwise.catalogue, otherwise.apps


def tree_of(register: Path) -> Path:
    """The tree that a register belongs to: the folder above `inventories`, else the repository."""
    if register.parent.name == "registers" and register.parents[1].name == "inventories":
        return register.parents[2]
    return REPOSITORY


def roles_in(folder: Path) -> frozenset[str]:
    """Names of the roles of a folder: those that say what they are."""
    return frozenset(path.parents[1].name for path in folder.glob("*/meta/main.yml"))


def _here_or_ours(root: Path, path: str) -> Path:
    return root / path if (root / path).exists() else REPOSITORY / path
