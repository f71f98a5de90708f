"""Moving what is finished into the tree, and its migration into the database; or neither."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect
from sqlalchemy.exc import DBAPIError

from app.cli.console import CommandError, console
from app.cli.scaffold.changes import Changes, tell
from app.cli.scaffold.stopping import uninterrupted
from app.cli.schema import connect, current, migrate, reason
from app.core import database
from app.core.config import ROOT, get_settings

UNFINISHED = "alembic_unfinished"  # see alembic/env.py


def finish(changes: Changes, tables: set[str], trial: Callable[[], str], *, migrates: bool) -> None:
    """Move a new feature into the tree and the database, when its trial has ended well."""
    migrates = migrates and get_settings().migrates_on_start
    if migrates:
        check_database(tables)
    passed = trial()
    with uninterrupted():  # files and database change together
        said = apply(changes, tables, migrates=migrates)
        tell_all(changes, said, passed)


def tell_all(changes: Changes, said: str, passed: str) -> None:
    tell(changes)
    console.print(said or "Not migrated. When you want to: python run.py migrate")
    if passed:
        console.print(f"[green]✓[/] {passed}")


def check_database(tables: set[str]) -> None:
    """Find out now what would stop the migration later."""
    connect()
    with database.database.read_engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
    if found := sorted(tables & there):
        raise CommandError(
            f"The database has a table {found[0]} that no model knows. Drop or rename it first."
        )


def apply(changes: Changes, tables: set[str], *, migrates: bool) -> str:
    """Make the changes and migrate; what the migration said.

    The migration comes first and the router last: a server that reloads in between has the table
    before it has the routes. `alembic/` is no folder that it watches.
    """
    versions = ROOT / "alembic/versions"
    first = Changes(ROOT, [each for each in changes.each if each.path.parent == versions])
    rest = Changes(ROOT, [each for each in changes.each if each.path.parent != versions])
    migration = migrated(tables) if migrates else nullcontext("")
    with first.applied(), migration as said, rest.applied():
        changes.stamp()
    return said


@contextmanager
def migrated(tables: set[str]) -> Iterator[str]:
    """The database at the newest schema, and back where it was if the block fails."""
    before, marked = current() or "base", _is_marked()
    try:
        said = migrate()
    except Exception as error:
        _drop(tables)  # MySQL keeps the half of a migration that went well
        if not marked and _is_marked() and _is_newest_missing():
            _drop({UNFINISHED})  # the half of another one, which the next run goes on with, stays
        if isinstance(error, DBAPIError):
            raise CommandError(f"The migration fails: {reason(error)}.") from None
        raise
    try:
        yield said
    except BaseException:
        config = Config(str(ROOT / "alembic.ini"))
        url = database.database.engine.url
        config.attributes["url"] = url.render_as_string(hide_password=False)
        command.downgrade(config, before)
        raise


def _is_marked() -> bool:
    return inspect(database.database.engine).has_table(UNFINISHED)


def _is_newest_missing() -> bool:
    """Whether all migrations have run but the one that is new: that is the one that failed."""
    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    (newest,) = script.get_revisions("head")
    return current() == (newest.down_revision or "")


def _drop(tables: set[str]) -> None:
    found = MetaData()
    with database.database.engine.begin() as connection:
        there = tables & set(inspect(connection).get_table_names())
        if there:
            found.reflect(connection, only=sorted(there))
            found.drop_all(connection, tables=[found.tables[name] for name in sorted(there)])
