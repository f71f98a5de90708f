"""What the acceptance tests ask with: HTTP, and the database as the migrations made it."""

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import inspect

from app.core.database import database

Headers = dict[str, str]


def made(client: TestClient, path: str, headers: Headers, **values: Any) -> Any:
    """What a POST has made."""
    response = client.post(path, json=values, headers=headers)
    assert response.status_code == 201, f"POST {path}: {response.status_code} {response.text}"
    return response.json()


def status(client: TestClient, method: str, path: str, headers: Headers, **values: Any) -> int:
    body = {"json": values} if method not in ("GET", "DELETE") else {}
    return client.request(method, path, headers=headers, **body).status_code


def items(client: TestClient, path: str, headers: Headers | None = None) -> list[Any]:
    response = client.get(path, headers=headers)
    assert response.status_code == 200, f"GET {path}: {response.status_code} {response.text}"
    page = response.json()
    assert {"items", "total", "skip", "limit"} <= page.keys(), page.keys()
    found: list[Any] = page["items"]
    return found


def indexed(table: str) -> set[str]:
    """The columns that an index or a unique constraint begins with."""
    found = inspect(database.engine)
    columns = [each["column_names"] for each in found.get_indexes(table)]
    columns += [each["column_names"] for each in found.get_unique_constraints(table)]
    columns.append(found.get_pk_constraint(table)["constrained_columns"])
    return {names[0] for names in columns if names}


def key_of(table: str, column: str) -> tuple[str, str]:
    """The table that a foreign key refers to, and what happens when that row goes."""
    for key in inspect(database.engine).get_foreign_keys(table):
        if key["constrained_columns"] == [column]:
            return key["referred_table"], key["options"].get("ondelete", "")
    raise AssertionError(f"{table}.{column} is no foreign key")
