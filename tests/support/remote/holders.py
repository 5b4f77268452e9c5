"""Who holds a secret on a host under test: files, and WireGuard links. Standard library only.

Standard input: one line of JSON, `{text, folders: [...]}`; a secret must not be on a command line.
Standard output: one line of JSON, paths of files that contain it, and `wg NAME` for a link whose key it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def contains(path: Path, text: bytes) -> bool:
    """Whether it is a file that has the text in it; what is gone meanwhile has not."""
    try:
        return path.is_file() and not path.is_symlink() and text in path.read_bytes()
    except OSError:
        return False


def main() -> None:
    """See the top of the file."""
    request = json.loads(sys.stdin.readline())
    text = request["text"]
    found = [
        str(path)
        for top in request["folders"]
        for folder, _, names in os.walk(top)
        for path in (Path(folder, name) for name in names)
        if contains(path, text.encode())
    ]
    shown = subprocess.run(
        ["/usr/bin/wg", "show", "all", "private-key"], capture_output=True, text=True, check=True
    ).stdout
    found += [f"wg {line.split()[0]}" for line in shown.splitlines() if text in line.split()]
    sys.stdout.write(json.dumps(sorted(found)) + "\n")


main()
