"""What `province drift` says of a file or a host that it cannot work with: pinned in problems/<case>.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from province.cli import main
from province.drift import command
from province.drift.accepted import read
from province.drift.command import UNSEEN
from province.drift.findings import Finding, Outcome
from province.problems import ProblemsFoundError
from tests.support.broken.golden import compare, problems_as_said
from tests.support.repository import ROOT

CALLED = "inventories/lab/accepted-drift.yml"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("accepted-no-yaml", "accepted: [\n"),
        ("accepted-no-list", "accepted: yes\n"),
        ("accepted-other-keys", "accepted:\n  - {id: a, why: b}\n"),
        ("accepted-no-reason", "accepted:\n  - {id: a, reason: ' ', since: 2026-11-23}\n"),
        ("accepted-no-date", "accepted:\n  - {id: a, reason: b, since: yesterday}\n"),
    ],
)
def test_a_bad_file_is_said_in_words(case: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ProblemsFoundError) as caught:
        read(tmp_path / "a.yml", CALLED)
    compare(case, problems_as_said(caught.value.problems, tmp_path, ROOT))


def test_an_unknown_host_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path))
    assert main(["drift", "lab", "nobody-1"]) == UNSEEN
    compare("drift-unknown-host", "\n".join(capsys.readouterr().err.splitlines()[:1]) + "\n")


def test_what_is_not_found_is_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVINCE_STATE_DIR", str(tmp_path))
    seen = Finding(host="ns-1", kind="user", subject="m", found="there is a user m", wanted="none")
    monkeypatch.setattr(command, "observe", lambda *_, **__: Outcome(hosts=("ns-1",), findings=(seen,)))
    before = set((ROOT / "inventories/lab").iterdir())
    assert main(["drift", "lab", "--accept", "ns-1/user/n", "--reason", "why"]) == UNSEEN
    compare("drift-not-found", "\n".join(capsys.readouterr().err.splitlines()[:1]) + "\n")
    assert set((ROOT / "inventories/lab").iterdir()) == before
