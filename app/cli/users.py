"""`python run.py user ...`"""

import sys
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.cli.console import CommandError, console
from app.cli.schema import connect, is_current, migrate
from app.core.config import get_settings
from app.core.database import session_scope
from app.core.db_errors import to_app_error
from app.core.errors import AppError, InvalidError
from app.models.user import Role
from app.schemas.user import UserCreate
from app.services.user_service import UserService

commands = typer.Typer(help="Make accounts.", no_args_is_help=True)


@commands.callback()
def user() -> None:
    """Make accounts."""


@commands.command()
def create(
    username: Annotated[str, typer.Option(metavar="NAME", help="3 to 50 letters, digits, _ - .")],
    email: Annotated[str, typer.Option(metavar="EMAIL", help="One that no other account has.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make an administrator.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make a user, or an administrator with --admin. The password is asked for."""
    if get_settings().migrates_on_start:
        migrate()
    connect()
    if not is_current():
        raise CommandError("The database is not at the newest schema. Run: python run.py migrate")
    password = read_password(password_stdin)
    try:
        data = UserCreate.model_validate(
            {"username": username, "email": email, "password": password}
            | {"role": Role.ADMIN if admin else Role.USER}
        )
        with session_scope() as db:
            made = UserService.create_user(db, data)
    except ValidationError as error:
        faults = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise CommandError("; ".join(faults).replace("Value error, ", "")) from None
    except InvalidError as error:
        raise CommandError(f"{error.field}: {error.detail}") from None
    except DBAPIError as error:
        answer = to_app_error(error)
        if answer is None:
            raise
        raise CommandError(answer.detail) from None
    except AppError as error:
        raise CommandError(error.detail) from None
    console.print(f"[green]✓[/] {made.username} ({made.role}) can log in.")


def read_password(from_stdin: bool) -> str:
    if from_stdin:
        try:
            # Decoded here: what text mode makes of other bytes depends on the locale.
            return sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise CommandError("password: is not UTF-8 text") from None
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for a password: use --password-stdin.")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password
