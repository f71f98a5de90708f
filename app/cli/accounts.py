"""Accounts made on the command line, by the same rules as those made over HTTP."""

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.cli.console import CommandError
from app.cli.schema import connect, is_current, migrate
from app.core.config import get_settings
from app.core.database import session_scope
from app.core.db_errors import to_app_error
from app.core.errors import AppError, InvalidError
from app.models.user import Role, User
from app.schemas.user import UserCreate, UserUpdate
from app.services.base import exists
from app.services.user_service import UserService


def prepare_database() -> None:
    """Make sure that there is a table to write to, before a password is asked for."""
    if get_settings().migrates_on_start:
        migrate()
    connect()
    if not is_current():
        raise CommandError("The database is not at the newest schema. Run: python run.py migrate")


def check_names(username: str, email: str) -> None:
    try:
        names = UserUpdate(username=username, email=email)
    except ValidationError as error:
        raise CommandError(_faults(error)) from None
    with session_scope() as db:
        for field, taken in (
            ("username", User.username_key == names.username.casefold()),
            ("email", User.email_key == names.email.casefold()),
        ):
            if exists(db, User, taken):
                raise CommandError(f"This {field} is already taken.")


def _faults(error: ValidationError) -> str:
    faults = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
    return "; ".join(faults).replace("Value error, ", "")


def make_account(username: str, email: str, password: str, *, admin: bool) -> User:
    values = {"username": username, "email": email, "password": password}
    values["role"] = Role.ADMIN if admin else Role.USER
    try:
        with session_scope() as db:
            return UserService.create_user(db, UserCreate.model_validate(values))
    except ValidationError as error:
        raise CommandError(_faults(error)) from None
    except InvalidError as error:
        raise CommandError(f"{error.field}: {error.detail}") from None
    except AppError as error:
        raise CommandError(error.detail) from None
    except DBAPIError as error:
        answer = to_app_error(error)
        if answer is None:
            raise
        raise CommandError(answer.detail) from None
