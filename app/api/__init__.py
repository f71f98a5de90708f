"""The router of every module beside this one, in alphabetical order. There is no list to extend.

A module without a router is skipped: it may have been made a moment ago. One that cannot be
imported fails with its own error, file and line. The docstring of a module describes its tag.
"""

import importlib
import pkgutil

from app.core.routing import APIRouter

api_routers: list[APIRouter] = []
api_tags: list[dict[str, str]] = []  # as OpenAPI lists them

for _found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
    _module = importlib.import_module(f"{__name__}.{_found.name}")
    _named = [name for name, value in vars(_module).items() if isinstance(value, APIRouter)]
    if _named and "router" not in _named:
        raise RuntimeError(f"app/api/{_found.name}.py: call it `router`, not `{_named[0]}`")
    if _router := getattr(_module, "router", None):
        api_routers.append(_router)
        api_tags.extend({"name": tag, "description": _module.__doc__ or ""} for tag in _router.tags)
