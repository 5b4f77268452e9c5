"""What a host lays down to run its applications, for group_vars. A shim over `province.render`."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: applications
short_description: Containers, networks, files and folders of the applications of a host
description:
  - Renders from the plan of the environment that the host belongs to what the role container_app takes.
    The applications are those of the host's C(province_apps).
options:
  _terms:
    description: C(containers), C(networks), C(files) or C(folders).
    required: true
"""

REPOSITORY = Path(__file__).resolve().parents[3]


@lru_cache(maxsize=2)
def tree_of(environment: str, placed: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """The tree of one host; a role asks for its parts one after the other."""
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))
    from province.hosts import Estate
    from province.render.applications import application_tree

    # The inventory has read it, in the process that this one is a fork of.
    estate = Estate.known(environment) or Estate.read(environment)
    sources = estate.environment.sources
    return application_tree(
        estate.plan,
        [app.record for app in sources.apps],
        {name: kind.title for name, kind in sources.catalogue.kinds.items()},
        placed,
        REPOSITORY / "apps",
    )


class LookupModule(LookupBase):  # type: ignore[misc] # ansible-core has no types
    """`query('applications', part)`."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """The entries of the parts named, in their order."""
        self.set_options(var_options=variables, direct=kwargs)
        known = variables or {}
        if not known.get("province_apps"):
            raise AnsibleLookupError("query('applications', …) is for hosts that run applications.")
        placed = tuple(str(app["id"]) for app in known["province_apps"])
        tree = tree_of(str(known["inventory_file"]), placed)
        return [entry for term in terms for entry in tree[str(term)]]
