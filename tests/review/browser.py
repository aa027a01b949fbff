"""A real browser without a window, driven through Chromium's DevTools protocol."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import websocket

VARIABLE = "MIG_FLEET_BROWSER"
"""The browser's path. If it is set, a browser that does not start fails the tests; CI sets it."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install --no-install-recommends chromium"
TIMEOUT = 60
"""Seconds for one answer of the browser."""
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--log-level=3",
)
"""Chromium refuses to run as root with its sandbox, and containers have little shared memory."""


def find() -> str | None:
    """The path of a browser, or None without one."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """The only page of a browser. ``events`` has what the browser reported so far, by method."""

    def __init__(self, connection: websocket.WebSocket, session: str = "") -> None:
        self._connection = connection
        self._session = session
        self._numbers = count(1)
        self.events: list[tuple[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a method of the protocol. Raises AssertionError with the browser's error."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        answer = next(read for read in iter(self._read, None) if read.get("id") == number)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def _read(self) -> Any:
        """The next answer or event."""
        read = json.loads(self._connection.recv())
        if "method" in read:
            self.events.append((read["method"], read["params"]))
        return read

    def attach(self) -> "Page":
        """The page of this browser, ready to report what it loads and logs."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self._connection, session)
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            page.call(f"{domain}.enable")
        return page

    def show(self, file: Path, width: int = 1100, **media: str) -> None:
        """Loads a file. ``media`` are features such as ``prefers_color_scheme``."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=file.as_uri())
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            self._read()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; the page's own security policy does not apply to it."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str) -> None:
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"Enter": "\r"}.get(key, "")
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def picture(self, file: Path) -> bytes:
        """A picture of the whole page as PNG, also written to the file."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        file.write_bytes(picture := base64.b64decode(shot["data"]))
        return picture

    def images(self) -> Mapping[str, str]:
        """The pictures as a screen reader gets them: name → description."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        images = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img", "graphics-document")]
        return {node["name"]["value"]: node.get("description", {}).get("value", "") for node in images}


@contextmanager
def opened(browser: str, folder: Path) -> Iterator[Page]:
    """A page in a new browser, whose files are below ``folder``."""
    command = [browser, *OPTIONS, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"listening on (ws://\S+)", line):
                break
        else:
            raise AssertionError(f"{browser} did not start:\n{''.join(lines)}")
        connection = websocket.create_connection(match[1], timeout=TIMEOUT, suppress_origin=True)
        whole = Page(connection)
        try:
            yield whole.attach()
        finally:
            whole.call("Browser.close")
            connection.close()
            process.wait(TIMEOUT)
    finally:
        process.kill()
        process.communicate()
