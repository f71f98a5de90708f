import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.schemas.base import Email, InputSchema, ListParams, Password, ReadSchema, sortable

MailedToken = Annotated[str, Field(min_length=1, max_length=200, examples=["kX0v…"])]


class TokenPair(ReadSchema):
    """expires_in: seconds until the access token ends."""

    access_token: str = Field(examples=["eyJhbGciOi…"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(examples=[900])
    refresh_token: str = Field(examples=["kX0v…"])


class RefreshRequest(InputSchema):
    refresh_token: MailedToken


class EmailRequest(InputSchema):
    email: Email


class TokenConfirm(InputSchema):
    token: MailedToken


class PasswordResetConfirm(InputSchema):
    token: MailedToken
    new_password: Password


class SessionRead(ReadSchema):
    """A login and what grew out of it. `id` ends it at `DELETE /auth/sessions/{id}`."""

    family: uuid.UUID = Field(serialization_alias="id")
    signed_in_at: datetime
    created_at: datetime = Field(serialization_alias="last_used_at")
    expires_at: datetime
    user_agent: str | None = Field(examples=["Firefox"])
    address: str | None = Field(examples=["192.0.2.7"])


class SessionParams(ListParams):
    sort: str = sortable("created_at", default="-created_at")
