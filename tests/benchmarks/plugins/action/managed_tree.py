"""Notes what roles ask of every host, in place of asking it: for the other sides of `bench_converge`."""

from __future__ import annotations

import importlib.util
import json
import os
import uuid
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

FOLDER = "PROVINCE_BENCH_NOTES"  # where the notes go; they hold secrets, so it is the caller's alone
_OURS = Path(__file__).resolve().parents[4] / "playbooks/plugins/action/managed_tree.py"


def _ours() -> Any:
    spec = importlib.util.spec_from_file_location("ours", _OURS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ActionModule(_ours().ActionModule):  # type: ignore[misc] # loaded by its path
    """Our own, up to the call of the module."""

    def _execute_module(self, *, module_name: str, module_args: dict[str, Any], **rest: Any) -> Any:
        if module_name != "managed_tree":
            return super()._execute_module(module_name=module_name, module_args=module_args, **rest)
        packed = module_args.get("payload")
        contents = json.loads(zlib.decompress(b64decode(packed))) if packed else []
        options = {key: value for key, value in module_args.items() if key not in ("payload", "began")}
        options["files"] = [
            {**entry, "content": content}
            for entry, content in zip(options.pop("files", []), contents, strict=True)
        ]
        role = self._task._role
        note = {
            "host": rest["task_vars"]["inventory_hostname"],
            "role": role.get_name() if role else "",
            "options": options,
        }
        place = Path(os.environ[FOLDER]) / f"{uuid.uuid4().hex}.json"
        place.write_text(json.dumps(note, default=str), encoding="utf-8")
        return {"changed": False, "changes": [], "restarted": [], "reloaded": []}
