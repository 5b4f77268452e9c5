"""Runs `package-mirror` on a mirror, in folders of its own, with the mirror's own packages as upstream.

Nothing that is published is touched, and nobody outside is asked. Prints what each step left behind.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from typing import Any

request = json.loads(sys.stdin.readline())
loader = SourceFileLoader("package_mirror", "/usr/local/sbin/package-mirror")
specification = importlib.util.spec_from_loader("package_mirror", loader)
assert specification is not None
program: Any = importlib.util.module_from_spec(specification)
sys.modules["package_mirror"] = program
sys.dont_write_bytecode = True
loader.exec_module(program)
program.syslog.syslog = lambda *_: None
out, sys.stdout = sys.stdout, sys.stderr

folder = pathlib.Path(tempfile.mkdtemp(prefix="trial-", dir="/var/lib/package-mirror"))
folder.chmod(0o755)
home = folder / "home"
home.mkdir(mode=0o700)
public = pathlib.Path("/var/lib/package-mirror/public/debian")
key = folder / "upstream.asc"
key.write_text("\n".join(request["key"]) + "\n")


def mirror(wanted: list[str], url: str = f"file:{public}", key: pathlib.Path = key) -> Any:
    """The program with these wishes."""
    return program.Mirror(
        program.Configuration(
            state=folder / "state",
            upstreams=[{"url": url, "suites": "production"}],
            keyring=str(key),
            resolvers=[],
            wanted={"trial": wanted},
            signing_key=pathlib.Path("/etc/package-mirror/signing-key"),
            origin="trial",
            kept=2,
        )
    )


def left(one: Any) -> dict[str, Any]:
    """What is shown, and whether it has a package."""
    shown = one.archive.published()
    names = {place: sorted(p.name for p in one.archive.packages(name)) for place, name in shown.items()}
    return {
        "shown": shown,
        "snapshots": one.archive.snapshots(),
        "has": {place: [name for name in request["wanted"] if name in had] for place, had in names.items()},
        "pool": len(one.archive.pool()),
        "most": max(map(len, names.values())),
    }


def refused(what: Callable[[], None]) -> str:
    """How the program says that it does not do something."""
    try:
        what()
    except program.MirrorError as error:
        return str(error)
    return ""


said: dict[str, Any] = {}
try:
    (folder / "state").mkdir()
    first, second = request["wanted"]
    mirror([first]).fill()
    said["filled"] = left(mirror([first]))
    mirror([first, second]).fill()
    said["widened"] = left(mirror([first, second]))
    mirror([first]).update()
    said["updated"] = left(mirror([first]))
    mirror([first]).promote("")
    said["promoted"] = left(mirror([first]))
    mirror([first]).rollback("")
    said["back"] = left(mirror([first]))
    shutil.copy("/usr/share/keyrings/debian-archive-keyring.gpg", folder / "other.gpg")
    said["another key"] = refused(lambda: mirror([first], key=folder / "other.gpg").update())
    tampered = folder / "tampered"
    shutil.copytree(public / "dists", tampered / "dists")
    release = tampered / "dists/production/InRelease"
    release.write_text(release.read_text().replace("Suite: production", "Suite: productiom"))
    said["another index"] = refused(lambda: mirror([first], url=f"file:{tampered}").update())
    said["after"] = left(mirror([first]))
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
finally:
    shutil.rmtree(folder)
out.write(json.dumps(said) + "\n")
