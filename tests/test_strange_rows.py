"""A row once stored never breaks a later read: the strangest that is valid, and what is not."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.core.config import get_settings
from app.core.text import fold
from app.models.order import OrderStatus
from app.models.post import PostStatus
from app.models.user import Role, User
from tests.conftest import Headers
from tests.factories import make_user, sign_in
from tests.test_comments import make_comment
from tests.test_orders import make_order
from tests.test_posts import make_post
from tests.test_products import make_product
from tests.test_reviews import make_review

STRANGE = [
    *("0", "null", "NaN", "[]", "'", '"', "\\", "%", "_", "<script>", "../..", "?a=b&c#d", "%00"),
    *(
        "{{7*7}}",
        "=1+1",
        "\U0001f3f4\U000e0067\U000e007f",
        "👩\u200d👩\u200d👧",
        "e\u0301\u0316\u0301",
    ),
    *(
        "ﷺ",
        "ß",
        "İ",
        "ﬃ",
        "שלום",
        "日本語",
        "\ud55c",
        "𝕬",
        "\U0010ffff",
        "\ufffd",
        "\uffff",
        "\ue000",
    ),
    *("a\u200fb", "a\u00a0b", "\u0301", "\u0390" * 100, "ǆ", "ſ", "µ", "Ω"),
]
NUMBERS = {"a": 2**31 - 1, "b": -(2**31) + 1, "c": 1.7e308, "d": 5e-324, "e": -0.0, "f": 0.1}


def reads(app: FastAPI, ids: dict[str, list[Any]]) -> Iterator[str]:
    """Every GET of the document: lists in each order, and each row."""
    for path, item in app.openapi()["paths"].items():
        if "get" not in item or not path.startswith(get_settings().api_prefix):
            continue
        where = path.removeprefix(get_settings().api_prefix)
        names = [p["name"] for p in item["get"].get("parameters", []) if p["in"] == "path"]
        columns = [
            each
            for parameter in item["get"].get("parameters", [])
            if parameter["name"] == "sort"
            for each in parameter["schema"]["pattern"].split("(")[1].split(")")[0].split("|")
        ]
        for row in ids.get(names[0], []) if names else [None]:
            found = where.replace(f"{{{names[0]}}}", str(row)) if names else where
            if "search" in where:
                found += "?q=a"
            yield found
            for column in columns:
                yield f"{found}{'&' if '?' in found else '?'}limit=40&sort=-{column}"


def read_all(client: TestClient, app: FastAPI, ids: dict[str, list[Any]], headers: Headers) -> None:
    """Every list to its end, by cursor."""
    for path in reads(app, ids):
        cursor = ""
        while cursor is not None:
            response = client.get(path + cursor, headers=headers)
            assert response.status_code == 200, f"{path}: {response.text[:500]}"
            answer = response.json()
            following = answer.get("next_cursor") if isinstance(answer, dict) else None
            cursor = f"&cursor={following}" if following and "sort=" in path else None


def test_strange_and_valid(client: TestClient, app: FastAPI) -> None:
    """Sent by HTTP, so that it is what the rules let through."""
    admin = make_user(role=Role.ADMIN)
    headers = sign_in(admin)
    products, posts, categories, orders = [], [], [], []

    def send(path: str, data: dict[str, Any]) -> dict[str, Any]:
        response = client.post(path, json=data, headers=headers)
        assert response.status_code == 201, f"{path} {data!a}: {response.text}"
        answer: dict[str, Any] = response.json()
        return answer

    def change(text: str) -> None:
        changes = {"full_name": text, "bio": text, "settings": NUMBERS | {"g": text}}
        changed = client.patch("/users/me", json=changes, headers=headers)
        assert changed.status_code == 200, text
        assert changed.json()["settings"] == NUMBERS | {"g": text}

    for number, text in enumerate(STRANGE):
        extreme = {"price": 99_999_999.99, "stock": 2**31 - 1} if number % 2 else {"price": 0.01}
        if number % 4 == 0:
            categories.append(send("/categories", {"name": text})["id"])
        data = {"name": text, "description": text, "category_id": categories[-1]} | extreme
        products.append(send("/products", data)["id"])
        post = send(
            "/posts", {"title": text, "content": text, "excerpt": text, "tags": [text[:50]]}
        )
        posts.append(post["slug"])
        if number % 4 == 1:
            assert client.post(f"/posts/{post['id']}/publish", headers=headers).status_code == 200
            send(f"/posts/{post['id']}/comments", {"body": text})
            send(f"/products/{products[-1]}/reviews", {"rating": 5, "comment": text})
        elif number % 4 == 2:
            change(text)
    # To sort the marks on one letter takes the square of their number; not to be noticed here.
    send("/posts", {"title": "a", "content": "a" + "\u0301\u0316" * 49_999})
    items = [{"product_id": product, "quantity": 1} for product in products[1::2]]
    orders.append(send("/orders", {"items": items})["id"])
    assert client.post(f"/orders/{orders[0]}/pay", headers=headers).status_code == 200
    ids = {
        "product_id": products[1::8],
        "category_id": categories[::3],
        "order_id": orders,
        "slug": posts[1::4],
        "user_id": [admin.id],
    }
    read_all(client, app, ids, headers)
    for text in STRANGE[::3]:
        found = client.get("/products", params={"q": text, "limit": 100}).json()["items"]
        if fold(text):  # of marks alone nothing is left, and nothing is found by it
            assert text in [item["name"] for item in found], ascii(text)


HOSTILE = "\x01\x1b[31m\u202e\u200b\ufeff\n\t\x7f\x85"


def test_what_no_rule_lets_through(client: TestClient, app: FastAPI) -> None:
    """Rows of an older version, or of a hand in the database."""
    admin = make_user(role=Role.ADMIN)
    users = [
        make_user(
            username=HOSTILE, email=f"{HOSTILE}@", full_name="", display_name=HOSTILE, bio=""
        ),
        make_user(username="   ", email="", avatar_url="javascript:alert(1)", settings={"Ä": [{}]}),
        make_user(settings={"deep": {"a": [None, {"b": 2**40}]}}, hashed_password=""),
    ]
    product = make_product(name=HOSTILE, description="", price=Decimal("0.01"), stock=2**31 - 1)
    posts = []
    for user in users:
        make_review(product, user, comment="")
        posts.append(
            make_post(user, title=HOSTILE, slug=f"{HOSTILE}{user.id}", excerpt="", tags=("",))
        )
        make_post(user, title="", content="", status=PostStatus.ARCHIVED)
        make_comment(posts[-1], user, body=HOSTILE)
        make_order(user, product, status=OrderStatus.PAID, total=Decimal("9999999999.99"))
    ids = {
        "product_id": [product.id],
        "slug": [post.id for post in posts],
        "user_id": [user.id for user in users],
    }
    read_all(client, app, ids, sign_in(admin))


@pytest.mark.parametrize("agent", ["", "\x00\x1b[31m", "é" * 500, "<script>", "a" * 5000, "\u202e"])
def test_a_session_of_a_strange_client_is_listed(client: TestClient, agent: str) -> None:
    user: User = make_user()
    data = {"username": user.username, "password": "correct horse battery"}
    named = [(b"user-agent", agent.encode())]
    tokens = client.post("/auth/login", data=data, headers=named).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    (session,) = client.get("/auth/sessions", headers=headers).json()["items"]
    assert session["user_agent"] is None or session["user_agent"].isprintable()
