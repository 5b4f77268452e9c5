"""The program on the package mirror: what it reads of apt and aptly, what it goes back to, what it drops."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/package_mirror/files/usr/local/sbin/package-mirror"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module; it is installed without `.py`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("package_mirror", str(PROGRAM))
    specification = importlib.util.spec_from_loader("package_mirror", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "package_mirror", module)
    loader.exec_module(module)
    monkeypatch.setattr(module.syslog, "syslog", lambda *_: None)
    return module


# As apt of Debian 13 prints it: with a digest for one archive, without for another, epochs quoted.
URIS = """Reading package lists...
The following NEW packages will be installed:
  dbus procps
'http://a.example/debian/pool/procps.deb' procps_2%3a4.0.4-9_amd64.deb 882412 SHA256:ab
'http://b.example/pool/curl.deb' curl_8.14.1-2+deb13u7_amd64.deb 270212 
'file:/var/lib/public/pool/main/a/adduser/adduser_3.152_all.deb' adduser_3.152_all.deb 191000 MD5Sum:cd
"""  # noqa: W291 - apt prints the blank where it has no digest


def test_every_archive_that_apt_names_is_read_with_its_version(program: ModuleType) -> None:
    assert {package.key for package in program.packages_of(URIS)} == {
        "procps_2:4.0.4-9_amd64",
        "curl_8.14.1-2+deb13u7_amd64",
        "adduser_3.152_all",
    }


def test_an_archive_that_is_not_understood_is_not_passed_over(program: ModuleType) -> None:
    with pytest.raises(program.MirrorError, match="nobody expected"):
        program.packages_of("'http://a.example/x.udeb' x.udeb 12 SHA256:ab")


def test_packages_are_read_as_aptly_lists_them(program: ModuleType) -> None:
    said = "adduser_3.152_all\nlibx_y_1:2-3+b1_amd64\n\nERROR: no results\n"
    assert program.parsed(said) == {
        program.Package("adduser", "3.152", "all"),
        program.Package("libx", "y", "1:2-3+b1_amd64"),
    }


def test_a_difference_tells_what_comes_goes_and_changes(program: ModuleType) -> None:
    old = {
        program.Package("a", "1", "all"),
        program.Package("b", "1", "amd64"),
        program.Package("c", "1", "all"),
    }
    new = {
        program.Package("a", "1", "all"),
        program.Package("b", "2", "amd64"),
        program.Package("d", "1", "all"),
    }
    assert str(program.difference(old, new)) == "  ~ b 1 -> 2\n  + d 1\n  - c 1"
    assert str(program.difference(old, old)) == "  no difference"


def history(*shown: str) -> list[dict[str, str]]:
    """Production showed these, one after the other; test showed something else in between."""
    return [
        {"at": "", "distribution": distribution, "snapshot": name, "why": ""}
        for name in shown
        for distribution, name in (("test", "zz"), ("production", name))
    ]


@pytest.mark.parametrize(
    ("shown", "there", "wanted"),
    [
        ((), ("1",), ""),
        (("1",), ("1",), ""),
        (("1", "2", "3"), ("1", "2", "3"), "2"),
        (("1", "2", "3"), ("1", "3"), "1"),
        (("1", "2", "3", "2"), ("1", "2", "3"), "1"),  # back from 3 to 2: one more step is 1, not 3
        (("1", "2", "1", "3"), ("1", "2", "3"), "1"),
    ],
)
def test_going_back_is_to_what_was_shown_before_and_is_still_there(
    program: ModuleType, shown: tuple[str, ...], there: tuple[str, ...], wanted: str
) -> None:
    assert program.before(history(*shown), "production", there) == wanted


def test_old_snapshots_go_but_not_what_is_shown_or_gone_back_to(program: ModuleType) -> None:
    there = [str(number) for number in range(1, 9)]
    gone = program.to_drop(there, ["3", "8"], history("1", "2", "3"), kept=2)
    assert gone == ["1", "4", "5", "6"]


def test_two_snapshots_of_one_second_have_two_names_in_their_order(program: ModuleType) -> None:
    first = program.unused("20260101t000000z", [])
    second = program.unused("20260101t000000z", [first])
    assert sorted([second, first, "20260101t000001z"]) == [first, second, "20260101t000001z"]


class Aptly:
    """An archive that only remembers."""

    def __init__(self, program: ModuleType, held: dict[str, str], published: dict[str, str]) -> None:
        self.held = {
            name: {program.Package(*word.split("="), "all") for word in words.split()}
            for name, words in held.items()
        }
        self.shows = published

    def snapshots(self) -> list[str]:
        """Names, sorted."""
        return sorted(self.held)

    def published(self) -> dict[str, str]:
        """What is shown."""
        return dict(self.shows)

    def packages(self, name: str) -> set[Any]:
        """Of one."""
        return self.held[name]

    def pool(self) -> set[Any]:
        """Of all."""
        return {package for packages in self.held.values() for package in packages}

    def add(self, folder: Path) -> None:
        """Nothing comes as a file."""

    def snapshot(self, name: str, packages: set[Any]) -> None:
        """Remember it."""
        self.held[name] = set(packages)

    def show(self, distribution: str, snapshot: str) -> None:
        """Remember it."""
        self.shows[distribution] = snapshot

    def drop(self, names: list[str]) -> None:
        """Forget them."""
        for name in names:
            del self.held[name]


class Apt:
    """An upstream with one answer; what is asked of it is noted."""

    def __init__(self, program: ModuleType, said: str, folder: Path) -> None:
        self.said = {program.Package(*word.split("="), "all") for word in said.split()}
        self.incoming = folder
        self.asked: list[str] = []

    def refresh(self, pinned: str = "") -> None:
        """Note it."""
        self.asked.append(f"refresh {pinned}".strip())

    def closure(self) -> set[Any]:
        """The one answer."""
        return self.said

    def fetch(self, packages: set[Any]) -> None:
        """Note it."""
        self.asked += sorted(package.name for package in packages)


def mirror(
    program: ModuleType,
    folder: Path,
    *,
    wanted: str,
    upstream: str = "",
    held: dict[str, str] | None = None,
    published: dict[str, str] | None = None,
) -> Any:
    """A mirror between the two stand-ins."""
    made = program.Mirror.__new__(program.Mirror)
    made.given = program.Configuration(
        state=folder,
        upstreams=[],
        keyring="",
        resolvers=[],
        wanted={"hosts": wanted.split()},
        signing_key=folder / "key",
        origin="province",
        kept=6,
    )
    made.upstream = Apt(program, upstream, folder)
    made.archive = Aptly(program, held or {}, published or {})
    made._history = folder / "history.jsonl"
    return made


BOTH = {"test": "1", "production": "1"}


def test_the_first_fill_shows_one_snapshot_in_both_distributions(program: ModuleType, tmp_path: Path) -> None:
    one = mirror(program, tmp_path, wanted="a", upstream="a=1 b=1")
    one.fill()
    assert one.archive.shows.keys() == {"test", "production"}
    assert set(one.archive.shows.values()) == set(one.archive.held)
    assert one.upstream.asked == ["refresh", "a", "b"]


def test_a_fill_that_was_killed_before_it_showed_production_goes_on_with_its_snapshot(
    program: ModuleType, tmp_path: Path
) -> None:
    one = mirror(program, tmp_path, wanted="a", held={"1": "a=1"}, published={"test": "1"})
    one.fill()
    assert one.archive.shows == BOTH
    assert one.upstream.asked == []


def test_nobody_is_asked_when_all_that_is_wanted_is_there(program: ModuleType, tmp_path: Path) -> None:
    """So the mirror comes up without a line to the outside."""
    one = mirror(program, tmp_path, wanted="a", upstream="a=2", held={"1": "a=1 b=1"}, published=dict(BOTH))
    one.fill()
    assert one.upstream.asked == []
    assert one.archive.shows == BOTH


def test_a_package_wanted_anew_comes_into_both_and_nothing_else_goes(
    program: ModuleType, tmp_path: Path
) -> None:
    one = mirror(
        program, tmp_path, wanted="a c", upstream="a=1 c=1", held={"1": "a=1 b=1"}, published=dict(BOTH)
    )
    one.fill()
    assert one.upstream.asked == ["refresh test", "c"]
    (name,) = set(one.archive.shows.values())
    assert {package.name for package in one.archive.held[name]} == {"a", "b", "c"}


def test_an_update_reaches_test_alone(program: ModuleType, tmp_path: Path) -> None:
    one = mirror(program, tmp_path, wanted="a", upstream="a=2", held={"1": "a=1"}, published=dict(BOTH))
    one.update()
    assert one.archive.shows["production"] == "1"
    assert one.archive.held[one.archive.shows["test"]] == one.upstream.said
    one.update()
    assert len(one.archive.held) == 2, "the same again is no new snapshot"


def test_a_promotion_is_gone_back_from(program: ModuleType, tmp_path: Path) -> None:
    held = {"1": "a=1", "2": "a=2"}
    one = mirror(program, tmp_path, wanted="a", held=held, published={"test": "2", "production": "1"})
    one.show("production", "1", "the first one")
    one.promote("")
    assert one.archive.shows["production"] == "2"
    one.rollback("")
    assert one.archive.shows["production"] == "1"
    with pytest.raises(program.MirrorError, match="there is no snapshot"):
        one.rollback("")


@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_a_snapshot_without_what_hosts_need_is_not_shown(
    program: ModuleType, tmp_path: Path, action: str
) -> None:
    held = {"1": "a=1", "2": "a=2 b=2"}
    one = mirror(program, tmp_path, wanted="a b", held=held, published={"test": "2", "production": "2"})
    with pytest.raises(program.MirrorError, match="1 lacks b"):
        getattr(one, action)("1")
    assert one.archive.shows["production"] == "2"
