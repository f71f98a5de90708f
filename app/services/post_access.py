"""Which posts somebody may see and change, wherever a path names one by its slug or id."""

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from app.core.errors import ForbiddenError, NotFoundError
from app.models.post import Post, PostStatus
from app.models.tag import Tag
from app.models.user import User
from app.schemas.base import INT32
from app.services.base import Versions, check_version

# What is answered with a post, or a comment, of its author.
AUTHOR = (User.username, User.display_name, User.avatar_url)
WHOLE = (
    joinedload(Post.author, innerjoin=True).load_only(*AUTHOR),
    selectinload(Post.tags).load_only(Tag.name),
)


def named(slug: str) -> ColumnElement[bool]:
    """The post with this slug or, of digits alone, with this id: no slug is a number."""
    is_id = slug.isascii() and slug.isdigit() and len(slug) <= 10 and int(slug) <= INT32
    return Post.id == int(slug) if is_id else Post.slug == slug


def find_post(
    db: Session,
    user: User | None,
    slug: str,
    *options: ORMOption,
    include_deleted: bool = False,
) -> Post:
    """A post that the user may see. Others are missing, in the same words."""
    statement = select(Post).where(named(slug), visible_to(user)).options(*options)
    if not include_deleted:
        statement = statement.where(Post.deleted_at.is_(None))
    post = db.scalar(statement)
    if post is None:
        raise NotFoundError("Post not found.")
    return post


def find_own_post(db: Session, user: User, slug: str, if_match: Versions = None) -> Post:
    """A post that the user may change: the own, and for moderators all that they see."""
    post = find_post(db, user, slug, *WHOLE)
    if post.author_id != user.id and not user.is_staff:
        raise ForbiddenError("Only its author and moderators may do this.")
    check_version(post, if_match)
    return post


def visible_to(user: User | None) -> ColumnElement[bool]:
    """Published posts, to a user the own as well, to moderators all but the drafts of others."""
    if user is None:
        return Post.status == PostStatus.PUBLISHED
    shown = [PostStatus.PUBLISHED, PostStatus.ARCHIVED] if user.is_staff else [PostStatus.PUBLISHED]
    return or_(Post.status.in_(shown), Post.author_id == user.id)
