"""What the hosts of an environment are told, when somebody asks. A shim over `province.hosts`."""

from __future__ import annotations

from typing import Any

from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = r"""
name: province_facts
short_description: Facts of the hosts that the inventory plugin province_register added
description:
  - Gives a host one variable C(province_<key>) for each of its facts, and how it is reached. They are made
    when they are first asked for and kept in the process.
  - Strings that come from here are values; ansible-core never takes them for templates.
"""


class VarsModule(BaseVarsPlugin):  # type: ignore[misc] # ansible-core has no types
    """Variables of hosts that an environment file brought in; nothing for groups and other hosts."""

    REQUIRES_ENABLED = True
    is_stateless = True  # one instance for all calls; what is kept is kept by `province.hosts`

    def get_vars(self, loader: Any, path: str, entities: Any) -> dict[str, Any]:
        """The same from every path: a host belongs to the file that it comes from."""
        del loader, path
        made: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            file = str(entity.vars.get("inventory_file")) if isinstance(entity, Host) else ""
            if not file.endswith("/environment.yml"):
                continue
            from province.hosts import Estate  # importable: the inventory plugin has read the file

            estate = Estate.known(file)
            if estate is not None:
                made |= estate.variables(entity.name)
        return made
