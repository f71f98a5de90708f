"""What users buy."""

from typing import Annotated

from fastapi import Query

from app.api.deps import Admin, CurrentUser, SessionDep
from app.core.routing import APIRouter
from app.models.order import Order
from app.schemas.base import Id, Page
from app.schemas.order import OrderCreate, OrderParams, OrderRead
from app.services.order_service import OrderService

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("")
def list_orders(
    db: SessionDep, user: CurrentUser, params: Annotated[OrderParams, Query()]
) -> Page[OrderRead]:
    """List your orders, filtered and sorted; the newest first. Administrators see all."""
    return OrderService.list_orders(db, user, params)


@router.get("/{order_id}", response_model=OrderRead)
def get_order(db: SessionDep, user: CurrentUser, order_id: Id) -> Order:
    """One of your orders."""
    return OrderService.get_order(db, user, order_id)


@router.post("", status_code=201, response_model=OrderRead)
def create_order(db: SessionDep, user: CurrentUser, data: OrderCreate) -> Order:
    """Order products: all of them or, if one is not to be had, none.

    409 when there is too little in stock. The prices are those of this moment.
    """
    return OrderService.create_order(db, user, data)


@router.post("/{order_id}/pay", response_model=OrderRead)
def pay_order(db: SessionDep, user: CurrentUser, order_id: Id) -> Order:
    """Pay a pending order."""
    return OrderService.pay_order(db, user, order_id)


@router.post("/{order_id}/ship", response_model=OrderRead)
def ship_order(db: SessionDep, admin: Admin, order_id: Id) -> Order:
    """Ship a paid order."""
    return OrderService.ship_order(db, admin, order_id)


@router.post("/{order_id}/cancel", response_model=OrderRead)
def cancel_order(db: SessionDep, user: CurrentUser, order_id: Id) -> Order:
    """Cancel an order that was not shipped. What it took goes back into the stock, once."""
    return OrderService.cancel_order(db, user, order_id)
