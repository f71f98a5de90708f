import enum
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, IdMixin, TimestampMixin
from app.models.product import Product
from app.models.user import User


class OrderStatus(enum.StrEnum):
    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Order(Base, IdMixin, TimestampMixin):
    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'paid', 'shipped', 'cancelled')", name="status"),
        CheckConstraint("total > 0", name="total_positive"),
        # What was sold was sold on a day: the report counts by it.
        CheckConstraint(
            "paid_at IS NOT NULL OR status IN ('pending', 'cancelled')", name="paid_at_known"
        ),
        # A user's orders, and those of one status, in the order of the list.
        Index(None, "user_id", "created_at"),
        Index(None, "status", "created_at"),
        Index(None, "status", "paid_at"),  # what was sold in a time, for the report
    )

    # A sale outlives the account of who bought: erased, it leaves the orders to nobody.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[OrderStatus] = mapped_column(default=OrderStatus.PENDING)
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), index=True)
    # No more moments: shipped and cancelled are final, so `updated_at` tells theirs.
    paid_at: Mapped[datetime | None]

    user: Mapped[User | None] = relationship(back_populates="orders")
    items: Mapped[list["OrderItem"]] = relationship(
        back_populates="order",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="OrderItem.id",
    )


class OrderItem(Base, IdMixin):
    """A line of an order."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price > 0", name="unit_price_positive"),
        Index(None, "order_id", "product_id", unique=True),  # the index of order_id as well
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    # Products are marked as deleted; one that was sold cannot be erased.
    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="RESTRICT"), index=True
    )
    quantity: Mapped[int]
    unit_price: Mapped[Decimal]  # as it was when the order was made

    order: Mapped[Order] = relationship(back_populates="items")
    product: Mapped[Product] = relationship(back_populates="order_items")

    @hybrid_property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity
