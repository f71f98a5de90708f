"""Orders: stock taken and given back, who sees which, and what becomes of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError

from app.core import retries
from app.core.columns import utcnow
from app.core.database import Database, database
from app.models.order import Order, OrderItem, OrderStatus
from app.models.product import Product
from app.models.user import User
from tests.factories import add, make_user, sign_in
from tests.support import at_once, stored, writing
from tests.test_products import make_product

Headers = dict[str, str]

ACCESS = [
    ("GET", "/orders", "user"),
    ("GET", "/orders/{order_id}", "user"),
    ("POST", "/orders", "user"),
    ("POST", "/orders/{order_id}/pay", "user"),
    ("POST", "/orders/{order_id}/ship", "admin"),
    ("POST", "/orders/{order_id}/cancel", "user"),
]

# Rules that the document has no words for; `tests/fuzz` expects these answers.
UNSPOKEN = ["is not for sale", "name each product once"]


def make_order(user: User | None = None, *products: Product, **values: Any) -> Order:
    """An order of one of each product (or of a new one), as it stands in the database."""
    items = [
        OrderItem(product_id=product.id, quantity=1, unit_price=product.price)
        for product in products or [make_product()]
    ]
    defaults = {"user_id": user and user.id, "total": sum(item.total for item in items)}
    if values.get("status") in (OrderStatus.PAID, OrderStatus.SHIPPED):
        defaults["paid_at"] = utcnow()
    order: Order = add(Order(items=items, **defaults | values))
    return order


def buy(client: TestClient, headers: Headers, *lines: tuple[Product | int, object]) -> Any:
    items = [
        {"product_id": product if isinstance(product, int) else product.id, "quantity": quantity}
        for product, quantity in lines
    ]
    return client.post("/orders", json={"items": items}, headers=headers)


def stock() -> list[int]:
    """Of all products, in the order in which they were made."""
    return [product.stock for product in stored(Product)]


# --- Ordering --------------------------------------------------------------------------------


def test_create_order(client: TestClient, user: User, auth_headers: Headers) -> None:
    book, map_ = make_product(price=Decimal("19.90")), make_product(price=Decimal("0.05"), stock=1)
    response = buy(client, auth_headers, (map_, 1), (book, 2))
    assert response.status_code == 201
    assert response.headers["etag"] == '"1"'
    order = response.json()
    assert (order["user_id"], order["status"], order["paid_at"]) == (user.id, "pending", None)
    assert order["total"] == "39.85"
    assert order["items"] == [
        {"product_id": map_.id, "quantity": 1, "unit_price": "0.05", "total": "0.05"},
        {"product_id": book.id, "quantity": 2, "unit_price": "19.90", "total": "39.80"},
    ]
    assert client.get(f"/orders/{order['id']}", headers=auth_headers).json() == order
    assert client.get("/orders", headers=auth_headers).json()["items"] == [order]
    assert [(product.stock, product.version) for product in stored(Product)] == [(8, 2), (0, 2)]


def test_a_price_is_that_of_the_moment(
    client: TestClient, auth_headers: Headers, staff_headers: Headers
) -> None:
    product = make_product(price=Decimal("19.90"))
    path = f"/orders/{buy(client, auth_headers, (product, 1)).json()['id']}"
    change = {"price": "99.00"}
    assert client.patch(f"/products/{product.id}", json=change, headers=staff_headers).is_success
    order = client.get(path, headers=auth_headers).json()
    assert (order["total"], order["items"][0]["unit_price"]) == ("19.90", "19.90")


@pytest.mark.parametrize(
    ("items", "where"),
    [
        ([], ["items"]),
        ([{"product_id": 1, "quantity": 1}] * 2, ["items"]),
        ([{"product_id": n, "quantity": 1} for n in range(1, 102)], ["items"]),
        ([{"product_id": 1, "quantity": 0}], ["items", 0, "quantity"]),
        ([{"product_id": 1, "quantity": 10_001}], ["items", 0, "quantity"]),
        ([{"product_id": 1, "quantity": "1"}], ["items", 0, "quantity"]),
        ([{"product_id": 1, "quantity": True}], ["items", 0, "quantity"]),
        ([{"product_id": 0, "quantity": 1}], ["items", 0, "product_id"]),
        ([{"product_id": 1}], ["items", 0, "quantity"]),
        ([{"product_id": 1, "quantity": 1, "unit_price": "0.01"}], ["items", 0, "unit_price"]),
    ],
)
def test_bad_data_is_refused(
    client: TestClient, auth_headers: Headers, items: object, where: list[object]
) -> None:
    response = client.post("/orders", json={"items": items}, headers=auth_headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", *where]


def test_one_bad_line_and_nothing_is_ordered(client: TestClient, auth_headers: Headers) -> None:
    good, few = make_product(stock=5), make_product(stock=2)
    inactive, deleted = make_product(is_active=False), make_product(deleted_at=utcnow())
    unknown = buy(client, auth_headers, (good, 1), (inactive, 1), (deleted, 1), (999, 1))
    assert unknown.status_code == 422
    assert [(each["loc"], each["msg"]) for each in unknown.json()["errors"]] == [
        (["body", "items", index, "product_id"], "is not for sale") for index in (1, 2, 3)
    ]
    too_many = buy(client, auth_headers, (good, 5), (few, 3))
    assert too_many.status_code == 409
    assert [(each["loc"], each["msg"]) for each in too_many.json()["errors"]] == [
        (["body", "items", 1, "quantity"], "2 are left")
    ]
    assert stock() == [5, 2, 10, 10]
    assert stored(Order) == stored(OrderItem) == []


def test_an_order_too_dear_for_its_column_is_refused(
    client: TestClient, auth_headers: Headers
) -> None:
    dear = make_product(price=Decimal("99999999.99"), stock=200)
    response = buy(client, auth_headers, (dear, 101))
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "items"]
    assert (stock(), stored(Order)) == ([200], [])
    assert buy(client, auth_headers, (dear, 100)).json()["total"] == "9999999999.00"


def test_an_order_of_many_lines_costs_the_statements_of_one(
    client: TestClient, auth_headers: Headers, count_statements: Any
) -> None:
    products = [make_product() for _ in range(50)]
    for lines in (1, 50):
        with count_statements() as statements:
            response = buy(client, auth_headers, *((product, 1) for product in products[:lines]))
        assert response.status_code == 201
        # On SQLite, where a statement is no round trip, each line is written by its own.
        written = lines if database.engine.dialect.name == "sqlite" else 1
        inserts = [each for each in statements if each.startswith("INSERT INTO order_items")]
        assert len(inserts) == written
        # The user, the locks, the stock, the order.
        assert len(statements) - written == 4


# --- Pay, ship, cancel -----------------------------------------------------------------------


def test_an_order_is_paid_and_shipped(
    client: TestClient, auth_headers: Headers, admin_headers: Headers
) -> None:
    path = f"/orders/{buy(client, auth_headers, (make_product(), 1)).json()['id']}"
    paid = client.post(f"{path}/pay", headers=auth_headers)
    assert paid.status_code == 200
    assert (paid.json()["status"], paid.headers["etag"]) == ("paid", '"2"')
    assert paid.json()["paid_at"] is not None
    shipped = client.post(f"{path}/ship", headers=admin_headers)
    assert shipped.status_code == 200
    assert shipped.json()["status"] == "shipped"
    assert client.get(path, headers=auth_headers).json() == shipped.json()


@pytest.mark.parametrize(
    ("action", "allowed"),
    [("pay", {"pending"}), ("ship", {"paid"}), ("cancel", {"pending", "paid"})],
)
def test_other_steps_are_refused(
    client: TestClient, admin_headers: Headers, action: str, allowed: set[str]
) -> None:
    for status in OrderStatus:
        path = f"/orders/{make_order(status=status).id}"
        response = client.post(f"{path}/{action}", headers=admin_headers)
        assert response.status_code == (200 if status in allowed else 409), status
        after = client.get(path, headers=admin_headers).json()["status"]
        assert (after == status) == (status not in allowed)
        if status not in allowed:
            assert response.json()["detail"].startswith(f"The order is {status}: it cannot be ")


def test_cancelling_gives_the_stock_back(
    client: TestClient, auth_headers: Headers, staff_headers: Headers
) -> None:
    kept, deleted = make_product(stock=5), make_product(stock=5)
    path = f"/orders/{buy(client, auth_headers, (kept, 2), (deleted, 5)).json()['id']}"
    assert client.delete(f"/products/{deleted.id}", headers=staff_headers).is_success
    cancelled = client.post(f"{path}/cancel", headers=auth_headers)
    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    assert stock() == [5, 5]
    assert client.post(f"{path}/cancel", headers=auth_headers).status_code == 409
    assert stock() == [5, 5]


def test_a_stock_that_is_full_takes_nothing_back(
    client: TestClient, admin_headers: Headers
) -> None:
    path = f"/orders/{make_order(None, make_product(), make_product(stock=2**31 - 1)).id}"
    assert client.post(f"{path}/cancel", headers=admin_headers).status_code == 409
    assert client.get(path, headers=admin_headers).json()["status"] == "pending"
    assert stock() == [10, 2**31 - 1]


# --- Whose it is -----------------------------------------------------------------------------


def test_a_strangers_order_is_not_to_be_told_from_none(
    client: TestClient, user: User, staff_headers: Headers
) -> None:
    path = f"/orders/{make_order(user).id}"
    strangers = (sign_in(make_user()), staff_headers)
    for method, action in (("GET", ""), ("POST", "/pay"), ("POST", "/cancel")):
        for headers in strangers:
            foreign = client.request(method, path + action, headers=headers)
            missing = client.request(method, f"/orders/999{action}", headers=headers)
            assert foreign.status_code == missing.status_code == 404
            assert foreign.json()["detail"] == missing.json()["detail"] == "Order not found."
    assert client.get("/orders", headers=staff_headers).json()["total"] == 0
    assert stored(Order)[0].status is OrderStatus.PENDING


def test_an_administrator_sees_and_moves_all(
    client: TestClient, user: User, admin_headers: Headers
) -> None:
    path = f"/orders/{make_order(user).id}"
    make_order()
    assert client.get("/orders", headers=admin_headers).json()["total"] == 2
    of_user = client.get(f"/orders?user_id={user.id}", headers=admin_headers).json()
    assert [order["user_id"] for order in of_user["items"]] == [user.id]
    for action in ("pay", "ship"):
        assert client.post(f"{path}/{action}", headers=admin_headers).status_code == 200


# --- Lists -----------------------------------------------------------------------------------


def test_list_orders(client: TestClient, user: User, auth_headers: Headers) -> None:
    for price, status in ((5, "pending"), (30, "paid"), (10, "cancelled")):
        make_order(user, make_product(price=Decimal(price)), status=OrderStatus(status))
    make_order(make_user())

    def totals(query: str) -> list[str]:
        page = client.get(f"/orders?{query}", headers=auth_headers).json()
        return [order["total"].removesuffix(".00") for order in page["items"]]

    assert totals("") == ["10", "30", "5"]
    assert totals("sort=total") == ["5", "10", "30"]
    assert totals("status=paid") == ["30"]
    assert totals("min_total=10&sort=-total") == ["30", "10"]
    assert totals("max_total=9.99") == ["5"]
    page = client.get("/orders?limit=2", headers=auth_headers).json()
    assert (page["total"], len(page["items"])) == (3, 2)
    assert totals(f"limit=2&cursor={page['next_cursor']}") == ["5"]


@pytest.mark.parametrize(
    "query", ["status=lost", "sort=status", "min_total=x", "user_id=0", "color=red", "limit=101"]
)
def test_a_bad_query_is_refused(client: TestClient, auth_headers: Headers, query: str) -> None:
    assert client.get(f"/orders?{query}", headers=auth_headers).status_code == 422


def test_no_list_costs_a_statement_for_each_order(
    client: TestClient, user: User, auth_headers: Headers, count_statements: Any
) -> None:
    products = [make_product() for _ in range(3)]
    order = make_order(user, *products)
    paths = {f"/orders/{order.id}": 3, "/orders?limit=50": 3}  # the user, orders, items
    for rows in (1, 50):
        for _ in range(len(stored(Order)), rows):
            make_order(user, *products)
        for path, statements in paths.items():
            with count_statements() as counted:
                client.get(path, headers=auth_headers)
            assert len(counted) == statements, path


@pytest.mark.parametrize(
    "query", ["", "status=paid", "user_id={}", "min_total=1", "sort=total", "sort=-total"]
)
def test_no_filter_reads_the_whole_table(
    client: TestClient, user: User, admin_headers: Headers, full_scans: Any, query: str
) -> None:
    for status in ("pending", "paid"):
        for owner in (user, make_user()):
            make_order(owner, status=OrderStatus(status))
    # All on one page: the total of a list without a filter counts the table.
    limit = 4 if not query or "sort" in query else 1
    query = f"?limit={limit}&{query.format(user.id)}"
    assert full_scans(f"/orders{query}", admin_headers) == []
    assert full_scans(f"/orders{query}", sign_in(user)) == []


# --- Many at once ----------------------------------------------------------------------------


@pytest.fixture
def one_attempt(threaded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is run again: a deadlock is seen, and not outlived."""
    monkeypatch.setattr(retries, "ATTEMPTS", 1)


def call_at_once(times: int, call: Callable[[int], Any], *expected: int) -> list[int]:
    statuses: list[int] = [response.status_code for response in at_once(times, call)]
    assert set(statuses) <= set(expected), statuses
    return statuses


def test_parallel_orders_never_oversell(
    client: TestClient, auth_headers: Headers, one_attempt: None
) -> None:
    products = [make_product(stock=start) for start in (20, 30, 25)]

    def order(number: int) -> Any:
        # In both directions: locked in the order of the lines, they would wait for each other.
        lines = [(product, 2) for product in products]
        return buy(client, auth_headers, *(lines if number % 2 else reversed(lines)))

    statuses = call_at_once(16, order, 201, 409)
    assert statuses.count(201) == 10
    assert stock() == [0, 10, 5]
    sold = [(item.product_id, item.quantity) for item in stored(OrderItem)]
    assert sorted(sold) == sorted((product.id, 2) for product in products for _ in range(10))


def test_orders_and_cancels_at_once_count_right(
    client: TestClient, auth_headers: Headers, one_attempt: None
) -> None:
    lines = [(make_product(stock=8), 1) for _ in range(3)]
    orders = [buy(client, auth_headers, *reversed(lines)).json()["id"] for _ in range(8)]

    def move(number: int) -> Any:
        if number % 2:
            return buy(client, auth_headers, *lines)
        return client.post(f"/orders/{orders[number // 2]}/cancel", headers=auth_headers)

    statuses = call_at_once(16, move, 200, 201, 409)
    assert statuses.count(200) == 8
    assert stock() == [8 - statuses.count(201)] * 3


def test_of_ten_who_cancel_one_gives_back(
    client: TestClient, auth_headers: Headers, one_attempt: None
) -> None:
    products = [make_product(stock=10) for _ in range(2)]
    order = buy(client, auth_headers, *((product, 3) for product in products)).json()

    def cancel(_: int) -> Any:
        return client.post(f"/orders/{order['id']}/cancel", headers=auth_headers)

    assert call_at_once(10, cancel, 200, 409).count(200) == 1
    assert stock() == [10, 10]


def test_paid_and_cancelled_at_once_is_one_of_both(
    client: TestClient, user: User, auth_headers: Headers, one_attempt: None
) -> None:
    orders = [make_order(user, make_product(stock=0)) for _ in range(4)]

    def move(number: int) -> Any:
        action = "cancel" if number % 2 else "pay"
        return client.post(f"/orders/{orders[number // 2].id}/{action}", headers=auth_headers)

    call_at_once(8, move, 200, 409)
    # A paid order can be cancelled, a cancelled one not be paid.
    assert {order.status for order in stored(Order)} == {OrderStatus.CANCELLED}
    assert stock() == [1] * 4


def test_shipped_and_cancelled_at_once_is_one_of_both(
    client: TestClient, admin_headers: Headers, one_attempt: None
) -> None:
    orders = [make_order(None, make_product(stock=0), status=OrderStatus.PAID) for _ in range(4)]

    def move(number: int) -> Any:
        action = "cancel" if number % 2 else "ship"
        return client.post(f"/orders/{orders[number // 2].id}/{action}", headers=admin_headers)

    assert call_at_once(8, move, 200, 409).count(200) == 4
    came_back = [int(order.status is OrderStatus.CANCELLED) for order in stored(Order)]
    assert stock() == came_back


# --- In the database -------------------------------------------------------------------------


def test_an_order_outlives_the_account(
    client: TestClient, user: User, admin_headers: Headers
) -> None:
    path = f"/orders/{make_order(user).id}"
    erased = client.delete(f"/users/{user.id}?hard=true", headers=admin_headers)
    assert erased.status_code == 204
    order = client.get(path, headers=admin_headers).json()
    assert (order["user_id"], len(order["items"])) == (None, 1)


def test_items_go_with_their_order_and_products_that_were_sold_stay() -> None:
    make_order()
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(delete(Product))
    with writing() as db:
        db.execute(delete(Order))
        db.commit()
    assert stored(OrderItem) == []
    with writing() as db:
        db.delete(db.get(Product, stored(Product)[0].id))
        db.commit()
    assert stored(Product) == []


@pytest.mark.parametrize(
    "change",
    [
        "orders SET status = 'lost'",
        "orders SET status = 'paid'",  # on no day
        "orders SET total = 0",
        "orders SET user_id = 99",
        "order_items SET quantity = 0",
        "order_items SET unit_price = 0",
        "order_items SET product_id = 99",
        "order_items SET product_id = (SELECT max(id) FROM products)",
    ],
)
def test_the_database_refuses_it_too(change: str) -> None:
    make_order(None, make_product(), make_product())
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(text(f"UPDATE {change}"))
