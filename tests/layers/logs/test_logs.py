"""Logs: what is written on any host is in the store, under its own name; strangers are refused."""

from __future__ import annotations

import base64
import json
import secrets

import pytest
import yaml

from province.ledger import Kind, Ledger, fingerprint
from tests.support import environment
from tests.support.eventually import eventually
from tests.support.logs import all_kept, kept, senders, store
from tests.support.places import batch, batch_all, machine
from tests.support.probes import Outcome, Question, questions

SENDERS = senders()
FOLDER = "/etc/province/log-forwarder"


@pytest.fixture
def mark() -> str:
    """A word that no other line has."""
    return f"mark-{secrets.token_hex(8)}"


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_a_marked_event_of_every_host_arrives_once_under_its_own_name(mark: str) -> None:
    """Written with a foreign name in it, too: the store names a line after the address that it came from."""
    said = {"write": f"logger -t marked {mark} of somebody-else"}
    for heard in batch_all(SENDERS, said).values():
        heard["write"].checked()
    found = all_kept({host: {f"{mark} of somebody-else"} for host in SENDERS}, mark, within=30)
    ours = [record for record in found if record["program"] == "marked"]
    assert sorted(record["host"] for record in ours) == sorted(SENDERS)
    # Gateways of all units call themselves the same: what a message says of its sender names nobody.
    gateways = {record["claims"] for record in ours if record["host"] in environment.in_group("unit_gateway")}
    assert gateways.isdisjoint(SENDERS)


@pytest.mark.requirement("tcvn-14423/5.8.2.1-time")
def test_a_line_has_the_time_of_its_sender_beside_that_of_the_store(mark: str) -> None:
    host = environment.only("unit_gateway")
    batch(machine(host), {"write": f"logger -t marked {mark}"})["write"].checked()
    (record,) = all_kept({host: {mark}}, mark, within=30)
    for field in ("sent", "received"):
        assert len(record[field]) == len("2026-11-22T10:00:00.000001+07:00"), record
    assert record["sent"] <= record["received"]


def test_a_refused_connection_is_there_with_source_destination_port_zone_and_host() -> None:
    """The store itself is asked on a port that no flow names, from a unit's computer's gateway."""
    host = environment.only("resolver")
    target = environment.facts(store())["log_store"]["listen"][0]
    port = 20000 + secrets.randbelow(10000)
    (answer,) = questions(machine(host), [Question(protocol="tcp", address=target, port=port, timeout=2)])
    assert answer.outcome is not Outcome.OPEN
    match = f"refused chain=out zone=servers .* DST={target} .* DPT={port} "
    lines = eventually(lambda: kept(match, [host]), within=30, every=1)
    mine = [a for i in environment.facts(host)["interfaces"] for a in (*i["addresses"], *i["vips"])]
    source = lines[0]["text"].partition("SRC=")[2].partition(" ")[0]
    assert source in [address.partition("/")[0] for address in mine]
    assert "OUT=srv " in lines[0]["text"]
    assert {line["host"] for line in lines} == {host}


def test_a_page_that_somebody_opened_is_there_from_the_gateway_and_from_the_container(mark: str) -> None:
    """One line of JSON each, as the record of the application promises (`shape: json`)."""
    app, pc = environment.only("app"), environment.only("workstation")
    name = environment.service("start").names[0]
    ask = f"curl --silent --output /dev/null --user-agent {mark} http://{name}/"
    batch(machine(pc), {"ask": ask})["ask"].checked()

    def there() -> bool:
        said = {record["program"]: record["text"] for record in kept(mark, [app])}
        assert set(said) == {"haproxy", "start-web"}
        assert {json.loads(text)["agent"] for text in said.values()} == {mark}
        return True

    eventually(there, within=30, every=1)


def _handshake(host: str, pair: str) -> str:
    """A RELP greeting inside TLS with a pair of this file; what comes back, in words."""
    listen = environment.facts(store())["log_store"]
    offer = "relp_version=0\\nrelp_software=check\\ncommands=syslog"
    size = len(offer.replace("\\n", "\n"))
    ask = (
        f"printf '1 open {size} {offer}\\n' | timeout 5 openssl s_client -quiet -verify_quiet -connect "
        f"{listen['listen'][0]}:{listen['port']} -cert {pair} -key {pair} 2>&1; true"
    )
    return str(batch(machine(host), {"ask": ask}, timeout=20)["ask"])


def test_a_stranger_with_a_certificate_of_its_own_is_refused_and_named(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The same kind of pair, from another ledger; its handshake ends, and the store says whose it was."""
    host = environment.only("app")
    ledger = Ledger.create(tmp_path_factory.mktemp("state") / "foreign")
    public = ledger.ensure_keypair("log/stranger", Kind.TLS)
    pair = base64.b64encode(ledger.secret("log/stranger")).decode()
    place = machine(host)
    try:
        batch(place, {"lay": f"umask 077; echo {pair} | base64 -d > /run/stranger.pem"})["lay"].checked()
        said = _handshake(host, "/run/stranger.pem")
        assert "rsp" not in said, said
        print_ = fingerprint(public)
        assert eventually(lambda: kept(print_, [store()]), within=30, every=1)
    finally:
        batch(place, {"away": "rm -f /run/stranger.pem"})
    assert "rsp" in _handshake(host, f"{FOLDER}/pair.pem"), "not even its own pair is taken: nothing is shown"


# The forwarder's own configuration, sent elsewhere: to whoever has a pair, on this host; what comes is shown.
ELSEWHERE = r"""
set -e; place=$(mktemp -d); trap 'kill -KILL $(jobs -p); wait; rm -rf $place' EXIT; mkdir $place/spool
sed "s|target=\"[^\"]*\"|target=\"127.0.0.1\"|; s|port=\"[0-9]*\"|port=\"PORT\"|; s|/var/spool/province-logs|$place/spool|" \
    FOLDER/rsyslog.conf > $place/conf
openssl s_server -accept 127.0.0.1:PORT -cert PAIR -key PAIR -quiet < /dev/zero > $place/came 2> $place/said &
timeout --signal=KILL 6 rsyslogd -n -iNONE -f $place/conf > $place/told 2>&1 || true
grep -m 1 fingerprint $place/told || tail -qc 300 $place/said $place/told; head -c 300 $place/came | tr -dc '[:print:]'
"""  # noqa: E501 - lines of a shell


@pytest.mark.parametrize("whose", ["the store's", "a stranger's"])
def test_hosts_tell_a_store_with_the_certificate_that_they_know_and_no_other(
    whose: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On the store's host, which sends as all others do and has the pair: only that one is greeted."""
    ledger = Ledger.create(tmp_path_factory.mktemp("state") / "foreign")
    ledger.ensure_keypair("log/stranger", Kind.TLS)
    pair = base64.b64encode(ledger.secret("log/stranger")).decode()
    place, known = machine(store()), whose == "the store's"
    path = "/etc/province/log-store/pair.pem" if known else "/run/stranger.pem"
    port = str(20000 + secrets.randbelow(10000))
    script = ELSEWHERE.replace("PORT", port).replace("PAIR", path).replace("FOLDER", FOLDER)
    try:
        batch(place, {"lay": f"umask 077; echo {pair} | base64 -d > /run/stranger.pem"})["lay"].checked()
        said = batch(place, {"it": script}, timeout=40)["it"]
    finally:
        batch(place, {"away": "rm -f /run/stranger.pem"})
    assert ("relp_version" in said) == known, f"{said} {said.err}"
    assert known or "fingerprint" in said, f"nobody came: {said} {said.err}"


@pytest.mark.parametrize("host", SENDERS)
def test_private_halves_are_for_root_alone_and_the_one_is_not_the_other_s(host: str) -> None:
    said = batch(machine(host), {"mode": f"stat -c '%a %U' {FOLDER} {FOLDER}/pair.pem {FOLDER}/rsyslog.conf"})
    assert said["mode"].checked().splitlines() == ["700 root", "600 root", "600 root"]


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_files_are_kept_three_months_and_go_after_their_term() -> None:
    """The host's own program on a folder with files of three ages; days are those in the names."""
    make = (
        "set -e; place=$(mktemp -d); trap 'rm -rf $place' EXIT; mkdir $place/h; "
        "for age in 1 2 92 99 102; do echo x > $place/h/$(date --date=-${age}days +%F).log; done; "
        "/usr/local/sbin/province-log-retention $place; cd $place/h; "
        "for age in 1 2 92 99 102; do ls | grep -q $(date --date=-${age}days +%F) && echo $age; done; "
        "ls | wc -l"
    )
    said = batch(machine(store()), {"term": make})["term"].checked()
    assert said.split() == ["1", "2", "92", "99", "4"]


@pytest.mark.requirement("tcvn-14423/5.8.2.1-central")
def test_a_disk_that_is_nearly_full_is_said_in_the_log_itself(mark: str) -> None:
    """A small file system of its own, filled; the warning goes the way of all lines."""
    fill = (
        f"set -e; place=/run/{mark}; mkdir $place; trap 'umount $place; rmdir $place' EXIT; "
        "mount -t tmpfs -o size=1m tmpfs $place; /usr/local/sbin/province-log-retention $place; "
        "head -c 900000 /dev/zero > $place/full; /usr/local/sbin/province-log-retention $place; "
        "df --output=pcent $place | tail -n 1 | tr -dc 0-9"
    )
    used = batch(machine(store()), {"fill": fill})["fill"].checked()
    text = f"store of logs: {used} % of the disk used"
    (record, *_) = eventually(lambda: kept(text, [store()]), within=30, every=1)
    assert record["severity"] == "warning"


def test_what_waits_on_hosts_is_no_more_than_they_may_keep() -> None:
    """Room for one file more: the queue takes one away when all of it has been sent."""
    defaults = environment.ROOT / "roles/log_forwarder/defaults/main.yml"
    most = yaml.safe_load(defaults.read_text(encoding="utf-8"))["log_forwarder_spool_mib"]
    said = batch_all(SENDERS, {"size": "du -sm /var/spool/province-logs | cut -f 1"})
    sizes = {host: int(heard["size"].checked()) for host, heard in said.items()}
    assert max(sizes.values()) <= most + 5, sizes
