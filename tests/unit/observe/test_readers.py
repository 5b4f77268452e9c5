"""Readers of command output against captured output: a case is data, <reader>/<case>.json.

`function` is called with `output`; its result as plain data must equal `expected`. A new release of a
program means a new case.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.json"))
READERS = {"nft", "frr", "wireguard", "iproute", "sockets", "chrony", "systemd", "ntp", "dns"}


def plain(value: Any) -> Any:
    """The same as JSON can write it; a key of several parts becomes one text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else " ".join(map(str, key)): plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_reader_understands_captured_output(case: Path) -> None:
    told = json.loads(case.read_text(encoding="utf-8"))
    module = importlib.import_module(f"province.observe.{case.parent.name}")
    output = bytes.fromhex(told["output"]) if told.get("hex") else told["output"]
    assert plain(getattr(module, told["function"])(output)) == told["expected"]


def test_every_reader_has_captured_output() -> None:
    """An unread format would pass by absence."""
    assert {case.parent.name for case in CASES} == READERS
