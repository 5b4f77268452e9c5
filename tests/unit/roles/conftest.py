"""Roles' templates rendered as Ansible renders them, without a host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule as CoreFilters
from ansible.plugins.test.core import TestModule as CoreTests

from province.ansible import addresses, nftables

ROLES = Path(__file__).resolve().parents[3] / "roles"

Render = Callable[..., str]


@pytest.fixture
def render() -> Render:
    """`render(role, template, item=None, **variables)`: the role's defaults, then the given variables."""

    def rendered(role: str, template: str, item: Any = None, **variables: Any) -> str:
        environment = jinja2.Environment(  # noqa: S701 - configuration files, not pages
            loader=jinja2.FileSystemLoader(ROLES / role / "templates"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters.update({**CoreFilters().filters(), **addresses.FILTERS, **nftables.FILTERS})
        environment.tests.update(CoreTests().tests())
        defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()) or {}
        known = {**defaults, "ansible_managed": "Ansible managed", "inventory_hostname": "host", **variables}
        return environment.get_template(template).render(known, item=item)

    return rendered
