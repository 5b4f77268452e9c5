"""What of a host's facts is about choosing between the hubs of a sphere."""

from __future__ import annotations

from typing import Any

PREFERRED, OTHER, LAST = 200, 100, 50  # local preference
# Where there is nothing to choose.
PLAIN: dict[str, Any] = {
    "preference": OTHER,
    "prepend": 0,
    "source": "",
    "next_hop": "",
}

# Times that a gateway's AS number is repeated to a hub that it does not prefer, or draws traffic off.
LONGER, LONGEST = 2, 4


def choice(preferred: bool, drained: bool = False) -> dict[str, Any]:
    """What a gateway does so that both directions take the hub it prefers, or one that is not drained."""
    if drained:
        return {**PLAIN, "preference": LAST, "prepend": LONGEST}
    if preferred:
        return {**PLAIN, "preference": PREFERRED}
    return {**PLAIN, "prepend": LONGER}
