from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session, joinedload, load_only

from app.core.errors import ConflictError, InvalidError
from app.models.comment import Comment
from app.models.post import Post
from app.models.user import User
from app.schemas.base import Page
from app.schemas.comment import CommentCreate, CommentParams, CommentRead, CommentUpdate
from app.services.base import Versions, exists, get_or_404, paginate, remove, save
from app.services.post_access import AUTHOR, find_post, visible_to

STATUS = load_only(Post.status, Post.deleted_at)
WITH_AUTHOR = joinedload(Comment.author, innerjoin=True).load_only(*AUTHOR)


class CommentService:
    @staticmethod
    def list_comments(
        db: Session, user: User | None, slug: str, params: CommentParams
    ) -> Page[CommentRead]:
        post = find_post(db, user, slug, STATUS)
        statement = select(Comment).where(Comment.post_id == post.id).options(WITH_AUTHOR)
        return paginate(db, statement, params, CommentRead)

    @staticmethod
    def create_comment(db: Session, user: User, slug: str, data: CommentCreate) -> Comment:
        post = find_post(db, user, slug, STATUS)
        if not post.is_published:
            raise ConflictError("Only published posts take comments.")
        if data.parent_id is not None:
            _check_parent(db, post, data.parent_id)
        return save(db, Comment(**data.model_dump(), post_id=post.id, author=user))

    @staticmethod
    def update_comment(
        db: Session, user: User, comment_id: int, data: CommentUpdate, if_match: Versions
    ) -> Comment:
        own = Comment.author_id == user.id
        where = (own, _post_seen_by(user))
        comment = get_or_404(
            db, Comment, comment_id, *where, if_match=if_match, options=(WITH_AUTHOR,)
        )
        return save(db, comment, **data.changes())

    @staticmethod
    def delete_comment(db: Session, user: User, comment_id: int, if_match: Versions) -> None:
        """Delete it for good, with its replies. Moderators delete those of others as well."""
        where = [_post_seen_by(user)]
        if not user.is_staff:
            where.append(Comment.author_id == user.id)
        remove(db, get_or_404(db, Comment, comment_id, *where, if_match=if_match))


def _post_seen_by(user: User) -> ColumnElement[bool]:
    """A comment is not to be found where its post is not."""
    return Comment.post.has(and_(visible_to(user), Post.deleted_at.is_(None)))


def _check_parent(db: Session, post: Post, parent_id: int) -> None:
    """What the foreign key does not say. A comment stays where it is, so it holds from then on."""
    beginnings = Comment.post_id == post.id, Comment.parent_id.is_(None)
    if not exists(db, Comment, Comment.id == parent_id, *beginnings):
        message = "Reply to a comment of this post that is no reply itself."
        raise InvalidError(message, field="parent_id")
