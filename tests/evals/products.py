"""A complete feature, with a relation to another one."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.evals import Edit
from tests.evals.asking import Headers, indexed, items, key_of, made, status

PROMPT = ("docs/prompts.md", "A complete feature")
FEATURE = "product"
MODULES = ["tests/test_products.py"]
START = [["remove", "review", "order", "product", "--force"]]
BAD = [
    Edit("app/api/products.py", '@router.get("/category/{category_id}")\n', ""),
    Edit("app/schemas/product.py", "    min_price: Money | None = None\n", ""),
    Edit("app/schemas/product.py", "line(255)", "line(100_000)"),
    Edit(
        "app/api/products.py",
        "def create_product(db: SessionDep, _: Staff",
        "def create_product(db: SessionDep, _: CurrentUser",
    ),
    Edit("app/api/products.py", "import Admin, IfMatch", "import Admin, CurrentUser, IfMatch"),
]
MISSES = {"test_by_category", "test_filters", "test_rules", "test_writing_is_for_staff"}


@pytest.fixture
def category(client: TestClient, staff_headers: Headers) -> int:
    found: int = made(client, "/categories", staff_headers, name="Books")["id"]
    return found


def test_create_and_get(client: TestClient, staff_headers: Headers, category: int) -> None:
    """POST makes a product (201) with exact money, and GET shows it to everybody"""
    values = {"name": "Dom Casmurro", "price": "19.90", "stock": 2, "category_id": category}
    row = made(client, "/products", staff_headers, **values)
    assert {name: row[name] for name in values} == values
    assert row["description"] is None
    assert {"created_at", "updated_at"} <= row.keys()
    assert client.get(f"/products/{row['id']}").json() == row


def test_in_stock(client: TestClient, staff_headers: Headers) -> None:
    """in_stock is computed from the stock, which begins at 0"""
    row = made(client, "/products", staff_headers, name="A", price="1")
    assert (row["stock"], row["in_stock"]) == (0, False)
    path = f"/products/{row['id']}"
    assert client.patch(path, json={"stock": 1}, headers=staff_headers).json()["in_stock"] is True


def test_list(client: TestClient, staff_headers: Headers) -> None:
    """GET /products answers pages, sorted as asked"""
    for name, price in (("A", "2"), ("B", "3"), ("C", "1")):
        made(client, "/products", staff_headers, name=name, price=price)
    assert [each["name"] for each in items(client, "/products?sort=price")] == ["C", "A", "B"]
    assert [each["name"] for each in items(client, "/products?sort=price&limit=1&skip=1")] == ["A"]
    assert client.get("/products?sort=secret").status_code == 422


def test_filters(client: TestClient, staff_headers: Headers, category: int) -> None:
    """Lists are filtered by category_id, min_price, max_price and in_stock"""
    headers = staff_headers
    made(client, "/products", headers, name="A", price="1", stock=1, category_id=category)
    made(client, "/products", headers, name="B", price="5")
    for query, found in (
        (f"category_id={category}", ["A"]),
        ("min_price=2", ["B"]),
        ("max_price=2", ["A"]),
        ("in_stock=true", ["A"]),
        ("in_stock=false", ["B"]),
    ):
        assert [each["name"] for each in items(client, f"/products?{query}")] == found, query


def test_search(client: TestClient, staff_headers: Headers) -> None:
    """q finds a name or a description"""
    made(client, "/products", staff_headers, name="Map", price="1", description="Of the moon.")
    made(client, "/products", staff_headers, name="Book", price="1")
    assert [each["name"] for each in items(client, "/products?q=MOON")] == ["Map"]


@pytest.mark.parametrize(
    "values",
    [
        {"name": "x"},
        {"price": "1"},
        {"name": " ", "price": "1"},
        {"name": "x" * 256, "price": "1"},
        {"name": "x", "price": "0"},
        {"name": "x", "price": "-1"},
        {"name": "x", "price": "1.999"},
        {"name": "x", "price": "1", "stock": -1},
        {"name": "x", "price": "1", "unknown": 1},
    ],
)
def test_rules(client: TestClient, staff_headers: Headers, values: dict[str, Any]) -> None:
    """Input that breaks a rule is a 422"""
    assert status(client, "POST", "/products", staff_headers, **values) == 422


def test_unique(client: TestClient, staff_headers: Headers) -> None:
    """A name that is taken is a 409"""
    made(client, "/products", staff_headers, name="Map", price="1")
    assert status(client, "POST", "/products", staff_headers, name="MAP", price="1") == 409


def test_unknown_category(client: TestClient, staff_headers: Headers) -> None:
    """A category that is not there is a 422"""
    values = {"name": "A", "price": "1", "category_id": 999_999}
    assert status(client, "POST", "/products", staff_headers, **values) == 422


def test_change(client: TestClient, staff_headers: Headers) -> None:
    """PATCH changes what was sent, PUT replaces the whole"""
    row = made(client, "/products", staff_headers, name="A", price="1", description="Old.")
    path = f"/products/{row['id']}"
    changed = client.patch(path, json={"price": "2.50"}, headers=staff_headers).json()
    assert (changed["price"], changed["description"]) == ("2.50", "Old.")
    replaced = client.put(path, json={"name": "B", "price": "3"}, headers=staff_headers).json()
    assert (replaced["name"], replaced["description"]) == ("B", None)


def test_delete(client: TestClient, staff_headers: Headers) -> None:
    """DELETE answers 204; from then on it is a 404"""
    path = f"/products/{made(client, '/products', staff_headers, name='A', price='1')['id']}"
    assert status(client, "DELETE", path, staff_headers) == 204
    assert client.get(path).status_code == 404


def test_by_category(client: TestClient, staff_headers: Headers, category: int) -> None:
    """GET /products/category/{category_id} lists those of one; 404 without such a category"""
    made(client, "/products", staff_headers, name="A", price="1", category_id=category)
    made(client, "/products", staff_headers, name="B", price="1")
    assert [p["name"] for p in items(client, f"/products/category/{category}")] == ["A"]
    assert client.get("/products/category/999999").status_code == 404


def test_category_goes(client: TestClient, staff_headers: Headers, category: int) -> None:
    """A product stays when its category goes"""
    row = made(client, "/products", staff_headers, name="A", price="1", category_id=category)
    assert status(client, "DELETE", f"/categories/{category}", staff_headers) == 204
    assert client.get(f"/products/{row['id']}").json()["category_id"] is None


def test_writing_is_for_staff(
    client: TestClient, staff_headers: Headers, auth_headers: Headers
) -> None:
    """Writing is a 401 without a token and a 403 for a user"""
    values = {"name": "A", "price": "1"}
    path = f"/products/{made(client, '/products', staff_headers, **values)['id']}"
    for method, url in (("POST", "/products"), ("PATCH", path), ("PUT", path), ("DELETE", path)):
        assert status(client, method, url, {}, **values) == 401, method
        assert status(client, method, url, auth_headers, **values) == 403, method


def test_table() -> None:
    """Indexes serve name, price and category_id; the key is emptied when the category goes"""
    assert {"name", "price", "category_id"} <= indexed("products")
    assert key_of("products", "category_id") == ("categories", "SET NULL")


def test_statements(
    client: TestClient, staff_headers: Headers, category: int, count_statements: Callable[[], Any]
) -> None:
    """A list of ten costs the statements of a list of one"""
    counted = []
    for number in range(10):
        name = f"P{number}"
        made(client, "/products", staff_headers, name=name, price="1", category_id=category)
        if number in (0, 9):
            with count_statements() as statements:
                items(client, "/products")
            counted.append(len(statements))
    assert counted[0] == counted[1]
