"""Zones as dnsviz judges them: asked from a host, judged here."""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import io
import json
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

from province.lab.places import PROGRAMS
from tests.support.places import Place, ask


def hear(place: Place, zones: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the servers of zones answered to all that dnsviz asks, as it writes it down.

    `zones` gives each zone its servers, `name=address`, IPv6 addresses in brackets. What the parent of a zone
    says of it is not asked: zones of a lab have no parent. A zone that nothing was asked of is an
    AssertionError, so that silence is not taken for health.
    """
    asked = {"packages": _packages(), "zones": {zone: list(servers) for zone, servers in zones.items()}}
    written: dict[str, Any] = ask(place, "dns_probe", asked)
    unheard = [zone for zone in zones if not written.get(_absolute(zone), {}).get("queries")]
    assert not unheard, f"nothing was asked of {unheard}"
    return written


def complaints(written: Mapping[str, Any], zones: Iterable[str]) -> dict[str, list[str]]:
    """Errors and warnings of each zone, `where: what`; none for a zone that is clean."""
    judged = subprocess.run(
        [str(PROGRAMS / "dnsviz"), "grok", "--log-level=warning"],
        input=json.dumps(written),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    found = json.loads(judged.stdout) if judged.stdout.strip() else {}
    return {zone: list(_sentences(found.get(_absolute(zone), {}))) for zone in zones}


def forged(written: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The same with another serial in every answer about the zone's SOA, and its signature as it was."""
    copy: dict[str, Any] = json.loads(json.dumps(written))
    changed = 0
    for query in copy[_absolute(zone)]["queries"]:
        for clients in query["responses"].values():
            for response in clients.values():
                message = dns.message.from_wire(base64.b64decode(response["message"]))
                soa = message.get_rrset(
                    dns.message.ANSWER, dns.name.from_text(zone), dns.rdataclass.IN, dns.rdatatype.SOA
                )
                if soa is not None:
                    (record,) = soa
                    soa.items = {record.replace(serial=record.serial + 1): None}
                    response["message"] = base64.b64encode(message.to_wire()).decode()
                    changed += 1
    assert changed, "no answer has an SOA"
    return copy


def _absolute(zone: str) -> str:
    return f"{zone.rstrip('.')}."


def _sentences(node: Any, where: str = "") -> Iterator[str]:
    """Every error and warning below a node of dnsviz's judgement, with the way to it."""
    if isinstance(node, list):
        for entry in node:
            yield from _sentences(entry, where)
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("errors", "warnings"):
            yield from (f"{where}: {entry['description']}" for entry in value)
        else:
            yield from _sentences(value, f"{where}/{key}")


@cache
def _packages() -> str:
    """The two packages in pure Python, and what dnsviz wants to know of itself, as base64 of a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("dns", "dnsviz"):
            found = importlib.util.find_spec(name)
            assert found is not None
            assert found.origin is not None
            folder = Path(found.origin).parent
            for path in sorted(folder.rglob("*.py")):
                archive.write(path, str(path.relative_to(folder.parent)))
        metadata = importlib.metadata.distribution("dnsviz").read_text("METADATA")
        assert metadata is not None
        archive.writestr(f"dnsviz-{importlib.metadata.version('dnsviz')}.dist-info/METADATA", metadata)
    return base64.b64encode(packed.getvalue()).decode()
