"""Answer commands as the shell does, those that checks ask most without a process for each.

Runs on a host under test, standard library only. Standard input: lines of JSON, a list of commands each.
Standard output: for each line one of JSON, `[[rc, out, err], …]`; at the end of input how many commands were
left to the shell.

Only what a check hopes for is answered here: a path that is there, a unit at work, a package that is
installed. All else is run by the shell as it stands, so that every refusal is the command's own word.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SECONDS = 20  # for a command
PATH = r"(/[\w@%+=:,./-]*)"  # what needs no quotes
Answer = tuple[int, str, str]


def tested(letter: str, path: str) -> str | None:
    """`test -e` and its like."""
    looks: dict[str, Callable[[str], bool]] = {
        "e": os.path.exists,
        "f": os.path.isfile,
        "d": os.path.isdir,
        "L": os.path.islink,
    }
    return "" if looks[letter](path) else None


def stated(letter: str, path: str) -> str | None:
    """`stat -Lc`; nothing where the shell has more to say."""
    try:
        found = Path(path).stat()
        values: dict[str, Callable[[], Any]] = {
            "a": lambda: format(stat.S_IMODE(found.st_mode), "o"),
            "u": lambda: found.st_uid,
            "g": lambda: found.st_gid,
            "U": lambda: pwd.getpwuid(found.st_uid).pw_name,
            "G": lambda: grp.getgrgid(found.st_gid).gr_name,
            "s": lambda: found.st_size,
        }
        return f"{values[letter]()}\n"
    except (OSError, KeyError):
        return None


def summed(path: str) -> str | None:
    """`sha256sum`."""
    try:
        return f"{hashlib.sha256(Path(path).read_bytes()).hexdigest()}\n"
    except OSError:
        return None


def kernel(key: str) -> str | None:
    """`sysctl -n` of a value of one line."""
    try:
        value = Path("/proc/sys", *key.split(".")).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return value if re.fullmatch(r"[^\n]+\n", value) else None


ONE: tuple[tuple[str, Callable[..., str | None]], ...] = (
    (rf"test -([efdL]) {PATH}", tested),
    (rf"stat -Lc %([augUGs]) {PATH}", stated),
    (rf"sha256sum {PATH} \| cut -d ' ' -f 1", summed),
    (r"(?:/usr)?/sbin/sysctl -n ([a-z0-9_.]+)", kernel),
)


def said_by(argv: list[str]) -> list[str]:
    """Lines of a program."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    return done.stdout.decode(errors="replace").splitlines()


def settled(verb: str, word: str, names: list[str]) -> Iterable[str]:
    """Units of which systemctl says a word; it says one for each, or none of them is taken."""
    lines = said_by(["systemctl", verb, *names])
    if len(lines) != len(names):
        return []
    return [name for name, line in zip(names, lines, strict=True) if line == word]


def installed(names: list[str]) -> Iterable[str]:
    """Packages that are installed, in one architecture."""
    lines = said_by(["dpkg-query", "-f", "${Package} ${Status}\\n", "-W", *names])
    known = Counter(line.partition(" ")[0] for line in lines)
    there = {name for name in names if f"{name} install ok installed" in lines}
    return [name for name in there if known[name] == 1]


# Questions that one program answers for many names: which, who is asked, the answer where it is good.
MANY: tuple[tuple[str, Callable[[list[str]], Iterable[str]], str], ...] = (
    (r"systemctl is-active ([\w@.:-]+)", lambda names: settled("is-active", "active", names), "active\n"),
    (r"systemctl is-enabled ([\w@.:-]+)", lambda names: settled("is-enabled", "enabled", names), "enabled\n"),
    (r"dpkg-query -f '\$\{Status\}' -W ([a-z0-9][a-z0-9+.-]*)", installed, "install ok installed"),
)


def known(commands: Iterable[str]) -> dict[str, Answer]:
    """Answers to those commands that need no shell."""
    found: dict[str, Answer] = {}
    asked: list[dict[str, str]] = [{} for _ in MANY]
    for command in commands:
        for pattern, look in ONE:
            if match := re.fullmatch(pattern, command):
                said = look(*match.groups())
                if said is not None:
                    found[command] = (0, said, "")
        for (pattern, *_), names in zip(MANY, asked, strict=True):
            if match := re.fullmatch(pattern, command):
                names[match[1]] = command
    for (_, look_for, good), names in zip(MANY, asked, strict=True):
        if names:
            found.update({names[name]: (0, good, "") for name in look_for(list(names))})
    return found


def by_shell(command: str) -> Answer:
    """The command itself; one that hangs is ended."""
    try:
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace"), "time was up"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def answers(commands: list[str]) -> tuple[list[Answer], int]:
    """An answer for each, and how many of them the shell gave; eight at a time."""
    found: Mapping[str, Answer] = known(commands)
    left = [command for command in commands if command not in found]
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = {**found, **dict(zip(left, pool.map(by_shell, left), strict=True))}
    return [found[command] for command in commands], len(left)


def main() -> None:
    """Until nobody asks any more."""
    shell = 0
    for line in sys.stdin:
        said, left = answers(json.loads(line))
        shell += left
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps(shell) + "\n")


if __name__ == "__main__":
    main()
