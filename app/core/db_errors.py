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
DEADLOCK = {"40P01", "40001", "55P03", 1213, 1205, 1020, "SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT"}
TIMEOUT = {"57014", "25P03", 1969, 3024}
AWAY = {"57P01", "57P02", "57P03", "53300", 1040, 1053, 2002, 2003, 2006, 2013, 4031, 0}
AWAY_PREFIXES = ("08", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")

# The broken unique constraint: by name, or by columns on SQLite.
_CONSTRAINT = re.compile(r"""(?:constraint|for key) ["'](?:\w+\.)?uq_(\w+)["']""")
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


def to_app_error(error: Exception) -> AppError | None:
    """The answer to a database error. None: it is a bug, and a 500."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("The database is busy.")
    if isinstance(error, StaleDataError):
        return ConflictError("Somebody else changed this at the same time. Read it and try again.")
    if isinstance(error, OverflowError):  # SQLite's driver, on an integer over 64 bits
        return InvalidError("A number is out of range.", field="")
    return _from_driver(error) if isinstance(error, DBAPIError) else None


def _from_driver(error: DBAPIError) -> AppError | None:
    code = code_of(error)
    if code in UNIQUE:
        return ConflictError(_taken(error))
    if code in FOREIGN_KEY:
        # PostgreSQL and SQLite use one code for both directions; the statement tells them apart.
        if (error.statement or "").lstrip().upper().startswith("DELETE"):
            return ConflictError("Something else still refers to this.")
        return InvalidError("It refers to something that does not exist.", field="")
    if code in NOT_ACCEPTED:
        return InvalidError("The database does not accept this value.", field="")
    if code in DEADLOCK or code in TIMEOUT:
        return UnavailableError("The database is busy.", retry_after=1)
    if code in AWAY or (isinstance(code, str) and code.startswith(AWAY_PREFIXES)):
        return UnavailableError("The database does not answer.")
    if code is None and (error.connection_invalidated or _is_operational(error)):
        return UnavailableError("The database does not answer.")
    return None


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")


def _taken(error: DBAPIError) -> str:
    """Name the fields, never their values: `This username is already taken.`"""
    message = str(error.orig)
    if match := _COLUMNS.search(message):
        fields = [name.split(".")[-1] for name in match[1].split(", ")]
    elif match := _CONSTRAINT.search(message):
        table = _TABLE.match(error.statement or "")
        fields = [match[1].removeprefix(f"{table[1]}_" if table else "")]
    else:
        return "This already exists."
    names = [field.removesuffix("_key").replace("_", " ") for field in fields]
    return f"This {' and '.join(names)} is already taken."
