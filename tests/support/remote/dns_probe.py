"""Ask name servers all that dnsviz asks, and return what they said. Runs on a host under test.

Standard input: one line of JSON, `{packages, zones: {zone: [server]}}`: the base64 of a zip with dnsviz and
dnspython, and servers as `name=address`. Standard output: what dnsviz wrote down, to be judged elsewhere.
"""

from __future__ import annotations

import base64
import importlib.abc
import importlib.machinery
import json
import sys
import tempfile
from types import ModuleType
from unittest.mock import MagicMock


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for `cryptography`, which hosts do not have: dnsviz loads it always, and asks without it."""

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Every module of that one package."""
        mine = name.partition(".")[0] == "cryptography"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if mine else None

    def create_module(self, _: object) -> ModuleType:
        """A module that has every name."""
        stand_in = MagicMock()
        stand_in.__path__ = []
        return stand_in

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def main() -> None:
    """Four questions at a time: name servers limit how much they answer one source."""
    asked = json.loads(sys.stdin.readline())
    with tempfile.NamedTemporaryFile(suffix=".zip") as packages:
        packages.write(base64.b64decode(asked["packages"]))
        packages.flush()
        sys.path.insert(0, packages.name)
        sys.meta_path.insert(0, _Absent())
        probe = importlib.import_module("dnsviz.commands.probe")
        zones = asked["zones"]
        told = [word for zone in zones for word in ("-x", f"{zone}+:{','.join(zones[zone])}")]
        probe.main(["probe", "-A", "-t", "4", "-d", "1", *told, *zones])


if __name__ == "__main__":
    main()
