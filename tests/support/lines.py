"""The line of a unit, cut where nobody of the province can do anything about it: at the carrier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import environment
from tests.support.places import batch, machine

TABLE = "survival_cut"


def line_of(gateway: str) -> str:
    """The carrier's interface to which the line of a unit's gateway leads."""
    wan = next(i for i in environment.planned(gateway).interfaces if i.zone == "border")
    carrier = environment.planned(environment.only("carrier"))
    return next(i.name for i in carrier.interfaces if i.segment == wan.segment)


@contextmanager
def cut(gateway: str) -> Iterator[None]:
    """The carrier drops whatever comes from a gateway and goes to it; the gateway's own link stays up."""
    carrier, line = machine(environment.only("carrier")), line_of(gateway)
    chains = "; ".join(
        f'chain {hook} {{ type filter hook {hook} priority -200; {word} "{line}" drop; }}'
        for hook, word in (("prerouting", "iifname"), ("postrouting", "oifname"))
    )
    mend = f"nft delete table inet {TABLE}"
    batch(carrier, {"mend": f"{mend} 2>/dev/null; true"})
    batch(carrier, {"cut": f"nft 'table inet {TABLE} {{ {chains}; }}'"})["cut"].checked()
    try:
        yield
    finally:
        batch(carrier, {"mend": mend})["mend"].checked()
