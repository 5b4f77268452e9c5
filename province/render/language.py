"""Jinja2 as Ansible speaks it, as far as roles use it; anything else is refused, never guessed.

Two kinds of text are compiled here: values of YAML files, where `"{{ expression }}"` alone keeps the type
of its result, and template files, whose result is text. That both give the bytes that Ansible gives is
proven by a test that renders every file both ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.filters import (
    do_unique,
    sync_do_map,
    sync_do_reject,
    sync_do_rejectattr,
    sync_do_select,
    sync_do_selectattr,
)

from province.ansible import addresses, nftables

Variables = Mapping[str, Any]
Make = Callable[[dict[str, Any]], Any]

# Jinja2's own, where Ansible has another filter of the same name.
_OTHERWISE_IN_ANSIBLE = ("groupby", "random")
# Ansible's styles of comments: what is before, at the head of each line, and after.
_STYLES = {
    "plain": ("", "# ", ""),
    "erlang": ("", "% ", ""),
    "c": ("", "// ", ""),
    "cblock": ("/*", " * ", " */"),
    "xml": ("<!--", " - ", "-->"),
}
_DICT_METHODS = frozenset(dir(dict))
_OPENING = re.compile(r"\{\{|\{%|\{#")


class UnsupportedError(Exception):
    """Something that Ansible may understand and this does not; the text says what."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def comment(text: str, style: str = "plain", decoration: str | None = None) -> str:
    """Ansible's filter: every line behind a mark, an empty comment line before and after."""
    if style not in _STYLES:
        raise ValueError(f"no style '{style}' of comments, only {', '.join(_STYLES)}")
    before, mark, after = _STYLES[style]
    mark = mark if decoration is None else decoration
    bare = mark.rstrip()
    if not bare:
        raise ValueError("a comment needs a mark")
    # A mark at the end of a line loses its space, wherever it comes from: so does Ansible's.
    marked = (mark + text.replace("\n", f"\n{mark}")).replace(f"{mark}\n", f"{bare}\n")
    body = [bare, marked, bare]
    return "\n".join([*([before] if before else []), *body, *([after] if after else [])])


def flatten(values: Iterable[Any]) -> list[Any]:
    """Ansible's filter: lists in lists as one list, without nothings."""
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            flat += flatten(value)
        elif value not in (None, "None", "null"):
            flat.append(value)
    return flat


def _search(value: object, pattern: str) -> bool:
    return bool(re.search(pattern, str(value)))


def _printed(value: Any) -> Any:
    """Nothing is printed as no text."""
    return "" if value is None else value


def _listed(generator: Callable[..., Any]) -> Callable[..., list[Any]]:
    """A filter that yields, as one that gives a list: so does Ansible."""

    @jinja2.pass_context
    def whole(context: Any, *arguments: Any, **options: Any) -> list[Any]:
        return list(generator(context, *arguments, **options))

    return whole


@jinja2.pass_environment
def _unique(environment: jinja2.Environment, values: Iterable[Any]) -> list[Any]:
    return list(do_unique(environment, values, case_sensitive=False))


FILTERS: dict[str, Callable[..., Any]] = {
    "comment": comment,
    "flatten": flatten,
    "to_json": json.dumps,
    "unique": _unique,
    "map": _listed(sync_do_map),
    "select": _listed(sync_do_select),
    "reject": _listed(sync_do_reject),
    "selectattr": _listed(sync_do_selectattr),
    "rejectattr": _listed(sync_do_rejectattr),
    "zip": lambda *lists: list(map(list, zip(*lists, strict=False))),
    **addresses.FILTERS,
    **nftables.FILTERS,
}


class _Environment(jinja2.Environment):
    """Facts are plain dictionaries, and a template asks for their keys thousands of times."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if obj.__class__ is dict and attribute not in _DICT_METHODS:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a YAML file: `make` gives it for the variables of a host, `needs` are their names."""

    make: Make
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Template:
    """A template file as it is written; `needs` are the names of the variables that it asks for."""

    name: str
    source: str
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled template. `ends`: line ends at its end, of which a result never has fewer."""

    template: jinja2.Template
    needs: frozenset[str]
    ends: int

    def render(self, variables: dict[str, Any]) -> str:
        """The text. `variables` hold the language's globals too, see `Language.base`."""
        context = self.template.new_context(variables, shared=True)
        return _ended("".join(self.template.root_render_func(context)), self.ends)


class Language:
    """The two environments, and how texts are compiled in them."""

    def __init__(self) -> None:
        self._files = _Environment(
            undefined=jinja2.StrictUndefined, finalize=_printed, trim_blocks=True, lstrip_blocks=True
        )
        for name in _OTHERWISE_IN_ANSIBLE:
            del self._files.filters[name]
        self._files.filters.update(FILTERS)
        # The same few addresses are asked about again and again; this dies with the language.
        self._files.filters["ip_word"] = lru_cache(maxsize=4096)(addresses.ip_word)
        self._files.tests["search"] = _search
        self._values = self._files.overlay(lstrip_blocks=False)
        # What every template may use besides variables: `range` and the like.
        self.base: dict[str, Any] = dict(self._files.globals)
        self._texts: dict[tuple[str, tuple[tuple[str, str], ...]], Text] = {}

    def template(self, source: str, name: str) -> Template | Value:
        """Read a template file; `name` is how tracebacks call it. Raises as `value` does."""
        tree = self._files.parse(source)
        refused = next(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)), None)
        if refused is not None:
            raise UnsupportedError("a template inside a template", refused.lineno)
        if _single(tree) is not None:
            # Ansible keeps the type of such a result, also that of a whole file.
            return self._compiled(tree, _ends(source))
        if tree.body and not any(_has_text(node) for node in tree.body):
            raise UnsupportedError("a template without any text of its own outside of its blocks")
        return Template(name, source, self._needs(tree))

    def text(self, read: Template, constants: Variables) -> Text:
        """Compile a template, with what is the same for all its hosts compiled into it."""
        known = {
            name: constants[name]
            for name in sorted(read.needs & constants.keys())
            if isinstance(constants[name], str | int | None)
        }
        key = (read.name, tuple((name, repr(value)) for name, value in known.items()))
        if key not in self._texts:
            tree = self._files.parse(read.source)
            own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
            for node in tree.find_all(nodes.Node):
                _fold(node, {name: value for name, value in known.items() if name not in own})
            code = self._files.compile(tree, read.name, read.name)
            needs = frozenset(name for name in read.needs if name in own or name not in known)
            template = jinja2.Template.from_code(self._files, code, {})
            self._texts[key] = Text(template, needs, _ends(read.source))
        return self._texts[key]

    def value(self, raw: Any) -> Value:
        """Compile a value with everything in it. Raises UnsupportedError and Jinja2's own errors."""
        if isinstance(raw, dict):
            parts = {key: self.value(entry) for key, entry in raw.items()}
            needs = frozenset().union(*(part.needs for part in parts.values()))
            if not needs:
                made = {key: part.make({}) for key, part in parts.items()}
                return Value(lambda _: made, needs)
            return Value(lambda v: {key: part.make(v) for key, part in parts.items()}, needs)
        if isinstance(raw, list):
            entries = [self.value(entry) for entry in raw]
            needs = frozenset().union(*(entry.needs for entry in entries))
            if not needs:
                listed = [entry.make({}) for entry in entries]
                return Value(lambda _: listed, needs)
            return Value(lambda v: [entry.make(v) for entry in entries], needs)
        if not isinstance(raw, str) or not _OPENING.search(raw):
            return Value(lambda _: raw, frozenset())
        return self.expression(raw)

    def expression(self, source: str, bare: bool = False) -> Value:
        """Compile one text; `bare` is an expression without braces, as in conditions."""
        if "\\" in source:
            # Ansible escapes backslashes of YAML once more before Jinja2 sees them.
            raise UnsupportedError("a backslash in an expression")
        tree = self._values.parse("{{ " + source + " }}" if bare else source)
        if any(not isinstance(node, nodes.Output) for node in tree.body):
            raise UnsupportedError("a statement in a value")
        return self._compiled(tree, 0 if bare else _ends(source))

    def _compiled(self, tree: nodes.Template, ends: int) -> Value:
        only, needs = _single(tree), self._needs(tree)
        if only is None:
            code = self._values.compile(tree, "<value>", "<value>")
            text = Text(jinja2.Template.from_code(self._values, code, {}), needs, ends)
            return Value(lambda v: text.render({**self.base, **v}), needs)
        path = _path(only)
        if path is not None and not ends:
            return Value(_walk(path), needs)
        result = nodes.Assign(nodes.Name("result", "store"), only, lineno=1)
        template = self._values.from_string(nodes.Template([result], lineno=1))
        return Value(lambda v: _kept(jinja2.environment.TemplateExpression(template, False)(v), ends), needs)

    def _needs(self, tree: nodes.Template) -> frozenset[str]:
        return frozenset(meta.find_undeclared_variables(tree)) - self.base.keys()


def _single(tree: nodes.Template) -> nodes.Expr | None:
    """The expression that is all of a text."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    output = tree.body[0].nodes
    return output[0] if len(output) == 1 and not isinstance(output[0], nodes.TemplateData) else None


def _fold(node: nodes.Node, known: Variables) -> None:
    """Put constants in the place of names directly below a node."""
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Name) and value.name in known:
            setattr(node, field, nodes.Const(known[value.name], lineno=value.lineno))
        elif isinstance(value, list):
            value[:] = [
                nodes.Const(known[entry.name], lineno=entry.lineno)
                if isinstance(entry, nodes.Name) and entry.name in known
                else entry
                for entry in value
            ]


def _has_text(node: nodes.Node) -> bool:
    """Whether this part always gives some text, so that the result is text."""
    return isinstance(node, nodes.Output) and any(
        isinstance(part, nodes.TemplateData) and part.data for part in node.nodes
    )


def _path(node: nodes.Expr) -> tuple[str, ...] | None:
    """`province_routing.asn` as its words; None for what is more than a chain of keys."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr) and node.attr not in _DICT_METHODS:
        front = _path(node.node)
        return (*front, node.attr) if front else None
    return None


def _walk(path: tuple[str, ...]) -> Make:
    if len(path) == 1:
        (only,) = path
        return lambda v: v[only]
    if len(path) == 2:
        first, second = path
        return lambda v: v[first][second]

    def walk(variables: dict[str, Any]) -> Any:
        value: Any = variables
        for word in path:
            value = value[word]
        return value

    return walk


def _ends(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


def _ended(text: str, ends: int) -> str:
    """Line ends that Jinja2 cuts from the end of a text are given back, as far as they are missing."""
    while ends and not text.endswith("\n" * ends):
        text += "\n"
    return text


def _kept(value: Any, ends: int) -> Any:
    return _ended(value, ends) if isinstance(value, str) else value
