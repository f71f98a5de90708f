from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from app.schemas.base import (
    InputSchema,
    ListParams,
    ReadSchema,
    UpdateSchema,
    digits_only,
    left_out,
    sortable,
    text,
    whole,
)

Rating = Annotated[int, whole(1, 5), Field(examples=[5])]
RatingFilter = Annotated[int, Field(ge=1, le=5, examples=[4]), BeforeValidator(digits_only)]
Comment = Annotated[str, text(2000), Field(examples=["Read it twice. She did nothing wrong."])]


class ReviewCreate(InputSchema):
    rating: Rating
    comment: Comment | None = None


class ReviewUpdate(UpdateSchema):
    rating: Rating = left_out()
    comment: Comment | None = None


class ReviewAuthor(ReadSchema):
    """What everybody may see of a user."""

    id: int = Field(examples=[1])
    username: str = Field(examples=["ana_souza"])
    display_name: str | None = Field(examples=["Ana Souza"])


class ReviewRead(ReadSchema):
    id: int
    product_id: int
    user: ReviewAuthor
    rating: int
    comment: str | None
    created_at: datetime
    updated_at: datetime


class ReviewParams(ListParams):
    rating: RatingFilter | None = None
    min_rating: RatingFilter | None = None
    max_rating: RatingFilter | None = None
    sort: str = sortable("created_at", "rating", default="-created_at")
