"""Posts: input of every bad kind is refused, and the strangest that is valid is shown."""

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.models.post import PostStatus
from app.models.user import Role
from tests.factories import make_user, sign_in
from tests.hostile import (
    HOSTILE_TEXT,
    JSON,
    LINES,
    SOME,
    STRANGE,
    UNRULY,
    Case,
    hostile_texts,
    in_addresses,
    read_all,
    refuse,
)
from tests.test_posts import make_post

pytestmark = pytest.mark.thorough

Headers = dict[str, str]

TEXT_FIELDS = [
    ('{"title": "a", "content": "%s"}', HOSTILE_TEXT),
    ('{"content": "a", "title": "%s"}', SOME | LINES),
    ('{"title": "a", "content": "a", "tags": ["%s"]}', SOME | LINES),
]


@pytest.mark.parametrize(("body", "hostile"), TEXT_FIELDS, ids=[body for body, _ in TEXT_FIELDS])
def test_hostile_text(client: TestClient, body: str, hostile: dict[str, str]) -> None:
    refuse(client, hostile_texts("POST", "/posts", body, hostile))


def test_hostile_text_in_queries_and_paths(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        for text in in_addresses():
            yield Case("GET", f"/posts?tag={text}")
            if text:
                yield Case("GET", f"/posts/{text}", status=(404, 422))

    refuse(client, cases())


def test_size(client: TestClient) -> None:
    def cases() -> Iterator[Case]:
        yield Case("POST", "/posts", json.dumps({"title": "a" * 201, "content": "a"}), JSON)
        yield Case("POST", "/posts", json.dumps({"title": "a", "content": "a" * 100_001}), JSON)
        # A pattern that goes back and forth needs a minute for each of these.
        for text in ("a" * 99_999 + "\x01", " " * 99_999 + "\x01", "\u200b" * 100_000):
            yield Case("POST", "/posts", json.dumps({"title": "a", "content": text}), JSON)
        tags = [f"t{n}" for n in range(11)]
        yield Case("POST", "/posts", json.dumps({"title": "a", "content": "a", "tags": tags}), JSON)
        yield Case("GET", f"/posts/{'a' * 221}")

    refuse(client, cases())


def test_strange_and_valid(client: TestClient, app: FastAPI, admin_headers: Headers) -> None:
    """Sent by HTTP, so that it is what the rules let through."""
    slugs = []
    for number, text in enumerate(STRANGE):
        data = {"title": text, "content": text, "excerpt": text, "tags": [text[:50]]}
        response = client.post("/posts", json=data, headers=admin_headers)
        assert response.status_code == 201, f"{text!a}: {response.text}"
        post = response.json()
        slugs.append(post["slug"])
        if number % 4 == 1:
            published = client.post(f"/posts/{post['id']}/publish", headers=admin_headers)
            assert published.status_code == 200
    # To sort the marks on one letter takes the square of their number; not to be noticed here.
    data = {"title": "a", "content": "a" + "\u0301\u0316" * 49_999}
    assert client.post("/posts", json=data, headers=admin_headers).status_code == 201
    read_all(client, app, "posts", {"slug": slugs[1::4]}, admin_headers)
    read_all(client, app, "tags", {}, admin_headers)


def test_what_no_rule_lets_through(client: TestClient, app: FastAPI) -> None:
    author = make_user(role=Role.ADMIN)
    post = make_post(author, title=UNRULY, slug=UNRULY, excerpt="", tags=("",))
    make_post(author, title="", content="", status=PostStatus.ARCHIVED)
    read_all(client, app, "posts", {"slug": [post.id]}, sign_in(author))
    read_all(client, app, "tags", {}, {})
