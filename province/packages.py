"""Which packages hosts and containers need, as the repository itself says: nothing else is fetched.

Three places say it: the recipe of the host image, the tasks of roles, the Containerfiles of applications. A
set is what can stand on one machine together; the mirror adds what the packages of a set need.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPE = Path("province/lab/host_image/packages.txt")
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CONTINUED = re.compile(r"\\\n\s*")
_INSTALL = re.compile(r"\bapt-get\s+(?:-\S+\s+)*install\s+(?P<words>[^&|;\n]+)")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")


@cache
def wanted(root: Path = REPOSITORY) -> dict[str, list[str]]:
    """The sets by name: `hosts`, and one for each application with containers. Names are sorted."""
    base = base_image_packages(root)
    hosts = {*image_packages(root / RECIPE)}
    for role in sorted((root / "roles").iterdir()):
        hosts.update(role_packages(role))
    found = {"hosts": sorted(hosts), "containers": sorted(base)}
    for app in sorted((root / "apps").iterdir()):
        own = {name for file in app.rglob("Containerfile") for name in containerfile_packages(file)}
        if own:
            found[f"app-{app.name}"] = sorted({*base, *own})
    return found


def image_packages(recipe: Path) -> tuple[str, ...]:
    """The packages of the host image, in the recipe's order: one a line, comments from `#`."""
    lines = recipe.read_text(encoding="utf-8").splitlines()
    return tuple(name for line in lines if (name := line.partition("#")[0].strip()))


def role_packages(role: Path) -> list[str]:
    """What a role's tasks install; a list that is a variable is that of the role's defaults."""
    found: list[str] = []
    for file in sorted((role / "tasks").glob("*.yml")):
        for task in yaml.safe_load(file.read_text(encoding="utf-8")) or []:
            named = (task.get("managed_tree") or {}).get("packages") or []
            found += _default(role, named) if isinstance(named, str) else named
    return found


def base_image_packages(root: Path) -> list[str]:
    """What is in the image that all containers start from."""
    return _default(root / "roles/container_host", "{{ container_host_base_packages }}")


def containerfile_packages(file: Path) -> list[str]:
    """What the `apt-get install` lines of a Containerfile name."""
    text = _CONTINUED.sub(" ", file.read_text(encoding="utf-8"))
    words = (word for match in _INSTALL.finditer(text) for word in match["words"].split())
    return [word for word in words if _PACKAGE.fullmatch(word)]


def _default(role: Path, expression: str) -> list[str]:
    match = _VARIABLE.fullmatch(expression.strip())
    defaults: dict[str, Any] = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8")) or {}
    if match is None or not isinstance(defaults.get(match[1]), list):
        raise ValueError(f"{role.name}: {expression} is no list of the role's defaults")
    return list(defaults[match[1]])
