"""What docs/runbooks/prepare-files.md shows is what works."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

from province.cli import main
from tests.support.repository import ROOT

PAGE = ROOT / "docs/runbooks/prepare-files.md"
# Users of daemons need not exist on the machine that tests.
UNOWNED = "import shutil\nshutil.chown = lambda *_: None\n"


def test_the_program_on_the_page_lays_down_all_files_but_those_with_a_secret(tree: Path) -> None:
    unit = "phuong-dien-bien-phu"
    assert main(["render", "inventories/registers/dien-bien", "--out", "out", "--unit", unit]) == 0
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert program is not None
    host = tree / "out" / f"{unit}-cpe-1"
    done = subprocess.run(
        [sys.executable, "-c", UNOWNED + program[1], host, tree / "root"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    made = {path.relative_to(host / "files") for path in (host / "files").rglob("*") if path.is_file()}
    laid = {path.relative_to(tree / "root") for path in (tree / "root").rglob("*") if path.is_file()}
    left = made - laid
    assert laid < made
    # Private halves of tunnels and logs, keys of packages, names and the store: no environment, no ledger.
    assert left == {
        path
        for path in made
        if path.match("etc/wireguard/*.conf")
        or path.match("etc/apt/sources.list.d/province.sources")
        or path.match("etc/unbound/unbound.conf")
        or path.match("etc/province/log-forwarder/*")
    }
    assert {line.rpartition(" /")[2] for line in done.stdout.splitlines()} == set(map(str, left))
    for path in laid:
        assert (tree / "root" / path).read_bytes() == (host / "files" / path).read_bytes()
    assert stat.S_IMODE((tree / "root/etc/wireguard").stat().st_mode) == 0o700
