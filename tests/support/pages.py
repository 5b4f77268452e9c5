"""Pages in the browser of a unit's PC, with the picture of each kept among the results."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from tests.support import environment
from tests.support.places import ask, machine

# Name to width, height (pixels) and darkness of the screen.
SCREENS = {"desktop": (1280, 800, False), "phone": (360, 740, False), "phone-dark": (360, 740, True)}
STATUS_URL = f"http://{environment.service('unit-status').names[0]}/"
STATUS_SCRIPTS = {
    "connection": "document.body.dataset.connection",
    "unit": "document.getElementById('unit').textContent",
    "title": "document.getElementById('title').textContent",
    "since": "document.getElementById('since').textContent",
    "works": (
        "Object.fromEntries(Array.from(document.querySelectorAll('[data-works]'),"
        " (e) => [e.dataset.works, e.dataset.runs]))"
    ),
    "warnings": (
        "Array.from(document.querySelectorAll('[data-warning]'),"
        " (e) => [e.dataset.warning, e.dataset.segment])"
    ),
    "languages": "[document.documentElement.lang, document.querySelectorAll('main [lang=en]').length]",
    "too_wide": "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    "styled": "getComputedStyle(document.querySelector('header')).backgroundColor !== 'rgba(0, 0, 0, 0)'",
}


def user() -> str:
    """The unprivileged user of the PC, as its role names it."""
    defaults = environment.ROOT / "roles/workstation/defaults/main.yml"
    return str(yaml.safe_load(defaults.read_text(encoding="utf-8"))["workstation_user"])


def open_status(pc: str, screen: str, state: str, scripts: dict[str, str]) -> dict[str, Any]:
    """Open the page of the unit's gateway and keep its picture, named after what it should say."""
    width, height, dark = SCREENS[screen]
    order = {"url": STATUS_URL, "user": user(), "width": width, "height": height, "dark": dark}
    seen: dict[str, Any] = ask(machine(pc), "visit", {**order, "scripts": scripts})
    results = environment.state_directory() / "results" / "browser"
    results.mkdir(parents=True, exist_ok=True)
    (results / f"unit-status-{state}-{screen}.png").write_bytes(base64.b64decode(seen["screenshot"]))
    return seen
