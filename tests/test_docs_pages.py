"""The pages for people: complete, safe, and at home where there is no network."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.core.config import get_settings
from app.main import create_app
from tests.beside import beside
from tests.browser import Browser
from tests.servers import Server, copy_tree

PAGES = ["/", "/docs", "/redoc", "/docs/oauth2-redirect"]
DOCS = ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/docs/assets/swagger-ui.css"]


@pytest.fixture
def pages(app: FastAPI) -> TestClient:
    return TestClient(app)


def pages_with(**settings: Any) -> TestClient:
    return TestClient(create_app(get_settings().model_copy(update=settings)))


def references(page: str) -> list[str]:
    return re.findall(r"""(?:src|href|url)=["']([^"']+)""", page) + re.findall(
        r"""(?:url:|spec-url=)\s*["']([^"']+)""", page
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_other_host_and_all_that_it_names_is_there(
    page: str, pages: TestClient
) -> None:
    response = pages.get(page)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "://" not in response.text
    for reference in references(response.text):
        assert reference.startswith("/")
        assert pages.get(reference).status_code == 200


def test_the_pages_have_what_they_need(pages: TestClient) -> None:
    assert {"/docs", "/redoc", "/openapi.json", "/health/ready"} <= set(
        references(pages.get("/").text)
    )
    assert {
        "/openapi.json",
        "/docs/assets/swagger-ui-bundle.js",
        "/docs/assets/swagger-ui.css",
        "/favicon.ico",
    } == set(references(pages.get("/docs").text))
    assert {"/openapi.json", "/docs/assets/redoc.standalone.js", "/favicon.ico"} == set(
        references(pages.get("/redoc").text)
    )
    assert "url(http" not in pages.get("/docs/assets/swagger-ui.css").text
    assert pages.get("/favicon.ico").headers["content-type"] == "image/png"
    assert pages.get("/docs/assets/nothing.js").status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_a_page_allows_nothing_from_outside_and_no_frame(page: str, pages: TestClient) -> None:
    headers = pages.get(page).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_docs_can_be_switched_off() -> None:
    pages = pages_with(docs_enabled=False)
    for page in DOCS:
        response = pages.get(page)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
    assert references(pages.get("/").text) == ["/favicon.ico", "/health/ready"]


def test_the_pages_work_behind_a_proxy_that_strips_a_prefix(app: FastAPI) -> None:
    pages = TestClient(app, root_path="/shop")
    for page in ("/", "/docs", "/redoc"):
        found = references(pages.get(page).text)
        assert found
        assert all(reference.startswith("/shop/") for reference in found)


def test_the_name_of_the_app_is_no_html() -> None:
    pages = pages_with(app_name="<b>Tom & Co</b>")
    for page in ("/", "/docs", "/redoc"):
        assert "<b>" not in pages.get(page).text
        assert "<title>&lt;b&gt;Tom &amp; Co&lt;/b&gt;</title>" in pages.get(page).text


# --- In a browser ----------------------------------------------------------------------------


def shoot(browser: Browser, name: str, css: str = "body") -> None:
    """`SHOTS=folder pytest ...` leaves pictures, to be looked at."""
    if folder := os.environ.get("SHOTS"):
        browser.run(f"document.querySelector({css!r}).scrollIntoView()")
        browser.screenshot(Path(folder) / f"{name}.png")


def check_stayed_home(browser: Browser, server: Server) -> None:
    """Nothing was wanted from elsewhere, and the console holds no error."""
    assert [url for url in browser.requested() if not url.startswith(f"{server.url}/")] == []
    console = browser.log("browser")
    errors = [entry["message"] for entry in console if entry["level"] == "SEVERE"]
    # ReDoc's bundle names a logo of its maker's, which the policy keeps from being loaded.
    assert [each for each in errors if "logo-mini.svg" not in each] == []


@beside
def test_in_a_browser_the_pages_work_and_stay_home(folder: Path) -> None:
    with (
        Server(copy_tree(folder / "tree"), "--no-reload") as server,
        Browser(folder / "profile") as browser,
    ):
        server.get("/health/ready")
        swagger_registers_authorizes_and_calls(browser, server)
        page_shows_and_stays_home("redoc", "#tag\\/users", browser, server)
        page_shows_and_stays_home("", "a[href='/docs']", browser, server)


def swagger_registers_authorizes_and_calls(browser: Browser, server: Server) -> None:
    browser.open(f"{server.url}/docs")
    browser.find(".opblock")
    shoot(browser, "docs")

    register = "#operations-users-register_user"
    browser.click(f"{register} .opblock-summary-control")
    browser.click(f"{register} .execute")  # with the example, as it is
    assert browser.text(f"{register} .live-responses-table .response .response-col_status") == "201"
    shoot(browser, "docs-register", register)

    browser.click(".auth-wrapper .authorize")
    browser.type("#oauth_username", "ana_souza")
    browser.type("#oauth_password", "correct horse battery")
    shoot(browser, "docs-authorize")
    browser.click(".auth-btn-wrapper .authorize")
    browser.click(".auth-btn-wrapper .btn-done")

    profile = "#operations-users-get_profile"
    browser.click(f"{profile} .opblock-summary-control")
    browser.click(f"{profile} .execute")
    answer = f"{profile} .live-responses-table"
    assert browser.text(f"{answer} .response .response-col_status") == "200"
    assert '"username": "ana_souza"' in browser.text(f"{answer} .highlight-code")
    shoot(browser, "docs-profile", profile)
    check_stayed_home(browser, server)


def page_shows_and_stays_home(page: str, css: str, browser: Browser, server: Server) -> None:
    browser.open(f"{server.url}/{page}")
    assert browser.text(css)
    assert browser.text("h1").startswith("FastAPI Live")
    shoot(browser, page or "root")
    check_stayed_home(browser, server)
