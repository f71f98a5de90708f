"""The application: `create_app()` puts the pieces together, `app` is what the server runs."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app.api import api_routers, api_tags
from app.core import database, health
from app.core.config import Settings, get_settings
from app.core.docs import add_pages
from app.core.logging import configure_logging
from app.core.middleware import RequestMiddleware, with_cors
from app.core.openapi import describe
from app.core.problems import add_error_handlers
from app.core.security import prepare_hashing
from app.core.threads import HASHING

# New objects between two collections. A list of 100 rows makes more than Python's 700.
GC_THRESHOLD = 50_000


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The database is not asked: a process that starts before it does must recover by itself."""
    await HASHING.run(prepare_hashing)
    # What lives until the end need not be looked at by each collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    yield
    database.database.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or get_settings()
    configure_logging(settings)
    app = FastAPI(
        title=settings.app_name,
        description=DESCRIPTION,
        version="1.0.0",
        debug=False,  # Starlette's debug page shows code and values; ours are in the log
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        openapi_tags=[*api_tags, {"name": "health", "description": health.__doc__}],
    )
    add_error_handlers(app)
    for router in api_routers:
        app.include_router(router, prefix=settings.api_prefix)
    app.include_router(health.router)
    add_pages(app, settings)
    describe(app)
    # The last one added is the outermost.
    if settings.allowed_hosts != ["*"]:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(with_cors, settings=settings)
    app.add_middleware(RequestMiddleware, settings=settings)
    return app


DESCRIPTION = """
Register, press **Authorize**, and call away.

Lists answer `{items, total, skip, limit, next_cursor}`. Errors are
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems. What has an `ETag` takes `If-Match`.
"""

app = create_app()
