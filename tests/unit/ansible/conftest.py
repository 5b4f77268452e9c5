"""The plugins under test, loaded from where Ansible finds them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def plugin(path: str) -> ModuleType:
    """A plugin of the repository as a Python module."""
    name = "plugin_" + path.removesuffix(".py").replace("/", "_")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def module() -> ModuleType:
    """The module managed_tree."""
    return plugin("playbooks/plugins/modules/managed_tree.py")


@pytest.fixture(scope="session")
def action() -> ModuleType:
    """The action plugin managed_tree."""
    return plugin("playbooks/plugins/action/managed_tree.py")


@pytest.fixture(scope="session")
def progress() -> ModuleType:
    """The callback progress."""
    return plugin("playbooks/plugins/callback/progress.py")
