"""One statement of SQL that only reads: for agents, and for whoever would not break a thing.

The database itself refuses to write: SQLite because the file was opened for reading, the others
because the transaction is READ ONLY. What that does not cover, such as a server that is told to
write a file, is kept away by the words that a statement may begin with.
"""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.cli.console import CommandError
from app.cli.schema import reason
from app.core.config import get_settings
from app.core.engines import make_engine

SECONDS = 5  # that a statement may take
MOST_ROWS = 1000
LONGEST_TEXT = 2000  # characters of one value
READS = ("select", "with", "values", "table", "explain", "show", "describe", "desc", "pragma")
WRITES = ("insert", "update", "delete", "replace", "merge")  # the database says no, in its words
# What SQLite has instead of `information_schema`. Its other pragmas change something.
PRAGMAS = (
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
    *("foreign_key_list", "database_list", "compile_options"),
    "read_uncommitted",  # SQLAlchemy asks it of each connection
)


def run_query(sql: str, limit: int = 100) -> dict[str, Any]:
    """Names of the columns, rows as lists, and whether there were more than `limit` of them.

    CommandError, with what the database says, for a statement that it refuses.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise CommandError(f"limit is from 1 to {MOST_ROWS}.")
    check_words(sql)
    with reading() as connection:
        try:
            names, rows = _fetch(connection, sql, limit + 1)
        except (connection.dialect.loaded_dbapi.Error, sqlite3.Warning) as error:
            said = str(error.args[-1] if error.args else error).strip()
            raise CommandError(f"The database refuses it: {said}") from None
    shown = [[_shorten(value) for value in row] for row in rows[:limit]]
    return {"columns": names, "rows": shown, "truncated": len(rows) > limit}


def check_words(sql: str) -> None:
    comments = r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\()*"
    first = re.match(r"\w*", re.sub(comments, "", sql, flags=re.DOTALL))
    word = first[0].lower() if first else ""
    if not word:
        raise CommandError("There is no statement.")
    if word not in READS + WRITES:
        raise CommandError(f"{word.upper()} is no query. One begins with SELECT, WITH or EXPLAIN.")
    if re.search(r"outfile|dumpfile", sql, re.IGNORECASE):
        raise CommandError("A query writes no files.")


def describe_database() -> dict[str, Any]:
    """The tables as they are in the database, whatever the models say."""
    with reading() as connection:
        found = inspect(connection)
        return {name: _table(found, name) for name in sorted(found.get_table_names())}


def _table(found: Any, name: str) -> dict[str, Any]:
    columns = found.get_columns(name)
    return {
        "columns": {
            each["name"]: f"{each['type']}{'' if each['nullable'] else ' NOT NULL'}"
            for each in columns
        },
        "primary_key": found.get_pk_constraint(name)["constrained_columns"],
        "indexes": {
            each["name"]: ("unique " if each["unique"] else "") + ", ".join(each["column_names"])
            for each in found.get_indexes(name)
        },
        "unique": [each["column_names"] for each in found.get_unique_constraints(name)],
        "checks": [each["sqltext"] for each in found.get_check_constraints(name)],
        "foreign_keys": [
            f"{', '.join(each['constrained_columns'])} → {each['referred_table']}"
            f" ({each['options'].get('ondelete', 'NO ACTION')})"
            for each in found.get_foreign_keys(name)
        ],
    }


# --- A connection that cannot write ----------------------------------------------------------


@contextmanager
def reading() -> Iterator[Connection]:
    engine = _engine()
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise CommandError(f"The database does not answer: {reason(error)}") from None
    finally:
        engine.dispose()


def _engine() -> Engine:
    limits = {"db_statement_timeout": SECONDS, "db_lock_timeout": 1, "diagnostics": False}
    settings = get_settings().model_copy(update=limits)
    if settings.url.get_backend_name() != "sqlite":
        return make_engine(settings.database_url, settings, read_only=True, poolclass=NullPool)
    if settings.is_in_memory:
        raise CommandError("The database is in the memory of another process. Take a file.")
    path = Path(str(settings.url.database))
    if not path.exists():
        raise CommandError(f"There is no {path.name} yet. Run: python run.py migrate")
    return create_engine("sqlite://", creator=lambda: _open(path), poolclass=NullPool)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)
    end = time.monotonic() + SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, name: str | None, *_: str | None) -> int:
    """Another file is another database, which would not be read-only."""
    if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and name not in PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _fetch(connection: Connection, sql: str, most: int) -> tuple[list[str], list[Any]]:
    """Names and rows. No more of them are held than asked for, whatever the statement finds."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        driver.execute("BEGIN READ ONLY")
        with driver.cursor() as cursor:
            # By the extended protocol, which takes one statement.
            rows = list(islice(cursor.stream(sql), most))
            return _names(cursor) or _names_without_rows(driver, sql), rows
    if connection.dialect.name == "sqlite":
        cursor = driver.execute(sql)
        return _names(cursor), cursor.fetchmany(most)
    from pymysql.cursors import SSCursor  # type: ignore[import-untyped]

    driver.query("START TRANSACTION READ ONLY")
    with closing(driver.cursor(SSCursor)) as cursor:
        cursor.execute(sql)
        return _names(cursor), cursor.fetchmany(most)


def _names(cursor: Any) -> list[str]:
    return [column[0] for column in cursor.description or ()]


def _names_without_rows(driver: Any, sql: str) -> list[str]:
    """psycopg tells the names of a stream along with its first row."""
    driver.pgconn.prepare(b"", sql.encode())
    described = driver.pgconn.describe_prepared(b"")
    return [described.fname(number).decode() for number in range(described.nfields)]


def _shorten(value: Any) -> Any:
    """As JSON has it."""
    plain = to_jsonable_python(value, fallback=str, bytes_mode="base64")
    if isinstance(plain, str) and len(plain) > LONGEST_TEXT:
        return f"{plain[:LONGEST_TEXT]}… ({len(plain):,} characters)"
    return plain
