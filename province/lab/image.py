"""The host image: Debian 13 with the packages of the first layers, as two tarballs in the cache.

The recipe is host_image/ (package list, customize hook, metadata). An image is identified by the hash
of its recipe and by what it was made from, `<recipe>-<snapshot>`: the name of a snapshot of the
environment's own mirror, or the hash of the indexes of this machine's mirror while there is no other. An
image of the present recipe is taken as it is, however old its packages, until it is asked to be made anew.
Uncompressed: compressing costs minutes, and Incus unpacks it at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from province.lab import apt
from province.lab.alone import served
from province.packages import image_packages
from province.run.command import must_run
from province.run.failure import fail
from province.run.progress import Progress, Running
from province.run.session import cache_dir

RECIPE = Path(__file__).parent / "host_image"
RELEASE = "trixie"
_SHORT = 12
_PORT = 80  # of the loopback, in a namespace where nobody else has it
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMirror:
    """A distribution of an environment's own mirror; `connect` reaches it with its input and output."""

    snapshot: str
    suite: str
    key: tuple[str, ...]  # lines of the ASCII form
    connect: tuple[str, ...]


def ensure_image(
    progress: Progress,
    running: Running,
    *,
    anew: bool = False,
    own: Callable[[], OwnMirror | None] = lambda: None,
) -> HostImage:
    """Return the image, making it first where there is none; `anew` takes today's packages.

    `own` says, when an image is to be made, whether the environment's mirror has all of it.
    """
    images = _images()
    images.mkdir(parents=True, exist_ok=True)
    # Environments share the images of a machine: the second of two waits, and finds what the first made.
    with images.with_name("images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = None if anew else cached_image()
        if there is not None:
            running.done(f"{there.identity} is there")
            return there
        return _made(images, progress, running, own)


def _made(
    images: Path, progress: Progress, running: Running, own: Callable[[], OwnMirror | None]
) -> HostImage:
    for left in images.glob("tmp.*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="tmp.", dir=images))
    try:
        mirror = own()
        running.now("unpack and install packages")
        _build(work, progress, mirror)
        running.now("pack")
        indexes = hashlib.sha256((work / "snapshot").read_bytes()).hexdigest()[:_SHORT]
        snapshot = mirror.snapshot if mirror else indexes
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
    running.done(f"built {identity} from " + ("the own mirror" if mirror else "this machine's mirror"))
    return _image(final)


def build_argv(work: Path, include: Sequence[str], hooks: Sequence[str], sources: Sequence[str]) -> list[str]:
    """How a tree of Debian is made as `work`/rootfs.tar; the first of `sources` is the suite."""
    # It mounts /proc, /sys and /dev/shm of this machine below its tree, and a kill gives it no time to take
    # them out again: in a mount namespace of its own they go with it, and are never in the way of a removal.
    argv = ["unshare", "--mount", "mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"]
    argv += [f"--include={','.join(include)}"] if include else []
    argv += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    # Only while the image is made: nothing to keep when the machine dies under it.
    argv += ["--dpkgopt=force-unsafe-io"]
    argv += [f"--customize-hook={hook}" for hook in hooks]
    return [*argv, sources[0], str(work / "rootfs.tar"), *sources[1:]]


def own_argv(work: Path, mirror: OwnMirror, include: Sequence[str], hooks: Sequence[str] = ()) -> list[str]:
    """How a tree is made from an environment's own mirror alone: in a namespace with no other way out."""
    source = work / "own.sources"
    key = "".join(f" {line or '.'}\n" for line in mirror.key)
    source.write_text(
        f"Types: deb\nURIs: http://127.0.0.1:{_PORT}/debian\nSuites: {mirror.suite}\nComponents: main\n"
        f"Signed-By:\n{key}",
        encoding="utf-8",
    )
    alone = ["unshare", "--net", sys.executable, str(Path(__file__).with_name("alone.py"))]
    forget = 'rm -f "$1"/etc/apt/sources.list.d/*'  # nobody else has this address
    hooks = [*hooks, forget]
    argv = build_argv(work, include, hooks, [mirror.suite, str(source)])
    return [*alone, str(work / "door"), str(_PORT), "--", *argv]


def _build(work: Path, progress: Progress, mirror: OwnMirror | None) -> None:
    hooks = [
        # What was installed from: the indexes' own dates and hashes.
        f'cat "$1"/var/lib/apt/lists/*Release > {work}/snapshot',
        'rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"',
        "printf '%s\\n' "
        + " ".join(f"'{option}'" for option in _DPKG_OPTIONS)
        + ' > "$1/etc/dpkg/dpkg.cfg.d/50-host-image"',
        f'{RECIPE}/customize.sh "$1"',
    ]
    temporary = {"TMPDIR": str(work)}
    if mirror is not None:
        with served(work / "door", mirror.connect):
            must_run(
                own_argv(work, mirror, packages(), hooks),
                progress,
                environment=temporary,
                next_command="does the mirror answer (province packages list)? Then: make up",
            )
        return
    machine = apt.machine_sources()
    codename = _codename()
    main, security = apt.mirror(machine, codename), apt.security_mirror(machine, codename)
    sources = [f"deb {main} {RELEASE} main", f"deb {main} {RELEASE}-updates main"]
    sources += [f"deb {security} {RELEASE}-security main"]
    must_run(
        build_argv(work, packages(), hooks, [RELEASE, *sources]),
        progress,
        environment=temporary,
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
