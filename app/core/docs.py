"""The pages for people. They load nothing from outside, so that they work with no network."""

from html import escape
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

from app.core.config import Settings

ASSETS = "/docs/assets"
FILES = Path(str(files("fastapi_offline"))) / "static"
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
<link rel="icon" href="{base}/favicon.ico">
<style>
  body {{ font: 20px/1.6 system-ui, sans-serif; max-width: 38rem; margin: 14vh auto;
         padding: 0 1.5rem; color: #1d2733; background: #fbfcfd; }}
  h1 {{ font-size: 2.6rem; margin: 0; }}
  p {{ margin: .2rem 0 2rem; opacity: .75; }}
  a {{ display: flex; justify-content: space-between; padding: .8rem 1.1rem; margin: .6rem 0;
      border: 1px solid #cfd8dc; border-radius: .5rem; color: inherit; text-decoration: none; }}
  a:hover, a:focus {{ border-color: #00897b; background: #e0f2f1; }}
  code {{ color: #00796b; }}
  @media (prefers-color-scheme: dark) {{
    body {{ color: #dde5ec; background: #14191f; }}
    a {{ border-color: #37474f; }}
    a:hover, a:focus {{ border-color: #4db6ac; background: #1c2b2e; }}
    code {{ color: #4db6ac; }}
  }}
</style>
</head>
<body>
<h1>{name}</h1>
<p>A REST API, ready to be asked.</p>
{links}
</body>
</html>"""

# Swagger's own head takes half of a projected page, and its dialog asks for what is not needed
# here, until the button that signs in is out of sight.
SWAGGER_STYLE = b"""<style>
  body { margin: 0; }
  .swagger-ui .info { margin: 28px 0 12px; }
  .swagger-ui .info hgroup.main { margin: 0 0 8px; }
  .swagger-ui .info .description p { margin: 4px 0; }
  .swagger-ui .scheme-container { margin: 0 0 8px; padding: 0; background: none; box-shadow: none; }
  .swagger-ui .filter .operation-filter-input { margin: 8px 0; }
  .swagger-ui .opblock-tag-section { margin-bottom: 16px; }
  .swagger-ui .auth-container .scope-def { display: none; }
  .swagger-ui .auth-container .wrapper:has(> section > #password_type),
  .swagger-ui .auth-container .wrapper:has(> section > #client_id_password),
  .swagger-ui .auth-container .wrapper:has(> section > #client_secret_password) { display: none; }
</style>
</head>"""


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
        rows = (
            f'<a href="{base}{url}">{text}<code>{url}</code></a>' for url, text in links.items()
        )
        page = ROOT_PAGE.format(name=escape(settings.app_name), base=base, links="\n".join(rows))
        return HTMLResponse(page, headers=POLICY)

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> FileResponse:
        # Browsers ask for it on their own; a 404 in the log would look like a mistake.
        return FileResponse(FILES / "favicon.png", media_type="image/png")


def _add_docs(app: FastAPI) -> None:
    # Only the files of this package: its own app class has no place for a policy.
    app.mount(ASSETS, StaticFiles(directory=FILES))

    @app.get("/docs", include_in_schema=False)
    async def swagger(request: Request) -> HTMLResponse:
        base = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{base}/openapi.json",
            title=escape(app.title),
            oauth2_redirect_url=f"{base}/docs/oauth2-redirect",
            swagger_js_url=f"{base}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{base}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{base}/favicon.ico",
            swagger_ui_parameters={
                "displayRequestDuration": True,
                "persistAuthorization": True,
                "tryItOutEnabled": True,
                "docExpansion": "list",
                "filter": True,
            },
        )
        body = bytes(page.body).replace(b"</head>", SWAGGER_STYLE)
        return HTMLResponse(body, headers=POLICY)

    @app.get("/docs/oauth2-redirect", include_in_schema=False)
    async def swagger_redirect() -> HTMLResponse:
        return HTMLResponse(get_swagger_ui_oauth2_redirect_html().body, headers=POLICY)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        base = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{base}/openapi.json",
            title=escape(app.title),
            redoc_js_url=f"{base}{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{base}/favicon.ico",
            with_google_fonts=False,
        )
        return HTMLResponse(page.body, headers=POLICY)
