"""The mirror is read from the machine's own sources, whichever form they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from province.lab.apt import Source, machine_sources, mirror, parse_deb822, parse_one_line, security_mirror
from province.run.failure import RunFailedError

ONE_LINE = """
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian/ bookworm main contrib # why
deb-src http://source.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
"""

DEB822 = """\
# A comment
Types: deb deb-src
URIs: http://mirror.example/debian
  http://second.example/debian
Suites: trixie trixie-updates
Components: main
 non-free-firmware
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 URIs: http://not-a-field.example

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main
"""


def test_one_line_sources_are_read_without_comments_options_and_source_packages() -> None:
    assert parse_one_line(ONE_LINE) == [
        Source(uri="http://mirror.example/debian", suite="bookworm", components=("main", "contrib")),
        Source(
            uri="http://security.example/debian-security", suite="bookworm-security", components=("main",)
        ),
    ]


def test_stanzas_are_read_with_continued_lines_and_without_disabled_ones() -> None:
    components = ("main", "non-free-firmware")
    assert parse_deb822(DEB822) == [
        Source(uri=f"http://{host}.example/debian", suite=suite, components=components)
        for host in ("mirror", "second")
        for suite in ("trixie", "trixie-updates")
    ]


def test_both_forms_are_found_where_apt_looks_and_other_files_are_not_read(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (parts / "debian.sources").write_text(
        "Types: deb\nURIs: http://two.example/debian\nSuites: bookworm\nComponents: main\n"
    )
    (parts / "old.list.save").write_text("deb http://three.example/debian bookworm main\n")
    assert [source.uri for source in machine_sources(tmp_path)] == [
        "http://one.example/debian",
        "http://two.example/debian",
    ]


def test_the_mirror_is_the_one_of_the_machines_release_not_that_of_a_third_party() -> None:
    sources = [
        Source(uri="http://vendor.example/apt", suite="nodistro", components=("main",)),
        Source(
            uri="http://security.example/debian-security", suite="bookworm-security", components=("main",)
        ),
        Source(uri="http://mirror.example/debian", suite="bookworm", components=("main",)),
    ]
    assert mirror(sources, "bookworm") == "http://mirror.example/debian"
    assert security_mirror(sources, "bookworm") == "http://security.example/debian-security"


def test_without_a_security_source_the_archive_beside_the_main_one_is_taken() -> None:
    sources = [Source(uri="http://mirror.example/debian", suite="trixie", components=("main",))]
    assert security_mirror(sources, "trixie") == "http://mirror.example/debian-security"


def test_a_machine_without_a_debian_source_is_told_what_to_add() -> None:
    with pytest.raises(RunFailedError, match="sources"):
        mirror([], "bookworm")
