"""What signatures cost: name servers and resolvers with signed zones beside the same with unsigned ones.

Both run the files that the plan gives them, for a province of `size` units, in network namespaces of this
machine, with Knot and Unbound of the host image. Two things are not as in life: limits of questions are off,
which are far below what is asked here, and one name server has the addresses of both. Who asks is one Python
process on the same cores: answers in a second are those of both together. So what is judged is the
processor's time of the server alone.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_hub import PATIENCE, _Keys
from tests.benchmarks.harness import Benchmark, Bound, Figure, Meter, Side
from tests.support.country import COMMUNES, write_country
from tests.support.eventually import eventually
from tests.support.host_root import Space, joined, spaces, unpack
from tests.support.repository import ROOT

KEY = "dnssec/ksk-1"
SIGNED, UNSIGNED = "signed", "unsigned"
TIMES = 20  # each name is asked of who knows it: the processor is counted in hundredths of a second
RECORDS = {"A": 1, "AAAA": 28}


class _Signing(_Keys):
    """The same, and one key that signs."""

    def __init__(self, public: str) -> None:
        self.public = public

    def __getitem__(self, name: str) -> str:
        return self.public if name == KEY else super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        return iter((KEY,))


def _make(folder: Path, units: int) -> None:
    """Files of a name server and a resolver, once with a key that signs and once without; names; a root."""
    from dataclasses import replace

    from province.hosts import built_hosts, plan_for
    from province.ledger import Kind, Ledger
    from province.render.configurations import Renderer, as_if_built, chosen, program_for
    from province.sources import load_sources

    number = next(n for n in range(units, 2 * units + 2) if n - n // 50 == units)
    write_country(folder / "country", number)
    environment = as_if_built(load_sources(folder / "country"))
    plan = plan_for(environment)
    environment = replace(environment, units=chosen(plan, (), "country"))
    renderer = Renderer(program_for(ROOT, ROOT / "inventories/common/group_vars"), environment, plan)
    ledger = Ledger.create(folder / "ledger")
    public = ledger.ensure_keypair(KEY, Kind.DNSSEC)
    private = ledger.secret(KEY).decode()
    given: dict[str, Any] = {}
    for side, keys in ((SIGNED, _Signing(public)), (UNSIGNED, _Keys())):
        for machine in ("ns", "resolver"):
            hosts = [h for h in built_hosts(environment, plan, keys) if h.planned.machine == machine]
            own = [i for h in hosts for i in h.planned.interfaces if i.name != "mgmt"]
            given[machine] = [str(a.ip) for i in own for a in i.addresses]
            for file in renderer.render(hosts[0]).files:
                if file.path.startswith(("/etc/knot/", "/etc/unbound/", "/usr/local/sbin/dns-")):
                    text = file.content.decode().replace(f"<ledger: {KEY}>", json.dumps(private)[1:-1])
                    text = re.sub(r"<ledger: [^>]*>", "c2VjcmV0", text)
                    text = re.sub(r"(?m)^( +(?:ip-)?ratelimit:).*", r"\1 0", text)
                    text = re.sub(r"(?m)^( +listen:).*", rf"\1 [ {', '.join(given['ns'])} ]", text)
                    target = folder / side / file.path.lstrip("/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text, encoding="utf-8")
                    target.chmod(0o755 if "sbin" in file.path else 0o644)
            zones = folder / side / "etc/knot/zones"
    found = re.findall(
        r"(?m)^(cpe-\S+) \d+ (A|AAAA) ", (zones / f"{plan.domain}.zone").read_text(encoding="utf-8")
    )
    given["names"] = [[name, RECORDS[kind]] for name, kind in sorted(found)]
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    root = unpack(folder)
    shutil.copytree(folder / SIGNED, root, dirs_exist_ok=True)
    with spaces(root, "keys") as (space,):
        # As its unit does: keys of the ledger, and Knot's own, before the server starts.
        space.run("chown", "-R", "knot:knot", "/var/lib/knot", "/etc/knot")
        space.run(
            "setpriv", "--reuid=knot", "--regid=knot", "--init-groups", "/usr/local/sbin/dns-signing-keys"
        )
    shutil.move(root / "var/lib/knot", folder / "keys")


def _prepare(side: str) -> Any:
    def prepared(folder: Path, size: int) -> tuple[Path, dict[str, Any], str]:
        """The side's files in the root, and nothing of an earlier round."""
        del size
        root = folder / "root"
        given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
        shutil.copytree(folder / side, root, dirs_exist_ok=True)
        shutil.copy(ROOT / "tests/support/remote/ask_fast.py", root / "tmp/ask_fast.py")
        shutil.rmtree(root / "var/lib/knot", ignore_errors=True)
        if side == SIGNED:
            shutil.copytree(folder / "keys", root / "var/lib/knot")
        (root / "var/lib/knot").mkdir(exist_ok=True)
        return root, given, side

    return prepared


def _run(prepared: tuple[Path, dict[str, Any], str], meter: Meter) -> dict[str, Any]:
    root, given, side = prepared
    signed = side == SIGNED
    heard = {}
    with spaces(root, "ns", "resolver") as (ns, resolver):
        joined(ns, resolver, ("line", "line"))
        for space, own, others in ((ns, "ns", "resolver"), (resolver, "resolver", "ns")):
            lines = [f"address add {a}/{_bits(a)} dev line nodad" for a in given[own]]
            lines += [f"route add {a}/{_bits(a)} dev line" for a in given[others]]
            space.run("ip", "-batch", "-", text="\n".join(lines) + "\n")
        ns.run("install", "-d", "-o", "knot", "-g", "knot", "/run/knot")
        ns.run("chown", "-R", "knot:knot", "/var/lib/knot", "/etc/knot")
        ns.start("knotd", "-c", "/etc/knot/knot.conf")
        first, asked = given["names"][0][0], ("+dnssec", "+time=1", "+retry=0")
        wanted = "RRSIG" if signed else "NOERROR"
        server, own = given["ns"][0], given["resolver"][0]
        eventually(lambda: wanted in resolver.run("kdig", f"@{server}", first, *asked, check=False), PATIENCE)
        eventually(_quiet(ns), PATIENCE)
        resolver.start("unbound", "-d", "-c", "/etc/unbound/unbound.conf")
        # A name of the resolver's own: what is measured as unknown is unknown.
        eventually(
            lambda: "NOERROR" in resolver.run("kdig", f"@{own}", "localhost", *asked, check=False), PATIENCE
        )
        with meter.whole():
            for what, who, program, address, times, dnssec in (
                ("Knot", ns, "knotd", server, TIMES, False),
                ("Knot, DO", ns, "knotd", server, TIMES, True),
                ("Unbound, unknown", resolver, "unbound", own, 1, False),
                ("Unbound, known", resolver, "unbound", own, TIMES, False),
            ):
                heard[what] = _pass(
                    meter, what, resolver, (who, program), given["names"], (address, times, dnssec)
                )
        meter.parts["MiB of Unbound"] = resolver.memory("unbound")
        checked = {what: said["checked"] / said["asked"] for what, said in heard.items()}
        assert checked == {what: float(signed and "Unbound" in what) for what in heard}, checked
    return {what: {key: said[key] for key in ("asked", "answers")} for what, said in heard.items()}


def _quiet(ns: Space) -> Callable[[], bool]:
    """Whether the name server has loaded and signed all zones: it works no more."""
    seen = [-1.0]

    def asked() -> bool:
        seen.append(ns.worked("knotd"))
        return seen[-1] == seen[-2]

    return asked


def _pass(
    meter: Meter,
    what: str,
    asker: Space,
    answers: tuple[Space, str],
    names: list[list[Any]],
    ask: tuple[str, int, bool],
) -> dict[str, Any]:
    """Ask all names; what the program that answers used of the processor goes to the meter."""
    space, program = answers
    address, times, dnssec = ask
    before = space.worked(program)
    request = {"address": address, "names": names, "times": times, "dnssec": dnssec}
    text = asker.run("python3", "/tmp/ask_fast.py", text=json.dumps(request) + "\n")  # noqa: S108 - inside the root
    said: dict[str, Any] = json.loads(text)
    assert said["answers"] == said["asked"], f"{what}: {said}"
    thousands = said["asked"] / 1000
    meter.parts[f"{what}: ms of its processor for 1,000"] = (
        (space.worked(program) - before) * 1000 / thousands
    )
    meter.parts[f"{what}: answers in a second"] = said["asked"] / said["seconds"]
    meter.parts[f"{what}: bytes of an answer"] = said["bytes"] / said["asked"]
    meter.parts[f"{what}: asked again"] = said["again"]
    return said


def _bits(address: str) -> int:
    return 128 if ":" in address else 32


def _ratio(claim: str, part: str, most: float) -> Bound:
    of = f"{part}: ms of its processor for 1,000"
    figure, over = (Figure(side=side, size=COMMUNES, of=of) for side in (SIGNED, UNSIGNED))
    return Bound(claim=claim, figure=figure, over=over, most=most)


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        name="names",
        title="Names of 3,321 units, signed and checked beside unsigned",
        sides=tuple(
            Side(name=side, words=words, prepare=_prepare(side), run=_run, content=lambda made: made)
            for side, words in (
                (
                    SIGNED,
                    "Knot signs with the ledger's key, Unbound checks; without limits of questions, asked by "
                    "one Python process, 50 questions at a time, which limits answers in a second; `DO` asks "
                    "for signatures",
                ),
                (
                    UNSIGNED,
                    "the same files without a key, as the plan gives them where the ledger holds none",
                ),
            )
        ),
        sizes=(COMMUNES,),
        tiny=4,
        needs="image",
        make=_make,
        bounds=(
            _ratio(
                "the processor of a name server for an answer with signatures, signed to unsigned zone",
                "Knot, DO",
                2,
            ),
            _ratio(
                "the processor of a resolver for a name that it does not know, checked to unchecked",
                "Unbound, unknown",
                3,
            ),
            _ratio(
                "the processor of a resolver for a name that it knows, checked to unchecked",
                "Unbound, known",
                1.3,
            ),
        ),
    ),
)
