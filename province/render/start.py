"""The centre's start page: a pure function from the plan to files.

The page says what exists (from the plan), in words of apps/start/directory.yml. Nothing about a unit
or a service is written twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from netaddr import IPNetwork

from province.plan.model import Plan, PlannedService, PlannedUnit

APP = "start"
AVAILABLE = {"vi": "Đang hoạt động", "en": "Available"}
PREPARING = {"vi": "Đang chuẩn bị", "en": "In preparation"}

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An entry of the service directory. `link` is empty for what is not opened in a browser."""

    id: str
    title: Words
    what: Words
    state: str  # available | preparing
    state_words: Words
    names: tuple[str, ...]
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A heading of the service directory."""

    title: Words
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An entry of the list of units."""

    id: str
    name: str
    code: str
    kind: str
    kind_words: Words
    state: str
    state_words: Words
    former: tuple[tuple[str, str], ...]  # earlier names, also of units merged into it, each with its last day


def render(
    plan: Plan, apps: Iterable[Mapping[str, Any]], kinds: Mapping[str, Words], folder: Path
) -> dict[str, str]:
    """Every file of the start page, by its path below the volume `pages`.

    `apps` are the records of apps/*/app.yml, `kinds` the catalogue's titles of kinds of units, `folder` is
    apps/start. `www/` is what the web server serves; `conf.d/` is read by it at start: which unit an
    address belongs to.
    """
    records = tuple(apps)
    app = next(record for record in records if record["id"] == APP)
    cap = level(plan)
    # A municipality's staff does not read of a province.
    words = yaml.safe_load((folder / "directory.yml").read_text(encoding="utf-8").replace("{cap}", cap))
    groups = service_groups(plan, records, words)
    units = listed_units(plan.units, kinds, words["states"])
    shown = [service for group in groups for service in group.services]
    environment = Environment(
        loader=FileSystemLoader(folder / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("index.html.j2").render(
        app=app,
        province=plan.name,
        cap=cap,
        domain=plan.domain,
        link=f"http://{app['publish'][0]['name']}.{plan.domain}/",
        groups=groups,
        available=sum(service.state == "available" for service in shown),
        coming=sum(service.state == "preparing" for service in shown),
        units=units,
        kinds=kinds_of(units, kinds),
        signs=words["signs"],
        desk=words["desk"],
    )
    files = {"www/index.html": page, "conf.d/units.conf": unit_map(plan.units)}
    for asset in sorted((folder / "pages" / "assets").iterdir()):
        files[f"www/assets/{asset.name}"] = asset.read_text(encoding="utf-8")
    return files


def level(plan: Plan) -> str:
    """What a province is called within a sentence: `tỉnh`, or `thành phố` for a municipality."""
    return "thành phố" if plan.name.startswith("Thành phố ") else "tỉnh"


def service_groups(
    plan: Plan, apps: Iterable[Mapping[str, Any]], words: Mapping[str, Any]
) -> tuple[Group, ...]:
    """The service directory: applications with their own words, then what directory.yml has words for.

    A service is available when the plan has it; what the plan does not have is in preparation.
    """
    planned = {service.id: service for service in plan.services}
    entries: dict[str, list[Service]] = {group["id"]: [] for group in words["groups"]}
    named = {entry["service"]: entry["group"] for entry in words["services"]}
    own = {app["id"]: app for app in apps}
    for app in own.values():
        group = named.get(app["id"], words["groups"][0]["id"])
        published = app["publish"] and app["state"] != "setup"
        entries[group].append(
            _entry(
                app["id"],
                app["title"],
                app["description"],
                planned.get(app["id"]) if app["state"] != "setup" else None,
                f"http://{app['publish'][0]['name']}.{plan.domain}/" if published else "",
            )
        )
    for entry in words["services"]:
        if entry["service"] not in own:
            entries[entry["group"]].append(
                _entry(entry["service"], entry["title"], entry["what"], planned.get(entry["service"]), "")
            )
    return tuple(
        Group(title=group["title"], services=tuple(entries[group["id"]])) for group in words["groups"]
    )


def _entry(identity: str, title: Words, what: Words, planned: PlannedService | None, link: str) -> Service:
    return Service(
        id=identity,
        title=title,
        what=what,
        state="available" if planned else "preparing",
        state_words=AVAILABLE if planned else PREPARING,
        names=planned.names if planned else (),
        link=link if planned else "",
    )


def listed_units(
    units: Iterable[PlannedUnit], kinds: Mapping[str, Words], states: Mapping[str, Words]
) -> tuple[Unit, ...]:
    """The units in the plan's order, closed ones left out."""
    listed = tuple(units)
    by_id = {unit.id: unit for unit in listed}
    return tuple(
        Unit(
            id=unit.id,
            name=unit.name,
            code=unit.code,
            kind=unit.kind,
            kind_words=kinds[unit.kind],
            state=unit.state,
            state_words=states[unit.state],
            former=tuple(dict.fromkeys(_former(unit, by_id, {unit.id}))),
        )
        for unit in listed
        if unit.state != "closed"
    )


def _former(unit: PlannedUnit, by_id: Mapping[str, PlannedUnit], seen: set[str]) -> Iterator[tuple[str, str]]:
    """Names that a unit had, and those that units had which became part of it."""
    for alias in unit.aliases:
        yield alias.name, _day(alias.until)
        if alias.unit in by_id and alias.unit not in seen:
            seen.add(alias.unit)
            yield from _former(by_id[alias.unit], by_id, seen)


def _day(date: str) -> str:
    """2026-07-01 as it is written in Vietnam: 01/07/2026."""
    return "/".join(reversed(date.split("-")))


def kinds_of(units: Iterable[Unit], kinds: Mapping[str, Words]) -> tuple[dict[str, Any], ...]:
    """The kinds that occur, in the catalogue's order, with the number of units of each."""
    counts = Counter(unit.kind for unit in units)
    return tuple(
        {"id": kind, "title": title, "count": counts[kind]} for kind, title in kinds.items() if counts[kind]
    )


def unit_map(units: Iterable[PlannedUnit]) -> str:
    """An nginx `geo` map from the client's address to the name of its unit; empty for all others.

    The web server answers who is asking, so that the page itself need not tell everybody the
    address plan of the province.
    """
    lines = [
        "# Made from the plan: the unit that an address belongs to.",
        "geo $unit_name {",
        '  default "";',
    ]
    for unit in units:
        if unit.state != "closed":
            lines += [f"  {block} {_quoted(unit.name)};" for block in _blocks(unit)]
    return "\n".join([*lines, "}", ""])


def _blocks(unit: PlannedUnit) -> tuple[IPNetwork, IPNetwork]:
    return (unit.prefix4, unit.prefix6)


def _quoted(text: str) -> str:
    """An nginx string: backslash and quote have a meaning in it (a `geo` map knows no variables)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
