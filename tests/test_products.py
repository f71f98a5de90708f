"""Products: filters, search, stock, many at once, deleted and restored."""

from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.progress import Progress
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError

from app.cli.planting import Plan, add_rows, find_seeds
from app.core.database import Database, database
from app.models.category import Category
from app.models.product import Product
from app.schemas.product import ProductParams, ProductRead
from app.services.base import paginate
from tests.factories import add
from tests.support import at_once, stored, writing
from tests.test_categories import make_category

Headers = dict[str, str]

ACCESS = [
    ("GET", "/products", "anyone"),
    ("GET", "/products/search", "anyone"),
    ("GET", "/products/category/{category_id}", "anyone"),
    ("GET", "/products/{product_id}", "anyone"),
    ("POST", "/products", "staff"),
    ("POST", "/products/bulk", "staff"),
    ("PUT", "/products/{product_id}", "staff"),
    ("PATCH", "/products/{product_id}", "staff"),
    ("PATCH", "/products/{product_id}/stock", "staff"),
    ("DELETE", "/products/{product_id}", "staff"),
    ("POST", "/products/{product_id}/restore", "admin"),
]

_numbers = count(1)


def make_product(**values: Any) -> Product:
    defaults = {"name": f"Product {next(_numbers)}", "price": Decimal("19.90"), "stock": 10}
    product: Product = add(Product(**defaults | values))
    return product


def new_product(**values: Any) -> dict[str, Any]:
    return {"name": "Dom Casmurro", "price": "19.90", "stock": 3} | values


# --- One -------------------------------------------------------------------------------------


def test_create_product(client: TestClient, staff_headers: Headers) -> None:
    category = make_category()
    data = new_product(name=" Dom Casmurro ", category_id=category.id)
    response = client.post("/products", json=data, headers=staff_headers)
    assert response.status_code == 201
    product = response.json()
    assert product["name"] == "Dom Casmurro"
    assert product["price"] == "19.90"
    assert (product["stock"], product["in_stock"], product["is_active"]) == (3, True, True)
    assert product["category_id"] == category.id
    assert response.headers["etag"] == '"1"'
    assert client.get(f"/products/{product['id']}").json() == product


@pytest.mark.parametrize(
    ("price", "answer"),
    [(19.9, "19.90"), (5, "5.00"), ("0.01", "0.01"), (0.1 + 0.2, "0.30"), (99999999.99, None)],
)
def test_a_price_is_exact(
    client: TestClient, staff_headers: Headers, price: object, answer: str | None
) -> None:
    response = client.post("/products", json=new_product(price=price), headers=staff_headers)
    assert response.json()["price"] == (answer or str(price))
    assert client.get("/products").json()["items"][0]["price"] == (answer or str(price))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", None),
        ("description", "x" * 2001),
        ("price", 0),
        ("price", -1),
        ("price", "0.001"),
        ("price", 100_000_000),
        ("price", "1e3"),
        ("price", True),
        ("price", None),
        ("stock", -1),
        ("stock", 2**31),
        ("stock", "3"),
        ("is_active", "yes"),
        ("category_id", 0),
        ("in_stock", True),
    ],
)
def test_bad_data_is_refused(
    client: TestClient, staff_headers: Headers, field: str, value: object
) -> None:
    response = client.post("/products", json=new_product(**{field: value}), headers=staff_headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][:2] == ["body", field]
    assert stored(Product) == []


def test_an_unknown_category_is_refused(client: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product().id}"
    data = new_product(category_id=999)
    assert client.post("/products", json=data, headers=staff_headers).status_code == 422
    assert client.put(path, json=data, headers=staff_headers).status_code == 422
    assert client.patch(path, json={"category_id": 9}, headers=staff_headers).status_code == 422


def test_update_product(client: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product(category_id=make_category().id).id}"
    changed = client.patch(path, json={"price": 5.5, "stock": 0}, headers=staff_headers)
    assert changed.status_code == 200
    assert changed.json()["price"] == "5.50"
    assert changed.json()["in_stock"] is False
    assert changed.headers["etag"] == '"2"'
    cleared = client.patch(path, json={"category_id": None}, headers=staff_headers)
    assert cleared.json()["category_id"] is None
    for data in ({}, {"price": None}, {"price": "0"}, {"is_active": None}):
        assert client.patch(path, json=data, headers=staff_headers).status_code == 422


def test_replace_product(client: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product(description='Old', is_active=False).id}"
    data = {"name": "New", "price": 1}
    product = client.put(path, json=data, headers=staff_headers).json()
    assert (product["name"], product["description"], product["stock"]) == ("New", None, 0)
    assert product["is_active"] is True
    assert client.put(path, json={"name": "New"}, headers=staff_headers).status_code == 422


def test_a_name_is_taken_once(client: TestClient, staff_headers: Headers) -> None:
    make_product(name="Árvore")
    path = f"/products/{make_product().id}"
    response = client.post("/products", json=new_product(name="ÁRVORE"), headers=staff_headers)
    assert response.status_code == 409
    assert response.json()["detail"] == "This name is already taken."
    assert client.patch(path, json={"name": "árvore"}, headers=staff_headers).status_code == 409
    data = new_product(name="árvore")
    assert client.put(path, json=data, headers=staff_headers).status_code == 409


def test_a_deleted_product_is_gone_until_it_is_restored(
    client: TestClient, staff_headers: Headers, admin_headers: Headers
) -> None:
    product = make_product(name="Árvore", category_id=make_category().id)
    path = f"/products/{product.id}"
    assert client.delete(path, headers=staff_headers).status_code == 204
    assert client.get(path).status_code == 404
    for listing in (
        "/products",
        "/products/search?q=a",
        f"/products/category/{product.category_id}",
    ):
        assert client.get(listing).json()["total"] == 0
    for method, body in (("PUT", new_product()), ("PATCH", {"stock": 1}), ("DELETE", None)):
        assert client.request(method, path, json=body, headers=staff_headers).status_code == 404
    assert client.patch(f"{path}/stock?quantity=1", headers=staff_headers).status_code == 404
    restored = client.post(f"{path}/restore", headers=admin_headers)
    assert restored.status_code == 200
    assert client.get(path).json() == restored.json()


def test_a_product_whose_name_was_taken_meanwhile_is_not_restored(
    client: TestClient, staff_headers: Headers, admin_headers: Headers
) -> None:
    path = f"/products/{make_product(name='Árvore').id}"
    client.delete(path, headers=staff_headers)
    make_product(name="árvore")
    assert client.post(f"{path}/restore", headers=admin_headers).status_code == 409
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_who_has_read_an_older_version_is_told(
    client: TestClient, staff_headers: Headers, method: str
) -> None:
    path = f"/products/{make_product().id}"
    client.patch(f"{path}/stock?quantity=-1", headers=staff_headers)
    body = {"PUT": new_product(), "PATCH": {"stock": 5}, "DELETE": None}[method]
    stale = client.request(method, path, json=body, headers=staff_headers | {"If-Match": '"1"'})
    assert stale.status_code == 412
    fresh = client.request(method, path, json=body, headers=staff_headers | {"If-Match": '"2"'})
    assert fresh.is_success


# --- Lists -----------------------------------------------------------------------------------


def names(client: TestClient, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return [each["name"] for each in response.json()["items"]]


def test_filters(client: TestClient) -> None:
    books, maps = make_category(), make_category(name="Maps")
    make_product(name="A", price=Decimal("5.00"), category_id=books.id)
    make_product(name="B", price=Decimal("7.50"), category_id=books.id, stock=0)
    make_product(name="C", price=Decimal("10.00"), category_id=maps.id, is_active=False)
    for query, expected in {
        "sort=name": ["A", "B", "C"],
        "": ["C", "B", "A"],
        "sort=-price": ["C", "B", "A"],
        f"sort=name&category_id={books.id}": ["A", "B"],
        "in_stock=true&sort=price": ["A", "C"],
        "in_stock=false": ["B"],
        "is_active=true&sort=name": ["A", "B"],
        "is_active=false": ["C"],
        "min_price=7.50&sort=name": ["B", "C"],
        "max_price=7.5&sort=name": ["A", "B"],
        "min_price=6&max_price=8": ["B"],
        "category_id=99": [],
    }.items():
        assert names(client, f"/products?{query}") == expected, query
    of_books = f"/products/category/{books.id}"
    assert names(client, f"{of_books}?sort=name") == ["A", "B"]
    assert names(client, f"{of_books}?in_stock=false") == ["B"]
    assert client.get("/products/category/99").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/products?sort=stock",
        "/products?min_price=x",
        "/products?min_price=-1",
        "/products?max_price=1e5",
        "/products?category_id=0",
        "/products?in_stock=maybe",
        "/products?color=red",
        "/products/search",
        "/products/search?q=",
        "/products/category/x",
        "/products/category/1?category_id=1",
        "/products/x",
    ],
)
def test_a_bad_query_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


@pytest.mark.parametrize("q", ["árvore", "ARVORE", "ÁRVORE", "rvor", "GIGANTE"])
def test_search_ignores_case_and_accents(client: TestClient, q: str) -> None:
    make_product(name="ÁRVORE", description="Um gigante")
    make_product(name="Flor")
    for path in (f"/products/search?q={q}", f"/products?q={q}"):
        assert names(client, path) == ["ÁRVORE"]


@pytest.mark.parametrize("q", ["%25", "_", "\\", "'", "a%25e"])
def test_search_is_literal(client: TestClient, q: str) -> None:
    make_product(name="Apple")
    assert names(client, f"/products/search?q={q}") == []


def test_pages_by_cursor_and_by_skip_meet_each_product_once(client: TestClient) -> None:
    for number in range(7):
        make_product(price=Decimal(number // 3 + 1))
    found, query = list[int](), "sort=-price&limit=2"
    page = client.get(f"/products?{query}").json()
    assert page["total"] == 7
    while True:
        found += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        page = client.get(f"/products?{query}&cursor={page['next_cursor']}").json()
    assert len(set(found)) == len(found) == 7
    pages = [client.get(f"/products?{query}&skip={skip}").json() for skip in (0, 2, 4, 6, 8)]
    assert [[each["id"] for each in page["items"]] for page in pages] == [
        *(found[skip : skip + 2] for skip in (0, 2, 4, 6)),
        [],
    ]


def test_a_statement_that_is_more_than_a_choice_of_rows_is_paged_as_it_is() -> None:
    products = [make_product(price=Decimal(number + 1)) for number in range(5)]
    params = ProductParams(sort="price", skip=2, limit=2)
    with writing() as db:
        for statement in (select(Product), select(Product).distinct()):
            page = paginate(db, statement, params, ProductRead)
            assert [each.id for each in page.items] == [each.id for each in products[2:4]]
            assert page.total == 5


def test_no_list_costs_a_statement_for_each_row(client: TestClient, count_statements: Any) -> None:
    product = make_product(category_id=make_category().id)
    paths = {
        f"/products/{product.id}": 1,
        "/products?limit=50": 1,
        "/products/search?q=product&limit=50": 1,
        f"/products/category/{product.category_id}?limit=50": 2,  # one to find the category
    }
    for rows in (1, 50):
        for _ in range(len(stored(Product)), rows):
            make_product(category_id=product.category_id)
        for path, statements in paths.items():
            with count_statements() as counted:
                client.get(path)
            assert len(counted) == statements, path


@pytest.mark.parametrize(
    "query",
    [
        "category_id={}",
        "in_stock=true",
        "in_stock=false",
        "is_active=false",
        "min_price=19",
        "max_price=20",
    ],
)
def test_no_filter_reads_the_whole_table(client: TestClient, full_scans: Any, query: str) -> None:
    category = make_category()
    for number in range(6):
        make_product(category_id=category.id, is_active=number % 2 == 0, stock=number % 2)
    assert full_scans(f"/products?limit=1&{query.format(category.id)}") == []
    for sort in ("name", "-price", "created_at"):
        assert full_scans(f"/products?limit=6&sort={sort}") == []
    assert full_scans(f"/products/category/{category.id}?limit=1") == []


# --- Stock -----------------------------------------------------------------------------------


def test_adjust_stock(client: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product(stock=3).id}/stock"
    response = client.patch(f"{path}?quantity=-3", headers=staff_headers)
    assert response.status_code == 200
    assert (response.json()["stock"], response.json()["in_stock"]) == (0, False)
    assert response.headers["etag"] == '"2"'
    too_much = client.patch(f"{path}?quantity=-1", headers=staff_headers)
    assert too_much.status_code == 409
    assert too_much.json()["detail"] == "There are 0 in stock: -1 is too much."
    assert client.patch(f"{path}?quantity=5", headers=staff_headers).json()["stock"] == 5
    full = client.patch(f"{path}?quantity={2**31 - 1}", headers=staff_headers)
    assert full.status_code == 409
    for query in ("", "?quantity=", "?quantity=1.5", f"?quantity={2**31}", "?quantity=x"):
        assert client.patch(path + query, headers=staff_headers).status_code == 422
    assert stored(Product)[0].stock == 5


def test_parallel_sales_never_oversell(
    client: TestClient, staff_headers: Headers, threaded: Database
) -> None:
    path = f"/products/{make_product(stock=25).id}/stock?quantity=-3"

    def sell(_: int) -> int:
        return client.patch(path, headers=staff_headers).status_code

    answers = at_once(16, sell)
    assert sorted(set(answers)) == [200, 409]
    left = stored(Product)[0].stock
    assert 3 * answers.count(200) + left == 25
    assert left < 3


# --- Many at once ----------------------------------------------------------------------------


def bulk(client: TestClient, headers: Headers, *items: dict[str, Any]) -> Any:
    return client.post("/products/bulk", json={"items": list(items)}, headers=headers)


def test_create_products(client: TestClient, staff_headers: Headers, count_statements: Any) -> None:
    items = [new_product(name=f"Árvore {number}") for number in range(1000)]
    with count_statements() as statements:
        response = bulk(client, staff_headers, *items)
    assert response.status_code == 201
    assert response.json()["created"] == 1000
    assert response.json()["ids"] == [product.id for product in stored(Product)]
    assert client.get("/products/search?q=arvore 999").json()["total"] == 1
    inserts = [each for each in statements if each.startswith("INSERT")]
    # In one round trip; for SQLite, where a statement is none, one for each row.
    assert len(inserts) == (1000 if database.engine.dialect.name == "sqlite" else 1)


def test_of_many_products_one_that_is_bad_is_named(
    client: TestClient, staff_headers: Headers
) -> None:
    make_product(name="Árvore")
    good = new_product()
    invalid = bulk(client, staff_headers, good, new_product(name="B", price=0))
    assert invalid.status_code == 422
    assert invalid.json()["errors"][0]["loc"] == ["body", "items", 1, "price"]
    taken = bulk(client, staff_headers, good, new_product(name="ÁRVORE"), good)
    assert taken.status_code == 409
    assert [each["loc"] for each in taken.json()["errors"]] == [
        ["body", "items", 1, "name"],
        ["body", "items", 2, "name"],
    ]
    orphan = bulk(client, staff_headers, good, new_product(name="C", category_id=99))
    assert orphan.status_code == 422
    assert orphan.json()["errors"][0]["loc"] == ["body", "items", 1, "category_id"]
    assert bulk(client, staff_headers).status_code == 422
    assert bulk(client, staff_headers, *[good] * 1001).status_code == 422
    assert [product.name for product in stored(Product)] == ["Árvore"]


def test_of_many_bad_products_each_is_named(client: TestClient, staff_headers: Headers) -> None:
    bad = [new_product(name="", price=0) if number % 2 else new_product() for number in range(1000)]
    errors = bulk(client, staff_headers, *bad).json()["errors"]
    assert [each["loc"][:3] for each in errors] == [["body", "items", n] for n in range(1, 1000, 2)]
    odd = {f"x{number}": 1 for number in range(1000)}
    assert len(bulk(client, staff_headers, new_product(**odd)).json()["errors"]) == 1
    assert len(client.post("/products", json=odd, headers=staff_headers).json()["errors"]) == 100


# --- Seeds -----------------------------------------------------------------------------------


def test_seeded_products_stand_on_shelves_in_their_language() -> None:
    for rows, locale in ((20, "en_US"), (40, "pt_BR")):
        for name, seed in find_seeds().items():
            if name in ("categories", "products"):
                add_rows(name, seed, Plan(rows, 1, locale), Progress(disable=True))
    products = stored(Product)
    assert len(products) == 40
    assert None not in {product.category_id for product in products}
    # What the documentation's example of an order asks for can be had.
    assert products[0].is_active
    assert products[0].stock >= 2


# --- In the database -------------------------------------------------------------------------


def test_a_product_stays_without_its_category(client: TestClient, staff_headers: Headers) -> None:
    product = make_product(category_id=make_category().id)
    path = f"/categories/{product.category_id}"
    assert client.delete(path, headers=staff_headers).status_code == 204
    assert client.get(f"/products/{product.id}").json()["category_id"] is None
    make_product(category_id=make_category(name="Other").id)
    with writing() as db:
        db.execute(delete(Category))
        db.commit()
    assert [row.category_id for row in stored(Product)] == [None, None]


@pytest.mark.parametrize("change", ["price = 0", "stock = -1", "category_id = 99"])
def test_the_database_refuses_it_too(change: str) -> None:
    make_product()
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(text(f"UPDATE products SET {change}"))
