"""A province of three tiers as plain data for `province new --from`, out of an old official list.

Run by three-tiers.sh in an environment that has vietnam-provinces 0.4.3 and nothing of ours. Wanted: the
province's official code, the id of the register, its slot (of the address space; see province/slots.yml).
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from vietnam_provinces import NESTED_DIVISIONS_JSON_PATH


def divisions(code: int, ident: str, slot: int) -> dict[str, object]:
    """The province with its districts and communes, each with its official code, name and type."""
    listed = json.loads(Path(NESTED_DIVISIONS_JSON_PATH).read_text(encoding="utf-8"))
    province = next(p for p in listed if p["code"] == code)
    units: list[dict[str, object]] = []
    for district in province["districts"]:
        above = f"{district['code']:03d}"
        units.append(
            {"code": above, "name": district["name"], "type": district["division_type"], "parent": None}
        )
        units += [
            {"code": f"{w['code']:05d}", "name": w["name"], "type": w["division_type"], "parent": above}
            for w in district["wards"]
        ]
    return {
        "id": ident,
        "code": f"{code:02d}",
        "name": province["name"],
        "source": f"package vietnam-provinces {version('vietnam-provinces')}",
        "slot": slot,
        "bodies": "bodies-three-tiers.yml",
        "units": units,
    }


if __name__ == "__main__":
    wanted = divisions(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    sys.stdout.write(json.dumps(wanted, ensure_ascii=False, indent=1) + "\n")
