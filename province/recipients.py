"""`province recipients`: who can open the key ledger of an environment, and how a controller is built again.

One person alone is not enough: an identity that is lost with its machine would take every key of the province
along. So the ledger is encrypted for at least three, each of whom opens all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from province.ledger import AT_LEAST, Ledger, make_identity, state_dir
from province.run.session import run_session

if TYPE_CHECKING:
    from province.run.progress import Progress

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(subparsers: Subparsers) -> None:
    """Add `province recipients`."""
    recipients = subparsers.add_parser(
        "recipients", help="who opens the key ledger: list, add, remove; copies"
    )
    actions = recipients.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=words)
        made.add_argument("environment", help="environment, a folder of inventories/")
        made.set_defaults(run=run)
        return made

    action("list", _list, f"who they are; fails where there are fewer than {AT_LEAST}")
    added = action("add", _add, "let one more person open it: everything is encrypted again")
    added.add_argument("key", help="the recipient, age1…, as `identity` shows it on that person's machine")
    added.add_argument("--who", default="", help="whose it is")
    removed = action("remove", _remove, "let a person open it no longer: everything is encrypted again")
    removed.add_argument("who", help="who, or the recipient, as listed")
    action("identity", _identity, "this machine's recipient, age1…; makes its identity if there is none")
    saved = action("save", _save, "write a copy of the ledger: ciphertext and public halves")
    saved.add_argument("file", type=Path)
    restored = action("restore", _restore, "put a copy in place on a controller that has none")
    restored.add_argument("file", type=Path)


def state_of(ledger: Ledger) -> list[str]:
    """What is not as it should be of who can open a ledger; nothing if all is well."""
    wrong = []
    if (number := len(ledger.recipients)) < AT_LEAST:
        wrong.append(f"{number} of at least {AT_LEAST} recipients: add others (docs/runbooks/recipients.md)")
    if others := ledger.sealed_otherwise():
        wrong.append(
            f"encrypted for another number of recipients than are listed: {', '.join(others)}; "
            "repeat the command that was interrupted"
        )
    return wrong


def _list(arguments: argparse.Namespace) -> int:
    ledger = Ledger.open(state_dir(arguments.environment))
    for person in ledger.people:
        here = "  (opened here)" if person.key == ledger.own else ""
        sys.stdout.write(f"{person.key}  {person.who}{here}\n")
    wrong = state_of(ledger)
    for sentence in wrong or [f"Each of them opens all {len(ledger.entries())} entries."]:
        sys.stdout.write(f"{sentence}\n")
    return 1 if wrong else 0


def _add(arguments: argparse.Namespace) -> int:
    def work(ledger: Ledger, progress: Progress) -> None:
        ledger.add_recipient(arguments.key, arguments.who)
        progress.say(f"{arguments.who.strip()} opens all {len(ledger.entries())} entries.")

    return _changed(arguments.environment, f"add {arguments.key}", work)


def _remove(arguments: argparse.Namespace) -> int:
    def work(ledger: Ledger, progress: Progress) -> None:
        gone = ledger.remove_recipient(arguments.who)
        progress.say(f"{gone.who} opens nothing that is encrypted from now on.")
        progress.say(
            "What they have read, or have a copy of, they still know: give new keys to what matters."
        )

    return _changed(arguments.environment, f"remove {arguments.who!r}", work)


def _identity(arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"{make_identity(state_dir(arguments.environment) / 'identity.txt')}\n")
    return 0


def _save(arguments: argparse.Namespace) -> int:
    ledger = Ledger.open(state_dir(arguments.environment))
    ledger.copy_to(arguments.file)
    sys.stdout.write(
        f"{arguments.file}: {len(ledger.entries())} entries, which {len(ledger.recipients)} open.\n"
    )
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    state = state_dir(arguments.environment)

    def work(progress: Progress) -> int:
        entries = Ledger.restore(state, arguments.file).entries()
        progress.say(f"{len(entries)} entries, all opened by this machine's identity. Next: make up")
        return 0

    return run_session(f"province recipients restore {arguments.environment}", work, state=state)


def _changed(environment: str, words: str, work: Callable[[Ledger, Progress], None]) -> int:
    state = state_dir(environment)

    def run(progress: Progress) -> int:
        work(Ledger.open(state), progress)
        return 0

    return run_session(f"province recipients {words}", run, state=state)
