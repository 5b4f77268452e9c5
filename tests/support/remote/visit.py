"""Opens one page in Chromium, as an ordinary user, and says what the browser saw. Runs on the user's machine.

Only the standard library, and Chromium's debugging protocol over two pipes (no port is opened). Reads one
line of JSON: `url`, `user` (empty: whoever runs this), `width` and `height` of the window in pixels (below
600 it is a phone's), `dark`, `arguments` for Chromium, `scripts` (name to JavaScript expression).

Prints one line of JSON: `requests` (every URL asked for), `failures` (requests that failed or were answered
with 400 and more), `console` (errors and warnings, uncaught exceptions included), `address` (where the page
came from), `values` (what each script gave), `screenshot` (PNG of the page's first 12,000 pixels, base64).
Chromium's own sandbox stays on: without a working one it does not start, and neither does this.
"""

from __future__ import annotations

import json
import os
import pwd
import select
import subprocess
import sys
import tempfile
import time
from typing import Any

SECONDS = 60.0
LONGEST_PICTURE = 12_000  # pixels


class Browser:
    """A headless Chromium of our own, spoken to in messages that end in a zero byte."""

    def __init__(self, profile: str, user: pwd.struct_passwd, arguments: list[str]) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        self._buffer = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []
        self.deadline = time.monotonic() + SECONDS

        def pipes() -> None:
            # Chromium reads from descriptor 3 and writes to 4; move away first what may be in the way.
            source, target = os.dup(to_browser), os.dup(from_browser)
            high_source, high_target = os.dup2(source, 60), os.dup2(target, 61)
            os.dup2(high_source, 3)
            os.dup2(high_target, 4)

        self.process = subprocess.Popen(
            [
                "/usr/bin/chromium",
                "--headless=new",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                *arguments,
                "about:blank",
            ],
            preexec_fn=pipes,
            close_fds=False,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            env={"HOME": user.pw_dir, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=profile,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        os.close(to_browser)
        os.close(from_browser)

    def receive(self) -> dict[str, Any] | None:
        """The next message, or None when there is none within half a second."""
        while b"\0" not in self._buffer:
            if time.monotonic() > self.deadline:
                raise SystemExit(f"the browser did not finish within {SECONDS:.0f} s")
            ready, _, _ = select.select([self._in], [], [], 0.5)
            if not ready:
                return None
            piece = os.read(self._in, 1 << 20)
            if not piece:
                error = self.process.stderr.read().decode(errors="replace") if self.process.stderr else ""
                raise SystemExit(f"the browser ended: {error[-2000:]}")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        decoded: dict[str, Any] = json.loads(message)
        return decoded

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer is None:
                continue
            if answer.get("id") != self._last:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise SystemExit(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    def settle(self) -> None:
        """Read events until the page has loaded and the network has been quiet for half a second."""
        while True:
            event = self.receive()
            if event is not None:
                self.events.append(event)
            elif any(seen["method"] == "Page.loadEventFired" for seen in self.events):
                return

    def seen(self, method: str) -> list[dict[str, Any]]:
        """Parameters of all events of a kind."""
        return [event["params"] for event in self.events if event.get("method") == method]


def visit(order: dict[str, Any]) -> dict[str, Any]:
    """Open the page as ordered."""
    user = pwd.getpwnam(order["user"]) if order.get("user") else pwd.getpwuid(os.getuid())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        os.chown(profile, user.pw_uid, user.pw_gid)
        browser = Browser(profile, user, order.get("arguments", []))
        try:
            return look(browser, order)
        finally:
            browser.process.kill()
            browser.process.wait()


def look(browser: Browser, order: dict[str, Any]) -> dict[str, Any]:
    """Everything that is asked of a page, with one session."""
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        browser.ask(f"{domain}.enable", session)
    browser.ask(
        "Emulation.setDeviceMetricsOverride",
        session,
        width=order["width"],
        height=order["height"],
        deviceScaleFactor=1,
        mobile=order["width"] < 600,
    )
    if order.get("dark"):
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        browser.ask("Emulation.setEmulatedMedia", session, features=[feature])
    browser.ask("Page.navigate", session, url=order["url"])
    browser.settle()
    values = {}
    for name, script in order["scripts"].items():
        answer = browser.ask(
            "Runtime.evaluate", session, expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise SystemExit(f"script {name}: {answer['exceptionDetails']}")
        values[name] = answer["result"].get("value")
    # A browser paints no picture of any height: of a long table the first screens are enough to look at.
    size = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]
    clip = {
        "x": 0,
        "y": 0,
        "width": size["width"],
        "height": min(size["height"], LONGEST_PICTURE),
        "scale": 1,
    }
    picture = browser.ask(
        "Page.captureScreenshot", session, format="png", captureBeyondViewport=True, clip=clip
    )
    return {
        "requests": [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")],
        "failures": [
            f"{event['response']['status']} {event['response']['url']}"
            for event in browser.seen("Network.responseReceived")
            if event["response"]["status"] >= 400
        ]
        + [event["errorText"] for event in browser.seen("Network.loadingFailed")],
        "console": [
            " ".join(str(argument.get("value", "")) for argument in event["args"])
            for event in browser.seen("Runtime.consoleAPICalled")
            if event["type"] in {"error", "warning", "assert"}
        ]
        + [event["exceptionDetails"]["text"] for event in browser.seen("Runtime.exceptionThrown")]
        + [
            event["entry"]["text"]
            for event in browser.seen("Log.entryAdded")
            if event["entry"]["level"] in {"error", "warning"}
        ],
        "address": next(
            (
                event["response"].get("remoteIPAddress", "")
                for event in browser.seen("Network.responseReceived")
                if event["type"] == "Document"
            ),
            "",
        ),
        "values": values,
        "screenshot": picture["data"],
    }


if __name__ == "__main__":
    json.dump(visit(json.loads(sys.stdin.readline())), sys.stdout)
    sys.stdout.write("\n")
