"""A headless Chromium that reaches no network, and what it saw: errors on the console and every request."""

import base64
import json
import tempfile
from pathlib import Path

from selenium import webdriver

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1 --host-resolver-rules=MAP*~NOTFOUND"""
LOCAL = ("file:", "data:", "blob:", "about:", "chrome:")


class Browser:
    def __init__(self, chromium: str, driver: str, pictures: Path):
        self.profile = tempfile.TemporaryDirectory()
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in FLAGS.split():
            options.add_argument(flag.replace("MAP*~NOTFOUND", "MAP * ~NOTFOUND"))
        options.add_argument(f"--user-data-dir={self.profile.name}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
        self.driver.set_page_load_timeout(60)
        self.pictures = pictures

    def close(self) -> None:
        self.driver.quit()
        self.profile.cleanup()

    def open(self, page: Path, width: int = 1280, height: int = 860, dark: bool = False, media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.cdp("Emulation.setEmulatedMedia", media=media, features=features)
        self.size(width, height)
        self.driver.get(page.resolve().as_uri())
        if media == "print":
            self.js("dispatchEvent(new Event('beforeprint'))")

    def size(self, width: int, height: int) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def cdp(self, command: str, **words):
        return self.driver.execute_cdp_cmd(command, words)

    def js(self, script: str, *words):
        return self.driver.execute_script(script, *words)

    def wait(self, script: str):
        """What a script hands to its last argument, a function, once it is done."""
        return self.driver.execute_async_script(script)

    def find(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def settle(self, milliseconds: int = 250) -> None:
        """Waits until frames have told their heights and everything is painted."""
        self.wait(f"const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), {milliseconds})")

    def picture(self, name: str, whole: bool = True) -> None:
        """Saves what is seen, or the page down to its end, as NAME.png."""
        has_frames = self.js("return document.querySelector('iframe') !== null")
        if whole and has_frames:
            # What a frame holds is painted only where it is in sight, and a high one takes its time.
            width, height = self.js("return [innerWidth, document.documentElement.scrollHeight]")
            self.size(width, height)
            self.settle(1500)
        size = self.js("const e = document.documentElement; return [e.clientWidth, e.scrollHeight, innerHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], 4000) if whole else size[2], "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole and not has_frames, clip=clip)
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def faults(self) -> list[str]:
        """What went wrong since the last look: errors on the console, requests that left the machine, a page too wide."""
        found = [f"console: {entry['message']}" for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                if not url.startswith(LOCAL):
                    found.append(f"request: {url}")
        wide = self.js("const e = document.documentElement; return e.scrollWidth - e.clientWidth")
        if wide > 0:
            found.append(f"the page is {wide} px wider than its window")
        return found
