import enum
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    Base,
    IdMixin,
    SearchMixin,
    SoftDeleteMixin,
    TimestampMixin,
    unique_key,
)
from app.models.token import Token

if TYPE_CHECKING:
    from app.models.comment import Comment
    from app.models.order import Order
    from app.models.post import Post
    from app.models.review import Review


class Role(enum.StrEnum):
    ADMIN = "admin"
    MODERATOR = "moderator"
    USER = "user"


def default_settings() -> dict[str, Any]:
    return {"theme": "system", "language": "en"}


class User(Base, IdMixin, TimestampMixin, SoftDeleteMixin, SearchMixin):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("length(username) >= 3", name="username_length"),
        CheckConstraint("role IN ('admin', 'moderator', 'user')", name="role"),
    )
    searched = ("username", "email", "full_name", "display_name")

    username: Mapped[str] = mapped_column(String(50), index=True)
    username_key: Mapped[str | None] = unique_key("username", 50)
    email: Mapped[str] = mapped_column(String(255), index=True)
    email_key: Mapped[str | None] = unique_key("email", 255)
    hashed_password: Mapped[str] = mapped_column(String(255), info={"hidden": True})
    role: Mapped[Role] = mapped_column(default=Role.USER, index=True)
    is_active: Mapped[bool] = mapped_column(default=True, index=True)
    full_name: Mapped[str | None] = mapped_column(String(255))
    display_name: Mapped[str | None] = mapped_column(String(255))
    bio: Mapped[str | None] = mapped_column(Text)
    avatar_url: Mapped[str | None] = mapped_column(String(500))
    settings: Mapped[dict[str, Any]] = mapped_column(default=default_settings)
    last_login_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]

    tokens: Mapped[list[Token]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    reviews: Mapped[list["Review"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    orders: Mapped[list["Order"]] = relationship(back_populates="user", passive_deletes=True)
    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True
    )
    liked_posts: Mapped[list["Post"]] = relationship(
        secondary="post_likes", back_populates="likers", passive_deletes=True
    )
    comments: Mapped[list["Comment"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def is_superuser(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def is_staff(self) -> bool:
        return self.role in (Role.ADMIN, Role.MODERATOR)
