from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, field_validator

from app.models.order import OrderStatus
from app.schemas.base import (
    Id,
    InputSchema,
    JsonId,
    ListParams,
    Money,
    ReadSchema,
    sortable,
    whole,
)

OrderQuantity = Annotated[int, whole(1, 10_000), Field(examples=[2])]


class OrderItemCreate(InputSchema):
    product_id: JsonId
    quantity: OrderQuantity


class OrderCreate(InputSchema):
    items: list[OrderItemCreate] = Field(min_length=1, max_length=100)

    @field_validator("items")
    @classmethod
    def check_each_product_once(cls, items: list[OrderItemCreate]) -> list[OrderItemCreate]:
        if len({item.product_id for item in items}) < len(items):
            raise ValueError("name each product once")
        return items


class OrderItemRead(ReadSchema):
    product_id: int
    quantity: int
    unit_price: Decimal
    total: Decimal


class OrderRead(ReadSchema):
    id: int
    user_id: int | None
    status: OrderStatus
    total: Decimal
    items: list[OrderItemRead]
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime


class OrderParams(ListParams):
    user_id: Id | None = None
    status: OrderStatus | None = None
    min_total: Money | None = None
    max_total: Money | None = None
    sort: str = sortable("created_at", "total", default="-created_at")
