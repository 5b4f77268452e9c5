"""Inventory from an environment file: hosts, groups and facts of the plan. A shim over `province.hosts`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = r"""
name: province_register
short_description: Hosts of an environment, as planned from its register
description:
  - Reads C(inventories/<environment>/environment.yml), asks C(province.hosts) which hosts are built there,
    and gives each its groups and its facts, one variable C(province_<key>) for each. It has no rules of its
    own.
  - Strings that come from here are values; ansible-core never takes them for templates.
options:
  plugin:
    description: Says that the file is for this plugin.
    required: true
    choices: [province_register]
"""

REPOSITORY = Path(__file__).resolve().parents[2]


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc] # ansible-core has no types
    """The environment file as an inventory source."""

    NAME = "province_register"

    def verify_file(self, path: str) -> bool:
        """Only environment files; everything else in the directory is group_vars."""
        return bool(super().verify_file(path)) and Path(path).name == "environment.yml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Emit what the plan says, in native types."""
        super().parse(inventory, loader, path, cache)
        if str(REPOSITORY) not in sys.path:  # ansible-playbook is started from anywhere
            sys.path.insert(0, str(REPOSITORY))
        from province.hosts import built_hosts, load_environment, plan_for
        from province.ledger import state_dir
        from province.problems import ProblemsFoundError

        try:
            environment = load_environment(Path(path))
            hosts = built_hosts(environment, plan_for(environment))
        except ProblemsFoundError as error:
            sentences = "\n".join(f"  {problem}" for problem in error.problems)
            raise AnsibleParserError(f"The register or the plan has problems:\n{sentences}") from None
        if not hosts:
            raise AnsibleParserError(f"{path} builds no host at all; see its `members` and `units`.")
        for host in hosts:
            inventory.add_host(host.name)
            for group in host.groups:
                inventory.add_group(group)
                inventory.add_host(host.name, group=group)
            facts = host.facts()
            for key, value in facts.items():
                inventory.set_variable(host.name, f"province_{key}", value)
            config = state_dir(facts["environment"]) / "ssh" / "config"
            inventory.set_variable(host.name, "ansible_host", facts["management"]["address4"])
            inventory.set_variable(host.name, "ansible_user", "root")
            inventory.set_variable(host.name, "ansible_ssh_common_args", f"-F {shlex.quote(str(config))}")
