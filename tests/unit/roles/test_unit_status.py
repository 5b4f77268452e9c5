"""The program that tells a unit whether it is connected: what it concludes, and what it says."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROLE = Path(__file__).resolve().parents[3] / "roles/unit_status/files/usr/local"
HOUR = 3600.0


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program as a module; it is installed without `.py`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("unit_status", str(ROLE / "sbin/unit-status"))
    specification = importlib.util.spec_from_loader("unit_status", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "unit_status", module)
    loader.exec_module(module)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Ho_Chi_Minh")
        time.tzset()
        yield module
    time.tzset()


class Unit:
    """A unit's gateway, look by look; `at` is the clock."""

    def __init__(self, program: ModuleType, known: Any = None, at: float = 1000.0) -> None:
        self.program = program
        self.state = known or program.loaded("", at)
        self.watch = program.Watch(started=at)
        self.bytes = 0

    def look(self, at: float, *, routed: bool, hears: bool) -> Any:
        """One look; `hears`: something came out of a tunnel since the last one."""
        self.bytes += 100 if hears else 0
        self.state = self.program.judge(self.state, self.program.Seen(routed, self.bytes), self.watch, at)
        return self.state


def test_a_cut_is_dated_by_what_was_heard_last_and_not_by_when_it_was_noticed(program: ModuleType) -> None:
    unit = Unit(program)
    for at in range(1000, 1100, 3):
        unit.look(at, routed=True, hears=True)
    for at in range(1100, 1130, 3):  # a session is held for a while after its line is gone
        assert unit.look(at, routed=True, hears=False).state == "connected"
    told = unit.look(1130, routed=False, hears=False)
    assert (told.state, told.since) == ("cut", 1099.0)
    assert unit.look(5000, routed=False, hears=False) == told


def test_after_the_return_it_says_from_when_to_when_it_was_cut_off(program: ModuleType) -> None:
    unit = Unit(program)
    unit.look(1000, routed=True, hears=True)
    unit.look(1003, routed=True, hears=True)
    unit.look(1040, routed=False, hears=False)
    told = unit.look(2000, routed=True, hears=True)
    assert (told.state, told.since) == ("connected", 2000)
    assert told.cuts == (program.Cut(1003, 2000),)


def test_packets_of_a_hub_that_knows_no_way_to_the_centre_do_not_move_the_beginning(
    program: ModuleType,
) -> None:
    unit = Unit(program)
    unit.look(1000, routed=True, hears=True)
    unit.look(1003, routed=False, hears=True)
    began = unit.state.since
    assert unit.look(1500, routed=False, hears=True).since == began


def test_a_cut_survives_a_reboot_with_its_moment(program: ModuleType) -> None:
    unit = Unit(program)
    unit.look(1000, routed=True, hears=True)
    cut = unit.look(1040, routed=False, hears=False)
    kept = json.dumps(asdict(cut))
    again = Unit(program, program.loaded(kept, 2000), at=2000)
    assert again.look(2000, routed=False, hears=False).state == "cut"
    assert again.look(2000 + HOUR, routed=False, hears=False).since == cut.since


def test_a_reboot_is_no_cut_while_sessions_may_still_come(program: ModuleType) -> None:
    known = program.State("connected", 500.0, 990.0)
    unit = Unit(program, known, at=1000)
    assert unit.look(1003, routed=False, hears=False).state == "starting"
    assert unit.look(1080, routed=False, hears=False).state == "starting"
    told = unit.look(1085, routed=True, hears=True)
    assert (told.state, told.since, told.cuts) == ("connected", 500.0, ())


def test_a_reboot_without_a_line_becomes_a_cut_from_before_the_reboot(program: ModuleType) -> None:
    unit = Unit(program, program.State("connected", 500.0, 990.0), at=1000)
    unit.look(1003, routed=False, hears=False)
    told = unit.look(1000 + program.GRACE, routed=False, hears=False)
    assert (told.state, told.since) == ("cut", 990.0)


def test_a_gateway_that_was_without_power_for_an_hour_was_cut_off_for_an_hour(program: ModuleType) -> None:
    unit = Unit(program, program.State("connected", 500.0, 1000.0), at=1000 + HOUR)
    unit.look(1003 + HOUR, routed=False, hears=False)
    told = unit.look(1030 + HOUR, routed=True, hears=True)
    assert (told.state, told.since) == ("connected", 1030 + HOUR)
    assert told.cuts == (program.Cut(1000.0, 1030 + HOUR),)


def test_a_line_that_is_cut_soon_after_the_watcher_started_is_a_cut_at_once(program: ModuleType) -> None:
    unit = Unit(program, program.State("connected", 500.0, 999.0), at=1000)
    unit.look(1000, routed=True, hears=False)
    assert unit.look(1003, routed=False, hears=False).state == "cut"


def test_a_gateway_that_never_had_a_connection_says_so_and_has_no_cut(program: ModuleType) -> None:
    unit = Unit(program)
    assert unit.look(1003, routed=False, hears=False).state == "never"
    assert unit.look(1003 + HOUR, routed=False, hears=True).state == "never"
    assert unit.look(9000, routed=True, hears=True).cuts == ()


def test_a_clock_that_is_set_back_puts_nothing_into_the_future(program: ModuleType) -> None:
    unit = Unit(program, program.State("cut", 5000.0, 5000.0), at=1000)
    told = unit.look(1000, routed=False, hears=False)
    assert told.since <= 1000
    assert told.heard <= 1000


def test_the_last_cuts_are_kept_and_no_more(program: ModuleType) -> None:
    unit = Unit(program)
    unit.look(0, routed=True, hears=True)
    for number in range(1, 40):
        unit.look(number * 100, routed=False, hears=False)
        unit.look(number * 100 + 50, routed=True, hears=True)
    assert len(unit.state.cuts) == program.REMEMBERED
    assert unit.state.cuts[0].ended == 3950


@pytest.mark.parametrize("text", ["", "nothing", "[]", '{"state": "lost"}', '{"state": "cut", "since": "x"}'])
def test_a_state_that_cannot_be_read_is_as_if_there_were_none(program: ModuleType, text: str) -> None:
    assert program.loaded(text, 7.0) == program.State("never", 7.0, 0.0)


def summary(state: str, prefixes: int) -> dict[str, Any]:
    """An answer of bgpd."""
    return {
        "ipv4Unicast": {"peers": {"10.0.0.1": {"state": state, "pfxRcd": prefixes}}},
        "ipv6Unicast": {"peers": {"fd00::1": {"state": "Active", "pfxRcd": 0}}},
    }


def test_a_session_counts_only_with_a_way_to_the_centre(program: ModuleType) -> None:
    assert program.routed(summary("Established", 3))
    assert not program.routed(summary("Established", 0))
    assert not program.routed(summary("Active", 3))
    assert not program.routed({})


def test_received_bytes_are_those_of_all_tunnels_that_exist(program: ModuleType, tmp_path: Path) -> None:
    for name, count in (("wg-hub1", 5), ("wg-hub2", 7)):
        place = tmp_path / name / "statistics"
        place.mkdir(parents=True)
        (place / "rx_bytes").write_text(f"{count}\n")
    assert program.received(("wg-hub1", "wg-hub2", "wg-hub3"), tmp_path) == 12


def test_a_unit_runs_when_the_kernel_knows_processes_of_it(program: ModuleType, tmp_path: Path) -> None:
    for name, word in (("a.service", "populated 1\nfrozen 0\n"), ("b.service", "populated 0\nfrozen 0\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.events").write_text(word)
    found = program.running(("a.service", "b.service", "c.service"), tmp_path)
    assert found == {"a.service": True, "b.service": False, "c.service": False}


@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (0, "chưa đến một phút", "less than a minute"),
        (59, "chưa đến một phút", "less than a minute"),
        (60, "1 phút", "1 min"),
        (3 * HOUR + 125, "3 giờ 2 phút", "3 h 2 min"),
        (50 * HOUR, "2 ngày 2 giờ", "2 d 2 h"),
        (-5, "chưa đến một phút", "less than a minute"),
    ],
)
def test_a_duration_is_said_in_two_units(program: ModuleType, seconds: float, vi: str, en: str) -> None:
    assert program.lasted(seconds) == (vi, en)


def shown(program: ModuleType, state: Any, now: float, **report: Any) -> str:
    """The page for a state."""
    configuration = program.Configuration(
        unit="Xã <Thử>",
        province="Tỉnh Điện Biên",
        tunnels=("wg-hub1",),
        listen=(),
        port=80,
        interval=3,
        contacts=({"vi": "Cán bộ", "en": "Officer", "mailbox": "a@b"},),
        services=({"what": "names", "unit": "unbound.service"},),
        names_kept=86400,
        warnings="",
        state="",
    )
    told = program.Report(state, report.get("running", {"unbound.service": True}), report.get("warnings", ()))
    text: str = program.page(configuration, told, now, (ROLE / "share/unit-status/page.html").read_text())
    assert "$" not in text
    return text


def words(text: str) -> str:
    """What a reader sees of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style>.*</style>", "", text)).split())


def test_the_page_of_a_cut_says_since_when_in_the_form_people_write(program: ModuleType) -> None:
    began = 1763859840.0  # 08:04 on 23/11/2025 in Vietnam
    text = words(shown(program, program.State("cut", began, began), began + 2 * HOUR))
    assert "Mất kết nối tới Trung tâm" in text
    assert "Từ 08:04 ngày 23/11/2025" in text
    assert "Đã 2 giờ" in text
    assert "đến 08:04 ngày 24/11/2025" in text  # until then names are kept


def test_names_are_no_longer_promised_after_a_day(program: ModuleType) -> None:
    state = program.State("cut", 1000.0, 1000.0)
    assert '<li data-works="names" data-runs="true">' in shown(program, state, 1000.0 + HOUR)
    assert '<li data-works="names" data-runs="false">' in shown(program, state, 1000.0 + 25 * HOUR)


def test_a_service_that_does_not_run_is_not_promised(program: ModuleType) -> None:
    state = program.State("connected", 1000.0, 1000.0)
    text = shown(program, state, 1001.0, running={"unbound.service": False})
    assert '<li data-works="names" data-runs="false">' in text


def test_the_page_after_a_return_says_so_with_the_cut(program: ModuleType) -> None:
    cut = program.Cut(1763859840.0, 1763863440.0)
    text = words(shown(program, program.State("connected", cut.ended, cut.ended, (cut,)), cut.ended + 5))
    assert "Đã có kết nối trở lại, sau khi mất kết nối từ 08:04 ngày 23/11/2025 (1 giờ)" in text


def test_names_from_outside_cannot_write_into_the_page(program: ModuleType) -> None:
    warning = {"kind": "dhcp", "segment": "<i>", "mac": "<script>", "address": "x", "first": 0.0}
    text = shown(program, program.State("connected", 1.0, 1.0), 2.0, warnings=[warning])
    assert "Xã &lt;Thử&gt;" in text
    assert "<script>" not in text
    assert "đang cấp địa chỉ trên mạng" in words(text)
