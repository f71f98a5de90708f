import enum
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from app.core.columns import utcnow
from app.schemas.base import InputSchema, ReadSchema

DAYS_MAX = 366  # a year: what is asked for is bounded, and so is what the database reads


def _iso_only(value: object) -> object:
    """Pydantic also reads seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("write a day as 2026-11-20")
    return value


Day = Annotated[
    date,
    Field(
        ge=date(1970, 1, 1),
        examples=["2026-11-20"],
        # JSON Schema compares no dates.
        json_schema_extra={"pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}$"},
    ),
    BeforeValidator(_iso_only),
]


class SalesGroup(enum.StrEnum):
    DAY = "day"
    MONTH = "month"
    PRODUCT = "product"
    CATEGORY = "category"


class SalesParams(InputSchema):
    from_: Day | None = Field(
        None,
        alias="from",
        description="The first day, in UTC. By default, 29 days before the last.",
    )
    to: Day | None = Field(None, description="The last day. By default, today.")
    group_by: SalesGroup = SalesGroup.DAY

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last."""
        last = self.to or utcnow().date()
        return self.from_ or last - timedelta(days=29), last

    @model_validator(mode="after")
    def check_days(self) -> Self:
        first, last = self.days
        if not 0 <= (last - first).days < DAYS_MAX:
            raise ValueError(f"`from` to `to` are 1 to {DAYS_MAX} days")
        return self


class SalesRow(ReadSchema):
    id: int | None = Field(None, description="Of the product or category.")
    name: str | None = Field(
        description="Of the product or category, or as 2026-11-20 or 2026-11. "
        "Null for what has no category."
    )
    orders: int
    quantity: int
    revenue: Decimal
    share: float = Field(description="Of the whole revenue, which is 1.")
    running_total: Decimal = Field(description="The revenue of this row and of those before.")


class SalesReport(ReadSchema):
    from_: date = Field(serialization_alias="from")
    to: date
    group_by: SalesGroup
    revenue: Decimal
    rows: list[SalesRow]
