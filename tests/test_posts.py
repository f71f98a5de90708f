"""Posts: written as drafts, published, found by slug or id, and changed by whom they belong to."""

from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.database import Database, session_scope
from app.core.text import slugify
from app.models.post import Post, PostStatus
from app.models.tag import Tag
from app.models.user import User
from app.schemas.post import Slug
from app.services.post_service import RESERVED
from app.services.tag_service import find_tags
from tests.factories import make_user, sign_in
from tests.support import at_once, stored, writing

Headers = dict[str, str]

ACCESS = [
    ("GET", "/posts", "anyone"),
    ("POST", "/posts", "user"),
    ("GET", "/posts/mine", "user"),
    ("GET", "/posts/trending", "anyone"),
    ("GET", "/posts/stats", "staff"),
    ("GET", "/posts/{slug}", "anyone"),
    ("PUT", "/posts/{slug}", "user"),
    ("PATCH", "/posts/{slug}", "user"),
    ("DELETE", "/posts/{slug}", "user"),
    ("POST", "/posts/{slug}/publish", "user"),
    ("POST", "/posts/{slug}/archive", "user"),
    ("POST", "/posts/{slug}/restore", "admin"),
    ("PUT", "/posts/{slug}/like", "user"),
    ("DELETE", "/posts/{slug}/like", "user"),
]

_numbers = count(1)


def make_post(author: User | None = None, *, tags: tuple[str, ...] = (), **values: Any) -> Post:
    """A published post, unless `values` say otherwise."""
    number = next(_numbers)
    defaults = {
        "author_id": (author or make_user()).id,
        "title": f"Title {number}",
        "slug": f"title-{number}",
        "content": "Text.",
        "status": PostStatus.PUBLISHED,
    }
    if values.get("status", PostStatus.PUBLISHED) is PostStatus.PUBLISHED:
        defaults["published_at"] = utcnow()
    with session_scope() as db:
        post = Post(**defaults | values, tags=find_tags(db, tags))
        db.add(post)
    return post


def write(client: TestClient, headers: Headers, **values: Any) -> Any:
    return client.post("/posts", json={"title": "A", "content": "B"} | values, headers=headers)


def request(client: TestClient, call: tuple[str, str], name: object, headers: Headers) -> Any:
    """One of the calls that change a post."""
    method, path = call
    bodies = {"PUT": {"title": "New", "content": "New"}, "PATCH": {"title": "New"}}
    body = bodies.get(method) if not path else None
    return client.request(method, f"/posts/{name}{path}", json=body, headers=headers)


CHANGES = [
    *(("PUT", ""), ("PATCH", ""), ("POST", "/publish"), ("POST", "/archive")),
    ("DELETE", ""),
]

# --- Writing ---------------------------------------------------------------------------------


def test_create_post_makes_a_draft(client: TestClient, user: User, auth_headers: Headers) -> None:
    response = write(
        client, auth_headers, title=" Programação é Ótima ", content="Um.\n\nDois.", tags=["Web"]
    )
    assert response.status_code == 201
    post = response.json()
    author = {"id": user.id, "username": user.username, "display_name": None, "avatar_url": None}
    assert post == {
        "id": post["id"],
        "slug": "programacao-e-otima",
        "title": "Programação é Ótima",
        "excerpt": None,
        "content": "Um.\n\nDois.",
        "status": "draft",
        "author": author,
        "tags": ["Web"],
        "view_count": 0,
        "like_count": 0,
        "published_at": None,
        "created_at": post["created_at"],
        "updated_at": post["updated_at"],
    }
    assert response.headers["etag"] == '"1"'
    assert client.get(f"/posts/{post['slug']}", headers=auth_headers).json() == post


@pytest.mark.parametrize(
    "values",
    [
        {"title": ""},
        {"title": " \u200b"},
        {"title": "a\nb"},
        {"title": "a" * 201},
        {"title": None},
        {"content": ""},
        {"content": "a" * 100_001},
        {"content": "nul \x00"},
        {"excerpt": "a" * 501},
        {"excerpt": ""},
        {"tags": None},
        {"tags": ["a" * 51]},
        {"tags": [" "]},
        {"tags": [1]},
        {"tags": [str(number) for number in range(11)]},
        {"status": "published"},
        {"author_id": 1},
        {"slug": "mine"},
    ],
)
def test_create_post_refuses(
    client: TestClient, auth_headers: Headers, values: dict[str, Any]
) -> None:
    response = write(client, auth_headers, **values)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][1] in values
    assert stored(Post) == []


def test_the_largest_post_fits(client: TestClient, auth_headers: Headers) -> None:
    largest = {"title": "ß" * 200, "content": "\U0001f600" * 100_000, "excerpt": "ß" * 500}
    response = write(client, auth_headers, **largest, tags=["ß" * 50])
    assert response.status_code == 201
    assert response.json()["content"] == largest["content"]


def test_update_post_changes_what_was_sent_and_keeps_the_slug(
    client: TestClient, auth_headers: Headers
) -> None:
    before = write(client, auth_headers, title="Old", excerpt="Short", tags=["a"]).json()
    changes = {"title": "New", "excerpt": None, "tags": ["c", "b"]}
    response = client.patch("/posts/old", json=changes, headers=auth_headers)
    assert response.status_code == 200
    after = response.json()
    assert after == before | changes | {"tags": ["b", "c"], "updated_at": after["updated_at"]}
    assert response.headers["etag"] == '"2"'
    for wrong in ({}, {"title": None}, {"tags": None}, {"content": ""}, {"status": "archived"}):
        assert client.patch("/posts/old", json=wrong, headers=auth_headers).status_code == 422


def test_replace_post_resets_what_is_left_out(client: TestClient, auth_headers: Headers) -> None:
    write(client, auth_headers, title="Old", excerpt="Short", tags=["a"])
    values = {"title": "New", "content": "All new"}
    response = client.put("/posts/old", json=values, headers=auth_headers)
    assert response.status_code == 200
    after = response.json()
    assert (after["title"], after["content"], after["slug"]) == ("New", "All new", "old")
    assert (after["excerpt"], after["tags"]) == (None, [])
    assert client.put("/posts/old", json={"title": "X"}, headers=auth_headers).status_code == 422


def test_new_tags_alone_are_a_new_version(client: TestClient, user: User) -> None:
    post, headers = make_post(user, tags=("a", "b")), sign_in(user)
    path = f"/posts/{post.slug}"
    for tags, etag in ((["B", "a"], '"1"'), (["a"], '"2"'), ([], '"3"')):
        response = client.patch(path, json={"tags": tags}, headers=headers)
        assert (response.status_code, response.headers["etag"]) == (200, etag)
    assert stored(Post)[0].updated_at > post.updated_at


def test_a_deleted_post_is_gone_until_it_is_restored(
    client: TestClient, user: User, staff_headers: Headers, admin_headers: Headers
) -> None:
    post, headers = make_post(user, tags=("a",)), sign_in(user)
    path = f"/posts/{post.slug}"
    assert client.delete(path, headers=headers).status_code == 204
    for caller in ({}, headers, staff_headers):
        assert client.get(path, headers=caller).status_code == 404
    assert client.delete(path, headers=headers).status_code == 404
    assert client.get("/posts").json()["items"] == []
    assert client.get("/posts/mine", headers=headers).json()["items"] == []
    assert client.get("/posts/trending").json() == []
    assert client.post(f"{path}/publish", headers=headers).status_code == 404
    restored = client.post(f"{path}/restore", headers=admin_headers)
    assert restored.status_code == 200
    assert (restored.json()["slug"], restored.json()["tags"]) == (post.slug, ["a"])
    assert client.post(f"{path}/restore", headers=admin_headers).status_code == 200
    assert client.get(path).status_code == 200


def test_publishing_again_keeps_the_moment(client: TestClient, auth_headers: Headers) -> None:
    write(client, auth_headers)
    first = client.post("/posts/a/publish", headers=auth_headers).json()
    assert (first["status"], first["published_at"] is None) == ("published", False)
    archived = client.post("/posts/a/archive", headers=auth_headers).json()
    assert (archived["status"], archived["published_at"]) == ("archived", first["published_at"])
    again = client.post("/posts/a/publish", headers=auth_headers).json()
    assert (again["status"], again["published_at"]) == ("published", first["published_at"])


# --- Who may ---------------------------------------------------------------------------------

# Who reads a post of this status: its author, another user, a moderator, and who is not signed in.
SEEN_BY = {
    PostStatus.DRAFT: (True, False, False, False),
    PostStatus.PUBLISHED: (True, True, True, True),
    PostStatus.ARCHIVED: (True, False, True, False),
}


@pytest.mark.parametrize("status", PostStatus)
def test_who_sees_a_post(
    client: TestClient, user: User, status: PostStatus, staff_headers: Headers
) -> None:
    post = make_post(user, status=status)
    callers = (sign_in(user), sign_in(make_user()), staff_headers, {})
    for name in (post.slug, post.id):
        answers = [client.get(f"/posts/{name}", headers=caller) for caller in callers]
        assert tuple(answer.status_code == 200 for answer in answers) == SEEN_BY[status]
        hidden = {answer.json()["detail"] for answer in answers if answer.status_code != 200}
        assert hidden <= {"Post not found."}
    listed = client.get("/posts", headers=callers[0]).json()["total"]
    assert listed == (status is PostStatus.PUBLISHED)


@pytest.mark.parametrize("call", CHANGES)
def test_who_changes_a_post(
    client: TestClient, user: User, call: tuple[str, str], staff_headers: Headers
) -> None:
    def statuses(headers: Headers) -> list[int]:
        posts = [make_post(user, status=status) for status in SEEN_BY]
        return [request(client, call, post.slug, headers).status_code for post in posts]

    done = 204 if call[0] == "DELETE" else 200
    assert statuses(sign_in(user)) == [done, done, done]
    assert statuses(sign_in(make_user())) == [404, 403, 404]
    assert statuses(staff_headers) == [404, done, done]
    assert statuses({}) == [401, 401, 401]


def test_who_restores_a_post(
    client: TestClient, user: User, staff_headers: Headers, admin_headers: Headers
) -> None:
    callers = (sign_in(user), staff_headers, admin_headers)
    # An author does not undo what a moderator took away, and drafts are seen by their author only.
    expected = ([403, 403, 404], [403, 403, 200], [403, 403, 200])
    for status, codes in zip(SEEN_BY, expected, strict=True):
        post = make_post(user, status=status, deleted_at=utcnow())
        calls = [request(client, ("POST", "/restore"), post.slug, each) for each in callers]
        assert [answer.status_code for answer in calls] == codes


def test_a_bad_token_is_401_where_none_is_needed(client: TestClient) -> None:
    post = make_post()
    headers = {"Authorization": "Bearer x"}
    assert client.get(f"/posts/{post.slug}", headers=headers).status_code == 401


# --- Versions --------------------------------------------------------------------------------


def test_if_match(client: TestClient, user: User) -> None:
    post, headers = make_post(user), sign_in(user)
    for call in (("PUT", ""), ("PATCH", ""), ("DELETE", "")):
        for if_match, status in (('"9"', 412), ("x", 400)):
            answer = request(client, call, post.slug, headers | {"If-Match": if_match})
            assert answer.status_code == status
    version = stored(Post)[0].version
    answer = request(client, ("PATCH", ""), post.slug, headers | {"If-Match": f'"{version}"'})
    assert answer.status_code == 200


def test_of_ten_changes_of_the_tags_of_one_version_one_wins(
    client: TestClient, threaded: Database
) -> None:
    user = make_user()
    post, headers = make_post(user, tags=("a",)), sign_in(user) | {"If-Match": '"1"'}

    def change(number: int) -> int:
        tags = {"tags": ["b", f"c{number}"]}
        return client.patch(f"/posts/{post.slug}", json=tags, headers=headers).status_code

    assert sorted(at_once(10, change)) == [200] + [412] * 9


# --- Slugs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Programação é Ótima", "programacao-e-otima"),
        ("  ÁRVORE -- d'água, pão & São João! ", "arvore-d-agua-pao-sao-joao"),
        ("日本語", "日本語"),
        ("ガギグ", "ガギグ"),
        ("हिन्दी में", "हिन्दी-में"),
        ("Привет, Йод", "привет-йод"),
        ("Straße_1", "strasse-1"),
        ("e\u0301te\u0301", "ete"),
        ("\uff26ull \u2460 ½", "full-1-1-2"),
        ("!!!", "post"),
        ("❤️ 😀", "post"),
        ("x \u3164", "x"),
        ("2026", "post-2026"),
        ("٢٠٢٦", "post-٢٠٢٦"),
        ("a" * 400, "a" * 200),
        ("a" * 199 + " b", "a" * 199),
    ],
)
def test_slugify(title: str, slug: str) -> None:
    assert slugify(title, "post") == slug
    assert TypeAdapter(Slug).validate_python(slug) == slug


def test_repeated_titles_are_numbered(client: TestClient, auth_headers: Headers) -> None:
    titles = ["Olá", "ola", "Olá, mundo", "OLÁ!", "Olá 2", "Olá", "Olá 5", "Olá"]
    slugs = [write(client, auth_headers, title=title).json()["slug"] for title in titles]
    assert slugs == ["ola", "ola-2", "ola-mundo", "ola-3", "ola-2-2", "ola-4", "ola-5", "ola-6"]


def test_a_deleted_post_keeps_its_slug(client: TestClient, auth_headers: Headers) -> None:
    make_post(slug="a", deleted_at=utcnow())
    assert write(client, auth_headers, title="A").json()["slug"] == "a-2"


@pytest.mark.parametrize(("title", "slug"), [("Trending", "trending-2"), ("7", "post-7")])
def test_a_slug_is_neither_a_path_nor_an_id(
    client: TestClient, auth_headers: Headers, title: str, slug: str
) -> None:
    assert write(client, auth_headers, title=title).json()["slug"] == slug


def test_every_path_beside_the_slugs_is_reserved(app: FastAPI) -> None:
    prefix = f"{get_settings().api_prefix}/posts/"
    paths = [path.removeprefix(prefix) for path in app.openapi()["paths"] if prefix in path]
    assert {path for path in paths if "{" not in path and "/" not in path} == RESERVED


def test_twenty_who_write_the_same_title_at_once_get_twenty_slugs(
    client: TestClient, threaded: Database
) -> None:
    headers = [sign_in(make_user()) for _ in range(4)]

    def create(number: int) -> tuple[int, str]:
        response = write(client, headers[number % 4], title="Olá!", tags=["b", "a", f"t{number}"])
        return response.status_code, response.json().get("slug")

    numbers = ["", *(f"-{number}" for number in range(2, 21))]
    assert sorted(at_once(20, create)) == sorted((201, f"ola{number}") for number in numbers)
    assert [len(stored(Post)), len(stored(Tag))] == [20, 22]


@pytest.mark.parametrize(
    ("slug", "status"),
    [
        *(("999999", 404), ("2147483648", 404), ("9" * 200, 404), ("-1", 404), ("no-such", 404)),
        *(("a%00b", 422), ("a%0Ab", 422), ("a" * 221, 422), ("%20", 422), ("%E2%80%8B", 422)),
    ],
)
def test_what_names_no_post(client: TestClient, slug: str, status: int) -> None:
    assert client.get(f"/posts/{slug}").status_code == status


def test_the_id_stands_wherever_the_slug_does(
    client: TestClient, user: User, admin_headers: Headers
) -> None:
    post, headers = make_post(user), sign_in(user)
    for call in (("PUT", "/like"), ("DELETE", "/like"), *CHANGES):
        answer = request(client, call, post.id, headers)
        assert answer.status_code == (204 if call == ("DELETE", "") else 200), call
    assert request(client, ("POST", "/restore"), post.id, admin_headers).status_code == 200


# --- The database itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        *("status = 'hidden'", "view_count = -1", "like_count = -1", "published_at = NULL"),
        *("slug = 'taken'", "author_id = 999999"),
    ],
)
def test_the_database_refuses(broken: str) -> None:
    make_post(slug="taken")
    post = make_post()
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(text(f"UPDATE posts SET {broken} WHERE id = {post.id}"))


def test_posts_and_their_tags_go_with_the_author(
    client: TestClient, admin_headers: Headers
) -> None:
    post, kept = make_post(tags=("a", "b")), make_post(tags=("b",))
    response = client.delete(f"/users/{post.author_id}?hard=true", headers=admin_headers)
    assert response.status_code == 204
    assert [each.id for each in stored(Post)] == [kept.id]
    with writing() as db:
        assert db.scalar(text("SELECT count(*) FROM post_tags")) == 1
