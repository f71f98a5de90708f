import enum
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.columns import utcnow
from app.models.base import Base, IdMixin

if TYPE_CHECKING:
    from app.models.user import User


class TokenKind(enum.StrEnum):
    REFRESH = "refresh"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind, no password
    EMAIL_VERIFICATION = "email_verification"


class Token(Base, IdMixin):
    """A secret that was given out once and works once; only its hash is stored.

    The refresh tokens that grew out of one login are a family, and a family is a session: it lives
    as long as one of its tokens is unused.
    """

    __tablename__ = "tokens"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[TokenKind]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info={"hidden": True})
    family: Mapped[uuid.UUID] = mapped_column(index=True, default=uuid.uuid4)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    signed_in_at: Mapped[datetime] = mapped_column(default=utcnow)
    user_agent: Mapped[str | None] = mapped_column(String(255))
    address: Mapped[str | None] = mapped_column(String(45))

    user: Mapped["User"] = relationship(back_populates="tokens")
