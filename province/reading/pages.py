"""Tables as pages: HTML that stands alone, Vietnamese first, read on a screen of any width and on paper.

Long tables are cut into pages between units. Nothing in a page comes from elsewhere; everything is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from province.reading.tables import Cell, Column, Table

# Cells of one page: what a phone still scrolls and sorts without a pause.
CELLS = 16_000

_STYLE, _SCRIPT = (
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
)
_HEAD = (
    '<!DOCTYPE html>\n<html lang="vi">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src 'self'\">\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all pages say: the province's name, and what the output was made from (may be empty)."""

    province: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Rows of one page: from `first` up to, not with, `last`; `words` name its first and last group."""

    first: int
    last: int
    words: str


def table_pages(table: Table, site: Site, others: Sequence[Table]) -> dict[str, str]:
    """File name → page, one or more for a table. `others` are all tables, for the way to them."""
    pieces = _pieces(table)
    names = [page_name(table.id, number) for number in range(len(pieces))]
    return {
        name: _table_page(table, site, others, pieces, names, number) for number, name in enumerate(names)
    }


def page_name(table: str, number: int) -> str:
    """The page of a table: cost.html, address-table.html, address-table-2.html."""
    return f"{table}.html" if number == 0 else f"{table}-{number + 1}.html"


def _pieces(table: Table) -> list[_Piece]:
    """Cut between groups, so that what belongs to a unit stays together."""
    most = max(1, CELLS // len(table.columns))
    starts = [0]
    here = 0
    for number in range(1, len(table.rows) + 1):
        new = (
            number == len(table.rows) or not table.groups or table.groups[number] != table.groups[number - 1]
        )
        if new:
            if number - starts[-1] > most and here > starts[-1]:
                starts.append(here)
            here = number
    ends = [*starts[1:], len(table.rows)]
    return [
        _Piece(first=first, last=last, words=_span(table, first, last))
        for first, last in zip(starts, ends, strict=True)
    ]


def _span(table: Table, first: int, last: int) -> str:
    if not table.groups or last <= first:
        return ""
    one, other = table.groups[first], table.groups[last - 1]
    return one if one == other else f"{one} – {other}"


def _table_page(
    table: Table,
    site: Site,
    others: Sequence[Table],
    pieces: Sequence[_Piece],
    names: Sequence[str],
    number: int,
) -> str:
    piece = pieces[number]
    part = f" ({number + 1}/{len(pieces)})" if len(pieces) > 1 else ""
    rows = table.rows[piece.first : piece.last]
    body = "".join(_rows(table, rows, table.groups[piece.first : piece.last] if table.groups else ()))
    more = ""
    if len(pieces) > 1:
        links = "".join(
            f"<li>{_here(place == number, names[place], f'{place + 1}: {each.words}')}</li>"
            for place, each in enumerate(pieces)
        )
        more = f'<nav aria-label="Các trang của bảng / Pages of this table"><ul>{links}</ul></nav>\n'
    find = (
        '<div hidden><label for="find">Tìm trong trang này <span lang="en">/ Find here</span></label>\n'
        f'<input id="find" type="search" autocomplete="off"> <output for="find">{len(rows)}</output></div>\n'
    )
    return "".join((
        _HEAD,
        f"<title>{_e(table.vi)}{part} – {_e(site.province)}</title>\n",
        f"<style>{_STYLE}{_labels(table.columns)}</style>\n</head>\n<body>\n",
        _ways(others, table.id),
        f'<main>\n<h1 id="title">{_e(table.vi)}{part} <span lang="en">{_e(table.en)}</span></h1>\n',
        f'<p>{_e(site.province)}. {_e(table.about_vi)} <span lang="en">{_e(table.about_en)}</span></p>\n',
        more,
        find,
        '<div class="wide" role="region" aria-labelledby="title" tabindex="0">\n<table data-sort>\n',
        f"<thead><tr>{''.join(map(_heading, table.columns))}</tr></thead>\n",
        f"<tbody>\n{body}</tbody>\n</table>\n</div>\n",
        more,
        f"</main>\n{_footer(site)}<script>{_SCRIPT}</script>\n</body>\n</html>\n",
    ))  # fmt: skip


def index_page(
    site: Site, tables: Sequence[Table], files: Mapping[str, Sequence[str]], drawings: Mapping[str, str]
) -> str:
    """The first page: every table in its forms, every drawing.

    `files` are the files of each table beside its page, `drawings` path → title, both as seen from here.
    """
    entries = "".join(
        f'<tr><th scope="row">{_link(page_name(t.id, 0), t.vi)} <span lang="en">{_e(t.en)}</span></th>'
        f'<td>{_e(t.about_vi)} <span lang="en">{_e(t.about_en)}</span></td><td class="n">{len(t.rows):,}</td>'
        f"<td>{' '.join(_link(path, _kind(path)) for path in files.get(t.id, ()))}</td></tr>\n"
        for t in tables
    )
    columns = (
        Column(key="table", vi="Bảng", en="Table"),
        Column(key="about", vi="Nội dung", en="What it is"),
        Column(key="rows", vi="Số dòng", en="Rows", number=True),
        Column(key="files", vi="Tệp", en="Files"),
    )
    heads = "".join(f'<th scope="col">{_both(column)}</th>' for column in columns)
    drawn = f'<h2>Sơ đồ <span lang="en">Drawings</span></h2>\n{_drawn(drawings)}' if drawings else ""
    return "".join((
        _HEAD,
        f"<title>Tài liệu tra cứu – {_e(site.province)}</title>\n<style>{_STYLE}{_labels(columns)}"
        "td [lang=en],th [lang=en]{display:block;font-size:.9em}"
        ".drawings{columns:22rem;padding-left:1.2rem}</style>\n</head>\n<body>\n<main>\n",
        f'<h1>Tài liệu tra cứu – {_e(site.province)} <span lang="en">Reference output</span></h1>\n',
        "<p>Mọi bảng và sơ đồ ở đây được lập từ quy hoạch; muốn sửa thì sửa sổ đăng ký, không sửa ở đây. "
        '<span lang="en">All of this is made from the plan: change the register, not these.</span></p>\n',
        f'<div class="wide"><table>\n<thead><tr>{heads}</tr></thead>\n',
        f"<tbody>\n{entries}</tbody>\n</table></div>\n",
        drawn,
        f"</main>\n{_footer(site)}</body>\n</html>\n",
    ))  # fmt: skip


def _drawn(drawings: Mapping[str, str]) -> str:
    """Drawings of the whole first; those of units, which are many, opened when wanted."""
    whole = {path: title for path, title in drawings.items() if "/units/" not in path}
    units = {path: title for path, title in drawings.items() if path not in whole}

    def listed(some: Mapping[str, str]) -> str:
        entries = "".join(f"<li>{_link(path, title)}</li>\n" for path, title in some.items())
        return f'<ul class="drawings">\n{entries}</ul>\n'

    more = f'Từng đơn vị ({len(units)}) <span lang="en">Units</span>'
    return listed(whole) + (
        f"<details><summary>{more}</summary>\n{listed(units)}</details>\n" if units else ""
    )


def _e(text: object) -> str:
    return escape(str(text), quote=True)


def _link(path: str, words: str) -> str:
    return f'<a href="{_e(path)}">{_e(words)}</a>'


def _kind(path: str) -> str:
    return path.rpartition(".")[2].upper()


def _here(current: bool, name: str, words: str) -> str:
    return f'<strong aria-current="page">{_e(words)}</strong>' if current else _link(name, words)


def _ways(tables: Sequence[Table], here: str) -> str:
    links = "".join(f"<li>{_here(t.id == here, page_name(t.id, 0), t.vi)}</li>" for t in tables)
    start = f"<li>{_link('index.html', 'Mục lục')}</li>"
    return f'<nav aria-label="Các bảng / Tables"><ul>{start}{links}</ul></nav>\n'


def _footer(site: Site) -> str:
    return f"<footer>{_e(site.source)}</footer>\n" if site.source else ""


def _both(column: Column) -> str:
    english = "" if column.vi == column.en else f' <span lang="en">{_e(column.en)}</span>'
    return f"{_e(column.vi)}{english}"


def _heading(column: Column) -> str:
    english = "" if column.vi == column.en else f' <span lang="en">{_e(column.en)}</span>'
    kind = ' class="n"' if column.number else ""
    return f'<th scope="col"{kind}><button type="button">{_e(column.vi)}</button>{english}</th>'


def _labels(columns: Sequence[Column]) -> str:
    """On a narrow screen each cell says its column; a style sheet says it once for all rows."""
    rules = "".join(
        f'tbody td:nth-child({place}):not(:empty)::before{{content:"{_css(column)}"}}'
        for place, column in enumerate(columns, start=1)
    )
    return f"@media(max-width:700px){{{rules}}}"


def _css(column: Column) -> str:
    """A heading inside a string of a style sheet: whatever is no letter or digit is escaped by its number."""
    words = column.vi if column.vi == column.en else f"{column.vi} / {column.en}"
    return "".join(c if c.isalnum() or c in " /()" else f"\\{ord(c):06x}" for c in words)


def _class(column: Column) -> str:
    """Short names for the style sheet: n numbers, c code, w wide."""
    kinds = (("n", column.number), ("c", column.code), ("w", column.wide))
    return " ".join(name for name, given in kinds if given)


def _rows(table: Table, rows: Iterable[Sequence[Cell]], groups: Sequence[str]) -> Iterable[str]:
    """Rows; the first of each group can be linked to by the group's name."""
    classes = [f' class="{_class(column)}"' if _class(column) else "" for column in table.columns]
    met = set()
    for number, row in enumerate(rows):
        group = groups[number] if groups else None
        anchor = f' id="u-{_e(group)}"' if group is not None and group not in met else ""
        met.add(group)
        cells = "".join(
            f"<td{kind}>{escape(str(cell)) if cell != '' else ''}</td>"
            for kind, cell in zip(classes[1:], row[1:], strict=True)
        )
        yield f'<tr{anchor}><th scope="row"{classes[0]}>{_e(row[0])}</th>{cells}</tr>\n'
