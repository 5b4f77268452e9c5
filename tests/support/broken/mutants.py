"""What can go wrong with a register: changes of its data, and changes of the text it is written in.

A change is drawn as a few numbers and at most one value, so that what fails shrinks to its bare cause. Some
changes are sound by themselves (closing a unit as it should be, an address that is free): refusing them
would be as wrong as accepting the others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from tests.support.broken.oracle import PROVINCE, UNIT
from tests.support.broken.registers import Files

T = TypeVar("T")
DataChange = Callable[[Files, int, int, Any], None]
FIELDS = tuple(UNIT)


def pick(some: Sequence[T], number: int) -> T:
    """One of some, whatever the number."""
    return some[number % len(some)]


def units(files: Files) -> list[dict[str, Any]]:
    """The records that still are records, wherever they stand."""
    return [
        unit
        for file, data in files.items()
        if file != PROVINCE and isinstance(data, dict) and isinstance(data.get("units"), list)
        for unit in data["units"]
        if isinstance(unit, dict)
    ]


def lists(files: Files) -> list[list[Any]]:
    """The lists of units that still are lists."""
    return [
        data["units"]
        for file, data in files.items()
        if file != PROVINCE and isinstance(data, dict) and isinstance(data.get("units"), list)
    ]


def two(files: Files, a: int, b: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two units; another one each where there are two."""
    there = units(files) or [{}]
    one = a % len(there)
    other = (one + 1 + b % max(1, len(there) - 1)) % len(there)
    return there[one], there[other]


def province(files: Files) -> dict[str, Any]:
    """The province, if it still is one."""
    data = files.get(PROVINCE)
    return data if isinstance(data, dict) else {}


def pools(files: Files) -> dict[str, Any]:
    """The pools, if they still are a mapping."""
    data = province(files).get("pools")
    return data if isinstance(data, dict) else {}


def name_of(unit: dict[str, Any]) -> str:
    """Its name, or another where it has none any more."""
    name = unit.get("name")
    return name if isinstance(name, str) and name else "Xã Hòa Bình"


# --- values ------------------------------------------------------------------------------------------

DAYS: tuple[Any, ...] = (
    "2025-06-30", "2025-07-01", "2024-02-29", "2025-02-29", "2025-06-31", "2025-13-01", "2025-00-10",
    "20250701", "2025-7-1", "01/07/2025", "2025-W27-2", "2025-07-01T00:00:00", "0000-01-01", "9999-12-31", "",
    " ", "hôm nay", "2025–07–01", "２０２５-07-01", "٢٠٢٥-07-01", 20250701, None, [], {}, True, 2025.5,
    "2025-07-01 ", "+025-07-01",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, 1, 2, 3, 5, 6, 15, 16, 63, 64, 99, 100, 127, 255, 256, 511, 512, 4095, 4096, 65_535, 65_536, 100_000,
    100_001, -1, -65_536, 2**31, 2**32, 2**63, 2**64, 10**17, 10**18, 10**30, 1.5, 0.0, -0.5, True, False,
    None, "1", "", "1 ", "１", "٣", [1], {"a": 1}, 4_200_000_000, 4_294_967_294, 4_294_967_295, 8, 18, 19, 23,
    24, 25, 30, 32, 48, 56, 57,
)  # fmt: skip
NETWORKS4: tuple[Any, ...] = (
    "198.51.100.0/30", "198.51.100.4/30", "198.51.100.0/28", "172.16.0.0/24", "172.16.0.0/22",
    "172.16.3.0/24", "172.20.0.0/16", "192.0.2.0/31", "192.0.2.0/30", "192.0.2.0/24", "203.0.113.0/24",
    "203.0.113.128/30", "10.12.0.0/30", "10.13.5.0/24", "10.14.0.0/15", "10.0.0.0/8", "10.255.0.0/16",
    "100.67.0.0/30", "100.64.0.0/10", "100.127.0.0/24", "0.0.0.0/0", "0.0.0.0/8", "127.0.0.0/30",
    "169.254.1.0/30", "224.0.0.0/30", "240.0.0.0/24", "255.255.255.252/30", "198.51.100.1/30",
    "198.51.100.0/255.255.255.252", "198.51.100.0/33", "198.51.100.0/-1", "198.51.100.0/", "/30",
    "198.51.100.0", "198.51.100/24", "198.51.100.0/030", "198.051.100.0/30", "0xC6336400/30",
    "198.51.100.256/30", "198.51.100.0 /30", "198.51.100.0/30 ", "１98.51.100.0/30", "198.51.100.0／30",
    "::ffff:198.51.100.0/126", "2001:db8:a000::/48", "", " ", "none", 3325256704, None, True, [],
    ["198.51.100.0/30"], {}, 198.51,
)  # fmt: skip
NETWORKS6: tuple[Any, ...] = (
    "2001:db8:a000::/48", "2001:db8:a000:ff00::/56", "2001:db8:a000::/64", "2001:DB8:A000::/48",
    "2001:db8:b000::/56", "2001:db8:c000:1::/64", "2001:0db8:a000:0000::/48", "fdfd:1475:4940:100::/56",
    "fdfd:1475:4900::/40", "fd00::/8", "2001:db8:300::/64", "::/0", "::/8", "::1/128", "fe80::/64",
    "ff02::/64", "2001:db8:a000::1/48", "2001:db8::/129", "2001:db8:a000::", "2001:db8:a000::/60",
    "2001:db8::g/64", "2001:db8:a000::%eth0/48", "198.51.100.0/24", "64:ff9b::/96", "2001:db8:::/48",
    "[2001:db8::]/48", "", None, 1, [], {}, "２001:db8::/48",
)  # fmt: skip
WORDS: tuple[Any, ...] = (
    "a", "x-1", "centre", "carrier", "Centre", "xa_hai", "xa--hai", "-xa", "xa-", "9xa", "xa hai", "xã-hai",
    "x" * 50, "x" * 51, "x" * 5_000, "", " ", "null", "true", "no", "~", "{{ x }}", "{% raw %}", "{#", "{ {",
    "}}", "a\nb", "a\tb", "a\0b", "a\u200bb", "a\u202eb", "a\u2028b", "a\u0085b", "a\ufeffb", "a\u00adb",
    "\ud800", "\ue000", "\U000e0001", "х", "ο", "ａ", "０", "<script>", "'; DROP TABLE", "$(id)", "`id`",
    "../../etc", "a:b", "a: b", "#a", "&a", "*a", "!a", "%a", "@a", "|", ">", "- a", "? a", "[a", "{a", "a]",
    "03127", "0x1f", "0o17", "1e3", ".inf", "1_000", "+5", "12:30", "2025-07-01", "<<", "=", "dns", "start",
    "ns-1", "government", "party", "live", "closed", "commune", "department", "wards", "10.0.0.0/8", "H18.2",
    "h18", "H18.", "H18.ABCD", "mau.gov.vn", "MAU.gov.vn", "mau..vn", "mau", "-a.vn", "xn--mu-jia.vn",
    "office", "fibre", "fiber", "\u0110i\u1ec7n", "a" * 200 + ".", "\u1ea1", "\U0001f600",
)  # fmt: skip
ANY: tuple[Any, ...] = (
    *WORDS,
    *NUMBERS,
    *DAYS,
    *NETWORKS4,
    *NETWORKS6,
    [[]],
    [None],
    [{}],
    {"a": {"b": []}},
    [[], 1],
)


def _tone_moved(name: str) -> str:
    """Other places of the tone: hòa and hoà, thủy and thuỷ."""
    for old, new in (("oà", "òa"), ("uỷ", "ủy"), ("oá", "óa"), ("uý", "úy"), ("oả", "ỏa"), ("oè", "òe")):
        if old in name:
            return name.replace(old, new)
        if new in name:
            return name.replace(new, old)
    return name + " Hoà"


def _out_of_order(name: str) -> str:
    """Marks below and above a letter in the other order: the same letter, other code points."""
    parts = unicodedata.normalize("NFD", name)
    return parts[:-1] + "".join(reversed("\u0323\u0302")) + parts[-1:]


LOOKS: dict[str, Callable[[str], str]] = {
    "the same": lambda name: name,
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "compatible": lambda name: unicodedata.normalize("NFKD", name),
    "upper case": str.upper,
    "lower case": str.lower,
    "other case": str.swapcase,
    "one letter in another case": lambda name: name[:-1] + name[-1:].swapcase(),
    "two spaces": lambda name: name.replace(" ", "  ", 1),
    "a no-break space": lambda name: name.replace(" ", "\u00a0", 1),
    "an ideographic space": lambda name: name.replace(" ", "\u3000", 1),
    "a space behind": lambda name: name + " ",
    "a Cyrillic letter": lambda name: name.replace("a", "\u0430", 1) + "\u0430",
    "a Greek letter": lambda name: name.replace("o", "\u03bf", 1) + "\u03bf",
    "a full-width digit": lambda name: name + " \uff11",
    "an Arabic digit": lambda name: name + " \u0661",
    "a zero-width space": lambda name: name[:2] + "\u200b" + name[2:],
    "a zero-width joiner": lambda name: name[:2] + "\u200d" + name[2:],
    "a soft hyphen": lambda name: name[:3] + "\u00ad" + name[3:],
    "a direction": lambda name: "\u202e" + name,
    "an isolate": lambda name: "\u2067" + name + "\u2069",
    "a mark that belongs to nothing": lambda name: name + "\u0323",
    "a mark of another language": lambda name: name + "\u0327",
    "marks out of order": _out_of_order,
    "the tone elsewhere": _tone_moved,
    "another tone": lambda name: name.replace("à", "á").replace("ã", "ả") + " Nà",
    "an eth": lambda name: name.replace("Đ", "\u00d0") + "\u00d0",
    "an African D": lambda name: name + "\u0189",
    "an apostrophe": lambda name: name + " M'Đrắk",
    "a typographic apostrophe": lambda name: name + " M’Đrắk",
    "a modifier letter": lambda name: name + " M\u02bcĐrắk",
    "a hyphen": lambda name: name + " A-B",
    "a dash": lambda name: name + " A–B",
    "a minus": lambda name: name + " A\u2212B",
    "a one": lambda name: name + " 1",
    "a capital i": lambda name: name + " I",
    "a small l": lambda name: name + " l",
    "a zero": lambda name: name + " 0",
    "a capital o": lambda name: name + " O",
    "braces": lambda name: name + " {{ 7 * 7 }}",
    "a line end": lambda name: name + "\nXã",
    "a tag": lambda name: f"<b>{name}</b>",
    "a quote": lambda name: f'"{name}"',
    "length": lambda name: (name * 200)[:200].strip(),
    "too much length": lambda name: (name * 200)[:201],
    "another": lambda name: name + " Mới",
}


# --- changes of data ---------------------------------------------------------------------------------


def swap_field(files: Files, a: int, b: int, _: Any) -> None:
    """Two units exchange a field."""
    one, other = two(files, a, b)
    key = pick(FIELDS, a * 31 + b)
    first, second = one.pop(key, None), other.pop(key, None)
    if second is not None:
        one[key] = second
    if first is not None:
        other[key] = first


def copy_field(files: Files, a: int, b: int, _: Any) -> None:
    """A unit gets a field of another."""
    one, other = two(files, a, b)
    key = pick(("id", "code", "index", "name", "kind", "parent", "org_code", "links", "contacts"), a * 7 + b)
    if key in one:
        other[key] = deepcopy(one[key])


def drop_field(files: Files, a: int, b: int, _: Any) -> None:
    """A field is missing."""
    two(files, a, 0)[0].pop(pick(FIELDS, b), None)


def set_field(files: Files, a: int, b: int, value: Any) -> None:
    """A field holds anything."""
    two(files, a, 0)[0][pick(FIELDS, b)] = deepcopy(value)


def unknown_field(files: Files, a: int, b: int, value: Any) -> None:
    """A field that there is not."""
    names = (
        "parrent",
        "Id",
        "",
        "vlan",
        "address",
        "a.b",
        "units",
        "nаme",
        "x" * 300,
        "{{ a }}",
        "a\u202eb",
        "<<",
    )
    two(files, a, 0)[0][pick(names, b)] = deepcopy(value)


def copy_unit(files: Files, a: int, b: int, _: Any) -> None:
    """A unit stands there twice, perhaps in another file."""
    if there := lists(files):
        pick(there, b).append(deepcopy(two(files, a, 0)[0]))


def second_unit(files: Files, a: int, b: int, _: Any) -> None:
    """A new unit, made as people make them: copied, and changed where they thought of it."""
    if not (there := lists(files)):
        return
    new = deepcopy(two(files, a, 0)[0])
    changes: tuple[tuple[str, Any], ...] = (
        ("id", f"don-vi-moi-{a % 7}"), ("code", f"N-{a}"), ("index", 200 + a % 50), ("name",
        f"Đơn vị số {a % 9}"),
    )  # fmt: skip
    for number, (key, value) in enumerate(changes):
        if b >> number & 1 == 0:
            new[key] = value
    pick(there, a).append(new)


def drop_unit(files: Files, a: int, b: int, _: Any) -> None:
    """A unit is gone, whoever speaks of it."""
    for there in [pick(lists(files), a)] if lists(files) else ():
        if there:
            there.pop(b % len(there))


def move_record(files: Files, a: int, b: int, _: Any) -> None:
    """A record stands in another file: nothing is wrong with that."""
    there = lists(files)
    if there and pick(there, a):
        pick(there, b).append(pick(there, a).pop(0))


def odd_record(files: Files, a: int, b: int, value: Any) -> None:
    """A record is no record."""
    if there := lists(files):
        pick(there, a).insert(b % (len(pick(there, a)) + 1), deepcopy(value))


def index(files: Files, a: int, b: int, _: Any) -> None:
    """Any number as the index."""
    two(files, a, 0)[0]["index"] = pick((*NUMBERS, 126, 127, 128, 254, 255, 256, 257, 1022, 1023, 1024), b)


def same_index(files: Files, a: int, b: int, _: Any) -> None:
    """A block of two units."""
    one, other = two(files, a, b)
    other["index"] = one.get("index")
    if b % 3 == 0:
        other["kind"] = one.get("kind")


def same_id(files: Files, a: int, b: int, _: Any) -> None:
    """An id of two units, or nearly."""
    one, other = two(files, a, b)
    ident = str(one.get("id"))
    other["id"] = pick(
        (ident, ident, ident + "-2", ident.upper(), ident.replace("a", "а"), ident + " "), a + b
    )


def odd_id(files: Files, a: int, b: int, _: Any) -> None:
    """Any word as an id: whoever spoke of the unit speaks of nobody now."""
    two(files, a, 0)[0]["id"] = pick(WORDS, b)


def same_code(files: Files, a: int, b: int, _: Any) -> None:
    """An official code of two units, or nearly."""
    one, other = two(files, a, b)
    code = str(one.get("code"))
    other["code"] = pick(
        (code, code, code.lower(), "0" + code, code + " ", code.replace("1", "１"), 3127), a + b
    )


def org_code(files: Files, a: int, b: int, _: Any) -> None:
    """Codes of the exchange of documents, two perhaps the same."""
    one, other = two(files, a, b)
    one["org_code"] = f"H{a % 90 + 10}.{b % 9}"
    other["org_code"] = pick(
        (one["org_code"], "H11.X", "H11.ABCD", "h11", "H11..2", "H18.2", "H37.DN.001", None, 18), b
    )


def parent(files: Files, a: int, b: int, _: Any) -> None:
    """Somebody else above, or nobody."""
    one, other = two(files, a, b)
    one["parent"] = pick((other.get("id"), other.get("id"), one.get("id"), "khong-co", "", None, 7), a + b)


def circle(files: Files, a: int, b: int, _: Any) -> None:
    """Two units above each other."""
    one, other = two(files, a, b)
    one["parent"], other["parent"] = other.get("id"), one.get("id")


def kind(files: Files, a: int, b: int, _: Any) -> None:
    """Another kind, perhaps of another pool or sphere."""
    kinds = (
        "commune",
        "ward",
        "township",
        "special_zone",
        "district",
        "provincial_city",
        "town",
        "urban_district",
    )
    more = ("department", "party_body", "hospital", "school", "wards", "Ward", "", None, ["ward"], 1)
    two(files, a, 0)[0]["kind"] = pick((*kinds, *more), b)


def sphere(files: Files, a: int, b: int, _: Any) -> None:
    """The other sphere."""
    two(files, a, 0)[0]["sphere"] = pick(("party", "government", "Party", "military", "", None, ["party"]), b)


def state(files: Files, a: int, b: int, _: Any) -> None:
    """Any state, with or without what belongs to it."""
    two(files, a, 0)[0]["state"] = pick(("closed", "live", "provisioned", "Closed", "open", "", None, []), b)


def close(files: Files, a: int, b: int, _: Any) -> None:
    """A unit is closed as it should be; what is below it may not be."""
    one, other = two(files, a, b)
    one |= {"state": "closed", "closed": "2025-06-30"}
    if b % 4 == 1:
        one["successors"] = [other.get("id")]
    if b % 4 == 2:
        one["returned"] = pick(("2025-06-30", "2025-07-01", "2025-06-29", "2024-07-01"), a)
    if b % 4 == 3 and "aliases" not in other:
        other["aliases"] = [
            {"name": name_of(one), "until": "2025-06-30", "by": "merge", "unit": one.get("id")}
        ]


def closed_branch(files: Files, a: int, b: int, _: Any) -> None:
    """Everything below a unit is closed, and perhaps the unit."""
    one = two(files, a, 0)[0]
    for unit in units(files):
        if unit.get("parent") == one.get("id") or (unit is one and b % 3):
            unit |= {"state": "closed", "closed": "2025-06-30"}


def everything_closed(files: Files, a: int, b: int, _: Any) -> None:
    """A province without an open unit."""
    for unit in units(files):
        unit |= {"state": "closed", "closed": "2025-06-30"}
    if a % 2:
        two(files, b, 0)[0].update(state="live")


def days(files: Files, a: int, b: int, _: Any) -> None:
    """Days of a closed unit, some of them none."""
    one = two(files, a, 0)[0]
    one |= {"state": "closed", "closed": pick(DAYS, b), "returned": pick(DAYS, a * 3 + b)}
    if b % 2:
        del one["returned"]


def days_of_an_open_unit(files: Files, a: int, b: int, _: Any) -> None:
    """What only closed units have."""
    fields: tuple[tuple[str, Any], ...] = (
        ("closed", "2025-06-30"), ("successors", []), ("successors", ["khong-co"]), ("returned",
        "2025-06-30"), ("closed", None),
    )  # fmt: skip
    key, value = pick(fields, b)
    two(files, a, 0)[0][key] = value


def successors(files: Files, a: int, b: int, _: Any) -> None:
    """Those who followed: others, itself, nobody, in a circle."""
    one, other = two(files, a, b)
    one |= {"state": "closed", "closed": "2025-06-30"}
    ids = (one.get("id"), other.get("id"))
    one["successors"] = pick(
        ([ids[1]], [ids[0]], [ids[1], ids[1]], ["khong-co"], [], ids[1], [None], [ids[1], "khong-co"]), a + b
    )
    if b % 3 == 0:
        other |= {"state": "closed", "closed": "2025-07-01", "successors": [ids[0]]}


def alias(files: Files, a: int, b: int, _: Any) -> None:
    """Former names, sound ones among them."""
    one, other = two(files, a, b)
    by = pick(("rename", "merge", "split", "Merge", "", None), b // 5)
    names = ("Xã Cũ", name_of(other), name_of(one), "Xã Cu\u0303", "X\u0430 Cũ", "", None)
    entry: dict[str, Any] = {"name": pick(names, a), "until": pick(DAYS[:4] if a % 3 else DAYS, b), "by": by}
    if b % 3:
        entry["unit"] = pick((other.get("id"), one.get("id"), "khong-co", None), a + b)
    if b % 6 == 1:
        other |= {"state": "closed", "closed": "2025-06-30"}
    if b % 7 == 0:
        entry["code"] = pick((f"C-{a}", one.get("code"), other.get("code"), "C-0", "", None), a)
    had = one.get("aliases")
    one["aliases"] = [*(had if isinstance(had, list) else []), *([entry] * pick((1, 1, 2), a + b))]


def line(files: Files, a: int, b: int, _: Any) -> None:
    """A network of a line as its carrier assigned it."""
    one = two(files, a, 0)[0]
    links = one.get("links")
    if isinstance(links, list) and links and isinstance(links[0], dict):
        key, values = pick((("assigned4", NETWORKS4), ("assigned6", NETWORKS6)), a)
        pick(links, b)[key] = pick(values, b)


def block(files: Files, a: int, b: int, _: Any) -> None:
    """A block as it was given from outside."""
    key, values = pick((("assigned4", NETWORKS4), ("assigned6", NETWORKS6)), a // 7)
    two(files, a, 0)[0][key] = pick(values, b)


def block_of_the_pool(files: Files, a: int, b: int, _: Any) -> None:
    """A network that is the province's own, given to a unit or its line."""
    name = pick(list(pools(files)) or ["none"], a)
    pool = pools(files).get(name)
    given = (
        pool.get(pick(("network4", "carrier4", "network6", "carrier6"), b))
        if isinstance(pool, dict)
        else None
    )
    if isinstance(given, str):
        one = two(files, b, a)[0]
        one["assigned6" if ":" in given else "assigned4"] = given


def given_back(files: Files, a: int, b: int, _: Any) -> None:
    """A network that went back is free for somebody else; one that did not is not."""
    one, other = two(files, a, b)
    one |= {"state": "closed", "closed": "2025-06-30", "assigned4": "172.16.8.0/24"}
    other["assigned4"] = "172.16.8.0/22"
    if b % 2:
        one["returned"] = "2025-07-01"


def services(files: Files, a: int, b: int, _: Any) -> None:
    """Services that there are, and others."""
    values: tuple[Any, ...] = (
        [], ["dns"], ["dns", "dns"], ["DNS"], ["starts"], ["dns", "wan"], "dns", None, ["dns", None],
        [["dns"]], ["ntp", "start"], ["packages", "dns", "ntp", "start"], [{"dns": 1}], ["management"],
        ["d\u200bns"], [""], ["dns "],
    )  # fmt: skip
    two(files, a, 0)[0]["services"] = deepcopy(pick(values, b))


def links(files: Files, a: int, b: int, _: Any) -> None:
    """Lines: none, two, three, of another kind."""
    good = {"access": "fibre", "bandwidth_mbps": 100}
    values: tuple[Any, ...] = (
        [], [good, good], [good, good, good], good, [good | {"access": "fiber"}], [good | {"bandwidth_mbps":
        0}], [good | {"bandwidth_mbps": "100"}], [good | {"bandwidth_mbps": 100_001}], [{"access": "mobile"}],
        [None], [good | {"x": 1}], [good, good | {"access": "satellite", "bandwidth_mbps": 1}], [[good]],
        None, [good | {"bandwidth_mbps": True}], [good | {"assigned4": "192.0.2.0/30"}, good | {"assigned4":
        "192.0.2.0/30"}], [good | {"bandwidth_mbps": 10.5}], [good | {"assigned4": "192.0.2.0/30"}, good |
        {"assigned4": "192.0.2.4/30"}],
    )  # fmt: skip
    two(files, a, 0)[0]["links"] = deepcopy(pick(values, b))


def contacts(files: Files, a: int, b: int, _: Any) -> None:
    """Who answers: none, a person, a loose address."""
    good = {"role": "office", "mailbox": "vp.xa"}
    values: tuple[Any, ...] = (
        [], [good, good], [good | {"role": "boss"}], [good | {"mailbox": "vp@xa.gov.vn"}], [good | {"mailbox":
        "VP"}], good, [good | {"mailbox": "a"}], [{"role": "office"}], [good | {"phone": "113"}], None,
        ["vp.xa"], [good | {"role": None}], [good | {"mailbox": "văn-phòng"}], [good | {"role": "security"}],
        [good | {"mailbox": ["vp"]}],
    )  # fmt: skip
    two(files, a, 0)[0]["contacts"] = deepcopy(pick(values, b))


def numbers(files: Files, a: int, b: int, _: Any) -> None:
    """Wave and level."""
    two(files, a, 0)[0][pick(("wave", "level"), a + b)] = pick(NUMBERS, b)


def basis(files: Files, a: int, b: int, _: Any) -> None:
    """Free text."""
    values = (
        "Hạ tầng của một cơ quan",
        "x" * 300,
        "x" * 301,
        "a: b # c",
        "'",
        '"',
        "\\",
        "\\n",
        "%d",
        "日本",
        "−",
    )
    two(files, a, 0)[0]["level_basis"] = pick((*values, *WORDS), b)


def look_alike(files: Files, a: int, b: int, _: Any) -> None:
    """The name of another unit, nearly."""
    one, other = two(files, a, b)
    other["name"] = pick(tuple(LOOKS.values()), a * 5 + b)(name_of(one))
    if b % 4 == 0:
        one["name"] = pick(tuple(LOOKS.values()), b)(name_of(one))
    if b % 2 == 0:
        for unit in (one, other):
            unit.pop("parent", None)


def look_alike_pair(files: Files, a: int, b: int, _: Any) -> None:
    """Two names that differ in one sign that people take for another."""
    pairs = (
        ("'", "’"),
        ("-", "–"),
        ("I", "l"),
        ("1", "l"),
        ("O", "0"),
        ("oà", "òa"),
        ("uỷ", "ủy"),
        ("A", "a"),
        (" ", "  "),
    )
    mine, yours = pick(pairs, a)
    one, other = two(files, a, b)
    one["name"], other["name"] = f"Xã N{mine}B {b % 5}", f"Xã N{yours}B {b % 5}"
    if b % 3:
        other.pop("parent", None)
        one.pop("parent", None)


def name(files: Files, a: int, b: int, _: Any) -> None:
    """A unit's own name, changed."""
    one = two(files, a, 0)[0]
    one["name"] = pick(tuple(LOOKS.values()), b)(name_of(one))


def province_field(files: Files, a: int, b: int, value: Any) -> None:
    """A field of the province holds anything, is missing, or is none."""
    key = pick(("id", "code", "name", "domain", "pools", "control_points", "machines", "prices", "wards"), a)
    if b % 5 == 0:
        province(files).pop(key, None)
    else:
        province(files)[key] = deepcopy(value)


def province_word(files: Files, a: int, b: int, _: Any) -> None:
    """Words of the province."""
    one = province(files)
    key = pick(("name", "domain", "code", "id"), a)
    one[key] = pick(tuple(LOOKS.values()), b)(str(one.get("name"))) if key == "name" else pick(WORDS, b)


def control_points(files: Files, a: int, b: int, _: Any) -> None:
    """Units from which conferences are moderated."""
    one, other = two(files, a, b)
    ids = (one.get("id"), other.get("id"))
    if b % 4 == 0:
        one |= {"state": "closed", "closed": "2025-06-30"}
    values: tuple[Any, ...] = (
        [ids[0]], [ids[0], ids[1]], [ids[0], ids[0]], ["khong-co"], [], ids[0], [None], [ids[0], "khong-co"],
        {ids[0]: 1},
    )  # fmt: skip
    province(files)["control_points"] = pick(values, a + b)


def machines(files: Files, a: int, b: int, _: Any) -> None:
    """Counts and sizes of one's own."""
    names = ("edge", "mirror", "controller", "unit_gateway", "mirrors", "Edge", "workstation", "carrier", "")
    sizes: tuple[Any, ...] = (
        {"members": 1}, {"members": 2}, {"members": 3}, {"cores": 8}, {"memory_mib": 127}, {"disk_gib": 900,
        "cores": 1}, {}, None, {"members": True}, {"memory_gib": 4}, {"cores": "8"}, [], {"members": 0},
    )  # fmt: skip
    province(files)["machines"] = {pick(names, a): deepcopy(pick(sizes, b))}


def prices(files: Files, a: int, b: int, _: Any) -> None:
    """Prices of one's own."""
    names = ("line_mbps_month", "core_year", "memory_gib_year", "disk_gib_year", "public_address_year", "vat")
    province(files)["prices"] = {pick(names, a): pick((*NUMBERS, 10**12, 10**12 + 1, 250_000), b)}


def pool_field(files: Files, a: int, b: int, value: Any) -> None:
    """A field of a pool holds anything, or is missing."""
    pool = pools(files).get(pick(list(pools(files)) or [""], a))
    keys = (
        "network4",
        "more4",
        "network6",
        "block4",
        "block6",
        "carrier4",
        "carrier6",
        "asn",
        "letter",
        "block",
    )
    if isinstance(pool, dict):
        if b % 7 == 0:
            pool.pop(pick(keys, b), None)
        else:
            pool[pick(keys, b)] = deepcopy(value)


def pool_network(files: Files, a: int, b: int, _: Any) -> None:
    """A network of a pool is another's, or another."""
    names = list(pools(files))
    if not names:
        return
    one, other = pools(files)[pick(names, a)], pools(files)[pick(names, a + 1 + b)]
    key = pick(("network4", "network6", "carrier4", "carrier6"), a + b)
    if isinstance(one, dict) and isinstance(other, dict):
        given = other.get(key)
        one[key] = given if b % 3 == 0 else pick(NETWORKS4 if key.endswith("4") else NETWORKS6, b)


def pool_numbers(files: Files, a: int, b: int, _: Any) -> None:
    """Lengths, AS numbers and letters of a pool."""
    names = list(pools(files))
    if not names:
        return
    one, other = pools(files)[pick(names, a)], pools(files)[pick(names, a + 1 + b)]
    if not isinstance(one, dict) or not isinstance(other, dict):
        return
    key = pick(("block4", "block6", "asn", "letter"), a + b)
    lengths = {"block4": (8, 14, 16, 17, 18, 19, 22, 24, 25, 7), "block6": (32, 40, 44, 47, 48, 56, 57, 31)}
    if key in lengths:
        one[key] = pick(lengths[key], b)
    elif key == "asn":
        there = other.get("asn")
        there = there if isinstance(there, int) else 0
        values = (
            there,
            there + 1,
            there - 1,
            4_200_000_001,
            4_200_000_000,
            4_294_967_294,
            4_294_967_000,
            65_000,
        )
        one[key] = pick(values, b)
    else:
        one[key] = pick((other.get("letter"), "q", "Q", "qq", "", "đ", 1), b)


def further_network(files: Files, a: int, b: int, _: Any) -> None:
    """A pool goes on in further networks, free ones among them."""
    pool = pools(files).get(pick(list(pools(files)) or [""], a))
    values: tuple[Any, ...] = (
        ["172.24.0.0/16"], ["172.24.0.0/16", "172.25.0.0/16"], ["172.24.0.0/16", "172.24.128.0/17"], [], None,
        ["10.0.0.0/8"], "172.24.0.0/16", ["172.24.0.0/24"], ["172.24.0.0/22"], ["2001:db8::/48"],
        ["172.24.0.1/16"], [None], ["198.51.100.0/24"],
    )  # fmt: skip
    if isinstance(pool, dict):
        pool["more4"] = deepcopy(pick(values, b))


def pool_name(files: Files, a: int, b: int, _: Any) -> None:
    """A pool is gone, there twice, or called by another name."""
    there = pools(files)
    if not there:
        return
    old = pick(list(there), a)
    pool = deepcopy(there[old])
    if b % 3:
        there.pop(old)
    new = pick(
        ("reserve", "Reserve", "a.b", "a[0]", "", "pools.x", "x" * 31, "trường", "centre ", "{{ x }}", old), b
    )
    if b % 4 == 1 and isinstance(pool, dict):
        pool["network4"] = pick(NETWORKS4, a)
    there[new] = pool


def file_of_anything(files: Files, a: int, b: int, value: Any) -> None:
    """A whole file holds anything."""
    file = pick(list(files), a)
    values: tuple[Any, ...] = (
        None, [], {}, "units", 7, [[]], {"units": None}, {"units": {}}, {"units": []}, {"units": "x"},
        {"unit": []}, {"units": [], "more": []}, {"units": [None]}, {"units": [[]]}, {"units": ["x"]}, {"":
        1}, {"units": value}, value,
    )  # fmt: skip
    files[file] = deepcopy(pick(values, b))


_DATA: tuple[DataChange, ...] = (
    swap_field, copy_field, drop_field, set_field, unknown_field, copy_unit, second_unit, drop_unit,
    move_record, odd_record, index, same_index, same_id, odd_id, same_code, org_code, parent, circle,
    kind, sphere, state, close, closed_branch, everything_closed, days, days_of_an_open_unit, successors,
    alias, line, block, block_of_the_pool, given_back, services, links, contacts, numbers, basis,
    look_alike, look_alike_pair, name, province_field, province_word, control_points, machines, prices,
    pool_field, pool_network, pool_numbers, further_network, pool_name, file_of_anything,
)  # fmt: skip
DATA = {change.__name__: change for change in _DATA}
