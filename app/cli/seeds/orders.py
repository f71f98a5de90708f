from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.order import Order, OrderItem, OrderStatus
from app.models.product import Product
from app.models.user import User

MODEL = Order
AFTER = ("products", "users")

DAYS = 90
SOLD = (OrderStatus.PAID, OrderStatus.SHIPPED)


def number(plan: Plan) -> int:
    return min(plan.rows * 3 // 2, 100_000)


def make(db: Session, plan: Plan) -> Iterator[Order]:
    """Orders of the last 90 days. The stock of the products is what they left."""
    chance = plan.chance("orders")
    some = select(Product.id, Product.price).order_by(Product.id).limit(10_000)
    products = [(row.id, row.price) for row in db.execute(some)]
    user_ids = db.scalars(select(User.id).order_by(User.id)).all()
    while products:
        created_at = chance.moment(DAYS, plan.today)
        age = plan.today - created_at
        items = [
            OrderItem(
                product_id=product_id, quantity=chance.choice([1, 1, 1, 2, 3]), unit_price=price
            )
            for product_id, price in chance.sample(
                products, min(len(products), chance.randint(1, 4))
            )
        ]
        status = _status(chance.random(), age)
        yield Order(
            user_id=chance.choice(user_ids),
            status=status,
            total=sum(item.unit_price * item.quantity for item in items),
            paid_at=created_at + timedelta(minutes=chance.randint(1, 40))
            if status in SOLD
            else None,
            created_at=created_at,
            items=items,
        )


def _status(luck: float, age: timedelta) -> OrderStatus:
    """Old orders are shipped or cancelled, new ones are on their way."""
    if luck < 0.08:
        return OrderStatus.CANCELLED
    if age > timedelta(days=4):
        return OrderStatus.SHIPPED
    return OrderStatus.PAID if luck < 0.7 else OrderStatus.PENDING
