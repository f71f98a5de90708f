"""Engines that behave the same on SQLite, PostgreSQL, MySQL and MariaDB."""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import StaticPool

import app.core.columns  # noqa: F401 - how each database spells our column types
from app.core.config import MEMORY, Settings
from app.core.db_errors import is_away
from app.core.diagnostics import watch

PING_AFTER = 30.0  # seconds in the pool after which a connection is tested before use
CONNECT_TIMEOUT = 5  # seconds


def make_engine(url: str, settings: Settings, *, read_only: bool = False, **options: Any) -> Engine:
    """An engine that behaves the same on each database: UTC, timeouts, enforced foreign keys."""
    backend = make_url(url).get_backend_name()
    options["echo"] = settings.db_echo
    # A failed statement is logged, and its values may be a password's hash.
    options["hide_parameters"] = settings.is_production or not settings.db_echo
    if backend == "sqlite":
        return _make_sqlite_engine(url, settings, read_only, options)
    if "poolclass" not in options:
        options |= {
            "pool_size": settings.db_pool_size,
            "max_overflow": settings.db_max_overflow,
            "pool_timeout": settings.db_pool_timeout,
            "pool_recycle": settings.db_pool_recycle,
        }
    if read_only:
        # Nothing is ever open on these connections, so nothing has to be rolled back: neither by
        # the session nor by the pool. On MySQL that would be a round trip.
        options |= {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
        options["skip_autocommit_rollback"] = True
    elif backend in ("mysql", "mariadb"):
        # MySQL's REPEATABLE READ shows old rows even after waiting for a lock.
        options["isolation_level"] = "READ COMMITTED"
    if backend == "postgresql":
        options["connect_args"] = _postgresql_arguments(url, settings, read_only)
    else:
        options["connect_args"] = {
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_TIMEOUT,
            # The driver's limit of connecting ends before the server has said anything. What a
            # statement may take is set afterwards, in `_configure_mysql`.
            "read_timeout": CONNECT_TIMEOUT,
            "write_timeout": CONNECT_TIMEOUT,
        }
    engine = create_engine(url, **options)
    if settings.keeps_diagnostics:
        watch(engine, settings)
    if backend in ("mysql", "mariadb"):
        _configure_mysql(engine, settings, read_only)
    elif settings.db_statement_timeout:
        from app.core.postgresql import limit_waiting  # its driver is not imported for the others

        limit_waiting(engine, settings.db_statement_timeout + CONNECT_TIMEOUT)
    if settings.db_pre_ping:
        _ping_idle_connections(engine)
    return engine


def _make_sqlite_engine(
    url: str, settings: Settings, read_only: bool, options: dict[str, Any]
) -> Engine:
    in_memory = make_url(url).database in MEMORY
    if in_memory:
        options["poolclass"] = StaticPool
    elif "poolclass" not in options:
        options |= {"pool_size": settings.db_pool_size, "max_overflow": settings.db_max_overflow}
        options["pool_timeout"] = settings.db_pool_timeout
    engine = create_engine(
        url,
        connect_args={
            "check_same_thread": False,
            "timeout": settings.db_lock_timeout,
            "factory": _SqliteConnection,
        },
        **options,
    )
    if settings.keeps_diagnostics:
        watch(engine, settings)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        # The driver's own BEGIN comes too late and lets two writers lose an update.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if not in_memory:
            _use_wal(connection, settings.db_lock_timeout)
            connection.execute("PRAGMA synchronous = NORMAL")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        if settings.db_statement_timeout:
            connection.limit(settings.db_statement_timeout)

    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("read_only"):
            # The lock is taken at the start: an upgrade from reading fails under contention.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    if not read_only:
        event.listen(engine, "begin", begin)

    @event.listens_for(engine, "handle_error")
    def forget(context: ExceptionContext) -> None:
        # A connection that has found the file read-only believes so for good.
        error = context.sqlalchemy_exception
        if isinstance(error, DBAPIError) and is_away(error) and not in_memory:
            context.is_disconnect = True

    return engine


class _SqliteConnection(sqlite3.Connection):
    """Ends a statement that takes too long: SQLite has no limit, and who writes has it alone.

    When each one starts is noted here. An event of SQLAlchemy's costs a read a fifth of its time.
    """

    started = math.inf

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _SqliteCursor)

    def limit(self, seconds: float) -> None:
        def is_over() -> bool:
            return time.monotonic() - self.started > seconds

        self.set_progress_handler(is_over, 100_000)  # asked every few milliseconds


class _SqliteCursor(sqlite3.Cursor):
    connection: _SqliteConnection

    def execute(self, *arguments: Any) -> Any:
        self.connection.started = time.monotonic()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self.connection.started = time.monotonic()
        return super().executemany(*arguments)


def _use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Of several that open a new file at once, SQLite refuses all but one without waiting."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _postgresql_arguments(url: str, settings: Settings, read_only: bool) -> dict[str, Any]:
    parameters = {
        "timezone": "UTC",
        "statement_timeout": settings.db_statement_timeout * 1000,
        "lock_timeout": settings.db_lock_timeout * 1000,
        "idle_in_transaction_session_timeout": settings.db_statement_timeout * 2000,
        "default_transaction_read_only": "on" if read_only else "off",
    }
    # Sent with the connection itself, so that none of them costs a round trip.
    options = " ".join(f"-c {name}={value}" for name, value in parameters.items())
    given = make_url(url).query.get("options", "")
    return {"connect_timeout": CONNECT_TIMEOUT, "options": f"{options} {given}".strip()}


def _configure_mysql(engine: Engine, settings: Settings, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        timeout = settings.db_statement_timeout
        if "MariaDB" in connection.get_server_info():
            # Who is stuck in mid-transaction must not keep its locks for ever.
            idle = f"idle_transaction_timeout = {math.ceil(timeout * 2)}"
            statement_timeout = f"max_statement_time = {timeout}, {idle}"
        else:
            statement_timeout = f"max_execution_time = {timeout * 1000}"
        with connection.cursor() as cursor:
            # check: R50 because SET takes no parameters, and these are numbers of the settings
            cursor.execute(
                "SET SESSION time_zone = '+00:00', "
                "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
                f"innodb_lock_wait_timeout = {settings.db_lock_timeout}, {statement_timeout}"
            )
            if read_only:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
        # For a server that has become silent: its own limits do not help then. The driver looks at
        # these before each packet; there is no public name for them.
        connection._read_timeout = connection._write_timeout = timeout + CONNECT_TIMEOUT


@contextmanager
def lock_wait(connection: Connection, seconds: int) -> Iterator[None]:
    """In the block, a statement waits no longer for a lock. (SQLite's is taken by BEGIN.)"""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        # check: R50 because SET takes no parameters
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{seconds}s'")
        yield
        # Not after an error, which ends the transaction and what is local to it.
        connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
    elif dialect in ("mysql", "mariadb"):
        name = "innodb_lock_wait_timeout"
        # check: R50 because SET takes no parameters
        connection.exec_driver_sql(f"SET @before = @@{name}, {name} = {seconds}")
        try:
            yield
        finally:
            # check: R50 because a name is no parameter, and this one stands above
            connection.exec_driver_sql(f"SET {name} = @before")
    else:
        yield


def _ping_idle_connections(engine: Engine) -> None:
    """Test a connection that was idle: pinging each at every use doubles the cost of a read."""

    @event.listens_for(engine, "checkin")
    def note(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, proxy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < PING_AFTER:
            return
        try:
            alive = engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            alive = False
        if not alive:
            raise InvalidatePoolError  # the pool opens a new one, and so it does for the others
