from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import CTE, Numeric, Select, String, cast, func, literal_column, select
from sqlalchemy.orm import Session

from app.models.category import Category
from app.models.order import Order, OrderItem, OrderStatus
from app.models.product import Product
from app.schemas.order_report import SalesGroup, SalesParams, SalesReport

ROWS_MAX = 1000  # more products than anybody reads
SOLD = (OrderStatus.PAID, OrderStatus.SHIPPED)


def _paid(characters: int) -> Any:
    """The beginning of the moment in UTC, which each database writes as 2026-11-20 10:59:59."""
    # As literals: in a GROUP BY, PostgreSQL takes no parameter for the same as another.
    start: Any = literal_column("1")
    length: Any = literal_column(str(characters))
    return func.substr(cast(Order.paid_at, String), start, length)


KEYS = {
    SalesGroup.DAY: [_paid(len("2026-11-20")).label("name")],
    SalesGroup.MONTH: [_paid(len("2026-11")).label("name")],
    SalesGroup.PRODUCT: [Product.id, Product.name],
    SalesGroup.CATEGORY: [Category.id, Category.name],
}


class OrderReportService:
    @staticmethod
    def get_sales_report(db: Session, params: SalesParams) -> SalesReport:
        """One statement, whatever it is grouped by."""
        first, last = params.days
        sales = _sales(params.group_by, first, last)
        rows = db.execute(_with_shares(sales)).mappings().all()
        return SalesReport(
            from_=first,
            to=last,
            group_by=params.group_by,
            revenue=rows[0]["whole"] if rows else Decimal("0.00"),
            rows=[dict(row) for row in rows],
        )


def _sales(group_by: SalesGroup, first: date, last: date) -> CTE:
    """What was sold from the first to the last day, both included, by key."""
    start = datetime.combine(first, time.min, UTC)
    end = datetime.combine(last, time.max, UTC)
    revenue = func.sum(OrderItem.total)
    return (
        select(
            *KEYS[group_by],
            func.count(Order.id.distinct()).label("orders"),
            func.sum(OrderItem.quantity).label("quantity"),
            # Rounded for SQLite, which adds up floats: equal revenues are equal.
            func.round(revenue, 2, type_=Numeric(20, 2)).label("revenue"),
        )
        .select_from(Order)
        .join(Order.items)
        # Outer: databases may leave out an outer join that nothing is taken from.
        .outerjoin(OrderItem.product)
        .outerjoin(Product.category)
        .where(Order.status.in_(SOLD), Order.paid_at.between(start, end))
        .group_by(*KEYS[group_by])
        .cte("sales")
    )


def _with_shares(sales: CTE) -> Select[Any]:
    revenue, whole = sales.c.revenue, func.sum(sales.c.revenue).over()
    # The days in their order; else the best first, and among equals by id, which may be null.
    order = [revenue.desc(), func.coalesce(sales.c.id, 0)] if "id" in sales.c else [sales.c.name]
    return (
        select(
            sales,
            func.round(revenue / whole, 4).label("share"),
            func.sum(revenue).over(order_by=order, rows=(None, 0)).label("running_total"),
            whole.label("whole"),
        )
        .order_by(*order)
        .limit(ROWS_MAX)
    )
