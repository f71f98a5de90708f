"""Bases of the schemas, lists and pages. The types of `app.schemas.types` are here as well."""

import re
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from app.schemas.types import (
    INT32,
    INT53,
    Count,
    Day,
    Email,
    Flag,
    Float,
    Id,
    Int,
    JsonId,
    JsonObject,
    Moment,
    Money,
    Password,
    Price,
    QueryBigInt,
    QueryFloat,
    QueryInt,
    TimeOfDay,
    Uuid,
    amount,
    digits_only,
    line,
    real,
    slug,
    text,
    url,
    whole,
)

__all__ = [
    "INT32",
    "INT53",
    "Count",
    "Day",
    "Email",
    "Flag",
    "Float",
    "Id",
    "InputSchema",
    "Int",
    "JsonId",
    "JsonObject",
    "ListParams",
    "Moment",
    "Money",
    "Page",
    "Password",
    "Price",
    "QueryBigInt",
    "QueryFloat",
    "QueryInt",
    "ReadSchema",
    "SearchParams",
    "TimeOfDay",
    "UpdateSchema",
    "Uuid",
    "amount",
    "digits_only",
    "left_out",
    "line",
    "real",
    "slug",
    "sortable",
    "text",
    "url",
    "whole",
]


class InputSchema(BaseModel):
    """What a client sends. Unknown fields are refused: a typo must not pass in silence."""

    model_config = ConfigDict(extra="forbid")


def left_out() -> Any:
    """The default of a field that a client may leave out, but not set to `null`."""
    return Field(default=None)


def _describe_update(schema: dict[str, Any]) -> None:
    """What is left out of a PATCH stays as it is: it has no default."""
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        field.pop("default", None)


class UpdateSchema(InputSchema):
    """What a PATCH sends: some of the fields, and at least one."""

    model_config = ConfigDict(json_schema_extra=_describe_update)

    @model_validator(mode="after")
    def check_not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("send at least one field")
        return self

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ReadSchema(BaseModel):
    """What a client gets: types without rules, so that no stored row can break an answer."""

    model_config = ConfigDict(from_attributes=True)


def sortable(*columns: str, default: str) -> Any:
    """The `sort` of a list: some of `columns`, each with `-` for descending. They are not null."""
    one = rf"-?({'|'.join(columns)})"
    return Field(
        default=default,
        description=f"Sort by {', '.join(columns)}; with `-`, descending.",
        examples=[default],
        json_schema_extra={"pattern": rf"^{one}(,{one}){{0,3}}$"},
    )


class ListParams(InputSchema):
    """The query parameters of a list. A feature adds its filters as fields.

    A field named like a column keeps the rows that are equal, `min_x` and `max_x` those in range.
    """

    skip: Annotated[int, BeforeValidator(digits_only)] = Field(
        0,
        ge=0,
        le=INT32,
        description="Rows to leave out. For deep pages, follow `next_cursor`.",
        examples=[0],
    )
    limit: Annotated[int, BeforeValidator(digits_only)] = Field(
        20, ge=1, le=100, description="Rows in a page.", examples=[20]
    )
    cursor: str | None = Field(
        None,
        max_length=20_000,  # four columns of 768 characters, of four bytes each
        description="`next_cursor` of the page before, instead of `skip`.",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"},
    )
    sort: str

    @field_validator("sort")
    @classmethod
    def check_sort(cls, value: str) -> str:
        field = cls.model_fields["sort"]
        extra = field.json_schema_extra
        assert isinstance(extra, dict), "declare it as `sort: str = sortable(...)`"
        if not re.fullmatch(str(extra["pattern"]), value):
            raise ValueError(str(field.description))
        return value

    @model_validator(mode="after")
    def check_one_way_to_page(self) -> Self:
        if self.cursor is not None and "skip" in self.model_fields_set:
            raise ValueError("send either skip or cursor")
        return self


class SearchParams(ListParams):
    q: Annotated[str, line(100)] | None = Field(
        None, description="Text to search for, without regard to case and accents."
    )


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    total: int | None = Field(description="Rows of the whole list. Null when paging by cursor.")
    skip: int | None = Field(description="Rows left out. Null when paging by cursor.")
    limit: int
    next_cursor: str | None = Field(description="For the next page. Null on the last one.")
