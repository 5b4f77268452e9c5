"""The command `province reference`: tables and drawings of a plan, as files for people."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path

from province.apps import App
from province.drawings import drawings
from province.hosts import built_hosts, load_environment
from province.problems import Problem, ProblemsFoundError
from province.reading.difference import State
from province.reading.files import as_csv, as_xlsx
from province.reading.pages import Site, index_page, table_pages
from province.reading.tables import TABLES, Subject, Table
from province.register.document import read_document
from province.render.folder import owned
from province.sources import Sources, called, load_sources

FORMATS = ("csv", "xlsx", "html")
DRAWINGS = "drawings"
_TITLE = re.compile(r"<title\b[^>]*>([^<]*)</title>")


def run(arguments: argparse.Namespace) -> int:
    """Write what the command asks for (its arguments: `province.commands`)."""
    sources = load_sources(arguments.register)
    files = reference(
        sources,
        only=arguments.only,
        formats=FORMATS if arguments.format == "all" else (arguments.format,),
        built=_built(arguments.environment, sources),
        source=arguments.source,
    )
    with owned(arguments.out, f"the reference output of {sources.register.id}") as folder:
        for name, entries in files.items():
            folder.put(name, {path: (content, 0o644) for path, content in entries.items()})
        folder.keep_only(set(files))
        done = folder.outcome
    first = arguments.out / ("html/index.html" if "html" in files else next(iter(files)))
    sys.stdout.write(
        f"{sources.register.name}: {len(done.written)} files written, {len(done.removed)} removed, "
        f"{done.unchanged} as they were. Begin with {first}\n"
    )
    return 0


def _built(path: Path | None, sources: Sources) -> frozenset[str] | None:
    """The machines that an environment builds; it has to be one of this register."""
    if path is None:
        return None
    environment = load_environment(path)
    if environment.register != sources.register.id:
        raise ProblemsFoundError((
            Problem(
                code="PLN-020",
                file=called(path),
                line=read_document(path, called(path), "ENV").line(("register",)),
                path="register",
                found=f"an environment of the register '{environment.register}'",
                wanted=f"one of '{sources.register.id}'",
                remedy="Name another environment, or leave it out.",
            ),
        ))  # fmt: skip
    return frozenset(host.name for host in built_hosts(environment, sources.plan(environment.members), {}))


def reference(
    sources: Sources,
    *,
    only: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    built: frozenset[str] | None = None,
    source: str = "",
) -> dict[str, dict[str, bytes]]:
    """All files: folder (csv, xlsx, html, drawings) → name → content. The same input, the same bytes.

    `only` are ids of TABLES and `drawings`, all without it; `built` are the machines of an environment;
    `source` is what pages say they were made from.
    """
    plan = sources.plan()
    state = State(
        label="", plan=plan, register=sources.register, catalogue=sources.catalogue, apps=sources.apps
    )
    subject = Subject(state=state, built=built, applications=_titles(sources.apps))
    tables = [make(subject) for name, make in TABLES.items() if not only or name in only]
    made: dict[str, dict[str, bytes]] = {}
    if tables and "csv" in formats:
        made["csv"] = {f"{table.id}.csv": as_csv(table) for table in tables}
    if tables and "xlsx" in formats:
        about = (plan.name, *([source] if source else ()))
        made["xlsx"] = {f"{table.id}.xlsx": as_xlsx(table, about) for table in tables}
    drawn: Mapping[str, str] = {}
    if not only or DRAWINGS in only:
        drawn = drawings(plan, sources.register, sources.catalogue, source)
        made[DRAWINGS] = {path: text.encode() for path, text in drawn.items()}
    if "html" in formats:
        made["html"] = _pages(tables, drawn, made, Site(province=plan.name, source=source))
    return made


def _titles(apps: Sequence[App]) -> dict[str, tuple[str, str]]:
    return {app.id: (app.record["title"]["vi"], app.record["title"]["en"]) for app in apps}


def _pages(
    tables: Sequence[Table], drawn: Mapping[str, str], made: Mapping[str, Mapping[str, bytes]], site: Site
) -> dict[str, bytes]:
    pages: dict[str, str] = {}
    for table in tables:
        pages |= table_pages(table, site, tables)
    beside = {
        table.id: [f"../{form}/{table.id}.{form}" for form in ("csv", "xlsx") if form in made]
        for table in tables
    }
    titles = {f"../{DRAWINGS}/{path}": _title(text, path) for path, text in drawn.items()}
    pages["index.html"] = index_page(site, tables, beside, titles)
    return {name: page.encode() for name, page in pages.items()}


def _title(svg: str, path: str) -> str:
    """The drawing's own title, with what is escaped in it taken back: the page escapes again."""
    found = _TITLE.search(svg)
    return unescape(found[1]) if found else path
