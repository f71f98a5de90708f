"""`python run.py seed`"""

from app.cli.accounts import prepare_database
from app.cli.console import CommandError, console
from app.cli.planting import Plan, locales, plant
from app.cli.seeds.users import DEMO, PASSWORD
from app.core.config import get_settings


def seed_database(rows: int, seed: int, locale: str) -> None:
    if get_settings().environment != "development":
        raise CommandError(
            "seed makes accounts whose password everybody knows: it is for development only."
        )
    if locale not in locales():
        raise CommandError(f"There are no words for {locale}. There are: {', '.join(locales())}.")
    prepare_database()
    added = plant(Plan(rows, seed, locale))
    console.print(f"[green]✓[/] {added:,} rows added." if added else "Nothing to add.")
    console.print(
        f"Log in as [bold]{'[/], [bold]'.join(DEMO)}[/], with password [bold]{PASSWORD}[/]."
    )
