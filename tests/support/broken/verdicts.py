"""Asks the product about a register, and holds its answer against the oracle's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.register.model import Register
from province.sources import Sources, load_sources
from tests.support.broken.oracle import PROVINCE, Fault
from tests.support.broken.registers import Written

# Of a file that is not there, is too large or holds nothing there is no line to name.
WITHOUT_LINE = frozenset({"REG-001", "REG-006"})
OF_THE_FILE = frozenset(f"REG-{number:03}" for number in (*range(1, 10), 19))


@dataclass(frozen=True)
class Answer:
    """What the product says: problems, or a register and its plan."""

    problems: tuple[Problem, ...]
    register: Register | None = None
    plan: Plan | None = None

    @property
    def codes(self) -> frozenset[str]:
        """The codes of the problems."""
        return frozenset(problem.code for problem in self.problems)


def ask(folder: Path, common: Sources) -> Answer:
    """Load and plan; anything else than a plan or problems is for the test to fail on."""
    try:
        sources = load_sources(folder, otherwise=common)
        return Answer((), sources.register, sources.plan())
    except ProblemsFoundError as error:
        if not error.problems:
            raise
        return Answer(error.problems)


def place(problem: Problem, folder: Path) -> str:
    """The file of a problem as the oracle calls it."""
    return str(Path(problem.file).relative_to(folder))


def dotted(path: tuple[str | int, ...]) -> str:
    """A place as messages write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def well_said(problem: Problem, folder: Path, texts: Mapping[str, str | bytes]) -> None:
    """A message names a code, a file that is there, a line of it, what was wanted and what to do."""
    words = str(problem)
    assert "\n" not in words, words
    assert len(words) < 2_000, words
    assert "Traceback" not in words
    assert problem.code[:4] == "REG-", words
    assert problem.found.strip(), words
    assert problem.wanted.strip(), words
    assert problem.remedy.strip().endswith("."), words
    file = place(problem, folder)
    if problem.code == "REG-001":
        return
    text = texts[file]
    raw = text if isinstance(text, bytes) else text.encode()
    ends = raw.count(b"\n") + 1
    assert problem.line <= ends, words
    assert problem.line >= 1 or not raw or problem.code in WITHOUT_LINE, words


def matched(
    answer: Answer, found: list[Fault], folder: Path, written: Mapping[str, Written] | None = None
) -> None:
    """Every fault is told at one of its places, and every problem tells of a fault.

    With `written` the line is compared too: that of the key, or of where its value begins.
    """
    told = {(place(p, folder), p.path, p.code) for p in answer.problems}
    for fault in found:
        if not fault.may:
            assert any(
                (file, dotted(path), code) in told
                or (code in OF_THE_FILE and any(t[0] == file and t[2] in OF_THE_FILE for t in told))
                for file, path in fault.places
                for code in fault.codes
            ), f"nobody tells of {fault}: {sorted(told)}"
    for problem in answer.problems:
        file = place(problem, folder)
        about = [
            path
            for fault in found
            for at, path in fault.places
            if at == file
            and problem.code in fault.codes
            and (dotted(path) == problem.path or problem.code in OF_THE_FILE)
        ]
        assert about, f"nothing is wrong with what is told: {problem} ({found})"
        if written is not None:
            lines = written[file].lines
            near = {lines[path] + more for path in about for more in (0, 1) if path in lines}
            assert problem.line in near or not near, f"another line than {sorted(near)}: {problem}"


def same_as_read(register: Register, files: Mapping[str, Any]) -> None:
    """What was accepted is what another reader finds in the files."""
    province = files[PROVINCE]
    assert (register.id, register.code, register.name, register.domain) == tuple(
        province[key] for key in ("id", "code", "name", "domain")
    )
    assert set(register.pools) == set(province["pools"])
    for name, pool in register.pools.items():
        given = province["pools"][name]
        assert (pool.block4, pool.block6, pool.asn, pool.letter) == tuple(
            given[key] for key in ("block4", "block6", "asn", "letter")
        )
    assert list(register.control_points) == province.get("control_points", [])
    assert dict(register.machines) == province.get("machines", {})
    assert dict(register.prices) == province.get("prices", {})
    records = {unit["id"]: unit for file, data in files.items() if file != PROVINCE for unit in data["units"]}
    assert {unit.id for unit in register.units} == set(records)
    for unit in register.units:
        record = records[unit.id]
        for key in ("code", "index", "name", "kind", "sphere", "wave", "state", "level", "level_basis"):
            assert getattr(unit, key) == record[key], (unit.id, key)
        assert unit.parent == record.get("parent")
        assert unit.org_code == record.get("org_code", "")
        assert (unit.closed, unit.returned) == (_day(record.get("closed")), _day(record.get("returned")))
        assert list(unit.services) == record["services"]
        assert list(unit.successors) == record.get("successors", [])
        assert [alias.name for alias in unit.aliases] == [a["name"] for a in record.get("aliases", ())]
        assert [link.bandwidth_mbps for link in unit.links] == [
            link["bandwidth_mbps"] for link in record["links"]
        ]


def _day(value: Any) -> str:
    """A day: readers of YAML take one without quotes for a date."""
    return "" if value is None else str(value)


def nobody_shares(plan: Plan) -> None:
    """In a plan no two units have an address, an AS number or a name in common. Pairwise."""
    for one, other in combinations(plan.units, 2):
        for mine, yours in ((one.prefix4, other.prefix4), (one.prefix6, other.prefix6)):
            apart = mine.first > yours.last or yours.first > mine.last
            assert apart or "closed" in (one.state, other.state), f"{one.id} and {other.id} share {mine}"
        assert one.asn != other.asn, f"{one.id} and {other.id}: AS {one.asn}"
    names = [host.fqdn for host in plan.hosts]
    assert len(set(names)) == len(names)
    carried = [segment for segment in plan.segments if segment.owner == "carrier"]
    for line, another in combinations(carried, 2):
        assert line.network4.first > another.network4.last or another.network4.first > line.network4.last
