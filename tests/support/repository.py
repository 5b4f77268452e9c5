"""The repository itself, for tests of how it is written."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "__pycache__", "node_modules"}


def own_files() -> list[Path]:
    """Every file of the project, tracked or about to be: what git does not ignore."""
    if (ROOT / ".git").exists():
        asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout
        paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    else:  # an unpacked release
        paths = [path for path in ROOT.rglob("*") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    found = [path for path in paths if path.is_file() and not path.is_symlink()]
    assert len(found) > 100, "the files of the project were not found"
    return sorted(found)


def text_of(path: Path) -> str | None:
    """The text of a file; None for one that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def shown(path: Path) -> str:
    """A path as the reader knows it."""
    return str(path.relative_to(ROOT))


ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/tasks/main.yml"))
ENVIRONMENTS = sorted(path.parent for path in (ROOT / "inventories").glob("*/environment.yml"))
LAYERS = ["base", "network", "logs", "naming", "mirror", "applications"]
