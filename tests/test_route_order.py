"""No route stands in another one's way, in whatever order the modules are loaded."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from app import api
from app.core.config import get_settings

PREFIX = get_settings().api_prefix


def name_the_route(request: Request) -> None:
    """In the place of an answer: which route the request came to."""
    raise HTTPException(418, request.scope["route"].name)


def routers() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(api.__path__))
    modules = [importlib.import_module(f"{api.__name__}.{name}") for name in names]
    return [module.router for module in modules if hasattr(module, "router")]


@pytest.mark.parametrize("order", [list, reversed])
def test_every_path_leads_to_its_own_route(
    order: Callable[[Any], Any], app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FastAPI()
    for router in order(routers()):
        # Within a module as well: `/{id}` may be declared before `/search`.
        monkeypatch.setattr(router, "routes", list(order(router.routes)))
        other.include_router(router, prefix=PREFIX, dependencies=[Depends(name_the_route)])
    paths = {path: each for path, each in app.openapi()["paths"].items() if path.startswith(PREFIX)}
    assert len(paths) > 20
    with TestClient(other) as client:
        for path, operations in paths.items():
            for method, operation in operations.items():
                for value in ("7", "a-name"):
                    response = client.request(method, re.sub(r"\{\w+\}", value, path))
                    assert response.status_code == 418, (method, path, response.text)
                    assert response.json()["detail"] == operation["operationId"], (method, path)
