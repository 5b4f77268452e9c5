"""All codes of problems: where the sources make them, where the tests show them, and what they mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from province import new
from province.hosts import ENVIRONMENT
from province.register import catalogue, model, shape
from tests.support.repository import ROOT

SOURCES = ("province", "pulumi", "playbooks/plugins", "inventories/plugins")
# The reader of YAML files, for all that read one, and the shapes of their records.
READER, SHAPES = ROOT / "province/register/document.py", ROOT / "province/register/shape.py"
READ_BY = {
    "province/register/model.py": "REG",
    "province/register/catalogue.py": "CAT",
    "province/apps.py": "APP",
    "province/hosts.py": "ENV",
    "province/new.py": "DIV",
}
SHAPED: dict[str, tuple[Any, ...]] = {
    "REG": (model.PROVINCE, model.UNITS),
    "CAT": tuple(catalogue._SHAPES.values()),
    "ENV": (ENVIRONMENT,),
    "DIV": (new._DIVISIONS, new._BODIES, new._SLOTS),
}
FAMILIES = {
    "REG": "A register: inventories/registers/<province>",
    "DIV": "A list of divisions, and the bodies and slots beside it: province new --from",
    "NEW": "A register that is about to be written: province new",
    "UNT": "A change of a register: province unit",
    "CAT": "The catalogue: inventories/catalogue",
    "APP": "An application: apps/<application>/app.yml",
    "ENV": "An environment: inventories/<environment>/environment.yml",
    "PLN": "A plan, and comparing plans: province plan, province reference",
    "DRW": "Drawings: province drawing",
    "RND": "Configurations without a connection: province render",
    "LED": "The key ledger: province ledger",
    "STK": "The stack of machines and networks: province stack",
    "CON": "First contact with hosts: province contact",
    "DRF": "Drift, and what of it was accepted: province drift",
    "RUN": "Bringing hosts to what is declared: province converge",
}
# Of files that are read as YAML, whatever they hold.
OF_ANY_FILE = {
    "001": "The file cannot be read: it is not there, no file, or not permitted.",
    "002": "The file is not UTF-8.",
    "003": "The file is no YAML, or YAML with what none of our files needs: tags, a second document.",
    "004": "A key stands twice in a mapping.",
    "005": "An anchor or an alias: every value is written out.",
    "006": "The file, its nesting or the number of its values or problems is beyond a bound.",
    "007": "A character that cannot be seen, or that turns the direction of text.",
    "008": "Line ends of another system, or a byte order mark.",
    "009": "Braces of a template.",
    "010": "A field that there is not.",
    "011": "A field is missing.",
    "012": "A value of another type.",
    "013": "A value of the right type that is not allowed.",
    "014": "Letters in pieces: text is wanted in Unicode NFC.",
    "017": "A letter or sign that names do not have, such as one of another script.",
    "018": "No day of the calendar.",
    "019": "Without quotes, not every reader of YAML takes it for the same.",
}


# Arguments of commands that are checked like fields: always texts, whose normal form the command makes.
OF_ARGUMENTS = {"UNT-013", "UNT-017", "UNT-018"}


def reads_files(family: str) -> bool:
    """Whether codes below 020 of a family are those of any file."""
    return family in READ_BY.values() or any(code.startswith(family) for code in OF_ARGUMENTS)


def _numbers(tree: ast.AST, names: dict[str, str]) -> set[str]:
    """Three digits as text, written out or by the name of a constant."""
    found = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"0\d\d", node.value)
        ):
            found.add(node.value)
        if isinstance(node, ast.Name) and node.id in names:
            found.add(names[node.id])
    return found


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        node.targets[0].id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and re.fullmatch(r"0\d\d", str(node.value.value))
    }


def _shapes(root: Any) -> Iterator[Any]:
    """A shape and all inside it."""
    yield root
    for inner in (getattr(root, "item", None), getattr(root, "key", None)):
        if inner is not None:
            yield from _shapes(inner)
    for entry in getattr(root, "fields", {}).values():
        yield from _shapes(entry.shape)


def _of_shapes(family: str) -> set[str]:
    """Codes that the shapes of a family's files can lead to."""
    tree = ast.parse(SHAPES.read_text(encoding="utf-8"))
    names = _constants(tree)
    classes = {node.name: _numbers(node, names) for node in tree.body if isinstance(node, ast.ClassDef)}
    found: set[str] = set()
    for root in SHAPED.get(family, ()):
        for one in _shapes(root):
            codes = set(classes.get(type(one).__name__, ()))
            if isinstance(one, shape.Text) and not one.characters:
                codes.discard(names["BAD_CHARACTER"])
            found |= codes
    return found


def _families(tree: ast.Module) -> set[str]:
    """The first parts of the codes that a module puts together: f"NEW-{code}"."""
    return {
        match[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant)
        if (match := re.fullmatch(r"([A-Z]{3})-", str(node.values[0].value)))
    }


def in_the_sources() -> set[str]:
    """Every code that the product can say."""
    found: set[str] = set()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            written = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
            found |= {
                text for text in written if isinstance(text, str) and re.fullmatch(r"[A-Z]{3}-\d{3}", text)
            }
            # Modules of this package share what makes its problems.
            beside = sorted(path.parent.glob("*.py")) if path.parent.name == "render" else [path]
            joined = {
                family
                for file in ([path] if _families(tree) else beside)
                for family in _families(ast.parse(file.read_text(encoding="utf-8")))
            }
            assert len(joined) < 2, f"{path}: codes of {joined}"
            of_commands = next(iter(joined), "")
            of_files = READ_BY.get(path.relative_to(ROOT).as_posix(), of_commands)
            stops = {
                number
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_stop"
                for number in _numbers(node, {})
            }
            numbers = _numbers(tree, _constants(tree))
            if of_files == of_commands or not of_commands:
                stops = set()
            found |= {f"{of_files}-{number}" for number in numbers - stops if of_files}
            found |= {f"{of_commands}-{number}" for number in stops}
    reader = _numbers(ast.parse(READER.read_text(encoding="utf-8")), {})
    for family in READ_BY.values():
        found |= {f"{family}-{number}" for number in reader | _of_shapes(family)}
    return found | OF_ARGUMENTS


def shown() -> dict[str, list[str]]:
    """The golden lines by code, each with the file it stands in first."""
    lines: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests/unit").glob("*/problems/*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            lines.setdefault(line[:7], []).append(line)
    return lines


def parts(line: str) -> tuple[str, str, str, str]:
    """Place, what was found, what was wanted, what to do, of a golden line."""
    match = re.fullmatch(r"[A-Z]{3}-\d{3} (.+?): found (.+); wanted (.+?)\. (.+)", line)
    assert match, line
    return match[1], match[2], match[3], match[4]


def folder_of(path: Path) -> str:
    """A folder as the page names it."""
    return path.relative_to(ROOT).as_posix()
