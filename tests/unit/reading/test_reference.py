"""The tables of a plan: the same in every form, nothing left out, harmless whatever a name begins with."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from province import commands
from province.cli import main
from province.hosts import built_hosts, plan_for
from province.plan.as_json import as_json
from province.reading.difference import State
from province.reading.files import FORMULA, as_csv, as_xlsx, guarded, heading
from province.reading.pages import CELLS, Site, index_page, table_pages
from province.reading.reference import DRAWINGS, reference
from province.reading.tables import FEW_NETWORKS, TABLES, Column, Subject, Table
from province.render.configurations import as_if_built
from province.sources import load_sources
from tests.support.changes import REGISTER, UNITS, change, text, tree, unit
from tests.support.repository import ROOT

DIEN_BIEN = ROOT / "inventories/registers/dien-bien"
# Where a name of a unit may begin like a formula, and hold what HTML takes for its own.
HOSTILE = ("-1+2 A&B (')", "+84 'Xã' & Co")
FORMULAS = ('=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\tx")
NAMES = (*FORMULAS, "<script>alert(1)</script>", "\"&'</td>", "a,b\nc", "")


class Page(HTMLParser):
    """What a page holds: the cells of its table, its links, its ids, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.heads: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A cell, a row or a link begins."""
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag in ("thead", "tbody"):
            self._inside.append(tag)
        elif tag == "tr" and self._inside == ["tbody"]:
            self.rows.append([])
        elif tag in ("td", "th") and self._inside == ["tbody"]:
            self.rows[-1].append("")
            self._inside.append(tag)
        elif tag == "th":
            self.heads.append("")
            self._inside.append(tag)
        elif tag == "a":
            self.links.append(str(given["href"]))

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Text of a cell."""
        if self._inside == ["tbody", "td"] or self._inside == ["tbody", "th"]:
            self.rows[-1][-1] += data
        elif self._inside == ["thead", "th"]:
            self.heads[-1] += data


def from_csv(raw: bytes) -> list[list[str]]:
    """The cells of a CSV, as a program reads them that knows nothing of us."""
    assert raw.startswith(b"\xef\xbb\xbf"), "without the mark, spreadsheets take it for an older encoding"
    assert raw.endswith(b"\r\n"), "a line ends as RFC 4180 says"
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def from_xlsx(raw: bytes) -> list[list[str]]:
    """The cells of a workbook's first sheet; none of them may be a formula."""
    book = openpyxl.load_workbook(io.BytesIO(raw))
    sheet = book.worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


def plain(table: Table) -> list[list[str]]:
    """The rows of a table as text."""
    return [[str(cell) for cell in row] for row in table.rows]


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(state=state_of(DIEN_BIEN))


def state_of(register: Path) -> State:
    """A register as a state."""
    sources = load_sources(register)
    return State(
        label="",
        plan=sources.plan(),
        register=sources.register,
        catalogue=sources.catalogue,
        apps=sources.apps,
    )


@pytest.fixture(scope="module")
def plan(subject: Subject) -> Any:
    return as_json(subject.state.plan)


def pages_of(table: Table) -> list[Page]:
    site = Site(province="Tỉnh", source="")
    return [Page(page) for page in table_pages(table, site, [table]).values()]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_same_in_every_form(name: str, subject: Subject) -> None:
    table = TABLES[name](subject)
    assert len(table.rows) > 3
    assert {len(row) for row in table.rows} == {len(table.columns)}
    wanted = plain(table)
    read = from_csv(as_csv(table))
    assert read[0] == [heading(column) for column in table.columns]
    assert [[cell.removeprefix("'") for cell in row] for row in read[1:]] == wanted
    sheet = from_xlsx(as_xlsx(table, ()))
    assert [head.split("\n")[0] for head in sheet[0]] == [column.vi for column in table.columns]
    assert sheet[1:] == wanted
    pages = pages_of(table)
    assert [row for page in pages for row in page.rows] == wanted
    for page in pages:
        assert all(head.startswith(c.vi) for head, c in zip(page.heads, table.columns, strict=True))


def column(table: Table, key: str) -> list[Any]:
    """One column of a table."""
    place = [c.key for c in table.columns].index(key)
    return [row[place] for row in table.rows]


@pytest.mark.requirement("tcvn-14423/5.2.2.1-register")
def test_everything_planned_is_in_its_table_exactly_once(subject: Subject, plan: Any) -> None:
    made = {name: make(subject) for name, make in TABLES.items()}
    ours = [host for host in plan["hosts"] if host["owner"] != "carrier"]
    assert column(made["address-table"], "segment") == [s["id"] for s in plan["segments"]]
    assert column(made["device-list"], "host") == [host["name"] for host in ours]
    assert column(made["service-list"], "id") == [service["id"] for service in plan["services"]]
    assert column(made["flow-list"], "id") == [flow["id"] for flow in plan["flows"]]
    assert column(made["unit-list"], "id") == [entry["id"] for entry in plan["units"]]
    listed = made["host-addresses"]
    pairs = Counter(zip(column(listed, "host"), column(listed, "interface"), strict=True))
    assert pairs == Counter((host["name"], i["name"]) for host in ours for i in host["interfaces"])
    given = {a for i in ours for n in i["interfaces"] for a in n["addresses"]}
    assert {a for key in ("ipv4", "ipv6") for cell in column(listed, key) for a in cell.split()} == given


def test_an_address_row_says_what_the_plan_and_the_hosts_say(subject: Subject, plan: Any) -> None:
    table = TABLES["address-table"](subject)
    rows = {row[0]: dict(zip((c.key for c in table.columns), row, strict=True)) for row in table.rows}
    by_unit = {entry["id"]: entry for entry in plan["units"]}
    for segment in plan["segments"]:
        row = rows[segment["id"]]
        assert (row["ipv4"], row["ipv6"]) == (segment["network4"], segment["network6"])
        assert row["gateway4"] == (segment["gateway4"] or "")
        assert row["vlan"] == (segment["vlan"] or "")
        if segment["owner"] in by_unit:
            assert row["as"] == by_unit[segment["owner"]]["asn"]
            assert row["place"] == by_unit[segment["owner"]]["name"]
    environment = as_if_built(load_sources(DIEN_BIEN))
    built = replace(environment, units=tuple(by_unit))
    leases = {
        lease["network"]: (lease["pool_start"], lease["pool_end"])
        for host in built_hosts(built, plan_for(built), {})
        for lease in host.facts()["dhcp"]
    }
    said = {row["ipv4"]: (row["lease_from"], row["lease_to"]) for row in rows.values() if row["lease_from"]}
    assert said == leases


def test_a_flow_says_who_may_speak_to_whom_in_a_cell_that_can_be_read(subject: Subject) -> None:
    table = TABLES["flow-list"](subject)
    rows = {str(row[0]): dict(zip((c.key for c in table.columns), row, strict=True)) for row in table.rows}
    start = rows["staff-start"]
    assert start["from"] == "Máy tính cán bộ · staff: cả 65 đơn vị · all 65 units"
    assert (start["sphere"], rows["staff-start-party"]["sphere"]) == (
        "Khối chính quyền · government",
        "Khối Đảng · Party",
    )
    within = str(start["from4"]).partition(" networks in ")[2].split()
    pools = subject.state.register.pools
    names = ("department", "hospital", "commune", "school")
    assert set(within) == {str(pools[name].network4) for name in names}
    assert str(start["from4"]).startswith("65 mạng trong · 65 networks in ")
    assert all(row["reason"] for row in rows.values())
    assert all(row["owner"] for row in rows.values())
    assert max(len(str(cell)) for row in table.rows for cell in row) < 400


def lines_of(table: Table) -> list[dict[str, Any]]:
    """Rows by the keys of their columns."""
    return [dict(zip((c.key for c in table.columns), row, strict=True)) for row in table.rows]


def test_a_flow_row_says_what_the_plan_says(subject: Subject, plan: Any) -> None:
    rows = {row["id"]: row for row in lines_of(TABLES["flow-list"](subject))}
    exact = 0
    for flow in plan["flows"]:
        row = rows[flow["id"]]
        assert (row["service"], row["owner"]) == (flow["service"], flow["owner"])
        assert row["reason"].startswith(flow["reason"])
        assert row["ports"] == " ".join(f"{p['protocol']}/{p['number']}" for p in flow["ports"])
        for side, end in (("from", flow["source"]), ("to", flow["destination"])):
            for family, width in ((4, "/32"), (6, "/128")):
                given = [network.removesuffix(width) for network in end[f"networks{family}"]]
                if len(given) <= FEW_NETWORKS:
                    assert row[f"{side}{family}"].split() == given, flow["id"]
                    exact += bool(given)
                else:
                    assert row[f"{side}{family}"].startswith(f"{len(given)} mạng trong · ")
    assert exact > len(plan["flows"])


def test_an_interface_row_says_what_the_plan_says(subject: Subject, plan: Any) -> None:
    rows = {(row["host"], row["interface"]): row for row in lines_of(TABLES["host-addresses"](subject))}
    vips = 0
    for host in plan["hosts"]:
        for interface in host["interfaces"] if host["owner"] != "carrier" else ():
            row = rows[host["name"], interface["name"]]
            assert (row["owner"], row["segment"]) == (host["owner"], interface["segment"])
            assert f"{row['ipv4']} {row['ipv6']}".split() == interface["addresses"]
            assert row["vip"].split() == [vip.partition("/")[0] for vip in interface["vips"]]
            assert bool(row["default_route"]) == interface["default_route"]
            vips += len(interface["vips"])
    assert vips


def test_what_happened_to_units_and_what_a_province_gives_itself_is_in_the_tables(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    for name in ("merge", "own-sizes"):
        change(folder, name)
    file = folder / UNITS
    file.write_text(
        text(
            ("bandwidth_mbps: 100}]", "bandwidth_mbps: 100}, {access: mobile, bandwidth_mbps: 20}]"),
        )(file.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    subject = Subject(state=state_of(folder / REGISTER))
    rows = {row["id"]: row for row in lines_of(TABLES["unit-list"](subject))}
    heir, closed = rows["phuong-mot"], rows["xa-hai"]
    assert closed["closed"] == "2026-07-01 → phuong-mot"
    assert (closed["state"], heir["closed"]) == ("đã đóng · closed", "")
    assert heir["former"] == "Xã Hai (đến · until 2026-07-01)"
    assert heir["lines"] == "Cáp quang · fibre 100 Mbit/s; Di động · mobile 20 Mbit/s"
    assert heir["contacts"] == "qtm.phuong-mot@mau.gov.vn"
    assert (heir["parent"], closed["parent"]) == ("Huyện Đông", "Tỉnh Mẫu")
    assert (heir["ipv4"], heir["ipv6"]) == ("10.64.1.0/24", "fd00:99:40:100::/56")
    devices = {row["host"]: row for row in lines_of(TABLES["device-list"](subject))}
    assert (devices["hub-2"]["cores"], devices["hub-2"]["memory_mib"]) == (8, 4096)
    assert "xa-hai-cpe-1" not in devices
    # Four gateways and PCs are left; what the rows say adds up to the last one.
    *parts, total = lines_of(TABLES["cost"](subject))
    for key in ("cores", "memory_mib", "disk_gib", "mbps"):
        assert total[key] == sum(row[key] for row in parts if row[key] != "") > 0, key
    assert total["count"] == len(devices)
    assert total["vnd_year"] == total["cores"] * 1_000_000
    assert [row["vnd_year"] for row in parts if row["vnd_year"] != ""] == [total["vnd_year"]]


def test_devices_that_an_environment_builds_are_told_from_those_reserved(tmp_path: Path) -> None:
    out = tmp_path / "out"
    lab = str(ROOT / "inventories/lab/environment.yml")
    command = ["reference", str(DIEN_BIEN), "--out", str(out), "--only", "device-list", "--format", "csv"]
    assert main([*command, "--environment", lab]) == 0
    rows = from_csv((out / "csv/device-list.csv").read_bytes())
    stands = {row[0]: row[-1] for row in rows[1:]}
    assert stands["edge-1"] == "đã dựng · built"
    assert stands["mirror-2"] == "giữ chỗ · reserved"
    assert stands["phuong-dien-bien-phu-cpe-1"] == "đã dựng · built"
    assert stands["xa-sin-thau-cpe-1"] == "giữ chỗ · reserved"


@pytest.fixture
def strange() -> Table:
    columns = tuple(
        Column(key=str(number), vi=f'Cột </style>{number}"\\', en="</style>") for number in range(2)
    )
    rows = tuple((name, f"x{name}") for name in NAMES)
    words = {"vi": "<b>A", "en": "&", "about_vi": "<i>", "about_en": "'"}
    return Table(id="strange", columns=columns, rows=rows, groups=NAMES, **words)


def test_a_cell_that_begins_like_a_formula_is_a_text_to_a_spreadsheet(strange: Table) -> None:
    read = from_csv(as_csv(strange))
    # As OWASP lists them, whatever the product takes for one.
    signs = "=+-@\t\r"
    assert [cell for row in read for cell in row if cell[:1] in set(signs)] == []
    assert [guarded(f"{sign}1") for sign in signs] == [f"'{sign}1" for sign in signs]
    assert [row[0].removeprefix("'") for row in read[1:]] == list(NAMES)
    assert [row[0] for row in from_xlsx(as_xlsx(strange, ("=1",)))[1:]] == list(NAMES)
    assert guarded(-5) == -5


def test_a_name_never_becomes_a_part_of_a_page(strange: Table) -> None:
    site = Site(province="</title><script>", source="<script>")
    page = "".join(table_pages(strange, site, [strange]).values())
    read = Page(page)
    assert [row[0] for row in read.rows] == list(NAMES)
    assert Counter(tag for tag, _ in read.tags)["script"] == 1
    assert {"b", "i"} & {tag for tag, _ in read.tags} == set()
    assert page.count("</style>") == 1
    index = Page(index_page(site, [strange], {}, {'../drawings/"><script>.svg': "<script>"}))
    assert "script" not in {tag for tag, _ in index.tags}


def test_a_unit_with_a_hostile_name_comes_out_harmless(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    file = folder / UNITS
    words = file.read_text(encoding="utf-8")
    for number, name in enumerate(HOSTILE):
        words += unit(f"xa-{number}", f'"{name}"', index=10 + number, code=f"9901{number}")
    file.write_text(words, encoding="utf-8")
    made = reference(load_sources(folder / REGISTER))
    for name, raw in made["csv"].items():
        assert [c for row in from_csv(raw) for c in row if c.startswith(FORMULA)] == [], name
    names = [row[2] for row in from_csv(made["csv"]["unit-list.csv"])]
    assert [f"'{name}" for name in HOSTILE] == [name for name in names if name.startswith("'")]
    assert set(HOSTILE) <= {row[2] for row in from_xlsx(made["xlsx"]["unit-list.xlsx"])}
    read = Page(made["html"]["unit-list.html"].decode())
    assert set(HOSTILE) <= {row[2] for row in read.rows}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    assert main(["reference", str(DIEN_BIEN), "--out", str(out), "--source", "bản 1 & 2"]) == 0
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_run_rewrites_nothing_and_what_is_no_longer_asked_for_goes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["reference", str(DIEN_BIEN), "--out", str(out), "--only", "cost"]
    assert main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert len(before) == 5  # three forms, the index, the mark
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    (out / "csv/stray.csv").write_text("x", encoding="utf-8")
    assert main([*command[:-1], "flow-list", "--format", "csv"]) == 0
    left = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*") if path.is_file())
    assert [path for path in left if not path.startswith(".")] == ["csv/flow-list.csv"]


def test_a_folder_of_others_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    assert main(["reference", str(DIEN_BIEN), "--out", str(tmp_path), "--only", "cost"]) == 1
    assert capsys.readouterr().err.startswith("RND-030 ")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_broken_register_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tree(tmp_path)
    (folder / UNITS).write_text("units:\n  - id: x\n", encoding="utf-8")
    assert main(["reference", str(folder / REGISTER), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("REG-")
    assert not (tmp_path / "out").exists()


def test_the_same_plan_gives_the_same_bytes_whoever_writes_it_and_when(output: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "TZ": "Asia/Ho_Chi_Minh", "PYTHONHASHSEED": "7", "LANG": "C"}
    command = [sys.executable, "-m", "province.cli", "reference", str(DIEN_BIEN), "--out", str(out)]
    done = subprocess.run(
        [*command, "--source", "bản 1 & 2"], cwd=ROOT, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert hashes(out) == hashes(output)


def test_every_link_of_a_page_leads_to_a_file_or_a_place(output: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in (output / "html").glob("*.html")}
    assert len(pages) == len(TABLES) + 1
    lost = [
        (path.name, link)
        for path, page in pages.items()
        for link in page.links
        if not (path.parent / link.partition("#")[0]).is_file()
    ]
    assert lost == []
    index = pages[output / "html/index.html"]
    linked = {(output / "html" / link).resolve() for link in index.links}
    there = {path.resolve() for path in output.rglob("*") if path.is_file()}
    assert {path for path in there - linked if path.parent.name != "html"} == {
        (output / ".province-render").resolve()
    }


def test_a_page_needs_nothing_from_elsewhere_and_can_be_read_aloud(output: Path) -> None:
    for path in (output / "html").glob("*.html"):
        raw = path.read_text(encoding="utf-8")
        page = Page(raw)
        tags = Counter(tag for tag, _ in page.tags)
        assert dict(page.tags)["html"] == {"lang": "vi"}
        loaded = [a for tag, a in page.tags if tag in ("link", "img", "iframe", "object")]
        loaded += [a for tag, a in page.tags if tag == "script" and a]
        assert loaded == [], path.name
        assert [word for word in ("http:", "https:", "url(", "@import") if word in raw] == [], path.name
        assert (tags["h1"], tags["main"]) == (1, 1)
        scopes = {a.get("scope") for tag, a in page.tags if tag == "th"}
        assert scopes == {"col", "row"}
        assert sum(1 for _, a in page.tags if a.get("lang") == "en") > 3
        assert "bản 1 &amp; 2" in raw
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids)), path.name


def test_a_long_table_is_cut_between_units_into_pages_that_lead_to_each_other() -> None:
    columns = tuple(Column(key=str(n), vi=str(n), en=str(n)) for n in range(10))
    groups = [f"xa-{number // 7}" for number in range(CELLS // 10 * 3)]
    rows = tuple((f"{group}/{n}", *range(9)) for n, group in enumerate(groups))
    table = Table(
        id="long", vi="x", en="y", about_vi="", about_en="", columns=columns, rows=rows, groups=tuple(groups)
    )
    pages = table_pages(table, Site(province="x", source=""), [table])
    assert list(pages) == ["long.html", "long-2.html", "long-3.html", "long-4.html"]
    read = {name: Page(page) for name, page in pages.items()}
    assert [row for page in read.values() for row in page.rows] == plain(table)
    owners = [{row[0].partition("/")[0] for row in page.rows} for page in read.values()]
    assert sum(len(found) for found in owners) == len(set(groups))
    for name, page in read.items():
        assert max(len(page.rows) * len(columns) for page in read.values()) <= CELLS
        assert set(pages) - {name} <= set(page.links)


def test_the_command_offers_the_tables_that_there_are() -> None:
    assert tuple(TABLES) == commands.TABLES
    assert commands.DRAWINGS == DRAWINGS


def test_a_province_without_units_has_its_tables_too(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / UNITS).write_text("units: []\n", encoding="utf-8")
    made = reference(load_sources(folder / REGISTER))
    assert len(from_csv(made["csv"]["unit-list.csv"])) == 1
    assert from_xlsx(made["xlsx"]["unit-list.xlsx"])[0] != []
    assert Page(made["html"]["unit-list.html"].decode()).rows == []
