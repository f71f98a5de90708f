"""Products: input of every bad kind is refused, and the strangest that is valid is shown."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.core.text import fold
from tests.hostile import (
    HOSTILE_TEXT,
    JSON,
    LINES,
    NOT_DIGITS,
    NOT_JSON_INTEGERS,
    NOT_SORTS,
    SOME,
    STRANGE,
    UNRULY,
    WILDCARDS,
    Case,
    hostile_texts,
    in_addresses,
    read_all,
    refuse,
)
from tests.test_categories import make_category
from tests.test_products import make_product, new_product

pytestmark = pytest.mark.thorough

Headers = dict[str, str]

NOT_PRICES = [
    *("NaN", "Infinity", "-Infinity", "1e400", "0", "-1", "0.001", "100000000", "1e8", "true"),
    *('"1e3"', '"1_0"', '" 1"', '"１"', '"+1"', '"01"', '"1."', '".5"', '"0x1"', '"NaN"', '"-0"'),
    *('"Infinity"', '"1,00"', '"0"', '"0.00"', '""', '"' + "9" * 400 + '"', "9" * 4000),
]


def test_hostile_text(client: TestClient) -> None:
    texts = HOSTILE_TEXT | LINES
    refuse(client, hostile_texts("POST", "/products", '{"price": 1, "name": "%s"}', texts))
    unknown = '{"price": 1, "name": "a", "%s": 1}'
    refuse(client, hostile_texts("POST", "/products", unknown, SOME))


def test_hostile_text_in_queries_and_paths(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for text in in_addresses():
            yield Case("GET", f"/products?q={text}")
            if text:
                yield Case("GET", f"/products/{text}")

    refuse(client, cases())


def test_numbers_in_json(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        product = json.dumps(new_product())[:-1]
        for number in NOT_JSON_INTEGERS:
            # A whole number of 4,300 digits is more than Python reads.
            body = f'{product}, "category_id": {number}}}'
            yield Case("POST", "/products", body, JSON, (400, 422))
            yield Case("PATCH", "/products/1", f'{{"stock": {number}}}', JSON)
        for price in NOT_PRICES:
            yield Case("PATCH", "/products/1", f'{{"price": {price}}}', JSON)

    refuse(client, cases())


def test_numbers_in_paths_and_queries(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for text in NOT_DIGITS:
            yield Case("GET", f"/products/{text}")
            yield Case("GET", f"/products?category_id={text}")
        for price in ("NaN", "Infinity", "-1", "1e3", "1_0", "0.001", "100000000", "1,5", "１"):
            yield Case("GET", f"/products?min_price={price}")
        for quantity in ("1.5", "1e3", str(2**31), str(-(2**31)), "NaN", "", "1_0", "%2B1"):
            yield Case("PATCH", f"/products/1/stock?quantity={quantity}")
        yield Case("PATCH", "/products/1/stock?quantity=1&quantity=2")
        for flag in ("maybe", "2", "-1", "nul", "[]", "trues", ""):
            yield Case("GET", f"/products?in_stock={flag}")

    refuse(client, cases())


def test_other_bad_queries_and_bodies(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for sort in NOT_SORTS:
            yield Case("GET", f"/products?sort={sort}")
        yield Case("GET", f"/products?q={'a' * 101}")
        yield Case("POST", "/products/bulk", json.dumps({"items": [new_product()] * 1001}), JSON)

    refuse(client, cases())


def test_wildcards_are_characters(client: TestClient) -> None:
    make_product(name="Apple")
    for number, q in enumerate(WILDCARDS):
        kept = make_product(name=f"{number}x{q}y")
        for path in ("/products", "/products/search"):
            items = client.get(path, params={"q": f"{number}x{q}"}).json()["items"]
            assert [item["id"] for item in items] == [kept.id], q
            assert client.get(path, params={"q": f"A{q}"}).json()["items"] == [], q


def test_strange_and_valid(client: TestClient, app: FastAPI, staff_headers: Headers) -> None:
    """Sent by HTTP, so that it is what the rules let through."""
    ids: dict[str, list[int]] = {"product_id": [], "category_id": []}
    for number, text in enumerate(STRANGE):
        extreme = {"price": 99_999_999.99, "stock": 2**31 - 1} if number % 2 else {"price": 0.01}
        if number % 4 == 0:
            made = client.post("/categories", json={"name": text}, headers=staff_headers)
            ids["category_id"].append(made.json()["id"])
        data = {"name": text, "description": text, "category_id": ids["category_id"][-1]} | extreme
        response = client.post("/products", json=data, headers=staff_headers)
        assert response.status_code == 201, f"{text!a}: {response.text}"
        ids["product_id"].append(response.json()["id"])
    ids = {"product_id": ids["product_id"][1::8], "category_id": ids["category_id"][::3]}
    read_all(client, app, "products", ids, staff_headers)
    read_all(client, app, "categories", ids, staff_headers)
    for text in STRANGE[::3]:
        found = client.get("/products", params={"q": text, "limit": 100}).json()["items"]
        if fold(text):  # of marks alone nothing is left, and nothing is found by it
            assert text in [item["name"] for item in found], ascii(text)


def test_what_no_rule_lets_through(client: TestClient, app: FastAPI) -> None:
    product = make_product(
        name=UNRULY,
        description="",
        price=Decimal("0.01"),
        stock=2**31 - 1,
        category_id=make_category(name=UNRULY).id,
    )
    read_all(client, app, "products", {"product_id": [product.id]}, {})
