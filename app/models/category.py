from typing import TYPE_CHECKING

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, IdMixin, SearchMixin, TimestampMixin, unique_key

if TYPE_CHECKING:
    from app.models.product import Product


class Category(Base, IdMixin, TimestampMixin, SearchMixin):
    __tablename__ = "categories"
    searched = ("name", "description")

    name: Mapped[str] = mapped_column(String(100), index=True)
    name_key: Mapped[str | None] = unique_key("name", 300)
    description: Mapped[str | None] = mapped_column(Text)

    products: Mapped[list["Product"]] = relationship(
        back_populates="category", passive_deletes=True
    )
