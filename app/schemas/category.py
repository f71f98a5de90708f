from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import (
    InputSchema,
    ReadSchema,
    SearchParams,
    UpdateSchema,
    left_out,
    line,
    sortable,
    text,
)

CategoryName = Annotated[str, line(100), Field(examples=["My category"])]
CategoryDescription = Annotated[str, text(10_000), Field(examples=["What is to be known."])]


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


class CategoryParams(SearchParams):
    sort: str = sortable("name", "created_at", default="-created_at")
