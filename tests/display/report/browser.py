"""Chromium without a window, spoken to by its DevTools protocol over two pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
_PATIENCE = 90


class Browser:
    """One page of a browser; `problems` are errors, warnings and what its policy refused."""

    def __init__(self, folder):
        read, self._out = os.pipe()
        self._in, write = os.pipe()
        flags = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run"
        command = (
            f"exec {CHROMIUM} {flags} --disable-extensions --disable-background-networking "
            f"--remote-debugging-pipe --user-data-dir={folder} about:blank 3<&{read} 4>&{write}"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._buffer, self._number, self._session = b"", 0, None
        self.problems, self.requests = [], []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def ask(self, method, **parameters):
        """Send a command and wait for its answer; events that come before are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, path, width=1200, height=900, mobile=False, scheme="light", scripts=True):
        """Open a file, or an address."""
        self.problems.clear()
        self.requests.clear()
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._loaded = False
        self.ask("Page.navigate", url=path if "://" in str(path) else f"file://{path}")
        until = time.monotonic() + _PATIENCE
        while not self._loaded:
            assert time.monotonic() < until
            self._note(self._next())

    def run(self, script):
        """What a script gives, as JSON values."""
        given = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in given, given
        return given["result"].get("value")

    def press(self, key, code=0, text=""):
        """A key, pressed and let go."""
        of_key = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **of_key)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **of_key)

    def mouse(self, kind, x, y, **more):
        """The pointer."""
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def shot(self, path, whole=True):
        """A picture of the page."""
        given = self.ask("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(given["data"]))

    def _next(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], _PATIENCE)
            assert ready, "the browser does not answer"
            part = os.read(self._in, 2**20)
            assert part, "the browser has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        method, told = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.problems.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.problems.append(json.dumps(told["args"])[:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"][:80])
