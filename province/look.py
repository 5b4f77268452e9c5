"""What is to be done on hosts, asked in one round trip each, before anything is done.

What roles ask of a host is computed here (province/render, without Ansible); the host says what of it does
not hold, by the same code that would lay it down (the module managed_tree, in check mode). A converge then
goes to those hosts alone that have something to do: its cost follows the change, not the estate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from province.render.configurations import Tree
from province.sources import REPOSITORY

WORKERS = 8  # hosts that are asked at the same time; each costs the controller one ssh
SECONDS = 120  # for an answer: commands that know whether they are needed run here, too
MODULE = REPOSITORY / "playbooks/plugins/modules/managed_tree.py"
PROGRAM = REPOSITORY / "province/remote/look.py"
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=8")
Ask = Callable[[str, str], str]
# What a role asks of a host: `role`, `options` of its tree, `digests` of its files.
Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a host says: by role what would be changed there; `error` when it could not be asked."""

    host: str
    changes: Mapping[str, Sequence[str]]
    error: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is to be done."""
        return not self.changes and not self.error

    def words(self) -> list[str]:
        """A sentence for each thing that is to be done."""
        if self.error:
            return [f"{self.host} could not be looked at: {self.error}"]
        return [f"{self.host}, {role}: {said}" for role, listed in self.changes.items() for said in listed]


def look(asked: Mapping[str, Sequence[Request]], ask: Ask) -> list[Seen]:
    """Ask hosts, several at the same time: what is asked of each, by name, a request for each role.

    `ask` runs a Python program on a host and returns what it printed; it may raise OSError.
    """
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return list(pool.map(lambda name: _seen(name, program_text(asked[name]), ask), asked))


def program_text(requests: Iterable[Request]) -> str:
    """The program for a host: what is asked of it, the module's text, and what runs it."""
    request = {"trees": list(requests), "source": MODULE.read_text(encoding="utf-8")}
    packed = base64.b64encode(zlib.compress(json.dumps(request).encode())).decode()
    return f"{PROGRAM.read_text(encoding='utf-8')}\n\nmain({packed!r})\n"


def as_request(tree: Tree) -> Request:
    """A role's tree as the host is asked: of files no content, only its digest."""
    files = []
    for file in tree.files:
        said = json.loads(file.line)
        entry = {"dest": said["path"], **{key: said[key] for key in ("mode", "owner", "group")}}
        files.append({**entry, "sensitive": True})
    digests = [hashlib.sha256(file.content).hexdigest() for file in tree.files]
    return {"role": tree.role, "options": {**tree.options, "files": files}, "digests": digests}


def by_ssh(config: Path, within: float = SECONDS) -> Ask:
    """Asks hosts by the SSH configuration of an environment.

    Where there is no answer, or none within so many seconds, asking raises OSError or TimeoutExpired.
    """

    def ask(host: str, program: str) -> str:
        done = subprocess.run(  # noqa: S603 - ssh with our own config
            [*SSH, "-F", str(config), host, "/usr/bin/python3 -"],
            input=program,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise OSError(said[-1])
        return done.stdout

    return ask


def _seen(host: str, program: str, ask: Ask) -> Seen:
    try:
        return Seen(host=host, changes=json.loads(ask(host, program)))
    except subprocess.TimeoutExpired as error:
        return Seen(host=host, changes={}, error=f"no answer within {error.timeout:g} s")
    except (OSError, ValueError) as error:
        return Seen(host=host, changes={}, error=str(error))
