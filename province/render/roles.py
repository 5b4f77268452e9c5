"""What plays, roles and group_vars say, read and compiled once: which files a host of some groups gets.

The same sources that Ansible reads, and no others: playbooks/site.yml and its layers for which role runs
where, roles/*/tasks for what a role lays down, its defaults and vars, and the group_vars beside an
environment. What is not understood is a Problem with file and line, so that a role cannot quietly be
rendered otherwise than Ansible would lay it down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import yaml

from province.problems import Problem, ProblemsFoundError
from province.register.document import dotted
from province.render.language import Language, Make, Template, Text, UnsupportedError, Value

# Variables that a host brings along; everything else stands in a file.
FACT = "province_"
HOST = "inventory_hostname"
LOOKUPS = ("lookup", "query")

_PLAY = {"name", "hosts", "any_errors_fatal", "max_fail_percentage", "roles", "serial"}
_TASK = {"name", "managed_tree"}
# What a task says that is not in any file.
_ELSEWHERE = {"packages", "users", "commands", "units", "validate"}
_TREE = {"templates", "files", "directories", "links", "absent"} | _ELSEWHERE
_FILE = {"src", "dest", "each", "mode", "owner", "group", "validate", "sensitive"}
_ENTRIES = {
    "templates": _FILE,
    "files": _FILE | {"content"},
    "directories": {"path", "mode", "owner", "group", "exclusive", "keep"},
    "links": {"path", "target"},
}
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Place = tuple[str | int, ...]
Compiled = TypeVar("Compiled", Template | Value, Text, Value)


@dataclass(frozen=True, slots=True)
class Source:
    """A YAML file of the tree with the lines of its parts. `file` is how messages call it."""

    file: str
    data: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of a place, or of what is around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands: a file, a line, the path inside it, and the role it is about."""

    file: str
    line: int
    path: str
    role: str

    def stop(self, code: str, found: str, wanted: str, remedy: str, line: int = 0) -> ProblemsFoundError:
        """The problem at this place, to be raised."""
        return ProblemsFoundError((
            Problem(
                code=f"RND-{code}",
                file=self.file,
                line=line or self.line,
                path=self.path,
                found=found + (f", for the role {self.role}" if self.role else ""),
                wanted=wanted,
                remedy=remedy,
            ),
        ))  # fmt: skip

    def unsupported(self, found: str, line: int = 0) -> ProblemsFoundError:
        """What Ansible may understand and this program does not."""
        return self.stop(
            "010",
            found,
            "what `province render` understands",
            "Say it another way, or teach province/render/roles.py and language.py.",
            line,
        )


@dataclass(frozen=True, slots=True)
class File:
    """One entry of `templates` or `files`; everything that may differ between hosts is a Value."""

    spot: Spot
    dest: Value
    text: Template | Text | Value  # of a role's entries for certain groups never a Template
    each: Value | None
    key: str  # with `each` and no template: the item's key that holds the text
    options: Value  # mode, owner, group, sensitive
    file: str  # the template, as messages call it; "" for what stands in the task


@dataclass(frozen=True, slots=True)
class Condition:
    """An assertion of a role."""

    spot: Spot
    value: Value
    message: Value


@dataclass(frozen=True, slots=True)
class Plain:
    """Directories, links, or paths that must not be there: plain data in the order of the task."""

    spot: Spot
    value: Value


@dataclass(frozen=True, slots=True)
class Asked:
    """What a task asks of a host that is no file: the option of managed_tree, and its value."""

    option: str
    plain: Plain


@dataclass(frozen=True, slots=True)
class Step:
    """One variable of a host, made from others."""

    name: str
    make: Make


@dataclass(frozen=True, slots=True)
class Role:
    """A role for hosts of the same groups: `constants` first, then `steps` in order, then the rest."""

    name: str
    constants: Mapping[str, Any]
    steps: tuple[Step, ...]
    varying: frozenset[str]  # names whose values differ between hosts
    conditions: tuple[Condition, ...]
    files: tuple[File, ...]
    directories: tuple[Plain, ...]
    links: tuple[Plain, ...]
    absent: tuple[Plain, ...]
    asked: tuple[Asked, ...]  # packages, users, commands, units


@dataclass(frozen=True, slots=True)
class _Task:
    """What a role's tasks say, the same for every host."""

    conditions: tuple[Condition, ...]
    files: tuple[File, ...]
    directories: tuple[Plain, ...]
    links: tuple[Plain, ...]
    absent: tuple[Plain, ...]
    asked: tuple[Asked, ...]

    @property
    def needs(self) -> frozenset[str]:
        """Every variable that is asked for anywhere in it."""
        found: set[str] = set()
        for condition in self.conditions:
            found |= condition.value.needs | condition.message.needs
        for entry in self.files:
            found |= entry.dest.needs | entry.text.needs | entry.options.needs
            found |= entry.each.needs if entry.each else frozenset()
        for plain in (*self.directories, *self.links, *self.absent):
            found |= plain.value.needs
        for asked in self.asked:
            found |= asked.plain.value.needs
        return frozenset(found - {"item"})


@dataclass
class Program:
    """The roles of a tree, compiled. Holds nothing of any province, so one serves all of them."""

    root: Path
    group_vars: Path
    called: Callable[[Path], str]
    language: Language = field(default_factory=Language)
    _plays: list[tuple[Spot, str, str]] = field(default_factory=list)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _scopes: dict[str, dict[str, tuple[Any, Spot]]] = field(default_factory=dict)
    _roles: dict[tuple[str, tuple[str, ...]], Role] = field(default_factory=dict)
    _wirings: dict[tuple[str, ...], tuple[Role, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.root / "playbooks", self.root / "playbooks/layers", self.group_vars.parent):
            for name in ("group_vars", "host_vars"):
                beside = folder / name
                if beside.exists() and beside != self.group_vars:
                    raise Spot(self.called(beside), 0, "", "").unsupported("variables at another place")
        site = self._read(self.root / "playbooks/site.yml", "")
        for number, entry in enumerate(site.data or []):
            place: Place = (number,)
            imported = entry.get("ansible.builtin.import_playbook") if isinstance(entry, dict) else None
            if not imported or set(entry) - {"name", "ansible.builtin.import_playbook"}:
                raise self._spot(site, place, "").unsupported("no import of a layer")
            self._add_plays(self._read(self.root / "playbooks" / imported, ""))

    def roles(self, groups: Iterable[str]) -> tuple[Role, ...]:
        """What hosts of these groups get, in the order of the plays."""
        own = tuple(sorted({"all", *groups}))
        if own not in self._wirings:
            names = [role for spot, pattern, role in self._plays if _matches(spot, pattern, own)]
            self._wirings[own] = tuple(self._role(name, own) for name in dict.fromkeys(names))
        return self._wirings[own]

    def names(self) -> tuple[str, ...]:
        """Every role that a play names."""
        return tuple(dict.fromkeys(role for _, _, role in self._plays))

    def understand(self, role: str) -> None:
        """Read a role's tasks and templates. Raises ProblemsFoundError for what is not understood."""
        self._task(role)

    def _add_plays(self, source: Source) -> None:
        for number, play in enumerate(source.data or []):
            for key in play:
                if key not in _PLAY:
                    raise self._spot(source, (number, key), "").unsupported(f"`{key}` of a play")
            for position, entry in enumerate(play["roles"]):
                role = entry if isinstance(entry, str) else entry.get("role", "")
                spot = self._spot(source, (number, "roles", position), role)
                if not isinstance(entry, str) and set(entry) != {"role"}:
                    raise spot.unsupported("options of a role in a play")
                self._plays.append((self._spot(source, (number, "hosts"), role), str(play["hosts"]), role))

    def _read(self, path: Path, role: str) -> Source:
        file = self.called(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Spot(file, 0, "", role).stop(
                "001",
                f"no file that can be read ({getattr(error, 'strerror', None) or 'not UTF-8'})",
                "a file of UTF-8 text",
                "Put it there, or correct the name.",
            ) from None
        lines: dict[Place, int] = {}
        try:
            loader = _YAML(text)
            node = loader.get_single_node()
            data = None if node is None else loader.construct_document(node)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise Spot(file, mark.line + 1 if mark else 0, "", role).stop(
                "002",
                f"no YAML: {getattr(error, 'problem', None) or type(error).__name__}",
                "a YAML document",
                "Correct the line.",
            ) from None
        if node is not None:
            _note_lines(node, (), lines)
        return Source(file=file, data=data, lines=lines)

    def _spot(self, source: Source, place: Place, role: str) -> Spot:
        return Spot(source.file, source.line(place), dotted(place), role)

    def _role(self, name: str, groups: tuple[str, ...]) -> Role:
        if (name, groups) not in self._roles:
            self._roles[name, groups] = self._bound(name, self._task(name), groups)
        return self._roles[name, groups]

    # What a role's tasks say.

    def _task(self, name: str) -> _Task:
        if name not in self._tasks:
            self._tasks[name] = self._read_tasks(name)
        return self._tasks[name]

    def _read_tasks(self, role: str) -> _Task:
        folder = self.root / "roles" / role
        source = self._read(folder / "tasks/main.yml", role)
        meta = self._read(folder / "meta/main.yml", role)
        if (meta.data or {}).get("dependencies"):
            raise self._spot(meta, ("dependencies",), role).unsupported("a role that depends on another")
        conditions: list[Condition] = []
        names = ("files", "directories", "links", "absent", "asked")
        parts: dict[str, list[Any]] = {name: [] for name in names}
        for number, task in enumerate(source.data or []):
            spot = self._spot(source, (number,), role)
            if not isinstance(task, dict):
                raise spot.unsupported("a task that is no mapping")
            if "ansible.builtin.assert" in task and set(task) == {"name", "ansible.builtin.assert"}:
                conditions += self._conditions(source, (number, "ansible.builtin.assert"), role, task)
                continue
            for key in task:
                if key not in _TASK:
                    raise self._spot(source, (number, key), role).unsupported(f"`{key}` in a task")
            if not isinstance(task.get("managed_tree"), dict):
                raise spot.unsupported("a task without the options of managed_tree")
            self._read_tree(source, (number, "managed_tree"), role, task["managed_tree"], parts)
        return _Task(conditions=tuple(conditions), **{key: tuple(entries) for key, entries in parts.items()})

    def _conditions(
        self, source: Source, place: Place, role: str, task: Mapping[str, Any]
    ) -> list[Condition]:
        said = task["ansible.builtin.assert"]
        for key in said:
            if key not in ("that", "fail_msg", "quiet"):
                raise self._spot(source, (*place, key), role).unsupported(f"`{key}` of an assertion")
        spot = self._spot(source, (*place, "that"), role)
        listed = said["that"] if isinstance(said["that"], list) else [said["that"]]
        message = self._value(said.get("fail_msg", "an assertion of the role"), spot)
        return [Condition(spot, self._compiled(spot, text, bare=True), message) for text in listed]

    def _read_tree(
        self, source: Source, place: Place, role: str, tree: Mapping[str, Any], parts: dict[str, list[Any]]
    ) -> None:
        for key, said in tree.items():
            spot = self._spot(source, (*place, key), role)
            if key not in _TREE:
                raise spot.unsupported(f"the option `{key}` of managed_tree")
            if key in _ELSEWHERE:
                # Checkers look at files that are about to go live, which nobody asks of a host.
                if key != "validate":
                    parts["asked"].append(Asked(key, Plain(spot, self._value(said, spot))))
                continue
            if key in ("templates", "files") and not isinstance(said, list):
                raise spot.unsupported(f"`{key}` that is no list")
            for number, entry in enumerate(said if isinstance(said, list) else []):
                at = self._spot(source, (*place, key, number), role)
                if key == "absent":
                    continue
                if not isinstance(entry, dict):
                    raise at.unsupported("an entry that is no mapping")
                for option in entry:
                    if option not in _ENTRIES[key]:
                        raise self._spot(source, (*place, key, number, option), role).unsupported(
                            f"the option `{option}` of {key}"
                        )
                if key in ("templates", "files"):
                    parts["files"].append(self._file(at, role, key, entry))
            if key in ("directories", "links", "absent"):
                parts[key].append(Plain(spot, self._value(said, spot)))

    def _file(self, spot: Spot, role: str, kind: str, entry: Mapping[str, Any]) -> File:
        src, content = entry.get("src"), entry.get("content", "")
        if kind == "templates" and not src:
            raise spot.unsupported("a template without `src`")
        if src and not isinstance(src, str):
            raise spot.unsupported("a `src` that is no text")
        if not src and not entry.get("dest"):
            raise spot.unsupported("a file with neither `dest` nor `src`")
        key = ""
        text: Template | Value
        if kind == "templates":
            text = self._template(role, str(src))
        elif src:
            whole = self._text(self.root / "roles" / role / "files" / src, role)
            text = Value(lambda _: whole, frozenset())
        elif entry.get("each") is not None:
            key, text = entry.get("content", "content"), Value(lambda _: "", frozenset())
        else:
            text = self._value(content, spot)
        each = None if entry.get("each") is None else self._value(entry["each"], spot)
        return File(
            spot=spot,
            dest=self._value(entry.get("dest") or "/" + str(src).removesuffix(".j2").lstrip("/"), spot),
            text=text,
            each=each,
            key=key,
            file=self.called(self._place(role, str(src))) if kind == "templates" else "",
            options=self._value(
                {
                    "mode": entry.get("mode", "0644"),
                    "owner": entry.get("owner", "root"),
                    "group": entry.get("group", "root"),
                    "sensitive": entry.get("sensitive", False),
                },
                spot,
            ),
        )

    def _text(self, path: Path, role: str) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Spot(self.called(path), 0, "", role).stop(
                "001",
                f"no file that can be read ({getattr(error, 'strerror', None) or 'not UTF-8'})",
                "a file of UTF-8 text",
                "Put it there, or correct `src` of the task.",
            ) from None

    def _place(self, role: str, src: str) -> Path:
        return self.root / "roles" / role / "templates" / src

    def _template(self, role: str, src: str) -> Template | Value:
        path = self._place(role, src)
        text = self._text(path, role)
        at = Spot(self.called(path), 0, "", role)
        return self._guarded(at, lambda: self.language.template(text, str(path)))

    def _compiled_text(self, entry: File, constants: Mapping[str, Any]) -> Text | Value:
        read = entry.text
        if not isinstance(read, Template):
            return read
        return self._guarded(
            Spot(entry.file, 0, "", entry.spot.role), lambda: self.language.text(read, constants)
        )

    def _value(self, raw: Any, spot: Spot) -> Value:
        return self._guarded(spot, lambda: self.language.value(raw))

    def _compiled(self, spot: Spot, raw: Any, bare: bool) -> Value:
        return self._guarded(spot, lambda: self.language.expression(str(raw), bare))

    def _guarded(self, spot: Spot, compiled: Callable[[], Compiled]) -> Compiled:
        try:
            return compiled()
        except UnsupportedError as error:
            raise spot.unsupported(str(error), error.line) from None
        except jinja2.TemplateSyntaxError as error:
            # A value's lines are those of its file, a template's are its own.
            line = spot.line or error.lineno
            raise spot.stop(
                "011",
                f"no template that can be read: {(error.message or '').rstrip('.')}",
                "Jinja2 with the filters and tests of province/render/language.py",
                "Correct it, or teach language.py what Ansible does there.",
                line,
            ) from None

    # Variables, by the precedence of Ansible.

    def _scope(self, file: Path, role: str) -> dict[str, tuple[Any, Spot]]:
        """The variables of a file; none where there is no file."""
        if not file.exists():
            return {}
        source = self._read(file, role)
        return {
            name: (value, self._spot(source, (name,), role)) for name, value in (source.data or {}).items()
        }

    def _group_scope(self, group: str) -> dict[str, tuple[Any, Spot]]:
        if group not in self._scopes:
            found: dict[str, tuple[Any, Spot]] = {}
            folder = self.group_vars / group
            if folder.with_suffix(".yml").exists():
                found |= self._scope(folder.with_suffix(".yml"), "")
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix != ".yml" or path.is_dir():
                    raise Spot(self.called(path), 0, "", "").unsupported("variables in no .yml file")
                found |= self._scope(path, "")
            self._scopes[group] = found
        return self._scopes[group]

    def _variables(self, role: str, groups: Iterable[str]) -> dict[str, tuple[Any, Spot]]:
        """Defaults, then `all`, then groups by name, then the role's own: later ones win."""
        folder = self.root / "roles" / role
        found = dict(self._scope(folder / "defaults/main.yml", role))
        for group in ("all", *(group for group in groups if group != "all")):
            found |= self._group_scope(group)
        return found | self._scope(folder / "vars/main.yml", role)

    def _bound(self, role: str, task: _Task, groups: tuple[str, ...]) -> Role:
        variables = self._variables(role, groups)
        constants: dict[str, Any] = dict(self.language.base)
        steps: list[Step] = []
        varying: set[str] = set()
        done: set[str] = set()

        def bind(name: str, asked: tuple[str, ...]) -> None:
            if name in done:
                return
            if name.startswith(FACT) or name == HOST or name in LOOKUPS:
                varying.add(name)
                done.add(name)
                return
            if name not in variables:
                return  # undefined; who asks for it hears so, unless it has a default
            raw, spot = variables[name]
            if name in asked:
                raise spot.unsupported(f"a variable that needs itself: {' → '.join((*asked, name))}")
            value = self._value(raw, spot)
            for other in sorted(value.needs):
                bind(other, (*asked, name))
            done.add(name)
            if not value.needs & varying and not value.needs - done:
                try:
                    constants[name] = value.make(constants)
                    return
                except Exception:  # noqa: S110 - whoever asks for it hears of it
                    pass
            varying.add(name)
            steps.append(Step(name, value.make))

        for name in sorted(task.needs):
            bind(name, ())
        return Role(
            name=role,
            constants=constants,
            steps=tuple(steps),
            varying=frozenset(varying),
            conditions=task.conditions,
            files=tuple(replace(entry, text=self._compiled_text(entry, constants)) for entry in task.files),
            directories=task.directories,
            links=task.links,
            absent=task.absent,
            asked=task.asked,
        )


def _matches(spot: Spot, pattern: str, groups: Iterable[str]) -> bool:
    """Whether a host of these groups is meant by `a:b:!c`."""
    own = set(groups)
    words = pattern.replace(",", ":").split(":")
    for word in words:
        if not word.lstrip("!").replace("_", "").isalnum():
            raise spot.unsupported(f"the pattern {pattern}")
    wanted = {word for word in words if not word.startswith("!")}
    return bool(wanted & own) and not {word[1:] for word in words if word.startswith("!")} & own


def _note_lines(node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, (*place, key.value), lines)
            lines[*place, key.value] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(value, (*place, number), lines)
