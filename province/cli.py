"""The command `province`: joins the commands of its parts, and prints problems instead of tracebacks."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from province.problems import ProblemsFoundError

# In the order of `province --help`. Each has `add_commands(subparsers)`; commands set `run`.
PARTS = (
    "province.new",
    "province.commands",
    "province.unit",
    "province.draw",
    "province.hosts",
    "province.render.configurations",
    "province.ledger",
    "province.recipients",
    "province.contact",
    "province.stack",
    "province.lab.commands",
    "province.lab.mirror",
    "province.lab.keys",
    "province.logs",
    "province.runs",
    "province.drift.command",
)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    made = argparse.ArgumentParser(prog="province", description="Plans, builds and asks a province's centre.")
    subparsers = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for part in PARTS:
        importlib.import_module(part).add_commands(subparsers)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. 0: done; 1: problems were found and printed; 2: it was called wrongly."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ProblemsFoundError as error:
        if getattr(arguments, "format", "text") == "json":
            problems = [problem.as_json() for problem in error.problems]
            sys.stdout.write(json.dumps({"problems": problems}, ensure_ascii=False, indent=2) + "\n")
        else:
            for problem in error.problems:
                sys.stderr.write(f"{problem}\n")
        return 1
    except BrokenPipeError:
        # The reader has seen enough (`province plan … | head`).
        sys.stderr.close()
        return 1


if __name__ == "__main__":
    sys.exit(main())
