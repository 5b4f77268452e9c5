#!/usr/bin/python
"""Stand in for the module managed_tree: put the rendered files below the remote temporary directory."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

LISTS = "packages users directories files links absent validate commands units"
# What each task has said besides contents, a line for each.
TASKS = "ansible-tasks.jsonl"


def main() -> None:
    """Lay down what the action plugin has rendered, where a test can read it."""
    spec = {name: {"type": "list", "elements": "raw"} for name in LISTS.split()}
    set_by_plugin = {"payload": {"type": "str", "no_log": True}, "began": {"type": "int"}}
    module = AnsibleModule(argument_spec={**spec, **set_by_plugin})
    folder = Path(module._remote_tmp)
    folder.mkdir(parents=True, exist_ok=True)
    packed = module.params["payload"]
    contents = json.loads(zlib.decompress(base64.b64decode(packed))) if packed else []
    for entry, content in zip(module.params["files"] or [], contents, strict=True):
        target = folder / entry["dest"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    with (folder / TASKS).open("a", encoding="utf-8") as tasks:
        tasks.write(json.dumps({name: module.params[name] or [] for name in LISTS.split()}) + "\n")
    module.exit_json(changed=False, changes=[])


if __name__ == "__main__":
    main()
