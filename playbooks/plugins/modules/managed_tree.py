#!/usr/bin/python
"""Lay down everything one role manages on a host, in one round trip."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import fnmatch
import grp
import hashlib
import json
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import syslog
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DOCUMENTATION = r"""
module: managed_tree
short_description: Lay down packages, users, files and units of one role in one round trip
description:
  - Says what must be true on a host for one role, and makes it true in one call to the host.
  - The controller renders all templates (an action plugin of the same name); the host stages the files in a
    temporary directory, lets each daemon's own checker look at them, and only when every check has passed
    moves them live, each by an atomic rename. When a check refuses, no file has changed.
  - A unit restarts because what it runs differs from what is on disk, never because a task reported a change.
    The hash of what a unit watches is kept with the invocation it was started as, in
    C(/run/province/units). A run that was interrupted between writing and restarting is healed by the
    next run.
  - The steps on the host, in order; packages, users, staging and checks, directories, files, links and
    removals, commands, daemon-reload, units in the order given.
options:
  packages:
    description: Debian packages that must be installed. Nothing is asked of the mirror when all are there.
      Services are not started by the installation itself, but by O(units) once their files are in place.
    type: list
    elements: str
    default: []
  users:
    description: Local users that must exist. They have no password.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user. A group of the same name comes with it.
        type: str
        required: true
      system:
        description: Whether the user is made in the range of system users.
        type: bool
        default: true
      home:
        description: Home directory, made only for users that are not system users.
        type: str
      shell:
        description: Login shell.
        type: str
        default: /usr/sbin/nologin
      groups:
        description: Groups the user is in besides its own; others are left alone.
        type: list
        elements: str
        default: []
      locked:
        description: Whether the password is locked. Keys and certificates still work.
        type: bool
        default: false
  directories:
    description: Directories that must exist.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: str
        required: true
      mode:
        description: Mode in octal digits.
        type: str
        default: "0755"
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      exclusive:
        description: Whether whatever below it is not named in this task is removed, so that a stale drop-in
          does not outlive its role.
        type: bool
        default: false
      keep:
        description: File name patterns that an exclusive directory does not remove.
        type: list
        elements: str
        default: []
  templates:
    description: Templates of the role, rendered on the controller.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path below the role's templates directory; it mirrors the target path.
        type: str
        required: true
      dest:
        description: Target path. The default is C(/) followed by O(templates[].src) without C(.j2). With
          O(templates[].each), C({key}) stands for that key of the item.
        type: str
      each:
        description: Render the template once for each of these, known as C(item) in the template.
        type: list
        elements: dict
      mode:
        description: Mode in octal digits.
        type: str
        default: "0644"
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      validate:
        description: Command that must succeed on the staged file, whose path stands for C(%s), and with
          C(each) a key of the item for C({key}). No shell.
        type: str
      sensitive:
        description: Whether the content must never be shown, neither as a difference nor in a log or message.
        type: bool
        default: false
  files:
    description: Files that are not rendered. Besides O(files[].content) the options are those of
      O(templates).
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path below the role's files directory, taken as it is, instead of O(files[].content).
        type: str
      dest:
        description: Target path, with C({key}) of the item when O(files[].each) is given. The default is C(/)
          followed by O(files[].src).
        type: str
      content:
        description: Text of the file. A list or a dictionary becomes JSON.
        type: raw
      each:
        description: One file for each of these; C(content) then names the item's key that holds the text.
        type: list
        elements: dict
      mode:
        description: Mode in octal digits.
        type: str
        default: "0644"
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      validate:
        description: Command that must succeed on the staged file, whose path stands for C(%s), and with
          C(each) a key of the item for C({key}). No shell.
        type: str
      sensitive:
        description: Whether the content must never be shown.
        type: bool
        default: false
  links:
    description: Symbolic links. A file in their place is replaced, a directory is not.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the link is.
        type: str
        required: true
      target:
        description: What it points to; need not exist.
        type: str
        required: true
  absent:
    description: Files and links that must not exist.
    type: list
    elements: str
    default: []
  validate:
    description: Commands that must succeed before any file goes live. C({tree}) stands for the root of the
      staged tree, which holds this task's files below their target paths. No shell. Run when any file
      differs.
    type: list
    elements: str
    default: []
  commands:
    description: Commands for the few things that are neither file nor unit, run when their files are in
      place. Each says how to know that it is not needed. No shell; run C(sh -c '...') where one is needed.
    type: list
    elements: dict
    default: []
    suboptions:
      command:
        description: The command.
        type: str
        required: true
      creates:
        description: Not run when this path exists.
        type: str
      unless:
        description: Not run when this command succeeds.
        type: str
  units:
    description: systemd units. A unit may be named twice, with other things to watch and another
      O(units[].on_change); when both have changed, the restart wins. All its entries stand in one task.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Full name, with its suffix.
        type: str
        required: true
      state:
        description: Whether it must run. Left alone when not given. A one-shot unit that does not remain
          counts as started once it has succeeded with the present files since boot.
        type: str
        choices: [started, stopped]
      enabled:
        description: Whether it starts at boot. Left alone when not given.
        type: bool
      masked:
        description: Whether it cannot be started at all.
        type: bool
        default: false
      watch:
        description: Files and directories (with all below them) whose content the unit read when it started.
          The unit's own unit file and drop-ins are always watched, and always mean a restart.
        type: list
        elements: str
        default: []
      on_change:
        description: What to do when something watched differs from what the unit has read. A unit that cannot
          reload is restarted.
        type: str
        choices: [restart, reload]
        default: restart
      confirm:
        description: Command that the controller runs on the host over a new connection after this unit was
          started or reloaded; for a unit that takes its change back unless somebody confirms in time. A run
          that does not get there leaves the taking back to the unit.
        type: str
  root:
    description: Where the tree is laid down, for tests of the module. Packages, users and units need C(/).
    type: str
    default: /
  payload:
    description: Set by the action plugin; contents of the files.
    type: str
  began:
    description: Set by the action plugin; when the run began that this belongs to, in nanoseconds since the
      epoch. A run that was killed on the controller may go on here for a while. Two never lay down at the
      same time, and one never after one that began later. 0 (a playbook run by hand) is never too late.
    type: int
    default: 0
author:
  - Province (@province)
"""

EXAMPLES = r"""
- name: Install and run the resolver as declared
  managed_tree:
    packages: [unbound]
    directories:
      - path: /etc/unbound/unbound.conf.d
        exclusive: true
    templates:
      - src: etc/unbound/unbound.conf.j2
        validate: unbound-checkconf %s
      - src: etc/unbound/zone.j2
        dest: /etc/unbound/unbound.conf.d/{name}.conf
        each: "{{ dns_resolver_stubs }}"
    units:
      - name: unbound.service
        state: started
        enabled: true
        watch: [/etc/unbound]
        on_change: reload
"""

RETURN = r"""
changes:
  description: What was changed (or would be, in check mode), in sentences.
  returned: always
  type: list
  elements: str
restarted:
  description: Units that were started or restarted.
  returned: always
  type: list
  elements: str
reloaded:
  description: Units that were reloaded.
  returned: always
  type: list
  elements: str
confirm:
  description: Commands that are to be run over a new connection; the action plugin does so.
  returned: always
  type: list
  elements: str
"""

# What exclusive may never be said of: one wrong word would empty the host.
NEVER_EXCLUSIVE = frozenset(
    {"", "bin", "boot", "dev", "etc", "home", "lib", "opt", "proc", "root", "run", "sbin"}
) | {
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "var/lib",
    "etc/ssh",
    "etc/systemd",
    "etc/systemd/system",
}
TURN = "/run/province/turn"
TURN_LIMIT = (
    1200  # seconds to wait for an earlier run that is still at work here: longer than a unit may start
)
TURN_PAUSE = 0.1  # seconds between looks
POLICY = "usr/sbin/policy-rc.d"
POLICY_TEXT = "#!/bin/sh\n# managed_tree: services start when their files are in place\nexit 101\n"
UNIT_FILE_DIRECTORIES = ("/etc/systemd/system/", "/etc/containers/systemd/", "/usr/local/lib/systemd/system/")
SHOWN = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,InvocationID,InactiveExitTimestampMonotonic,NeedDaemonReload,"
    "Type,RemainAfterExit,CanReload,Result,FragmentPath,DropInPaths,SourcePath"
)
DIFF_LIMIT = 100_000  # bytes of one file above which a difference is not worth reading
CLOCK_TICK = 0.02  # seconds that the time of a file lags behind, by the granularity of its clock
START_LIMIT = 1000  # seconds; a unit has its own limit, and one that builds an image takes minutes
OUTPUT_LINES = 15  # of a checker's or a unit's last words


class TreeError(Exception):
    """Why the host is not as the task says, in a sentence for the operator."""


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status and everything it said."""

    status: int
    output: str
    stdout: str

    def tail(self) -> str:
        """The last lines of what it said."""
        return (
            "\n".join(self.output.strip().splitlines()[-OUTPUT_LINES:])
            or f"exit status {self.status}, no output"
        )


def run(argv: Sequence[str], *, seconds: int = 300) -> Done:
    """Run a command without a shell; never raises."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive", SYSTEMD_PAGER="")
    environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    try:
        done = subprocess.run(  # noqa: S603 - the commands are the role's own words
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return Done(127, f"{argv[0]}: no such command", "")
    except PermissionError:  # as a shell has it; in check mode it may get its mode later
        return Done(126, f"{argv[0]}: not a program that may be run", "")
    except subprocess.TimeoutExpired:
        return Done(124, f"no end after {seconds} seconds", "")
    out = done.stdout.decode("utf-8", "replace")
    return Done(done.returncode, out + done.stderr.decode("utf-8", "replace"), out)


@dataclass(frozen=True)
class File:
    """A file that must be there, rendered."""

    dest: str
    content: bytes
    mode: int
    uid: int
    gid: int
    validate: str | None
    sensitive: bool


@dataclass
class Outcome:
    """What a run did; filled while it goes, so that a failure can say how far it came."""

    changes: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    reloaded: list[str] = field(default_factory=list)
    confirm: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)


def uid_of(name: str) -> int:
    """The number of a user."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise TreeError(f"There is no user {name} on this host; add it to `users` or its package.") from None


def gid_of(name: str) -> int:
    """The number of a group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise TreeError(f"There is no group {name} on this host; add its user or its package.") from None


def files_below(path: Path) -> Iterator[Path]:
    """All files and links below a directory, or the file itself, in a fixed order."""
    if path.is_symlink() or not path.is_dir():
        if path.is_symlink() or path.exists():
            yield path
        return
    for entry in sorted(path.iterdir()):
        yield from files_below(entry)


def content_hash(root: Path, watched: Iterable[str]) -> str:
    """One hash over names and contents of everything watched; what is missing counts as missing."""
    digest = hashlib.sha256()
    for name in sorted(set(watched)):
        place = root / name.lstrip("/")
        digest.update(b"\0path\0" + name.encode())
        for file in files_below(place):
            digest.update(b"\0file\0" + str(file.relative_to(root)).encode())
            with contextlib.suppress(OSError):  # dangling link, socket: its name is all there is
                digest.update(b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def newest_change(root: Path, watched: Iterable[str]) -> float:
    """When anything watched last changed (Unix time): content, mode, or the entries of a directory."""
    newest = 0.0
    for name in watched:
        place = root / name.lstrip("/")
        if place.is_dir() and not place.is_symlink():
            newest = max(
                newest, place.stat().st_ctime, *(d.stat().st_ctime for d in place.rglob("*") if d.is_dir()), 0
            )
        for file in files_below(place):
            newest = max(newest, file.lstat().st_ctime)
    return newest


@contextlib.contextmanager
def in_turn(began: int, place: Path = Path(TURN), limit: float = TURN_LIMIT) -> Iterator[None]:
    """Hold the host while the block runs, and refuse a run that is older than one which has been here.

    The lock is the kernel's: it goes with its holder, however that ends. Whoever was killed on the controller
    is waited for, since half of what it does may be done.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + limit
    with os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TreeError(
                        f"Another run has been laying down on this host for more than {limit:g} seconds: "
                        f"see what it waits for (fuser -v {place}), end it, then run again."
                    ) from None
                time.sleep(TURN_PAUSE)
        said = file.read().strip()
        latest = int(said) if said.isdecimal() else 0
        if 0 < began < latest:
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(latest / 1e9))
            raise TreeError(
                f"A run that began later ({when}) has been on this host, so this one, which was taken for "
                "dead, changes nothing any more. If there was none, look at the clock of the machine that "
                "runs it."
            )
        if began > latest:
            file.seek(0)
            file.write(str(began))
            file.truncate()
            file.flush()
        yield


class Tree:
    """One run of the module on one host; `call` runs its commands and is replaced in tests."""

    def __init__(
        self,
        options: Mapping[str, Any],
        contents: Sequence[bytes],
        *,
        check: bool,
        call: Any = run,
        root: str = "/",
    ) -> None:
        self.options = options
        self.contents = contents
        self.check = check
        self.call = call
        self.root = Path(root)
        self.outcome = Outcome()
        self.changed_paths: set[str] = set()
        self.will_install = False
        self.said_before_files = 0

    def place(self, path: str) -> Path:
        """Where a path of the host is below the root."""
        return self.root / path.lstrip("/")

    def say(self, sentence: str) -> None:
        """Record a change."""
        self.outcome.changes.append(sentence)

    def forget_files(self) -> None:
        """Take back what was said of files that did not go live after all."""
        del self.outcome.changes[self.said_before_files :]
        self.outcome.diff.clear()

    def lay_down(self) -> Outcome:
        """Do everything, in order."""
        self.install_packages()
        self.make_users()
        files = self.wanted_files()
        self.said_before_files = len(self.outcome.changes)
        differing = [file for file in files if self.differs(file)]
        self.stage_and_validate(files, differing)
        self.make_directories()
        self.go_live(differing)
        self.make_links()
        self.remove_absent()
        self.empty_exclusive_directories(files)
        self.run_commands()
        self.settle_units()
        return self.outcome

    # Packages and users ------------------------------------------------------------------------------

    def install_packages(self) -> None:
        """One call of apt-get for what is missing; services stay down until their files are in place."""
        policy = self.place(POLICY)
        if policy.exists() and policy.read_text(errors="replace") == POLICY_TEXT:  # of a run that was killed
            policy.unlink()
        wanted = self.options["packages"]
        if not wanted:
            return
        shown = self.call(
            ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *wanted]
        ).stdout
        installed = {line.split()[0] for line in shown.splitlines() if line.split()[1:2] == ["ii"]}
        missing = [name for name in wanted if name not in installed]
        if not missing:
            return
        self.will_install = True
        self.say(f"Installed {', '.join(missing)}.")
        if self.check:
            return
        ours = not policy.exists()
        if ours:
            policy.write_text(POLICY_TEXT)
            policy.chmod(0o755)
        try:
            done = self.apt_get(missing)
        finally:
            if ours:
                policy.unlink(missing_ok=True)
        if done.status != 0:
            raise TreeError(f"apt-get could not install {', '.join(missing)}: {done.tail()}")

    def apt_get(self, missing: Sequence[str]) -> Done:
        """Install, waiting for another apt: dpkg's lock by its own option, the lists' by asking again."""
        argv = ["apt-get", "--quiet", "--quiet", "--assume-yes", "--no-install-recommends", "--update"]
        argv += [
            "-o",
            "DPkg::Lock::Timeout=120",
            "-o",
            "Dpkg::Options::=--force-confold",
            "install",
            *missing,
        ]
        deadline = time.monotonic() + 180
        while True:
            done: Done = self.call(argv, seconds=900)
            if done.status == 0 or "Could not get lock" not in done.output or time.monotonic() > deadline:
                return done
            time.sleep(3)

    def make_users(self) -> None:
        """Users that are missing, their further groups, and the lock on their password."""
        for user in self.options["users"]:
            name = user["name"]
            try:
                pwd.getpwnam(name)
            except KeyError:
                argv = ["useradd", "--shell", user["shell"], "--user-group"]
                argv += ["--system", "--no-create-home"] if user["system"] else ["--create-home"]
                argv += ["--home-dir", user["home"]] if user["home"] else []
                self.say(f"Made the user {name}.")
                self.must([*argv, name], f"The user {name} could not be made")
                if self.check:
                    continue
            missing = [g for g in user["groups"] if name not in grp.getgrgid(gid_of(g)).gr_mem]
            if missing:
                self.say(f"Put the user {name} into {', '.join(missing)}.")
                self.must(
                    ["usermod", "--append", "--groups", ",".join(missing), name],
                    "The groups could not be set",
                )
            if user["locked"] and not self.locked(name):
                self.say(f"Locked the password of {name}.")
                self.must(["usermod", "--lock", name], f"The password of {name} could not be locked")

    def locked(self, name: str) -> bool:
        """Whether no password opens this account."""
        for line in self.place("/etc/shadow").read_text().splitlines():
            account, _, rest = line.partition(":")
            if account == name:
                return rest.startswith(("!", "*"))
        return False

    def must(self, argv: Sequence[str], otherwise: str) -> None:
        """Run a command that changes something (not in check mode); failing is the end."""
        if self.check:
            return
        done = self.call(argv)
        if done.status != 0:
            raise TreeError(f"{otherwise}: {done.tail()}")

    # Files ------------------------------------------------------------------------------

    def owner_ids(self, entry: Mapping[str, Any]) -> tuple[int, int]:
        """Numbers of owner and group; in check mode a user that a package would bring counts as root."""
        try:
            return uid_of(entry["owner"]), gid_of(entry["group"])
        except TreeError:
            if self.check and (self.will_install or self.options["users"]):
                return 0, 0
            raise

    def wanted_files(self) -> list[File]:
        """The task's files with their contents."""
        files = []
        for entry, content in zip(self.options["files"], self.contents, strict=True):
            uid, gid = self.owner_ids(entry)
            mode = int(entry["mode"], 8)
            files.append(File(entry["dest"], content, mode, uid, gid, entry["validate"], entry["sensitive"]))
        return files

    def differs(self, file: File) -> bool:
        """Whether the host's file is another one, and in what: said, and shown as a difference."""
        place = self.place(file.dest)
        try:
            status = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            self.say(f"Wrote {file.dest}.")
            self.show_difference(file, b"")
            return True
        if stat.S_ISDIR(status.st_mode):
            raise TreeError(
                f"{file.dest} is a directory; a file is wanted there. Remove the directory by hand."
            )
        if not stat.S_ISREG(status.st_mode):
            self.say(f"Replaced the link {file.dest} by a file.")
            self.show_difference(file, b"")
            return True
        before = place.read_bytes()
        if not self.same(before, file):
            self.say(f"Rewrote {file.dest}.")
            self.show_difference(file, before)
            return True
        if (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (file.mode, file.uid, file.gid):
            found = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
            self.say(f"Set {file.dest} to {file.mode:04o} {file.uid}:{file.gid}; it was {found}.")
            return True
        return False

    def same(self, before: bytes, file: File) -> bool:
        """Whether the host's content is the wanted one; who only looks knows no more of it than a digest."""
        return before == file.content

    def show_difference(self, file: File, before: bytes) -> None:
        """Keep before and after for --diff, unless it must not or need not be read."""
        shown: list[str] = []
        for content in (before, file.content):
            if file.sensitive:
                shown.append("(not shown: sensitive)\n")
            elif len(content) > DIFF_LIMIT:
                shown.append(f"({len(content)} bytes)\n")
            else:
                shown.append(content.decode("utf-8", "replace"))
        if file.sensitive:
            shown[0] = "(not shown: sensitive, before)\n"
        header = {"before_header": file.dest, "after_header": file.dest}
        self.outcome.diff.append({"before": shown[0], "after": shown[1], **header})

    def stage_and_validate(self, files: Sequence[File], differing: Sequence[File]) -> None:
        """Write the tree where nothing reads it and let every checker look at it."""
        if not differing:
            return
        parent = self.place("/run/province")
        with contextlib.suppress(OSError):
            parent.mkdir(parents=True, exist_ok=True)
        base = parent if os.access(parent, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="staged-", dir=base) as name:
            tree = Path(name)
            tree.chmod(0o711)  # a checker that drops its privileges still reaches its own files
            for file in files:
                staged = tree / file.dest.lstrip("/")
                staged.parent.mkdir(parents=True, exist_ok=True)
                self.write(staged, file)
            checks = [
                (file.dest, file.validate.replace("%s", str(tree / file.dest.lstrip("/"))))
                for file in differing
                if file.validate
            ]
            checks += [
                ("the staged tree", line.replace("{tree}", str(tree))) for line in self.options["validate"]
            ]
            for subject, command in checks:
                done = self.call(shlex.split(command))
                if done.status == 127 and self.check and self.will_install:
                    continue  # the checker comes with a package that check mode does not install
                if done.status != 0:
                    self.forget_files()
                    said = done.tail().replace(str(tree), "")
                    asked = command.replace(str(tree), "")
                    raise TreeError(f"No file has changed: `{asked}` refused {subject}: {said}")

    def write(self, path: Path, file: File) -> None:
        """Write a file that nobody reads yet, never readable for more than its mode allows."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(file.content)
            if (os.geteuid(), os.getegid()) != (file.uid, file.gid):
                os.fchown(out.fileno(), file.uid, file.gid)
            os.fchmod(out.fileno(), file.mode)

    def make_parents(self, path: Path) -> None:
        """Directories that lead to a path."""
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir(mode=0o755)

    def make_directories(self) -> None:
        """The task's directories with their modes."""
        for entry in self.options["directories"]:
            place = self.place(entry["path"])
            uid, gid = self.owner_ids(entry)
            mode = int(entry["mode"], 8)
            if place.exists() and not place.is_dir():
                raise TreeError(f"{entry['path']} is not a directory. Remove it by hand.")
            if not place.exists():
                self.say(f"Made the directory {entry['path']}.")
            elif (stat.S_IMODE(place.stat().st_mode), place.stat().st_uid, place.stat().st_gid) != (
                mode,
                uid,
                gid,
            ):
                self.say(
                    f"Set the directory {entry['path']} to {mode:04o} {entry['owner']}:{entry['group']}."
                )
            else:
                continue
            if not self.check:
                self.make_parents(place)
                place.mkdir(exist_ok=True)
                if (place.stat().st_uid, place.stat().st_gid) != (uid, gid):
                    os.chown(place, uid, gid)
                place.chmod(mode)

    def go_live(self, differing: Sequence[File]) -> None:
        """Put all files beside their targets, then rename them: a full disk shows before the first rename."""
        self.changed_paths.update(file.dest for file in differing)
        if self.check:
            return
        renames: list[tuple[Path, Path]] = []
        try:
            for file in differing:
                target = self.place(file.dest)
                self.make_parents(target)
                beside = target.with_name(f".{target.name}.province-new")
                renames.append((beside, target))
                self.write(beside, file)
        except OSError as error:
            for beside, _target in renames:
                beside.unlink(missing_ok=True)
            self.forget_files()
            raise TreeError(
                f"No file has changed: {error.strerror} while writing {error.filename}."
            ) from None
        for beside, target in renames:
            beside.rename(target)

    def make_links(self) -> None:
        """The task's links, each replaced by a rename."""
        for entry in self.options["links"]:
            place = self.place(entry["path"])
            if place.is_symlink() and str(place.readlink()) == entry["target"]:
                continue
            if place.is_dir() and not place.is_symlink():
                raise TreeError(f"{entry['path']} is a directory; a link is wanted there. Remove it by hand.")
            self.say(f"Linked {entry['path']} to {entry['target']}.")
            self.changed_paths.add(entry["path"])
            if not self.check:
                self.make_parents(place)
                beside = place.with_name(f".{place.name}.province-new")
                beside.unlink(missing_ok=True)
                beside.symlink_to(entry["target"])
                beside.rename(place)

    def remove_absent(self) -> None:
        """Files that must not exist."""
        for path in self.options["absent"]:
            place = self.place(path)
            if place.is_symlink() or place.exists():
                if place.is_dir() and not place.is_symlink():
                    raise TreeError(f"{path} is a directory; `absent` removes files and links only.")
                self.remove(place)

    def remove(self, place: Path) -> None:
        """Remove a file, a link or a directory with all below it."""
        path = f"/{place.relative_to(self.root)}"
        self.say(f"Removed {path}.")
        self.changed_paths.add(path)
        if self.check:
            return
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()

    def empty_exclusive_directories(self, files: Sequence[File]) -> None:
        """Remove what nobody named from directories that are this task's own."""
        named = {self.place(file.dest) for file in files}
        named |= {
            self.place(entry["path"]) for entry in (*self.options["links"], *self.options["directories"])
        }
        keep_above = {parent for path in named for parent in path.parents}
        for entry in self.options["directories"]:
            if not entry["exclusive"]:
                continue
            if os.path.normpath(entry["path"]).strip("/") in NEVER_EXCLUSIVE:
                raise TreeError(f"{entry['path']} holds what others own; it cannot be exclusive.")
            place = self.place(entry["path"])
            if place.is_dir():
                self.empty(place, named, keep_above, entry["keep"])

    def empty(self, directory: Path, named: set[Path], keep_above: set[Path], keep: Sequence[str]) -> None:
        """One level of the above."""
        for entry in sorted(directory.iterdir()):
            if any(fnmatch.fnmatch(entry.name, pattern) for pattern in keep):
                continue
            if entry.is_dir() and not entry.is_symlink() and (entry in keep_above or entry in named):
                self.empty(entry, named, keep_above, keep)
            elif entry not in named:
                self.remove(entry)

    # Commands and units ------------------------------------------------------------------------------

    def run_commands(self) -> None:
        """Commands that are needed."""
        for entry in self.options["commands"]:
            if entry["creates"] and self.place(entry["creates"]).exists():
                continue
            if entry["unless"] and self.call(shlex.split(entry["unless"])).status == 0:
                continue
            self.say(f"Ran `{entry['command']}`.")
            self.must(shlex.split(entry["command"]), f"`{entry['command']}` failed")

    def show(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """What systemd knows of these units, one call for all; keyed by the names asked for."""
        done = self.call(["systemctl", "show", f"--property={SHOWN}", "--", *names])
        if done.status != 0:
            raise TreeError(f"systemctl show failed: {done.tail()}")
        blocks = [
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for block in done.stdout.strip().split("\n\n")
        ]
        return dict(zip(names, blocks, strict=True))

    def settle_units(self) -> None:
        """Bring every unit to where the task wants it."""
        units = merged(self.options["units"])
        unit_files_changed = any(path.startswith(UNIT_FILE_DIRECTORIES) for path in self.changed_paths)
        if not units and not unit_files_changed:
            return
        names = [unit["name"] for unit in units]
        shown = self.show(names) if names else {}
        stale = any(known.get("NeedDaemonReload") == "yes" for known in shown.values())
        unknown = any(
            shown[unit["name"]]["LoadState"] == "not-found" and unit["state"] == "started" for unit in units
        )
        if (unit_files_changed or stale or unknown) and not self.check:
            self.must(["systemctl", "daemon-reload"], "systemd could not read its unit files again")
            shown = self.show(names) if names else {}
        self.settle_boot(units, shown)
        for unit in units:
            if unit["state"] == "stopped" or unit["masked"]:
                if shown[unit["name"]]["ActiveState"] not in ("inactive", "failed"):
                    self.say(f"Stopped {unit['name']}.")
                    self.must(["systemctl", "stop", unit["name"]], f"{unit['name']} did not stop")
                if not self.check:
                    self.record_path(unit["name"]).unlink(missing_ok=True)
            elif unit["state"] == "started":
                self.settle_running(unit, shown[unit["name"]])

    def settle_boot(self, units: Sequence[Mapping[str, Any]], shown: Mapping[str, Mapping[str, str]]) -> None:
        """Mask, unmask, enable and disable, one call for each verb."""
        verbs: dict[str, list[str]] = {"unmask": [], "mask": [], "enable": [], "disable": []}
        for unit in units:
            name = unit["name"]
            state = shown[name].get("UnitFileState", "")
            if unit["masked"]:
                if state != "masked":
                    verbs["mask"].append(name)
                continue
            if state == "masked":
                verbs["unmask"].append(name)
                state = "disabled"
            if unit["enabled"] is True and state in ("disabled", "linked", ""):
                verbs["enable"].append(name)
            if unit["enabled"] is False and state.startswith(("enabled", "linked")):
                verbs["disable"].append(name)
        words = {"unmask": "Unmasked", "mask": "Masked", "enable": "Enabled", "disable": "Disabled"}
        for verb, names in verbs.items():
            if names:
                self.say(f"{words[verb]} {', '.join(names)}.")
                self.must(["systemctl", "--quiet", verb, "--", *names], f"systemctl {verb} failed")

    def record_path(self, name: str) -> Path:
        """Where it is kept what the running invocation of a unit has read."""
        return self.place("/run/province/units") / name

    def settle_running(self, unit: Mapping[str, Any], known: Mapping[str, str]) -> None:
        """Start, restart, reload or leave alone: what runs against what is on disk."""
        name = unit["name"]
        own = [known[key] for key in ("FragmentPath", "SourcePath") if known.get(key)]
        own += known.get("DropInPaths", "").split()
        watched = {"restart": [*own, *unit["restart"]], "reload": unit["reload"]}
        hashes = {verb: content_hash(self.root, paths) for verb, paths in watched.items()}
        record = self.read_record(name)
        oneshot = known.get("Type") == "oneshot" and known.get("RemainAfterExit") != "yes"
        # A unit that does its work and ends: systemd keeps when it left for it, since boot.
        begun = int(known.get("InactiveExitTimestampMonotonic") or 0) > 0
        ran = oneshot and begun and known["ActiveState"] == "inactive" and known.get("Result") == "success"
        if known["ActiveState"] not in ("active", "reloading", "refreshing") and not ran:
            self.act("start", unit, hashes)
            return
        recorded = bool(record) if ran else record.get("invocation") == known.get("InvocationID")
        for verb, paths in watched.items():
            if self.check and self.changes_any_of(paths):  # what is on disk is not what will be
                stale = True
            elif recorded:
                stale = record.get(verb) != hashes[verb]
            else:  # started by somebody else, by boot or by a package: nobody noted what it has read
                stale = newest_change(self.root, paths) + CLOCK_TICK >= self.started_at(known)
            if stale:
                self.act("restart" if ran else verb, unit, hashes, known)
                return
        if not recorded and not self.check:
            self.write_record(name, known.get("InvocationID", ""), hashes)
        self.ask_for_confirmation(unit)

    def changes_any_of(self, paths: Iterable[str]) -> bool:
        """Whether this run changes (in check mode: would change) something in these places."""
        places = [os.path.normpath(path) for path in paths]
        return any(
            path == place or path.startswith(f"{place}/") for path in self.changed_paths for place in places
        )

    def started_at(self, known: Mapping[str, str]) -> float:
        """Unix time at which the unit last left the inactive state."""
        microseconds = int(known.get("InactiveExitTimestampMonotonic") or 0)
        return time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + microseconds / 1e6

    def read_record(self, name: str) -> dict[str, str]:
        """What is recorded of a unit; empty when nothing (readable) is."""
        try:
            loaded = json.loads(self.record_path(name).read_text())
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def write_record(self, name: str, invocation: str, hashes: Mapping[str, str]) -> None:
        """Record what this invocation has read."""
        path = self.record_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{name}.new")
        beside.write_text(json.dumps({"invocation": invocation, **hashes}))
        beside.rename(path)

    def act(
        self,
        verb: str,
        unit: Mapping[str, Any],
        hashes: Mapping[str, str],
        known: Mapping[str, str] | None = None,
    ) -> None:
        """Start, restart or reload a unit, see that it stays up, and record what it has read."""
        name = unit["name"]
        if verb == "reload" and known is not None and known.get("CanReload") != "yes":
            verb = "restart"
        self.say({"start": "Started", "restart": "Restarted", "reload": "Reloaded"}[verb] + f" {name}.")
        (self.outcome.reloaded if verb == "reload" else self.outcome.restarted).append(name)
        if self.check:
            return
        if verb != "reload":
            self.call(
                ["systemctl", "reset-failed", "--", name]
            )  # a start limit reached earlier is not this run's
        # Until the new state is recorded, an interruption must not leave the old record standing.
        self.record_path(name).unlink(missing_ok=True)
        if unit["confirm"]:
            self.unconfirmed(name).parent.mkdir(parents=True, exist_ok=True)
            self.unconfirmed(name).touch()
        begun = time.time()
        done = self.call(["systemctl", verb, "--", name], seconds=START_LIMIT)
        now: Mapping[str, str] = self.show([name])[name]
        if done.status == 0 and now.get("Type") in ("simple", "exec", "forking", "dbus"):
            now = self.watch_it_stay(name)
        if done.status != 0 or now["ActiveState"] == "failed" or now["SubState"] == "auto-restart":
            raise TreeError(
                f"{name} did not {verb}: {done.output.strip()}\nIts last words:\n{self.journal(name, begun)}"
            )
        self.write_record(name, now.get("InvocationID", ""), hashes)
        self.ask_for_confirmation(unit)

    def unconfirmed(self, name: str) -> Path:
        """The mark of a unit whose change nobody has confirmed yet; the controller removes it."""
        return self.place("/run/province/units") / f"{name}.unconfirmed"

    def ask_for_confirmation(self, unit: Mapping[str, Any]) -> None:
        """Hand the confirmation to the controller, also that of a run which was interrupted before it."""
        if unit["confirm"] and not self.check and self.unconfirmed(unit["name"]).exists():
            mark = shlex.quote(f"/run/province/units/{unit['name']}.unconfirmed")
            self.outcome.confirm.append(f"{unit['confirm']} && rm -f {mark}")

    def journal(self, name: str, since: float) -> str:
        """What a unit, and systemd of it, has written since a time."""
        self.call(["journalctl", "--sync"])
        asked = ["journalctl", "--no-pager", "--output=cat", f"--unit={name}", f"--since=@{since:.3f}"]
        return self.call([*asked, f"--lines={OUTPUT_LINES}"]).stdout.strip() or "(none)"

    def watch_it_stay(self, name: str) -> Mapping[str, str]:
        """Half a second's look at a unit that says "started" before it has read its configuration."""
        deadline = time.monotonic() + 0.5
        while True:
            now = self.show([name])[name]
            if (
                now["ActiveState"] == "failed"
                or now["SubState"] == "auto-restart"
                or time.monotonic() > deadline
            ):
                return now
            time.sleep(0.1)


def merged(units: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each unit: what it watches sorted by what a change of it means."""
    found: dict[str, dict[str, Any]] = {}
    for unit in units:
        entry = found.setdefault(unit["name"], {**unit, "restart": [], "reload": []})
        entry[unit["on_change"]] = [*entry[unit["on_change"]], *unit["watch"]]
        for key in ("state", "enabled", "confirm"):
            entry[key] = unit[key] if entry[key] is None else entry[key]
    return list(found.values())


def file_options() -> dict[str, Any]:
    """What templates and files have in common."""
    return {
        "each": {"type": "list", "elements": "dict"},
        "mode": {"type": "str", "default": "0644"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "validate": {"type": "str"},
        "sensitive": {"type": "bool", "default": False},
    }


def suboptions(options: Mapping[str, Any]) -> dict[str, Any]:
    """A list of dictionaries with these keys."""
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def argument_spec() -> dict[str, Any]:
    """The options, as documented above."""
    names = {"type": "list", "elements": "str", "default": []}
    return {
        "packages": names,
        "users": suboptions(
            {
                "name": {"type": "str", "required": True},
                "system": {"type": "bool", "default": True},
                "home": {"type": "str"},
                "shell": {"type": "str", "default": "/usr/sbin/nologin"},
                "groups": names,
                "locked": {"type": "bool", "default": False},
            }
        ),
        "directories": suboptions(
            {
                "path": {"type": "str", "required": True},
                "mode": {"type": "str", "default": "0755"},
                "owner": {"type": "str", "default": "root"},
                "group": {"type": "str", "default": "root"},
                "exclusive": {"type": "bool", "default": False},
                "keep": names,
            }
        ),
        "templates": suboptions(
            {"src": {"type": "str", "required": True}, "dest": {"type": "str"}, **file_options()}
        ),
        "files": suboptions(
            {"src": {"type": "str"}, "dest": {"type": "str"}, "content": {"type": "raw"}, **file_options()}
        ),
        "links": suboptions(
            {"path": {"type": "str", "required": True}, "target": {"type": "str", "required": True}}
        ),
        "absent": names,
        "validate": names,
        "commands": suboptions(
            {
                "command": {"type": "str", "required": True},
                "creates": {"type": "str"},
                "unless": {"type": "str"},
            }
        )
        | {"required_one_of": [("creates", "unless")]},
        "units": suboptions(
            {
                "name": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["started", "stopped"]},
                "enabled": {"type": "bool"},
                "masked": {"type": "bool", "default": False},
                "watch": names,
                "on_change": {"type": "str", "choices": ["restart", "reload"], "default": "restart"},
                "confirm": {"type": "str"},
            }
        ),
        "root": {"type": "str", "default": "/"},
        "payload": {"type": "str", "no_log": True},
        "began": {"type": "int", "default": 0},
    }


def secret_lines(contents: Iterable[bytes]) -> set[str]:
    """Lines and assigned values of sensitive files, for scrubbing what a checker or journal quotes."""
    found = set()
    for content in contents:
        for line in content.decode("utf-8", "ignore").splitlines():
            found.add(line.strip())
            found.update(word.strip("\"',;") for word in line.replace("=", " ", 1).split())
    # Short words are field names of the format, not secrets; scrubbing them would make messages unreadable.
    return {text for text in found if len(text) >= 16}


def main() -> None:
    """Read the options, lay the tree down, answer."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    options = module.params
    if options["templates"] or (options["files"] and not options["payload"]):
        module.fail_json(
            msg="managed_tree runs through its action plugin: set action_plugins in ansible.cfg."
        )
    if options["root"] != "/" and (options["packages"] or options["users"] or options["units"]):
        module.fail_json(msg="With another root than / there are no packages, users and units.")
    contents = []
    if options["payload"]:
        encoded = json.loads(zlib.decompress(base64.b64decode(options["payload"])))
        contents = [text.encode() for text in encoded]
    sensitive = [text for entry, text in zip(options["files"], contents, strict=True) if entry["sensitive"]]
    module.no_log_values.update(secret_lines(sensitive))
    tree = Tree(options, contents, check=module.check_mode, root=options["root"])
    failure = None
    # Looking needs no turn; another root is a test's.
    alone = not module.check_mode and options["root"] == "/"
    try:
        with in_turn(options["began"]) if alone else contextlib.nullcontext():
            tree.lay_down()
    except TreeError as error:
        failure = str(error)
    except OSError as error:
        failure = (
            f"{error.strerror}: {error.filename}. Part of the tree is laid down; mend this and run again."
        )
    outcome = tree.outcome
    if outcome.changes and not module.check_mode and options["root"] == "/":
        syslog.openlog("managed_tree")
        for sentence in outcome.changes:
            syslog.syslog(sentence)
    result = {
        "changed": bool(outcome.changes),
        "changes": outcome.changes,
        "restarted": outcome.restarted,
        "reloaded": outcome.reloaded,
        "confirm": outcome.confirm,
        # Options are the role's text, not news; contents stay out of every log this way.
        "invocation": {"module_args": {"files": [entry["dest"] for entry in options["files"]]}},
    }
    if outcome.diff:
        result["diff"] = outcome.diff
    if failure is None:
        module.exit_json(**result)
    module.fail_json(msg=failure, **result)


if __name__ == "__main__":
    main()
