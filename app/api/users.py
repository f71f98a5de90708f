"""Accounts: one's own, and all for administrators."""

from typing import Annotated

from fastapi import Query

from app.api.deps import (
    Admin,
    Anyone,
    ClientDep,
    CurrentUser,
    IfMatch,
    LaterDep,
    SessionDep,
)
from app.core.routing import APIRouter, hashes_passwords
from app.models.user import User
from app.schemas.base import Id, Page
from app.schemas.user import (
    BulkResult,
    BulkStatus,
    EmailChange,
    PasswordChange,
    ProfileUpdate,
    UserCreate,
    UserParams,
    UserRead,
    UserRegister,
    UserReplace,
    UserStats,
    UserUpdate,
)
from app.services.account_service import AccountService
from app.services.user_service import UserService

HardDelete = Annotated[bool, Query(description="Erase for good, with what only the account owns.")]

router = APIRouter(prefix="/users", tags=["users"])


@router.post(
    "/register",
    status_code=201,
    response_model=UserRead,
    responses={429: {}},
    dependencies=[Anyone],
)
@hashes_passwords
def register_user(db: SessionDep, data: UserRegister, client: ClientDep, later: LaterDep) -> User:
    """Make an account. A token to confirm the address is mailed."""
    return UserService.register_user(db, data, client, later)


@router.get("/me", response_model=UserRead)
def get_profile(user: CurrentUser) -> User:
    """Your own account."""
    return user


@router.patch("/me", response_model=UserRead)
def update_profile(
    db: SessionDep, user: CurrentUser, data: ProfileUpdate, if_match: IfMatch
) -> User:
    """Change some of your own data."""
    return UserService.update_profile(db, user, data, if_match)


@router.delete("/me", status_code=204)
def delete_profile(db: SessionDep, user: CurrentUser, if_match: IfMatch) -> None:
    """Delete your own account. Its username and email can be registered again."""
    UserService.delete_profile(db, user, if_match)


@router.post("/me/password", status_code=204, responses={429: {}})
@hashes_passwords
def change_password(
    db: SessionDep, user: CurrentUser, data: PasswordChange, client: ClientDep
) -> None:
    """Change your password. It ends all of your sessions, this one included."""
    AccountService.change_password(db, user, data, client)


@router.post("/me/email", response_model=UserRead, responses={429: {}})
@hashes_passwords
def change_email(
    db: SessionDep, user: CurrentUser, data: EmailChange, client: ClientDep, later: LaterDep
) -> User:
    """Change your email address. A token to confirm the new one is mailed to it."""
    return UserService.change_email(db, user, data, client, later)


@router.get("")
def list_users(db: SessionDep, _: Admin, params: Annotated[UserParams, Query()]) -> Page[UserRead]:
    """List users, filtered, searched and sorted; the newest first."""
    return UserService.list_users(db, params)


@router.post("", status_code=201, response_model=UserRead)
@hashes_passwords
def create_user(db: SessionDep, _: Admin, data: UserCreate) -> User:
    """Make an account for somebody, with any role."""
    return UserService.create_user(db, data)


@router.get("/stats")
def get_user_stats(db: SessionDep, _: Admin) -> UserStats:
    """How many users there are, how many of them are active, and how many have which role."""
    return UserService.get_stats(db)


@router.post("/bulk-status")
def set_user_status(db: SessionDep, admin: Admin, data: BulkStatus) -> BulkResult:
    """Activate or deactivate up to 1,000 users at once."""
    return BulkResult(changed=UserService.set_status(db, admin, data))


@router.get("/{user_id}", response_model=UserRead)
def get_user(db: SessionDep, _: Admin, user_id: Id) -> User:
    """One user."""
    return UserService.get_user(db, user_id)


@router.put("/{user_id}", response_model=UserRead)
def replace_user(
    db: SessionDep, admin: Admin, user_id: Id, data: UserReplace, if_match: IfMatch
) -> User:
    """Replace a user as a whole. What is left out goes back to its default."""
    return UserService.replace_user(db, admin, user_id, data, if_match)


@router.patch("/{user_id}", response_model=UserRead)
def update_user(
    db: SessionDep, admin: Admin, user_id: Id, data: UserUpdate, if_match: IfMatch
) -> User:
    """Change some of a user's data."""
    return UserService.update_user(db, admin, user_id, data, if_match)


@router.delete("/{user_id}", status_code=204)
def delete_user(
    db: SessionDep, admin: Admin, user_id: Id, if_match: IfMatch, hard: HardDelete = False
) -> None:
    """Delete a user. The account can be restored while nobody took its username or email."""
    UserService.delete_user(db, admin, user_id, if_match, hard=hard)


@router.post("/{user_id}/activate", response_model=UserRead)
def activate_user(db: SessionDep, _: Admin, user_id: Id) -> User:
    """Let a user sign in again."""
    return UserService.activate_user(db, user_id)


@router.post("/{user_id}/deactivate", response_model=UserRead)
def deactivate_user(db: SessionDep, admin: Admin, user_id: Id) -> User:
    """Keep a user from signing in, and end every session of theirs."""
    return UserService.deactivate_user(db, admin, user_id)


@router.post("/{user_id}/restore", response_model=UserRead)
def restore_user(db: SessionDep, _: Admin, user_id: Id) -> User:
    """Bring a deleted user back. 409 when username or email are taken by now."""
    return UserService.restore_user(db, user_id)


@router.post("/{user_id}/verify-email", response_model=UserRead)
def verify_user_email(db: SessionDep, _: Admin, user_id: Id) -> User:
    """Take the user's address for confirmed."""
    return UserService.verify_email(db, user_id)
