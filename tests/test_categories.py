"""Categories: the simplest feature, and the pattern of the others' tests."""

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


def make_category(name: str = "Books", **values: Any) -> Category:
    category: Category = add(Category(name=name, **values))
    return category


def test_create_category(client: TestClient, staff_headers: Headers) -> None:
    data = {"name": "  Ação & Aventura ", "description": "Livros"}
    response = client.post("/categories", json=data, headers=staff_headers)
    assert response.status_code == 201
    category = response.json()
    assert category["name"] == "Ação & Aventura"
    assert category["description"] == "Livros"
    assert response.headers["etag"] == '"1"'
    assert client.get(f"/categories/{category['id']}").json() == category


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", "two\nlines"),
        ("name", None),
        ("name", 7),
        ("description", ""),
        ("description", "x" * 2001),
        ("color", "red"),
    ],
)
def test_bad_data_is_refused(
    client: TestClient, staff_headers: Headers, field: str, value: object
) -> None:
    response = client.post(
        "/categories", json={"name": "Books", field: value}, headers=staff_headers
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", field]
    assert stored(Category) == []


@pytest.mark.parametrize("name", ["Ações", "aÇÕES", "Ac\u0327o\u0303es", " Ações "])
def test_a_name_is_taken_once(client: TestClient, staff_headers: Headers, name: str) -> None:
    make_category("Ações")
    other = make_category("Acoes")  # without the accents, it is another name
    response = client.post("/categories", json={"name": name}, headers=staff_headers)
    assert response.status_code == 409
    assert response.json()["detail"] == "This name is already taken."
    path = f"/categories/{other.id}"
    assert client.patch(path, json={"name": name}, headers=staff_headers).status_code == 409
    assert client.put(path, json={"name": name}, headers=staff_headers).status_code == 409


def test_of_ten_with_one_name_one_is_made(
    client: TestClient, staff_headers: Headers, threaded: object
) -> None:
    def create(_: int) -> int:
        return client.post("/categories", json={"name": "Books"}, headers=staff_headers).status_code

    assert sorted(at_once(10, create)) == [201] + [409] * 9
    assert len(stored(Category)) == 1


def test_update_category(client: TestClient, staff_headers: Headers) -> None:
    path = f"/categories/{make_category(description='Old').id}"
    response = client.patch(path, json={"name": "Maps"}, headers=staff_headers)
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["description"]) == ("Maps", "Old")
    assert response.headers["etag"] == '"2"'
    cleared = client.patch(path, json={"description": None}, headers=staff_headers)
    assert cleared.json()["description"] is None
    for data in ({}, {"name": None}, {"name": ""}):
        assert client.patch(path, json=data, headers=staff_headers).status_code == 422


def test_replace_category(client: TestClient, staff_headers: Headers) -> None:
    path = f"/categories/{make_category(description='Old').id}"
    response = client.put(path, json={"name": "Maps"}, headers=staff_headers)
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["description"]) == ("Maps", None)
    assert client.put(path, json={}, headers=staff_headers).status_code == 422


def test_delete_category(client: TestClient, staff_headers: Headers) -> None:
    path = f"/categories/{make_category().id}"
    assert client.delete(path, headers=staff_headers).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path, headers=staff_headers).status_code == 404
    assert (
        client.post("/categories", json={"name": "Books"}, headers=staff_headers).status_code == 201
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_who_has_read_an_older_version_is_told(
    client: TestClient, staff_headers: Headers, method: str
) -> None:
    path = f"/categories/{make_category().id}"
    client.patch(path, json={"name": "Maps"}, headers=staff_headers)
    body = None if method == "DELETE" else {"name": "Atlases"}
    for if_match, status in (('"1"', 412), ("one", 400)):
        stale = client.request(
            method, path, json=body, headers=staff_headers | {"If-Match": if_match}
        )
        assert stale.status_code == status
    assert client.get(path).json()["name"] == "Maps"
    fresh = client.request(method, path, json=body, headers=staff_headers | {"If-Match": '"2"'})
    assert fresh.is_success


def test_list_categories(client: TestClient) -> None:
    for name in ("Maps", "Books", "Árvores"):
        make_category(name)

    def names(query: str) -> list[str]:
        return [each["name"] for each in client.get(f"/categories?{query}").json()["items"]]

    assert names("") == ["Books", "Maps", "Árvores"]  # by code point, on each database
    assert names("sort=-created_at") == ["Árvores", "Books", "Maps"]
    assert names("skip=1&limit=1") == ["Maps"]
    page = client.get("/categories?limit=2").json()
    assert (page["total"], page["skip"], page["limit"]) == (3, 0, 2)
    assert names(f"limit=2&cursor={page['next_cursor']}") == ["Árvores"]
    for query in ("sort=description", "limit=0", "limit=101", "skip=-1", "color=red"):
        assert client.get(f"/categories?{query}").status_code == 422


def test_a_list_is_two_statements_and_a_read_is_one(
    client: TestClient, count_statements: Any
) -> None:
    category = make_category()
    for rows in (1, 50):
        for number in range(len(stored(Category)), rows):
            make_category(f"Category {number}")
        with count_statements() as statements:
            client.get("/categories?limit=50")
        assert len(statements) == 1  # all rows are on the page: nothing is left to count
    with count_statements() as statements:
        client.get("/categories?limit=10")
    assert len(statements) == 2
    with count_statements() as statements:
        client.get(f"/categories/{category.id}")
    assert len(statements) == 1
