"""The Debian mirror, as this machine's own package sources name it: the project names none.

Reads both forms of apt sources (one line each, and deb822 stanzas), from apt's own files.
Formats: sources.list(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from province.run.failure import fail

APT = Path("/etc/apt")
_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>\S.*)$")
_VERSION_SUITES = ("bookworm", "trixie", "stable", "oldstable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One binary source: where, which suite (`bookworm`, `trixie-security`), which components."""

    uri: str
    suite: str
    components: tuple[str, ...]


def parse_one_line(text: str) -> list[Source]:
    """Read `sources.list`: `deb [options] uri suite component…`, comments from `#`."""
    found = []
    for raw in text.splitlines():
        match = _LINE.match(raw.partition("#")[0].strip())
        if match is None:
            continue
        words = match["rest"].split()
        if len(words) >= 2:
            found.append(Source(uri=_clean(words[0]), suite=words[1], components=tuple(words[2:])))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Read a `.sources` file: stanzas of fields; each URI with each suite is one source."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in ("no", "false", "off", "0", "without", "disable"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        found += [
            Source(uri=_clean(uri), suite=suite, components=components)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def source_files(apt: Path = APT) -> list[Path]:
    """Files that apt reads sources from, in its order."""
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    return [path for path in files if path.is_file()]


def machine_sources(apt: Path = APT) -> list[Source]:
    """Read all sources of this machine, in apt's order."""
    found: list[Source] = []
    for path in source_files(apt):
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".sources":
            found += parse_deb822(text)
        elif path.suffix == ".list":
            found += parse_one_line(text)
    return found


def mirror(sources: Iterable[Source], codename: str) -> str:
    """Return the address of the Debian archive: where the machine's own release comes from."""
    wanted = (codename, *_VERSION_SUITES)
    for suite in wanted:
        for source in sources:
            if source.suite == suite and "main" in source.components and "security" not in source.uri:
                return source.uri
    raise fail(
        tried="find the Debian mirror in this machine's package sources",
        where=str(APT),
        came_back=f"no source of the suite {codename} with the component main",
        next_command=f"add the machine's Debian mirror to {APT}/sources.list, then: make up",
    )


def security_mirror(sources: Iterable[Source], codename: str) -> str:
    """Return the address of the security archive: the machine's own, else beside the main one."""
    listed = list(sources)
    for source in listed:
        if source.suite == f"{codename}-security" or source.suite.endswith("-security"):
            return source.uri
    return mirror(listed, codename) + "-security"


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _clean(uri: str) -> str:
    return uri.rstrip("/")
