"""Long lives: whatever happens to units, in whatever order, the register stays sound and nobody else moves.

Sequences of changes are made on registers whose files have a random style. After each, what the files say is
compared with a plain model that knows nothing of texts, and the plan with the one before.
"""

from __future__ import annotations

import copy
import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from province.new import slug
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.register.document import read_document
from province.register.life import Wish
from province.sources import Sources, load_sources
from province.unit import Made, prepare, write
from tests.support.repository import ROOT
from tests.support.styles import remarks, styled

Record = dict[str, Any]
REAL = ROOT / "inventories/registers/dien-bien"
CONTROL = "van-phong-uy-ban-nhan-dan"
SAME = ("links", "services", "wave", "level", "level_basis")


def base(ident: str, kind: str, index: int, parent: str = "", **more: Any) -> Record:
    """A unit as it may stand in a register."""
    return {
        "id": ident,
        "code": f"{kind[:2].upper()}{index:03}",
        "index": index,
        "name": f"Đơn vị {ident}",
        "kind": kind,
        **({"parent": parent} if parent else {}),
        "sphere": "party" if kind == "party_body" else "government",
        "links": [{"access": "fibre", "bandwidth_mbps": 100}],
        "services": ["dns", "ntp", "packages"],
        "contacts": [{"role": "network_administrator", "mailbox": f"qtm.{ident}"}],
        "wave": 2,
        "state": "live",
        "level": 2,
        "level_basis": f"Vì: {kind}",
        **more,
    }


def two_tiers() -> dict[str, list[Record]]:
    """Some units of a province of today, with what others assigned."""
    files: dict[str, list[Record]] = {}
    for name, most in (("communes", 8), ("departments", 15), ("hospitals", 1), ("party", 3), ("schools", 4)):
        path = REAL / "units" / f"{name}.yml"
        files[f"{name}.yml"] = read_document(path, path.name, "REG").data["units"][:most]
    files["communes.yml"][1] |= {
        "org_code": "H18.2",
        "assigned4": "172.16.4.0/24",
        "assigned6": "2001:db9:4::/56",
    }
    files["communes.yml"][2]["links"].append({
        "access": "mobile", "bandwidth_mbps": 20, "assigned4": "198.51.100.4/30",
    })  # fmt: skip
    return files


def three_tiers() -> dict[str, list[Record]]:
    """Districts above communes, schools below both, all in two files."""
    return {
        "tren.yml": [
            base(CONTROL, "department", 1),
            base("so-mot", "department", 4),
            base("huyen-dong", "district", 1),
            base("huyen-tay", "district", 3),
            base("huyen-cu", "district", 7, state="closed", closed="2025-06-30", successors=["huyen-dong"]),
        ],
        "duoi.yml": [
            *(base(f"xa-{n}", "commune", n, "huyen-dong" if n < 4 else "huyen-tay") for n in range(1, 7)),
            base("truong-mot", "school", 1, "xa-1"),
            base("truong-hai", "school", 2, "huyen-dong"),
        ],
    }


class Model:
    """What should be, said with plain records; None for what has to be refused, "" for nothing to change."""

    def __init__(self, files: dict[str, list[Record]], kinds: dict[str, Any]) -> None:
        self.kinds = kinds
        self.units = {r["id"]: copy.deepcopy(r) for records in files.values() for r in records}

    def open(self) -> list[Record]:
        """Units that are not closed."""
        return [unit for unit in self.units.values() if unit["state"] != "closed"]

    def children(self, idents: list[str]) -> list[Record]:
        """Open units right below some."""
        return [unit for unit in self.open() if unit.get("parent") in idents]

    def fits(self, kind: str, parent: str) -> bool:
        """Whether a kind may stand below a unit."""
        if not parent:
            return True
        above = self.units[parent]
        return above["state"] != "closed" and above["kind"] in self.kinds[kind]["parents"]

    def chain(self, ident: str) -> list[str]:
        """A unit and all above it."""
        way = []
        while ident:
            way.append(ident)
            ident = self.units[ident].get("parent", "")
        return way

    def named(self, name: str, parent: str) -> bool:
        """Whether an open unit below a parent has a name."""
        return any((u["name"], u.get("parent", "")) == (name, parent) for u in self.open())

    def clear(self) -> bool:
        """Whether no two open units below one parent have one name."""
        names = [(u["name"], u.get("parent", "")) for u in self.open()]
        return len(names) == len(set(names))

    def add(self, name: str, kind: str, parent: str, code: str, like: Record | None = None) -> str | None:
        """A new unit; its id."""
        if not self.fits(kind, parent) or self.named(name, parent):
            return None
        pool = self.kinds[kind]["pool"]
        every = list(self.units.values())
        alike = [like] if like else (
            [u for u in self.open() if u["kind"] == kind]
            or [u for u in every if u["kind"] == kind]
            or [u for u in every if self.kinds[u["kind"]]["pool"] == pool]
            or every
        )  # fmt: skip
        ident = slug(name)
        while len(ident) > 50:
            ident = ident[: ident.rindex("-")]
        ident = ident if ident not in self.units else f"{ident}-{slug(code)}"

        def usual(key: str) -> Any:
            values = [json.dumps(u[key][:1] if key == "links" else u[key]) for u in alike]
            return json.loads(Counter(values).most_common(1)[0][0])

        assert ident not in self.units
        self.units[ident] = {
            "id": ident,
            "code": code,
            "index": max([u["index"] for u in every if self.kinds[u["kind"]]["pool"] == pool], default=0) + 1,
            "name": name,
            "kind": kind,
            **({"parent": parent} if parent else {}),
            "sphere": "party" if kind == "party_body" else "government",
            **{key: usual(key) for key in SAME},
            "contacts": [{"role": "network_administrator", "mailbox": f"qtm.{ident}"}],
            "state": "planned",
        }
        for link in self.units[ident]["links"]:
            for key in ("assigned4", "assigned6"):
                link.pop(key, None)
        return ident

    def close(self, ident: str, day: str, heirs: list[str], also: list[str]) -> bool:
        """Close a unit whose children are among `also`."""
        below = [u["id"] for u in self.children([ident]) if u["id"] not in also]
        if ident == CONTROL or below:
            return False
        self.units[ident] |= {"state": "closed", "closed": day} | ({"successors": heirs} if heirs else {})
        return True

    def alias(self, ident: str, **alias: str) -> None:
        """Note a former name."""
        unit = self.units[ident]
        kept = [a for a in unit.get("aliases", []) if a["name"] != unit["name"]]
        kept += [alias] if alias["name"] != unit["name"] else []
        unit.pop("aliases", None)
        if kept:
            unit["aliases"] = kept

    def merge(self, idents: list[str], into: str, day: str) -> bool:
        """Units become one of the register."""
        others = [i for i in idents if i != into]
        heir = self.units[into]
        if heir.get("parent") in others:
            above = heir["parent"]
            while above in others:
                above = self.units[above].get("parent", "")
            if not self.fits(heir["kind"], above) or into in self.chain(above):
                return False
            heir.pop("parent")
            if above:
                heir["parent"] = above
        for child in self.children(others):
            if child["id"] not in (*others, into):
                if not self.fits(child["kind"], into) or child["id"] in self.chain(into):
                    return False
                child["parent"] = into
        if not all(self.close(i, day, [into], others) for i in others):
            return False
        for i in others:
            self.alias(into, name=self.units[i]["name"], until=day, by="merge", unit=i)
        return True


class Story:
    """A register on disk and its model, changed side by side."""

    def __init__(self, folder: Path, files: dict[str, list[Record]], seed: int) -> None:
        self.folder = folder
        random = Random(seed)  # noqa: S311 - styles, not secrets
        shutil.copytree(REAL, folder)
        shutil.rmtree(folder / "units")
        (folder / "units").mkdir()
        province = (REAL / "province.yml").read_text(encoding="utf-8")
        (folder / "province.yml").write_text(f"{province}control_points: [{CONTROL}]\n", encoding="utf-8")
        for name, records in files.items():
            (folder / "units" / name).write_text(styled(records, random), encoding="utf-8", newline="\n")
        catalogue = yaml.safe_load((ROOT / "inventories/catalogue/kinds.yml").read_text(encoding="utf-8"))
        self.model = Model(files, catalogue["kinds"])
        self.day = date(2026, 1, 1)
        self.number = itertools.count(1)
        self.done: Counter[str] = Counter()
        self.what = ""
        self.sources = load_sources(folder)
        self.plan = self.sources.plan()
        self.texts = self.read()

    def read(self) -> dict[str, str]:
        """The files as they are."""
        return {p.name: p.read_text(encoding="utf-8") for p in sorted((self.folder / "units").glob("*"))}

    def pick(self, records: list[Record], number: int) -> Record:
        """One of some, by a number."""
        return records[number % len(records)]

    def step(self, what: str, a: int, b: int, c: int) -> None:
        """One change, by numbers that choose among what there is."""
        self.what = what
        self.day += timedelta(days=a % 3)
        day, number = self.day.isoformat(), next(self.number)
        units, free = list(self.model.units.values()), self.model.open()
        model = copy.deepcopy(self.model)
        one, other = self.pick(units, a), self.pick(units, b)
        wanted: bool | None  # whether it is to be done; None where nothing changes
        if what == "add":
            kind = list(model.kinds)[a % len(model.kinds)]
            # A used name now and then: of an open unit, of a closed one.
            name = other["name"] if c % 4 == 0 else f"Đơn vị Mới {number}"
            above = [u["id"] for u in free if model.fits(kind, u["id"])]
            parent = [*above, "", one["id"]][c % (len(above) + 2)]
            wish = Wish(kind=kind, name=name, code=f"N{number}", parent=parent)
            wanted = bool(model.add(name, kind, parent, f"N{number}"))
            self.do(lambda life: life.add(wish) * 0, model, wanted)
        elif what == "close":
            wanted = None if one["state"] == "closed" else model.close(one["id"], day, [], [])
            given = one.get("closed", day) if c % 2 else day if one["state"] != "closed" else ""
            self.do(lambda life: life.close(one["id"], given), model, wanted)
        elif what == "move":
            above = [u["id"] for u in free if model.fits(one["kind"], u["id"])]
            parent = [*above, "", other["id"]][c % (len(above) + 2)]
            unit = model.units[one["id"]]
            wanted = (
                one["state"] != "closed"
                and model.fits(one["kind"], parent)
                and one["id"] not in model.chain(parent)
                and (None if parent == one.get("parent", "") else not model.named(one["name"], parent))
            )
            if parent == one.get("parent", "") and one["state"] != "closed":
                wanted = None
            unit.pop("parent", None)
            if parent:
                unit["parent"] = parent
            self.do(lambda life: life.move(one["id"], parent), model, wanted)
        elif what == "rename":
            old = [a["name"] for a in one.get("aliases", [])]
            name = [f"Đơn vị {number} & mới", other["name"], *old][c % (2 + len(old))]
            wanted = one["state"] != "closed" and not model.named(name, one.get("parent", ""))
            if one["state"] != "closed" and name == one["name"]:
                wanted = None
            unit = model.units[one["id"]]
            unit["name"] = name
            model.alias(one["id"], name=one["name"], until=day, by="rename")
            self.do(lambda life: life.rename(one["id"], name, "", day), model, wanted)
        elif what == "merge":
            idents = list(dict.fromkeys([one["id"], other["id"], self.pick(units, a + b)["id"]][: 1 + c % 3]))
            into = self.pick(units, c)["id"]
            rest = [i for i in idents if i != into]
            closed = [i for i in [*rest, into] if model.units[i]["state"] == "closed"]
            wanted = bool(rest) and not closed and model.merge(idents, into, day)
            done = {(model.units[i]["state"], *model.units[i].get("successors", ())) for i in rest}
            if rest and set(rest) <= set(closed) and done == {("closed", into)}:
                wanted = None
            self.do(lambda life: life.merge(idents, into, None, day), model, wanted)
        elif what == "merge-new":
            idents = list(dict.fromkeys([one["id"], other["id"]]))
            if model.units[idents[0]]["kind"] != model.units[idents[-1]]["kind"]:
                idents = idents[:1]
            if all(model.units[i]["state"] == "closed" for i in idents):
                return
            name, parent = f"Đơn vị Chung {number}", ""
            wish = Wish(name=name, code=f"N{number}", parent=parent)
            wanted = all(model.units[i]["state"] != "closed" for i in idents)
            if wanted:
                new = model.add(name, one["kind"], parent, f"N{number}", like=model.units[idents[0]])
                wanted = bool(new) and model.merge([*idents], str(new), day)
            self.do(lambda life: life.merge(idents, "", wish, day), model, wanted)
        elif what == "split":
            self.split(one, day, number, model, keep=b % 3 == 0, heir=c)
        else:
            closed_ones = [unit for unit in units if unit["state"] == "closed"]
            one = self.pick(closed_ones if closed_ones and b % 2 else units, a)
            wanted = one["state"] == "closed"
            if wanted and "returned" in one:
                wanted = None
            elif wanted:
                model.units[one["id"]]["returned"] = day
            given = one.get("returned", day)
            self.do(lambda life: life.returned(one["id"], given), model, wanted)

    def split(self, one: Record, day: str, number: int, model: Model, *, keep: bool, heir: int) -> None:
        """One unit becomes two, one of which may have its name."""
        names = [one["name"] if heir % 2 and not keep else f"Đơn vị Đông {number}", f"Đơn vị Tây {number}"]
        parts = [(name, f"N{number}{side}") for name, side in zip(names, "DT", strict=True)]
        below, unit = model.children([one["id"]]), model.units[one["id"]]
        wanted = one["state"] != "closed" and (keep or one["id"] != CONTROL)
        chosen = "" if keep else names[heir % 2]
        if wanted:
            unit["state"] = one["state"] if keep else "closed"
            made = [
                str(model.add(name, one["kind"], one.get("parent", ""), code, like=unit))
                for name, code in parts
            ]
            if not keep:
                first = made[heir % 2]
                unit |= {"closed": day, "successors": [first, *(m for m in made if m != first)]}
                for child in below:
                    wanted = wanted and model.fits(child["kind"], first)
                    child["parent"] = first
                model.alias(first, name=one["name"], until=day, by="split", unit=one["id"])
        self.do(lambda life: life.split(one["id"], parts, keep, chosen, day), model, wanted)

    def do(self, change: Any, model: Model, wanted: bool | None) -> None:
        """Make a change and look at everything that has to hold."""
        wanted = wanted and model.clear()
        made: Made | str | tuple[Problem, ...]
        try:
            made = prepare(
                self.folder, "province unit", self.day.isoformat(), lambda life: change(life) or ""
            )
        except ProblemsFoundError as error:
            made = error.problems
        if isinstance(made, tuple):
            assert wanted is False, made
            assert all(problem.code.startswith(("UNT-", "REG-")) for problem in made)
            assert self.read() == self.texts
            return
        if isinstance(made, str):
            assert wanted is None, made
            assert self.read() == self.texts
            return
        assert wanted
        assert isinstance(made, Made)
        self.done[self.what] += 1
        write(self.folder, made)
        sources = load_sources(self.folder)
        plan, texts = sources.plan(), self.read()
        self.nobody_moves(plan, model)
        nothing_twice(self.sources, sources)
        for name, text in self.texts.items():
            self.small(name, text, texts[name], model)
        said = {
            record["id"]: record
            for name in texts
            for record in read_document(self.folder / "units" / name, name, "REG").data["units"]
        }
        assert said == model.units
        self.model, self.sources, self.plan, self.texts = model, sources, plan, texts

    def nobody_moves(self, plan: Plan, model: Model) -> None:
        """Units keep their blocks, closed ones too; hosts keep their addresses, or go with a unit."""
        after = {unit.id: unit for unit in plan.units}
        for unit in self.plan.units:
            now = after[unit.id]
            given_back = "assigned4" in model.units[unit.id] and "returned" in model.units[unit.id]
            # A block from outside that was given back is not the unit's any more.
            for key in ("asn", "index", "pool", *(() if given_back else ("prefix4", "prefix6", "segments"))):
                assert str(getattr(now, key)) == str(getattr(unit, key))
        closed = {ident for ident, unit in model.units.items() if unit["state"] == "closed"}
        before, now_there = addresses(self.plan), addresses(plan)
        for host, (owner, held) in before.items():
            assert (host in now_there) == (owner not in closed)
            assert owner in closed or now_there[host] == (owner, held)
        lines = {s.id: f"{s.network4} {s.network6}" for s in plan.segments}
        for segment in self.plan.segments:
            assert lines.get(segment.id, "") in ("", f"{segment.network4} {segment.network6}")

    def small(self, name: str, before: str, after: str, model: Model) -> None:
        """Only lines of the units concerned differ, and no remark is lost."""
        assert remarks(before) == remarks(after)
        old, new = pieces(before), pieces(after)
        assert list(new)[: len(old)] == list(old)
        last = list(old)[-1] if old else ""
        for ident, text in old.items():
            if model.units[ident] == self.model.units[ident] and (ident != last or len(new) == len(old)):
                assert new[ident] == text
        assert name in self.texts


def addresses(plan: Plan) -> dict[str, tuple[str, list[str]]]:
    """Whose each host is, and its addresses as text; without the carrier, which has one for each line."""
    return {
        host.name: (host.owner, [f"{i.name} {a}" for i in host.interfaces for a in (*i.addresses, *i.vips)])
        for host in plan.hosts
        if host.owner != "carrier"
    }


def nothing_twice(before: Sources, after: Sources) -> None:
    """Ids, codes and indexes stay with their units for ever."""
    kinds = after.catalogue.kinds
    for values in (
        [unit.id for unit in after.register.units],
        [unit.code for unit in after.register.units],
        [(kinds[unit.kind].pool, unit.index) for unit in after.register.units],
    ):
        assert len(values) == len(set(values))
    now = {unit.id: unit for unit in after.register.units}
    highest: Counter[str] = Counter()
    for unit in before.register.units:
        same = now.pop(unit.id)
        assert (same.index, same.kind) == (unit.index, unit.kind)
        assert (same.org_code, same.assigned4, same.assigned6) == (
            unit.org_code,
            unit.assigned4,
            unit.assigned6,
        )
        assert same.links == unit.links
        assert same.code == unit.code
        pool = kinds[unit.kind].pool
        highest[pool] = max(highest[pool], unit.index)
    for unit in now.values():
        assert unit.index > highest[kinds[unit.kind].pool]


def pieces(text: str) -> dict[str, str]:
    """The units of a file as they are written, each with what follows it, by id."""
    root: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    found = {}
    for node in root.value[0][1].value:
        ident = next(value.value for key, value in node.value if key.value == "id")
        found[ident] = text[node.start_mark.index : node.end_mark.index]
    return found


WHAT = ("add", "close", "move", "move", "rename", "rename", "merge", "merge-new", "split", "returned")
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 999), st.integers(0, 999), st.integers(0, 99)),
    min_size=30,
    max_size=36,
)
SETTINGS = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    # A story takes a second: the whole of it is told, a shorter one is not searched for.
    phases=(Phase.generate,),
)


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def tell(
    place: Path, files: dict[str, list[Record]], seed: int, steps: list[tuple[str, int, int, int]]
) -> None:
    """A whole story."""
    shutil.rmtree(place / "life", ignore_errors=True)
    story = Story(place / "life", files, seed)
    for step in steps:
        story.step(*step)


@SETTINGS
@given(seed=st.integers(0, 2**32), steps=STEPS)
def test_a_long_life_of_two_tiers_moves_nobody_and_loses_no_word(
    place: Path, seed: int, steps: list[tuple[str, int, int, int]]
) -> None:
    tell(place, two_tiers(), seed, steps)


@SETTINGS
@given(seed=st.integers(0, 2**32), steps=STEPS)
def test_a_long_life_of_three_tiers_moves_nobody_and_loses_no_word(
    place: Path, seed: int, steps: list[tuple[str, int, int, int]]
) -> None:
    tell(place, three_tiers(), seed, steps)


def test_in_a_life_every_kind_of_change_is_made(place: Path) -> None:
    """What is refused is a part of the lives above, and not the whole of them."""
    random = Random(3)  # noqa: S311 - a story, not a secret
    story = Story(place / "life", two_tiers(), 3)
    for number in range(60):
        what = WHAT[number % len(WHAT)]
        story.step(what, random.randrange(1000), random.randrange(1000), random.randrange(100))
    assert set(story.done) == set(WHAT)
