"""The pages for people. They load nothing from outside, so that they work with no network."""

from html import escape
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from app.core.config import Settings

ASSETS = "/docs/assets"
POLICY = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "frame-ancestors 'none'"
    )
}

ROOT_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
  body {{ font: 18px/1.6 system-ui, sans-serif; max-width: 36rem; margin: 12vh auto;
         padding: 0 1.5rem; color: #1d2733; background: #fbfcfd; }}
  h1 {{ font-size: 2.2rem; margin-bottom: .2rem; }}
  a {{ color: #00796b; }}
  li {{ margin: .3rem 0; }}
  @media (prefers-color-scheme: dark) {{ body {{ color: #dde5ec; background: #14191f; }}
    a {{ color: #4db6ac; }} }}
</style>
</head>
<body>
<h1>{name}</h1>
<p>A REST API, ready to be asked.</p>
<ul>
{links}
</ul>
</body>
</html>"""


def add_pages(app: FastAPI, settings: Settings) -> None:
    links = {"/health/ready": "Is it ready?"}
    if settings.docs_enabled:
        links = {
            "/docs": "Try it: Swagger UI",
            "/redoc": "Read it: ReDoc",
            "/openapi.json": "Generate from it: OpenAPI",
        } | links
        _add_docs(app)

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> HTMLResponse:
        base = escape(request.scope.get("root_path", ""))
        items = "\n".join(f'<li><a href="{base}{url}">{t}</a></li>' for url, t in links.items())
        page = ROOT_PAGE.format(name=escape(settings.app_name), links=items)
        return HTMLResponse(page, headers=POLICY)


def _add_docs(app: FastAPI) -> None:
    # Only the files of this package: its own app class has no place for a policy.
    app.mount(ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))

    @app.get("/docs", include_in_schema=False)
    async def swagger(request: Request) -> HTMLResponse:
        base = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{base}/openapi.json",
            title=app.title,
            oauth2_redirect_url=f"{base}/docs/oauth2-redirect",
            swagger_js_url=f"{base}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{base}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{base}{ASSETS}/favicon.png",
            swagger_ui_parameters={
                "displayRequestDuration": True,
                "persistAuthorization": True,
                "tryItOutEnabled": True,
                "docExpansion": "list",
                "filter": True,
            },
        )
        return HTMLResponse(page.body, headers=POLICY)

    @app.get("/docs/oauth2-redirect", include_in_schema=False)
    async def swagger_redirect() -> HTMLResponse:
        return HTMLResponse(get_swagger_ui_oauth2_redirect_html().body, headers=POLICY)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        base = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{base}/openapi.json",
            title=app.title,
            redoc_js_url=f"{base}{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{base}{ASSETS}/favicon.png",
            with_google_fonts=False,
        )
        return HTMLResponse(page.body, headers=POLICY)
