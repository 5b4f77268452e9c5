"""Where things are: the repository, an environment's file, its state."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from province.problems import Problem, ProblemsFoundError

REPOSITORY = Path(__file__).resolve().parents[2]
INVENTORIES = REPOSITORY / "inventories"
PROGRAMS = Path(sys.executable).parent  # of the Python environment: ansible-playbook, pytest, ruff, …

# The stack's package and its provider live beside the engine's pins, not in the province package.
STACK_FOLDER = REPOSITORY / "pulumi"


def environment_file(name: str) -> Path:
    """Return the file of an environment by its name, or a problem that lists the names there are."""
    path = INVENTORIES / name / "environment.yml"
    if path.is_file():
        return path
    known = sorted(found.parent.name for found in INVENTORIES.glob("*/environment.yml"))
    raise ProblemsFoundError(
        (
            Problem(
                code="ENV-001",
                file=f"inventories/{name}/environment.yml",
                line=0,
                path="",
                found="no such environment",
                wanted=f"one of {', '.join(known)}",
                remedy="Name an environment that there is (ENV=…), or add its folder.",
            ),
        )
    )


def reach_stack() -> None:
    """Make `province_stack` importable, once."""
    if str(STACK_FOLDER) not in sys.path:
        sys.path.insert(0, str(STACK_FOLDER))


def programs_first() -> dict[str, str]:
    """Return a PATH that finds the environment's own programs first, for the children of a run."""
    return {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
