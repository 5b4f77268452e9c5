"""Private halves of the key ledger, for group_vars. A shim over `province.ledger`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: ledger
short_description: Secrets of the environment's key ledger
description:
  - Decrypts entries of the ledger of the environment that the host belongs to (its C(province_environment)),
    with the operator's own identity. Used in group_vars, so that a secret is decrypted when a role asks
    for it and not before.
options:
  _terms:
    description: Names of entries, for example C(wireguard/hub-1).
    required: true
"""

REPOSITORY = Path(__file__).resolve().parents[3]


class LookupModule(LookupBase):  # type: ignore[misc] # ansible-core has no types
    """`lookup('ledger', name)`."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Decrypt each entry named; text without the final newline."""
        self.set_options(var_options=variables, direct=kwargs)
        if str(REPOSITORY) not in sys.path:
            sys.path.insert(0, str(REPOSITORY))
        from province.ledger import secret_for
        from province.problems import ProblemsFoundError

        environment = (variables or {}).get("province_environment")
        if not environment:
            raise AnsibleLookupError(
                "lookup('ledger', …) needs province_environment, which the inventory gives."
            )
        try:
            return [secret_for(str(environment), str(term)).rstrip("\n") for term in terms]
        except ProblemsFoundError as error:
            raise AnsibleLookupError(str(error)) from None
