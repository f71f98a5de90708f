"""Many who want the same at once, of two processes: only one gets it, and all sums are exact."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx

from tests.faults.load import Client
from tests.faults.stage import Stage
from tests.faults.suite import EVERYWHERE, fault
from tests.support import at_once

Call = Callable[[int, Client], httpx.Response | None]


def race(stage: Stage, tokens: list[str], call: Call) -> list[httpx.Response]:
    """What each of them, with a connection of its own, is answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(stage.client(token)) for token in tokens]
        answers = at_once(len(clients), lambda number: call(number, clients[number]))
    return [answer for answer in answers if answer is not None]


def expect(stage: Stage, answers: list[httpx.Response], wanted: dict[int, int]) -> None:
    found = Counter(answer.status_code for answer in answers)
    if found != wanted:
        stage.ledger.wrong.append(f"answered {dict(found)} and not {wanted}")


def equal(stage: Stage, what: str, query: str, wanted: Any, **values: Any) -> None:
    found = stage.host.rows(query, **values)[0][0]
    if found != wanted:
        stage.ledger.wrong.append(f"{what}: {found} and not {wanted}")


def sign_up(stage: Stage, *names: str) -> list[str]:
    """Access tokens of new users."""
    with stage.client("") as visitor:
        for name in names:
            stage.register(visitor, name)
        return [stage.sign_in(visitor, name)["access_token"] for name in names]


def add_post(stage: Stage) -> str:
    with stage.client() as ana:
        body = {"title": "Liked", "content": "by many"}
        answer = ana.call("POST", "/api/v1/posts", json=body)
        assert answer is not None
        slug: str = answer.json()["slug"]
        ana.call("POST", f"/api/v1/posts/{slug}/publish")
    return slug


@fault(quick=EVERYWHERE)
def race_stock(stage: Stage) -> None:
    """Sixteen buy of what there are ten."""
    tokens = sign_up(stage, "ben") * 16
    with stage.client() as ana:
        product = stage.add_product(ana, "Rare", 10)
    body = {"items": [{"product_id": product, "quantity": 1}]}
    answers = race(
        stage, tokens, lambda _, one: one.call("POST", "/api/v1/orders", (201, 409), json=body)
    )
    expect(stage, answers, {201: 10, 409: 6})
    equal(stage, "left", "SELECT stock FROM products WHERE id = :id", 0, id=product)
    sold = "SELECT sum(quantity) FROM order_items WHERE product_id = :id"
    equal(stage, "sold", sold, 10, id=product)


@fault()
def race_cancel(stage: Stage) -> None:
    """One order is called off eight times."""
    with stage.client() as ana:
        product = stage.add_product(ana, "Sent back", 10)
        body = {"items": [{"product_id": product, "quantity": 4}]}
        (token,) = sign_up(stage, "carla")
        with stage.client(token) as carla:
            answer = carla.call("POST", "/api/v1/orders", json=body)
            assert answer is not None
    path = f"/api/v1/orders/{answer.json()['id']}/cancel"
    answers = race(stage, [token] * 8, lambda _, one: one.call("POST", path, (200, 409)))
    expect(stage, answers, {200: 1, 409: 7})
    equal(stage, "left", "SELECT stock FROM products WHERE id = :id", 10, id=product)


@fault()
def race_update(stage: Stage) -> None:
    """Ten replace one product, and all have seen the same version of it."""
    with stage.client() as ana:
        product = stage.add_product(ana, "Changed", 10)

    def replace(number: int, one: Client) -> httpx.Response | None:
        body = {"name": "Changed", "price": "1.00", "stock": number}
        path, seen = f"/api/v1/products/{product}", {"If-Match": '"1"'}
        return one.call("PUT", path, (200, 412), json=body, headers=seen)

    answers = race(stage, [stage.shop.token] * 10, replace)
    expect(stage, answers, {200: 1, 412: 9})
    equal(stage, "version", "SELECT version FROM products WHERE id = :id", 2, id=product)


@fault()
def race_registration(stage: Stage) -> None:
    """Eight register one name, in other cases."""

    def register(number: int, one: Client) -> httpx.Response | None:
        name = "dora" if number % 2 else "Dora"
        email = f"{name}@example.com"
        body = {"username": name, "email": email, "password": "correct horse battery"}
        return one.call("POST", "/api/v1/users/register", (201, 409), json=body)

    expect(stage, race(stage, [""] * 8, register), {201: 1, 409: 7})
    equal(stage, "users", "SELECT count(*) FROM users WHERE username_key = 'dora'", 1)


@fault(quick=EVERYWHERE)
def race_refresh(stage: Stage) -> None:
    """Eight trade one refresh token: one gets a pair, and the theft ends the session."""
    with stage.client("") as visitor:
        user = stage.register(visitor, "emil")
        body = {"refresh_token": stage.sign_in(visitor, "emil")["refresh_token"]}
    answers = race(
        stage,
        [""] * 8,
        lambda _, one: one.call("POST", "/api/v1/auth/refresh", (200, 401), json=body),
    )
    expect(stage, answers, {200: 1, 401: 7})
    living = "SELECT count(*) FROM tokens WHERE user_id = :u AND kind = 'refresh' AND used_at "
    equal(stage, "living tokens", f"{living} IS NULL", 0, u=user)


@fault()
def race_likes(stage: Stage) -> None:
    """Six users like a post, each twice; then three of them take it back, each twice."""
    slug = add_post(stage)
    tokens = sign_up(stage, *(f"fan{number}" for number in range(6)))
    path = f"/api/v1/posts/{slug}/like"
    expect(stage, race(stage, tokens * 2, lambda _, one: one.call("PUT", path)), {200: 12})
    half = tokens[:3] * 2
    expect(stage, race(stage, half, lambda _, one: one.call("DELETE", path)), {200: 6})
    equal(stage, "counted", "SELECT like_count FROM posts WHERE slug = :s", 3, s=slug)
    rows = "SELECT count(*) FROM post_likes JOIN posts ON posts.id = post_id WHERE slug = :s"
    equal(stage, "likes", rows, 3, s=slug)


@fault()
def race_titles(stage: Stage) -> None:
    """Eight posts of one title, with the same new tag: eight slugs and one tag."""
    body = {"title": "The same", "content": "of eight", "tags": ["wanted"]}
    tokens = [stage.shop.token] * 8
    answers = race(stage, tokens, lambda _, one: one.call("POST", "/api/v1/posts", json=body))
    expect(stage, answers, {201: 8})
    equal(stage, "slugs", "SELECT count(DISTINCT slug) FROM posts WHERE title = 'The same'", 8)
    equal(stage, "tags", "SELECT count(*) FROM tags WHERE name = 'wanted'", 1)
