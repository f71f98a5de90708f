import enum
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    and_,
    event,
    select,
    update,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, IdMixin, SearchMixin, SoftDeleteMixin, TimestampMixin
from app.models.user import User

if TYPE_CHECKING:
    from app.models.comment import Comment
    from app.models.tag import Tag


class PostStatus(enum.StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


# Which posts have which tags, and who likes which posts: the primary key allows each pair once.
post_tags = Table(
    "post_tags",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True),
)
post_likes = Table(
    "post_likes",
    Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Post(Base, IdMixin, TimestampMixin, SoftDeleteMixin, SearchMixin):
    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published', 'archived')", name="status"),
        CheckConstraint("view_count >= 0", name="view_count"),
        CheckConstraint("like_count >= 0", name="like_count"),
        # Lists of published posts are sorted by it: of those, none is without.
        CheckConstraint("status <> 'published' OR published_at IS NOT NULL", name="published_at"),
        # The newest published posts, of all and of one author, from the index's end.
        Index(None, "status", "published_at", "id"),
        Index(None, "author_id", "status", "published_at", "id"),
    )
    searched = ("title", "excerpt", "content")

    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(220), unique=True)  # kept by a deleted post, too
    excerpt: Mapped[str | None] = mapped_column(String(500))
    content: Mapped[str] = mapped_column(Text)
    status: Mapped[PostStatus] = mapped_column(default=PostStatus.DRAFT)
    view_count: Mapped[int] = mapped_column(default=0)
    like_count: Mapped[int] = mapped_column(default=0)
    published_at: Mapped[datetime | None]

    author: Mapped[User] = relationship(back_populates="posts")
    tags: Mapped[list["Tag"]] = relationship(
        secondary=post_tags, back_populates="posts", order_by="Tag.name_key", passive_deletes=True
    )
    likers: Mapped[list[User]] = relationship(
        secondary=post_likes, back_populates="liked_posts", passive_deletes=True
    )
    comments: Mapped[list["Comment"]] = relationship(
        back_populates="post", cascade="all, delete-orphan", passive_deletes=True
    )

    @hybrid_property
    def is_published(self) -> bool:
        return self.status is PostStatus.PUBLISHED and not self.is_deleted

    @is_published.inplace.expression
    @classmethod
    def _is_published(cls) -> ColumnElement[bool]:
        return and_(cls.status == PostStatus.PUBLISHED, cls.deleted_at.is_(None))


@event.listens_for(User, "before_delete")
def _uncount_likes(_mapper: Any, connection: Connection, user: User) -> None:
    """The database erases the likes along with the account; the counters are ours."""
    liked = select(post_likes.c.post_id).where(post_likes.c.user_id == user.id)
    fewer = {Post.like_count: Post.like_count - 1, Post.updated_at: Post.updated_at}
    connection.execute(update(Post).where(Post.id.in_(liked)).values(fewer))
