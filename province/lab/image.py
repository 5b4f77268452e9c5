"""The host image: Debian 13 with the packages of the first layers, as two tarballs in the cache.

The recipe is host_image/ (package list, customize hook, metadata). An image is identified by the hash
of its recipe and of the package indexes it was made from, `<recipe>-<snapshot>`: an image of the
present recipe is taken as it is, however old its packages, until it is asked to be made anew.
Uncompressed: compressing costs minutes, and Incus unpacks it at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from province.lab import apt
from province.packages import image_packages
from province.run.command import must_run
from province.run.failure import fail
from province.run.progress import Progress, Running
from province.run.session import cache_dir

RECIPE = Path(__file__).parent / "host_image"
RELEASE = "trixie"
_SHORT = 12
_KEPT = 2  # images; older ones are removed when a new one is made
# Hosts need no manual pages and no translations; copyright notices stay.
_DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostImage:
    """Two tarballs, and what is in them: `identity` is `<hash of recipe>-<hash of package indexes>`."""

    metadata: Path
    rootfs: Path
    identity: str


def packages(recipe: Path = RECIPE) -> tuple[str, ...]:
    """Return the packages of the recipe, in its order."""
    return image_packages(recipe / "packages.txt")


def recipe_hash(recipe: Path = RECIPE) -> str:
    """Return the hash of everything that says what the image is: recipe files, release, options."""
    digest = hashlib.sha256(repr((RELEASE, platform.machine(), _DPKG_OPTIONS)).encode())
    for path in sorted(path for path in recipe.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(recipe)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_SHORT]


def cached_image(directory: Path | None = None) -> HostImage | None:
    """Return the newest image of the present recipe, None where there is none."""
    folder = _images() if directory is None else directory
    made = sorted(folder.glob(f"{recipe_hash()}-*/rootfs.tar"), key=lambda path: path.stat().st_mtime)
    return _image(made[-1].parent) if made else None


def ensure_image(progress: Progress, running: Running, *, anew: bool = False) -> HostImage:
    """Return the image, making it first where there is none; `anew` takes today's packages."""
    images = _images()
    images.mkdir(parents=True, exist_ok=True)
    # Environments share the images of a machine: the second of two waits, and finds what the first made.
    with images.with_name("images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = None if anew else cached_image()
        if there is not None:
            running.done(f"{there.identity} is there")
            return there
        return _made(images, progress, running)


def _made(images: Path, progress: Progress, running: Running) -> HostImage:
    for left in images.glob("tmp.*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="tmp.", dir=images))
    try:
        running.now("unpack and install packages")
        _build(work, progress)
        running.now("pack")
        snapshot = hashlib.sha256((work / "snapshot").read_bytes()).hexdigest()[:_SHORT]
        identity = f"{recipe_hash()}-{snapshot}"
        _pack_metadata(work, identity)
        final = images / identity
        if final.exists():
            shutil.rmtree(final)
        final.mkdir()
        (work / "metadata.tar").replace(final / "metadata.tar")
        (work / "rootfs.tar").replace(final / "rootfs.tar")  # last: an image without it is none
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _drop_old(images)
    running.done(f"built {identity}")
    return _image(final)


def _build(work: Path, progress: Progress) -> None:
    sources = apt.machine_sources()
    codename = _codename()
    main, security = apt.mirror(sources, codename), apt.security_mirror(sources, codename)
    # It mounts /proc, /sys and /dev/shm of this machine below its tree, and a kill gives it no time to take
    # them out again: in a mount namespace of its own they go with it, and are never in the way of a removal.
    argv = ["unshare", "--mount", "mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"]
    argv += [f"--include={','.join(packages())}"]
    argv += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    # Only while the image is made: nothing to keep when the machine dies under it.
    argv += ["--dpkgopt=force-unsafe-io"]
    argv += [
        # What was installed from: the indexes' own dates and hashes.
        f'--customize-hook=cat "$1"/var/lib/apt/lists/*Release > {work}/snapshot',
        '--customize-hook=rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"',
        "--customize-hook=printf '%s\\n' "
        + " ".join(f"'{option}'" for option in _DPKG_OPTIONS)
        + ' > "$1/etc/dpkg/dpkg.cfg.d/50-host-image"',
        f'--customize-hook={RECIPE}/customize.sh "$1"',
        RELEASE,
        str(work / "rootfs.tar"),
        f"deb {main} {RELEASE} main",
        f"deb {main} {RELEASE}-updates main",
        f"deb {security} {RELEASE}-security main",
    ]
    must_run(
        argv,
        progress,
        environment={"TMPDIR": str(work)},
        next_command=f"is {main} reachable and does it hold {RELEASE}? Then: make up",
    )


def _pack_metadata(work: Path, identity: str) -> None:
    text = (RECIPE / "metadata.yaml").read_text(encoding="utf-8")
    text = text.format(architecture=platform.machine(), created=int(time.time()), serial=identity)
    (work / "metadata.yaml").write_text(text, encoding="utf-8")
    with tarfile.open(work / "metadata.tar", "w") as archive:
        archive.add(work / "metadata.yaml", "metadata.yaml")
        archive.add(RECIPE / "templates", "templates")


def _image(folder: Path) -> HostImage:
    return HostImage(metadata=folder / "metadata.tar", rootfs=folder / "rootfs.tar", identity=folder.name)


def _images() -> Path:
    return cache_dir() / "images"


def _drop_old(images: Path) -> None:
    made = sorted(images.glob("*/rootfs.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in made[_KEPT:]:
        shutil.rmtree(old.parent, ignore_errors=True)


def _codename() -> str:
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if not release:
        raise fail(
            tried="read this machine's release",
            where="/etc/os-release",
            came_back="no VERSION_CODENAME",
            next_command="use a Debian 12 or 13, then: make up",
        )
    return release
