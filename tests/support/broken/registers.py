"""Real registers as plain data, slices of them, and how they are written into files with known lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.broken.oracle import PROVINCE
from tests.support.repository import ROOT

REAL = ("dien-bien", "hai-phong", "ba-ria-vung-tau-2012")
REGISTERS = ROOT / "inventories/registers"
Files = dict[str, Any]


@cache
def real(name: str) -> tuple[tuple[str, str], ...]:
    """The files of a committed register and their text, province.yml first."""
    folder = REGISTERS / name
    paths = [folder / PROVINCE, *sorted((folder / "units").glob("*.yml"))]
    return tuple((path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


@cache
def _data(name: str) -> Files:
    reader = YAML(typ="safe", pure=True)
    return {file: reader.load(text) for file, text in real(name)}


def whole(name: str) -> Files:
    """The data of a register, free to be changed."""
    return deepcopy(_data(name))


SLICES = 16


def _chosen(name: str, number: int) -> set[str]:
    """Ids of a slice: some units of every file from another start each, and all that stand above them."""
    files = _data(name)
    by_id = {unit["id"]: unit for file, data in files.items() if file != PROVINCE for unit in data["units"]}
    ids = set(files[PROVINCE].get("control_points", ()) if number % 4 == 0 else ())
    for place, (file, data) in enumerate(files.items()):
        if file != PROVINCE and (number + place) % 3:
            units = data["units"]
            ids |= {units[(number * 7 + step * 5) % len(units)]["id"] for step in range(2)}
    todo = list(ids)
    while todo:
        above = by_id[todo.pop()].get("parent")
        if above and above not in ids:
            ids.add(above)
            todo.append(above)
    return ids


@cache
def _slice(name: str, number: int) -> Files:
    ids = _chosen(name, number)
    cut: Files = {}
    for file, data in whole(name).items():
        if file == PROVINCE:
            cut[file] = data
            data.pop("control_points", None)
            continue
        units = [unit for unit in data["units"] if unit["id"] in ids]
        if units:
            cut[file] = {"units": units}
    return cut


def slice_of(name: str, number: int) -> Files:
    """The data of a few units with everything above them, free to be changed."""
    return deepcopy(_slice(name, number % SLICES))


@cache
def slice_text(name: str, number: int) -> tuple[tuple[str, str], ...]:
    """The same units as they are written in the committed files, remarks and all."""
    ids = _chosen(name, number % SLICES)
    cut = []
    for file, text in real(name):
        if file == PROVINCE:
            cut.append((file, re.sub(r"(?m)^control_points:.*\n(?:[ -].*\n)*", "", text)))
            continue
        head, *records = re.split(r"(?m)^(?=  - id: )", text)
        kept = [record for record in records if re.match(r"  - id: (\S+)", record)[1] in ids]  # type: ignore[index] # split there
        if kept:
            cut.append((file, head + "".join(kept)))
    return tuple(cut)


@dataclass
class Written:
    """A file's text, and the line of each place in it."""

    text: str = ""
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)


def written(data: Any) -> Written:
    """Data as YAML: blocks for what a register has as blocks, JSON for everything inside."""
    made = Written()
    out: list[str] = []

    def note(path: tuple[str | int, ...], value: Any) -> None:
        """The place of something in one line, and of all in it."""
        made.lines.setdefault(path, len(out) + 1)
        if isinstance(value, dict | list):
            for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
                note((*path, key), entry)

    def block(path: tuple[str | int, ...], value: Any, indent: str, depth: int) -> None:
        """The lines of a collection."""
        made.lines.setdefault(path, len(out) + 1)
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            head = f"{indent}{scalar(key)}:" if isinstance(value, dict) else f"{indent}-"
            here = (*path, key)
            if not depth or not isinstance(entry, dict | list) or not entry:
                note(here, entry)
                out.append(f"{head} {scalar(entry)}")
            elif isinstance(value, dict):
                made.lines[here] = len(out) + 1
                out.append(head)
                block(here, entry, f"{indent}  ", depth - 1)
            else:
                start = len(out)
                block(here, entry, f"{indent}  ", depth - 1)
                out[start] = f"{indent}- {out[start].lstrip(' ')}"

    if isinstance(data, dict) and data:
        block((), data, "", 3)
    else:
        note((), data)
        out.append(scalar(data))
    made.text = "\n".join(out) + "\n"
    return made


def scalar(value: Any) -> str:
    """A value in one line: words that nobody takes for something else without quotes, the rest as JSON."""
    if isinstance(value, str) and re.fullmatch(r"[a-z]{6,}(_[a-z0-9]+)*(-[a-z0-9]+)*", value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # surrogates cannot be written as they are
        return json.dumps(value)
    return text


def lay(folder: Path, texts: Mapping[str, str | bytes], before: Mapping[str, str | bytes]) -> None:
    """Write the files that differ from what lies there, and take away those that are no more."""
    for file in before.keys() - texts.keys():
        (folder / file).unlink()
    for file, text in texts.items():
        if before.get(file) != text:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
