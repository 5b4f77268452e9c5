"""Say what roles would change on this host, all of them in one go, and change nothing.

Runs the code of the module managed_tree in check mode (province/look.py sends its text along), so that
what is looked at is what would be laid down. Of files only digests are known here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import types
import zlib
from typing import Any

BASIC = "ansible.module_utils.basic"


def loaded(source: str) -> Any:
    """The module managed_tree without Ansible, which it needs for its arguments and its answer only."""
    for name in ("ansible", "ansible.module_utils", BASIC):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules[BASIC].AnsibleModule = None  # type: ignore[attr-defined] # made above
    module = types.ModuleType("managed_tree")
    sys.modules["managed_tree"] = module
    exec(compile(source, "managed_tree", "exec"), module.__dict__)  # noqa: S102 - ours, sent with this
    return module


def with_defaults(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Options with the defaults of an argument specification, as Ansible would fill them in."""
    found: dict[str, Any] = {}
    for name, rule in spec.items():
        value = given.get(name)
        if value is None:
            value = rule.get("default")
        if rule.get("elements") == "dict":
            value = [with_defaults(rule["options"], entry) for entry in value or []]
        found[name] = value
    return found


def look_for(module: Any) -> Any:
    """A tree that looks."""

    class Look(module.Tree):  # type: ignore[misc] # the module is known at run time
        """Check mode, for which a digest is enough and a checker not needed: nothing goes live."""

        def same(self, before: bytes, file: Any) -> bool:
            return bool(hashlib.sha256(before).hexdigest().encode() == file.content)

        def show_difference(self, file: Any, before: bytes) -> None:
            """Nobody reads it."""

        def stage_and_validate(self, files: Any, differing: Any) -> None:
            """There is nothing that a checker could look at."""

        def show(self, names: Any) -> Any:
            known = super().show(names)
            stale = sorted(name for name in known if known[name].get("NeedDaemonReload") == "yes")
            if stale:
                self.say(f"Have systemd read {', '.join(stale)} again.")
            return known

    return Look


def answer(request: dict[str, Any], source: str) -> dict[str, list[str]]:
    """By role, what it would change; roles that would change nothing are left out."""
    module = loaded(source)
    spec = module.argument_spec()
    look = look_for(module)
    found: dict[str, list[str]] = {}
    for tree in request["trees"]:
        options = with_defaults(spec, tree["options"])
        looking = look(options, [digest.encode() for digest in tree["digests"]], check=True)
        said = looking.outcome.changes
        try:
            looking.lay_down()
        except module.TreeError as error:
            said.append(str(error))
        except OSError as error:
            said.append(f"{error.strerror}: {error.filename}")
        said += [f"Confirm by `{command}`." for command in looking.outcome.confirm]
        if said:
            found[tree["role"]] = said
    return found


def main(packed: str) -> None:
    """Read what was sent, answer as JSON."""
    request = json.loads(zlib.decompress(base64.b64decode(packed)))
    sys.stdout.write(json.dumps(answer(request, request["source"])))
