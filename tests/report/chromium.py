"""A Chromium without a window, driven over a pipe: the DevTools protocol, and nothing beside Python's own library."""

import base64
import json
import os
import shutil
import subprocess
import tempfile

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-default-apps --hide-scrollbars --remote-debugging-pipe""".split()


def found():
    """The program; none if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Chromium:
    """A browser with a profile of its own, which goes with it."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        commands, self.into = os.pipe()
        self.out, answers = os.pipe()
        # It reads from 3 and writes to 4.
        start = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        arguments = [found(), *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", start, *arguments], pass_fds=(commands, answers), stderr=subprocess.DEVNULL
        )
        os.close(commands)
        os.close(answers)
        self.rest, self.number, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.profile.cleanup()

    def message(self):
        while b"\0" not in self.rest:
            part = os.read(self.out, 1 << 20)
            if not part:
                raise SystemExit("the browser has gone")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        """Asks and waits for the answer; what happens meanwhile is kept in `events`."""
        self.number += 1
        ask = {"id": self.number, "method": method, "params": parameters}
        if session:
            ask["sessionId"] = session
        os.write(self.into, json.dumps(ask).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def page(self, width, scheme="light", scripts=True):
        return Page(self, width, scheme, scripts)


class Page:
    """A tab of a width and a colour scheme."""

    def __init__(self, browser, width, scheme, scripts):
        self.browser, self.width = browser, width
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        # A page that still scrolls would move away from under a click.
        features = [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def mine(self, method):
        events = self.browser.events
        return [it["params"] for it in events if it["method"] == method and it.get("sessionId") == self.session]

    def open(self, url):
        self.call("Page.navigate", url=url)
        while not self.mine("Page.loadEventFired"):
            self.browser.events.append(self.browser.message())

    def asked(self):
        """What was asked for, without what the page carries itself."""
        urls = [it["request"]["url"] for it in self.mine("Network.requestWillBeSent")]
        return [url for url in urls if not url.startswith("data:")]

    def said(self):
        """What the console says, and what went wrong in scripts."""
        words = [str(it["args"]) for it in self.mine("Runtime.consoleAPICalled")]
        words += [it["exceptionDetails"]["text"] for it in self.mine("Runtime.exceptionThrown")]
        return words + [it["entry"]["text"] for it in self.mine("Log.entryAdded")]

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def click(self, element):
        """Clicks where the element is, as a hand would; `element` is an expression."""
        place = self.run(f"""(() => {{
            const element = {element};
            element.scrollIntoView({{ block: "center", inline: "center", behavior: "instant" }});
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const there = document.elementFromPoint(x, y);
            return [x, y, element.contains(there) || Boolean(there?.contains(element)), there?.outerHTML.slice(0, 200)];
        }})()""")
        x, y, is_there, other = place
        assert is_there, f"{element} is covered by {other}"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, element, start, end):
        """Draws down the element with the pressed button, from one part of its height to another."""
        x, top, height = self.run(f"""(() => {{
            const element = {element};
            element.scrollIntoView({{ block: "center", inline: "center", behavior: "instant" }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y, box.height];
        }})()""")
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=top + start * height, button="left", clickCount=1)
        for part in (0.3, 0.6, 1.0):
            y = top + (start + part * (end - start)) * height
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=top + end * height, button="left", clickCount=1)

    def type(self, words):
        self.call("Input.insertText", text=words)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path):
        """The whole page as a PNG file."""
        height = self.run("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(height, 16000), "scale": 1}
        taken = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def printed(self, path):
        """The page as it is printed."""
        taken = self.call("Page.printToPDF", preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(taken["data"]))
