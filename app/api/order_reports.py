"""What was sold."""

from typing import Annotated

from fastapi import Query

from app.api.deps import Admin, SessionDep
from app.core.routing import APIRouter
from app.schemas.order_report import SalesParams, SalesReport
from app.services.order_report_service import OrderReportService

router = APIRouter(prefix="/orders/reports", tags=["sales"])


@router.get("/sales")
def get_sales_report(
    db: SessionDep, _: Admin, params: Annotated[SalesParams, Query()]
) -> SalesReport:
    """Revenue by day, month, product or category: paid and shipped orders, by the day of payment.

    Up to 366 days, and the 1,000 best of products and categories. Days without a sale have no row.
    """
    return OrderReportService.get_sales_report(db, params)
