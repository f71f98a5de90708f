from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import (
    InputSchema,
    JsonId,
    ListParams,
    ReadSchema,
    UpdateSchema,
    left_out,
    sortable,
    text,
)
from app.schemas.post import AuthorRead

Body = Annotated[str, text(5000), Field(examples=["Well said.\n\nWhat about tests?"])]


class CommentCreate(InputSchema):
    body: Body
    parent_id: JsonId | None = Field(
        None,
        description="The comment that this is a reply to. A reply has no replies.",
        examples=[None],  # another one would have to be there
    )


class CommentUpdate(UpdateSchema):
    body: Body = left_out()


class CommentRead(ReadSchema):
    id: int
    post_id: int = Field(examples=[1])
    parent_id: int | None
    author: AuthorRead
    body: str
    created_at: datetime
    updated_at: datetime


class CommentParams(ListParams):
    sort: str = sortable("created_at", default="created_at")
