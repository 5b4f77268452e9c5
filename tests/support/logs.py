"""What the central store of logs has, for checks of the living lab."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from province.logs import command, lines
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.places import batch, machine

ROLE = "log_forwarder"


def senders() -> tuple[str, ...]:
    """Built hosts that send their logs; never none."""
    names = tuple(host.name for host in environment.built() if ROLE in host.planned.roles)
    assert len(names) > 1, "nobody sends logs: these checks would pass by absence"
    return names


def store() -> str:
    """The host that keeps them."""
    return environment.only("log")


def kept(match: str, hosts: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Today's lines that match, as they lie in the store: those that came twice, twice."""
    asked = f"{command(hosts)} | grep -E -- {shlex.quote(match)} || true"
    said = batch(machine(store()), {"kept": asked}, timeout=60)["kept"].checked()
    return [record for line in said.splitlines() for record in lines(line)]


def all_kept(wanted: Mapping[str, set[str]], match: str, within: float) -> list[dict[str, Any]]:
    """Wait until the store has every text of every host; return all that matched."""

    def there() -> list[dict[str, Any]]:
        found = kept(match)
        had: dict[str, set[str]] = {}
        for record in found:
            had.setdefault(record["host"], set()).add(record["text"])
        missing = {host: sorted(texts - had.get(host, set()))[:3] for host, texts in wanted.items()}
        assert not any(missing.values()), {host: texts for host, texts in missing.items() if texts}
        return found

    return eventually(there, within, every=1)
