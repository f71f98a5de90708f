"""Databases of a test's own: with other settings, failing on demand, or made and dropped."""

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg.errors
import pymysql.err
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from app.core import database as database_module
from app.core.config import get_settings
from app.core.database import Database
from app.core.problems import add_error_handlers
from app.core.routing import APIRouter

BACKEND = get_settings().url.get_backend_name().replace("mariadb", "mysql")


def serve(router: APIRouter, prefix: str = "") -> TestClient:
    """A small app around the routes of a test."""
    app = FastAPI()
    add_error_handlers(app)
    app.include_router(router, prefix=prefix)
    return TestClient(app)


def address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def variant(url: str, **settings: Any) -> Iterator[Database]:
    """The app uses the database at `url`, with settings of its own, in the block."""
    before = database_module.database
    database = Database(url, get_settings().model_copy(update=settings))
    database_module.database = database
    try:
        yield database
    finally:
        database_module.database = before
        database.dispose()


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something is so that another process or thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def deadlock() -> Exception:
    """What the driver raises when the database chose this transaction as the victim."""
    if BACKEND == "postgresql":
        return psycopg.errors.DeadlockDetected("deadlock detected")
    if BACKEND == "mysql":
        return pymysql.err.OperationalError(1213, "Deadlock found")
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY"
    return error


@contextmanager
def failing(database: Database, start: str, times: int) -> Iterator[list[str]]:
    """The first `times` statements that begin with `start` fail by a deadlock; lists them all."""
    seen: list[str] = []

    def execute(_cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(start):
            seen.append(statement)
            if len(seen) <= times:
                raise deadlock()

    event.listen(database.engine, "do_execute", execute)
    try:
        yield seen
    finally:
        event.remove(database.engine, "do_execute", execute)


@contextmanager
def scratch(folder: Path) -> Iterator[str]:
    """The URL of an empty database that lives as long as the block."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    if BACKEND == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    url = get_settings().url
    server = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            force = " WITH (FORCE)" if BACKEND == "postgresql" else ""
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
