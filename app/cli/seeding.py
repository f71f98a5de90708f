"""`python run.py seed`"""

from sqlalchemy import select

from app.cli.accounts import prepare_database
from app.cli.console import CommandError, console
from app.cli.planting import Plan, locales, plant
from app.cli.seeds.users import DEMO
from app.core import database
from app.core.config import get_settings
from app.core.security import DEMO_PASSWORD, verify_password
from app.models.user import User


def seed_database(rows: int, seed: int, locale: str) -> None:
    if get_settings().environment != "development":
        raise CommandError(
            "seed makes accounts whose password everybody knows: it is for development only."
        )
    if locale not in locales():
        raise CommandError(f"There are no words for {locale}. There are: {', '.join(locales())}.")
    prepare_database()
    added = plant(Plan(rows, seed, locale))
    rows_added = "1 row" if added == 1 else f"{added:,} rows"
    console.print(f"[green]✓[/] {rows_added} added." if added else "Nothing to add.")
    if logins := demo_logins():
        console.print(f"Log in as {', '.join(logins)}, with password {DEMO_PASSWORD}.")


def demo_logins() -> list[str]:
    """The demo accounts that have the demo password: a name may be somebody's own."""
    with database.database.reading() as db:
        users = db.scalars(select(User).where(User.username.in_(DEMO)).order_by(User.id)).all()
    return [
        user.username for user in users if verify_password(DEMO_PASSWORD, user.hashed_password)[0]
    ]
