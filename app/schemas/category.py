from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import (
    InputSchema,
    ListParams,
    ReadSchema,
    UpdateSchema,
    left_out,
    line,
    sortable,
    text,
)

CategoryName = Annotated[str, line(100), Field(examples=["Books"])]
CategoryDescription = Annotated[str, text(2000), Field(examples=["Printed and bound."])]


class CategoryCreate(InputSchema):
    name: CategoryName
    description: CategoryDescription | None = None


class CategoryUpdate(UpdateSchema):
    name: CategoryName = left_out()
    description: CategoryDescription | None = None


class CategoryRead(ReadSchema):
    id: int
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime


class CategoryParams(ListParams):
    sort: str = sortable("name", "created_at", default="name")
