from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from app.core.columns import utcnow
from app.core.errors import ConflictError, NotFoundError
from app.core.text import key_of, slugify
from app.models.post import Post, PostStatus, post_likes
from app.models.tag import Tag
from app.models.user import User
from app.schemas.base import Page
from app.schemas.post import (
    OwnPostParams,
    PostCreate,
    PostParams,
    PostReplace,
    PostStats,
    PostSummary,
    PostUpdate,
    StatusStats,
    TrendingParams,
)
from app.services.base import Versions, change_rows, paginate, remove, restore, save
from app.services.post_access import WHOLE, find_own_post, find_post, named
from app.services.tag_service import find_tags

LISTED = (*WHOLE, defer(Post.content), defer(Post.search_text))
RESERVED = {"mine", "stats", "trending"}  # paths where a slug would stand
TRIES = 50  # for a free slug; no more than the connections want the same at once


class PostService:
    @staticmethod
    def list_posts(db: Session, params: PostParams) -> Page[PostSummary]:
        statement = select(Post).where(Post.is_published).options(*LISTED)
        if params.tag is not None:
            statement = statement.join(Post.tags).where(Tag.name_key == key_of(params.tag))
        return paginate(db, statement, params, PostSummary, own_filters=("tag",))

    @staticmethod
    def list_own_posts(db: Session, user: User, params: OwnPostParams) -> Page[PostSummary]:
        statement = select(Post).where(Post.author_id == user.id).options(*LISTED)
        return paginate(db, statement, params, PostSummary)

    @staticmethod
    def list_trending_posts(db: Session, params: TrendingParams) -> list[Post]:
        """Of the last days, those with most views; a like is worth five."""
        since = utcnow() - timedelta(days=params.days)
        score = Post.view_count + 5 * Post.like_count
        statement = select(Post).where(Post.is_published, Post.published_at >= since)
        statement = statement.order_by(score.desc(), Post.id.desc()).limit(params.limit)
        return list(db.scalars(statement.options(*LISTED)))

    @staticmethod
    def get_post_stats(db: Session) -> PostStats:
        sums = func.count(), func.sum(Post.view_count), func.sum(Post.like_count)
        rows = db.execute(
            select(Post.status, *sums).where(Post.deleted_at.is_(None)).group_by(Post.status)
        )
        found = {
            status: StatusStats(count=number, views=int(views), likes=int(likes))
            for status, number, views, likes in rows
        }
        return PostStats(by_status={status: StatusStats() for status in PostStatus} | found)

    @staticmethod
    def get_post(db: Session, user: User | None, slug: str) -> Post:
        """The post. Of a published one a view is counted, which is no change of the post."""
        views = {Post.view_count: Post.view_count + 1, Post.updated_at: Post.updated_at}
        change_rows(db, update(Post).where(named(slug), Post.is_published).values(views))
        post = find_post(db, user, slug, *WHOLE)
        db.commit()
        return post

    @staticmethod
    def create_post(db: Session, user: User, data: PostCreate) -> Post:
        """A draft. Of those who want one slug at once, the unique constraint lets one have it."""
        values = data.model_dump(exclude={"tags"})
        slug = _free_slug(db, data.title)
        for _ in range(TRIES):
            tags = find_tags(db, data.tags)
            try:
                return save(db, Post(**values, slug=slug, author=user, tags=tags))
            except IntegrityError:
                # All is begun again, and not from a savepoint: MariaDB keeps the locks of what has
                # failed, and those who go on to the next slug would wait for each other.
                db.rollback()
                taken, slug = slug, _free_slug(db, data.title)
                if slug == taken:
                    raise  # it was not about the slug
        raise ConflictError("Too many write a post of this title at once. Try again.")

    @staticmethod
    def replace_post(
        db: Session, user: User, slug: str, data: PostReplace, if_match: Versions
    ) -> Post:
        return _change(db, find_own_post(db, user, slug, if_match), data.model_dump())

    @staticmethod
    def update_post(
        db: Session, user: User, slug: str, data: PostUpdate, if_match: Versions
    ) -> Post:
        return _change(db, find_own_post(db, user, slug, if_match), data.changes())

    @staticmethod
    def delete_post(db: Session, user: User, slug: str, if_match: Versions) -> None:
        remove(db, find_own_post(db, user, slug, if_match))

    @staticmethod
    def publish_post(db: Session, user: User, slug: str) -> Post:
        """Show it to everybody. It keeps the moment at which it was first published."""
        post = find_own_post(db, user, slug)
        published_at = post.published_at or utcnow()
        return save(db, post, status=PostStatus.PUBLISHED, published_at=published_at)

    @staticmethod
    def archive_post(db: Session, user: User, slug: str) -> Post:
        return save(db, find_own_post(db, user, slug), status=PostStatus.ARCHIVED)

    @staticmethod
    def restore_post(db: Session, user: User, slug: str) -> Post:
        """For administrators: an author must not undo what a moderator took away."""
        return restore(db, find_post(db, user, slug, *WHOLE, include_deleted=True))

    @staticmethod
    def like_post(db: Session, user: User, slug: str) -> Post:
        """Like a published post. To like it again changes nothing."""
        post = find_post(db, user, slug, *WHOLE)
        if not post.is_published:
            raise ConflictError("Only published posts are liked.")
        # To be liked already undoes the counting.
        with suppress(IntegrityError), db.begin_nested():
            _count_like(db, post, Post.like_count + 1)
            db.execute(insert(post_likes).values(post_id=post.id, user_id=user.id))
        return _counted(db, post)

    @staticmethod
    def unlike_post(db: Session, user: User, slug: str) -> Post:
        """Take the like back. Where there is none, nothing changes."""
        post = find_post(db, user, slug, *WHOLE)
        mine = post_likes.c.post_id == post.id, post_likes.c.user_id == user.id
        with db.begin_nested() as counting:
            _count_like(db, post, case((Post.like_count > 0, Post.like_count - 1), else_=0))
            if not change_rows(db, delete(post_likes).where(*mine)):
                counting.rollback()
        return _counted(db, post)


def _free_slug(db: Session, title: str) -> str:
    """The slug of a title, with a number behind it when others have it."""
    slug = slugify(title, fallback="post")
    # Of the characters in slugs, "-" is the first: "." is behind all that begin so.
    others = select(Post.slug).where(Post.slug >= slug, Post.slug < f"{slug}.")
    taken = RESERVED.union(db.scalars(others))
    if slug not in taken:
        return slug
    return next(each for number in count(2) if (each := f"{slug}-{number}") not in taken)


def _change(db: Session, post: Post, changes: dict[str, Any]) -> Post:
    if "tags" in changes:
        tags = find_tags(db, changes.pop("tags"))
        if tags != post.tags:  # rows of another table: the post's version has to be told
            changes |= {"tags": tags, "updated_at": utcnow()}
    return save(db, post, **changes)


def _count_like(db: Session, post: Post, like_count: ColumnElement[int]) -> None:
    """Change the counter, which is no change of the post.

    Before the like: the lock on the post lets those who like and unlike it in one by one.
    """
    values = {Post.like_count: like_count, Post.updated_at: Post.updated_at}
    if not change_rows(db, update(Post).where(Post.id == post.id).values(values)):
        raise NotFoundError("Post not found.")


def _counted(db: Session, post: Post) -> Post:
    db.refresh(post, ["like_count"])
    db.commit()
    return post
