"""Tables as files: CSV and XLSX. The same table gives the same bytes, whenever and wherever it is written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO, StringIO

import xlsxwriter

from province.reading.tables import Cell, Column, Table

# Cells that begin like this are formulas to a spreadsheet that opens a CSV (OWASP, "CSV injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r")
GUARD = "'"
# Spreadsheets take a CSV in UTF-8 for one in an older encoding where it does not begin with this.
MARK = "\ufeff"
# A workbook says when it was made; ours says the same each time.
_MADE = datetime(2000, 1, 1)
_WIDEST, _NARROWEST = 60, 8


def guarded(cell: Cell) -> Cell:
    """The cell, harmless in a spreadsheet: what would be a formula is a text."""
    return f"{GUARD}{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def heading(column: Column) -> str:
    """Vietnamese with English beside; once where both are the same."""
    return column.vi if column.vi == column.en else f"{column.vi} / {column.en}"


def as_csv(table: Table) -> bytes:
    """RFC 4180: commas, quotes where needed, CRLF; UTF-8 with the mark that spreadsheets look for."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([heading(column) for column in table.columns])
    writer.writerows([[guarded(cell) for cell in row] for row in table.rows])
    return (MARK + text.getvalue()).encode()


def as_xlsx(table: Table, about: Sequence[str]) -> bytes:
    """A workbook of two sheets: the table, with a frozen heading and filters; and what it is.

    Every text is written as a text, whatever it begins with. `about` are lines for the second sheet.
    """
    made = BytesIO()
    book = xlsxwriter.Workbook(
        made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": f"{table.vi} / {table.en}", "created": _MADE})
    head = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EEF4", "bottom": 1}
    )
    plain = book.add_format({"valign": "top", "text_wrap": True})
    code = book.add_format({"valign": "top", "text_wrap": True, "font_name": "Consolas", "font_size": 10})
    sheet = book.add_worksheet(table.id[:31])
    last = len(table.columns) - 1
    for place, column in enumerate(table.columns):
        form = code if column.code else plain
        longest = max((len(str(row[place])) for row in table.rows), default=0)
        sheet.set_column(place, place, min(_WIDEST, max(_NARROWEST, longest, len(column.vi)) + 2), form)
        words = column.vi if column.vi == column.en else f"{column.vi}\n{column.en}"
        sheet.write_string(0, place, words, head)
    for number, row in enumerate(table.rows, start=1):
        for place, cell in enumerate(row):
            if isinstance(cell, int):
                sheet.write_number(number, place, cell)
            elif cell:
                sheet.write_string(number, place, cell)
    sheet.set_row(0, 32)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(1, len(table.rows)), last)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    note = book.add_worksheet("Thông tin - About")
    note.set_column(0, 0, 100, plain)
    for number, line in enumerate((table.vi, table.en, table.about_vi, table.about_en, *about)):
        note.write_string(number, 0, line)
    book.close()
    return made.getvalue()
