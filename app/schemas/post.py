from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from app.models.post import PostStatus
from app.schemas.base import (
    Id,
    InputSchema,
    ReadSchema,
    SearchParams,
    UpdateSchema,
    digits_only,
    left_out,
    line,
    sortable,
    text,
)
from app.schemas.tag import TagName

Title = Annotated[str, line(200), Field(examples=["Programação é Ótima"])]
Content = Annotated[str, text(100_000), Field(examples=["First paragraph.\n\nSecond one."])]
Excerpt = Annotated[str, text(500), Field(examples=["Why it is fun to write programs."])]
TagNames = Annotated[list[TagName], Field(max_length=10, examples=[["python", "FastAPI"]])]
Slug = Annotated[
    str,
    line(220),
    Field(description="The post's slug, or its id.", examples=["programacao-e-otima"]),
]

# A tag is answered as it is sent, by its name: what was read can be sent back.
NameOfTag = Annotated[str, BeforeValidator(lambda tag: getattr(tag, "name", tag))]


class PostCreate(InputSchema):
    """A new post is a draft, until it is published."""

    title: Title
    content: Content
    excerpt: Excerpt | None = None
    tags: TagNames = []


class PostReplace(PostCreate):
    """A whole post. What is left out goes back to its default; the slug stays."""


class PostUpdate(UpdateSchema):
    title: Title = left_out()
    content: Content = left_out()
    excerpt: Excerpt | None = None
    tags: TagNames = left_out()


class AuthorRead(ReadSchema):
    """What everybody may know about a user."""

    id: int
    username: str = Field(examples=["ana_souza"])
    display_name: str | None = Field(examples=["Ana"])
    avatar_url: str | None


class PostSummary(ReadSchema):
    """A post in a list: all but its content."""

    id: int
    slug: str = Field(examples=["programacao-e-otima"])
    title: str
    excerpt: str | None
    status: PostStatus
    author: AuthorRead
    tags: list[NameOfTag]
    view_count: int
    like_count: int
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PostRead(PostSummary):
    content: str


class PostParams(SearchParams):
    tag: TagName | None = Field(None, description="Posts with this tag, by its name.")
    author_id: Id | None = None
    sort: str = sortable("published_at", default="-published_at")


class OwnPostParams(SearchParams):
    status: PostStatus | None = None
    sort: str = sortable("created_at", "updated_at", "title", default="-created_at")


class TrendingParams(InputSchema):
    days: Annotated[int, BeforeValidator(digits_only)] = Field(
        7, ge=1, le=30, description="Published within so many days.", examples=[7]
    )
    limit: Annotated[int, BeforeValidator(digits_only)] = Field(
        10, ge=1, le=50, description="Posts at most.", examples=[10]
    )


class StatusStats(ReadSchema):
    count: int = 0
    views: int = 0
    likes: int = 0


class PostStats(ReadSchema):
    by_status: dict[PostStatus, StatusStats]
