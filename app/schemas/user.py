from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    Field,
    SecretStr,
    StrictStr,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.models.user import Role, default_settings
from app.schemas.base import (
    Email,
    Flag,
    Float,
    InputSchema,
    Int,
    JsonId,
    Password,
    ReadSchema,
    SearchParams,
    UpdateSchema,
    left_out,
    line,
    sortable,
    text,
)

Username = Annotated[
    str, Field(min_length=3, max_length=50, pattern=r"^[A-Za-z0-9_.-]+$", examples=["ana_souza"])
]
PersonName = Annotated[str, line(255), Field(examples=["Ana Souza"])]
Bio = Annotated[str, text(2000), Field(examples=["Writes APIs live."])]
AvatarUrl = Annotated[
    str,
    StringConstraints(max_length=500, pattern=r"^https?://[!-~]+$"),
    Field(examples=["https://example.com/ana.png"]),
]
SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


def _one_fault(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """And not one for each type that it could have been."""
    try:
        return handler(value)
    except ValidationError:
        raise ValueError("is neither yes or no, nor a number, nor a line of text") from None


SettingValue = Annotated[
    Flag | Int | Float | Annotated[StrictStr, line(255)] | None, WrapValidator(_one_fault)
]
UserSettings = Annotated[
    dict[SettingName, SettingValue],
    Field(
        max_length=50,
        examples=[{"theme": "dark", "language": "pt_BR"}],
        json_schema_extra={"additionalProperties": False},
    ),
]


class UserRegister(InputSchema):
    """What anyone may choose about themselves."""

    username: Username
    email: Email
    password: Password
    full_name: PersonName | None = None
    display_name: PersonName | None = None
    bio: Bio | None = None
    avatar_url: AvatarUrl | None = None
    settings: UserSettings = Field(default_factory=default_settings)


class UserCreate(UserRegister):
    """What an administrator chooses besides."""

    role: Role = Role.USER
    is_active: Flag = True


class UserReplace(InputSchema):
    """A whole user. What is left out goes back to its default."""

    username: Username
    email: Email
    role: Role
    is_active: Flag
    full_name: PersonName | None = None
    display_name: PersonName | None = None
    bio: Bio | None = None
    avatar_url: AvatarUrl | None = None
    settings: UserSettings = Field(default_factory=default_settings)


class ProfileUpdate(UpdateSchema):
    """What users may change about themselves. Email and password take the password besides."""

    username: Username = left_out()
    full_name: PersonName | None = None
    display_name: PersonName | None = None
    bio: Bio | None = None
    avatar_url: AvatarUrl | None = None
    settings: UserSettings = left_out()


class UserUpdate(ProfileUpdate):
    """What an administrator may change besides."""

    email: Email = left_out()
    role: Role = left_out()
    is_active: Flag = left_out()


class UserRead(ReadSchema):
    id: int
    username: str
    email: str
    role: Role
    is_active: bool
    full_name: str | None
    display_name: str | None
    bio: str | None
    avatar_url: str | None
    settings: dict[str, Any]
    last_login_at: datetime | None
    email_verified_at: datetime | None
    created_at: datetime
    updated_at: datetime


class UserParams(SearchParams):
    role: Role | None = None
    is_active: bool | None = None
    sort: str = sortable("username", "email", "created_at", default="-created_at")


CurrentPassword = Annotated[
    SecretStr, Field(min_length=1, max_length=1024, examples=["old password"])
]


class PasswordChange(InputSchema):
    current_password: CurrentPassword
    new_password: Password


class EmailChange(InputSchema):
    current_password: CurrentPassword
    email: Email


class BulkStatus(InputSchema):
    ids: list[JsonId] = Field(min_length=1, max_length=1000, examples=[[1, 2, 3]])
    is_active: Flag


class BulkResult(ReadSchema):
    changed: int


class UserStats(ReadSchema):
    total: int
    active: int
    by_role: dict[Role, int]
