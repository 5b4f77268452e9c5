"""Looks at a host in one go: what is there that nobody may have declared. Standard library only.

It is sent to the host and never kept there, with what it is asked: base64 of compressed JSON,
`{"manifest": {path: [kind, mode, uid, gid, mark]}, "packages": {name: version}, "rules": [path, …]}`: what
the host's image held, and the files of rules that are to be loaded. It answers in the same way.
No secret leaves the host: of passwords only whether there is one, of tunnels only public keys, of files
only hashes.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Below these everything is an image's, a package's or a role's; elsewhere (/var, /srv of a service) is data.
ROOTS = ("/boot", "/etc", "/home", "/opt", "/root", "/usr", "/var/spool/cron")
# Where programs of another owner's rights may lie hidden.
SUSPECTS = ("/dev/shm", "/srv", "/tmp", "/var")
MARK = 32  # characters of a hash


def run(command: str, seconds: float = 60) -> dict[str, Any]:
    """A command of the shell, and what it said."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=dict(os.environ, LC_ALL="C.UTF-8", SYSTEMD_PAGER=""),
        )
    except subprocess.TimeoutExpired:
        return {"status": 124, "out": "", "err": f"no answer within {seconds:g} s"}
    text, said = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return {"status": done.returncode, "out": text, "err": said[-500:]}


def digest(path: str) -> str:
    """The hash of a file's content; of one that goes away meanwhile, nothing."""
    made = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                made.update(block)
    except OSError:
        return ""
    return made.hexdigest()[:MARK]


def entry(path: str) -> list[Any]:
    """Kind, mode, owner, group and what tells two of a kind apart."""
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return ["link", 0, 0, 0, os.readlink(path)]
    if stat.S_ISDIR(status.st_mode):
        return ["folder", mode, status.st_uid, status.st_gid, ""]
    if stat.S_ISREG(status.st_mode):
        return ["file", mode, status.st_uid, status.st_gid, digest(path)]
    return ["other", mode, status.st_uid, status.st_gid, ""]


def walk(root: str) -> list[str]:
    """Everything below a root, and the root, on its file system alone; not what Python keeps for itself."""
    found, left = [], [root]
    try:
        device = os.lstat(root).st_dev
    except OSError:
        return []
    while left:
        folder = left.pop()
        found.append(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda one: one.name)
        except OSError:
            continue
        for one in entries:
            try:
                if not one.is_dir(follow_symlinks=False):
                    found.append(one.path)
                elif one.stat(follow_symlinks=False).st_dev == device and one.name != "__pycache__":
                    left.append(one.path)
            except OSError:
                continue
    return found


def files(manifest: dict[str, list[Any]]) -> dict[str, Any]:
    """What is there and is not the image's, and what was the image's and is gone."""
    roots = [root for root in ROOTS if not os.path.islink(root)]
    there = [path for root in roots for path in walk(root)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        entries = dict(zip(there, pool.map(known, there), strict=True))
    changed = {path: found for path, found in entries.items() if found and found != manifest.get(path)}
    gone = [path for path in manifest if path not in entries and not os.path.lexists(path)]
    return {"changed": changed, "gone": sorted(gone)}


def known(path: str) -> list[Any] | None:
    """An entry, None for what is gone again."""
    try:
        return entry(path)
    except OSError:
        return None


def foreign_rights() -> list[str]:
    """Programs that run with the rights of their owner or group, where none belongs."""
    found = []
    for root in SUSPECTS:
        for path in walk(root):
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
                found.append(path)
    return found


def accounts() -> dict[str, Any]:
    """Users and groups; of passwords, what they open."""
    states = {}
    for line in lines("/etc/shadow"):
        name, _, rest = line.partition(":")
        word = rest.split(":")[0]
        states[name] = "empty" if not word else "locked" if word[0] in "!*" else "set"
    users: dict[str, list[dict[str, str]]] = {}
    for line in lines("/etc/passwd"):
        name, word, uid, gid, _, home, shell = (line.split(":") + [""] * 7)[:7]
        state = states.get(name, "locked") if word == "x" else "set" if word else "empty"
        if word and word[0] in "!*":
            state = "locked"
        one = {"uid": uid, "gid": gid, "home": home, "shell": shell, "word": state}
        users[name] = [*users.get(name, []), one]
    groups = {}
    for line in lines("/etc/group"):
        name, _, gid, members = (line.split(":") + [""] * 4)[:4]
        groups[name] = {"gid": gid, "members": sorted(filter(None, members.split(",")))}
    return {"users": users, "groups": groups}


def lines(path: str) -> list[str]:
    """Lines of a file, none where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in file if line.strip()]
    except OSError:
        return []


def packages(image: dict[str, str]) -> dict[str, Any]:
    """Installed packages, and the files of those that the image has not in this version."""
    fields = ("Package", "Version", "db:Status-Abbrev", "Architecture")
    shown = "".join(f"${{{field}}}\t" for field in fields) + "${Pre-Depends}, ${Depends}\t${Provides}\n"
    said = run(f"dpkg-query --show --showformat='{shown}'")
    installed, paths, marks = {}, {}, {}
    for line in said["out"].splitlines():
        name, version, status, architecture, needs, provides = line.split("\t")
        if not status.startswith("ii"):
            continue
        if image.get(name) == version:
            installed[name] = {"version": version}
            continue
        installed[name] = {"version": version, "needs": needs, "provides": provides}
        for base in (f"/var/lib/dpkg/info/{name}", f"/var/lib/dpkg/info/{name}:{architecture}"):
            for path in lines(f"{base}.list"):
                paths[real(path)] = name
            for line in lines(f"{base}.md5sums"):
                mark, _, path = line.partition("  ")
                marks[real("/" + path)] = mark
    wrong = [path for path, mark in marks.items() if os.path.isfile(path) and md5(path) != mark]
    manual = run("apt-mark showmanual")["out"].split()
    return {"installed": installed, "paths": sorted(paths), "changed": sorted(wrong), "manual": manual}


def real(path: str) -> str:
    """A path of a package as it is with a merged /usr."""
    folder, _, name = path.rpartition("/")
    return f"{os.path.realpath(folder or '/').rstrip('/')}/{name}"


def md5(path: str) -> str:
    """The hash that packages carry."""
    with open(path, "rb") as file:
        return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()


def listeners() -> list[dict[str, str]]:
    """Sockets that wait, with the unit of their process."""
    found = []
    for line in run("ss -Hlntup")["out"].splitlines():
        process = re.search(r'\(\("([^"]+)",pid=(\d+)', line)
        unit = lines(f"/proc/{process[2]}/cgroup")[-1:] if process else []
        found.append({"line": line, "group": unit[0].rpartition(":")[2] if unit else ""})
    for line in run("cat /proc/net/raw /proc/net/raw6 2>/dev/null | wc -l")["out"].split():
        found.append({"line": f"raw {line}", "group": ""})
    return found


def kernel() -> dict[str, list[str]]:
    """By key of /etc/sysctl.d: the file, the value in it and the one in force."""
    wanted: dict[str, tuple[str, str]] = {}
    for path in sorted(glob.glob("/etc/sysctl.d/*.conf"), key=os.path.basename):
        for line in lines(path):
            if line.lstrip().startswith(("#", ";", "-")) or "=" not in line:
                continue
            key, _, value = line.partition("=")
            if "*" not in key:
                wanted[key.strip()] = (path, " ".join(value.split()))
    found = {}
    for key, (path, value) in wanted.items():
        said = lines("/proc/sys/" + key.replace(".", "/"))
        found[key] = [path, value, " ".join(" ".join(said).split())]
    return found


def peers() -> dict[str, Any]:
    """Peers of tunnels, loaded and in files: public keys and what is allowed to come from them."""
    loaded: dict[str, dict[str, str]] = {}
    for line in run("! command -v wg >/dev/null || wg show all allowed-ips")["out"].splitlines():
        name, key, allowed = [*line.split("\t"), "", ""][:3]
        loaded.setdefault(name, {})[key] = " ".join(sorted(allowed.split()))
    filed: dict[str, dict[str, str]] = {}
    for path in sorted(glob.glob("/etc/wireguard/*.conf")):
        own = filed.setdefault(os.path.basename(path)[: -len(".conf")], {})
        key = ""
        for line in lines(path):
            name, _, value = (part.strip() for part in line.partition("="))
            if name == "PublicKey":
                key = value
                own[key] = ""
            elif name == "AllowedIPs" and key:
                own[key] = " ".join(sorted([*own[key].split(), *re.split(r"[,\s]+", value)]))
    return {"loaded": loaded, "filed": filed}


def networks() -> dict[str, Any]:
    """Links, addresses, routes and rules, and what the files of networkd say."""
    said = {
        name: json.loads(run(f"ip -j {words}")["out"] or "[]")
        for name, words in (
            ("addresses", "address show"),
            ("routes4", "-4 route show table all"),
            ("routes6", "-6 route show table all"),
            ("rules4", "-4 rule show"),
            ("rules6", "-6 rule show"),
        )
    }
    places = ("systemd/network/*", "wireguard/*.link", "keepalived/*.conf", "containers/systemd/*.network")
    texts = [path for place in places for path in sorted(glob.glob(f"/etc/{place}")) if os.path.isfile(path)]
    said["files"] = {path: lines(path) for path in texts}
    # Of the routing daemon's file the routes alone: it may hold passwords of neighbours.
    said["files"]["/etc/frr/frr.conf"] = [
        line for line in lines("/etc/frr/frr.conf") if line.lstrip().startswith(("ip route", "ipv6 route"))
    ]
    return said


def rules(paths: list[str]) -> dict[str, Any]:
    """Loaded rules, and those that the files mean: loaded once more, in a namespace apart."""
    there = [path for path in paths if os.path.isfile(path)]
    load = " && ".join(f"nft -f {path}" for path in there) or "true"
    return {
        "meant": run(f"unshare --net sh -c '{load} && nft -j -s list ruleset'"),
        "found": run("nft -j -s list ruleset"),
    }


def containers() -> dict[str, Any]:
    """Containers of Podman, where it is."""
    if not os.path.exists("/usr/bin/podman"):
        return {"status": 0, "out": "[]", "err": ""}
    return run("podman ps --all --format json")


def units() -> dict[str, Any]:
    """Loaded units with their files; timers and services of everybody."""
    shown = "Id,Names,LoadState,ActiveState,FragmentPath,Type,Transient,ConditionResult,Result"
    starting = "multi-user.target timers.target sockets.target"
    return {
        "loaded": run(f"systemctl show --all --property={shown} '*'")["out"],
        "wanted": run(f"systemctl show --property=Wants,Requires {starting}")["out"],
    }


def main(packed: str) -> None:
    """Look at everything, two things at a time: hosts of a lab share two cores."""
    asked = json.loads(zlib.decompress(base64.b64decode(packed)))
    tasks = {
        "files": lambda: files(asked["manifest"]),
        "rights": foreign_rights,
        "accounts": accounts,
        "packages": lambda: packages(asked["packages"]),
        "listeners": listeners,
        "kernel": kernel,
        "peers": peers,
        "networks": networks,
        "rules": lambda: rules(asked["rules"]),
        "containers": containers,
        "units": units,
    }
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {name: pool.submit(task) for name, task in tasks.items()}
        said = {name: task.result() for name, task in running.items()}
    sys.stdout.write(base64.b64encode(zlib.compress(json.dumps(said).encode())).decode() + "\n")
