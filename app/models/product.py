from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    cast,
    func,
    select,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    Mapped,
    MappedSQLExpression,
    column_property,
    declared_attr,
    mapped_column,
    relationship,
)

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

if TYPE_CHECKING:
    from app.models.order import OrderItem


def _of_reviews(value: ColumnElement[Any], product_id: Any) -> MappedSQLExpression[Any]:
    """What the reviews of a product amount to, fetched along with its columns."""
    query = select(value).where(Review.product_id == product_id).correlate_except(Review)
    # A change of the product changes none of it: what was fetched before stays good.
    return column_property(query.scalar_subquery(), expire_on_flush=False)


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
    order_items: Mapped[list["OrderItem"]] = relationship(
        back_populates="product", passive_deletes="all"
    )

    def __init__(self, **values: Any) -> None:
        # A new one has no reviews; asking the database for them would cost another statement.
        super().__init__(**{"review_count": 0, "average_rating": None} | values)

    @hybrid_property
    def in_stock(self) -> bool:
        return self.stock > 0

    @declared_attr
    def review_count(cls) -> Mapped[int]:
        return _of_reviews(func.count(), cls.id)

    @declared_attr
    def average_rating(cls) -> Mapped[float | None]:
        # Of floats: the databases cut the digits of other averages each in its own way.
        return _of_reviews(func.avg(cast(Review.rating, Double)), cls.id)
