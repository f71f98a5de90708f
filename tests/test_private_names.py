"""What the app uses of its libraries without being promised it. A newer one may have it no more.

Most of it is imported, and a missing name is an error at the start. The rest would fail later, or
not at all: a timeout that is set under a name that nobody reads.
"""

import importlib.metadata
import inspect
import re
from types import FunctionType
from typing import Any

import fastapi.middleware.asyncexitstack
import fastapi.routing
import pytest
from pymysql.connections import Connection
from sqlalchemy import select
from starlette.requests import Request

# The library, who uses the name, where that name must be, and the name.
USED: list[tuple[str, str, Any, str]] = [
    ("pymysql", "app/core/engines.py", Connection._read_packet, "_read_timeout"),
    ("pymysql", "app/core/engines.py", Connection._write_bytes, "_write_timeout"),
    ("starlette", "app/core/strict.py", Request.__init__, "_send"),
    ("starlette", "app/core/strict.py", Request.json, "_json"),
    ("starlette", "app/core/strict.py", Request.form, "_get_form"),
    ("starlette", "app/core/one_hop.py", Request._get_form, "_form"),
    ("fastapi", "app/core/routing.py", fastapi.routing, "_effective_route_context_var"),
    ("fastapi", "app/core/one_hop.py", fastapi.routing, "fastapi_inner_astack"),
    ("fastapi", "app/core/one_hop.py", fastapi.routing, "fastapi_function_astack"),
    *(
        ("sqlalchemy", "app/services/page_queries.py", select(), name)
        for name in ("_distinct", "_group_by_clauses", "_limit_clause", "_offset_clause")
    ),
    ("python", "app/cli/checks/schemas.py", re, "_parser"),
]


@pytest.mark.parametrize(("library", "user", "where", "name"), USED)
def test_a_private_name_is_still_there(library: str, user: str, where: Any, name: str) -> None:
    if isinstance(where, FunctionType):
        there = name in where.__code__.co_names
    else:
        there = hasattr(where, name) or f'"{name}"' in inspect.getsource(where)
    version = "" if library == "python" else importlib.metadata.version(library)
    assert there, f"{library} {version} has no {name} any more, which {user} needs."
