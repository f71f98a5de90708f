"""The report of what was sold, against the same sums in Python."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.columns import utcnow
from app.core.database import session_scope
from app.models.order import Order, OrderItem, OrderStatus
from app.models.product import Product
from tests.test_categories import make_category
from tests.test_orders import make_order
from tests.test_products import make_product

Headers = dict[str, str]

ACCESS = [("GET", "/orders/reports/sales", "admin")]

FIRST, LAST = datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)
PERIOD = "from=2025-12-01&to=2026-01-31"


def report(client: TestClient, headers: Headers, query: str = "") -> Any:
    response = client.get(f"/orders/reports/sales?{query}", headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def sales() -> list[tuple[Order, OrderItem, Product]]:
    """Lines sold in the period, of random orders in and around it."""
    rand = random.Random(7)
    categories = [make_category(name="Books").id, make_category(name="Árvores").id, None]
    products = [
        make_product(
            price=Decimal(rand.randrange(1, 9999)).scaleb(-2), category_id=categories[n % 3]
        )
        for n in range(6)
    ]
    products.append(make_product(price=products[0].price, deleted_at=utcnow()))
    moments = [FIRST, FIRST - timedelta(microseconds=1), LAST, LAST + timedelta(microseconds=1)]
    moments += [FIRST + timedelta(hours=rand.randrange(-200, 1700)) for _ in range(60)]
    orders = []
    for number, moment in enumerate(moments):
        items = [
            OrderItem(product_id=p.id, unit_price=p.price, quantity=rand.randrange(1, 9))
            for p in rand.sample(products, rand.randrange(1, 5))
        ]
        status = OrderStatus.PAID if number < 4 else rand.choice(list(OrderStatus))
        total = sum(item.total for item in items)
        orders.append(Order(status=status, paid_at=moment, total=total, items=items))
    with session_scope() as db:
        db.add_all(orders)
    by_id = {product.id: product for product in products}
    return [
        (order, item, by_id[item.product_id])
        for order in orders
        if order.paid_at and FIRST <= order.paid_at <= LAST
        if order.status in (OrderStatus.PAID, OrderStatus.SHIPPED)
        for item in order.items
    ]


KEYS = {
    "day": lambda order, _: (None, f"{order.paid_at:%Y-%m-%d}"),
    "month": lambda order, _: (None, f"{order.paid_at:%Y-%m}"),
    "product": lambda _, product: (product.id, product.name),
    "category": lambda _, product: (product.category_id, None),
}


@pytest.mark.parametrize("group_by", KEYS)
def test_the_report_adds_up(
    client: TestClient, admin_headers: Headers, sales: Any, group_by: str
) -> None:
    groups = defaultdict(list)
    for order, item, product in sales:
        groups[KEYS[group_by](order, product)].append((order, item))
    expected = {
        key: (
            len({order.id for order, _ in lines}),
            sum(item.quantity for _, item in lines),
            sum(item.total for _, item in lines),
        )
        for key, lines in groups.items()
    }
    whole = sum(revenue for _, _, revenue in expected.values())
    got = report(client, admin_headers, f"{PERIOD}&group_by={group_by}")
    rows = got.pop("rows")
    assert got == {
        "from": "2025-12-01",
        "to": "2026-01-31",
        "group_by": group_by,
        "revenue": str(whole),
    }

    running = Decimal(0)
    for row in rows:
        name = None if group_by == "category" else row["name"]
        orders, quantity, revenue = expected.pop((row["id"], name))
        running += revenue
        assert (row["orders"], row["quantity"]) == (orders, quantity)
        assert (row["revenue"], row["running_total"]) == (str(revenue), str(running))
        assert row["share"] == pytest.approx(float(revenue / whole), abs=0.0001)
        assert row["share"] == round(row["share"], 4)
    assert expected == {}
    if group_by in ("day", "month"):
        assert rows == sorted(rows, key=lambda row: row["name"])
    else:
        assert rows == sorted(rows, key=lambda row: -Decimal(row["revenue"]))


def test_categories_have_names_and_equals_an_order(
    client: TestClient, admin_headers: Headers
) -> None:
    books, trees = make_category(name="Books"), make_category(name="Árvores")
    for category_id in (trees.id, None, books.id):
        make_order(None, make_product(category_id=category_id), status=OrderStatus.PAID)
    rows = report(client, admin_headers, "group_by=category")["rows"]
    assert [row["name"] for row in rows] == [None, "Books", "Árvores"]
    assert [row["share"] for row in rows] == [0.3333] * 3
    assert [row["running_total"] for row in rows] == ["19.90", "39.80", "59.70"]


def test_by_default_it_is_by_day_for_the_last_thirty(
    client: TestClient, admin_headers: Headers
) -> None:
    today = utcnow()
    for days in (0, 29, 30):
        make_order(status=OrderStatus.SHIPPED, paid_at=today - timedelta(days=days))
    make_order()
    got = report(client, admin_headers)
    assert (got["from"], got["to"]) == (str(today.date() - timedelta(days=29)), str(today.date()))
    assert [row["name"] for row in got["rows"]] == [got["from"], got["to"]]
    assert got["revenue"] == "39.80"
    until = today.date() - timedelta(days=30)
    assert report(client, admin_headers, f"to={until}")["revenue"] == "19.90"


def test_without_sales_it_is_empty(client: TestClient, admin_headers: Headers) -> None:
    make_order(status=OrderStatus.CANCELLED, paid_at=utcnow())
    for group_by in KEYS:
        got = report(client, admin_headers, f"group_by={group_by}")
        assert (got["revenue"], got["rows"]) == ("0.00", [])


@pytest.mark.parametrize(
    "query", ["from=2024-01-01&to=2024-12-31", "to=1970-01-01", "to=9999-12-31"]
)
def test_a_year_is_as_good_as_a_day(client: TestClient, admin_headers: Headers, query: str) -> None:
    assert report(client, admin_headers, query)["rows"] == []


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-02&to=2026-01-01",
        "from=2999-01-01",
        "from=2024-01-01&to=2025-01-01",
        "to=1969-12-31",
        "to=0001-01-01",
        "to=2026-02-30",
        "to=1767225600",
        "to=2026-01-01T00:00:00",
        "to=",
        "group_by=year",
        "by=day",
    ],
)
def test_a_bad_query_is_refused(client: TestClient, admin_headers: Headers, query: str) -> None:
    response = client.get(f"/orders/reports/sales?{query}", headers=admin_headers)
    assert response.status_code == 422


def test_it_is_one_statement(
    client: TestClient, admin_headers: Headers, sales: Any, count_statements: Any
) -> None:
    for group_by in KEYS:
        with count_statements() as statements:
            report(client, admin_headers, f"{PERIOD}&group_by={group_by}")
        assert len(statements) == 2  # the first one finds the user


@pytest.mark.parametrize("group_by", KEYS)
def test_it_reads_the_orders_of_the_period_only(
    client: TestClient, admin_headers: Headers, sales: Any, full_scans: Any, group_by: str
) -> None:
    scans = full_scans(f"/orders/reports/sales?{PERIOD}&group_by={group_by}", admin_headers)
    # SQLite also names what was added up already, which the window functions read.
    assert [step for step in scans if not step.startswith(("SCAN sales", "SCAN (subquery"))] == []
