"""A host's programs without a host: the cached host image, unpacked, run in network namespaces.

For what wants the real daemons and no neighbours. Nothing in it reaches any network but the links that are
made between the namespaces. Needs root and a cached host image.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from province.lab.image import cached_image
from tests.support.eventually import NotYetError, eventually

_INSIDE = """
set -eu
root=$1; shift
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --bind /dev "$root/dev"
exec chroot "$root" "$@"
"""


def unpack(folder: Path) -> Path:
    """Unpack the newest host image of the present recipe into `folder`; returns its root."""
    image = cached_image()
    if image is None:
        raise RuntimeError("no host image of the present recipe: make up")
    root = folder / "root"
    root.mkdir()
    subprocess.run(
        ["/usr/bin/tar", "--numeric-owner", "--exclude=./dev/*", "-C", str(root), "-xf", str(image.rootfs)],
        check=True,
    )
    (root / "run/frr").mkdir(parents=True, exist_ok=True)
    return root


@dataclass(slots=True)
class Space:
    """A network namespace in which programs of a root run; what was started ends with it."""

    name: str
    root: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def _command(self, words: Sequence[str]) -> list[str]:
        # A mount namespace of its own: what is mounted below the root goes with the program.
        return [
            *("ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", _INSIDE, "sh"),
            str(self.root),
            *words,
        ]

    def run(self, *words: str, text: str | None = None, check: bool = True) -> str:
        """Run a program of the root to its end; its standard output."""
        done = subprocess.run(
            self._command(words), input=text, capture_output=True, text=True, timeout=300, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-1000:] or done.returncode}")
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a program of the root; it is ended with the space."""
        process = subprocess.Popen(
            self._command(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def pids(self) -> list[int]:
        """Everything that runs in the namespace."""
        shown = subprocess.run(
            ["/usr/sbin/ip", "netns", "pids", self.name], capture_output=True, text=True, check=False
        )
        return [int(word) for word in shown.stdout.split()]

    def memory(self, program: str) -> float:
        """MiB that the processes of a name hold."""
        kib = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                if fields["Name"].strip() == program[:15]:
                    kib += int(fields.get("VmRSS", "0 kB").split()[0])
        return kib / 1024

    def worked(self, program: str) -> float:
        """Seconds of the processor that the processes of a name have used."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
                name, _, rest = text.partition(") ")
                if name.partition("(")[2] == program[:15]:
                    numbers = rest.split()
                    ticks += int(numbers[11]) + int(numbers[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def spaces(root: Path, *names: str) -> Iterator[list[Space]]:
    """Make network namespaces, loopback up; everything in them ends and they go at the end."""
    made = [Space(f"bench-{os.getpid()}-{name}", root) for name in names]
    try:
        for space in made:
            subprocess.run(["/usr/sbin/ip", "netns", "add", space.name], check=True)
            space.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        for space in made:
            _end(space)


def _end(space: Space) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        pids = space.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        with contextlib.suppress(NotYetError):
            eventually(lambda: not space.pids(), within=5, every=0.05)
    for process in space.started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
    subprocess.run(["/usr/sbin/ip", "netns", "delete", space.name], check=False, capture_output=True)


def joined(one: Space, other: Space, names: tuple[str, str]) -> None:
    """A link between two spaces, up, with these names at its ends."""
    first, second = f"a{os.getpid()}", f"b{os.getpid()}"
    ip = "/usr/sbin/ip"
    subprocess.run([ip, "link", "add", first, "type", "veth", "peer", "name", second], check=True)
    for space, link, name in ((one, first, names[0]), (other, second, names[1])):
        subprocess.run([ip, "link", "set", link, "netns", space.name, "name", name], check=True)
        space.run("ip", "link", "set", name, "up")


def tunnelled(one: Space, other: Space, name: str, mtu: int = 1420) -> None:
    """A tunnel of user-space WireGuard over the link `line` of both spaces; its ends are called `name`."""
    private = [space.run("wg", "genkey").strip() for space in (one, other)]
    public = [one.run("wg", "pubkey", text=key + "\n").strip() for key in private]
    for place, space in enumerate((one, other)):
        own, theirs = f"198.51.100.{place + 1}", f"198.51.100.{2 - place}"
        space.run("ip", "address", "replace", f"{own}/30", "dev", "line")
        # Both share /run of the root, where a tunnel's socket has the name of its link: it is renamed after.
        link = f"wg{place}-{os.getpid()}"
        space.start("wireguard-go", "--foreground", link)
        eventually(partial(space.run, "wg", "show", link, check=False), within=30, every=0.05)
        text = (
            f"[Interface]\nPrivateKey = {private[place]}\nListenPort = 51820\n\n"
            f"[Peer]\nPublicKey = {public[1 - place]}\nEndpoint = {theirs}:51820\n"
            "AllowedIPs = 0.0.0.0/0, ::/0\n"
        )
        space.run("wg", "setconf", link, "/dev/stdin", text=text)
        space.run("ip", "link", "set", link, "name", name)
        space.run("ip", "link", "set", name, "mtu", str(mtu), "up")
