"""Tags: made by the posts that have them, unique without regard to case, counted in lists."""

from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core.columns import utcnow
from app.core.database import Database
from app.models.post import PostStatus
from app.models.tag import Tag
from tests.factories import add, make_user, sign_in
from tests.support import at_once, stored, writing
from tests.test_posts import Headers, make_post, write

ACCESS = [("GET", "/tags", "anyone")]

_numbers = count(1)


def make_tag(**values: Any) -> Tag:
    tag: Tag = add(Tag(**{"name": f"tag {next(_numbers)}"} | values))
    return tag


def names(client: TestClient, **params: Any) -> list[tuple[str, int]]:
    response = client.get("/tags", params=params)
    assert response.status_code == 200
    return [(item["name"], item["post_count"]) for item in response.json()["items"]]


def test_tags_are_listed_with_their_published_posts(client: TestClient) -> None:
    for tags in (("b", "a"), ("b", "c"), ("b", "a")):
        make_post(tags=tags)
    make_post(tags=("a", "drafted"), status=PostStatus.DRAFT)
    make_post(tags=("c", "gone"), deleted_at=utcnow())
    assert names(client) == [("a", 2), ("b", 3), ("c", 1)]
    assert names(client, sort="-post_count,name") == [("b", 3), ("a", 2), ("c", 1)]
    page = client.get("/tags?sort=-post_count&limit=2").json()
    assert page["total"] == 3
    assert names(client, sort="-post_count", limit=2, cursor=page["next_cursor"]) == [("c", 1)]


def test_tags_are_searched(client: TestClient) -> None:
    make_post(tags=("Árvore", "arbusto", "50%"))
    assert names(client, q="ÁRVORE") == [("Árvore", 1)]
    assert names(client, q="ar") == [("arbusto", 1), ("Árvore", 1)]
    assert names(client, q="%") == [("50%", 1)]


@pytest.mark.parametrize("query", ["sort=id", "q=", "limit=0", "name=a", "sort=-name,"])
def test_the_list_refuses(client: TestClient, query: str) -> None:
    assert client.get(f"/tags?{query}").status_code == 422


def test_the_first_spelling_of_a_name_stays(client: TestClient, auth_headers: Headers) -> None:
    for tags in (["FastAPI", " Ação "], ["fastapi", "A\u00e7\u00e3o", "ac\u0327a\u0303o"]):
        response = write(client, auth_headers, tags=tags)
        assert response.json()["tags"] == ["Ação", "FastAPI"]
    assert len(stored(Tag)) == 2


def test_a_name_that_differs_in_an_accent_is_another(
    client: TestClient, auth_headers: Headers
) -> None:
    response = write(client, auth_headers, tags=["ação", "acao"])
    assert response.json()["tags"] == ["acao", "ação"]


def test_of_twenty_who_use_new_tags_at_once_all_get_the_same(
    client: TestClient, threaded: Database
) -> None:
    headers = [sign_in(make_user()) for _ in range(4)]
    tags = ["a", "b", "c", "d", "e"]

    def create(number: int) -> int:
        shuffled = tags[number % 5 :] + tags[: number % 5]
        if number % 3 == 0:
            shuffled = [tag.upper() for tag in reversed(shuffled)]
        title = f"Title {number}"
        return write(client, headers[number % 4], title=title, tags=shuffled).status_code

    assert at_once(20, create) == [201] * 20
    assert [tag.name_key for tag in stored(Tag)] == tags


def test_the_database_refuses_a_name_twice() -> None:
    make_post(tags=("Python",))
    with pytest.raises(IntegrityError):
        make_tag(name="PYTHON")


def test_a_deleted_tag_leaves_its_posts(client: TestClient) -> None:
    make_post(tags=("c",))  # an older tag, which is shown behind all the same
    post = make_post(tags=("a", "b", "c"))
    with writing() as db:
        db.execute(text("DELETE FROM tags WHERE name = 'a'"))
        db.commit()
    assert client.get(f"/posts/{post.slug}").json()["tags"] == ["b", "c"]
