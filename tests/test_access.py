"""Who may call what: every operation, as every role, from the ACCESS rows of the test modules.

A row is (method, path, level). The level is the least that may call: anyone, user, staff, admin.
"""

import ast
import uuid
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.cli.checks.record import Record
from app.cli.checks.tests import access
from app.cli.checks.tree import Tree
from app.core.config import ROOT, get_settings
from app.models.user import Role
from tests.factories import make_user, sign_in

LEVELS = ("anyone", "user", "staff", "admin")
CALLERS = {"anyone": None, "user": Role.USER, "staff": Role.MODERATOR, "admin": Role.ADMIN}
IDS = {"session_id": str(uuid.uuid4())}  # other parameters are numbers that nothing has


def listed_as(what: str) -> list[Any]:
    """What the test modules of all features list under a name.

    Read, not imported: who runs this module alone waits for none of the others.
    """
    found = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        source = path.read_text("utf-8")
        for node in ast.parse(source).body if f"\n{what} = " in source else []:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == what:
                found += ast.literal_eval(node.value)
    return found


def rows() -> list[tuple[str, str, str]]:
    return listed_as("ACCESS")


def test_every_operation_has_a_row() -> None:
    assert list(access(Tree(ROOT, Record()))) == []


@pytest.mark.parametrize(("method", "path", "level"), rows())
def test_access(client: TestClient, method: str, path: str, level: str) -> None:
    parts = (IDS.get(p[1:-1], "999999") if p.startswith("{") else p for p in path.split("/"))
    url, body = "/".join(parts), None if method in ("GET", "DELETE") else {}
    for caller, role in CALLERS.items():
        headers = sign_in(make_user(role=role)) if role else {}
        status = client.request(method, url, headers=headers, json=body).status_code
        if LEVELS.index(caller) >= LEVELS.index(level):
            assert status not in (401, 403), caller
        else:
            assert status == (403 if role else 401), caller


def test_the_document_shows_which_operations_need_a_token(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for method, path, level in rows():
        operation = paths[get_settings().api_prefix + path][method.lower()]
        needed = {} not in operation.get("security", [{}])
        assert needed == (level != "anyone"), (method, path)
