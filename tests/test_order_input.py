"""Orders and their reports: input of every bad kind is refused."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.models.order import OrderStatus
from app.models.user import Role
from tests.factories import make_user, sign_in
from tests.hostile import JSON, NOT_DIGITS, NOT_JSON_INTEGERS, UNRULY, Case, read_all, refuse
from tests.test_orders import make_order
from tests.test_products import make_product

pytestmark = pytest.mark.thorough

NOT_DAYS = [
    *("0000-00-00", "0001-01-01", "1969-12-31", "2026-02-30", "2026-13-01", "2026-1-1"),
    *("10000-01-01", "-2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00%2B99:99"),
    *("2026-01-01Z", "0", "1767225600", "1e9", "today", "2026-W01-1", "２０２６-01-01", "NaN", ""),
    *("2026-01-01%00", "20260101", "9999-12-32"),
]


def test_numbers(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for number in NOT_JSON_INTEGERS:
            line = f'{{"product_id": {number}, "quantity": {number}}}'
            yield Case("POST", "/orders", f'{{"items": [{line}]}}', JSON, (400, 422))
        for text in NOT_DIGITS:
            yield Case("DELETE", f"/orders/{text}", status=405)
            yield Case("GET", f"/orders/{text}")
        for total in ("NaN", "Infinity", "-1", "1e3", "1_0", "0.001", "1,5", "%2B1", "１"):
            yield Case("GET", f"/orders?max_total={total}")
        yield Case("POST", "/orders", json.dumps({"items": [{}] * 101}), JSON)

    refuse(client, cases())


def test_days(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for day in NOT_DAYS:
            yield Case("GET", f"/orders/reports/sales?from={day}")
            yield Case("GET", f"/orders/reports/sales?to={day}")
        yield Case("GET", "/orders/reports/sales?from=2026-01-02&to=2026-01-01")
        yield Case("GET", "/orders/reports/sales?from=1970-01-01&to=9999-12-31")
        yield Case("GET", "/orders/reports/sales?from=9999-12-31")

    refuse(client, cases())


def test_strange_rows(client: TestClient, app: FastAPI) -> None:
    user = make_user(role=Role.ADMIN)
    product = make_product(name=UNRULY)
    order = make_order(user, product, status=OrderStatus.PAID, total=Decimal("9999999999.99"))
    read_all(client, app, "orders", {"order_id": [order.id]}, sign_in(user))
    read_all(client, app, "sales", {}, sign_in(user))
