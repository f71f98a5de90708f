from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.columns import utcnow
from app.models.base import Base, IdMixin


class IdempotencyKey(Base, IdMixin):
    """A request that made something, under the key that its user gave it.

    What it made is a row, named by table and id, or else the answer itself.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index(None, "user_id", "created_at"),  # those of a user that have expired
    )

    # check: R46 because keys are found and deleted by statements, and shown to nobody
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    route: Mapped[str] = mapped_column(String(100))
    request_hash: Mapped[str] = mapped_column(String(64))
    created_table: Mapped[str | None] = mapped_column(String(64))
    created_id: Mapped[str | None] = mapped_column(String(36))
    answer: Mapped[Any | None] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
