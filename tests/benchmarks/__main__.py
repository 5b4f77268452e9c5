"""`python -m tests.benchmarks [NAME …] [--rounds N]`: run benchmarks, keep their rounds, write the page."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import harness
from tests.benchmarks.guard import guard


def main() -> int:
    """0 when every bound is kept, 1 when one is missed or a round fails."""
    parser = argparse.ArgumentParser(prog="make bench", description="Run benchmarks side by side.")
    parser.add_argument("names", nargs="*", help="which ones (default: all but those that take the lab away)")
    parser.add_argument("--rounds", type=int, default=harness.LEAST_ROUNDS, help="rounds of each side")
    parser.add_argument("--round", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--page", action="store_true", help="only write the page from the rounds kept")
    parser.add_argument(
        "--guard", action="store_true", help="only say whether a ratio has lost 15 %% against the rounds kept"
    )
    arguments = parser.parse_args()
    if arguments.guard:
        return guard(lambda line: print(line, flush=True))  # noqa: T201 - for who started it
    if arguments.round:
        file, name, side, size, folder = arguments.round
        benchmark = harness.benchmarks(file)[name]
        chosen = next(s for s in benchmark.sides if s.name == side)
        print(json.dumps(harness.one_round(benchmark, chosen, int(size), Path(folder))))  # noqa: T201 - for who started it
        return 0
    known = harness.benchmarks()
    unknown = [name for name in arguments.names if name not in known]
    if unknown or arguments.rounds < 1:
        parser.error(
            f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}" if unknown else "no rounds"
        )
    missed = False
    for name in list(known):
        if lack := harness.lack(known[name].needs):
            if name in arguments.names:
                parser.error(f"{name} needs {lack}")
            sys.stdout.write(f"{name}: left out, it needs {lack}\n")
            del known[name]
    usual = [name for name, benchmark in known.items() if not benchmark.by_name]
    for name in () if arguments.page else arguments.names or usual:
        sys.stdout.write(f"{name}: {known[name].title}\n")
        try:
            runs = harness.run(known[name], arguments.rounds, lambda line: print(line, flush=True))  # noqa: T201 - progress
        except RuntimeError as error:
            sys.stdout.write(f"  {error}\n")
            missed = True
            continue
        made = harness.record(known[name], runs, datetime.now(UTC).date().isoformat())
        for bound in made["bounds"]:
            word = "kept" if bound["kept"] else "MISSED"
            sys.stdout.write(f"  {word}: {bound['claim']}: {bound['seen']:.4g}, wanted {bound['wanted']}\n")
            missed |= not bound["kept"]
        if arguments.rounds >= harness.LEAST_ROUNDS:
            harness.keep(made)
    if arguments.page or arguments.rounds >= harness.LEAST_ROUNDS:
        harness.PAGE.write_text(harness.page(harness.kept_runs()), encoding="utf-8")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
