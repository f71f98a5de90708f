"""The router of every module beside this one, in alphabetical order. There is no list to extend.

A module without a router is skipped: it may have been made a moment ago. One that cannot be
imported fails with its own error, file and line.
"""

import importlib
import pkgutil

from app.core.routing import APIRouter

api_router = APIRouter()

for _module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
    _router = getattr(importlib.import_module(f"{__name__}.{_module.name}"), "router", None)
    if _router is not None:
        api_router.include_router(_router)
