"""The example prompt of the expert for relationships: orders, their items, and a report."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.evals import Edit
from tests.evals.asking import Headers, indexed, items, key_of, made
from tests.factories import make_user, sign_in

PROMPT = (".claude/agents/sqlalchemy-relationships-expert.md", "Example prompt")
FEATURE = "order"
MODULES = ["tests/test_orders.py"]
START = [["remove", "order", "--force"]]
BAD = [
    Edit(
        "app/services/order_service.py",
        "return [] if user.is_superuser else [Order.user_id == user.id]",
        "return []",
    ),
    Edit(
        "app/services/order_service.py",
        "_move_stock(db, {product_id: -quantity for",
        "_move_stock(db, {product_id: 0 for",
    ),
    Edit("app/api/order_reports.py", "SessionDep, _: Admin,", "SessionDep,"),
    Edit("app/api/order_reports.py", "import Admin, SessionDep", "import SessionDep"),
]
MISSES = {"test_stock", "test_only_your_own", "test_report_is_for_administrators"}


@pytest.fixture
def product(client: TestClient, staff_headers: Headers) -> Callable[..., int]:
    def make(name: str = "Map", price: str = "2.50", stock: int = 10) -> int:
        values = {"name": name, "price": price, "stock": stock}
        found: int = made(client, "/products", staff_headers, **values)["id"]
        return found

    return make


def buy(client: TestClient, headers: Headers, *lines: tuple[int, int]) -> Any:
    wanted = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
    return client.post("/orders", json={"items": wanted}, headers=headers)


def test_create(client: TestClient, auth_headers: Headers, product: Callable[..., int]) -> None:
    """POST /orders makes an order (201) with its items, their prices and the total"""
    first, second = product("A", "2.50"), product("B", "0.10")
    response = buy(client, auth_headers, (first, 2), (second, 3))
    assert response.status_code == 201, response.text
    order = response.json()
    assert Decimal(order["total"]) == Decimal("5.30")
    lines = {each["product_id"]: each for each in order["items"]}
    assert (lines[first]["quantity"], Decimal(lines[first]["unit_price"])) == (2, Decimal("2.50"))


def test_price_of_the_moment(
    client: TestClient, auth_headers: Headers, staff_headers: Headers, product: Callable[..., int]
) -> None:
    """An order keeps the price of its time"""
    bought = product()
    path = f"/orders/{buy(client, auth_headers, (bought, 1)).json()['id']}"
    client.patch(f"/products/{bought}", json={"price": "99"}, headers=staff_headers)
    assert Decimal(client.get(path, headers=auth_headers).json()["total"]) == Decimal("2.50")


def test_stock(client: TestClient, auth_headers: Headers, product: Callable[..., int]) -> None:
    """Ordering takes the stock; more than there is is a 409, and takes nothing of the rest"""
    full, scarce = product("A", stock=10), product("B", stock=1)
    assert buy(client, auth_headers, (full, 4)).status_code == 201
    assert client.get(f"/products/{full}").json()["stock"] == 6
    assert buy(client, auth_headers, (full, 1), (scarce, 2)).status_code == 409
    assert client.get(f"/products/{full}").json()["stock"] == 6
    assert client.get(f"/products/{scarce}").json()["stock"] == 1


def test_rules(client: TestClient, auth_headers: Headers, product: Callable[..., int]) -> None:
    """No items, a quantity below 1, or an unknown product is a 422"""
    assert buy(client, auth_headers).status_code == 422
    assert buy(client, auth_headers, (product(), 0)).status_code == 422
    assert buy(client, auth_headers, (999_999, 1)).status_code == 422


def test_only_your_own(
    client: TestClient, auth_headers: Headers, product: Callable[..., int]
) -> None:
    """Users see their own orders; somebody else's is a 404; without a token a 401"""
    path = f"/orders/{buy(client, auth_headers, (product(), 1)).json()['id']}"
    stranger = sign_in(make_user())
    assert client.get(path, headers=auth_headers).status_code == 200
    assert client.get(path, headers=stranger).status_code == 404
    assert items(client, "/orders", stranger) == []
    assert len(items(client, "/orders", auth_headers)) == 1
    assert client.get("/orders").status_code == 401


def test_report(
    client: TestClient, auth_headers: Headers, admin_headers: Headers, product: Callable[..., int]
) -> None:
    """GET /orders/reports/sales?group_by=product tells quantity and revenue of what was paid"""
    first, second = product("A", "2.50"), product("B", "4.00")
    paid = buy(client, auth_headers, (first, 2), (second, 1)).json()["id"]
    buy(client, auth_headers, (first, 1))  # never paid
    assert client.post(f"/orders/{paid}/pay", headers=auth_headers).status_code == 200
    response = client.get("/orders/reports/sales?group_by=product", headers=admin_headers)
    rows = [(r["name"], r["quantity"], Decimal(r["revenue"])) for r in response.json()["rows"]]
    assert rows == [("A", 2, Decimal("5.00")), ("B", 1, Decimal("4.00"))]


def test_report_of_a_period(client: TestClient, admin_headers: Headers) -> None:
    """A period without sales has no rows; one that ends before it begins is a 422"""
    path = "/orders/reports/sales"
    past = client.get(f"{path}?from=2020-01-01&to=2020-01-31", headers=admin_headers)
    assert past.json()["rows"] == []
    wrong = client.get(f"{path}?from=2020-02-01&to=2020-01-31", headers=admin_headers)
    assert wrong.status_code == 422


def test_report_is_for_administrators(client: TestClient, auth_headers: Headers) -> None:
    """The report is a 401 without a token and a 403 for a user"""
    assert client.get("/orders/reports/sales").status_code == 401
    assert client.get("/orders/reports/sales", headers=auth_headers).status_code == 403


def test_report_is_one_statement(
    client: TestClient, admin_headers: Headers, count_statements: Callable[[], Any]
) -> None:
    """The report is one statement, besides those that find out who asks"""
    with count_statements() as statements:
        client.get("/orders/reports/sales?group_by=product", headers=admin_headers)
    assert sum("order_items" in each for each in statements) == 1


def test_statements(
    client: TestClient,
    auth_headers: Headers,
    product: Callable[..., int],
    count_statements: Callable[[], Any],
) -> None:
    """A list of five orders costs the statements of a list of one"""
    counted, bought = [], product(stock=50)
    for number in range(5):
        buy(client, auth_headers, (bought, 1))
        if number in (0, 4):
            with count_statements() as statements:
                items(client, "/orders", auth_headers)
            counted.append(len(statements))
    assert counted[0] == counted[1]


def test_tables() -> None:
    """Keys are indexed; items go with their order; a product that was sold stays"""
    assert {"order_id", "product_id"} <= indexed("order_items")
    assert "user_id" in indexed("orders")
    assert key_of("order_items", "order_id") == ("orders", "CASCADE")
    assert key_of("order_items", "product_id") == ("products", "RESTRICT")
    assert key_of("orders", "user_id")[0] == "users"
