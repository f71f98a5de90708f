"""A browser for tests: headless Chromium, asked over the WebDriver protocol."""

import json
import shutil
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import PATIENCE, Process, environment, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives to elements


class Browser(Process):
    """Reaches 127.0.0.1 and nothing else: whatever a page wants from outside fails."""

    def __init__(self, profile: Path) -> None:
        driver = shutil.which("chromedriver")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if not driver or not chromium:
            pytest.skip("no browser: install chromium and chromedriver to test the pages")
        port = free_port()
        super().__init__([driver, f"--port={port}"], profile.parent, environment())
        address = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False, verify=False)
        arguments = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
            *("--window-size=1280,1000", f"--user-data-dir={profile}"),
        ]
        options = {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        try:
            self.wait_for(self.is_up)
            started = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        except BaseException:
            super().__exit__()
            raise
        self.session = f"/session/{started['sessionId']}"

    def __exit__(self, *_: object) -> None:
        try:
            self.ask("DELETE", self.session)
        finally:
            super().__exit__()
            self.http.close()

    def is_up(self) -> bool:
        try:
            return bool(self.ask("GET", "/status")["ready"])
        except httpx.TransportError:
            return False

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        response = self.http.request(method, path, json=body if method == "POST" else None)
        value = response.json()["value"]
        if response.is_error:
            raise LookupError(value["message"])
        return value

    def until(self, ready: Any) -> Any:
        """Call until it gives something, and raises no LookupError."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if found := ready():
                    return found
            except LookupError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise AssertionError("The page did not get there in time.")
            time.sleep(0.02)

    def open(self, url: str) -> None:
        self.ask("POST", f"{self.session}/url", {"url": url})

    def run(self, script: str) -> Any:
        return self.ask("POST", f"{self.session}/execute/sync", {"script": script, "args": []})

    def find(self, css: str) -> str:
        """The path of an element, as soon as it is there."""
        query = {"using": "css selector", "value": css}
        found = self.until(lambda: self.ask("POST", f"{self.session}/element", query))
        return f"{self.session}/element/{found[ELEMENT]}"

    def click(self, css: str) -> None:
        """Click as soon as nothing covers it."""
        self.until(lambda: self.ask("POST", f"{self.find(css)}/click", {}) is None)

    def type(self, css: str, text: str) -> None:
        self.until(lambda: self.ask("POST", f"{self.find(css)}/clear", {}) is None)
        self.ask("POST", f"{self.find(css)}/value", {"text": text})

    def text(self, css: str) -> str:
        """What the element shows, as soon as it shows something."""
        return str(self.until(lambda: self.ask("GET", f"{self.find(css)}/text")))

    def log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.ask("POST", f"{self.session}/se/log", {"type": kind})
        return entries

    def requested(self) -> set[str]:
        """What pages wanted over a network since the last call, and no policy kept from them."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        blocked = {
            message["params"]["requestId"]
            for message in messages
            if message["params"].get("blockedReason") == "csp"
        }
        wanted = {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and message["params"]["requestId"] not in blocked
        }
        return {url for url in wanted if url.startswith(("http", "ws"))}

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b64decode(self.ask("GET", f"{self.session}/screenshot")))
