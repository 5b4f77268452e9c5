"""What of a host's facts is about choosing between the hubs of a sphere."""

from __future__ import annotations

from typing import Any

PREFERRED, OTHER = 200, 100  # local preference
# Where there is nothing to choose.
PLAIN: dict[str, Any] = {
    "preference": OTHER,
    "prepend": 0,
    "source": "",
    "next_hop": "",
    "drained": False,
}
LONGER = 2  # times that a gateway's AS number is repeated to a hub that it does not prefer


def choice(preferred: bool) -> dict[str, Any]:
    """What a gateway does so that both directions take the hub that it prefers."""
    if preferred:
        return {**PLAIN, "preference": PREFERRED}
    return {**PLAIN, "prepend": LONGER}
