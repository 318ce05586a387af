"""Debian's Chromium, driven over its debugging pipe (Chrome DevTools Protocol): no port, no driver program, no library."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Browser:
    def __init__(self, size=(1280, 900)):
        program = shutil.which("chromium")
        if not program:
            raise SystemExit("chromium is not there: ./bootstrap test brings it")
        self.profile = tempfile.mkdtemp(prefix="khost-browser-")
        to_child, self.write_to = os.pipe()
        self.read_from, from_child = os.pipe()

        def as_3_and_4():
            os.dup2(to_child, 13), os.dup2(from_child, 14)
            os.dup2(13, 3), os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             "--disable-extensions", "--hide-scrollbars", f"--user-data-dir={self.profile}", f"--window-size={size[0]},{size[1]}"],
            preexec_fn=as_3_and_4, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child), os.close(from_child)
        self.buffer, self.count, self.events = b"", 0, []
        target = self.call("Target.createTarget", session=None, url="about:blank")
        self.session = None
        self.session = self.call("Target.attachToTarget", session=None, targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(domain + ".enable")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.write_to), os.close(self.read_from)
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self, timeout):
        end = time.monotonic() + timeout
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_from], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            got = os.read(self.read_from, 1 << 20)
            if not got:
                raise EOFError("the browser has ended")
            self.buffer += got
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session="own", timeout=120, **parameters):
        self.count += 1
        request = {"id": self.count, "method": method, "params": parameters}
        if session and self.session:
            request["sessionId"] = self.session
        os.write(self.write_to, json.dumps(request).encode() + b"\0")
        while True:
            message = self.message(timeout)
            if message.get("id") == self.count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    session = None

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        return result["result"].get("value")

    def open(self, path, until="true", timeout=60, media=None, javascript=True):
        """Returns the seconds until the page had loaded."""
        self.events.clear()
        self.call("Emulation.setScriptExecutionDisabled", value=not javascript)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": media or "light"}])
        begun = time.monotonic()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events), timeout, "the page to load")
        loaded = time.monotonic() - begun
        if javascript:
            self.wait(lambda: self.evaluate(until), timeout, until)
        return loaded

    def wait(self, done, timeout, what):
        end = time.monotonic() + timeout
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout} s for {what}")
            self.call("Runtime.getIsolateId")
            time.sleep(0.02)

    def complaints(self):
        """Console errors and warnings, exceptions, and requests for anything beside the page itself."""
        out = []
        for event in self.events:
            method, p = event["method"], event.get("params", {})
            if method == "Runtime.exceptionThrown":
                out.append("exception: " + json.dumps(p["exceptionDetails"])[:400])
            elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                out.append(f"console.{p['type']}: " + json.dumps(p["args"])[:400])
            elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                out.append("log: " + p["entry"]["text"])
            elif method == "Network.requestWillBeSent" and p.get("type") != "Document" and not p["request"]["url"].startswith("data:"):
                out.append("asks for " + p["request"]["url"][:200])
        return out

    def screenshot(self, path, whole=False, clip=None):
        more = {"captureBeyondViewport": True} if whole or clip else {}
        if clip:
            more["clip"] = dict(zip(("x", "y", "width", "height"), clip), scale=1)
        elif whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            more["clip"] = dict(x=0, y=0, width=size["width"], height=min(size["height"], 16000), scale=1)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"]))

    def pdf(self, path):
        data = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True, timeout=300)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def key(self, key, code=None):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode={"Tab": 9, "Escape": 27, "Enter": 13}.get(key, 0))
