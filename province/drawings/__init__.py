"""Drawings of a province, its centre and its units, logical and physical, as SVG. Pure: plan in, text out.

A drawing is one sheet or more of ISO 216 paper in landscape, with a title block that has room for three
signatures, and no date: the same plan gives the same bytes.
"""

from __future__ import annotations

from province.drawings import centre, province, unit
from province.drawings.atlas import CLOSED, Atlas, make_atlas
from province.drawings.words import SUBJECTS, VIEWS
from province.plan.model import Plan
from province.register.catalogue import Catalogue
from province.register.model import Register

__all__ = ["SUBJECTS", "VIEWS", "drawing", "drawings"]


def drawings(
    plan: Plan, register: Register, catalogue: Catalogue, source: str = "", *, units: bool = True
) -> dict[str, str]:
    """Every drawing by its path: the province, the centre, then each open unit in the plan's order.

    The first sheet of a drawing is `province-logical.svg` or `units/<id>-physical.svg`, the next ones end in
    `-2.svg`, `-3.svg`. `source` is what the title block says the drawing was made from, such as a commit.
    """
    atlas = make_atlas(plan, register, catalogue, source)
    made: dict[str, str] = {}
    for of in ("province", "centre"):
        for view in VIEWS:
            made |= _paths(f"{of}-{view}", _draw(atlas, of, view, ""))
    for planned in plan.units if units else ():
        if planned.state != CLOSED:
            for view in VIEWS:
                made |= _paths(f"units/{planned.id}-{view}", _draw(atlas, "unit", view, planned.id))
    return made


def drawing(
    plan: Plan,
    register: Register,
    catalogue: Catalogue,
    of: str,
    view: str,
    *,
    unit: str = "",
    source: str = "",
) -> list[str]:
    """The sheets of one drawing. `of` is a key of SUBJECTS, `view` of VIEWS, `unit` an open unit's id."""
    return _draw(make_atlas(plan, register, catalogue, source), of, view, unit)


def _draw(atlas: Atlas, of: str, view: str, of_unit: str) -> list[str]:
    if of == "unit":
        return {"logical": unit.logical, "physical": unit.physical}[view](atlas, atlas.units[of_unit])
    return {
        ("centre", "logical"): centre.logical,
        ("centre", "physical"): centre.physical,
        ("province", "logical"): province.logical,
        ("province", "physical"): province.physical,
    }[of, view](atlas)


def _paths(name: str, sheets: list[str]) -> dict[str, str]:
    return {f"{name}{f'-{page}' if page > 1 else ''}.svg": text for page, text in enumerate(sheets, start=1)}
