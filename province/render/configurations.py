"""Every file that roles lay down on hosts, for thousands of hosts in one process, without a connection.

Made from what Ansible uses (`province.render.roles`) and the facts of the plan (`province.hosts`), byte for
byte as Ansible lays it down. No secret is in what `province render` writes: where a role asks the ledger for
a private half, a placeholder names the entry, and the manifest of the host lists it.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import marshal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import jinja2

from province.domains import VRF
from province.facts import ARCHIVE_KEY, LOG_STORE, SIGNING_KEYS, STORE_KEY
from province.hosts import Environment, Host, Incus, built_hosts, load_environment, plan_for
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.register.document import near
from province.render.applications import application_tree
from province.render.folder import Outcome, owned
from province.render.language import Text, Value
from province.render.roles import FACT, HOST, File, Plain, Program, Role, Spot
from province.sources import REPOSITORY, Sources, called, load_sources, tree_of

# How a secret, and a key that is not known, stand in a file. No name in a register has these brackets.
PRIVATE = "<ledger: {}>"
PUBLIC = "<ledger, public half: {}>"
_OPENING, _CLOSING = "<ledger", ">"
# Results of one template that are kept for other hosts with the same values; beyond, they simply differ.
_KEPT = 8
FILES = "files"
MANIFEST = "manifest.json"

Made = TypeVar("Made")
_quoted = json.encoder.encode_basestring


class RenderedFile(NamedTuple):
    """One file of a host; `line` is its record in the manifest, as JSON."""

    path: str
    content: bytes
    mode: int
    sensitive: bool
    placeholders: tuple[str, ...]
    line: str


class Configuration(NamedTuple):
    """All files of a host, by path; `manifest` is JSON."""

    host: str
    files: tuple[RenderedFile, ...]
    manifest: bytes


class Tree(NamedTuple):
    """What one role asks of a host: its files, and the other options of managed_tree as it gives them."""

    role: str
    files: tuple[RenderedFile, ...]
    options: Mapping[str, list[Any]]


class _Kept:
    """Results of one entry of a task by the values that they were made from, while those are few."""

    __slots__ = ("names", "results")

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        self.results: dict[bytes, RenderedFile] | None = {}

    def key(self, values: Mapping[str, Any]) -> bytes | None:
        """What the result depends on; None when it is not worth keeping."""
        if self.results is None:
            return None
        try:
            return marshal.dumps([values[name] for name in self.names], 2)
        except (KeyError, ValueError):
            return None

    def keep(self, key: bytes, result: RenderedFile) -> None:
        """Note a result; give up when every host has another."""
        if self.results is not None:
            self.results[key] = result
            if len(self.results) > _KEPT:
                self.results = None


class Renderer:
    """Renders hosts of one environment. What it remembers is of this environment and dies with it."""

    def __init__(
        self,
        program: Program,
        environment: Environment,
        plan: Plan,
        secret: Callable[[str], str] | None = None,
    ) -> None:
        """`secret` gives a secret of the ledger by its name; without it placeholders stand in their place."""
        self._secret = secret
        self._program = program
        self._environment = environment
        self._plan = plan
        self._source = source_name(environment)
        self._kept: dict[tuple[int, int], _Kept] = {}
        self._lines: dict[int, tuple[str, ...]] = {}
        self._applications: dict[tuple[str, ...], dict[str, list[dict[str, Any]]]] = {}
        self._roles: list[Role] = []  # kept alive: `_kept` and `_lines` know them by their number

    def render(self, host: Host) -> Configuration:
        """All files of a host. Raises ProblemsFoundError (RND-nnn)."""
        facts = host.facts()
        known = self._known(host, facts)
        files: dict[str, RenderedFile] = {}
        parts: dict[str, list[str]] = {"directories": [], "links": [], "absent": []}
        for role in self._program.roles(host.groups):
            values = {**known, **role.constants}
            for step in role.steps:
                values[step.name] = _made(step.make, values)
            for condition in role.conditions:
                self._require(condition.spot, condition.value, condition.message, values, host.name)
            for number, entry in enumerate(role.files):
                for made in self._files(role, number, entry, values, host.name):
                    if made.path in files:
                        raise entry.spot.stop(
                            "014",
                            f"{made.path} a second time on {host.name}",
                            "each path once on a host",
                            "Let one role lay it down.",
                        )
                    files[made.path] = made
            for part, entries in (
                ("directories", role.directories),
                ("links", role.links),
                ("absent", role.absent),
            ):
                for plain in entries:
                    parts[part] += self._plain(role, part, plain, values, host.name)
        listed = tuple(files[path] for path in sorted(files))
        return Configuration(host.name, listed, self._manifest(host, facts, listed, parts))

    def trees(self, host: Host) -> tuple[Tree, ...]:
        """What each role asks of a host, in the order of the plays. Raises ProblemsFoundError (RND-nnn)."""
        known = self._known(host, host.facts())
        return tuple(self._tree(role, known, host.name) for role in self._program.roles(host.groups))

    def _tree(self, role: Role, known: Mapping[str, Any], host: str) -> Tree:
        values = {**known, **role.constants}
        for step in role.steps:
            values[step.name] = _made(step.make, values)
        for condition in role.conditions:
            self._require(condition.spot, condition.value, condition.message, values, host)
        files = tuple(
            made
            for number, entry in enumerate(role.files)
            for made in self._files(role, number, entry, values, host)
        )
        options: dict[str, list[Any]] = {}
        plains = [(asked.option, asked.plain) for asked in role.asked]
        for part in ("directories", "links", "absent"):
            plains += [(part, plain) for plain in getattr(role, part)]
        for option, plain in plains:
            found = self._guarded(plain.spot, host, functools.partial(plain.value.make, values))
            options.setdefault(option, []).extend(found)
        return Tree(role.name, files, options)

    def _known(self, host: Host, facts: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {f"{FACT}{key}": value for key, value in facts.items()}
        known[HOST] = host.name
        known["lookup"] = self._asker(facts, lambda found: ",".join(map(str, found)))
        known["query"] = self._asker(facts, list)
        return known

    def _asker(self, facts: Mapping[str, Any], joined: Callable[[list[Any]], Any]) -> Callable[..., Any]:
        def ask(plugin: str, *terms: str) -> Any:
            if plugin == "ledger":
                if self._secret is not None:
                    return joined([self._secret(term) for term in terms])
                return joined([PRIVATE.format(term) for term in terms])
            if plugin == "applications":
                tree = self._application_tree(tuple(str(app["id"]) for app in facts["apps"]))
                return joined([entry for term in terms for entry in tree[term]])
            raise jinja2.UndefinedError(f"no lookup '{plugin}' here, only ledger and applications")

        return ask

    def _application_tree(self, placed: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
        if placed not in self._applications:
            sources = self._environment.sources
            self._applications[placed] = application_tree(
                self._plan,
                [app.record for app in sources.apps],
                {name: kind.title for name, kind in sources.catalogue.kinds.items()},
                placed,
                self._program.root / "apps",
            )
        return self._applications[placed]

    def _require(self, spot: Spot, value: Value, message: Value, values: dict[str, Any], host: str) -> None:
        if not self._guarded(spot, host, lambda: value.make(values)):
            raise spot.stop(
                "013",
                f"an assertion that does not hold on {host}",
                "what the role asks for",
                str(self._guarded(spot, host, lambda: message.make(values))),
            )

    def _files(
        self, role: Role, number: int, entry: File, values: dict[str, Any], host: str
    ) -> Iterator[RenderedFile]:
        kept = self._kept.get((id(role), number))
        if kept is None:
            needs = entry.dest.needs | entry.text.needs | entry.options.needs
            varying = (needs & role.varying) | ({"item"} if entry.each is not None else set())
            kept = self._kept[id(role), number] = _Kept(varying)
            self._roles.append(role)
        if entry.each is None:
            yield self._file(role, entry, kept, values, host)
            return
        each = entry.each
        items = self._guarded(entry.spot, host, lambda: each.make(values))
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise entry.spot.stop(
                "012", f"`each` that is no list of mappings on {host}", "such a list", "Correct the variable."
            )
        for item in items:
            values["item"] = item
            yield self._file(role, entry, kept, values, host)
        values.pop("item", None)

    def _file(self, role: Role, entry: File, kept: _Kept, values: dict[str, Any], host: str) -> RenderedFile:
        key = kept.key(values)
        if key is not None and kept.results and key in kept.results:
            return kept.results[key]
        made = self._guarded(
            Spot(entry.file or entry.spot.file, 0 if entry.file else entry.spot.line, "", role.name),
            host,
            lambda: self._make(role, entry, values, host),
        )
        if key is not None:
            kept.keep(key, made)
        return made

    def _make(self, role: Role, entry: File, values: dict[str, Any], host: str) -> RenderedFile:
        dest = entry.dest.make(values)
        item = values["item"] if entry.each is not None else None
        if item is not None:
            dest = _placed(entry.spot, dest, item, host)
        if not dest.startswith("/") or ".." in dest.split("/") or dest.endswith("/"):
            raise entry.spot.stop(
                "014", f"the path {dest} on {host}", "an absolute path of a file", "Correct `dest`."
            )
        if item is not None and entry.key:
            if entry.key not in item:
                raise entry.spot.stop(
                    "012", f"an item without `{entry.key}` on {host}", "the text of a file", "Correct it."
                )
            text = item[entry.key]
        else:
            made = cast(Text | Value, entry.text)
            text = made.render(values) if isinstance(made, Text) else made.make(values)
        if not isinstance(text, str):
            text = _as_json(entry.spot, dest, text)
        options = entry.options.make(values)
        sensitive = bool(options["sensitive"])
        placeholders = _placeholders(text) if _OPENING in text else ()
        if not sensitive and any(found.startswith(PRIVATE.partition("{")[0]) for found in placeholders):
            raise entry.spot.stop(
                "015",
                f"a secret in {dest} on {host}, which is not marked",
                "`sensitive: true` wherever a secret stands",
                "Mark the entry: its content is otherwise shown as a difference.",
            )
        content = text.encode()
        mode = str(options["mode"])
        line = (
            f'{{"path": {_quoted(dest)}, "mode": {_quoted(mode)}, "owner": {_quoted(options["owner"])}, '
            f'"group": {_quoted(options["group"])}, "sha256": "{hashlib.sha256(content).hexdigest()}", '
            f'"role": "{role.name}", "sensitive": {"true" if sensitive else "false"}'
        )
        if placeholders:
            line += f', "placeholders": {json.dumps(placeholders, ensure_ascii=False)}'
        return RenderedFile(dest, content, int(mode, 8), sensitive, placeholders, line + "}")

    def _plain(self, role: Role, part: str, plain: Plain, values: dict[str, Any], host: str) -> Sequence[str]:
        constant = not plain.value.needs & role.varying
        if constant and id(plain) in self._lines:
            return self._lines[id(plain)]
        found = self._guarded(plain.spot, host, lambda: plain.value.make(values))
        lines = tuple(_plain_line(part, entry, role.name) for entry in found)
        if constant:
            self._lines[id(plain)] = lines
        return lines

    def _manifest(
        self,
        host: Host,
        facts: Mapping[str, Any],
        files: Iterable[RenderedFile],
        parts: Mapping[str, list[str]],
    ) -> bytes:
        head = (
            f'{{\n"host": {_quoted(host.name)},\n"fqdn": {_quoted(facts["fqdn"])},\n'
            f'"of": {_quoted(self._source)},\n"unit": {_quoted(facts["unit"])},\n'
            f'"missing_keys": {json.dumps(list(host.missing_keys))},\n'
        )
        listed = {"files": [file.line for file in files], **parts}
        body = ",\n".join(
            f'"{name}": [' + ("\n  " + ",\n  ".join(lines) + "\n" if lines else "") + "]"
            for name, lines in listed.items()
        )
        return f"{head}{body}\n}}\n".encode()

    def _guarded(self, spot: Spot, host: str, make: Callable[[], Made]) -> Made:
        """What a template or value gives; a mistake in it is a problem with its place."""
        try:
            return make()
        except ProblemsFoundError:
            raise
        except Exception as error:  # templates and filters raise what they like
            said = (
                error.message
                if isinstance(error, jinja2.TemplateError)
                else f"{type(error).__name__}: {error}"
            )
            raise spot.stop(
                "012",
                f"no result on {host}: {said}",
                "a value for everything that is asked for",
                "Bind the variable in group_vars, give it a default, or correct the template.",
                _template_line(error) or 0,
            ) from None


def _made(make: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> Any:
    """The value of a variable; undefined until somebody asks, as in Ansible, when it cannot be made."""
    try:
        return make(values)
    except jinja2.UndefinedError as error:
        return jinja2.StrictUndefined(hint=error.message)
    except KeyError as error:
        return jinja2.StrictUndefined(name=str(error.args[0]))
    except (IndexError, TypeError, AttributeError) as error:
        return jinja2.StrictUndefined(hint=f"{type(error).__name__}: {error}")


def _placed(spot: Spot, dest: str, item: Mapping[str, Any], host: str) -> str:
    """A target path with `{key}` replaced from the item."""
    for key in [part.partition("}")[0] for part in dest.split("{")[1:]]:
        if key not in item:
            raise spot.stop(
                "012",
                f"{{{key}}} in {dest}, which an item on {host} has not",
                "one of " + ", ".join(sorted(item)),
                "Correct `dest`.",
            )
        dest = dest.replace(f"{{{key}}}", str(item[key]))
    return dest


def _as_json(spot: Spot, dest: str, content: Any) -> str:
    """Lists and dictionaries become JSON, as managed_tree writes it."""
    if content is None:
        return ""
    if isinstance(content, dict | list | tuple):
        return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    raise spot.stop(
        "014",
        f"{type(content).__name__} as the content of {dest}",
        "text, a list or a mapping",
        "Correct `content`.",
    )


def _placeholders(text: str) -> tuple[str, ...]:
    found = dict.fromkeys(
        _OPENING + part.partition(_CLOSING)[0] + _CLOSING for part in text.split(_OPENING)[1:]
    )
    return tuple(found)


def _plain_line(part: str, entry: Any, role: str) -> str:
    if part == "directories":
        entry = {
            "path": entry["path"],
            "mode": str(entry.get("mode", "0755")),
            "owner": entry.get("owner", "root"),
            "group": entry.get("group", "root"),
            "exclusive": bool(entry.get("exclusive", False)),
        }
    elif part == "absent":
        entry = {"path": entry}
    return json.dumps({**entry, "role": role}, ensure_ascii=False)


def _template_line(error: BaseException) -> int | None:
    """The line of a template in which an exception rose."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        elif trace.tb_frame.f_globals.get("name") == trace.tb_frame.f_code.co_filename:
            debug = trace.tb_frame.f_globals.get("debug_info", "")
            line = _source_line(debug, trace.tb_lineno) or line
        trace = trace.tb_next
    return line


def _source_line(debug: str, line: int) -> int | None:
    """Jinja2's own table: pairs of template line and line of the code made from it."""
    found = None
    for pair in debug.split("&"):
        template, _, code = pair.partition("=")
        if code and int(code) <= line:
            found = int(template)
    return found


def source_name(environment: Environment) -> str:
    """What a folder is of: the environment and its register."""
    return f"{environment.name or 'any environment'}, register {environment.register}"


def program_for(tree: Path, group_vars: Path) -> Program:
    """The roles and plays of a tree, or of the repository where it has none."""
    return Program(tree if (tree / "playbooks").is_dir() else REPOSITORY, group_vars, called)


def as_if_built(sources: Sources, members: Mapping[str, int] | None = None) -> Environment:
    """An environment of no place: every member of the centre that is planned, WireGuard in the kernel.

    What gateways of units are in it is up to `replace(…, units=…)`.
    """
    catalogue = sources.catalogue
    return Environment(
        name="",
        register=sources.register.id,
        provider="none",
        incus=Incus(endpoint="", project="", pool="", own_pool=False, prefix="", image=""),
        members=members or {machine.id: machine.members for machine in catalogue.machines_at("centre")},
        units=(),
        workstations=0,
        simulators=(),
        wireguard="kernel",
        queue="fq_codel",
        # Gateways of units as they are meant to be: small PCs with a trunk to the unit's switch.
        unit_ports="vlans",
        spheres=VRF,
        sizes={"default": "1GiB"},
        time_upstreams=(),
        packages={},
        packages_tried_on=frozenset(),
        path=Path(),
        sources=sources,
    )


def unit_gateways(environment: Environment, plan: Plan, units: Iterable[str]) -> tuple[Host, ...]:
    """Gateways of units as if built, without an environment's ledger: keys of hubs are placeholders."""
    wanted = replace(environment, units=tuple(units))
    keys = keys_as_placeholders(plan)
    return tuple(host for host in built_hosts(wanted, plan, keys) if host.planned.owner in set(wanted.units))


def keys_as_placeholders(plan: Plan) -> dict[str, str]:
    """In place of a ledger's public halves: those of hubs, of packages, of names and of stores of logs."""
    keys = {peer.hub: PUBLIC.format(f"wireguard/{peer.hub}") for peer in plan.peers}
    stores = [f"{STORE_KEY}{host.name}" for host in plan.hosts if LOG_STORE in host.roles]
    for name in (ARCHIVE_KEY, f"{SIGNING_KEYS}ksk-1", *stores):
        keys[name] = PUBLIC.format(name)
    return keys


def chosen(plan: Plan, wanted: Sequence[str], file: str) -> tuple[str, ...]:
    """Units that are asked for, all that are not closed when none is named."""
    states = {unit.id: unit.state for unit in plan.units}
    if not wanted:
        return tuple(unit for unit, state in states.items() if state != "closed")
    problems = [
        Problem(
            code="RND-020" if unit not in states else "RND-021",
            file=file,
            line=0,
            path="--unit",
            found=f"the unknown unit '{unit}'" if unit not in states else f"the closed unit '{unit}'",
            wanted="the id of a unit of the register" if unit not in states else "a unit that is not closed",
            remedy=near(unit, list(states)) + "Correct the id." if unit not in states else "Leave it out.",
        )
        for unit in dict.fromkeys(wanted)
        if states.get(unit, "closed") == "closed"
    ]
    if problems:
        raise ProblemsFoundError(tuple(problems))
    return tuple(dict.fromkeys(wanted))


def write(
    out: Path, source: str, configurations: Iterable[Configuration], whole: bool = True
) -> tuple[Outcome, int]:
    """Put configurations into a folder: what was done, and how many hosts. `whole`: they are all of it."""
    with owned(out, source) as folder:
        hosts = set()
        for made in configurations:
            hosts.add(made.host)
            files = {f"{FILES}{file.path}": (file.content, file.mode) for file in made.files}
            files[MANIFEST] = (made.manifest, 0o644)
            folder.put(made.host, files)
        if whole:
            folder.keep_only(hosts)
        return folder.outcome, len(hosts)


def add_commands(subparsers: Any) -> None:
    """Add `province render`."""
    parser = subparsers.add_parser(
        "render", help="write every configuration file of hosts into a folder, without any connection"
    )
    parser.add_argument(
        "source", type=Path, help="an environment.yml (its hosts), or a register (gateways of all its units)"
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder of this command's own")
    parser.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="ID",
        help="the machines of this unit only, built or not (may be given again); others in the folder stay",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    source: Path = arguments.source
    if source.is_dir() and not (source / "environment.yml").exists():
        sources = load_sources(source)
        environment = as_if_built(sources)
        plan = plan_for(environment)
        hosts = unit_gateways(environment, plan, chosen(plan, arguments.unit, called(source)))
        tree = tree_of(source.resolve())
        common = Path("inventories/common/group_vars")
        group_vars = tree / common if (tree / common).exists() else REPOSITORY / common
    else:
        file = source / "environment.yml" if source.is_dir() else source
        environment = load_environment(file)
        plan = plan_for(environment)
        if arguments.unit:
            units = chosen(plan, arguments.unit, called(file))
            hosts = tuple(
                host
                for host in built_hosts(replace(environment, units=units), plan)
                if host.planned.owner in set(units)
            )
        else:
            hosts = built_hosts(environment, plan)
        tree, group_vars = file.resolve().parents[2], file.parent / "group_vars"
    renderer = Renderer(program_for(tree, group_vars), environment, plan)
    outcome, number = write(
        arguments.out, source_name(environment), map(renderer.render, hosts), whole=not arguments.unit
    )
    total = len(outcome.written) + outcome.unchanged
    missing = sorted({key for host in hosts for key in host.missing_keys})
    if arguments.format == "json":
        report = {
            "of": source_name(environment),
            "hosts": number,
            "files": total,
            "written": outcome.written,
            "removed": outcome.removed,
            "missing_keys": missing,
        }
        sys.stdout.write(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    elif outcome.written or outcome.removed:
        sys.stdout.write(
            f"{total} files of {number} hosts in {arguments.out}: {len(outcome.written)} written, "
            f"{len(outcome.removed)} removed, {outcome.unchanged} unchanged.\n"
        )
    else:
        sys.stdout.write(f"{total} files of {number} hosts in {arguments.out}: nothing changed.\n")
    if missing and arguments.format == "text":
        sys.stdout.write(
            f"Tunnels to {', '.join(missing)} are left out: the ledger of {environment.name} has no key yet "
            "(make up makes it).\n"
        )
    return 0
