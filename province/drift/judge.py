"""What was seen on a host against its image, its packages and what roles declare for it: pure functions."""

from __future__ import annotations

import ipaddress
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from province.drift.findings import Finding
from province.drift.image import Manifest
from province.drift.planned import Declared, below

UNITS = "/etc/systemd/system/"
_UNIT = re.compile(r"[^/]+\.(service|timer|socket|path|mount|automount|swap|target|slice)")
_WANTS = re.compile(rf"{UNITS}[^/]+\.(wants|requires|upholds)")
_DOOR = re.compile(r"/authorized_keys[^/]*$|^/etc/sudoers\.d/.|^/etc/cron\.\w+/.|^/etc/systemd/system/.")
# Sessions run inside the unit of the server that let them in, where nothing gives them a scope of their own.
_SESSIONS = {"ssh.service": "sshd", "console-getty.service": "agetty"}
_HEALTH = re.compile(r"[0-9a-f]{64}-[0-9a-f]+\.(service|timer)")  # Podman looks after containers by these
# What comes about by itself or at the first contact, with the reason why it is nobody's change.
ITSELF = (
    r"/etc/\.pwd\.lock|/etc/\.updated|/etc/machine-id|/etc/ld\.so\.cache|/etc/mtab",  # systemd, libc
    r"/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?",  # accounts are looked at as accounts
    r"/etc/ssh/ssh_host_[a-z0-9]+_key(\.pub|-cert\.pub)?",  # made inside the host, signed at first contact
    r"/etc/ssh/province_user_ca\.pub|/etc/ssh/sshd_config\.d/10-first-contact\.conf",  # first contact
    r"/root/\.(bash_history|history_frr|lesshst|viminfo|python_history|wget-hsts)",  # somebody sat here
    r"/etc/iproute2/rt_addrprotos\.d(/keepalived\.conf)?",  # keepalived names itself when it first starts
    r"/root/\.(ansible|cache|local)(/.*)?",  # Ansible's own place, caches
    r"/etc/(boot|cron\.\w+|var|usr|opt|home|srv)?/?\.placeholder",
)
_ITSELF = re.compile("|".join(f"(?:{pattern})" for pattern in ITSELF))
_ACCOUNTS = ("passwd", "shadow", "group", "gshadow")
_BROKEN = "could not be asked"


def judge(host: str, seen: Mapping[str, Any], image: Manifest, declared: Declared) -> Iterator[Finding]:
    """Everything that is other than the image, packages and roles make it."""
    yield from _accounts(host, seen["accounts"], seen["packages"], image, declared)
    yield from _packages(host, seen["packages"], image, declared)
    yield from _files(host, seen["files"], seen["packages"], image, declared)
    yield from _rights(host, seen["rights"])
    yield from _units(host, seen["units"], declared)
    yield from _listeners(host, seen["listeners"], _known_units(seen["units"], declared))
    yield from _kernel(host, seen["kernel"])
    yield from _peers(host, seen["peers"])
    yield from _networks(host, seen["networks"])
    yield from _rules(host, seen["rules"])
    yield from _containers(host, seen["containers"], declared)


# Accounts ---------------------------------------------------------------------------------------


def _accounts(
    host: str, seen: Mapping[str, Any], packages: Mapping[str, Any], image: Manifest, declared: Declared
) -> Iterator[Finding]:
    # Users of packages that came after the image: made by their scripts, in the range of system users.
    later = any("needs" in one for one in packages["installed"].values())
    for name, entries in seen["users"].items():
        known = name in image.users or name in declared.users
        for one in entries:
            if one["uid"] == "0" and (name != "root" or len(entries) > 1):
                yield Finding(
                    host=host,
                    kind="user",
                    subject=name,
                    found=f"the user {name} has the number 0, and so is root under another name",
                    wanted="root alone with it",
                    command=f"userdel --force {name}",
                )
            elif one["word"] != "locked":
                word = "an empty password" if one["word"] == "empty" else "a password"
                yield Finding(
                    host=host,
                    kind="user",
                    subject=name,
                    found=f"{word} opens the account {name}" + ("" if known else ", which nobody declared"),
                    wanted="no account with a password",
                    command=f"usermod --lock {name}" if known else f"userdel {name}",
                )
            elif not known and not (later and int(one["uid"] or 0) < 1000):
                yield Finding(
                    host=host,
                    kind="user",
                    subject=name,
                    found=f"there is a user {name} (number {one['uid']}, {one['shell']})",
                    wanted="no user that neither image, package nor role declares",
                    command=f"userdel {name}",
                    look=True,
                )
    for name in image.users:
        if name not in seen["users"]:
            yield Finding(
                host=host,
                kind="user",
                subject=name,
                found=f"the user {name} is gone",
                wanted="a user of the host image",
                command=f"systemd-sysusers, or make {name} again as in the image",
            )
    members = {(group, name) for group, names in image.groups.items() for name in names}
    members |= {(group, name) for name, user in declared.users.items() for group in user.get("groups") or ()}
    for group, one in seen["groups"].items():
        for name in one["members"]:
            if (group, name) not in members and not (later and name not in image.users):
                yield Finding(
                    host=host,
                    kind="member",
                    subject=f"{group}/{name}",
                    found=f"{name} is in the group {group}",
                    wanted="members that image or role declare",
                    command=f"gpasswd --delete {name} {group}",
                )
        known = group in image.groups or group in declared.users or group in seen["users"]
        if not known and not (later and int(one["gid"] or 0) < 1000):
            yield Finding(
                host=host,
                kind="group",
                subject=group,
                found=f"there is a group {group} (number {one['gid']})",
                wanted="no group that neither image, package nor role declares",
                command=f"groupdel {group}",
            )
    for group, name in sorted(members):
        if group in seen["groups"] and name not in seen["groups"][group]["members"]:
            yield Finding(
                host=host,
                kind="member",
                subject=f"{group}/{name}",
                found=f"{name} is not in the group {group}",
                wanted="in it",
                command=f"usermod --append --groups {group} {name}",
            )


# Packages and files -----------------------------------------------------------------------------


def _packages(host: str, seen: Mapping[str, Any], image: Manifest, declared: Declared) -> Iterator[Finding]:
    installed = seen["installed"]
    for name in image.packages:
        if name not in installed:
            yield Finding(
                host=host,
                kind="package",
                subject=name,
                found=f"the package {name} is not installed",
                wanted="installed, as in the host image",
                command=f"apt-get install {name}",
            )
    needed = _closure({*image.packages, *declared.packages}, installed)
    for name, one in installed.items():
        if name not in needed:
            yield Finding(
                host=host,
                kind="package",
                subject=name,
                found=f"the package {name} {one['version']} is installed",
                wanted="no package that neither the image has nor a role needs",
                command=f"apt-get remove {name}",
            )
    for path in seen["changed"]:
        yield Finding(
            host=host,
            kind="file",
            subject=path,
            found=f"{path} is not as its package brought it",
            wanted="the package's file",
            command=f"apt-get install --reinstall $(dpkg-query --search {path} | cut -d: -f1)",
        )


def _closure(wanted: set[str], installed: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Packages, and all that they need of what is installed."""
    provided: dict[str, set[str]] = {}
    for name, one in installed.items():
        for word in one.get("provides", "").split(","):
            provided.setdefault(word.split(" ")[0].strip() or name, set()).add(name)
    needed, left = set(wanted), [*wanted]
    while left:
        needs = installed.get(left.pop(), {}).get("needs", "")
        for word in re.split(r"[,|]", needs):
            name = word.strip().split(" ")[0].partition(":")[0]
            for one in {name, *provided.get(name, ())} & set(installed) - needed:
                needed.add(one)
                left.append(one)
    return needed


def _files(
    host: str, seen: Mapping[str, Any], packages: Mapping[str, Any], image: Manifest, declared: Declared
) -> Iterator[Finding]:
    own, removed = set(packages["paths"]), set(image.packages) - set(packages["installed"])
    parents = {
        "/".join(parts[:n])
        for path in declared.files
        for parts in [path.split("/")]
        for n in range(2, len(parts))
    }
    homes = [str(user.get("home")) for user in declared.users.values() if not user.get("system", True)]
    extra: list[str] = []
    for path, (kind, mode, uid, gid, mark) in sorted(seen["changed"].items()):
        if path in declared.files or path in declared.folders or _ITSELF.fullmatch(path):
            continue
        if below(path, declared.exclusive) or path in own or (kind == "folder" and path in parents):
            continue
        name = path.rpartition("/")[2]
        if below(path, homes) and not name.startswith("authorized_keys"):
            continue
        if kind == "link" and path.startswith(UNITS):
            if _explained(path, mark, own, declared):
                continue
        elif (kind == "link" and _by_packages(path, seen["changed"], own)) or (
            own and _GENERATED.fullmatch(path)
        ):
            continue
        if kind == "folder" and _WANTS.fullmatch(path):  # what is in it is told by itself
            continue
        # Told with the folder that it lies in, unless it opens a door.
        if below(path, extra) and not _DOOR.search(path):
            continue
        before = image.files.get(path)
        if before is None and kind == "folder":
            extra.append(path)
        yield _file(host, path, (kind, mode, uid, gid, mark), before, image)
    gone: list[str] = []
    for path in seen["gone"]:
        if (
            path in declared.absent
            or below(path, declared.exclusive)
            or path in declared.files
            or below(path, gone)
        ):
            continue
        if image.owners.get(path) in removed:
            continue
        if path.startswith(UNITS) and image.files[path][0] == "link":
            wish = declared.units.get(path.rpartition("/")[2], {})
            if wish.get("enabled") is False or wish.get("masked"):
                continue
        gone.append(path)
        yield _gone(host, path, image)


# What scripts of packages write and no list of theirs names: believed only on hosts with packages that came
# after the image. Of pam.d it is what `pam-auth-update` writes.
_GENERATED = re.compile(
    r"/usr/(lib|share)/.*(\.cache|gschemas\.compiled)|/usr/share/mime/.*|/usr/share/icons/default(/.*)?"
    r"|/usr/local/share/fonts|/etc/pam\.d/common-\w+(-noninteractive)?|/etc/fonts/conf\.d/.*"
    r"|/etc/(dconf|perl|ssl/certs|cni)/.*|/var/.*"
)


def _leads(path: str, mark: str) -> str:
    """Where a link leads, as an absolute path."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), mark))


def _by_packages(path: str, changed: Mapping[str, Sequence[Any]], own: set[str]) -> bool:
    """Whether a link leads, perhaps by alternatives, to a file of a package that came after the image."""
    for _ in range(4):
        entry = changed.get(path)
        if entry is None or entry[0] != "link":
            return path in own
        path = _leads(path, entry[4])
    return False


def _explained(path: str, target: str, own: set[str], declared: Declared) -> bool:
    """Whether a link of systemd's is what a role, or a package that came later, asks for."""
    name = path.rpartition("/")[2]
    wish = declared.units.get(name, {})
    if target == "/dev/null":
        return bool(wish.get("masked"))
    if wish.get("enabled") or wish.get("masked"):
        return True
    asked = {unit for unit, one in declared.units.items() if one.get("enabled")}
    if target.rpartition("/")[2] in asked:  # an alias
        return True
    if wish.get("enabled") is False:
        return False
    return target in own or target.replace("/lib/", "/usr/lib/", 1) in own


def _file(
    host: str, path: str, now: tuple[str, int, int, int, str], before: list[Any] | None, image: Manifest
) -> Finding:
    kind, mode, uid, gid, mark = now
    unit = re.fullmatch(rf"{UNITS}(?:[^/]+\.(?:wants|requires|upholds)/)?([^/]+)", path)
    name = unit[1] if unit else ""
    remove = "rm -r" if kind == "folder" else "rm"
    look = True
    if unit and kind == "link" and _UNIT.fullmatch(name):
        word = "is masked" if mark == "/dev/null" else "starts at boot"
        verb = "unmask" if mark == "/dev/null" else "disable --now"
        return Finding(
            host=host,
            kind="unit",
            subject=name,
            found=f"{name} {word} ({path})",
            wanted="as image, packages and roles have it",
            command=f"systemctl {verb} {name}",
        )
    if before is None:
        what, tail = "file", ""
        if path.endswith("authorized_keys"):
            what = "key"
            tail = ": whoever has the key signs in"
        elif below(path, ("/etc/sudoers.d", "/etc/sudoers")):
            what, tail = "sudoers", ": somebody may become root"
        elif below(path, ("/var/spool/cron",)) or re.match(r"/etc/cron(tab|\.)", path):
            what, tail = "cron", ": something runs at set times"
        elif unit and (_UNIT.fullmatch(name) or name.endswith(".d")):
            verb = f"systemctl disable --now {name}; " if _UNIT.fullmatch(name) else ""
            return Finding(
                host=host,
                kind="unit",
                subject=name,
                found=f"there is a unit or drop-in {name} ({path})",
                wanted="no unit that neither image, package nor role declares",
                command=f"{verb}rm -r {path} && systemctl daemon-reload",
                look=True,
            )
        rights = (
            f", with the rights of its owner (mode {mode:04o})" if mode & 0o6000 and kind == "file" else ""
        )
        return Finding(
            host=host,
            kind=what,
            subject=path,
            found=f"{path} is there{tail}{rights}",
            wanted="nothing that neither image, package nor role declares",
            command=f"{remove} {path}",
            look=look,
        )
    owner = image.owners.get(path, "")
    whose = f"of the package {owner}" if owner else "of the host image"
    again = f"apt-get install --reinstall {owner}" if owner else f"put back {path} as in the host image"
    if before[0] == kind and before[4] == mark:
        was = f"{before[1]:04o} {before[2]}:{before[3]}"
        return Finding(
            host=host,
            kind="file",
            subject=path,
            found=f"{path} has mode and owner {mode:04o} {uid}:{gid}",
            wanted=f"{was}, as {whose}",
            command=f"chown {before[2]}:{before[3]} {path} && chmod {before[1]:04o} {path}",
        )
    leads = f" (it leads to {mark})" if kind == "link" else ""
    return Finding(
        host=host,
        kind="file",
        subject=path,
        found=f"{path} has another content{leads}",
        wanted=f"that {whose}",
        command=again,
    )


def _gone(host: str, path: str, image: Manifest) -> Finding:
    name = path.rpartition("/")[2]
    owner = image.owners.get(path, "")
    if path.startswith(UNITS) and image.files[path][0] == "link" and _UNIT.fullmatch(name):
        return Finding(
            host=host,
            kind="unit",
            subject=name,
            found=f"{name} "
            + ("is not masked" if image.files[path][4] == "/dev/null" else "does not start at boot"),
            wanted="as in the host image",
            command=f"systemctl {'mask' if image.files[path][4] == '/dev/null' else 'enable --now'} {name}",
        )
    return Finding(
        host=host,
        kind="file",
        subject=path,
        found=f"{path} is gone",
        wanted=f"the file of the package {owner}" if owner else "the file of the host image",
        command=f"apt-get install --reinstall -o Dpkg::Options::=--force-confmiss {owner}"
        if owner
        else f"put back {path} as in the host image",
    )


def _rights(host: str, paths: Iterable[str]) -> Iterator[Finding]:
    for path in paths:
        if path.startswith("/var/lib/containers/storage/"):  # inside an image: nobody on the host runs it
            continue
        yield Finding(
            host=host,
            kind="file",
            subject=path,
            found=f"{path} runs with the rights of its owner or group",
            wanted="no such program outside of packages",
            command=f"chmod ug-s {path}",
        )


# What runs --------------------------------------------------------------------------------------


def _blocks(text: str) -> list[dict[str, str]]:
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")
    ]


def _stem(name: str) -> str:
    """The template of an instance, the name of others."""
    return re.sub(r"@[^.]*\.", "@.", name)


def _known_units(seen: Mapping[str, str], declared: Declared) -> set[str]:
    """Units that come from packages, generators or roles; not those made by hand or for a moment."""
    known = {*declared.units}
    for one in _blocks(seen["loaded"]):
        place = one.get("FragmentPath", "")
        if place.startswith(("/usr/lib/", "/run/systemd/generator")) or place in declared.files:
            known |= {one["Id"], *one.get("Names", "").split()}
    return known


def _should_run(one: Mapping[str, str]) -> bool:
    """Whether a unit that does not run is one that runs on, and not one whose conditions keep it away."""
    there = one.get("LoadState") == "loaded"
    return there and one.get("ConditionResult") == "yes" and one.get("Type") != "oneshot"


def _units(host: str, seen: Mapping[str, str], declared: Declared) -> Iterator[Finding]:
    if not seen["loaded"].strip():
        yield _unknown(host, "units", "systemctl says nothing")
        return
    wanted = {
        name
        for block in _blocks(seen["wanted"])
        for key in ("Wants", "Requires")
        for name in block.get(key, "").split()
    }
    for one in _blocks(seen["loaded"]):
        name, place = one.get("Id", ""), one.get("FragmentPath", "")
        if not _UNIT.fullmatch(name) or _HEALTH.fullmatch(name):
            continue
        state = one.get("ActiveState")
        if state == "failed":
            yield Finding(
                host=host,
                kind="unit",
                subject=name,
                found=f"{name} has failed ({one.get('Result', '')})",
                wanted="no failed unit",
                command=f"journalctl --unit={name}; systemctl restart {name}",
            )
        elif (
            one.get("Transient") == "yes"
            and state in ("active", "activating")
            and one.get("LoadState") == "loaded"
        ):
            if not name.endswith(".slice") and name != "init.scope" and not name.startswith("session-"):
                yield Finding(
                    host=host,
                    kind="unit",
                    subject=name,
                    found=f"{name} runs, made by hand for as long as it runs",
                    wanted="no unit that neither image, package nor role declares",
                    command=f"systemctl stop {name}",
                )
        elif place.startswith("/run/systemd/system/") and name not in declared.units:
            yield Finding(
                host=host,
                kind="unit",
                subject=name,
                found=f"there is a unit {name} until the next boot ({place})",
                wanted="no unit that neither image, package nor role declares",
                command=f"systemctl stop {name}; rm {place}; systemctl daemon-reload",
            )
        elif name in wanted and state == "inactive" and _should_run(one):
            yield Finding(
                host=host,
                kind="unit",
                subject=name,
                found=f"{name} does not run, though it starts at boot",
                wanted="running",
                command=f"systemctl start {name}",
            )


def _listeners(host: str, seen: Iterable[Mapping[str, str]], known: set[str]) -> Iterator[Finding]:
    for one in seen:
        fields = one["line"].split()
        if len(fields) < 5 or fields[0] not in ("tcp", "udp"):
            continue
        names = [part for part in one["group"].split("/") if _UNIT.fullmatch(part) or part.endswith(".scope")]
        unit = next((name for name in reversed(names) if not name.endswith(".slice")), "")
        process = re.search(r'\(\("([^"]+)",pid=(\d+)', one["line"])
        session = unit in _SESSIONS and process is not None and not process[1].startswith(_SESSIONS[unit])
        if not session and (unit in known or _stem(unit) in {_stem(name) for name in known}):
            continue
        if process is None and fields[0] == "udp":
            continue  # the kernel's own, as of a tunnel
        who = f"the process {process[1]}" if process else "a process that is not shown"
        where, _, port = fields[4].rpartition(":")
        yield Finding(
            host=host,
            kind="port",
            subject=f"{fields[0]}/{port}",
            found=f"{who} listens on {fields[0]} port {port} ({where}), run by {unit or 'nobody known'}",
            wanted="no listener but those of declared units",
            command=f"kill {process[2]}" if process else "",
            look=True,
        )


def _kernel(host: str, seen: Mapping[str, list[str]]) -> Iterator[Finding]:
    for key, (path, wanted, found) in seen.items():
        if found != wanted:
            yield Finding(
                host=host,
                kind="kernel",
                subject=key,
                found=f"the kernel's {key} is {found or 'not there'}",
                wanted=f"{wanted} ({path})",
                healer="converge",
            )


def _containers(host: str, seen: Mapping[str, Any], declared: Declared) -> Iterator[Finding]:
    if seen["status"] != 0:
        yield _unknown(host, "containers", f"podman says: {seen['err'].strip()}")
        return
    units = {
        path.rpartition("/")[2].removesuffix(".container") + ".service"
        for path in declared.files
        if path.startswith("/etc/containers/systemd/") and path.endswith(".container")
    }
    for one in json.loads(seen["out"] or "[]"):
        name = one["Names"][0] if one.get("Names") else one["Id"][:12]
        unit = (one.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", "")
        if unit not in units:
            yield Finding(
                host=host,
                kind="container",
                subject=name,
                found=f"there is a container {name} ({one['State']}, of {one['Image']})",
                wanted="containers of declared applications",
                command=f"podman rm --force {name}",
                look=True,
            )
        elif one["State"] not in ("running", "stopping", "created"):
            yield Finding(
                host=host,
                kind="container",
                subject=name,
                found=f"the container {name} is {one['State']}",
                wanted="running",
                command=f"systemctl restart {unit}",
            )


# Networks ---------------------------------------------------------------------------------------


def _rules(host: str, seen: Mapping[str, Any]) -> Iterator[Finding]:
    for which, word in (("meant", "the rules' files"), ("found", "the loaded rules")):
        if seen[which]["status"] != 0:
            yield _unknown(host, "rules", f"{word}: {seen[which]['err'].strip()}")
            return
    meant, found = rules(seen["meant"]["out"]), rules(seen["found"]["out"])
    for place in sorted({*meant, *found}):
        if place.split("/")[1] == "netavark":  # Podman's own: it follows its containers
            continue
        more = sum((found.get(place, {}).get(line, 0) > n0) for line, n0 in _counts(meant, found, place))
        less = sum((found.get(place, {}).get(line, 0) < n0) for line, n0 in _counts(meant, found, place))
        if not more and not less:
            continue
        if place not in meant:
            said, wanted = f"{place} is loaded", "only the tables of roles"
        elif place not in found:
            said, wanted = f"{place} is not loaded", "all that its file says"
        else:
            said, wanted = f"{place} has {more} entries too many and lacks {less}", "what its file says"
        yield Finding(
            host=host,
            kind="rules",
            subject=place,
            found=f"rules: {said}",
            wanted=wanted,
            command=f"nft delete table {' '.join(place.split('/')[:2])}"
            if place.split("/")[1] not in {one.split("/")[1] for one in meant}
            else "systemctl restart province-firewall.service (other tables: of the unit that loads them)",
        )


def _counts(
    meant: Mapping[str, Mapping[str, int]], found: Mapping[str, Mapping[str, int]], place: str
) -> list[tuple[str, int]]:
    here, there = meant.get(place, {}), found.get(place, {})
    return [(line, here.get(line, 0)) for line in {*here, *there}]


def rules(listed: str) -> dict[str, dict[str, int]]:
    """By table and chain (or set) its entries, without what changes by itself."""
    places: dict[str, dict[str, int]] = {}
    for entry in json.loads(listed or '{"nftables": []}')["nftables"]:
        for kind, item in entry.items():
            if kind == "metainfo":
                continue
            table = f"{item['family']}/{item.get('table', item.get('name'))}"
            name = item.get("chain") or (item.get("name") if kind != "table" else "")
            place = f"{table}/{name}" if name else table
            kept = {key: value for key, value in item.items() if key not in ("handle", "packets", "bytes")}
            if kind in ("counter", "quota", "limit"):
                kept = {"name": item["name"]}
            if "dynamic" in item.get("flags", ()):
                kept.pop("elem", None)
            line = json.dumps({kind: kept}, sort_keys=True)
            lines = places.setdefault(place, {})
            lines[line] = lines.get(line, 0) + 1
    return places


def _peers(host: str, seen: Mapping[str, Any]) -> Iterator[Finding]:
    loaded, filed = seen["loaded"], seen["filed"]
    for name in sorted({*loaded, *filed}):
        for key in sorted({*loaded.get(name, {}), *filed.get(name, {})}):
            now, meant = loaded.get(name, {}).get(key), filed.get(name, {}).get(key)
            if meant is not None and now is not None and set(now.split()) == set(meant.split()):
                continue
            said = "is there" if meant is None else "is gone" if now is None else f"may send from {now}"
            yield Finding(
                host=host,
                kind="peer",
                subject=f"{name}/{key[:12]}",
                found=f"the peer {key[:12]}… of the tunnel {name} {said}",
                wanted="no such peer" if meant is None else f"from {meant}",
                command="systemctl reload wireguard.service",
            )


def _networks(host: str, seen: Mapping[str, Any]) -> Iterator[Finding]:
    addresses, routes, links = _filed(seen["files"])
    text = "\n".join(line for lines in seen["files"].values() for line in lines)
    words = {_plain(word) for word in re.split(r"[\s=,\"'{}\[\];]+", text)}
    pods = set(re.findall(r"--interface-name=(\S+)", text))  # their addresses are Podman's affair
    there: dict[str, set[str]] = {}
    for link in seen["addresses"]:
        name = link["ifname"]
        there[name] = {
            f"{one['local']}/{one['prefixlen']}" for one in link.get("addr_info", []) if "local" in one
        }
        known = (
            name in links
            or name == "lo"
            or name in words
            or link.get("link_type") in ("sit", "tunnel6", "ipip")
        )
        if not known and link.get("master") is None and not name.startswith("veth"):
            yield Finding(
                host=host,
                kind="link",
                subject=name,
                found=f"there is an interface {name}",
                wanted="interfaces that are planned",
                command=f"ip link delete {name}",
                look=True,
            )
            continue
        if name in links and "UP" not in link.get("flags", []):
            yield Finding(
                host=host,
                kind="link",
                subject=name,
                found=f"the interface {name} is down",
                wanted="up",
                command=f"ip link set {name} up",
            )
        for one in link.get("addr_info", []):
            if one.get("dynamic") or one.get("scope") in ("link", "host") or "local" not in one:
                continue
            if _plain(one["local"]) not in words and name not in pods and not one.get("temporary"):
                full = f"{one['local']}/{one['prefixlen']}"
                yield Finding(
                    host=host,
                    kind="address",
                    subject=f"{name}/{one['local']}",
                    found=f"{full} is on {name}",
                    wanted="no address that is not planned",
                    command=f"ip address delete {full} dev {name}",
                )
    for name, wanted in addresses.items():
        for address in sorted(wanted):
            if name in there and _plain(address) not in {_plain(one) for one in there[name]}:
                yield Finding(
                    host=host,
                    kind="address",
                    subject=f"{name}/{address.partition('/')[0]}",
                    found=f"{address} is not on {name}",
                    wanted="on it",
                    command=f"networkctl reconfigure {name}",
                )
    yield from _routes(host, [*seen["routes4"], *seen["routes6"]], routes, words, there)
    for one in [*seen["rules4"], *seen["rules6"]]:
        if one["priority"] not in (0, 1000, 32765, 32766, 32767) and "[RoutingPolicyRule]" not in text:
            yield Finding(
                host=host,
                kind="route",
                subject=f"rule {one['priority']}",
                found=f"there is a rule of routing, priority {one['priority']} (table {one.get('table')})",
                wanted="no such rule",
                command=f"ip rule delete priority {one['priority']}",
            )


def _routes(
    host: str,
    seen: Iterable[Mapping[str, Any]],
    wanted: Iterable[tuple[str, str]],
    words: set[str],
    links: Mapping[str, set[str]],
) -> Iterator[Finding]:
    there: set[str] = set()
    for one in seen:
        if one.get("table") == "local" or one.get("type") in ("local", "multicast", "broadcast", "anycast"):
            continue
        target, protocol, gateway = one["dst"], one.get("protocol", "boot"), one.get("gateway", "")
        there.add(_plain(gateway) if target == "default" else _plain(target))
        if protocol in ("kernel", "bgp", "ra", "dhcp", "redirect"):
            continue
        known = _plain(gateway) in words if target == "default" else _plain(target) in words
        if protocol == "static" and known:
            continue
        if one.get("dev", "").startswith(("pod-", "podman", "veth")) or (
            protocol == "static" and one.get("metric") == 20
        ):
            continue
        way = f" by {gateway}" if gateway else f" by {one['dev']}" if one.get("dev") else ""
        yield Finding(
            host=host,
            kind="route",
            subject=target,
            found=f"there is a route to {target}{way} ({protocol})",
            wanted="routes that are planned, or that neighbours announce",
            command=f"ip route delete {target}",
        )
    for link, target in wanted:
        if link in links and _plain(target) not in there:
            yield Finding(
                host=host,
                kind="route",
                subject=target,
                found=f"there is no route {target} on {link}",
                wanted="the route of its file",
                command=f"networkctl reconfigure {link}",
            )


def _filed(
    files: Mapping[str, list[str]],
) -> tuple[dict[str, set[str]], list[tuple[str, str]], set[str]]:
    """What the files of networkd say: addresses by link, routes (a target, or the gateway of the default)."""
    addresses: dict[str, set[str]] = {}
    routes: list[tuple[str, str]] = []
    links: set[str] = set()
    for path, lines in files.items():
        if path.startswith("/etc/wireguard/"):
            name = posixpath.basename(path).removesuffix(".link")
            links.add(name)
            for words in (line.split() for line in lines):
                if words[0] == "address":
                    addresses.setdefault(name, set()).add(words[1])
                elif words[0] == "route":
                    routes.append((name, words[1]))
            continue
        if not path.startswith("/etc/systemd/network/") or not path.endswith((".network", ".netdev")):
            continue
        section, name, route = "", "", dict[str, str]()
        for line in [*lines, "[]"]:
            if line.startswith("["):
                if section == "[Route]" and route and route.get("Table") is None:
                    routes.append((name, route.get("Destination") or route.get("Gateway", "")))
                section, route = line, {}
                continue
            key, _, value = line.partition("=")
            if key == "Name" and section in ("[Match]", "[NetDev]"):
                name = value
                links.add(value)
            elif key == "Address" and section in ("[Network]", "[Address]"):
                addresses.setdefault(name, set()).add(value)
            elif section == "[Route]":
                route[key] = value
    return addresses, [(link, target) for link, target in routes if target], links


def _plain(word: str) -> str:
    """An address or prefix as text that is the same however it was written; the length of a host left out."""
    try:
        one = ipaddress.ip_interface(word)
    except ValueError:
        return word
    whole = one.network.prefixlen == one.max_prefixlen
    return str(one.ip) if whole or one.ip != one.network.network_address else str(one.network)


def _unknown(host: str, subject: str, why: str) -> Finding:
    return Finding(
        host=host,
        kind="unseen",
        subject=subject,
        found=f"the {subject} {_BROKEN}: {why}",
        wanted="an answer",
        advice="mend what it says, then look again: make drift",
    )
