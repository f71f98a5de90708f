from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from app.schemas.base import (
    INT32,
    Count,
    Flag,
    Id,
    InputSchema,
    JsonId,
    Money,
    Price,
    ReadSchema,
    SearchParams,
    UpdateSchema,
    digits_only,
    left_out,
    line,
    sortable,
    text,
)

ProductName = Annotated[str, line(255), Field(examples=["Dom Casmurro"])]
ProductDescription = Annotated[str, text(2000), Field(examples=["A novel of 1899."])]
Quantity = Annotated[
    int,
    Field(ge=-INT32, le=INT32, description="Below zero to take away.", examples=[-1]),
    BeforeValidator(digits_only),
]
AverageRating = Annotated[
    float, AfterValidator(lambda mean: round(mean, 2)), Field(examples=[4.33])
]


class ProductCreate(InputSchema):
    name: ProductName
    description: ProductDescription | None = None
    price: Price
    stock: Count = 0
    is_active: Flag = True
    category_id: JsonId | None = None


class ProductUpdate(UpdateSchema):
    name: ProductName = left_out()
    description: ProductDescription | None = None
    price: Price = left_out()
    stock: Count = left_out()
    is_active: Flag = left_out()
    category_id: JsonId | None = None


class ProductRead(ReadSchema):
    id: int
    name: str
    description: str | None
    price: Decimal
    stock: int
    in_stock: bool
    is_active: bool
    category_id: int | None
    review_count: int = Field(examples=[3])
    average_rating: AverageRating | None
    created_at: datetime
    updated_at: datetime


class ProductFilters(SearchParams):
    in_stock: bool | None = None
    is_active: bool | None = None
    min_price: Money | None = None
    max_price: Money | None = None
    sort: str = sortable("name", "price", "created_at", default="-created_at")


class ProductParams(ProductFilters):
    category_id: Id | None = None


class ProductSearch(ProductParams):
    q: Annotated[str, line(100), Field(examples=["casmurro"])]


class ProductBulk(InputSchema):
    items: list[ProductCreate] = Field(min_length=1, max_length=1000)


class ProductBulkResult(ReadSchema):
    created: int
    ids: list[int]
