"""The database as the commands need it: reachable, and with the schema of the models."""

import re
import time

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError as AlembicError
from sqlalchemy.exc import DBAPIError

from app.cli.console import CommandError
from app.core import database
from app.core.config import ROOT, get_settings

PATIENCE = 3.0  # seconds; a database that starts beside the app needs a moment

# By what the drivers say: before there is a connection, they have no codes for it.
REMEDIES = {
    "password authentication failed|Access denied|role .* does not exist|no password": (
        "Set user and password in DATABASE_URL."
    ),
    "does not exist|Unknown database": "Make it first, or set DATABASE_URL in .env.",
    "not a database|unable to open": "Set DATABASE_URL to a file in a folder that is there.",
}


def connect() -> None:
    """Wait for the database, or say in one line that it does not answer."""
    try:
        database.wait_for_database(PATIENCE)
    except DBAPIError as error:
        url, said = get_settings().shown_url, reason(error)
        for words, remedy in REMEDIES.items():
            if re.search(words, said):
                raise CommandError(f"{url}: {said}. {remedy}") from None
        raise CommandError(
            f"The database does not answer: {url} ({said}). "
            "Start it, or set DATABASE_URL in .env; without one, SQLite is used."
        ) from None
    except TypeError as error:
        raise CommandError(f"The driver does not take an option of DATABASE_URL: {error}") from None


def reason(error: DBAPIError) -> str:
    """What the driver says, in one line. PyMySQL puts a number before it."""
    said = error.orig.args[-1] if error.orig and error.orig.args else ""
    return str(said).strip().splitlines()[0] if str(said).strip() else "it does not say why"


def migrate(revision: str = "head") -> str:
    """Apply the migrations, and tell in one line what was done."""
    connect()
    config = Config(str(ROOT / "alembic.ini"))
    # The same database that `current` asks.
    url = database.database.engine.url
    config.attributes["url"] = url.render_as_string(hide_password=False)
    before = current()
    started = time.perf_counter()
    try:
        if revision == "base" or revision.startswith("-") or _is_behind(config, revision, before):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
    except AlembicError as error:
        if before and f"'{before}'" in str(error):
            raise CommandError(
                f"The database is at revision {before}, which alembic/versions does not have. "
                "Go to the branch that has it, or set DATABASE_URL to another database."
            ) from None
        raise CommandError(f"Alembic: {error}") from None
    after = current()
    if after == before:
        return f"Database schema: {after or 'empty'}, nothing to do."
    seconds = time.perf_counter() - started
    return f"Database schema: {before or 'empty'} → {after or 'empty'} ({seconds:.1f} s)."


def _is_behind(config: Config, revision: str, before: str) -> bool:
    """Whether the database has been there already: then the way goes down."""
    script = ScriptDirectory.from_config(config)
    if not before or revision in ("head", before) or revision.startswith("+"):
        return False
    return revision in {each.revision for each in script.iterate_revisions(before, "base")}


def current() -> str:
    with database.database.read_engine.connect() as connection:
        return ", ".join(MigrationContext.configure(connection).get_current_heads())


def is_current() -> bool:
    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    return current() == ", ".join(script.get_heads())
