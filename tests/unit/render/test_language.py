"""Values and templates mean what they mean to Ansible, also where no role of today asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.filter.core import FilterModule as CoreFilters
from ansible.plugins.filter.mathstuff import FilterModule as MathFilters
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from province.render.language import Language, Template, UnsupportedError, comment, flatten
from tests.support.repository import ROOT

VARIABLES: dict[str, Any] = {
    "word": "bạn",
    "number": 7,
    "yes": True,
    "nothing": None,
    "lines": "a\nb\n",
    "listed": [3, 1, 3],
    "words": ["b", "B", "a"],
    "nested": [[1, [2]], 3, None],
    "tree": {"asn": 65001, "items": [1], "name": "x", "deep": {"er": [True]}},
    "records": [{"name": "a", "on": True}, {"name": "b", "on": False}],
}
VALUES = [
    "plain",
    "{{ word }}",
    "{{ number }}",
    "{{ yes }}",
    "{{ nothing }}",
    "{{ listed }}",
    "{{ tree }}",
    "{{ tree.asn }}",
    "{{ tree['items'] }}",
    "{{ tree.deep.er }}",
    "{{ tree.deep.er[0] }}",
    " {{ number }}",
    "{{ number }} ",
    "{{ number }}\n",
    "{{ word }}\n",
    "{{ lines }}\n",
    "{{ lines }}{{ word }}\n\n",
    "{{ word }}/{{ number }}/{{ yes }}/{{ nothing }}/{{ listed }}",
    "{{ listed + [1] }}",
    "{{ number > 5 }}",
    "{{ missing | default('d') }}",
    "{{ missing | default([]) }}",
    "{{ words | unique }}",
    "{{ listed | unique | list }}",
    "{{ nested | flatten }}",
    "{{ words | zip(listed) }}",
    "{{ words | zip([1]) }}",
    "{{ dict(words | zip(listed)) }}",
    "{{ records | map(attribute='name') }}",
    "{{ records | selectattr('on') | map(attribute='name') | join(',') }}",
    "{{ records | rejectattr('on') | map(attribute='name') | first }}",
    "{{ words | select('search', '^[ab]') }}",
    "{{ words | reject('search', 'b') }}",
    "{{ tree | to_json }}",
    "{{ word | to_json }}",
    "{{ 'x' ~ number }}",
    "{{ number // 2 }}",
    "{{ yes | int }}",
    ["{{ number }}", {"key": "{{ tree.name }}", "other": 5}],
]
FILES = [
    "",
    "\n",
    "text",
    "text\n\n",
    "{{ word }}\n",
    "a {{ word }}\n",
    "a\n{{ lines }}\n",
    "a\n{{ lines }}\n\n",
    "{# a #}\nb\n{% for w in words %}\n{{ w }}\n{% endfor %}\n",
    "a\n{% for w in words %}\n{{ w }} {{ loop.index }}{{ '' if loop.last else ',' }}\n{% endfor %}",
    "a\n{% for w in [] %}\n{{ w }}\n{% else %}\nnone\n{% endfor %}\n",
    "a\n  {% if yes %}\n  b\n  {% endif %}\n\n",
    "{# nothing #}\na\n",
    "{{ number }}",
    "{{ tree.asn }}: {{ tree['items'] }} {{ yes }} {{ nothing }}\n",
    "{{ word | comment }}\n{{ word | comment('plain', decoration='! ') }}\n",
    "{{ '{{.Names}}' }}\\n \\d\n",
    "{{ 'a\\nb' }}\n",
    "{% set x = number %}\na {{ x }}\n",
    "{{ range(3) | join(' ') }}\n",
]


@pytest.fixture(scope="module")
def templar() -> Templar:
    """Ansible's own, with its filters and ours."""
    init_plugin_loader([])
    from ansible.plugins.loader import filter_loader

    filter_loader.add_directory(str(ROOT / "playbooks/plugins/filter"))
    return Templar(loader=DataLoader(), variables=VARIABLES)


def trusted(value: Any) -> Any:
    """A value as it comes from a file of the tree."""
    if isinstance(value, list):
        return [trusted(entry) for entry in value]
    if isinstance(value, dict):
        return {key: trusted(entry) for key, entry in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_has_the_content_and_the_type_that_ansible_gives_it(templar: Templar, value: Any) -> None:
    language = Language()
    ours = language.value(value).make({**language.base, **VARIABLES})
    theirs = templar.template(trusted(value))
    assert json.dumps(ours) == json.dumps(theirs)


@pytest.mark.parametrize("source", FILES, ids=repr)
def test_a_template_gives_the_text_that_ansible_gives(templar: Templar, source: str) -> None:
    language = Language()
    read = language.template(source, "here.j2")
    variables = {**language.base, **VARIABLES}
    if isinstance(read, Template):
        ours = language.text(read, {}).render(variables)
        assert language.text(read, VARIABLES).render(variables) == ours, "compiled in, constants differ"
    else:
        ours = read.make(variables)
    theirs = templar.template(
        trust_as_template(source),
        escape_backslashes=False,
        overrides={"trim_blocks": True, "lstrip_blocks": True},
    )
    assert ours == ("" if theirs is None and source == "" else theirs)


@pytest.mark.parametrize(
    "source",
    [
        "a\n{% include 'a' %}",
        "a\n{% import 'a' as b %}",
        "{% extends 'a' %}",
        "{% if yes %}{{ number }}{% endif %}\n",
        "{% for w in words %}\n{{ w }}\n{% endfor %}\n",
    ],
)
def test_several_files_and_templates_whose_type_only_their_run_shows_are_refused(source: str) -> None:
    with pytest.raises(UnsupportedError):
        Language().template(source, "here.j2")


@pytest.mark.parametrize("value", ["{{ 'a\\nb' }}", "{% if yes %}{{ number }}{% endif %}", "{% set x = 1 %}"])
def test_backslashes_and_statements_in_values_are_refused(value: str) -> None:
    """Ansible reads backslashes otherwise than Jinja2; in a template file both agree."""
    with pytest.raises(UnsupportedError):
        Language().value(value)


@pytest.mark.parametrize("name", ["groupby", "random", "to_yaml", "regex_replace"])
def test_a_filter_that_ansible_has_and_this_has_not_is_refused(name: str) -> None:
    with pytest.raises(jinja2.TemplateAssertionError):
        Language().template(f"a {{{{ x | {name} }}}}\n", "here.j2")


def test_what_nobody_defined_is_a_mistake_and_no_empty_text() -> None:
    language = Language()
    for source in (
        "a {{ nowhere }}\n",
        "a\n{% for x in tree.nowhere %}\n{% endfor %}\n",
        "a {{ tree.b.c }}\n",
    ):
        read = language.template(source, "here.j2")
        assert isinstance(read, Template)
        with pytest.raises(jinja2.UndefinedError):
            language.text(read, {}).render({**language.base, **VARIABLES})


@given(
    st.text(alphabet="aạ #\n", max_size=12),
    st.sampled_from(["plain", "erlang", "c", "cblock", "xml"]),
    st.one_of(st.none(), st.sampled_from(["! ", "; ", "// ", "#"])),
)
def test_comments_are_those_of_ansible(text: str, style: str, decoration: str | None) -> None:
    options = {} if decoration is None else {"decoration": decoration}
    assert comment(text, style, decoration) == CoreFilters().filters()["comment"](text, style, **options)


@given(st.recursive(st.one_of(st.none(), st.integers(), st.text(max_size=3)), st.lists, max_leaves=8))
def test_flattening_is_that_of_ansible(value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    assert flatten(values) == CoreFilters().filters()["flatten"](values)


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["a", "A", "b"])), max_size=6))
def test_each_thing_once_is_that_of_ansible(values: list[Any]) -> None:
    language = Language()
    ours = language.value("{{ values | unique }}").make({**language.base, "values": values})
    assert ours == MathFilters().filters()["unique"](jinja2.Environment(), values)  # noqa: S701 - no pages


def test_every_filter_of_our_own_is_the_one_that_ansible_loads() -> None:
    from province.ansible import addresses, nftables
    from province.render.language import FILTERS

    for name, function in {**addresses.FILTERS, **nftables.FILTERS}.items():
        assert FILTERS[name] is function
    assert Path(ROOT / "playbooks/plugins/filter").is_dir()
