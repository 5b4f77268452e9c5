"""Ansible's own managers on an inventory, in this process and with the repository's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.repository import ROOT


def configured() -> None:
    """Import Ansible, which reads its configuration then; one that it has read already stays."""
    with mock.patch.dict(os.environ, {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}):
        import ansible.constants

    import ansible.inventory.manager
    import ansible.vars.manager  # noqa: F401 - whoever measures must not wait for it


class Managed:
    """An inventory as a play has it."""

    def __init__(self, *sources: Path) -> None:
        configured()
        from ansible.inventory.manager import InventoryManager
        from ansible.parsing.dataloader import DataLoader
        from ansible.vars.manager import VariableManager

        self.loader = DataLoader()
        self.inventory: Any = InventoryManager(
            loader=self.loader, sources=[str(source) for source in sources]
        )
        self._variables: Any = VariableManager(loader=self.loader, inventory=self.inventory)

    def names(self) -> list[str]:
        """All hosts."""
        return list(self.inventory.hosts)

    def variables(self, host: str) -> Mapping[str, Any]:
        """What a play sees of a host, not rendered."""
        found: Mapping[str, Any] = self._variables.get_vars(
            host=self.inventory.get_host(host), include_hostvars=False
        )
        return found

    def facts(self, host: str) -> dict[str, Any]:
        """Variables `province_<key>` by key."""
        told = self.variables(host)
        return {key.removeprefix("province_"): told[key] for key in told if key.startswith("province_")}

    def rendered(self, host: str, text: str) -> Any:
        """What a template of ours becomes on a host."""
        from ansible.template import Templar, trust_as_template

        return Templar(loader=self.loader, variables=dict(self.variables(host))).template(
            trust_as_template(text)
        )
