"""What hands do to hosts: edits of many kinds, each with the way back and the name that drift gives it.

Which hosts get which is drawn by a seed. Nothing here takes a host out of reach.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support import environment

KEPT = "/run/drift-edits"  # copies of what was there, for the way back


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit: `do` and `undo` are for the host's shell, for this machine's where there is no host."""

    kind: str
    host: str
    do: str
    undo: str
    ids: tuple[str, ...]

    def told(self, found: Iterable[str]) -> bool:
        """Whether it is among what was found, by its own name: whole, or up to a / or blank at its end."""
        return any(
            one == wanted or (wanted.endswith(("/", " ")) and one.startswith(wanted))
            for one in found
            for wanted in self.ids
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """An edit of any host; `subject` is its name in the id of its finding."""

    do: str
    undo: str
    subject: str


def _file(path: str, change: str, subject: str = "") -> Kind:
    """A change of a file that is there, and the file as it was."""
    copy = f"{KEPT}/{path.replace('/', '_')}"
    return Kind(
        f"cp -a {path} {copy} && {change}",
        f"test -e {copy} && cp -a --remove-destination {copy} {path} && rm {copy}",
        subject or f"file{path}",
    )


def _made(path: str, make: str, subject: str) -> Kind:
    """A file that nobody declared."""
    return Kind(make, f"rm -rf {path}", subject)


LISTEN = (
    "import os,signal,socket;s=socket.create_server(('',4477));"
    f"open('{KEPT}/pid','w').write(str(os.getpid()));signal.pause()"
)
EXTRA = "/etc/systemd/system/drift-extra"
DEB = f"{KEPT}/deb"
# What stands in the image, is needed by nothing that runs here, and comes back from its own files.
SPARE = "nmap"
ANYWHERE: Mapping[str, Kind] = {
    "declared file rewritten": _file("/etc/profile.d/idle.sh", "echo '# x' >> /etc/profile.d/idle.sh"),
    "mode of a declared file": _file(
        "/etc/apt/apt.conf.d/80province", "chmod 0666 /etc/apt/apt.conf.d/80province"
    ),
    "owner of a declared file": _file(
        "/etc/systemd/journald.conf.d/province.conf",
        "chown nobody /etc/systemd/journald.conf.d/province.conf",
    ),
    "declared file deleted": _file(
        "/etc/apt/sources.list.d/province.sources", "rm /etc/apt/sources.list.d/province.sources"
    ),
    "hosts": _file("/etc/hosts", "echo 192.0.2.7 bank.example >> /etc/hosts"),
    "resolv.conf": _file("/etc/resolv.conf", "echo nameserver 192.0.2.53 >> /etc/resolv.conf"),
    "time zone": Kind(
        f"cp -a /etc/localtime {KEPT}/tz && ln -sfn /usr/share/zoneinfo/UTC /etc/localtime",
        f"cp -a --remove-destination {KEPT}/tz /etc/localtime",
        "file/etc/localtime",
    ),
    "host name": Kind(
        f"hostname > {KEPT}/name && hostname other", f"hostname $(cat {KEPT}/name)", "state/hostname "
    ),
    "foreign file": _made(
        "/usr/local/bin/helper", "echo true > /usr/local/bin/helper", "file/usr/local/bin/helper"
    ),
    "foreign file in a folder of ours": _made(
        "/etc/systemd/networkd.conf.d/99-x.conf",
        "touch /etc/systemd/networkd.conf.d/99-x.conf",
        "file/etc/systemd/networkd.conf.d/99-x.conf",
    ),
    "file of the image": _file("/etc/login.defs", "echo UMASK 000 >> /etc/login.defs"),
    "mode of a program": _file("/usr/bin/env", "chmod 4755 /usr/bin/env"),
    "program changed": _file("/usr/bin/nsenter", "echo >> /usr/bin/nsenter"),
    "hidden program with rights": _made(
        "/var/tmp/.ids",  # noqa: S108 - of the host
        "cp /usr/bin/id /var/tmp/.ids && chmod 4755 /var/tmp/.ids",
        "file/var/tmp/.ids",
    ),
    "user": Kind("useradd --no-create-home mallory", "userdel mallory", "user/mallory"),
    "twin of root": Kind(
        "useradd --no-create-home --non-unique --uid 0 --gid 0 toor",
        "sed -i /^toor:/d /etc/passwd /etc/shadow",
        "user/toor",
    ),
    "password": Kind("usermod --password '$6$x$y' backup", "usermod --password '*' backup", "user/backup"),
    "member of a group": Kind(
        "gpasswd --add www-data adm", "gpasswd --delete www-data adm", "member/adm/www-data"
    ),
    "group": Kind("groupadd wheel7", "groupdel wheel7", "group/wheel7"),
    "authorized key": _made(
        "~/.ssh/authorized_keys",
        "echo ssh-ed25519 AAAA x > ~/.ssh/authorized_keys",
        "key/root/.ssh/authorized_keys",
    ),
    "sudoers": _made(
        "/etc/sudoers.d",
        "mkdir -p /etc/sudoers.d && echo 'backup ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/b",
        "sudoers/etc/sudoers.d/b",
    ),
    "crontab": _made(
        "/etc/cron.d",
        "mkdir -p /etc/cron.d && echo '* * * * * root true' > /etc/cron.d/job",
        "cron/etc/cron.d/job",
    ),
    "package installed": Kind(
        f"mkdir -p {DEB}/DEBIAN && printf 'Package: foreign-tool\\nVersion: 1\\nArchitecture: all\\n"
        f"Maintainer: x <x@example.org>\\nDescription: x\\n' > {DEB}/DEBIAN/control && "
        f"dpkg-deb --build {DEB} {DEB}.deb && dpkg --install {DEB}.deb",
        "dpkg --purge foreign-tool",
        "package/foreign-tool",
    ),
    "package removed": Kind(
        f"cp -a /var/lib/dpkg {KEPT}/dpkg && dpkg --listfiles {SPARE} | tar --create --no-recursion "
        f"--files-from=- --file={KEPT}/spare.tar; dpkg --remove --force-depends {SPARE}",
        f"tar --extract --preserve-permissions --directory=/ --file={KEPT}/spare.tar && "
        "rm -rf /var/lib/dpkg && "
        f"cp -a {KEPT}/dpkg /var/lib/dpkg",
        f"package/{SPARE}",
    ),
    "unit stopped": Kind(
        "systemctl stop ulogd2.service", "systemctl start ulogd2.service", "unit/ulogd2.service"
    ),
    "unit disabled": Kind(
        "systemctl disable province-log-forwarder.service",
        "systemctl enable province-log-forwarder.service",
        "unit/province-log-forwarder.service",
    ),
    "unit masked": Kind(
        "systemctl mask logrotate.timer",
        "systemctl unmask logrotate.timer && systemctl restart logrotate.timer",
        "unit/logrotate.timer",
    ),
    "foreign timer": Kind(
        f"printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' > {EXTRA}.service && "
        f"printf '[Timer]\\nOnCalendar=yearly\\n[Install]\\nWantedBy=timers.target\\n' > {EXTRA}.timer && "
        "systemctl enable --now drift-extra.timer",
        f"systemctl disable --now drift-extra.timer; rm -f {EXTRA}.service {EXTRA}.timer; "
        "systemctl daemon-reload",
        "unit/drift-extra.timer",
    ),
    "unit for a moment": Kind(
        "systemd-run --unit=drift-moment tail --follow /dev/null",
        "systemctl stop drift-moment",
        "unit/drift-moment.service",
    ),
    "foreign listener": Kind(
        f'setsid --fork python3 -c "{LISTEN}" </dev/null >/dev/null 2>&1; '
        f"timeout 20 sh -c 'until test -s {KEPT}/pid; do :; done'",
        f"kill $(cat {KEPT}/pid); rm {KEPT}/pid",
        "port/tcp/4477",
    ),
    "foreign rule": Kind(
        "nft insert rule inet province input tcp dport 4477 accept",
        "nft delete rule inet province input handle $(nft -a list chain inet province input | "
        "sed -n 's/.*tcp dport 4477 .*# handle //p')",
        "rules/inet/province/input",
    ),
    "foreign table": Kind("nft add table ip drift", "nft delete table ip drift", "rules/ip/drift"),
    "kernel value": Kind(
        "echo 1 > /proc/sys/net/ipv4/conf/all/send_redirects",
        "echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects",
        "kernel/net.ipv4.conf.all.send_redirects",
    ),
    "address": Kind(
        "ip address add 192.0.2.77/32 dev mgmt",
        "ip address delete 192.0.2.77/32 dev mgmt",
        "address/mgmt/192.0.2.77",
    ),
    "route": Kind(
        "ip route add 192.0.2.128/25 dev mgmt",
        "ip route delete 192.0.2.128/25 dev mgmt",
        "route/192.0.2.128/25",
    ),
    "interface": Kind("ip link add drift7 type bridge", "ip link delete drift7", "link/drift7"),
}


def edits(count: int, seed: int) -> list[Edit]:
    """So many edits: those of certain hosts, of the estate, and of all other kinds, drawn by the seed."""
    dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
    drawn = [*_of_certain_hosts(), *_of_the_estate()]
    hosts = environment.ours()
    decks = {kind: dice.sample(hosts, len(hosts)) for kind in ANYWHERE}
    while len(drawn) < count:
        for kind, deck in decks.items():
            if deck and len(drawn) < count:
                drawn.append(_on(deck.pop(), kind))
    return drawn


def _on(host: str, name: str) -> Edit:
    kind = ANYWHERE[name]
    return Edit(kind=name, host=host, do=kind.do, undo=kind.undo, ids=(f"{host}/{kind.subject}",))


def _of_certain_hosts() -> Iterable[Edit]:
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    for hub in environment.in_group("hub"):
        yield Edit(
            kind="peer",
            host=hub,
            do=f"wg set wg0 peer {key} allowed-ips 192.0.2.200/32",
            undo=f"wg set wg0 peer {key} remove",
            ids=(f"{hub}/peer/wg0/{key[:12]}",),
        )
    server = environment.in_group("ns")[0]
    zone = "$(ls -S /etc/knot/zones/*.zone | head -1)"
    yield Edit(
        kind="record of a zone",
        host=server,
        do=f"z={zone}; echo $z > {KEPT}/zone; cp -a $z {KEPT}/zone.copy; echo 'bank 60 A 192.0.2.7' >> $z",
        undo=f"cp -a {KEPT}/zone.copy $(cat {KEPT}/zone)",
        ids=(f"{server}/file/etc/knot/zones/",),
    )
    app = environment.in_group("app")[0]
    yield Edit(
        kind="container stopped",
        host=app,
        do="systemctl stop start-web.service",
        undo="systemctl start start-web.service",
        ids=(f"{app}/unit/start-web.service",),
    )
    yield Edit(
        kind="container",
        host=app,
        do="podman create --name drift-miner --network none $(podman images --quiet | head -1) true",
        undo="podman rm --force drift-miner",
        ids=(f"{app}/container/drift-miner",),
    )
    store = environment.in_group("log")[0]
    yield Edit(
        kind="route gone",
        host=store,
        do=f"ip -4 route show default > {KEPT}/route; ip route delete default",
        undo=f"ip route add $(cat {KEPT}/route)",
        ids=(f"{store}/route/",),
    )


def _of_the_estate() -> Iterable[Edit]:
    incus = environment.environment().incus
    project = f"--project {incus.project}"
    one, other = environment.ours()[:2]
    bridge = f"{incus.prefix}-dmz"
    yield Edit(
        kind="instance's configuration",
        host="",
        do=f"incus config get {one} limits.memory {project} > {KEPT}/memory; "
        f"incus config set {one} limits.memory=300MiB {project}",
        undo=f"incus config set {one} limits.memory=$(cat {KEPT}/memory) {project}",
        ids=(f"{one}/instance/{one}",),
    )
    yield Edit(
        kind="instance's configuration",
        host="",
        do=f"incus config set {other} security.nesting=true {project}",
        undo=f"incus config unset {other} security.nesting {project}",
        ids=(f"{other}/instance/{other}",),
    )
    yield Edit(
        kind="instance",
        host="",
        do=f"incus init --empty drift-foreign {project} --storage {incus.pool}",
        undo=f"incus delete drift-foreign {project}",
        ids=("estate/instance/drift-foreign",),
    )
    yield Edit(
        kind="network",
        host="",
        do=f"incus network create {incus.prefix}-drift ipv4.address=none ipv6.address=none",
        undo=f"incus network delete {incus.prefix}-drift",
        ids=(f"estate/network/{incus.prefix}-drift",),
    )
    yield Edit(
        kind="network's configuration",
        host="",
        do=f"incus network set {bridge} bridge.mtu=1400",
        undo=f"incus network unset {bridge} bridge.mtu",
        ids=(f"estate/network/{bridge}", "estate/network/dmz"),
    )
