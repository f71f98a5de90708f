"""Ways to load what belongs to a row: each costs the same for one row and for many."""

from collections.abc import Callable

import pytest
from sqlalchemy import Select, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload, subqueryload

from app.models.post import Post
from app.models.tag import Tag
from tests.factories import make_user
from tests.support import Counter, writing
from tests.test_posts import make_post

POSTS = select(Post).order_by(Post.id)

# What the features use: `joinedload` for one (the author), `selectinload` for several (the tags).
WAYS: dict[str, tuple[Select[tuple[Post]], int]] = {
    "joinedload": (POSTS.options(joinedload(Post.author), joinedload(Post.tags)), 1),
    "selectinload": (POSTS.options(selectinload(Post.author), selectinload(Post.tags)), 3),
    # Runs the first query again as a part of the second: for what `selectinload` cannot ask by
    # key, such as a composite one on an old database.
    "subqueryload": (POSTS.options(joinedload(Post.author), subqueryload(Post.tags)), 2),
    # The rows of a join that the query has anyway.
    "contains_eager": (
        POSTS.join(Post.author)
        .outerjoin(Post.tags)
        .options(contains_eager(Post.author), contains_eager(Post.tags)),
        1,
    ),
}


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("way", WAYS)
def test_statements_do_not_grow_with_the_rows(
    way: str, rows: int, count_statements: Callable[[], Counter]
) -> None:
    author = make_user()
    for _ in range(rows):
        make_post(author, tags=("a", "b"))
    statement, number = WAYS[way]
    with writing() as db, count_statements() as statements:
        posts = db.scalars(statement).unique().all()
        shown = [(post.author.username, sorted(tag.name for tag in post.tags)) for post in posts]
    assert shown == [(author.username, ["a", "b"])] * rows
    assert len(statements) == number


def test_a_join_that_filters_loads_what_it_left(count_statements: Callable[[], Counter]) -> None:
    """With `contains_eager` the collection holds what the WHERE lets through, not all there is."""
    make_post(tags=("a", "b"))
    statement = POSTS.join(Post.tags).where(Tag.name == "a").options(contains_eager(Post.tags))
    with writing() as db, count_statements() as statements:
        (post,) = db.scalars(statement).unique()
        assert [tag.name for tag in post.tags] == ["a"]
    assert len(statements) == 1
