"""Reviews: one by each user of each product, changed by its author, summed up by the product."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.columns import utcnow
from app.core.database import Database
from app.models.product import Product
from app.models.review import Review
from app.models.user import User
from app.services.base import create_many
from tests.factories import add, make_user, sign_in
from tests.hostile import SOME, STRANGE, UNRULY, hostile_texts, read_all, refuse
from tests.support import at_once, stored, writing
from tests.test_products import make_product, new_product

Headers = dict[str, str]

ACCESS = [
    ("GET", "/products/{product_id}/reviews", "anyone"),
    ("POST", "/products/{product_id}/reviews", "user"),
    ("PATCH", "/reviews/{review_id}", "user"),
    ("DELETE", "/reviews/{review_id}", "user"),
]


def make_review(product: Product | None = None, user: User | None = None, **values: Any) -> Review:
    product, user = product or make_product(), user or make_user()
    defaults = {"product_id": product.id, "user_id": user.id, "rating": 5}
    review: Review = add(Review(**defaults | values))
    return review


def make_reviews(product: Product, ratings: list[int]) -> None:
    """By as many users as there are ratings."""
    start = len(stored(User))
    users = [
        User(username=f"reader{n}", email=f"reader{n}@example.com", hashed_password="-")
        for n in range(start, start + len(ratings))
    ]
    with writing() as db:
        create_many(db, users)
        pairs = zip(users, ratings, strict=True)
        create_many(db, [Review(product_id=product.id, user_id=u.id, rating=r) for u, r in pairs])


# --- One -------------------------------------------------------------------------------------


def test_create_review(client: TestClient) -> None:
    product, user = make_product(), make_user(display_name="Ana Conceição")
    path = f"/products/{product.id}/reviews"
    data = {"rating": 5, "comment": " Emoção do início ao fim,\naté a árvore. "}
    response = client.post(path, json=data, headers=sign_in(user))
    assert response.status_code == 201
    assert response.headers["etag"] == '"1"'
    review = response.json()
    assert (review["product_id"], review["rating"]) == (product.id, 5)
    assert review["comment"] == "Emoção do início ao fim,\naté a árvore."
    author = {"id": user.id, "username": user.username, "display_name": "Ana Conceição"}
    assert review["user"] == author
    assert client.get(path).json()["items"] == [review]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rating", rating) for rating in (0, 6, 4.5, "5", True, None)),
        *(("comment", comment) for comment in ("", " \n", "x" * 2001)),
        *(("user_id", 1), ("product_id", 1)),
    ],
)
def test_bad_data_is_refused(
    client: TestClient, auth_headers: Headers, field: str, value: object
) -> None:
    path = f"/products/{make_product().id}/reviews"
    response = client.post(path, json={"rating": 3, field: value}, headers=auth_headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", field]
    assert stored(Review) == []


def test_a_product_is_reviewed_once_by_each_user(client: TestClient, auth_headers: Headers) -> None:
    product = make_product()
    path = f"/products/{product.id}/reviews"
    make_review(product)
    assert client.post(path, json={"rating": 5}, headers=auth_headers).status_code == 201
    twice = client.post(path, json={"rating": 1}, headers=auth_headers)
    assert twice.status_code == 409
    assert twice.json()["detail"] == "There is one with this product and user already."
    assert [review.rating for review in stored(Review)] == [5, 5]


def test_of_ten_reviews_of_one_user_at_once_one_is_taken(
    client: TestClient, auth_headers: Headers, threaded: Database
) -> None:
    path = f"/products/{make_product().id}/reviews"

    def review(number: int) -> int:
        data = {"rating": number % 5 + 1}
        return client.post(path, json=data, headers=auth_headers).status_code

    assert sorted(at_once(10, review)) == [201] + [409] * 9
    assert len(stored(Review)) == 1


def test_only_a_product_that_is_there_has_reviews(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    gone = make_product(deleted_at=utcnow())
    for path in (f"/products/{gone.id}/reviews", "/products/999/reviews"):
        for response in (
            client.get(path),
            client.post(path, json={"rating": 5}, headers=auth_headers),
        ):
            assert response.status_code == 404
            assert response.json()["detail"] == "Product not found."
    review = make_review(gone, user)
    for method, data in (("PATCH", {"rating": 5}), ("DELETE", None)):
        response = client.request(method, f"/reviews/{review.id}", json=data, headers=auth_headers)
        assert response.status_code == 404
    path = f"/products/{make_product(is_active=False).id}/reviews"  # bought while it was sold
    assert client.post(path, json={"rating": 5}, headers=auth_headers).status_code == 201


def test_update_review(client: TestClient, user: User, auth_headers: Headers) -> None:
    path = f"/reviews/{make_review(make_product(), user, comment='Bom').id}"
    changed = client.patch(path, json={"rating": 2}, headers=auth_headers)
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["rating"], changed.json()["comment"]) == (2, "Bom")
    assert changed.json()["user"]["username"] == user.username
    cleared = client.patch(path, json={"comment": None}, headers=auth_headers)
    assert (cleared.json()["rating"], cleared.json()["comment"]) == (2, None)
    for data in ({}, {"rating": None}, {"rating": 6}, {"product_id": 1}):
        assert client.patch(path, json=data, headers=auth_headers).status_code == 422


def test_a_deleted_review_can_be_written_again(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    review = make_review(make_product(), user)
    assert client.delete(f"/reviews/{review.id}", headers=auth_headers).status_code == 204
    assert stored(Review) == []
    path = f"/products/{review.product_id}/reviews"
    assert client.post(path, json={"rating": 1}, headers=auth_headers).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_review_of_somebody_else_is_as_one_that_is_missing(
    client: TestClient, auth_headers: Headers, admin_headers: Headers, method: str
) -> None:
    review = make_review(make_product())
    body = {"rating": 1} if method == "PATCH" else None
    answers = [
        client.request(method, f"/reviews/{review_id}", json=body, headers=headers)
        for review_id in (review.id, 999)
        for headers in (auth_headers, admin_headers, auth_headers | {"If-Match": '"7"'})
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({str(answer.json() | {"request_id": None}) for answer in answers}) == 1
    assert stored(Review)[0].rating == 5


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_who_has_read_an_older_version_is_told(
    client: TestClient, user: User, auth_headers: Headers, method: str
) -> None:
    path = f"/reviews/{make_review(make_product(), user).id}"
    client.patch(path, json={"rating": 4}, headers=auth_headers)
    body = {"rating": 1} if method == "PATCH" else None
    for version, status in (('"1"', 412), ("one", 400), ('"2"', 200 if body else 204)):
        headers = auth_headers | {"If-Match": version}
        assert client.request(method, path, json=body, headers=headers).status_code == status


# --- Lists -----------------------------------------------------------------------------------


def test_filters(client: TestClient) -> None:
    product = make_product()
    for rating in (3, 5, 1, 4, 5):
        make_review(product, rating=rating)
    make_review(make_product(), rating=2)
    for query, expected in {
        "": [5, 4, 1, 5, 3],
        "sort=created_at": [3, 5, 1, 4, 5],
        "sort=-rating": [5, 5, 4, 3, 1],
        "sort=rating": [1, 3, 4, 5, 5],
        "rating=5": [5, 5],
        "rating=2": [],
        "min_rating=4": [5, 4, 5],
        "max_rating=3": [1, 3],
        "min_rating=2&max_rating=4": [4, 3],
    }.items():
        page = client.get(f"/products/{product.id}/reviews?{query}").json()
        assert [each["rating"] for each in page["items"]] == expected, query
        assert page["total"] == len(expected)


def test_pages_by_cursor_meet_each_review_once(client: TestClient) -> None:
    product = make_product()
    make_reviews(product, [3, 5, 5, 5, 1])
    path, found = f"/products/{product.id}/reviews?sort=-rating&limit=2", list[int]()
    page = client.get(path).json()
    assert page["total"] == 5
    while True:
        found += [each["rating"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        page = client.get(f"{path}&cursor={page['next_cursor']}").json()
    assert found == [5, 5, 5, 3, 1]


@pytest.mark.parametrize(
    "query",
    ["rating=0", "min_rating=6", "max_rating=x", "rating=4.5", "sort=comment", "q=a", "user_id=1"],
)
def test_a_bad_query_is_refused(client: TestClient, query: str) -> None:
    path = f"/products/{make_product().id}/reviews"
    assert client.get(f"{path}?{query}").status_code == 422


def test_nothing_costs_a_statement_for_each_row(
    client: TestClient, user: User, auth_headers: Headers, count_statements: Any
) -> None:
    product = make_product()
    path = f"/products/{product.id}/reviews"
    for more in ([4], [4] * 49):
        make_reviews(product, more)
        for listing, statements in {
            f"{path}?limit=100": 2,  # one to find the product
            f"/products/{product.id}": 1,
            "/products": 1,
        }.items():
            with count_statements() as counted:
                client.get(listing)
            assert len(counted) == statements, listing
        with count_statements() as counted:  # the user, the product or review, the change
            review = client.post(path, json={"rating": 5}, headers=auth_headers).json()
            client.patch(f"/reviews/{review['id']}", json={"rating": 1}, headers=auth_headers)
            client.delete(f"/reviews/{review['id']}", headers=auth_headers)
        assert len(counted) == 3 + 3 + 3


@pytest.mark.parametrize("query", ["", "rating=5", "min_rating=5", "max_rating=1", "sort=-rating"])
def test_no_filter_reads_the_whole_table(client: TestClient, full_scans: Any, query: str) -> None:
    for _ in range(3):
        make_reviews(make_product(), [1, 5])
    product = stored(Product)[0]
    assert full_scans(f"/products/{product.id}/reviews?limit=1&{query}") == []
    assert full_scans(f"/products/{product.id}") == []


# --- What the product says of them -----------------------------------------------------------


def summary(client: TestClient, product: Product) -> tuple[int, float | None]:
    """The same, whether the product is read by itself or in a list."""
    one = client.get(f"/products/{product.id}").json()
    [listed] = [each for each in client.get("/products").json()["items"] if each["id"] == one["id"]]
    assert listed == one
    return one["review_count"], one["average_rating"]


def test_a_product_counts_its_reviews_at_once(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    product, other = make_product(), make_product()
    path = f"/products/{product.id}/reviews"
    assert summary(client, product) == (0, None)
    make_review(product, rating=5)
    make_review(other, rating=1)
    review = client.post(path, json={"rating": 2}, headers=auth_headers).json()
    assert summary(client, product) == (2, 3.5)
    client.patch(f"/reviews/{review['id']}", json={"rating": 4}, headers=auth_headers)
    assert summary(client, product) == (2, 4.5)
    make_review(product, rating=4)
    assert summary(client, product) == (3, 4.33)
    client.delete(f"/reviews/{review['id']}", headers=auth_headers)
    assert summary(client, product) == (2, 4.5)
    assert summary(client, other) == (1, 1.0)


def test_a_change_of_the_product_answers_with_them_for_no_other_statement(
    client: TestClient, staff_headers: Headers, count_statements: Any
) -> None:
    product = make_product()
    make_review(product, rating=3)
    path = f"/products/{product.id}"
    for method, change, body in (
        ("PUT", path, new_product()),
        ("PATCH", path, {"price": 1}),
        ("PATCH", f"{path}/stock?quantity=1", None),
    ):
        with count_statements() as counted:
            answer = client.request(method, change, json=body, headers=staff_headers).json()
        assert (answer["review_count"], answer["average_rating"]) == (1, 3.0)
        assert len(counted) == 3, counted  # the user, the product, the change
    with count_statements() as counted:
        answer = client.post("/products", json=new_product(name="B"), headers=staff_headers).json()
    assert (answer["review_count"], answer["average_rating"]) == (0, None)
    assert len(counted) == 2, counted


def test_an_average_is_the_same_on_every_database(client: TestClient) -> None:
    """This one is 1.21495. MariaDB keeps 4 digits of an average of integers: 1.2150."""
    product = make_product()
    make_reviews(product, [1] * 84 + [2] * 23)
    assert summary(client, product) == (107, 1.21)


# --- In the database -------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["products", "users"])
def test_reviews_go_with_their_product_and_their_author(table: str) -> None:
    product, user = make_product(), make_user()
    make_review(product, user)
    other = make_review(make_product())
    row_id = product.id if table == "products" else user.id
    with writing() as db:
        db.execute(text(f"DELETE FROM {table} WHERE id = {row_id}"))
        db.commit()
    assert [review.id for review in stored(Review)] == [other.id]


def test_who_erases_an_account_erases_its_reviews(
    client: TestClient, user: User, admin_headers: Headers
) -> None:
    make_review(make_product(), user)
    assert client.delete(f"/users/{user.id}?hard=true", headers=admin_headers).status_code == 204
    assert stored(Review) == []


@pytest.mark.parametrize("change", ["rating = 0", "rating = 6", "product_id = 99", "user_id = 99"])
def test_the_database_refuses_it_too(change: str) -> None:
    make_review(make_product())
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(text(f"UPDATE reviews SET {change}"))


# --- Strange text ----------------------------------------------------------------------------


def test_strange_text(client: TestClient, app: FastAPI) -> None:
    product = make_product()
    path = f"/products/{product.id}/reviews"
    refuse(client, hostile_texts("POST", path, '{"rating": 5, "comment": "%s"}', SOME))
    for each in STRANGE[::3]:
        data = {"rating": 5, "comment": each}
        response = client.post(path, json=data, headers=sign_in(make_user()))
        assert response.status_code == 201, ascii(each)
    make_review(product, comment=UNRULY)
    read_all(client, app, "reviews", {"product_id": [product.id]}, {})
