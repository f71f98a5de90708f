"""Views and likes: counted by the statement, exactly, and no change of the post."""

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.core.database import Database
from app.models.post import Post, PostStatus
from app.models.user import User
from tests.factories import make_user, sign_in
from tests.support import at_once, stored, writing
from tests.test_posts import Headers, make_post


def likes(post: Post) -> tuple[int, int]:
    """As counted, and as stored."""
    with writing() as db:
        rows = db.scalar(text(f"SELECT count(*) FROM post_likes WHERE post_id = {post.id}"))
    return stored(Post, Post.id == post.id)[0].like_count, rows


def test_a_view_is_counted_and_is_no_change(client: TestClient, user: User) -> None:
    post, headers = make_post(user), sign_in(user)
    for number, caller in enumerate(({}, headers, headers), 1):
        response = client.get(f"/posts/{post.slug}", headers=caller)
        assert response.json()["view_count"] == number
        assert response.headers["etag"] == '"1"'
    after = stored(Post)[0]
    assert (after.view_count, after.version, after.updated_at) == (3, 1, post.updated_at)


def test_only_published_posts_count_views(client: TestClient, user: User) -> None:
    headers = sign_in(user)
    for status in (PostStatus.DRAFT, PostStatus.ARCHIVED):
        post = make_post(user, status=status)
        assert client.get(f"/posts/{post.id}").status_code == 404
        assert client.get(f"/posts/{post.id}", headers=headers).json()["view_count"] == 0
    client.get("/posts")
    assert {post.view_count for post in stored(Post)} == {0}


def test_of_twenty_views_at_once_none_is_lost(client: TestClient, threaded: Database) -> None:
    post = make_post()
    seen = at_once(20, lambda _: client.get(f"/posts/{post.slug}").json()["view_count"])
    assert sorted(seen) == list(range(1, 21))
    assert stored(Post)[0].view_count == 20


def test_a_user_likes_a_post_once(client: TestClient, user: User, auth_headers: Headers) -> None:
    post, other = make_post(tags=("a",)), sign_in(make_user())
    path = f"/posts/{post.slug}/like"
    calls = [
        *(("PUT", auth_headers, 1), ("PUT", auth_headers, 1), ("PUT", other, 2)),
        *(("DELETE", auth_headers, 1), ("DELETE", auth_headers, 1), ("DELETE", other, 0)),
        *(("DELETE", other, 0), ("PUT", other, 1)),
    ]
    for method, headers, number in calls:
        response = client.request(method, path, headers=headers)
        assert response.status_code == 200
        assert (response.json()["like_count"], response.json()["tags"]) == (number, ["a"])
        assert response.headers["etag"] == '"1"'
        assert likes(post) == (number, number)
    assert stored(Post)[0].updated_at == post.updated_at


def test_who_erases_an_account_takes_its_likes_back(
    client: TestClient, user: User, auth_headers: Headers, admin_headers: Headers
) -> None:
    liked, other = make_post(), make_post()
    client.put(f"/posts/{liked.slug}/like", headers=auth_headers)
    for post in (liked, other):
        client.put(f"/posts/{post.slug}/like", headers=admin_headers)
    assert likes(liked) == (2, 2)
    path = f"/users/{user.id}"
    assert client.delete(path, headers=admin_headers).status_code == 204
    assert likes(liked) == (2, 2)  # it may be restored
    assert client.delete(f"{path}?hard=true", headers=admin_headers).status_code == 204
    assert (likes(liked), likes(other)) == ((1, 1), (1, 1))
    after = stored(Post, Post.id == liked.id)[0]
    assert (after.version, after.updated_at) == (liked.version, liked.updated_at)


def test_what_is_not_published_is_not_liked(
    client: TestClient, user: User, staff_headers: Headers
) -> None:
    headers, archived = sign_in(user), make_post(user, status=PostStatus.ARCHIVED)
    for status in (PostStatus.DRAFT, PostStatus.ARCHIVED):
        path = f"/posts/{make_post(user, status=status).slug}/like"
        assert client.put(path, headers=headers).status_code == 409
        for method in ("PUT", "DELETE"):
            assert client.request(method, path, headers=sign_in(make_user())).status_code == 404
    # A like from before is still taken back.
    assert client.delete(f"/posts/{archived.id}/like", headers=headers).status_code == 200
    assert client.put("/posts/none/like", headers=staff_headers).status_code == 404
    assert client.delete("/posts/none/like", headers=headers).status_code == 404


def test_likes_never_fall_below_zero(client: TestClient, user: User, auth_headers: Headers) -> None:
    post = make_post()
    with writing() as db:  # as if the counter had been reset
        db.execute(text(f"INSERT INTO post_likes VALUES ({post.id}, {user.id})"))
        db.commit()
    response = client.delete(f"/posts/{post.slug}/like", headers=auth_headers)
    assert response.json()["like_count"] == 0
    assert likes(post) == (0, 0)


def test_twenty_who_like_at_once_are_twenty(client: TestClient, threaded: Database) -> None:
    post, headers = make_post(), [sign_in(make_user()) for _ in range(20)]
    path = f"/posts/{post.slug}/like"
    done = at_once(20, lambda number: client.put(path, headers=headers[number]).status_code)
    assert set(done) == {200}
    assert likes(post) == (20, 20)
    done = at_once(20, lambda number: client.delete(path, headers=headers[number]).status_code)
    assert set(done) == {200}
    assert likes(post) == (0, 0)


def test_one_who_likes_twenty_times_at_once_is_one(client: TestClient, threaded: Database) -> None:
    post, headers = make_post(), sign_in(make_user())
    path = f"/posts/{post.slug}/like"
    for method, number in (("PUT", 1), ("DELETE", 0)):
        done = at_once(20, lambda _, m=method: client.request(m, path, headers=headers).status_code)
        assert set(done) == {200}
        assert likes(post) == (number, number)


def test_likes_taken_back_and_given_at_once_are_counted_right(
    client: TestClient, threaded: Database
) -> None:
    post, headers = make_post(), [sign_in(make_user()) for _ in range(3)]

    def change(number: int) -> int:
        method = ("PUT", "DELETE")[number % 2]
        path = f"/posts/{post.slug}/like"
        return client.request(method, path, headers=headers[number % 3]).status_code

    assert set(at_once(20, change)) == {200}
    counted, rows = likes(post)
    assert counted == rows
