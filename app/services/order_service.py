from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, case, select, update
from sqlalchemy.orm import Session, selectinload

from app.core.columns import utcnow
from app.core.errors import ConflictError, FieldErrors, InvalidError
from app.models.order import Order, OrderItem, OrderStatus
from app.models.product import Product
from app.models.user import User
from app.schemas.base import INT32, Page
from app.schemas.order import OrderCreate, OrderItemCreate, OrderParams, OrderRead
from app.services.base import change_rows, get_or_404, paginate, save

TOTAL_MAX = Decimal("9999999999.99")  # what the column holds

# What an order may become, and from what.
STEPS = {
    OrderStatus.PAID: {OrderStatus.PENDING},
    OrderStatus.SHIPPED: {OrderStatus.PAID},
    OrderStatus.CANCELLED: {OrderStatus.PENDING, OrderStatus.PAID},
}


class OrderService:
    @staticmethod
    def list_orders(db: Session, user: User, params: OrderParams) -> Page[OrderRead]:
        orders = select(Order).where(*_visible_to(user)).options(selectinload(Order.items))
        return paginate(db, orders, params, OrderRead)

    @staticmethod
    def get_order(db: Session, user: User, order_id: int) -> Order:
        return _find_order(db, user, order_id)

    @staticmethod
    def create_order(db: Session, user: User, data: OrderCreate) -> Order:
        """Take from the stock and write the order: all of it or nothing.

        The products are locked before anything is judged, so what was judged still holds when it
        is written. (SQLite locks nothing by row: a session that writes has it to itself.)
        """
        wanted = {item.product_id: item.quantity for item in data.items}
        products = _lock_products(db, wanted, Product.is_active, Product.deleted_at.is_(None))
        _refuse_unknown(data.items, products)
        _refuse_too_many(data.items, products)
        _move_stock(db, {product_id: -quantity for product_id, quantity in wanted.items()})
        items = [
            OrderItem(**item.model_dump(), unit_price=products[item.product_id].price)
            for item in data.items
        ]
        return save(db, Order(user_id=user.id, items=items, total=_add_up(items)))

    @staticmethod
    def pay_order(db: Session, user: User, order_id: int) -> Order:
        order = _lock_order(db, user, order_id, OrderStatus.PAID)
        return save(db, order, status=OrderStatus.PAID, paid_at=utcnow())

    @staticmethod
    def ship_order(db: Session, user: User, order_id: int) -> Order:
        order = _lock_order(db, user, order_id, OrderStatus.SHIPPED)
        return save(db, order, status=OrderStatus.SHIPPED)

    @staticmethod
    def cancel_order(db: Session, user: User, order_id: int) -> Order:
        """Call the order off. What it took goes back, to products deleted since as well."""
        order = _lock_order(db, user, order_id, OrderStatus.CANCELLED)
        taken = {item.product_id: item.quantity for item in order.items}
        _lock_products(db, taken)
        _move_stock(db, taken)
        return save(db, order, status=OrderStatus.CANCELLED)


# --- Orders ----------------------------------------------------------------------------------


def _visible_to(user: User) -> list[ColumnElement[bool]]:
    return [] if user.is_superuser else [Order.user_id == user.id]


def _find_order(db: Session, user: User, order_id: int, *, lock: bool = False) -> Order:
    items = selectinload(Order.items)
    return get_or_404(db, Order, order_id, *_visible_to(user), options=[items], lock=lock)


def _lock_order(db: Session, user: User, order_id: int, status: OrderStatus) -> Order:
    """The order, which may become `status`, and stays as it is until this session ends."""
    order = _find_order(db, user, order_id, lock=True)
    if order.status not in STEPS[status]:
        raise ConflictError(f"The order is {order.status}: it cannot be {status}.")
    return order


def _add_up(items: list[OrderItem]) -> Decimal:
    total = sum((item.total for item in items), Decimal(0))
    if total > TOTAL_MAX:
        raise InvalidError(f"One order is at most {TOTAL_MAX:,}: split it.", field="items")
    return total


# --- Stock -----------------------------------------------------------------------------------


def _lock_products(
    db: Session, product_ids: Iterable[int], *where: ColumnExpressionArgument[bool]
) -> dict[int, Any]:
    """Id, price and stock of the products, by id, which nobody changes until this session ends.

    Always in the order of their ids: two that lock in different orders wait for each other.
    """
    statement = (
        select(Product.id, Product.price, Product.stock)
        .where(Product.id.in_(product_ids), *where)
        .order_by(Product.id)
        .with_for_update()
    )
    return {product.id: product for product in db.execute(statement)}


def _refuse_unknown(items: list[OrderItemCreate], products: dict[int, Any]) -> None:
    errors: FieldErrors = [
        (("items", index, "product_id"), "is not for sale")
        for index, item in enumerate(items)
        if item.product_id not in products
    ]
    if errors:
        raise InvalidError("Some products are not for sale.", errors=errors)


def _refuse_too_many(items: list[OrderItemCreate], products: dict[int, Any]) -> None:
    errors: FieldErrors = [
        (("items", index, "quantity"), f"{products[item.product_id].stock} are left")
        for index, item in enumerate(items)
        if item.quantity > products[item.product_id].stock
    ]
    if errors:
        raise ConflictError("There is too little in stock.", errors=errors)


def _move_stock(db: Session, quantities: dict[int, int]) -> None:
    """Add to the stock of locked products, by id, each its quantity. One statement."""
    quantity = case(quantities, value=Product.id)
    changed = change_rows(
        db,
        update(Product)
        .where(Product.id.in_(quantities), INT32 - Product.stock >= quantity)
        .values(stock=Product.stock + quantity, version=Product.version + 1),
    )
    if changed < len(quantities):
        raise ConflictError("The stock of a product cannot hold what would come back.")
