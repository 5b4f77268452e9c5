"""All configurations of a country's gateways against plain Jinja2 with everything else already done.

The plain sides get what costs us time for nothing: variables of every template are bound before the clock
starts (by our own program, so that both have the same), and no digests or manifests are made.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.country import COMMUNES, write_country
from tests.support.repository import ROOT

GROUP_VARS = ROOT / "inventories/common/group_vars"
TINY = 12
SOME = 500  # files of so many hosts say what a disk adds; a hundred thousand more only wear it out


class Job(NamedTuple):
    """A file of a host: a template of a role with its variables, or a text that is none."""

    host: str
    path: str
    role: str
    template: str
    variables: dict[str, Any]
    text: str


def _make(folder: Path, size: int) -> None:
    """A register of which `size` units are not closed."""
    units = next(n for n in range(size, 2 * size + 2) if n - n // 50 == size)
    write_country(folder / "country", units)


def _given(folder: Path, size: int) -> tuple[Any, ...]:
    """What is given: an environment, its plan, the units; and every import."""
    import jinja2  # noqa: F401 - the plain sides must not wait for it inside the clock

    from province.hosts import plan_for
    from province.render.configurations import as_if_built, chosen
    from province.sources import load_sources

    environment = as_if_built(load_sources(folder / "country"))
    plan = plan_for(environment)
    units = chosen(plan, (), "country")
    assert len(units) == size
    return environment, plan, units


def _ours(given: tuple[Any, ...]) -> Iterable[Any]:
    from province.render.configurations import Renderer, program_for, unit_gateways

    environment, plan, units = given
    renderer = Renderer(program_for(ROOT, GROUP_VARS), environment, plan)
    return map(renderer.render, unit_gateways(environment, plan, units))


def _render(given: tuple[Any, ...], meter: Meter) -> list[Any]:
    with meter.whole():
        return list(_ours(given))


def _rendered(made: list[Any]) -> dict[str, str]:
    return {
        f"{host.host}{file.path}": hashlib.sha256(file.content).hexdigest()
        for host in made
        for file in host.files
    }


def _bound(folder: Path, size: int) -> list[Job]:
    """Everything that templates ask for, bound beforehand."""
    from province.render.configurations import PRIVATE, program_for, unit_gateways
    from province.render.roles import FACT, HOST

    environment, plan, units = _given(folder, size)
    program = program_for(ROOT, GROUP_VARS)
    jobs = []
    for host in unit_gateways(environment, plan, units):
        known = {f"{FACT}{key}": value for key, value in host.facts().items()}
        asked = {
            "lookup": lambda _, entry: PRIVATE.format(entry),
            "query": lambda _, *entries: [PRIVATE.format(entry) for entry in entries],
        }
        known |= {HOST: host.name, **asked}
        for role in program.roles(host.groups):
            values = {**known, **role.constants}
            for step in role.steps:
                values[step.name] = step.make(values)
            mine = {
                name: value
                for name, value in values.items()
                if name not in program.language.base and not name.startswith(FACT) and name not in asked
            }
            for entry in role.files:
                template = entry.file.partition("/templates/")[2]
                for item in (None,) if entry.each is None else entry.each.make(values):
                    path = entry.dest.make(values).format(**(item or {}))
                    variables = mine if item is None else {**mine, "item": item}
                    text = "" if template else entry.text.make(values)  # type: ignore[union-attr]  # no template
                    if not isinstance(text, str):  # lists and mappings are laid down as JSON
                        text = json.dumps(text, indent=2, ensure_ascii=False, default=str) + "\n"
                    jobs.append(Job(host.name, path, role.name, template, variables, text))
    return jobs


def _environment() -> Any:
    """Jinja2 as an engineer sets it up who has no Ansible."""
    import jinja2

    from province.render.language import FILTERS

    made = jinja2.Environment(  # noqa: S701 - configuration files, not pages
        loader=jinja2.FileSystemLoader(ROOT / "roles"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(FILTERS)
    return made


def _plain(jobs: list[Job], meter: Meter) -> list[tuple[Job, str]]:
    with meter.whole():
        environment = _environment()
        return [
            (
                job,
                environment.get_template(f"{job.role}/templates/{job.template}").render(job.variables)
                if job.template
                else job.text,
            )
            for job in jobs
        ]


def _plainly_rendered(made: list[tuple[Job, str]]) -> dict[str, str]:
    return {f"{job.host}{job.path}": hashlib.sha256(text.encode()).hexdigest() for job, text in made}


# The same, into a folder.


def _emptied(folder: Path) -> Path:
    out = folder / "out"
    if out.exists():
        shutil.rmtree(out)
    return out


def _write_prepare(folder: Path, size: int) -> tuple[Any, Path]:
    return _given(folder, size), _emptied(folder)


def _again_prepare(folder: Path, size: int) -> tuple[Any, Path]:
    prepared = _write_prepare(folder, size)
    _write(prepared, Meter())
    return prepared


def _write(prepared: tuple[Any, Path], meter: Meter) -> Path:
    from province.render.configurations import write

    given, out = prepared
    with meter.whole():
        write(out, "country", _ours(given))
    return out


def _plain_write_prepare(folder: Path, size: int) -> tuple[list[Job], Path]:
    return _bound(folder, size), _emptied(folder)


def _plain_write(prepared: tuple[list[Job], Path], meter: Meter) -> Path:
    jobs, out = prepared
    with meter.whole():
        environment = _environment()
        for job in jobs:
            text = job.text
            if job.template:
                text = environment.get_template(f"{job.role}/templates/{job.template}").render(job.variables)
            path = Path(f"{out}/{job.host}/files{job.path}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return out


def _written(out: Path) -> dict[str, str]:
    """What lies there, without what only we write: manifests and the folder's mark."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.glob("*/files/**/*")
        if path.is_file()
    }


_OURS = "facts, binding, rendering, digests, a manifest for each host"
_PLAINLY = "`jinja2.Environment`, the same templates, variables already bound"

BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="render",
        title="All configurations of 3,321 gateways, in memory",
        sides=(
            Side(name="province", words=_OURS, prepare=_given, run=_render, content=_rendered),
            Side(name="jinja2", words=_PLAINLY, prepare=_bound, run=_plain, content=_plainly_rendered),
        ),
        sizes=(COMMUNES,),
        tiny=TINY,
        bounds=(
            Bound(
                claim="rendering takes at most twice the time of plain Jinja2",
                figure=Figure(side="province", size=COMMUNES),
                over=Figure(side="jinja2", size=COMMUNES),
                most=2,
            ),
        ),
        make=_make,
        packages=("Jinja2", "netaddr"),
    ),
    Benchmark(
        name="render-folder",
        title="Configurations of 500 gateways into a folder, first and again",
        sides=(
            Side(
                name="province",
                words=f"{_OURS}; every file written whole or not at all",
                prepare=_write_prepare,
                run=_write,
                content=_written,
            ),
            Side(
                name="again",
                words="the same over what lies there already",
                prepare=_again_prepare,
                run=_write,
                content=_written,
            ),
            Side(
                name="jinja2",
                words=f"{_PLAINLY}; `write_text`",
                prepare=_plain_write_prepare,
                run=_plain_write,
                content=_written,
            ),
        ),
        sizes=(SOME,),
        tiny=TINY,
        bounds=(
            Bound(
                claim="rendering and writing takes at most twice the time of plain Jinja2 and write_text",
                figure=Figure(side="province", size=SOME),
                over=Figure(side="jinja2", size=SOME),
                most=2,
            ),
            Bound(
                claim="a run that changes nothing takes less than the first",
                figure=Figure(side="again", size=SOME),
                over=Figure(side="province", size=SOME),
                most=1,
            ),
        ),
        make=_make,
        packages=("Jinja2", "netaddr"),
    ),
)
