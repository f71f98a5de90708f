"""Lists of posts: published, one's own, trending; what they show, find and cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.columns import utcnow
from app.models.post import PostStatus
from app.models.user import Role, User
from tests.factories import make_user, sign_in
from tests.support import Counter
from tests.test_posts import Headers, make_post


def ids(client: TestClient, path: str, **params: Any) -> list[int]:
    response = client.get(path, params=params)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


def test_published_posts_the_newest_first(client: TestClient) -> None:
    moments = [utcnow() - timedelta(days=days) for days in (2, 1, 3)]
    posts = [make_post(published_at=moment, title="a") for moment in moments]
    for status in (PostStatus.DRAFT, PostStatus.ARCHIVED):
        make_post(status=status)
    make_post(deleted_at=utcnow())
    second, first, third = (post.id for post in posts)
    assert ids(client, "/posts") == [first, second, third]
    assert ids(client, "/posts", sort="published_at", limit=2) == [third, second]
    page = client.get("/posts?limit=1").json()
    assert page["total"] == 3
    assert ids(client, "/posts", limit=1, cursor=page["next_cursor"]) == [second]


def test_an_item_shows_author_and_tags_and_not_the_content(client: TestClient) -> None:
    author = make_user(display_name="Ana", avatar_url="https://example.com/a.png")
    post = make_post(author, tags=("b", "Árvore", "a"), excerpt="Short", content="Long")
    (item,) = client.get("/posts").json()["items"]
    assert item["author"] == {
        "id": author.id,
        "username": author.username,
        "display_name": "Ana",
        "avatar_url": "https://example.com/a.png",
    }
    assert (item["slug"], item["excerpt"], item["tags"]) == (
        post.slug,
        "Short",
        ["a", "b", "Árvore"],
    )
    assert "content" not in item
    whole = client.get(f"/posts/{post.slug}").json()
    assert whole == item | {"content": "Long", "view_count": 1}


def test_filters(client: TestClient) -> None:
    ana = make_user()
    first = make_post(ana, tags=("Python", "web"), published_at=utcnow() - timedelta(days=2))
    second = make_post(tags=("python",), published_at=utcnow() - timedelta(days=1))
    make_post(ana, tags=("python",), status=PostStatus.DRAFT)
    assert ids(client, "/posts", tag="PYTHON") == [second.id, first.id]
    assert ids(client, "/posts", tag="web") == [first.id]
    assert ids(client, "/posts", tag="none") == []
    assert ids(client, "/posts", author_id=ana.id) == [first.id]
    assert ids(client, "/posts", author_id=second.author_id, tag="web") == []
    page = client.get("/posts?tag=python&limit=1").json()
    assert page["total"] == 2
    assert ids(client, "/posts", tag="python", limit=1, cursor=page["next_cursor"]) == [first.id]


@pytest.mark.parametrize("q", ["árvore", "ARVORE", "jabuticaba", "100%", "Sombra"])
def test_search_in_title_excerpt_and_content(client: TestClient, q: str) -> None:
    found = make_post(title="ÁRVORE", excerpt="Jabuticaba", content="Sómbra, 100% fresca.")
    make_post(title="Arbusto", content="Sol, 100 vezes.")
    make_post(title="Árvore jabuticaba sombra 100%", status=PostStatus.DRAFT)
    assert ids(client, "/posts", q=q) == [found.id]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("/posts", each) for each in ("sort=created_at", "status=draft", "tag=", "author_id=0")),
        *(("/posts/mine", each) for each in ("status=gone", "sort=published_at", "limit=0")),
        *(("/posts/trending", each) for each in ("days=0", "days=31", "days=1.0", "limit=0")),
        *(("/posts/trending", each) for each in ("limit=51", "skip=1")),
        ("/posts/stats", "days=7"),
    ],
)
def test_lists_refuse(client: TestClient, staff_headers: Headers, path: str, query: str) -> None:
    assert client.get(f"{path}?{query}", headers=staff_headers).status_code == 422


def test_authors_find_all_that_is_theirs(
    client: TestClient, user: User, auth_headers: Headers
) -> None:
    posts = {status: make_post(user, status=status).id for status in PostStatus}
    make_post()
    make_post(user, deleted_at=utcnow())

    def own(**params: Any) -> list[int]:
        page = client.get("/posts/mine", params=params, headers=auth_headers).json()
        return [item["id"] for item in page["items"]]

    assert own() == sorted(posts.values(), reverse=True)
    for status, post_id in posts.items():
        assert own(status=status) == [post_id]
    assert own(q="no such") == []


def test_trending_posts_have_most_views_and_likes_of_the_last_days(client: TestClient) -> None:
    def post(days: float, views: int, likes: int, **values: Any) -> int:
        moment = utcnow() - timedelta(days=days)
        counts = {"view_count": views, "like_count": likes}
        return int(make_post(**{"published_at": moment} | counts | values).id)

    second, first, third = post(6.9, 14, 0), post(1, 0, 3), post(2, 4, 1)
    tied = post(3, 9, 0)
    older = post(7.1, 999, 0)
    post(1, 999, 9, status=PostStatus.ARCHIVED)
    post(1, 999, 9, deleted_at=utcnow())

    def trending(query: str = "") -> list[int]:
        return [item["id"] for item in client.get(f"/posts/trending{query}").json()]

    assert trending() == [first, second, tied, third]
    assert trending("?limit=2") == [first, second]
    assert trending("?days=30&limit=1") == [older]
    assert trending("?days=1") == []
    assert "content" not in client.get("/posts/trending").json()[0]


def test_stats(client: TestClient, staff_headers: Headers) -> None:
    nothing = {"count": 0, "views": 0, "likes": 0}
    stats = client.get("/posts/stats", headers=staff_headers).json()
    assert stats == {"by_status": dict.fromkeys(PostStatus, nothing)}
    for views in (3, 4):
        make_post(view_count=views, like_count=1)
    make_post(status=PostStatus.DRAFT)
    make_post(view_count=99, deleted_at=utcnow())
    stats = client.get("/posts/stats", headers=staff_headers).json()
    assert stats["by_status"] == {
        "draft": {"count": 1, "views": 0, "likes": 0},
        "published": {"count": 2, "views": 7, "likes": 2},
        "archived": nothing,
    }


# --- Cost ------------------------------------------------------------------------------------

COSTS = {
    "/posts?limit=100": 2,  # posts with their authors, tags
    "/posts?limit=100&tag=a": 2,
    "/posts/mine?limit=100": 3,  # who asks
    "/posts/trending?limit=50": 2,
    "/posts/stats": 2,
    "/posts/{slug}": 4,  # who asks, the view, post and tags
    "/tags?limit=100": 1,
}
FILTERS = [
    *("/posts?limit=1", "/posts?author_id={author_id}"),
    *("/posts?author_id={author_id}&limit=1&sort=published_at", "/posts?tag=a"),
    *("/posts?tag=a&limit=1", "/posts?tag=a&author_id={author_id}", "/posts/mine"),
    *(
        "/posts/mine?sort=title",
        "/posts/mine?status=draft",
        "/posts/trending",
        "/posts/{slug}",
        "/posts/{id}",
    ),
]


def test_a_read_costs_the_same_for_many_rows(
    client: TestClient, count_statements: Callable[[], Counter]
) -> None:
    user = make_user(role=Role.MODERATOR)
    headers = sign_in(user)
    for number in (1, 49):
        for each in range(number):
            post = make_post(user, tags=("a", f"tag{each}"))
        for path, cost in COSTS.items():
            with count_statements() as statements:
                response = client.get(path.format(slug=post.slug), headers=headers)
            assert response.status_code == 200
            assert len(statements) == cost, (path, number)


def test_no_read_goes_through_all_posts(client: TestClient, full_scans: Any) -> None:
    user = make_user()
    headers = sign_in(user)
    for _ in range(3):
        post = make_post(user, tags=("a",))
    for path in FILTERS:
        place = path.format(author_id=user.id, slug=post.slug, id=post.id)
        assert full_scans(place, headers) == [], path
