"""Run many commands at once and return what each said. Runs on a host under test, standard library only.

Standard input: one line of JSON, `{id: {command, timeout}}`; commands are for bash.
Standard output: JSON `{id: {rc, out, err}}`; rc is 124 when the time was up, as coreutils' timeout has it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """One command and what it said; a command that hangs is ended."""
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", asked["command"]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=float(asked["timeout"]),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return {"rc": 124, "out": (late.stdout or b"").decode(errors="replace"), "err": "time was up"}
    return {
        "rc": done.returncode,
        "out": done.stdout.decode(errors="replace"),
        "err": done.stderr.decode(errors="replace"),
    }


def main() -> None:
    """Eight at a time: hosts of the lab share two cores."""
    asked = json.loads(sys.stdin.readline())
    with ThreadPoolExecutor(max_workers=8) as pool:
        results = dict(zip(asked, pool.map(run, asked.values()), strict=True))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
