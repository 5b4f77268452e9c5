"""How far the replacement of a WireGuard key has come: what the plan's facts have to know of it.

The key ledger holds the key in use under the host's name, and the one to come beside it (`heir`). A tunnel
takes the new one while no traffic goes through it; the record says which tunnels have taken it, and which
one traffic is drawn off. It holds no secret, is written before what it says is done, and so is what a run
that was killed goes on from, and what `make up` and `make converge` keep to meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "rotation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One replacement under way; without `host` there is none.

    `host` has the key. `moved` are the hubs whose tunnels with it have the new one. Traffic is drawn off
    `drained`, a hub: off all of it where it is the host itself, otherwise off its tunnel to the host.
    """

    host: str = ""
    moved: tuple[str, ...] = ()
    drained: str = ""

    def key(self, host: str, hub: str) -> str:
        """The name, below `wireguard/`, of the key that a host has in its tunnels with a hub."""
        return heir(host) if host == self.host and hub in self.moved else host

    def draws_off(self, host: str, hub: str) -> bool:
        """Whether a host draws traffic off its tunnels with a hub; of a hub itself: off all of it."""
        return bool(self.host) and (self.host, self.drained) == (host, hub)


NONE = Rotation()


def heir(host: str) -> str:
    """The name of the key that follows a host's."""
    return f"{host}.next"


def read(state: Path) -> Rotation:
    """What is under way in an environment, by its state directory."""
    try:
        said = json.loads((state / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NONE
    return Rotation(host=said["host"], moved=tuple(said["moved"]), drained=said["drained"])


def write(state: Path, rotation: Rotation) -> None:
    """Note how far it is; the end of it removes the note."""
    from province.ledger import write_atomically  # cryptography, which those who only read do without

    if rotation.host:
        write_atomically(state / FILE, (json.dumps(asdict(rotation)) + "\n").encode(), 0o600)
    else:
        (state / FILE).unlink(missing_ok=True)
