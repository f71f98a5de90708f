"""What a database error means, by the driver's code.

Never by the class of the exception: the drivers disagree (a broken CHECK is an IntegrityError of
psycopg and an OperationalError of PyMySQL).
"""

import re
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError

from app.core.errors import AppError, ConflictError, InvalidError, UnavailableError

# SQLSTATE of PostgreSQL, number of MySQL and MariaDB, name of SQLite.
UNIQUE = {"23505", 1062, "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
FOREIGN_KEY = {"23503", "23001", 1451, 1452, "SQLITE_CONSTRAINT_FOREIGNKEY"}
NOT_ACCEPTED = {
    *("23502", "23514", "22003", "22001"),
    *(1048, 1364, 4025, 3819, 1264, 1406),
    *("SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK"),
}
SCHEMA = {"42P01", "42703", 1146, 1054}  # no such table, no such column
LOCK_WAIT = {"55P03", 1205}  # somebody else held the lock for too long
DEADLOCK = {
    *("40P01", "40001", 1213, 1020, *LOCK_WAIT),
    *("SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT"),
}
TIMEOUT = {"57014", "25P03", 1317, 1969, 3024, "SQLITE_INTERRUPT"}
READ_ONLY = {"25006", 1792, "SQLITE_READONLY"}
AWAY = {
    "25006",  # a server that only reads, after a failover; 1290 and 1836 as well
    # 1045, 1049: PostgreSQL's driver has no code for a refused login or a missing database.
    *(0, 1021, 1040, 1045, 1049, 1053, 1114, 1203, 1290, 1836, 1927),
    *(2002, 2003, 2006, 2013, 4031),
}
AWAY_PREFIXES = (
    *("08", "53", "57P"),
    *("SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR"),
)

# The broken unique constraint: by name at the end, behind a value that may hold anything, or by
# columns on SQLite. PostgreSQL's driver names it by itself.
_CONSTRAINT = re.compile(r"for key '(?:\w+\.)?(\w+)'$")
_COLUMNS = re.compile(r"UNIQUE constraint failed: ([\w., ]+)")
_TABLE = re.compile(r"""(?:INSERT INTO|UPDATE)\s+["`]?(\w+)""", re.IGNORECASE)


def code_of(error: DBAPIError) -> str | int | None:
    """None: the driver failed before the database could name a reason."""
    original: Any = error.orig
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):  # PyMySQL; its sqlstate is too coarse
        return arguments[0]
    for name in ("sqlstate", "sqlite_errorname"):  # psycopg, sqlite3
        if hasattr(original, name):
            code: str | None = getattr(original, name)
            return code
    return None


def is_transient(error: Exception) -> bool:
    """Whether the same use case, run again as a whole, may succeed."""
    if isinstance(error, StaleDataError):
        return True
    return isinstance(error, DBAPIError) and code_of(error) in DEADLOCK


def is_away(error: DBAPIError) -> bool:
    """Whether it was no matter of the statement: nothing can be done with the database now."""
    code = code_of(error)
    return code in AWAY or (isinstance(code, str) and code.startswith(AWAY_PREFIXES))


def to_app_error(error: Exception) -> AppError | None:
    """The answer to a database error. None: it is a bug, and a 500."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("The database is busy.")
    if isinstance(error, StaleDataError):
        return ConflictError("Somebody else changed this at the same time. Read it and try again.")
    if isinstance(error, OverflowError):  # SQLite's driver, on an integer over 64 bits
        return InvalidError("A number is out of range.")
    return _from_driver(error) if isinstance(error, DBAPIError) else None


def _from_driver(error: DBAPIError) -> AppError | None:
    code = code_of(error)
    if code in UNIQUE:
        return ConflictError(_taken(error))
    if code in FOREIGN_KEY:
        # PostgreSQL and SQLite use one code for both directions; the statement tells them apart.
        if (error.statement or "").lstrip().upper().startswith("DELETE"):
            return ConflictError("Something else still refers to this.")
        return InvalidError("It refers to something that does not exist.")
    if code in NOT_ACCEPTED:
        return InvalidError("The database does not accept this value.")
    if code in SCHEMA or (code == "SQLITE_ERROR" and "no such" in str(error.orig)):
        return UnavailableError("The database has not the tables of this code: migrate it.")
    if code in DEADLOCK or code in TIMEOUT:
        return UnavailableError("The database is busy.", retry_after=1)
    if is_away(error):
        return UnavailableError("The database does not answer.")
    if code is None and type(error.orig).__name__ == "DataError":  # psycopg, on a NUL character
        return InvalidError("The database does not accept this value.")
    if code is None and (error.connection_invalidated or _is_operational(error)):
        return UnavailableError("The database does not answer.")
    return None


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")


def _taken(error: DBAPIError) -> str:
    """Name the fields, never their values: `This username is already taken.`"""
    columns = _unique_columns(error)
    names = [c.removesuffix("_key").removesuffix("_id").replace("_", " ") for c in columns]
    if len(names) > 1:
        return f"There is one with this {' and '.join(names)} already."
    return f"This {names[0]} is already taken." if names else "This already exists."


def _unique_columns(error: DBAPIError) -> list[str]:
    """The columns of the broken unique constraint; none for a primary key."""
    original: Any = error.orig
    if code_of(error) == "SQLITE_CONSTRAINT_UNIQUE":
        found = _COLUMNS.search(str(original))
        return [name.split(".")[-1] for name in found[1].split(", ")] if found else []
    if hasattr(original, "diag"):
        constraint = original.diag.constraint_name or ""
    else:
        found = _CONSTRAINT.search(str(original.args[-1]))
        constraint = found[1] if found else ""
    statement = error.statement or ""
    table = _TABLE.match(statement)
    if not table or not constraint.startswith(f"uq_{table[1]}_"):
        return []
    return _split(constraint.removeprefix(f"uq_{table[1]}_"), set(re.findall(r"\w+", statement)))


def _split(name: str, columns: set[str]) -> list[str]:
    """The naming convention joins columns by the character that they also hold themselves."""
    parts = name.split("_")
    for length in range(len(parts) - 1, 0, -1):
        column = "_".join(parts[:length])
        if name not in columns and column in columns:
            return [column, *_split("_".join(parts[length:]), columns)]
    return [name]
