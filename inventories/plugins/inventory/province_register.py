"""Inventory from an environment file: hosts of the plan and their groups. A shim over `province.hosts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = r"""
name: province_register
short_description: Hosts of an environment, as planned from its register
description:
  - Reads C(inventories/<environment>/environment.yml), asks C(province.hosts) which hosts are built there,
    and adds each with its groups. It has no rules of its own.
  - What a host is told comes from the vars plugin C(province_facts) when it is asked for; this plugin refuses
    to work without that one.
options:
  plugin:
    description: Says that the file is for this plugin.
    required: true
    choices: [province_register]
"""

REPOSITORY = Path(__file__).resolve().parents[3]
FACTS = REPOSITORY / "inventories/plugins/vars/province_facts.py"


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc] # ansible-core has no types
    """The environment file as an inventory source."""

    NAME = "province_register"

    def verify_file(self, path: str) -> bool:
        """Only environment files; everything else in the directory is group_vars."""
        return bool(super().verify_file(path)) and Path(path).name == "environment.yml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add what the plan says is built."""
        super().parse(inventory, loader, path, cache)
        folders = {Path(folder).resolve() for folder in constants.DEFAULT_VARS_PLUGIN_PATH}
        if FACTS.parent not in folders or FACTS.stem not in constants.VARIABLE_PLUGINS_ENABLED:
            raise AnsibleParserError(
                "The vars plugin province_facts is not enabled, so that hosts would be told nothing: use the "
                "repository's ansible.cfg (`vars_plugins`, `vars_plugins_enabled`)."
            )
        if str(REPOSITORY) not in sys.path:  # ansible-playbook is started from anywhere
            sys.path.insert(0, str(REPOSITORY))
        from province.hosts import Estate
        from province.problems import ProblemsFoundError

        try:
            hosts = Estate.read(str(path)).hosts
        except ProblemsFoundError as error:
            sentences = "\n".join(f"  {problem}" for problem in error.problems)
            raise AnsibleParserError(f"The register or the plan has problems:\n{sentences}") from None
        if not hosts:
            raise AnsibleParserError(f"{path} builds no host at all; see its `members` and `units`.")
        for group in dict.fromkeys(group for host in hosts.values() for group in host.groups):
            inventory.add_group(group)
        for name, host in hosts.items():
            for group in host.groups:
                inventory.add_host(name, group=group)
