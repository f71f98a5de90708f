"""A simple feature."""

import pytest
from fastapi.testclient import TestClient

from tests.evals import Edit
from tests.evals.asking import Headers, indexed, items, made, status

PROMPT = ("docs/prompts.md", "A simple feature")
FEATURE = "category"
MODULES = ["tests/test_categories.py"]
START = [["remove", "review", "order", "product", "category", "--force"]]
BAD = [
    Edit("app/schemas/category.py", "line(100)", "line(100_000)"),
    Edit(
        "app/api/categories.py",
        "db: SessionDep, _: Staff, category_id: Id, if_match: IfMatch) -> None",
        "db: SessionDep, _: CurrentUser, category_id: Id, if_match: IfMatch) -> None",
    ),
    Edit(
        "app/api/categories.py",
        "import IfMatch, SessionDep",
        "import CurrentUser, IfMatch, SessionDep",
    ),
    Edit("app/models/category.py", '("name", "description")', '("description",)'),
]
MISSES = {"test_rules", "test_writing_is_for_staff", "test_search"}


def test_create_and_get(client: TestClient, staff_headers: Headers) -> None:
    """POST makes a category (201), and GET shows it to everybody"""
    row = made(client, "/categories", staff_headers, name="Books", description="To read.")
    assert (row["name"], row["description"]) == ("Books", "To read.")
    assert client.get(f"/categories/{row['id']}").json() == row
    assert made(client, "/categories", staff_headers, name="Maps")["description"] is None


def test_list(client: TestClient, staff_headers: Headers) -> None:
    """GET /categories answers pages"""
    for name in ("A", "B", "C"):
        made(client, "/categories", staff_headers, name=name)
    assert len(items(client, "/categories")) == 3
    assert len(items(client, "/categories?limit=2&skip=2")) == 1
    assert client.get("/categories?limit=101").status_code == 422


def test_search(client: TestClient, staff_headers: Headers) -> None:
    """q finds a name, without regard to case and accents"""
    made(client, "/categories", staff_headers, name="Ação")
    made(client, "/categories", staff_headers, name="Drama")
    assert [each["name"] for each in items(client, "/categories?q=acao")] == ["Ação"]


def test_unique(client: TestClient, staff_headers: Headers) -> None:
    """A name that is taken is a 409, in another case too"""
    made(client, "/categories", staff_headers, name="Books")
    assert status(client, "POST", "/categories", staff_headers, name="BOOKS") == 409


@pytest.mark.parametrize("values", [{}, {"name": " "}, {"name": "x" * 101}, {"name": "x", "no": 1}])
def test_rules(client: TestClient, staff_headers: Headers, values: dict[str, object]) -> None:
    """A name that is missing, blank or too long, or an unknown field, is a 422"""
    assert status(client, "POST", "/categories", staff_headers, **values) == 422


def test_change(client: TestClient, staff_headers: Headers) -> None:
    """PATCH changes what was sent, PUT replaces the whole"""
    row = made(client, "/categories", staff_headers, name="Books", description="To read.")
    path = f"/categories/{row['id']}"
    changed = client.patch(path, json={"name": "Novels"}, headers=staff_headers).json()
    assert (changed["name"], changed["description"]) == ("Novels", "To read.")
    replaced = client.put(path, json={"name": "Maps"}, headers=staff_headers).json()
    assert (replaced["name"], replaced["description"]) == ("Maps", None)


def test_delete(client: TestClient, staff_headers: Headers) -> None:
    """DELETE answers 204; from then on it is a 404"""
    path = f"/categories/{made(client, '/categories', staff_headers, name='Books')['id']}"
    assert status(client, "DELETE", path, staff_headers) == 204
    assert client.get(path).status_code == 404
    assert status(client, "PATCH", path, staff_headers, name="x") == 404


def test_writing_is_for_staff(
    client: TestClient, staff_headers: Headers, auth_headers: Headers
) -> None:
    """Writing is a 401 without a token and a 403 for a user"""
    path = f"/categories/{made(client, '/categories', staff_headers, name='Books')['id']}"
    for method, url in (("POST", "/categories"), ("PATCH", path), ("PUT", path), ("DELETE", path)):
        assert status(client, method, url, {}, name="x") == 401, method
        assert status(client, method, url, auth_headers, name="x") == 403, method


def test_table() -> None:
    """The table has an index for its name"""
    assert "name" in indexed("categories") or "name_key" in indexed("categories")
