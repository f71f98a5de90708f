"""An extension of a feature that is there."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.evals import Edit
from tests.evals.asking import Headers, indexed, items, key_of, made, status
from tests.factories import make_user, sign_in

PROMPT = ("docs/prompts.md", "An extension")
FEATURE = "review"
MODULES = ["tests/test_reviews.py", "tests/test_products.py"]
PRODUCT = "name:str:255:unique description:text:optional price:decimal:10.2 stock:int=0"
START = [
    ["remove", "review", "order", "product", "--force"],
    ["new", "product", *PRODUCT.split(), "category:ref:optional", "--write", "staff", "--no-test"],
]
BAD = [
    Edit(
        "app/services/review_service.py",
        "own = Review.user_id == user.id, Review",
        "own = Review.user_id > 0, Review",
    ),
    Edit(
        "app/services/review_service.py",
        "reviews = select(Review).where(Review.product_id == product.id)",
        "reviews = select(Review)",
    ),
    Edit("app/schemas/product.py", "    average_rating: AverageRating | None\n", ""),
]
MISSES = {"test_only_the_author", "test_list_of_one", "test_product_tells"}


@pytest.fixture
def path(client: TestClient, staff_headers: Headers) -> str:
    product = made(client, "/products", staff_headers, name="Map", price="1")
    return f"/products/{product['id']}"


def test_create(client: TestClient, auth_headers: Headers, path: str) -> None:
    """POST /products/{product_id}/reviews makes a review (201), with or without a comment"""
    row = made(client, f"{path}/reviews", auth_headers, rating=5, comment="Good.")
    assert (row["rating"], row["comment"]) == (5, "Good.")
    other = sign_in(make_user())
    assert made(client, f"{path}/reviews", other, rating=1)["comment"] is None


def test_list(client: TestClient, auth_headers: Headers, path: str) -> None:
    """GET /products/{product_id}/reviews answers pages, the newest first, to everybody"""
    made(client, f"{path}/reviews", auth_headers, rating=5)
    made(client, f"{path}/reviews", sign_in(make_user()), rating=1)
    assert [each["rating"] for each in items(client, f"{path}/reviews")] == [1, 5]
    assert len(items(client, f"{path}/reviews?limit=1&skip=1")) == 1


def test_list_of_one(client: TestClient, auth_headers: Headers, staff_headers: Headers) -> None:
    """The list shows the reviews of this product, and no others"""
    paths = []
    for name in ("Map", "Book"):
        product = made(client, "/products", staff_headers, name=name, price="1")
        paths.append(f"/products/{product['id']}/reviews")
    made(client, paths[0], auth_headers, rating=5)
    assert items(client, paths[1]) == []


def test_unknown_product(client: TestClient, auth_headers: Headers) -> None:
    """An unknown product is a 404"""
    assert client.get("/products/999999/reviews").status_code == 404
    assert status(client, "POST", "/products/999999/reviews", auth_headers, rating=5) == 404


def test_signed_in(client: TestClient, path: str) -> None:
    """Writing a review without a token is a 401"""
    assert status(client, "POST", f"{path}/reviews", {}, rating=5) == 401


def test_rating(client: TestClient, auth_headers: Headers, path: str) -> None:
    """A rating is 1 to 5; another one is a 422"""
    for rating in (0, 6, "five", None):
        assert status(client, "POST", f"{path}/reviews", auth_headers, rating=rating) == 422
    for rating in (1, 5):
        made(client, f"{path}/reviews", sign_in(make_user()), rating=rating)


def test_once(client: TestClient, auth_headers: Headers, path: str) -> None:
    """A second review of the same user is a 409"""
    made(client, f"{path}/reviews", auth_headers, rating=5)
    assert status(client, "POST", f"{path}/reviews", auth_headers, rating=4) == 409


def test_change_and_delete(client: TestClient, auth_headers: Headers, path: str) -> None:
    """The author changes and deletes it at /reviews/{review_id}"""
    review = f"/reviews/{made(client, f'{path}/reviews', auth_headers, rating=5)['id']}"
    assert client.patch(review, json={"rating": 2}, headers=auth_headers).json()["rating"] == 2
    assert status(client, "DELETE", review, auth_headers) == 204
    assert items(client, f"{path}/reviews") == []


def test_only_the_author(client: TestClient, auth_headers: Headers, path: str) -> None:
    """To others it is a 404 when they change or delete it"""
    review = f"/reviews/{made(client, f'{path}/reviews', auth_headers, rating=5)['id']}"
    stranger = sign_in(make_user())
    assert status(client, "PATCH", review, stranger, rating=1) == 404
    assert status(client, "DELETE", review, stranger) == 404
    assert [each["rating"] for each in items(client, f"{path}/reviews")] == [5]


def test_product_tells(client: TestClient, auth_headers: Headers, path: str) -> None:
    """A product tells review_count and average_rating, as they are now, in the list too"""
    row = client.get(path).json()
    assert (row["review_count"], row["average_rating"]) == (0, None)
    made(client, f"{path}/reviews", auth_headers, rating=5)
    last = made(client, f"{path}/reviews", sign_in(make_user()), rating=2)
    for row in (client.get(path).json(), items(client, "/products")[0]):
        assert (row["review_count"], float(row["average_rating"])) == (2, 3.5)
    client.patch(f"/reviews/{last['id']}", json={"rating": 5}, headers=auth_headers)
    assert client.get(path).json()["review_count"] == 2


def test_product_is_as_before(client: TestClient, staff_headers: Headers, path: str) -> None:
    """What products told before, they tell as before"""
    row = client.get(path).json()
    told = {"id", "name", "description", "price", "stock", "category_id", "created_at"}
    assert told <= row.keys()
    assert (row["name"], row["price"]) == ("Map", "1.00")
    assert client.patch(path, json={"price": "2"}, headers=staff_headers).status_code == 200


def test_statements(
    client: TestClient, staff_headers: Headers, count_statements: Callable[[], Any]
) -> None:
    """A list of products with reviews costs the same for one and for five"""
    counted = []
    for number in range(5):
        product = made(client, "/products", staff_headers, name=f"P{number}", price="1")
        made(client, f"/products/{product['id']}/reviews", sign_in(make_user()), rating=number + 1)
        if number in (0, 4):
            with count_statements() as statements:
                items(client, "/products")
            counted.append(len(statements))
    assert counted[0] == counted[1]


def test_table() -> None:
    """Both keys are indexed, and a review goes with its product and its user"""
    assert {"product_id", "user_id"} <= indexed("reviews")
    assert key_of("reviews", "product_id") == ("products", "CASCADE")
    assert key_of("reviews", "user_id") == ("users", "CASCADE")
