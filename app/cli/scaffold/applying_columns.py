"""Moving new fields into the tree, and their columns into the database; or neither."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text

from app.cli.console import CommandError
from app.cli.scaffold.addition import Addition
from app.cli.scaffold.applying import apply, check_database, tell_all
from app.cli.scaffold.changes import Changes
from app.cli.scaffold.stopping import uninterrupted
from app.cli.schema import connect
from app.core import database
from app.core.config import get_settings


def columns_of(addition: Addition) -> list[str]:
    """The columns that are new in its table."""
    found = []
    for each in addition.entity.columns:
        found += [each.name, f"{each.name}_key"] if each.keyed else [each.name]
    if addition.searched and not addition.is_searched:
        found.append("search_text")
    return found


def finish(
    changes: Changes, addition: Addition, trial: Callable[[], str], *, migrates: bool
) -> None:
    """Move new fields into the tree and the database, when their trial has ended well."""
    migrates = migrates and get_settings().migrates_on_start
    if migrates:
        check_columns(addition)
    try:
        passed = trial()
    except CommandError as error:
        raise CommandError(
            f"{error}\nWhere they are to change, too, and what was added is right: --no-test"
        ) from None
    with uninterrupted():
        said = apply_columns(changes, addition, migrates=migrates)
        tell_all(changes, said, passed)


def check_columns(addition: Addition) -> None:
    """Find out now what would stop the migration later."""
    connect()
    check_database({each.between for each in addition.entity.manys})
    table = addition.model.table
    with database.database.read_engine.connect() as connection:
        there = _columns(connection, table) & set(columns_of(addition))
    if there:
        raise CommandError(
            f"The table {table} has a column {min(there)} that the model does not know. "
            "Drop or rename it first."
        )


def apply_columns(changes: Changes, addition: Addition, *, migrates: bool) -> str:
    tables = {each.between for each in addition.entity.manys}
    if not migrates:
        return apply(changes, tables, migrates=False)
    with _undone(addition.model.table, set(columns_of(addition))):
        return apply(changes, tables, migrates=True)


@contextmanager
def _undone(table: str, columns: set[str]) -> Iterator[None]:
    """MySQL keeps the half of a migration that went well: take that away if the block fails."""
    engine = database.database.engine
    try:
        yield
    except BaseException:
        if engine.dialect.name in ("mysql", "mariadb"):
            with engine.begin() as connection:
                _drop(connection, table, _columns(connection, table) & columns)
        raise


def _drop(connection: Connection, table: str, columns: set[str]) -> None:
    inspector = inspect(connection)
    drops = [
        f"DROP FOREIGN KEY {key['name']}"
        for key in inspector.get_foreign_keys(table)
        if columns & set(key["constrained_columns"])
    ]
    # An index that loses all of its columns goes with them.
    drops += [f"DROP COLUMN {name}" for name in sorted(columns)]
    for each in drops:
        # check: R50 because a name is no parameter, and these are of the database itself
        connection.execute(text(f"ALTER TABLE {table} {each}"))


def _columns(connection: Connection, table: str) -> set[str]:
    inspector = inspect(connection)
    if not inspector.has_table(table):
        return set()
    return {each["name"] for each in inspector.get_columns(table)}
