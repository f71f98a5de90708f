from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    Base,
    IdMixin,
    SearchMixin,
    SoftDeleteMixin,
    TimestampMixin,
    unique_key,
)
from app.models.category import Category
from app.models.review import Review


class Product(Base, IdMixin, TimestampMixin, SoftDeleteMixin, SearchMixin):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price > 0", name="price_positive"),
        CheckConstraint("stock >= 0", name="stock_not_negative"),
        # A category's products, in the order of the list.
        Index(None, "category_id", "created_at"),
    )
    searched = ("name", "description")

    name: Mapped[str] = mapped_column(String(255), index=True)
    name_key: Mapped[str | None] = unique_key("name", 765)
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(index=True)
    stock: Mapped[int] = mapped_column(default=0, index=True)
    is_active: Mapped[bool] = mapped_column(default=True, index=True)
    category_id: Mapped[int | None] = mapped_column(
        ForeignKey("categories.id", ondelete="SET NULL")
    )

    category: Mapped[Category | None] = relationship(back_populates="products")
    reviews: Mapped[list[Review]] = relationship(
        back_populates="product", cascade="all, delete-orphan", passive_deletes=True
    )

    @hybrid_property
    def in_stock(self) -> bool:
        return self.stock > 0
