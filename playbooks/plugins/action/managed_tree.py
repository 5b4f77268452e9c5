"""Render a role's templates on the controller and hand everything to the module of the same name.

The documentation is the module's. Rendering is what `ansible.builtin.template` does: the role's
templates search path, the variables of the task, `ansible_managed`, blocks trimmed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import generate_ansible_template_vars, trust_as_template

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What is the controller's own affair, not the host's.
RENDERING = ("src", "each", "content")
# When the run began, set by the run's lock (province/run/lock.py); not there for a playbook run by hand.
BEGAN = "PROVINCE_BEGAN"


def placed(dest: str, item: Mapping[str, Any]) -> str:
    """A target path with `{key}` replaced from the item."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in item:
            raise AnsibleActionFail(
                f"{dest} names {match[0]}, but the item has only: {', '.join(sorted(item))}."
            )
        return str(item[match[1]])

    return PLACEHOLDER.sub(value, dest)


def for_item(entry: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with `each`, for one of its items."""
    found = {**entry, "dest": placed(entry["dest"], item)}
    if entry.get("validate"):
        found["validate"] = placed(entry["validate"], item)
    return found


def as_text(dest: str, content: Any) -> str:
    """The content of a file: text as it is, lists and dictionaries as JSON."""
    if isinstance(content, str):
        return str(content)
    if isinstance(content, Mapping | list | tuple):
        return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    raise AnsibleActionFail(
        f"The content of {dest} is {type(content).__name__}; text, a list or a dictionary is wanted."
    )


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core has no types
    """One round trip for everything a role manages on a host."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, call the module, confirm over a new connection where a unit asks for it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = dict(self._task.args)
        entries: list[dict[str, Any]] = []
        contents: list[str] = []
        rendered = [*self._templates(arguments.pop("templates", None) or [], task_vars)]
        for entry, content in [*rendered, *self._files(arguments.pop("files", None) or [])]:
            entries.append({key: value for key, value in entry.items() if key not in RENDERING})
            contents.append(as_text(entry["dest"], content))
        self._refuse_duplicates(entries)
        arguments["files"] = entries
        if entries:
            packed = zlib.compress(json.dumps(contents).encode())
            arguments["payload"] = base64.b64encode(packed).decode()
        arguments["began"] = int(os.environ.get(BEGAN, "0"))
        result.update(
            self._execute_module(module_name="managed_tree", module_args=arguments, task_vars=task_vars)
        )
        confirm = result.pop("confirm", None)
        if confirm and not result.get("failed"):
            self._confirm(confirm, result)
        return result

    def _templates(
        self, templates: list[dict[str, Any]], task_vars: dict[str, Any]
    ) -> Iterator[tuple[dict[str, Any], Any]]:
        for entry in templates:
            source = entry.get("src")
            if not source:
                raise AnsibleActionFail("An entry of `templates` has no `src`.")
            dest = entry.get("dest") or "/" + source.removesuffix(".j2").lstrip("/")
            if entry.get("each") is None:
                yield {**entry, "dest": dest}, self._render(source, dest, task_vars)
                continue
            for item in entry["each"]:
                target = for_item({**entry, "dest": dest}, item)
                yield target, self._render(source, target["dest"], {**task_vars, "item": item})

    def _files(self, files: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
        for entry in files:
            source = entry.get("src")
            if source:
                found = self._find("files", source)
                dest = entry.get("dest") or "/" + source.lstrip("/")
                yield {**entry, "dest": dest}, self._loader.get_text_file_contents(found)
                continue
            if not entry.get("dest"):
                raise AnsibleActionFail("An entry of `files` has neither `dest` nor `src`.")
            if entry.get("each") is None:
                yield entry, entry.get("content", "")
                continue
            for item in entry["each"]:
                key = entry.get("content", "content")
                if key not in item:
                    raise AnsibleActionFail(
                        f"{entry['dest']}: an item has no `{key}`, only: {', '.join(sorted(item))}."
                    )
                yield for_item(entry, item), item[key]

    def _find(self, kind: str, source: str) -> str:
        """The path of a template or file of the role."""
        try:
            return str(self._find_needle(kind, source))
        except AnsibleError as error:
            raise AnsibleActionFail(f"There is no {source} in this role's {kind}.") from error

    def _render(self, source: str, dest: str, variables: dict[str, Any]) -> Any:
        found = self._find("templates", source)
        path = Path(found)
        search: list[str] = []
        for directory in [
            *variables.get("ansible_search_path", []),
            self._loader.get_basedir(),
            str(path.parent),
        ]:
            search += [str(Path(directory) / "templates"), str(directory)]
        available = variables.copy()
        described = generate_ansible_template_vars(path=source, fullpath=found, dest_path=dest)
        if "ansible_managed" in variables:
            described.pop("ansible_managed", None)
        available.update(described)
        templar = self._templar.copy_with_new_env(searchpath=search, available_variables=available)
        text = trust_as_template(self._loader.get_text_file_contents(found))
        overrides = {"trim_blocks": True, "lstrip_blocks": True}
        try:
            content = templar.template(text, escape_backslashes=False, overrides=overrides)
        except AnsibleError as error:
            raise AnsibleActionFail(f"The template {source} for {dest} could not be rendered.") from error
        return "" if content is None else content

    def _refuse_duplicates(self, entries: list[dict[str, Any]]) -> None:
        seen: set[str] = set()
        for entry in entries:
            if not entry["dest"].startswith("/") or ".." in Path(entry["dest"]).parts:
                raise AnsibleActionFail(f"{entry['dest']} is not an absolute path.")
            if entry["dest"] in seen:
                raise AnsibleActionFail(f"{entry['dest']} is named twice in one task.")
            seen.add(entry["dest"])

    def _confirm(self, commands: list[str], result: dict[str, Any]) -> None:
        """Prove on a connection made after the change that the host is within reach, and tell it so."""
        for command in commands:
            try:
                self._connection.reset()
                done = self._low_level_execute_command(command, sudoable=True)
            except (AnsibleConnectionFailure, NotImplementedError) as error:
                result.update(
                    failed=True,
                    msg=f"After the change no new connection could be made, so `{command}` was not run; "
                    f"the host takes the change back by itself. {error}",
                )
                return
            if done["rc"] != 0:
                said = f"{done['stdout']}{done['stderr']}".strip()
                result.update(failed=True, msg=f"`{command}` over a new connection failed: {said}")
                return
