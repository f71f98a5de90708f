"""Comments on posts, and replies to them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.columns import utcnow
from app.core.database import Database
from app.models.comment import Comment
from app.models.post import Post, PostStatus
from app.models.user import User
from tests.factories import add, make_user, sign_in
from tests.hostile import STRANGE, UNRULY, hostile_texts, read_all, refuse
from tests.support import Counter, at_once, stored, writing
from tests.test_posts import Headers, make_post

ACCESS = [
    ("GET", "/posts/{slug}/comments", "anyone"),
    ("POST", "/posts/{slug}/comments", "user"),
    ("PATCH", "/comments/{comment_id}", "user"),
    ("DELETE", "/comments/{comment_id}", "user"),
]

# Rules that the document has no words for; `tests/fuzz` expects these answers.
UNSPOKEN = ["Reply to a comment of this post that is no reply itself."]


def make_comment(post: Post | None = None, author: User | None = None, **values: Any) -> Comment:
    post_id, author_id = (post or make_post()).id, (author or make_user()).id
    return add(Comment(**{"post_id": post_id, "author_id": author_id, "body": "Hello"} | values))


def ids(client: TestClient, post: Post, **params: Any) -> list[int]:
    response = client.get(f"/posts/{post.slug}/comments", params=params)
    assert response.status_code == 200
    return [item["id"] for item in response.json()["items"]]


# --- Writing ---------------------------------------------------------------------------------


def test_create_comment(client: TestClient, user: User, auth_headers: Headers) -> None:
    post = make_post()
    data = {"body": " Olá!\n\nMuito bom. "}
    response = client.post(f"/posts/{post.id}/comments", json=data, headers=auth_headers)
    assert response.status_code == 201
    comment = response.json()
    author = {"id": user.id, "username": user.username, "display_name": None, "avatar_url": None}
    assert comment == {
        "id": comment["id"],
        "post_id": post.id,
        "parent_id": None,
        "author": author,
        "body": "Olá!\n\nMuito bom.",
        "created_at": comment["created_at"],
        "updated_at": comment["updated_at"],
    }
    assert response.headers["etag"] == '"1"'
    assert client.get(f"/posts/{post.slug}/comments").json()["items"] == [comment]


def test_a_reply_names_a_comment_of_the_same_post(
    client: TestClient, auth_headers: Headers
) -> None:
    post = make_post()
    comment = make_comment(post)

    def reply(parent_id: Any) -> Any:
        data = {"body": "Yes", "parent_id": parent_id}
        return client.post(f"/posts/{post.slug}/comments", json=data, headers=auth_headers)

    made = reply(comment.id)
    assert (made.status_code, made.json()["parent_id"]) == (201, comment.id)
    for wrong in (make_comment().id, made.json()["id"], 999_999, 0, str(comment.id)):
        response = reply(wrong)
        assert response.status_code == 422
        assert response.json()["errors"][0]["loc"] == ["body", "parent_id"]
    assert reply(None).status_code == 201


@pytest.mark.parametrize(
    "data", [{}, {"body": ""}, {"body": "\u200b"}, {"body": "a" * 5001}, {"body": "a", "id": 1}]
)
def test_create_comment_refuses(
    client: TestClient, auth_headers: Headers, data: dict[str, Any]
) -> None:
    path = f"/posts/{make_post().id}/comments"
    assert client.post(path, json=data, headers=auth_headers).status_code == 422


def test_update_comment(client: TestClient, user: User, auth_headers: Headers) -> None:
    comment = make_comment(author=user)
    path = f"/comments/{comment.id}"
    response = client.patch(path, json={"body": "New"}, headers=auth_headers)
    assert response.status_code == 200
    assert (response.json()["body"], response.headers["etag"]) == ("New", '"2"')
    assert response.json()["author"]["username"] == user.username
    for wrong in ({}, {"body": None}, {"body": " "}, {"parent_id": None}):
        assert client.patch(path, json=wrong, headers=auth_headers).status_code == 422


def test_delete_comment_takes_its_replies_along(client: TestClient, user: User) -> None:
    post, headers = make_post(), sign_in(user)
    kept, comment = make_comment(post), make_comment(post, user)
    make_comment(post, parent_id=comment.id)
    make_comment(post, user, parent_id=comment.id)
    assert client.delete(f"/comments/{comment.id}", headers=headers).status_code == 204
    assert client.delete(f"/comments/{comment.id}", headers=headers).status_code == 404
    assert ids(client, post) == [kept.id]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_if_match(client: TestClient, user: User, auth_headers: Headers, method: str) -> None:
    path = f"/comments/{make_comment(author=user).id}"
    body = {"body": "New"} if method == "PATCH" else None
    for if_match, status in (('"2"', 412), ("1", 400), ('"1"', 200 if body else 204)):
        headers = auth_headers | {"If-Match": if_match}
        assert client.request(method, path, json=body, headers=headers).status_code == status


# --- Who may ---------------------------------------------------------------------------------


def test_a_comment_is_changed_by_its_author_and_deleted_by_moderators_too(
    client: TestClient, user: User, auth_headers: Headers, staff_headers: Headers
) -> None:
    post = make_post(user)  # whose author is no master of the comments
    path = f"/comments/{make_comment(post).id}"
    for headers in (auth_headers, staff_headers):
        changed = client.patch(path, json={"body": "Mine"}, headers=headers)
        assert (changed.status_code, changed.json()["detail"]) == (404, "Comment not found.")
    assert client.delete(path, headers=auth_headers).status_code == 404
    assert client.delete(path).status_code == 401
    assert client.delete(path, headers=staff_headers).status_code == 204


def test_comments_are_seen_with_their_post_and_written_while_it_is_published(
    client: TestClient, user: User, auth_headers: Headers, staff_headers: Headers
) -> None:
    def statuses(method: str, **values: Any) -> list[int]:
        post = make_post(user, **values)
        make_comment(post)
        callers = (auth_headers, sign_in(make_user()), staff_headers)
        path, body = f"/posts/{post.slug}/comments", {"body": "Hi"} if method == "POST" else None
        return [client.request(method, path, json=body, headers=h).status_code for h in callers]

    assert statuses("GET") == [200, 200, 200]
    assert statuses("GET", status=PostStatus.DRAFT) == [200, 404, 404]
    assert statuses("GET", status=PostStatus.ARCHIVED) == [200, 404, 200]
    assert statuses("GET", deleted_at=utcnow()) == [404, 404, 404]
    assert statuses("POST") == [201, 201, 201]
    assert statuses("POST", status=PostStatus.DRAFT) == [409, 404, 404]
    assert statuses("POST", status=PostStatus.ARCHIVED) == [409, 404, 409]
    assert statuses("POST", deleted_at=utcnow()) == [404, 404, 404]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("state", [{"status": PostStatus.ARCHIVED}, {"deleted_at": utcnow()}])
def test_a_comment_is_not_found_where_its_post_is_not(
    client: TestClient, user: User, auth_headers: Headers, state: dict[str, Any], method: str
) -> None:
    comment = make_comment(make_post(**state), user)
    data = {"body": "New"} if method == "PATCH" else None
    path = f"/comments/{comment.id}"
    assert client.request(method, path, json=data, headers=auth_headers).status_code == 404
    assert [each.body for each in stored(Comment)] == ["Hello"]


# --- Lists -----------------------------------------------------------------------------------


def test_comments_the_oldest_first(client: TestClient) -> None:
    post = make_post()
    moments = [utcnow() + timedelta(minutes=minutes) for minutes in (2, 1, 3)]
    second, first, third = (make_comment(post, created_at=moment).id for moment in moments)
    reply = make_comment(post, parent_id=first, created_at=moments[2] + timedelta(1)).id
    make_comment()
    assert ids(client, post) == [first, second, third, reply]
    assert ids(client, post, sort="-created_at", limit=2) == [reply, third]
    page = client.get(f"/posts/{post.slug}/comments?limit=3").json()
    assert page["total"] == 4
    assert ids(client, post, limit=3, cursor=page["next_cursor"]) == [reply]


@pytest.mark.parametrize("query", ["sort=body", "limit=0", "q=a", "parent_id=1"])
def test_the_list_refuses(client: TestClient, query: str) -> None:
    assert client.get(f"/posts/{make_post().slug}/comments?{query}").status_code == 422


def test_a_list_costs_the_same_for_many_rows(
    client: TestClient, count_statements: Callable[[], Counter]
) -> None:
    post, costs = make_post(), []
    for number in (1, 49):
        for _ in range(number):
            make_comment(post)
        with count_statements() as statements:
            assert client.get(f"/posts/{post.slug}/comments?limit=100").status_code == 200
        costs.append(len(statements))
    assert costs == [2, 2]  # the post, its comments with their authors


def test_no_list_goes_through_all_comments(client: TestClient, full_scans: Any) -> None:
    post = make_post()
    for _ in range(3):
        make_comment(post)
    for query in ("", "?limit=1", "?sort=-created_at&limit=1"):
        assert full_scans(f"/posts/{post.slug}/comments{query}") == []


# --- The database itself ---------------------------------------------------------------------


@pytest.mark.parametrize("column", ["post_id", "author_id", "parent_id"])
def test_the_database_refuses_what_refers_to_nothing(column: str) -> None:
    comment = make_comment()
    with writing() as db, pytest.raises(DBAPIError):
        db.execute(text(f"UPDATE comments SET {column} = 999999 WHERE id = {comment.id}"))


@pytest.mark.parametrize("table", ["posts", "users"])
def test_comments_go_with_their_post_and_their_author(table: str) -> None:
    comment = make_comment()
    make_comment(stored(Post)[0], parent_id=comment.id)
    row_id = comment.post_id if table == "posts" else comment.author_id
    with writing() as db:
        db.execute(text(f"DELETE FROM {table} WHERE id = {row_id}"))
        db.commit()
    assert stored(Comment) == []


def test_of_replies_and_the_end_of_their_comment_at_once_nothing_is_left_over(
    client: TestClient, threaded: Database
) -> None:
    user, post = make_user(), make_post()
    comment, headers = make_comment(post, user), sign_in(user)

    def act(number: int) -> int:
        if number == 5:
            return client.delete(f"/comments/{comment.id}", headers=headers).status_code
        data = {"body": "Yes", "parent_id": comment.id}
        return client.post(f"/posts/{post.slug}/comments", json=data, headers=headers).status_code

    statuses = at_once(10, act)
    assert statuses[5] == 204
    assert set(statuses) <= {201, 204, 422}
    assert stored(Comment) == []


# --- Strange text ----------------------------------------------------------------------------


def test_strange_text(client: TestClient, app: FastAPI, admin_headers: Headers) -> None:
    post = make_post(slug="a-post")
    path = "/posts/a-post/comments"
    refuse(client, hostile_texts("POST", path, '{"body": "%s"}'))
    for each in STRANGE:
        response = client.post(path, json={"body": each}, headers=admin_headers)
        assert response.status_code == 201, ascii(each)
    make_comment(post, body=UNRULY)
    read_all(client, app, "comments", {"slug": [post.id]}, {})
