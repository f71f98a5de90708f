"""`python run.py user ...`"""

import sys
from typing import Annotated

import typer

from app.cli.console import CommandError, console

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
    # Imported here: the services would make every start of the server a tenth slower.
    from app.cli.accounts import check_names, make_account, prepare_database

    prepare_database()
    check_names(username, email)  # before a password is typed twice for nothing
    made = make_account(username, email, read_password(password_stdin), admin=admin)
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
