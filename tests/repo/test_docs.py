"""What the documentation names exists: links, folders, roles, commands, units."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from province.cli import parser
from province.run.scope import BESIDE
from tests.support.repository import LAYERS, ROLES, ROOT, load, own_files, shown

PAGES = [path for path in own_files() if path.suffix == ".md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
MAKE = re.compile(r"(?:^|`)make ([a-z]+)\b((?: [A-Z]+=[^\s`]+)*)", re.MULTILINE)
PROVINCE = re.compile(r"(?:`|\.venv/bin/|^)province ([a-z]+)([^`\n]*)", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
JOURNAL = re.compile(r"journalctl((?: -u [\w@.-]+)+)")


def code_of(page: Path) -> str:
    """What a page shows as code: there a word such as `make` is a command."""
    return "\n".join(CODE.findall(page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_were_found() -> None:
    """The lists below come from them: none would let everything pass by absence."""
    assert {"README.md", "docs/architecture.md"} <= {shown(page) for page in PAGES}
    assert len(PAGES) > 20
    assert any(MAKE.search(code_of(page)) for page in PAGES)
    assert any(PROVINCE.search(code_of(page)) for page in PAGES)
    assert any(JOURNAL.search(code_of(page)) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("layer", LAYERS)
def test_the_page_of_a_layer_names_the_roles_of_its_playbook(layer: str) -> None:
    page = (ROOT / "docs/layers" / f"{layer}.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))
    plays = load(ROOT / "playbooks/layers" / f"{layer}.yml")
    assert told == {entry["role"] for play in plays for entry in play["roles"]}
    assert told <= {role.name for role in ROLES}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_targets_and_layers_of_make_exist(page: Path) -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) \?=", text, re.MULTILINE))
    for target, given in MAKE.findall(code_of(page)):
        assert target in targets
        for variable, value in (word.split("=") for word in given.split()):
            assert variable in variables
            if variable == "LAYER" and value.islower():
                assert value in [*LAYERS, *BESIDE]


def subcommands(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser by name."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_commands_of_province_and_their_options_exist(page: Path) -> None:
    known = subcommands(parser())
    for command, rest in PROVINCE.findall(code_of(page)):
        assert command in known
        named, inner = known[command], subcommands(known[command])
        if inner:  # `province unit add …`; alone, or with `…` behind it, the group as a whole is meant
            word = (rest.split() or ["…"])[0].strip("`")
            assert word in {*inner, "…"}
            named = inner.get(word, named)
        options = set(re.findall(r"(?<!\S)--[a-z-]+", rest.partition(" #")[0]))
        assert options <= set(named._option_string_actions)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_units_whose_journal_is_read_are_laid_down_by_a_role(page: Path) -> None:
    tasks = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("roles/*/tasks/*.yml"))
    managed = set(re.findall(r"\bname: ([\w@-]+)\.service", tasks))
    named = {
        unit.removesuffix(".service")
        for said in JOURNAL.findall(code_of(page))
        for unit in said.replace("-u ", "").split()
    }
    assert named <= managed


def test_folders_of_the_architecture_exist_and_all_at_the_top_are_described() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where things live")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    assert len(rows) > 20
    described: set[str] = set()
    for row in rows:
        before = ""
        for place in re.findall(r"`([^`]+)`", row):
            pattern = re.sub(r"<[a-z]+>", "*", place).rstrip("/")
            # The second name of a row may stand beside the first: `province/ledger.py`, `contact.py`.
            near = (Path(before).parent / pattern).as_posix()
            assert any(ROOT.glob(pattern)) or any(ROOT.glob(near)), place
            described.add(pattern.partition("/")[0])
            before = before or pattern
    folders = {shown(path).partition("/")[0] for path in own_files() if path.parent != ROOT}
    assert folders - described == set()


def test_every_page_of_a_kind_is_listed_where_its_kind_is() -> None:
    """A page that nothing leads to is not read."""
    lists = {"docs/layers": "docs/architecture.md", "docs/decisions": "docs/decisions/README.md"}
    lists["docs/runbooks"] = "docs/runbooks/README.md"
    lists["docs/tutorials"] = lists["docs/huong-dan"] = "README.md"
    for folder, place in lists.items():
        listing = ROOT / place
        led = {
            (listing.parent / link).resolve() for link in LINK.findall(listing.read_text(encoding="utf-8"))
        }
        assert set((ROOT / folder).glob("*.md")) - led - {listing} == set()
