"""The commands `province unit …`: the life of units, as small changes of a register's files.

A change is made on the records, written into the texts of the files, read again from a copy, checked and
planned like any register; only then is anything of the register touched. Files take each other's place by
renaming, each whole. Where more than one changes, their new forms wait in `units/.unfinished`, which
`province check` refuses: a run that is stopped in between leaves the old register, the new one, or one that
says that it is unfinished.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import fcntl
import io
import json
import os
import shutil
import sys
import tempfile
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from province.new import slug
from province.plan.model import Plan
from province.problems import Problem, ProblemsFoundError
from province.reading.difference import Difference, State, compare
from province.reading.difference import as_json as difference_json
from province.reading.screen import lines_of
from province.register.document import read_document
from province.register.edit import CannotEditError, edited
from province.register.life import GIVERS, ORDER, Life, Wish, held
from province.register.model import CLOSED, Register
from province.sources import Sources, called, load_sources, tree_of

UNFINISHED, DRAFT = ".unfinished", ".change"
Change = Callable[[Life, argparse.Namespace], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A change that is ready: new texts by path, and what they mean."""

    texts: Mapping[Path, str]
    before: Mapping[Path, bytes | None]
    difference: Difference
    register: Register


def prepare(register: Path, command: str, today: str, change: Callable[[Life], str]) -> Made | str:
    """Make a change of a register's files in memory; a word when there is nothing to change.

    `command` is what messages call the place of an argument, `today` the day of what names none. Raises
    ProblemsFoundError: of the register as it is, of the change (UNT-nnn), or of the register as it would be.
    Writes nothing.
    """
    units = register / "units"
    if any((units / UNFINISHED).glob("*")):
        raise _unfinished(units / UNFINISHED)
    before = load_sources(register)
    paths = {path.name: path for path in sorted(units.glob("*.yml"))}
    raw: dict[Path, bytes | None] = {path: path.read_bytes() for path in paths.values()}
    documents = {name: read_document(path, called(path), "REG") for name, path in paths.items()}
    life = Life(before.register, documents, before.catalogue, slug, command, today)
    done = change(life)
    if done:
        return done
    texts: dict[Path, str] = {}
    for name, records in life.files.items():
        path = paths.get(name, units / name)
        if name not in documents:
            raw[path] = None
            texts[path] = _edited("units: []\n", {"units": []}, records, path)
        elif records != documents[name].data["units"]:
            text = (raw[path] or b"").decode()
            texts[path] = _edited(text, documents[name].data, records, path)
    if not texts:
        return "the register says so already"
    after = _checked(register, texts, {path: life.files[path.name] for path in texts}, before)
    return Made(
        texts=texts,
        before={path: raw[path] for path in texts},
        difference=compare(_state("the register", before, before.plan()), after),
        register=after.register,
    )


def _edited(text: str, before: Mapping[str, Any], records: list[Any], path: Path) -> str:
    try:
        return edited(text, before, {"units": records}, ORDER)
    except CannotEditError as error:
        raise _stop(
            "041",
            path,
            f"{error.words}, written in a way that the command cannot change without touching more",
            "a field a line, or `field: value` between braces",
            "Write it so, or make the change by hand.",
            error.line,
        ) from None


def _checked(
    register: Path, texts: Mapping[Path, str], meant: Mapping[Path, list[Any]], before: Sources
) -> State:
    """Read the register as it would be, from a copy; every check and the plan are made on it."""
    directory = register.resolve()
    with tempfile.TemporaryDirectory(prefix="province-unit-") as folder:
        # In a tree of its own, with the catalogue and applications of the register's tree.
        inside = "inventories/registers" if directory.parent.name == "registers" else "register"
        draft = Path(folder).resolve() / inside / directory.name
        (draft / "units").mkdir(parents=True)
        shutil.copy(directory / "province.yml", draft)
        for path in (directory / "units").glob("*.yml"):
            shutil.copy(path, draft / "units")
        for path, text in texts.items():
            target = draft / "units" / path.name
            target.write_text(text, encoding="utf-8", newline="\n")
            found = read_document(target, called(path), "REG")
            if _plain(found.data) != _plain({"units": meant[path]}):
                raise _stop(
                    "042",
                    path,
                    "a new text that says something else than the change",
                    "a text that says the change and nothing more",
                    "Make the change by hand, and report the file.",
                    found.problems[0].line if found.problems else 0,
                )

        def name(path: Path) -> str:
            inner = path.resolve()
            return called(register / inner.relative_to(draft) if inner.is_relative_to(draft) else path)

        try:
            after = load_sources(draft, name, otherwise=before)
            plan = after.plan()
        except ProblemsFoundError as error:
            head = _problem(
                "040",
                register,
                "a change after which the register is no longer sound, as said below",
                "a sound register after every change",
                "Nothing was written: change the command, or the register first.",
            )
            raise ProblemsFoundError((head, *error.problems)) from None
        return _state("with the change", after, plan)


def _plain(value: Any) -> str:
    """Data as text, so that 1, true and "1" differ."""
    return json.dumps(value, sort_keys=True)


def _state(label: str, sources: Sources, plan: Plan) -> State:
    return State(
        label=label, plan=plan, register=sources.register, catalogue=sources.catalogue, apps=sources.apps
    )


# Writing


@contextmanager
def alone(register: Path) -> Iterator[None]:
    """Be the only command that changes a register. Raises ProblemsFoundError (UNT-045)."""
    try:
        handle = os.open(register, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # loading it says what is wrong
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _stop(
                "045",
                register,
                "another `province unit` at work on it",
                "one change at a time",
                "Wait for it, then give the command again.",
            ) from None
        # Of a run that was stopped; nobody else is at work now.
        shutil.rmtree(register / DRAFT, ignore_errors=True)
        with suppress(OSError):  # not there, or not empty: then the change is not finished
            (register / "units" / UNFINISHED).rmdir()
        yield
    finally:
        os.close(handle)


def write(register: Path, made: Made) -> None:
    """Put new texts in the place of the old, all or none. Raises ProblemsFoundError (UNT-044).

    Whoever stops this process leaves the old register, the new one, or `units/.unfinished`, with which a
    register is refused by `province check` and by every command of this module.
    """
    # By the names of the files; what a link names is changed, not the link.
    targets = {path.name: path.resolve() for path in made.texts}
    draft, unfinished = register / DRAFT, register / "units" / UNFINISHED
    done: dict[Path, bytes | None] = {}
    try:
        for path, raw in made.before.items():
            if (path.read_bytes() if path.exists() else None) != raw:
                raise _stop(
                    "044",
                    path,
                    "a file that was changed meanwhile",
                    "the file as it was read",
                    "Look at it, then give the command again.",
                )
        draft.mkdir()
        for path, text in made.texts.items():
            _write(draft / path.name, text.encode(), path)
        waiting = draft
        if len(targets) > 1:
            _sync(draft)
            waiting = draft.rename(unfinished)
            _sync(unfinished.parent)
        try:
            for path in made.texts:
                (waiting / path.name).replace(targets[path.name])
                done[path] = made.before[path]
        except BaseException:
            for path, before in done.items():
                _back(waiting / path.name, targets[path.name], before)
            shutil.rmtree(waiting, ignore_errors=True)
            raise
        for folder in {path.parent for path in targets.values()}:
            _sync(folder)
        waiting.rmdir()
    except OSError as error:
        raise _stop(
            "044",
            Path(error.filename or register),
            f"no way to write ({(error.strerror or 'error').lower()})",
            "files and folders that can be written",
            "Correct the permissions or make room; nothing has changed.",
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, raw: bytes, like: Path) -> None:
    with path.open("xb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    if like.exists():
        shutil.copymode(like, path)


def _back(draft: Path, path: Path, raw: bytes | None) -> None:
    if raw is None:
        path.unlink()
    else:
        _write(draft, raw, path)
        draft.replace(path)


def _sync(folder: Path) -> None:
    """Let the names in a folder outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unfinished(folder: Path) -> ProblemsFoundError:
    left = sorted(path.name for path in folder.glob("*"))
    return _stop(
        "043",
        folder,
        f"a change that was stopped before its last file ({', '.join(left) or 'none'} left)",
        "a register without one",
        "Move its files into units/ and remove the folder: that finishes the change, which was checked. "
        "Or remove the folder and take units/ back from git.",
    )


def _problem(code: str, place: Path, found: str, wanted: str, remedy: str, line: int = 0) -> Problem:
    return Problem(
        code=f"UNT-{code}", file=called(place), line=line, path="", found=found, wanted=wanted, remedy=remedy
    )


def _stop(code: str, place: Path, found: str, wanted: str, remedy: str, line: int = 0) -> ProblemsFoundError:
    return ProblemsFoundError((_problem(code, place, found, wanted, remedy, line),))


# Commands


def add_commands(subparsers: Any) -> None:
    """Add `province unit …`."""
    unit = subparsers.add_parser(
        "unit",
        help="add, close, move, merge, split, rename units; what is to be given back",
        description="The life of units. Nobody else's address moves, whatever happens to a unit.",
    )
    commands = unit.add_subparsers(dest="unit_command", required=True, metavar="COMMAND")
    add = _command(commands, "add", "add a unit; what is not said is as its siblings have it", _add)
    add.add_argument("--kind", required=True, help="its kind, from catalogue/kinds.yml")
    add.add_argument("--name", required=True, help="its name in Vietnamese, with its kind: 'Xã Mường Nhé'")
    _new_unit(add)
    close = _command(commands, "close", "close a unit for good; its block and its codes stay its own", _close)
    _units(close)
    _date(close)
    move = _command(commands, "move", "put a unit below another; no address changes", _move)
    _units(move)
    _below(move, required=True)
    rename = _command(
        commands, "rename", "give a unit another name; the old one lives on as an alias", _rename
    )
    _units(rename)
    rename.add_argument("--name", required=True, help="its new name")
    rename.add_argument("--code", default="", help="its new official code, where that changes with the name")
    _date(rename)
    merge = _command(commands, "merge", "make several units one; the others are closed", _merge)
    _units(merge, several=True)
    merge.add_argument("--into", default="", metavar="ID", help="the unit they become; with --new its new id")
    merge.add_argument(
        "--new", action="store_true", help="they become a new unit: with --name and its other fields"
    )
    merge.add_argument("--name", default="", help="the new unit's name")
    merge.add_argument("--kind", default="", help="the new unit's kind (default: theirs)")
    _new_unit(merge)
    _date(merge)
    split = _command(commands, "split", "make several units of one", _split)
    _units(split)
    split.add_argument(
        "--into",
        nargs="+",
        required=True,
        metavar="NAME=CODE",
        help="the new units; without =CODE the province gives one",
    )
    split.add_argument("--keep", action="store_true", help="the unit stays, smaller than it was")
    split.add_argument(
        "--heir", default="", help="name of the new unit that takes its name's place and what stood below it"
    )
    _date(split)
    returned = _command(
        commands, "returned", "note that what others assigned to a closed unit is given back", _given
    )
    _units(returned)
    _date(returned)
    returns = commands.add_parser(
        "returns", help="what closed units hold that others assigned, to be given back"
    )
    returns.add_argument("register", type=Path, help="folder of a register")
    returns.add_argument("--format", choices=("text", "json", "csv"), default="text")
    returns.set_defaults(run=_returns)


def _command(commands: Any, name: str, words: str, change: Change) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.add_argument("register", type=Path, help="folder of a register")
    parser.add_argument("--dry-run", action="store_true", help="show the change, and write nothing")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_run, change=change)
    return parser


def _units(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    if several:
        parser.add_argument("units", nargs="+", metavar="UNIT", help="ids of units")
    else:
        parser.add_argument("unit", metavar="UNIT", help="id of the unit")


def _date(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--date", default="", metavar="YYYY-MM-DD", help="the day of it (default: today)")


def _below(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--parent", metavar="ID", help="the unit above")
    group.add_argument("--under-province", action="store_true", help="directly below the province")


def _new_unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--code", default="", help="its official code")
    parser.add_argument("--id", default="", help="its id for ever (default: made from the name)")
    _below(parser)
    parser.add_argument("--access", default="", help="kind of its line")
    parser.add_argument("--mbps", type=int, default=0, help="contracted rate of its line")
    parser.add_argument("--services", help="services it takes, joined by commas")
    parser.add_argument("--wave", type=int, help="when it is rolled out")
    parser.add_argument("--level", type=int, help="security level of its own systems")
    parser.add_argument("--level-basis", default="", help="why that level")
    parser.add_argument("--assigned4", default="", help="its IPv4 block, where one is given from outside")
    parser.add_argument("--assigned6", default="", help="its IPv6 block, where one is given from outside")


def _add(life: Life, arguments: argparse.Namespace) -> str:
    life.add(_wish(arguments))
    return ""


def _close(life: Life, arguments: argparse.Namespace) -> str:
    return life.close(arguments.unit, arguments.date)


def _move(life: Life, arguments: argparse.Namespace) -> str:
    return life.move(arguments.unit, arguments.parent or "")


def _rename(life: Life, arguments: argparse.Namespace) -> str:
    return life.rename(arguments.unit, _nfc(arguments.name), arguments.code, arguments.date)


def _merge(life: Life, arguments: argparse.Namespace) -> str:
    new = _wish(arguments) if arguments.new else None
    if (new is None and not arguments.into) or bool(new) != bool(arguments.name):
        raise ProblemsFoundError(
            (
                Problem(
                    code="UNT-030",
                    file=life.command,
                    line=0,
                    path="--into",
                    found="no unit that they become" if not arguments.into else "half of a new unit",
                    wanted="--into with a unit of the register, or --new with --name",
                    remedy="Say which unit they become.",
                ),
            )
        )
    return life.merge(arguments.units, arguments.into, new, arguments.date)


def _split(life: Life, arguments: argparse.Namespace) -> str:
    parts = [(_nfc(name), code) for name, _, code in (part.partition("=") for part in arguments.into)]
    heir = _nfc(arguments.heir)
    return life.split(arguments.unit, parts, arguments.keep, heir, arguments.date)


def _given(life: Life, arguments: argparse.Namespace) -> str:
    return life.returned(arguments.unit, arguments.date)


def _wish(arguments: argparse.Namespace) -> Wish:
    services = arguments.services
    return Wish(
        kind=arguments.kind,
        name=_nfc(arguments.name),
        code=arguments.code,
        parent="" if arguments.under_province else arguments.parent,
        id=arguments.id,
        access=arguments.access,
        mbps=arguments.mbps,
        services=None if services is None else tuple(part for part in services.split(",") if part),
        wave=arguments.wave,
        level=arguments.level,
        level_basis=_nfc(arguments.level_basis),
        assigned4=arguments.assigned4,
        assigned6=arguments.assigned6,
    )


def _nfc(text: str) -> str:
    """As the register wants names: some keyboards and file names give decomposed letters."""
    return unicodedata.normalize("NFC", text)


def _run(arguments: argparse.Namespace) -> int:
    register: Path = arguments.register

    def made_now() -> Made | str:
        return prepare(
            register,
            f"province unit {arguments.unit_command}",
            date.today().isoformat(),
            lambda life: str(arguments.change(life, arguments)),
        )

    if arguments.dry_run:
        made = made_now()
    else:
        with alone(register):
            made = made_now()
            if not isinstance(made, str):
                write(register, made)
    if arguments.format == "json":
        _print(json.dumps(_as_json(made, arguments.dry_run), ensure_ascii=False, indent=2))
    elif isinstance(made, str):
        _print(f"Nothing to change: {made}.")
    else:
        _print("\n".join(_lines(made, arguments)))
    return 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _as_json(made: Made | str, dry: bool) -> dict[str, Any]:
    if isinstance(made, str):
        return {"written": False, "reason": made, "files": [], "diff": "", "plan": None}
    return {
        "written": not dry,
        "files": [called(path) for path in made.texts],
        "diff": "".join(_diff(made)),
        "plan": difference_json(made.difference),
    }


def _diff(made: Made) -> Iterator[str]:
    """The change as `git diff` shows it."""
    for path, text in made.texts.items():
        name, raw = called(path), made.before[path]
        old, new = (raw or b"").decode().splitlines(keepends=True), text.splitlines(keepends=True)
        yield f"--- {'/dev/null' if raw is None else f'a/{name}'}\n+++ b/{name}\n"
        for group in _Lines(old, new).get_grouped_opcodes(3):
            first, last = group[0], group[-1]
            yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
            for tag, i1, i2, j1, j2 in group:
                lines = [("-", line) for line in old[i1:i2]] + [("+", line) for line in new[j1:j2]]
                for sign, line in [(" ", line) for line in old[i1:i2]] if tag == "equal" else lines:
                    yield f"{sign}{line}" + ("" if line[-1:] == "\n" else "\n\\ No newline at end of file\n")


def _range(start: int, end: int) -> str:
    """Lines as the head of a hunk names them."""
    number = end - start
    return f"{start + 1}" if number == 1 else f"{start + 1 if number else start},{number}"


class _Lines(difflib.SequenceMatcher[str]):
    """What differs between two texts, told between the lines that both have once.

    Most lines of a register stand in it thousands of times, and the fields of a unit belong between the lines
    that are the unit's own: its id, its code, its name.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, "", "")
        self.old, self.new = old, new

    def get_opcodes(self) -> list[Any]:
        """As of `SequenceMatcher`."""
        found: list[Any] = []
        i = j = 0
        for k, m in [*self._anchors(), (len(self.old), len(self.new))]:
            between = difflib.SequenceMatcher(None, self.old[i:k], self.new[j:m], autojunk=False)
            same = [("equal", k, k + 1, m, m + 1)] if k < len(self.old) else []
            inner = [(tag, i + a, i + b, j + c, j + d) for tag, a, b, c, d in between.get_opcodes()]
            for tag, a, b, c, d in [*inner, *same]:
                if tag == "equal" and found and found[-1][0] == tag:
                    a, c = found.pop()[1::2]
                found.append((tag, a, b, c, d))
            i, j = k + 1, m + 1
        return found

    def _anchors(self) -> list[tuple[int, int]]:
        """Lines that stand once in each text, as many as keep their order."""
        seen, place = Counter(self.old), {line: number for number, line in enumerate(self.new)}
        once = {line for line, number in Counter(self.new).items() if number == 1}
        pairs = [(i, place[line]) for i, line in enumerate(self.old) if seen[line] == 1 and line in once]
        ends: list[int] = []  # the least last place of a run of each length
        runs: list[tuple[int, int]] = []
        for _, j in pairs:
            length = bisect_left(ends, j)
            ends[length : length + 1] = [j]
            runs.append((length, len(runs)))
        chosen, wanted = [], len(ends) - 1
        limit = len(self.new)
        for length, number in reversed(runs):
            if length == wanted and pairs[number][1] < limit:
                chosen.append(pairs[number])
                limit, wanted = pairs[number][1], wanted - 1
        return chosen[::-1]


def _lines(made: Made, arguments: argparse.Namespace) -> Iterable[str]:
    if arguments.dry_run:
        yield from "".join(_diff(made)).splitlines()
        yield ""
    else:
        for path, text in made.texts.items():
            yield f"{called(path)}: {_counts((made.before[path] or b'').decode(), text)}"
        yield ""
    yield from lines_of(made.difference)
    yield ""
    yield from _notes(made, arguments.register)
    if arguments.dry_run:
        yield "Nothing was written."
    else:
        yield f"Next: git diff {called(arguments.register)}; git commit; make up"


def _counts(before: str, after: str) -> str:
    codes = [
        code for code in _Lines(before.splitlines(), after.splitlines()).get_opcodes() if code[0] != "equal"
    ]
    new, gone = sum(code[4] - code[3] for code in codes), sum(code[2] - code[1] for code in codes)
    return f"+{new} -{gone} lines"


def _notes(made: Made, register: Path) -> Iterator[str]:
    """What else names a unit that is closed: the environments that build it."""
    closed = {unit.id for unit in made.register.units if unit.state == CLOSED}
    for path in sorted(tree_of(register.resolve()).glob("inventories/*/environment.yml")):
        data = read_document(path, called(path), "ENV").data
        if isinstance(data, dict) and data.get("register") == made.register.id:
            built = data.get("units")
            for unit in built if isinstance(built, list) else ():
                if unit in closed:
                    yield f"Note: {called(path)} builds {unit}, which is closed: take it out there, too."


# The report of what is to be given back


def _returns(arguments: argparse.Namespace) -> int:
    register = load_sources(arguments.register).register
    found = held(register)
    if arguments.format == "json":
        rows = [asdict(item) | {"assigned_by": GIVERS[item.what][1][1]} for item in found]
        _print(json.dumps({"province": register.id, "to_return": rows}, ensure_ascii=False, indent=2))
    elif arguments.format == "csv":
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(
            ["unit", "name", "closed", "successors", "what", "value", "assigned_by_vi", "assigned_by_en"]
        )
        for item in found:
            who = (item.unit, item.name, item.closed, " ".join(item.successors))
            writer.writerow([*who, item.what, item.value, *GIVERS[item.what][1]])
        sys.stdout.write(table.getvalue())
    elif not found:
        _print(f"{register.name}: không còn gì phải trả lại · nothing to give back.")
    else:
        _print(f"{register.name}: {len(found)} mục phải trả lại · {len(found)} to give back")
        last = ""
        for item in found:
            if item.unit != last:
                after = f" → {', '.join(item.successors)}" if item.successors else ""
                _print(f"\n{item.name} ({item.unit}), đóng ngày · closed on {item.closed}{after}")
                last = item.unit
            (what_vi, what_en), (giver_vi, giver_en) = GIVERS[item.what]
            _print(f"  {item.value}")
            _print(f"    {what_vi} · {what_en}")
            _print(f"    trả cho: {giver_vi} · to: {giver_en}")
        _print("\nKhi đã trả · when done: province unit returned REGISTER UNIT --date YYYY-MM-DD")
    return 0
