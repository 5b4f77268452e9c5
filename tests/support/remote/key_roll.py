"""Sign a zone with keys that live for seconds, and ask a validating resolver for it all the while.

Runs on a host under test, standard library only, with a Knot and an Unbound of its own below a folder that is
thrown away, on ports of the loopback interface; the host's own servers are not touched.
Standard input: one line of JSON, `{seconds, authority, resolver}`: how long, and the two ports.
Standard output: one line `{started, asked, codes, unproven, signers}`: questions, how often each code was
heard, answers that were not proven (no AD), and tags of the keys that signed, in the order of their coming.
"""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ZONE, NAME = "roll.test", "www.roll.test"
RRSIG = 46
KNOT = """
server:
    rundir: {place}
    listen: 127.0.0.1@{authority}
log:
  - target: stderr
    any: error
database:
    storage: {place}
policy:
  - id: quick
    algorithm: ecdsap256sha256
    ksk-lifetime: 0
    zsk-lifetime: 5s
    dnskey-ttl: 1s
    zone-max-ttl: 1s
    propagation-delay: 1s
    rrsig-lifetime: 60s
    rrsig-refresh: 30s
    rrsig-pre-refresh: 1s
    cds-cdnskey-publish: none
zone:
  - domain: {zone}
    storage: {place}
    file: zone
    zonefile-load: difference-no-serial
    zonefile-sync: -1
    journal-content: all
    dnssec-signing: on
    dnssec-policy: quick
"""
RECORDS = """@ 1 SOA ns.{zone}. hostmaster.{zone}. 1 3600 900 86400 1
@ 1 NS ns.{zone}.
ns 1 A 192.0.2.1
www 1 A 192.0.2.80
"""
UNBOUND = """
server:
    interface: 127.0.0.1@{resolver}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: {place}
    pidfile: {place}/unbound.pid
    use-syslog: no
    do-not-query-localhost: no
    cache-max-ttl: 1
    key-cache-size: 64k
    trust-anchor: "{anchor}"
    local-zone: test. nodefault
remote-control:
    control-enable: no
stub-zone:
    name: {zone}
    stub-addr: 127.0.0.1@{authority}
"""


def question(number: int) -> bytes:
    """A question for an address with its signatures (DO)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split(".")) + b"\0"
    option = b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, 0)
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1) + labels + struct.pack("!HH", 1, 1) + option


def heard(packet: bytes) -> tuple[int, bool, list[int]]:
    """The code, whether the resolver has proven it, and the tags of the keys that signed the answer."""
    _, flags, _, answers, _, _ = struct.unpack_from("!HHHHHH", packet)
    offset, tags = 12 + len(NAME) + 2 + 4, []
    for _ in range(answers):
        offset += 2  # names of answers are pointers to the question
        kind, _, _, length = struct.unpack_from("!HHIH", packet, offset)
        offset += 10
        if kind == RRSIG:
            tags.append(struct.unpack_from("!H", packet, offset + 16)[0])
        offset += length
    return flags & 15, bool(flags & 0x0020), tags


def keymgr(place: Path, *command: str) -> str:
    """What keymgr says of the zone."""
    listed = ["keymgr", "-c", str(place / "knot.conf"), ZONE, *command]
    return subprocess.run(listed, check=True, capture_output=True, text=True).stdout.strip()


def watch(port: int, seconds: float) -> dict[str, object]:
    """Ask ten times a second and count."""
    codes: dict[str, int] = {}
    signers: list[int] = []
    asked = unproven = 0
    end, pace = time.monotonic() + seconds, threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", port))
        line.settimeout(2)
        while time.monotonic() < end:
            asked += 1
            try:
                line.send(question(asked & 0xFFFF))
                code, proven, tags = heard(line.recv(4096))
            except OSError:
                codes["silent"] = codes.get("silent", 0) + 1
                continue
            codes[str(code)] = codes.get(str(code), 0) + 1
            unproven += not proven
            signers += [tag for tag in tags if tag not in signers]
            pace.wait(0.1)
    return {"asked": asked, "codes": codes, "unproven": unproven, "signers": signers}


def begun(port: int) -> bool:
    """Whether the resolver gives a proven answer; after half a minute it never will."""
    tried = (watch(port, 0.4) for _ in range(60))
    return any(seen["codes"] == {"0": seen["asked"]} and not seen["unproven"] for seen in tried)


def main() -> None:
    """Start both, wait for the first proven answer, watch, take all away."""
    request = json.loads(sys.stdin.readline())
    place = Path(tempfile.mkdtemp(prefix="key-roll-"))
    running: list[subprocess.Popen[bytes]] = []
    try:
        words = {**request, "place": place, "zone": ZONE}
        (place / "knot.conf").write_text(KNOT.format(**words))
        (place / "zone").write_text(RECORDS.format(**words))
        keymgr(place, "generate", "algorithm=ecdsap256sha256", "ksk=yes")
        keymgr(place, "generate", "algorithm=ecdsap256sha256", "zsk=yes")
        tag = keymgr(place, "list").split("KSK")[0].split()[-1]
        (place / "unbound.conf").write_text(UNBOUND.format(anchor=keymgr(place, "dnskey", tag), **words))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": place}
        for command in (
            ["knotd", "-c", str(place / "knot.conf")],
            ["unbound", "-c", str(place / "unbound.conf")],
        ):
            running.append(subprocess.Popen(command, **quiet))  # type: ignore[call-overload]  # of mixed values
        started = begun(int(request["resolver"]))
        seen = watch(int(request["resolver"]), float(request["seconds"])) if started else {}
        sys.stdout.write(json.dumps({"started": started, **seen}) + "\n")
    finally:
        for process in running:
            process.terminate()
            process.wait(10)
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
