"""The manifest of a host image: what was in it, made once from its packed root and kept beside the images.

It outlives its image: hosts keep the one that they were made of, however many come after it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from province.drift.probe import MARK, ROOTS
from province.run.session import cache_dir

FORM = 2  # of the kept file
_DPKG = "/var/lib/dpkg/status"
_LISTS = "/var/lib/dpkg/info/"
_MERGED = ("/bin/", "/lib/", "/lib64/", "/sbin/")  # links to folders of the same name in /usr
_ACCOUNTS = ("/etc/passwd", "/etc/group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`files` by path: kind, mode, owner, group, mark; packages with versions; accounts as in their files."""

    identity: str
    files: dict[str, list[Any]]
    packages: dict[str, str]
    owners: dict[str, str]  # path to the package that it belongs to
    users: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]


def manifest(identity: str) -> Manifest | None:
    """Return the manifest of an image, made first where there is none; None when the image is gone, too."""
    kept = cache_dir() / "manifests" / f"{identity}-{FORM}.json.z"
    try:
        said = json.loads(zlib.decompress(kept.read_bytes()))
    except (OSError, ValueError, zlib.error):
        said = None
    if said is None:
        packed = cache_dir() / "images" / identity / "rootfs.tar"
        if not identity or not packed.is_file():
            return None
        said = read(packed)
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_name(f".{kept.name}.{os.getpid()}")
        beside.write_bytes(zlib.compress(json.dumps(said).encode()))
        beside.replace(kept)
    return Manifest(
        identity=identity,
        files=said["files"],
        packages=said["packages"],
        owners=said["owners"],
        users=tuple(said["users"]),
        groups={name: tuple(members) for name, members in said["groups"].items()},
    )


def read(packed: Path) -> dict[str, Any]:
    """What a packed root holds, as plain data."""
    files: dict[str, list[Any]] = {}
    texts: dict[str, str] = {}
    owners: dict[str, str] = {}
    with tarfile.open(packed) as archive:
        for member in archive:
            path = "/" + member.name.removeprefix("./").strip("/")
            content = archive.extractfile(member) if member.isreg() else None
            if path in (_DPKG, *_ACCOUNTS) and content is not None:
                texts[path] = content.read().decode()
                content.seek(0)
            if path.startswith(_LISTS) and path.endswith(".list") and content is not None:
                package = path.removeprefix(_LISTS).removesuffix(".list").partition(":")[0]
                owners.update(dict.fromkeys(content.read().decode().split("\n"), package))
            if not any(path == root or path.startswith(f"{root}/") for root in ROOTS):
                continue
            if member.issym():
                files[path] = ["link", 0, 0, 0, member.linkname]
            elif member.isdir():
                files[path] = ["folder", member.mode, member.uid, member.gid, ""]
            elif member.islnk():  # the same file under another name, which stands before it
                files[path] = files["/" + member.linkname.removeprefix("./").strip("/")]
            elif content is not None:
                files[path] = ["file", member.mode, member.uid, member.gid, _mark(content)]
            else:
                files[path] = ["other", member.mode, member.uid, member.gid, ""]
    groups = [line.split(":") for line in texts["/etc/group"].splitlines()]
    return {
        "files": files,
        "packages": _installed(texts[_DPKG]),
        "owners": {_merged(path): package for path, package in owners.items() if _merged(path) in files},
        "users": [line.partition(":")[0] for line in texts["/etc/passwd"].splitlines()],
        "groups": {fields[0]: [name for name in fields[3].split(",") if name] for fields in groups},
    }


def _mark(content: IO[bytes]) -> str:
    made = hashlib.sha256()
    while block := content.read(1 << 20):
        made.update(block)
    return made.hexdigest()[:MARK]


def _merged(path: str) -> str:
    return f"/usr{path}" if path.startswith(_MERGED) else path


def _installed(status: str) -> dict[str, str]:
    found = {}
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields["Version"]
    return found
