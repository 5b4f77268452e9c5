"""What is asked of a host is made anew as soon as anything that it is made from has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from province import remembered, rotation
from province.hosts import load_environment
from province.lab import apt
from province.ledger import Ledger
from province.problems import ProblemsFoundError
from province.remembered import FEW, FOLDER, Known, Memory, basis, questions
from tests.support.country import write_environment
from tests.support.repository import ROOT

UNITS = 3
HOST = "don-vi-00001-cpe-1"
CANARY = "canary-4c1f"


class Secrets:
    """Every secret is a canary with its name; an entry has been written anew so many times."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}

    def secret(self, name: str) -> bytes:
        """It says whose it is."""
        return f"{CANARY} {name}".encode()

    def stamp(self, name: str) -> str:
        """How often it was written anew."""
        return str(self.times.get(name, 0))


class Country:
    """A small tree with a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = write_environment(folder, UNITS)
        self.state = folder / "state"
        (self.state / "ledger/wireguard").mkdir(parents=True)
        self.secrets = Secrets()
        self.planned = 0

    def ask(self, *names: str) -> Known | None:
        """What is asked of these hosts; without names of all."""
        return questions(self.file, self.state, names, self.secrets, {})


@pytest.fixture
def country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Country:
    """Counts how often its register is read and planned."""
    made = Country(tmp_path)
    honest = load_environment

    def counted(path: Path) -> object:
        made.planned += 1
        return honest(path)

    sources = tmp_path / "apt"
    sources.mkdir()
    (sources / "sources.list").write_text("deb http://mirror.example/debian trixie main\n")
    monkeypatch.setattr(remembered, "load_environment", counted)
    monkeypatch.setattr(apt.source_files, "__defaults__", (sources,))
    return made


def test_the_same_question_is_not_planned_twice(country: Country) -> None:
    first = country.ask(HOST)
    assert country.ask(HOST) == first
    assert first
    assert first[HOST][0]
    assert country.planned == 1


def edited(country: Country) -> None:
    file = next((country.file.parents[1] / "registers/country/units").glob("*.yml"))
    file.write_text(file.read_text() + "\n# another\n")


def environment(country: Country) -> None:
    country.file.write_text(country.file.read_text().replace("wireguard: userspace", "wireguard: kernel"))


def package_sources(country: Country) -> None:
    (country.state.parent / "apt/sources.list").write_text("deb http://other.example/debian trixie main\n")


def new_entry(country: Country) -> None:
    (country.state / "ledger/wireguard/new.pub").write_text("key")


def replaced_entry(country: Country) -> None:
    entry = country.state / "ledger/wireguard/there.pub"
    written = entry.with_suffix(".new")
    written.write_text("another key")
    written.replace(entry)


def own_secret(country: Country) -> None:
    country.secrets.times[f"wireguard/{HOST}"] = 1


def rotating(country: Country) -> None:
    (country.state / rotation.FILE).write_text("{}")


def torn(country: Country) -> None:
    (country.state / FOLDER / f"{HOST}.json.z").write_bytes(b"half")


@pytest.mark.parametrize(
    "change",
    [edited, environment, package_sources, new_entry, replaced_entry, own_secret, rotating, torn],
    ids=lambda change: change.__name__,
)
def test_whatever_changes_the_question_is_planned_anew(
    country: Country, change: Callable[[Country], None]
) -> None:
    (country.state / "ledger/wireguard/there.pub").write_text("key")
    country.ask(HOST)
    assert country.ask(HOST)
    assert country.planned == 1
    change(country)
    country.ask(HOST)
    assert country.planned == 2


def test_a_register_that_is_wrong_now_is_refused_though_the_host_is_known(country: Country) -> None:
    country.ask(HOST)
    file = next((country.file.parents[1] / "registers/country/units").glob("*.yml"))
    file.write_text("- id: 7\n")
    with pytest.raises(ProblemsFoundError, match="REG-"):
        country.ask(HOST)


def test_of_several_hosts_one_that_is_not_known_has_all_planned(country: Country) -> None:
    country.ask(HOST)
    both = country.ask(HOST, "hub-1")
    assert both
    assert set(both) == {HOST, "hub-1"}
    assert country.planned == 2


def test_all_hosts_and_names_that_are_none_are_never_from_memory(country: Country) -> None:
    everybody = country.ask()
    assert everybody
    assert {HOST, "hub-1"} < set(everybody)
    assert country.ask("a-group") is None
    assert not (country.state / FOLDER).exists()


def test_what_is_remembered_has_no_secret_and_is_the_owners_alone(country: Country) -> None:
    known = country.ask(HOST, "edge-1", "log-1", "ns-1")
    assert known
    assert known[HOST][1].secrets, "no host with secrets was asked"
    places = list((country.state / FOLDER).iterdir())
    assert len(places) == 4
    for place in places:
        assert CANARY.encode() not in zlib.decompress(place.read_bytes())
        assert place.stat().st_mode & 0o777 == 0o600


def test_a_question_made_while_something_changed_is_not_remembered_even_if_it_is_changed_back(
    country: Country,
) -> None:
    known = country.ask(HOST)
    assert known
    memory = Memory.now(country.file, country.state)
    shutil.rmtree(country.state / FOLDER)
    before = country.file.read_bytes()
    environment(country)
    memory.keep(known)
    country.file.write_bytes(before)
    assert memory.recall([HOST], country.secrets.stamp) is None
    memory.keep(known)
    assert memory.recall([HOST], country.secrets.stamp) == known


def test_files_that_a_link_leads_to_are_in_the_basis(country: Country, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "folder/linked.yml").write_text("one")
    (country.file.parent / "group_vars").unlink()
    (country.file.parent / "group_vars").symlink_to(elsewhere)
    before = basis(country.file, country.state)
    (elsewhere / "folder/linked.yml").write_text("two")
    assert basis(country.file, country.state) != before


def test_questions_to_many_hosts_are_not_remembered(country: Country) -> None:
    known = country.ask(HOST)
    assert known
    memory = Memory.now(country.file, country.state)
    memory.keep({f"host-{number}": known[HOST] for number in range(FEW + 1)})
    assert memory.recall(["host-0"], country.secrets.stamp) is None
    memory.keep({f"host-{number}": known[HOST] for number in range(FEW)})
    assert memory.recall(["host-0"], country.secrets.stamp)


_WATCHED = """
import json, sys
from pathlib import Path
import province.cli
from province.remembered import questions
from tests.unit.remembered.test_remembered import Secrets
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
file, state = map(Path, sys.argv[1:])
assert questions(file, state, ["app-1", "log-1", "don-vi-00001-cpe-1"], Secrets())
print(json.dumps(opened))
"""


def test_every_file_that_is_read_for_a_question_is_in_its_basis(tmp_path: Path) -> None:
    """Those of Python itself are not; its packages are, by the list that pins them."""
    file = write_environment(tmp_path, UNITS)
    state = tmp_path / "state"
    Ledger.create(state)
    argv = [sys.executable, "-c", _WATCHED, str(file), str(state)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    compared = {path.resolve() for path in remembered._files(file, state)}
    python = (Path(sys.prefix), Path(sys.base_prefix) / "lib", Path("/usr/share/zoneinfo"), Path("/dev"))
    opened = {Path(name) for name in json.loads(done.stdout) if name.startswith("/")}
    read = {path.resolve() for path in opened if "__pycache__" not in path.parts and path.is_file()}
    inside = (state / "ledger", state / FOLDER)
    unseen = {path for path in read - compared if not any(map(path.is_relative_to, (*python, *inside)))}
    assert len(read & compared) > 100, "the program read nearly nothing: this would pass by absence"
    assert unseen == set()


def test_the_basis_of_the_same_state_is_the_same(country: Country) -> None:
    assert basis(country.file, country.state) == basis(country.file, country.state)
