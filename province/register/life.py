"""What becomes of units: added, closed, moved, renamed, merged, split. Pure: on records, without files.

Records are never taken away, and an id, an index or a code is never given a second time: what a closed unit
had stays with it. So nobody else's address moves, whatever happens. Old names live on as aliases, with the
day from which they were no longer used.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from province.problems import Problem, ProblemsFoundError
from province.register.catalogue import Catalogue
from province.register.document import Document, near, shown
from province.register.model import CARRIER, CENTRE, CLOSED, UNIT, Register
from province.register.names import indistinct
from province.register.shape import Date

Record = dict[str, Any]
ORDER = tuple(UNIT.fields)
_MAILBOX, _MAILBOX_LENGTH, _ID_LENGTH = "qtm.{id}", 63, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of a new unit; what is left out is taken from units like it.

    `parent` is None for one like its siblings', "" for the province itself.
    """

    kind: str = ""
    name: str = ""
    code: str = ""
    parent: str | None = None
    id: str = ""
    access: str = ""
    mbps: int = 0
    services: tuple[str, ...] | None = None
    wave: int | None = None
    level: int | None = None
    level_basis: str = ""
    assigned4: str = ""
    assigned6: str = ""


class Life:
    """A register's records while they are changed.

    `files` holds the records by the file's name (`communes.yml`), as they shall be; a name that `documents`
    does not have is a new file. Every change raises ProblemsFoundError (UNT-nnn) when it cannot be: then the
    object is of no more use. `command` is what messages call the place of an argument, `slug` makes an id of
    a name, `today` is the day of a change for which "" is given.
    """

    def __init__(
        self,
        register: Register,
        documents: Mapping[str, Document],
        catalogue: Catalogue,
        slug: Callable[[str], str],
        command: str,
        today: str,
    ) -> None:
        self.register = register
        self.documents = documents
        self.catalogue = catalogue
        self.slug = slug
        self.command = command
        self.today = today
        self.files: dict[str, list[Record]] = {
            name: copy.deepcopy(document.data["units"]) for name, document in documents.items()
        }
        self.places = {
            record["id"]: (name, number)
            for name, records in self.files.items()
            for number, record in enumerate(records)
        }

    # The changes

    def add(self, wish: Wish, like: Record | None = None) -> str:
        """A new unit with an index of its own; its id. `like` is the unit it comes from, if it does."""
        self._known_kind(wish.kind)
        name = self._sound("name", wish.name)
        parent = self._parent_wanted(wish)
        self._new_name(name, parent, "--name")
        code = self._new_code(wish, name)
        ident = self._new_id(wish.id, name, code)
        siblings = [like] if like else self._siblings(wish.kind)
        level, basis = self._level(wish, siblings)
        first = [record["links"][0] for record in siblings]
        assigned = {key: getattr(wish, key) for key in ("assigned4", "assigned6") if getattr(wish, key)}
        record: Record = {
            "id": ident,
            "code": code,
            "index": self._next_index(wish.kind),
            "name": name,
            "kind": wish.kind,
            **({"parent": parent} if parent else {}),
            "sphere": "party" if wish.kind == "party_body" else "government",
            **{key: self._sound(key, value) for key, value in assigned.items()},
            "links": [
                {
                    "access": wish.access or _usual(link["access"] for link in first),
                    "bandwidth_mbps": wish.mbps or _usual(link["bandwidth_mbps"] for link in first),
                }
            ],
            "services": _usual(record["services"] for record in siblings)
            if wish.services is None
            else list(wish.services),
            "contacts": _contacts(siblings, ident),
            "wave": _usual(record["wave"] for record in siblings) if wish.wave is None else wish.wave,
            "state": "planned",
            "level": level,
            "level_basis": basis,
        }
        for key in ("links", "services", "wave", "level", "level_basis"):
            record[key] = self._sound(key, record[key])
        file = self._file_of(wish.kind)
        self.files.setdefault(file, []).append(record)
        self.places[ident] = (file, len(self.files[file]) - 1)
        return ident

    def close(self, ident: str, day: str) -> str:
        """Close a unit for good; a word when it is so already."""
        record = self._unit(ident, "UNIT")
        if record["state"] == CLOSED:
            if day in ("", record["closed"]):
                return f"{ident} is closed since {record['closed']}"
            raise self._closed(ident, "its day of closing stays as it is")
        self._end([ident], day, [])
        return ""

    def move(self, ident: str, parent: str) -> str:
        """Put a unit below another, or with "" below the province itself."""
        record = self._open(ident, "UNIT")
        if record.get("parent", "") == parent:
            return f"{ident} is below {parent or 'the province'} already"
        self._put(ident, parent, "--parent")
        return ""

    def rename(self, ident: str, name: str, code: str, day: str) -> str:
        """Give a unit another name, and another official code with it; the old name becomes an alias."""
        record = self._open(ident, "UNIT")
        name, old, old_code = self._sound("name", name), record["name"], record["code"]
        if name == old and code in ("", old_code):
            return f"{ident} has this name already"
        if name == old:
            raise self._stop(
                "033",
                "--code",
                f"a new code without a new name for '{ident}'",
                "a name that is new, too",
                "Write the code into the register by hand, and say why beside it.",
                ident,
                "code",
            )
        self._new_name(name, record.get("parent", ""), "--name", ident)
        changed = code not in ("", old_code)
        alias = {"name": old, "until": self._day(day, record), "by": "rename"}
        if changed:
            record["code"] = self._free_code(self._sound("code", code))
            alias["code"] = old_code
        record["name"] = name
        self._alias(record, alias)
        return ""

    def merge(self, idents: Sequence[str], into: str, new: Wish | None, day: str) -> str:
        """Units become one: `into`, or the `new` one. What stood below them stands below it."""
        idents = list(dict.fromkeys(idents))
        for ident in idents:
            self._unit(ident, "UNIT")
        others = [ident for ident in idents if new or ident != into]
        if new is None:
            self._unit(into, "--into")
        if not others:
            raise self._argument(
                "030", "UNIT", f"nothing but '{into}' itself", "units that become part of it", "Name them."
            )
        if done := self._merged_already(others, into, new):
            return done
        for ident in others:
            self._open(ident, "UNIT")
        heir = self._merged_new(others, into, new) if new else into
        record = self._open(heir, "--into")
        if record.get("parent") in others:
            self._put(heir, self._above(record["parent"], others), "--into")
        for child in self._children(others):
            if child not in (*others, heir):
                self._put(child, heir, "--into")
        self._end(others, day, [heir])
        for ident in others:
            self._alias(
                record,
                {
                    "name": self._record(ident)["name"],
                    "until": self._day(day, record),
                    "by": "merge",
                    "unit": ident,
                },
            )
        return ""

    def split(self, ident: str, parts: Sequence[tuple[str, str]], keep: bool, heir: str, day: str) -> str:
        """A unit becomes several: `parts` are names and codes of the new ones, which are like it.

        With `keep` the unit stays as well; else it is closed, and its name and what stood below it goes to
        `heir`, the name or id of a part (the first, where nothing stood below it).
        """
        record = self._unit(ident, "UNIT")
        names = [self._sound("name", name) for name, _ in parts]
        if len(set(names)) < len(names) or len(names) < 2 - keep:
            raise self._argument(
                "030",
                "--into",
                "a name twice" if len(set(names)) < len(names) else f"{len(names)} new unit",
                "names of the new units, at least two where the old one is closed",
                "Name every new unit once, as NAME=CODE.",
            )
        if record["state"] == CLOSED:
            after = [self._record(heir)["name"] for heir in record.get("successors", ())]
            if sorted(after) == sorted(names):
                return f"{ident} was split on {record['closed']}"
        self._open(ident, "UNIT")
        if keep and heir:
            raise self._argument(
                "031", "--heir", "an heir of a unit that stays", "one of --keep and --heir", "Leave one out."
            )
        children = [] if keep else self._children([ident])
        if children and not heir:
            raise self._argument(
                "031",
                "--heir",
                f"open units below '{ident}' ({_some(children)}) and no heir",
                "the name of the new unit that takes them over",
                f"Name one of {', '.join(names)}; move those that belong elsewhere afterwards.",
            )
        if not keep:
            # First, so that a part may have the name of the whole.
            self._not_moderating([ident])
            record["state"] = CLOSED
        wish = Wish(kind=record["kind"], parent=record.get("parent", ""))
        made = [
            self.add(replace(wish, name=name, code=code), like=record)
            for name, (_, code) in zip(names, parts, strict=True)
        ]
        if keep:
            return ""
        chosen = self._heir(heir, made, names)
        for child in children:
            self._put(child, chosen, "--heir")
        self._end([ident], day, [chosen, *(part for part in made if part != chosen)])
        self._alias(
            self._record(chosen),
            {"name": record["name"], "until": record["closed"], "by": "split", "unit": ident},
        )
        return ""

    def returned(self, ident: str, day: str) -> str:
        """Note that what others assigned to a closed unit has been given back."""
        record = self._unit(ident, "UNIT")
        if record["state"] != CLOSED:
            raise self._stop(
                "032",
                "UNIT",
                f"the unit '{ident}', which is {record['state']}",
                "a closed unit",
                "Close it first: what it uses cannot be given back.",
                ident,
                "state",
            )
        given = record.get("returned", "")
        if given and day in ("", given):
            return f"what {ident} held was given back on {given}"
        if given:
            raise self._stop(
                "032",
                "--date",
                f"{day} for what '{ident}' gave back on {given}",
                "the day as it is written",
                "Correct the register by hand if it is wrong there.",
                ident,
                "returned",
            )
        record["returned"] = self._day(day, record)
        return ""

    # Parts of changes

    def _end(self, idents: Sequence[str], day: str, heirs: Sequence[str]) -> None:
        """Close units; what is open below them has gone elsewhere before."""
        self._not_moderating(idents)
        for ident in idents:
            record = self._record(ident)
            below = [child for child in self._children([ident]) if child not in idents]
            if below:
                raise self._stop(
                    "022",
                    "UNIT",
                    f"open units below '{ident}': {_some(below)}",
                    "a unit with nothing open below it",
                    "Close or move them first (`province unit move`), or merge it into another unit.",
                    ident,
                )
            record["closed"] = self._day(day, record)
        for ident in idents:
            self._record(ident).update({"state": CLOSED} | ({"successors": list(heirs)} if heirs else {}))

    def _not_moderating(self, idents: Iterable[str]) -> None:
        for ident in idents:
            if ident in self.register.control_points:
                raise self._stop(
                    "023",
                    "UNIT",
                    f"the control point '{ident}', from which conferences are moderated",
                    "a unit that moderates none",
                    "Name another in `control_points` of province.yml first.",
                    ident,
                )

    def _alias(self, record: Record, alias: Record) -> None:
        """Add a former name; none is the name of today."""
        kept = [given for given in record.get("aliases", ()) if given["name"] != record["name"]]
        if alias["name"] != record["name"]:
            kept.append(alias)
        record.pop("aliases", None)
        if kept:
            record["aliases"] = kept

    def _put(self, ident: str, parent: str, argument: str) -> None:
        """Below another unit, if it may stand there."""
        record = self._record(ident)
        if parent:
            self._may_stand(record["kind"], parent, argument, ident)
        self._new_name(record["name"], parent, argument, ident)
        record.pop("parent", None)
        if parent:
            record["parent"] = parent

    def _may_stand(self, kind: str, parent: str, argument: str, ident: str = "") -> None:
        above = self._open(parent, argument)
        allowed = self.catalogue.kinds[kind].parents
        if above["kind"] not in allowed:
            whom = f"'{ident}', a {kind}" if ident else f"a {kind}"
            raise self._argument(
                "026",
                argument,
                f"'{parent}', a {above['kind']}, above {whom}",
                "a parent of kind " + ", ".join(allowed) if allowed else "no parent but the province",
                "Name another unit, or allow it in catalogue/kinds.yml.",
            )
        here: str | None = parent
        while here is not None:
            if here == ident:
                raise self._argument(
                    "026",
                    argument,
                    f"'{parent}', which is '{ident}' or stands below it",
                    "a unit that does not stand below it",
                    "Name another unit, or move that one first.",
                )
            here = self._record(here).get("parent")

    def _above(self, parent: str, gone: Sequence[str]) -> str:
        """The nearest unit above that stays, "" for the province."""
        while parent in gone:
            parent = self._record(parent).get("parent", "")
        return parent

    def _children(self, idents: Iterable[str]) -> list[str]:
        """Open units below some."""
        above = set(idents)
        return [
            record["id"]
            for records in self.files.values()
            for record in records
            if record.get("parent") in above and record["state"] != CLOSED
        ]

    def _merged_already(self, others: Sequence[str], into: str, new: Wish | None) -> str:
        records = [self._record(ident) for ident in others]
        heirs = {tuple(record.get("successors", ())) for record in records}
        if any(record["state"] != CLOSED for record in records) or len(heirs) != 1:
            return ""
        heir = heirs.pop()
        if len(heir) == 1 and (heir[0] == into if new is None else self._record(heir[0])["name"] == new.name):
            return f"{_some(list(others))} became {heir[0]} on {records[0]['closed']}"
        return ""

    def _merged_new(self, others: Sequence[str], into: str, new: Wish) -> str:
        """The new unit of a merger: of the kind and below the unit that they have in common."""
        records = [self._record(ident) for ident in others]
        kinds = {record["kind"] for record in records}
        parents = {self._above(record.get("parent", ""), others) for record in records}
        if not new.kind and len(kinds) > 1:
            raise self._argument(
                "025",
                "--kind",
                f"units of {len(kinds)} kinds and none named",
                "the new unit's kind",
                "Name it.",
            )
        if new.parent is None and len(parents) > 1:
            raise self._parents_differ("the merged units", parents)
        wish = replace(
            new,
            kind=new.kind or kinds.pop(),
            parent=parents.pop() if new.parent is None else new.parent,
            id=new.id or into,
        )
        like = next((record for record in records if record["kind"] == wish.kind), None)
        # Their names are free for the new unit; whatever refuses the merger refuses it before it is closed.
        names = [(record, record["state"]) for record in records]
        for record in records:
            record["state"] = CLOSED
        try:
            return self.add(wish, like=like)
        finally:
            for record, state in names:
                record["state"] = state

    def _heir(self, heir: str, made: Sequence[str], names: Sequence[str]) -> str:
        if not heir:
            return made[0]
        if heir in made:
            return heir
        if heir in names:
            return made[names.index(heir)]
        raise self._argument(
            "031",
            "--heir",
            f"the unknown heir {shown(heir)}",
            "the name of one of the new units",
            near(heir, list(names)) + f"Name one of {', '.join(names)}.",
        )

    # What a new unit gets

    def _known_kind(self, kind: str) -> None:
        if kind not in self.catalogue.kinds:
            raise self._argument(
                "025",
                "--kind",
                f"the unknown kind {shown(kind)}",
                "one of " + ", ".join(self.catalogue.kinds),
                near(kind, list(self.catalogue.kinds)) + "Correct it.",
            )

    def _siblings(self, kind: str) -> list[Record]:
        """Units to learn from: open ones of the kind, else whatever is nearest."""
        every = [record for records in self.files.values() for record in records]
        pool = self.catalogue.kinds[kind].pool
        for alike in (
            [r for r in every if r["kind"] == kind and r["state"] != CLOSED],
            [r for r in every if r["kind"] == kind],
            [r for r in every if self.catalogue.kinds[r["kind"]].pool == pool],
            every,
        ):
            if alike:
                return alike
        raise self._argument(
            "034",
            "REGISTER",
            "a register without a single unit",
            "a unit to learn lines, services and level from",
            "Write the first unit by hand, or make the register with `province new`.",
        )

    def _parent_wanted(self, wish: Wish) -> str:
        parent = wish.parent
        if parent is None:
            alike = [
                record.get("parent", "")
                for records in self.files.values()
                for record in records
                if record["kind"] == wish.kind and record["state"] != CLOSED
            ]
            if len(set(alike)) > 1:
                raise self._parents_differ(f"units of the kind {wish.kind}", set(alike))
            parent = alike[0] if alike else ""
        if parent:
            self._may_stand(wish.kind, parent, "--parent")
        return parent

    def _parents_differ(self, whose: str, parents: set[str]) -> ProblemsFoundError:
        names = sorted(parent or "the province" for parent in parents)
        return self._argument(
            "029",
            "--parent",
            f"{whose} below {' and '.join(names) if len(names) < 3 else _some(names)}",
            "the unit above the new one",
            "Name it with --parent, or say --under-province.",
        )

    def _new_name(self, name: str, parent: str, argument: str, ident: str = "") -> None:
        """People tell a unit from all others below the same parent; `ident` is the unit itself."""
        others = (
            (0, record["name"], record["id"])
            for records in self.files.values()
            for record in records
            if record.get("parent", "") == parent and record["state"] != CLOSED and record["id"] != ident
        )
        for _, taken in indistinct((*others, (0, name, ""))):
            other = self._record(taken)
            raise self._stop(
                "027",
                argument,
                f"the {other['kind']} {shown(other['name'])} below {parent or 'the province'}, '{taken}'",
                "a name that looks like no other there",
                "Nothing is to be done if it is the same unit; else give it a name of its own.",
                taken,
                "name",
            )

    def _new_code(self, wish: Wish, name: str) -> str:
        if wish.code:
            return self._free_code(self._sound("code", wish.code))
        own = f"{self.register.code}-"
        alike = [
            record["code"]
            for records in self.files.values()
            for record in records
            if record["kind"] == wish.kind
        ]
        if not alike or not all(code.startswith(own) for code in alike):
            raise self._argument(
                "028",
                "--into" if self.command.endswith(" split") else "--code",
                f"no code for the {wish.kind} {shown(name)}",
                "its official code" + (", as NAME=CODE" if self.command.endswith(" split") else ""),
                "Take it from the official list; only codes that the province gives itself are made here.",
            )
        letters = "".join(word[0] for word in self.slug(name).split("-") if word).upper()
        taken, code, number = self._codes(), f"{own}{letters}"[:26], 2
        while code in taken:
            code, number = f"{own}{letters}"[:26] + str(number), number + 1
        return code

    def _codes(self) -> dict[str, str]:
        """Every code ever used, with its unit."""
        return {
            entry["code"]: record["id"]
            for records in self.files.values()
            for record in records
            for entry in (*record.get("aliases", ()), record)
            if "code" in entry
        }

    def _free_code(self, code: str) -> str:
        owner = self._codes().get(code)
        if owner:
            raise self._stop(
                "027",
                "--code",
                f"the code '{code}', which '{owner}' has or had",
                "a code that no unit ever had",
                "Correct it: a code is never given twice, not even after its unit is closed.",
                owner,
                "code",
            )
        return code

    def _new_id(self, wanted: str, name: str, code: str) -> str:
        taken = {*self.places, CENTRE, CARRIER}
        if wanted:
            self._sound("id", wanted)
            if wanted in taken:
                raise self._argument(
                    "027",
                    "--id",
                    f"the id '{wanted}', which is or was in use",
                    "an id that no unit ever had",
                    "Choose another, or leave it out.",
                )
            return wanted
        made = self.slug(name)
        made = made if made[:1].isalpha() else f"unit-{made}".rstrip("-")
        for tail in ("", f"-{self.slug(code)}", *(f"-{number}" for number in range(2, len(taken) + 3))):
            if (ident := _shortened(made, _ID_LENGTH - len(tail)) + tail) not in taken:
                break
        return ident

    def _next_index(self, kind: str) -> int:
        """One above the highest ever used in the pool: gaps are blocks that somebody had."""
        pool = self.catalogue.kinds[kind].pool
        used = [
            record["index"]
            for records in self.files.values()
            for record in records
            if self.catalogue.kinds[record["kind"]].pool == pool
        ]
        return max(used, default=0) + 1

    def _level(self, wish: Wish, siblings: Sequence[Record]) -> tuple[int, str]:
        level, basis = _usual((record["level"], record["level_basis"]) for record in siblings)
        if wish.level not in (None, level) and not wish.level_basis:
            raise self._argument(
                "028",
                "--level-basis",
                f"level {wish.level} without a reason, where units like it have {level}",
                "why it has that level",
                "Say it with --level-basis.",
            )
        return wish.level or level, wish.level_basis or basis

    def _file_of(self, kind: str) -> str:
        """The file in which units of a kind live, else those of its pool; else one of its own."""
        pool = self.catalogue.kinds[kind].pool
        for fits in (
            lambda record: record["kind"] == kind,
            lambda record: self.catalogue.kinds[record["kind"]].pool == pool,
        ):
            counts = {name: sum(map(fits, records)) for name, records in self.files.items()}
            if any(counts.values()):
                return max(counts, key=lambda name: counts[name])
        return next(iter(self.files)) if len(self.files) == 1 else f"{pool.replace('_', '-')}s.yml"

    # Words

    def _sound(self, key: str, value: Any) -> Any:
        """A value that its field may hold."""
        scratch = Document(file=self.command, family="UNT")
        UNIT.fields[key].shape.check(scratch, (f"--{key.replace('_', '-')}",), value)
        if scratch.problems:
            raise ProblemsFoundError(tuple(scratch.problems))
        return value

    def _day(self, day: str, record: Record) -> str:
        """A day of the calendar, not before what is known of the unit."""
        day = day or self.today
        scratch = Document(file=self.command, family="UNT")
        Date().check(scratch, ("--date",), day)
        if scratch.problems:
            raise ProblemsFoundError(tuple(scratch.problems))
        last = max([*(alias["until"] for alias in record.get("aliases", ())), record.get("closed", "")])
        if day < last:
            raise self._stop(
                "024",
                "--date",
                f"{day} for '{record['id']}', to which something happened on {last}",
                f"{last} or a later day",
                "Correct the day.",
                record["id"],
            )
        return day

    def _record(self, ident: str) -> Record:
        name, number = self.places[ident]
        return self.files[name][number]

    def _unit(self, ident: str, argument: str) -> Record:
        if ident not in self.places:
            raise self._argument(
                "020",
                argument,
                f"the unknown unit {shown(ident)}",
                f"the id of a unit of the register {self.register.id}",
                near(ident, list(self.places)) + "Correct it; `province plan` lists the units.",
            )
        return self._record(ident)

    def _open(self, ident: str, argument: str) -> Record:
        record = self._unit(ident, argument)
        if record["state"] == CLOSED:
            raise self._closed(ident, "what is closed stays as it is", argument)
        return record

    def _closed(self, ident: str, why: str, argument: str = "UNIT") -> ProblemsFoundError:
        record = self._record(ident)
        heirs = record.get("successors", ())
        return self._stop(
            "021",
            argument,
            f"the unit '{ident}', closed since {record.get('closed', 'now')}"
            + (f" and followed by {_some(heirs)}" if heirs else ""),
            f"an open unit: {why}",
            "Name another unit" + (", such as one that followed it." if heirs else "."),
            ident,
            "state",
        )

    def _argument(self, code: str, path: str, found: str, wanted: str, remedy: str) -> ProblemsFoundError:
        """A refusal of an argument."""
        return ProblemsFoundError(
            (
                Problem(
                    code=f"UNT-{code}",
                    file=self.command,
                    line=0,
                    path=path,
                    found=found,
                    wanted=wanted,
                    remedy=remedy,
                ),
            )
        )

    def _stop(
        self, code: str, path: str, found: str, wanted: str, remedy: str, ident: str, field: str = "id"
    ) -> ProblemsFoundError:
        """A refusal for what stands in the register: the line is that of the unit's field."""
        name, number = self.places[ident]
        document = self.documents.get(name)
        if document is None or number >= len(document.data["units"]):
            return self._argument(code, path, found, wanted, remedy)
        scratch = Document(file=document.file, family="UNT", lines=document.lines)
        scratch.problem(code, ("units", number, field), found, wanted, remedy)
        return ProblemsFoundError(tuple(scratch.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Something that others assigned to a unit that is closed: `what` is a key of GIVERS."""

    unit: str
    name: str
    closed: str
    successors: tuple[str, ...]
    what: str
    value: str


# What others assign, and who: Vietnamese, English. Private blocks: Circular 06/2026/TT-BKHCN, article 7;
# codes of organisations: Decision 20/2020/QD-TTg.
GIVERS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "official_code": (
        ("Mã đơn vị hành chính", "code of the administrative unit"),
        ("cơ quan thống kê, danh mục đơn vị hành chính", "statistics office, list of administrative units"),
    ),
    "org_code": (
        ("Mã định danh điện tử", "code for the exchange of documents"),
        ("cơ quan cấp mã theo Quyết định 20/2020/QĐ-TTg", "issuer of codes, Decision 20/2020/QD-TTg"),
    ),
    "block4": (
        ("Dải địa chỉ IPv4 của đơn vị", "IPv4 block of the unit"),
        ("Cục Bưu điện Trung ương", "Central Post Office"),
    ),
    "block6": (
        ("Dải địa chỉ IPv6 của đơn vị", "IPv6 block of the unit"),
        ("Cục Bưu điện Trung ương", "Central Post Office"),
    ),
    "line4": (
        ("Dải địa chỉ IPv4 của đường truyền", "IPv4 network of the line"),
        ("doanh nghiệp cung cấp đường truyền", "carrier of the line"),
    ),
    "line6": (
        ("Dải địa chỉ IPv6 của đường truyền", "IPv6 network of the line"),
        ("doanh nghiệp cung cấp đường truyền", "carrier of the line"),
    ),
}


def held(register: Register) -> tuple[Held, ...]:
    """What closed units hold that others assigned, until it is given back; in the register's order.

    A code that begins with the province's own (`11-SNV`) was given by the province itself.
    """
    found = []
    for unit in register.units:
        if unit.state != CLOSED or unit.returned:
            continue
        values = [
            ("official_code", "" if unit.code.startswith(f"{register.code}-") else unit.code),
            ("org_code", unit.org_code),
            ("block4", unit.assigned4),
            ("block6", unit.assigned6),
            *(
                (f"line{family}", getattr(link, f"assigned{family}"))
                for link in unit.links
                for family in "46"
            ),
        ]
        found += [
            Held(
                unit=unit.id,
                name=unit.name,
                closed=unit.closed,
                successors=unit.successors,
                what=what,
                value=str(value),
            )
            for what, value in values
            if value
        ]
    return tuple(found)


def _usual(values: Iterable[Any]) -> Any:
    """The most frequent of some values, the first of equals; a copy."""
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    return json.loads(Counter(texts).most_common(1)[0][0])


def _contacts(siblings: Sequence[Record], ident: str) -> list[Record]:
    """Mailboxes named after the unit, as its siblings have them."""
    patterns = [
        [
            (contact["role"], contact["mailbox"].replace(record["id"], "{id}"))
            for contact in record["contacts"]
        ]
        for record in siblings
    ]
    named = [
        pattern
        for pattern in patterns
        if all("{id}" in box and len(box) - 4 + len(ident) <= _MAILBOX_LENGTH for _, box in pattern)
    ]
    chosen = _usual(named) if named else [("network_administrator", _MAILBOX)]
    return [{"role": role, "mailbox": box.replace("{id}", ident)} for role, box in chosen]


def _shortened(words: str, length: int) -> str:
    """As many words of an id as there is room for."""
    while len(words) > length and "-" in words:
        words = words.rpartition("-")[0]
    return words[:length]


def _some(names: Sequence[str]) -> str:
    """Names in a sentence: a few of many."""
    return ", ".join(names) if len(names) <= 5 else ", ".join(names[:4]) + f" and {len(names) - 4} more"
