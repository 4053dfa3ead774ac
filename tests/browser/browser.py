"""A headless Chromium without network access that records console errors and all requests."""

import base64
import json
import tempfile
from pathlib import Path

from selenium import webdriver

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1 --host-resolver-rules=MAP*~NOTFOUND"""
LOCAL = ("file:", "data:", "blob:", "about:", "chrome:", "chrome-untrusted:")


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

    def cdp(self, command: str, **args):
        return self.driver.execute_cdp_cmd(command, args)

    def js(self, script: str, *args):
        return self.driver.execute_script(script, *args)

    def wait(self, script: str):
        """Returns the value that a script passes to its last argument, a callback."""
        return self.driver.execute_async_script(script)

    def find(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def settle(self, milliseconds: int = 250) -> None:
        """Waits until frames have sent their heights and everything is painted."""
        self.wait(f"const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), {milliseconds})")

    def picture(self, name: str, whole: bool = True) -> None:
        """Saves the visible part, or the whole page, as NAME.png."""
        has_frames = self.js("return document.querySelector('iframe') !== null")
        if whole and has_frames:
            # The content of a frame is painted only while it is visible, and a tall frame takes
            # some time.
            width, height = self.js("return [innerWidth, document.documentElement.scrollHeight]")
            self.size(width, height)
            self.settle(1500)
        size = self.js("const e = document.documentElement; return [e.clientWidth, e.scrollHeight, innerHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], 4000) if whole else size[2], "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole and not has_frames, clip=clip)
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def problems(self) -> list[str]:
        """Returns the problems since the last call: console errors, requests to the network, a page that is too wide."""
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
