"""The example prompt of the expert for whole features: posts with their authors."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.evals import Edit
from tests.evals.asking import Headers, indexed, items, key_of, made, status
from tests.factories import make_user, sign_in

PROMPT = (".claude/agents/fastapi-sqlalchemy-vibecoding-expert.md", "Example prompt")
FEATURE = "post"
MODULES = ["tests/test_posts.py"]
START = [["remove", "comment", "post", "tag", "--force"]]
BAD = [
    Edit(
        "app/services/post_access.py",
        "if post.author_id != user.id and not user.is_staff:",
        "if post.author_id < 0:",
    ),
    Edit("app/schemas/post.py", "line(200)", "line(20_000)"),
    Edit("app/schemas/post.py", "    author_id: Id | None = None\n", ""),
]
MISSES = {"test_only_the_author", "test_rules", "test_by_author"}


def published(client: TestClient, headers: Headers, **values: Any) -> Any:
    row = made(client, "/posts", headers, **{"title": "A title", "content": "Text."} | values)
    response = client.post(f"/posts/{row['slug']}/publish", headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def test_create(client: TestClient, auth_headers: Headers) -> None:
    """POST makes a post (201) of the user who asks, with a slug made from its title"""
    row = made(client, "/posts", auth_headers, title="Programação é Ótima", content="Text.")
    assert (row["title"], row["content"]) == ("Programação é Ótima", "Text.")
    assert row["slug"] == "programacao-e-otima"


def test_author_cannot_be_chosen(client: TestClient, auth_headers: Headers) -> None:
    """The author cannot be chosen by the client"""
    other = make_user()
    values = {"title": "A", "content": "B", "author_id": other.id}
    assert status(client, "POST", "/posts", auth_headers, **values) == 422


def test_draft(client: TestClient, auth_headers: Headers) -> None:
    """A post is a draft that its author alone sees, until it is published"""
    row = made(client, "/posts", auth_headers, title="A", content="B")
    path = f"/posts/{row['slug']}"
    assert client.get(path, headers=auth_headers).status_code == 200
    assert client.get(path).status_code == 404
    assert client.get(path, headers=sign_in(make_user())).status_code == 404
    assert items(client, "/posts") == []
    assert client.post(f"{path}/publish", headers=auth_headers).status_code == 200
    assert client.get(path).json()["content"] == "B"


def test_list(client: TestClient, auth_headers: Headers) -> None:
    """GET /posts answers pages, the newest first, with the author's username"""
    user = make_user(username="eve")
    published(client, auth_headers, title="First")
    published(client, sign_in(user), title="Second")
    rows = items(client, "/posts")
    assert [each["title"] for each in rows] == ["Second", "First"]
    assert rows[0]["author"]["username"] == "eve"
    assert "password" not in str(rows)
    assert "email" not in str(rows)


def test_by_author(client: TestClient, auth_headers: Headers) -> None:
    """The list is filtered by author_id"""
    user = make_user()
    published(client, auth_headers, title="First")
    published(client, sign_in(user), title="Second")
    assert [each["title"] for each in items(client, f"/posts?author_id={user.id}")] == ["Second"]


@pytest.mark.parametrize(
    "values",
    [
        {"title": "A"},
        {"content": "B"},
        {"title": " ", "content": "B"},
        {"title": "x" * 201, "content": "B"},
    ],
)
def test_rules(client: TestClient, auth_headers: Headers, values: dict[str, str]) -> None:
    """A title that is missing, blank or too long is a 422, and so is missing content"""
    assert status(client, "POST", "/posts", auth_headers, **values) == 422


def test_same_title(client: TestClient, auth_headers: Headers) -> None:
    """Two posts may have the same title; their slugs differ"""
    slugs = {made(client, "/posts", auth_headers, title="A", content="B")["slug"] for _ in range(2)}
    assert len(slugs) == 2


def test_change_and_delete(client: TestClient, auth_headers: Headers) -> None:
    """The author changes and deletes it; the slug stays when the title changes"""
    row = published(client, auth_headers)
    path = f"/posts/{row['slug']}"
    changed = client.patch(path, json={"title": "Another"}, headers=auth_headers)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["title"], changed.json()["slug"]) == ("Another", row["slug"])
    assert status(client, "DELETE", path, auth_headers) == 204
    assert client.get(path).status_code == 404


def test_only_the_author(client: TestClient, auth_headers: Headers) -> None:
    """Others get a 403 or 404, and change nothing; who is not signed in a 401"""
    path = f"/posts/{published(client, auth_headers)['slug']}"
    stranger = sign_in(make_user())
    assert status(client, "PATCH", path, stranger, title="Taken") in (403, 404)
    assert status(client, "DELETE", path, stranger) in (403, 404)
    assert status(client, "PATCH", path, {}, title="Taken") == 401
    assert status(client, "POST", "/posts", {}, title="A", content="B") == 401
    assert client.get(path).json()["title"] == "A title"


def test_unknown(client: TestClient, auth_headers: Headers) -> None:
    """A post that is not there is a 404"""
    assert client.get("/posts/nothing-like-it").status_code == 404
    assert status(client, "DELETE", "/posts/nothing-like-it", auth_headers) == 404


def test_statements(client: TestClient, count_statements: Callable[[], Any]) -> None:
    """A list of five posts by five authors costs the statements of a list of one"""
    counted = []
    for number in range(5):
        published(client, sign_in(make_user()), title=f"Post {number}")
        if number in (0, 4):
            with count_statements() as statements:
                items(client, "/posts")
            counted.append(len(statements))
    assert counted[0] == counted[1]


def test_table() -> None:
    """author_id is indexed, and posts go with their author; a slug is there once"""
    assert {"author_id", "slug"} <= indexed("posts")
    assert key_of("posts", "author_id") == ("users", "CASCADE")
