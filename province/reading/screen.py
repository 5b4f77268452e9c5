"""A difference as people read it: one screen, whatever the size of the change; everything with `every`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from province.plan.model import PlannedUnit
from province.reading.cost import QUANTITIES
from province.reading.difference import CARRIER, CLOSED, Change, Difference, Entry, Part
from province.register.model import CENTRE

WIDTH, HEIGHT = 100, 45
_REASONS = 3  # groups of touched machines that one screen has room for
_WORDS = {
    "machines": "machines",
    "cores": "cores",
    "memory_mib": "memory, MiB",
    "disk_gib": "disk, GiB",
    "lines": "lines",
    "line_mbps": "lines, Mbit/s",
    "public_addresses": "public addresses",
}
# What belongs to a unit, as its line counts it.
_COUNTED = {"segments": "network", "hosts": "machine", "peers": "tunnel", "names": "name"}


def lines_of(found: Difference, *, every: bool = False) -> list[str]:
    """The lines; at most HEIGHT of at most WIDTH columns, unless `every` entry is wanted."""
    notes = [f"Note: {note}" for note in found.notes]
    if found.nothing:
        return [*notes, f"Nothing to do: the plan is the same as in {found.before}."]
    head = [f"{found.name}: {found.before} → {found.after}", *notes, "", *_meaning(found, every)]
    tail = ["", *_cost(found)]
    sections = [(title, lines) for title, lines in _sections(found, every) if lines]
    if every:
        body = [line for title, lines in sections for line in ("", title, *lines)]
        return [*head, *body, *tail]
    room = _shared([len(lines) for _, lines in sections], HEIGHT - len(head) - len(tail) - 2 - len(sections))
    body = [""] if sections else []
    for (title, lines), number in zip(sections, room, strict=True):
        body += [title if number == len(lines) else f"{title} ({number} of {len(lines)})", *lines[:number]]
    hidden = sum(len(lines) for _, lines in sections) - sum(room)
    if hidden:
        tail += [f"… and {hidden} more entries: see all with --all"]
    return [_cut(line) for line in (*head, *body, *tail)]


def _shared(wanted: Sequence[int], room: int) -> list[int]:
    """How many lines each section gets: one at least, then in turns, so that a short one is shown whole."""
    given = [min(1, number) for number in wanted]
    while sum(given) < room and given != list(wanted):
        for place, number in enumerate(wanted):
            # What happened to units is what a reader came for.
            given[place] += min(3 if place == 0 else 1, number - given[place], max(0, room - sum(given)))
    return given


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1].rstrip() + "…"


def _meaning(found: Difference, every: bool) -> Iterable[str]:
    for key, (before, after) in found.fields.items():
        yield f"Province    {key}: {before} → {after}"
    kinds = Counter(_what(found, unit)[0] for unit in _unit_ids(found))
    yield "Units       " + (_and(f"{number} {word}" for word, number in kinds.items()) or "as they were")
    segments = found.parts["segments"]
    use = [f"{_networks(segments.added)} into use"] if segments.added else []
    if segments.removed:
        use.append(f"{_networks(segments.removed)} out of use (their blocks stay reserved)")
    if found.moved:
        yield f"Addresses   not the same any more: {_list(found.moved, every)}" + "".join(
            f"; {words}" for words in use
        )
    else:
        yield "Addresses   nobody's address moves" + "".join(f"; {words}" for words in use)
    head = "Machines"
    for verb, names in (("make", found.made), ("take away", found.taken_away)):
        yield f"{head:<12}{len(names)} to {verb}" + (f": {_list(names, every)}" if names else "")
        head = ""
    by_reason: dict[tuple[str, ...], list[str]] = {}
    for name, reasons in found.touched.items():
        by_reason.setdefault(reasons, []).append(name)
    yield f"            {len(found.touched)} to touch" + (":" if by_reason else "")
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for reasons, hosts in ordered if every else ordered[:_REASONS]:
        yield f"              {', '.join(reasons)}: {_list(hosts, every)}"
    if not every and len(ordered) > _REASONS:
        yield f"              … and {sum(len(hosts) for _, hosts in ordered[_REASONS:])} for other reasons"
    for part, word in (
        ("flows", "Flows"),
        ("names", "Names"),
        ("peers", "Tunnels"),
        ("services", "Services"),
    ):
        yield f"{word:<12}{_numbers(found.parts[part])}"


_FEW = 4


def _networks(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} network goes" if len(entries) == 1 else f"{len(entries)} networks go"


def _list(names: Sequence[str], every: bool) -> str:
    if every or len(names) <= _FEW:
        return ", ".join(names)
    return ", ".join(names[: _FEW - 1]) + f" and {len(names) - _FEW + 1} more"


def _numbers(part: Part) -> str:
    words = [
        f"{len(entries)} {word}"
        for entries, word in ((part.added, "added"), (part.removed, "removed"), (part.changed, "changed"))
        if entries
    ]
    return ", ".join(words) or "as they were"


def _and(words: Iterable[str]) -> str:
    return ", ".join(words)


def _owners(part: Part) -> Iterable[str]:
    yield from (entry.owner for entry in (*part.added, *part.removed))
    yield from (change.owner for change in part.changed)


def _unit_ids(found: Difference) -> list[str]:
    """Units with a difference of any kind, first those that came, went or changed themselves."""
    units = found.parts["units"]
    changed = sorted(units.changed, key=lambda c: _ORDER.index(_what(found, c.id)[0]))
    ids = dict.fromkeys(
        [*(e.id for e in units.added), *(e.id for e in units.removed), *(c.id for c in changed)]
    )
    known = {**found.units_before, **found.units_after}
    for part in _COUNTED:
        entries = found.parts[part]
        ids |= dict.fromkeys(owner for owner in _owners(entries) if owner in known)
    return list(ids)


_ORDER = (
    "removed from the register",
    "split",
    "merged",
    "closed",
    "opened again",
    "added",
    "renamed",
    "moved",
    "given other services",
    "changed",
)


def _what(found: Difference, unit: str) -> tuple[str, str]:
    """What happened to a unit, in a word and in a line's own words."""
    old, new = found.units_before.get(unit), found.units_after.get(unit)
    if new is None:
        return "removed from the register", "no longer in the register: close units, never remove them"
    if old is None:
        return "added", f"{new.name} · {new.kind} · {new.prefix4} · {new.prefix6}"
    change = next((c for c in found.parts["units"].changed if c.id == unit), None)
    fields: Mapping[str, Any] = change.fields if change else {}
    if new.state == CLOSED != old.state:
        return _ended(found, new)
    if old.state == CLOSED != new.state:
        return "opened again", f"{new.name} · {new.prefix4} · {new.prefix6}"
    words = []
    if "name" in fields:
        words.append(f"{old.name} → {new.name}")
    if "parent" in fields:
        words.append(f"under {old.parent or 'the province'} → {new.parent or 'the province'}")
    for key, value in fields.items():
        if key not in ("name", "parent", "aliases"):
            words.append(f"{key} {_value(value)}")
    if "aliases" in fields and "name" not in fields:
        words.append(f"aliases {_value(fields['aliases'])}")
    kind = (
        "renamed"
        if "name" in fields
        else "moved"
        if "parent" in fields
        else "given other services"
        if set(fields) == {"services"}
        else "changed"
    )
    return kind, " · ".join(words) or new.name


def _ended(found: Difference, unit: PlannedUnit) -> tuple[str, str]:
    """A unit that was closed: merged into one heir, split into several, or closed without."""
    record = found.records[unit.id]
    kind = "split" if len(record.successors) > 1 else "merged" if record.successors else "closed"
    when = f" on {record.closed}" if record.closed else ""
    into = f" → {', '.join(record.successors)}" if record.successors else ""
    return kind, f"{unit.name}: {kind}{when}{into}; its block {unit.prefix4} stays reserved"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        words = [f"+{_short(item)}" for item in value["added"]] + [
            f"-{_short(item)}" for item in value["removed"]
        ]
        return " ".join(words)
    return f"{_short(value[0])} → {_short(value[1])}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(
            value.get("id") or value.get("name") or value.get("mailbox") or "/".join(map(str, value.values()))
        )
    return "none" if value is None or value == "" else str(value)


_SIGNS = {
    "added": "+",
    "opened again": "+",
    "removed from the register": "-",
    "closed": "-",
    "merged": "-",
    "split": "-",
}


def _sections(found: Difference, every: bool) -> Iterable[tuple[str, list[str]]]:
    """Titles with all their lines: units first, then what is of no unit."""
    yield "Units", list(_units(found, every))
    yield "Sizes", [f"  ~ {name}: {_fields_of(fields)}" for name, fields in found.sizes.items()]
    for part, title in (
        ("segments", "Networks of the centre"),
        ("hosts", "Machines of the centre"),
        ("services", "Services"),
        ("flows", "Flows"),
        ("names", "Names of the centre"),
    ):
        yield title, _entries(found.parts[part], every, CENTRE, found.follows)
    if every:
        yield "Lines of carriers", _entries(found.parts["hosts"], every, CARRIER, frozenset())


def _units(found: Difference, every: bool) -> Iterable[str]:
    ids = _unit_ids(found)
    counted: dict[str, Counter[tuple[str, str]]] = {}
    for part, word in _COUNTED.items():
        entries = found.parts[part]
        for sign, listed in (("+", entries.added), ("-", entries.removed), ("~", entries.changed)):
            for entry in listed:
                counted.setdefault(entry.owner, Counter())[(sign, word)] += 1
    width = min(max((len(unit) for unit in ids), default=0), 28)
    for unit in ids:
        kind, words = _what(found, unit)
        numbers = ", ".join(
            f"{sign}{number} {word}{'s' if number > 1 else ''}"
            for (sign, word), number in counted.get(unit, Counter()).items()
        )
        head = f"  {_SIGNS.get(kind, '~')} {unit:<{width}}  {words}"
        tail = f" ({numbers})" if numbers else ""
        # What a unit brings follows from what it is: its own words come first.
        yield head + tail if every or len(head) + len(tail) <= WIDTH else head
        if every:
            yield from _details(found, unit)


def _details(found: Difference, unit: str) -> Iterable[str]:
    for part in _COUNTED:
        entries = found.parts[part]
        for sign, listed in (("+", entries.added), ("-", entries.removed)):
            yield from (f"      {sign} {part[:-1]} {e.id}" for e in listed if e.owner == unit)
        yield from (f"      ~ {part[:-1]} {c.id}: {_fields(c)}" for c in entries.changed if c.owner == unit)


def _fields(change: Change) -> str:
    return _fields_of(change.fields)


def _fields_of(fields: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {_value(value)}" for name, value in fields.items())


def _entries(part: Part, every: bool, owner: str, follows: frozenset[str]) -> list[str]:
    """Entries of one owner; those that only follow the units above are one line, unless all are wanted."""
    lines = [f"  + {e.id}{_about(e.value)}" for e in part.added if e.owner == owner]
    lines += [f"  - {e.id}{_about(e.value)}" for e in part.removed if e.owner == owner]
    for change in part.changed:
        if change.owner == owner and (every or change.id not in follows):
            lines.append(f"  ~ {change.id}: {_fields(change) if every else _counts(change)}")
    behind = [change.id for change in part.changed if change.id in follows and change.owner == owner]
    if behind and not every:
        lines.append(f"  ~ {len(behind)} follow the units: {_list(behind, every)}")
    return lines


def _about(value: Mapping[str, Any]) -> str:
    if "reason" in value:
        ports = ", ".join(f"{port['protocol']}/{port['number']}" for port in value["ports"])
        return f"  {value['source']['zone']} → {value['destination']['zone']} {ports}: {value['reason']}"
    if "machine" in value:
        return f"  {value['machine']}"
    if "network4" in value:
        return f"  {value['network4']}"
    return ""


def _counts(change: Change) -> str:
    """What changed in a word a field: long lists are numbers here."""
    words = []
    for name, value in change.fields.items():
        if isinstance(value, Mapping) and len(value["added"]) + len(value["removed"]) > 1:
            words.append(f"{name} +{len(value['added'])} -{len(value['removed'])}")
        else:
            words.append(f"{name} {_value(value)}")
    return ", ".join(words)


def _cost(found: Difference) -> Iterable[str]:
    before, after = found.cost_before, found.cost_after
    yield f"{'Cost':<20}{'before':>16}{'after':>16}{'difference':>16}"
    for name in QUANTITIES:
        one, other = before.totals[name], after.totals[name]
        if one or other:
            yield _row(_WORDS[name], one, other, other - one)
    if after.vnd_year is not None or before.vnd_year is not None:
        yield _row("VND a year", before.vnd_year, after.vnd_year, found.vnd_year)
        if after.unpriced:
            yield f"  (without a price: {', '.join(_WORDS[name] for name in after.unpriced)})"


def _row(word: str, before: int | None, after: int | None, difference: int | None) -> str:
    plain = ["-" if number is None else f"{number:,}" for number in (before, after)]
    signed = "-" if difference is None else f"{difference:+,}" if difference else "0"
    return f"  {word:<18}{plain[0]:>16}{plain[1]:>16}{signed:>16}"
