"""A copy of the repository's sources in which a test may break something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SOURCES = (
    "apps",
    "docs/reference/app.schema.json",
    "inventories/catalogue",
    "inventories/common",
    "inventories/lab",
    "inventories/registers/dien-bien",
    "playbooks/layers",
    "playbooks/site.yml",
    "roles",
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy; it is the working directory, and no ledger of this machine is read."""
    root = tmp_path / "tree"
    for name in SOURCES:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path / "state"))
    return root
