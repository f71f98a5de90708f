"""Categories: what they take, who may write them, how they are found."""

from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models.category import Category
from tests.factories import add
from tests.support import at_once, stored

Headers = dict[str, str]

ACCESS = [
    ("GET", "/categories", "anyone"),
    ("GET", "/categories/{category_id}", "anyone"),
    ("POST", "/categories", "staff"),
    ("PUT", "/categories/{category_id}", "staff"),
    ("PATCH", "/categories/{category_id}", "staff"),
    ("DELETE", "/categories/{category_id}", "staff"),
]

# What a client may leave out.
OPTIONAL = {"description": "Ação & Aventura"}

_numbers = count(1)


def make_category(**values: Any) -> Category:
    """A stored category, different from the others."""
    number = next(_numbers)
    defaults = {"name": f"Category {number}"}
    category: Category = add(Category(**defaults | values))
    return category


def new_category(**values: Any) -> dict[str, Any]:
    """What a client sends: all that is needed, and `values`."""
    return {"name": "Ação & Aventura"} | values


def three_categories() -> list[Category]:
    """Neither in ascending nor in descending order of anything."""
    return [
        make_category(name="Maps", description="Maps"),
        make_category(name="Árvores", description="Árvores"),
        make_category(name="books", description="books"),
    ]


def ids(client: TestClient, query: str) -> list[Any]:
    response = client.get(f"/categories?{query}")
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


# --- One -------------------------------------------------------------------------------------


def test_create_category(client: TestClient, staff_headers: Headers) -> None:
    data = new_category(**OPTIONAL)
    response = client.post("/categories", json=data, headers=staff_headers)
    assert response.status_code == 201, response.text
    assert response.headers["etag"] == '"1"'
    category = response.json()
    assert category | data == category
    assert client.get(f"/categories/{category['id']}").json() == category


def test_what_is_left_out_has_a_default(client: TestClient, staff_headers: Headers) -> None:
    category = client.post("/categories", json=new_category(), headers=staff_headers).json()
    defaults = {"description": None}
    assert category | defaults == category


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", 7),
        ("name", "two\nlines"),
        ("name", None),
        ("description", ""),
        ("description", " "),
        ("description", "x" * 10_001),
        ("description", 7),
        ("unknown", "field"),
    ],
)
def test_bad_data_is_refused(
    client: TestClient, staff_headers: Headers, field: str, value: object
) -> None:
    category = make_category()
    path = f"/categories/{category.id}"
    for response in (
        client.post("/categories", json=new_category(**{field: value}), headers=staff_headers),
        client.put(path, json=new_category(**{field: value}), headers=staff_headers),
        client.patch(path, json={field: value}, headers=staff_headers),
    ):
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["loc"][:2] == ["body", field]
    assert [row.version for row in stored(Category)] == [1]


@pytest.mark.parametrize(
    "change", [{"name": "Mapas"}, {"description": "Mapas"}, {"description": None}]
)
def test_update_category(
    client: TestClient, staff_headers: Headers, change: dict[str, Any]
) -> None:
    data = new_category(**OPTIONAL)
    before = client.post("/categories", json=data, headers=staff_headers).json()
    response = client.patch(f"/categories/{before['id']}", json=change, headers=staff_headers)
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"2"'
    after = response.json()
    assert after == before | change | {"updated_at": after["updated_at"]}


def test_an_update_changes_something(client: TestClient, staff_headers: Headers) -> None:
    category = make_category()
    response = client.patch(f"/categories/{category.id}", json={}, headers=staff_headers)
    assert response.status_code == 422


def test_replace_category(client: TestClient, staff_headers: Headers) -> None:
    data = new_category(**OPTIONAL)
    before = client.post("/categories", json=data, headers=staff_headers).json()
    path = f"/categories/{before['id']}"
    data = new_category(name="Mapas")
    response = client.put(path, json=data, headers=staff_headers)
    assert response.status_code == 200, response.text
    defaults = {"description": None}
    after = response.json()
    assert after == before | defaults | data | {"updated_at": after["updated_at"]}
    assert client.put(path, json={}, headers=staff_headers).status_code == 422


def test_delete_category(client: TestClient, staff_headers: Headers) -> None:
    data = new_category()
    made = client.post("/categories", json=data, headers=staff_headers).json()
    path = f"/categories/{made['id']}"
    assert client.delete(path, headers=staff_headers).status_code == 204
    assert client.get(path).status_code == 404
    assert ids(client, "") == []
    for method, body in (("PUT", new_category()), ("PATCH", {"name": "Mapas"}), ("DELETE", None)):
        response = client.request(method, path, json=body, headers=staff_headers)
        assert response.status_code == 404
    assert stored(Category) == []
    # What was unique is free again.
    assert client.post("/categories", json=data, headers=staff_headers).status_code == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_who_has_read_an_older_version_is_told(
    client: TestClient, staff_headers: Headers, method: str
) -> None:
    category = make_category()
    path = f"/categories/{category.id}"
    changed = client.patch(path, json={"name": "Mapas"}, headers=staff_headers)
    assert changed.headers["etag"] == '"2"'
    body = {"PUT": new_category(), "PATCH": {"name": "Mapas"}, "DELETE": None}[method]
    for if_match, status in (('"1"', 412), ("one", 400)):
        headers = staff_headers | {"If-Match": if_match}
        assert client.request(method, path, json=body, headers=headers).status_code == status
    assert client.get(path).json() == changed.json()
    headers = staff_headers | {"If-Match": '"2"'}
    assert client.request(method, path, json=body, headers=headers).is_success


@pytest.mark.parametrize("name", ["Ações", "aÇÕES", "Ac\u0327o\u0303es", " Ações "])
def test_the_name_is_taken_once(client: TestClient, staff_headers: Headers, name: str) -> None:
    make_category(name="Ações")
    other = make_category(name="Acoes")  # without the accents, it is another one
    path = f"/categories/{other.id}"
    for response in (
        client.post("/categories", json=new_category(name=name), headers=staff_headers),
        client.put(path, json=new_category(name=name), headers=staff_headers),
        client.patch(path, json={"name": name}, headers=staff_headers),
    ):
        assert response.status_code == 409
        assert response.json()["detail"] == "This name is already taken."


@pytest.mark.usefixtures("threaded")
def test_of_ten_with_one_name_one_is_made(client: TestClient, staff_headers: Headers) -> None:
    data = new_category()

    def create(_: int) -> int:
        return client.post("/categories", json=data, headers=staff_headers).status_code

    assert sorted(at_once(10, create)) == [201] + [409] * 9
    assert len(stored(Category)) == 1


# --- Many ------------------------------------------------------------------------------------


def test_list_categories(client: TestClient) -> None:
    first, second, third = (row.id for row in three_categories())
    assert ids(client, "") == [third, second, first]  # the newest first
    assert ids(client, "skip=1&limit=1") == [second]
    page = client.get("/categories?limit=2").json()
    assert (page["total"], page["skip"], page["limit"]) == (3, 0, 2)
    assert ids(client, f"limit=2&cursor={page['next_cursor']}") == [first]


@pytest.mark.parametrize("column", ["name", "created_at"])
def test_sort(client: TestClient, column: str) -> None:
    rows = sorted(three_categories(), key=lambda row: (getattr(row, column), row.id))
    ascending = [row.id for row in rows]
    assert ids(client, f"sort={column}") == ascending
    assert ids(client, f"sort=-{column}") == ascending[::-1]
    page = client.get(f"/categories?limit=2&sort={column}").json()
    rest = ids(client, f"limit=2&sort={column}&cursor={page['next_cursor']}")
    assert rest == ascending[2:]


@pytest.mark.parametrize(
    "query", ["sort=id", "limit=0", "limit=101", "skip=-1", "cursor=x", "unknown=1"]
)
def test_a_bad_query_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/categories?{query}").status_code == 422


@pytest.mark.parametrize("column", ["name", "description"])
@pytest.mark.parametrize("q", ["árvore", "ARVORE", "ÁRVORE", "rvor"])
def test_search_ignores_case_and_accents(client: TestClient, column: str, q: str) -> None:
    wanted = make_category(**{column: "Árvore"})
    make_category(**{column: "Flor"})
    assert ids(client, f"q={q}") == [wanted.id]


@pytest.mark.parametrize("q", ["%25", "\\", "'", "a%25e"])
def test_search_is_literal(client: TestClient, q: str) -> None:
    make_category()
    assert ids(client, f"q={q}") == []


def test_no_list_costs_a_statement_for_each_row(client: TestClient, count_statements: Any) -> None:
    category = make_category()
    paths = ("/categories?limit=50", f"/categories/{category.id}")
    for rows in (1, 50):
        for _ in range(len(stored(Category)), rows):
            make_category()
        for path in paths:
            with count_statements() as statements:
                client.get(path)
            assert len(statements) == 1


@pytest.mark.parametrize("query", ["limit=3&sort=name", "limit=3&sort=created_at"])
def test_no_list_reads_the_whole_table(client: TestClient, full_scans: Any, query: str) -> None:
    three_categories()
    assert full_scans(f"/categories?{query}") == []
