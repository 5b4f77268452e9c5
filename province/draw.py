"""The command `province drawing`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from province.drawings import SUBJECTS, VIEWS, drawing
from province.drawings.atlas import CLOSED
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.register.document import near, shown
from province.sources import called, load_sources


def add_commands(subparsers: Any) -> None:
    """Add `province drawing`."""
    parser = subparsers.add_parser(
        "drawing",
        help="draw a province, its centre or a unit as SVG",
        description="Draws what is planned as SVG: `--of unit --unit ID`, `--of centre`, `--of province`.",
    )
    parser.add_argument("register", type=Path, help="folder of a register")
    parser.add_argument("--of", choices=tuple(SUBJECTS), required=True, help="what is drawn")
    parser.add_argument(
        "--view", choices=tuple(VIEWS), required=True, help="what it means, or what hangs where"
    )
    parser.add_argument("--unit", default="", metavar="ID", help="the unit, for --of unit")
    parser.add_argument(
        "--source", default="", metavar="TEXT", help="what the title block says it is made from"
    )
    parser.add_argument("--page", type=int, default=1, metavar="N", help="the sheet to print (default: 1)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write all sheets: FILE.svg, FILE-2.svg, … (default: print one)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    sources = load_sources(arguments.register)
    plan = sources.plan()
    _check_unit(plan, arguments.of, arguments.unit, called(arguments.register))
    sheets = drawing(
        plan,
        sources.register,
        sources.catalogue,
        arguments.of,
        arguments.view,
        unit=arguments.unit,
        source=arguments.source,
    )
    if arguments.out is None:
        if not 1 <= arguments.page <= len(sheets):
            raise _stop(
                "004",
                called(arguments.register),
                "--page",
                f"sheet {arguments.page} of a drawing of {len(sheets)}",
                f"1 to {len(sheets)}",
                "Choose one of them, or write all with --out.",
            )
        if len(sheets) > 1:
            sys.stderr.write(f"Sheet {arguments.page} of {len(sheets)}; --page N prints another.\n")
        sys.stdout.write(sheets[arguments.page - 1])
        return 0
    for path in _write(arguments.out, sheets):
        sys.stdout.write(f"{path}\n")
    return 0


def _check_unit(plan: Plan, of: str, unit: str, file: str) -> None:
    """A unit is named exactly when one is drawn, it is in the register, and it has something to draw."""
    if (of == "unit") != bool(unit):
        raise _stop(
            "001",
            file,
            "--unit",
            f"--of {of} {'with' if unit else 'without'} --unit",
            "the id of a unit with --of unit, and with nothing else",
            "Add or remove --unit.",
        )
    if not unit:
        return
    found = next((planned for planned in plan.units if planned.id == unit), None)
    if found is None:
        raise _stop(
            "002",
            file,
            "--unit",
            shown(unit),
            "the id of a unit of this register",
            near(unit, [planned.id for planned in plan.units]) + "`province plan` lists them.",
        )
    if found.state == CLOSED:
        raise _stop(
            "003",
            file,
            "--unit",
            f"the closed unit '{unit}'",
            "a unit that has machines",
            "Draw the province: it shows closed units too.",
        )


def _write(out: Path, sheets: list[str]) -> list[Path]:
    """Write the sheets, each whole or not at all."""
    suffix = out.suffix or ".svg"
    paths = [
        out.with_name(f"{out.stem}{f'-{number}' if number > 1 else ''}{suffix}")
        for number in range(1, len(sheets) + 1)
    ]
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, sheets, strict=True):
            try:
                draft.write_text(text, encoding="utf-8", newline="\n")
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: no name; RuntimeError: a loop of links
        words = getattr(error, "strerror", None) or str(error)
        raise _stop(
            "005", str(out), "--out", f"'{words}'", "a file that can be written", "Choose another file."
        ) from None
    return paths


def _stop(code: str, file: str, path: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
    return ProblemsFoundError(
        (
            Problem(
                code=f"DRW-{code}", file=file, line=0, path=path, found=found, wanted=wanted, remedy=remedy
            ),
        )
    )
