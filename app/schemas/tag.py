from typing import Annotated

from pydantic import Field

from app.schemas.base import ReadSchema, SearchParams, line, sortable

TagName = Annotated[str, line(50), Field(examples=["python"])]


class TagRead(ReadSchema):
    id: int
    name: str = Field(examples=["python"])
    post_count: int = Field(examples=[3])


class TagParams(SearchParams):
    sort: str = sortable("name", "post_count", default="name")
