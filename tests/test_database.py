"""Connections: their settings, their limits, and what happens when the database is away."""

import socket
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from app.api.deps import SessionDep
from app.core import database as database_module
from app.core import engines
from app.core.database import Database, session_scope, wait_for_database
from app.core.routing import APIRouter
from app.models.user import User
from tests.databases import BACKEND, address, eventually, failing, serve, variant
from tests.factories import make_user
from tests.support import stored

on_a_server = pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite has no server")

SETTINGS = {
    "sqlite": {
        "PRAGMA foreign_keys": 1,
        "PRAGMA journal_mode": "wal",
        "PRAGMA busy_timeout": 5000,
        "PRAGMA synchronous": 1,
    },
    "postgresql": {
        "SHOW timezone": "UTC",
        "SHOW statement_timeout": "30s",
        "SHOW lock_timeout": "5s",
        "SHOW idle_in_transaction_session_timeout": "1min",
        "SHOW transaction_isolation": "read committed",
    },
    "mysql": {
        "SELECT @@time_zone": "+00:00",
        "SELECT @@max_statement_time": 30,
        "SELECT @@idle_transaction_timeout": 60,
        "SELECT @@innodb_lock_wait_timeout": 5,
        "SELECT @@foreign_key_checks": 1,
        "SELECT @@character_set_client": "utf8mb4",
        "SELECT FIND_IN_SET('STRICT_ALL_TABLES', @@sql_mode) > 0": 1,
        "SELECT ABS(TIMESTAMPDIFF(SECOND, NOW(), UTC_TIMESTAMP())) < 2": 1,
    },
}
ISOLATION = {"sqlite": "SERIALIZABLE", "postgresql": "READ COMMITTED", "mysql": "READ COMMITTED"}


def value(connection: Connection, query: str) -> Any:
    if BACKEND == "mysql" and not connection.dialect.is_mariadb:  # type: ignore[attr-defined]
        query = query.replace("@@max_statement_time", "@@max_execution_time / 1000")
        query = query.replace("@@idle_transaction_timeout", "60")  # it has none
    found = connection.exec_driver_sql(query).scalar()
    return float(found) if type(found).__name__ == "Decimal" else found


def test_the_settings_are_in_force_on_both_engines(threaded: Database) -> None:
    for engine in (threaded.engine, threaded.read_engine):
        with engine.connect() as connection:
            found = {query: value(connection, query) for query in SETTINGS[BACKEND]}
        assert found == SETTINGS[BACKEND]


def in_transaction(connection: Connection) -> bool:
    """Whether a SELECT leaves a transaction open, as the driver or the server sees it."""
    connection.exec_driver_sql("SELECT 1")
    driver: Any = connection.connection.driver_connection
    if BACKEND == "postgresql":
        return bool(driver.info.transaction_status)
    return bool(driver.in_transaction if BACKEND == "sqlite" else not driver.get_autocommit())


def test_writing_is_in_transactions_and_reading_is_not(threaded: Database) -> None:
    with threaded.engine.connect() as connection:
        assert connection.get_isolation_level() == ISOLATION[BACKEND]
        assert in_transaction(connection)
    with threaded.read_engine.connect() as connection:
        assert not in_transaction(connection)


def test_a_script_commits_at_the_end_or_not_at_all() -> None:
    with session_scope() as db:
        db.add(User(username="kept", email="kept@example.com", hashed_password="-"))
    with pytest.raises(ZeroDivisionError), session_scope() as db:  # noqa: PT012 - the block is it
        db.add(User(username="lost", email="lost@example.com", hashed_password="-"))
        db.flush()
        raise ZeroDivisionError
    assert [user.username for user in stored(User)] == ["kept"]


# --- Limits ----------------------------------------------------------------------------------


SLOW = {
    "postgresql": "SELECT pg_sleep(9)",
    "mysql": "SELECT SLEEP(9)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) "
    "SELECT count(*) FROM n",
}


@pytest.fixture
def small() -> TestClient:
    """An app with a route that reads and one that writes."""
    router = APIRouter()

    @router.get("/read")
    def read(db: SessionDep) -> int:
        return len(db.scalars(select(User.id)).all())

    @router.get("/slow")
    def wait(db: SessionDep) -> None:
        db.execute(text(SLOW[BACKEND]))

    @router.get("/silent")
    def wait_for_ever(db: SessionDep) -> None:
        limit = "statement_timeout" if BACKEND == "postgresql" else "max_statement_time"
        db.execute(text(f"SET {limit} = 0"))
        db.execute(text(SLOW[BACKEND]))

    @router.post("/write")
    def write(db: SessionDep) -> None:
        db.execute(text("UPDATE users SET bio = 'written'"))
        db.commit()

    return serve(router)


def assert_unavailable(response: Any) -> None:
    assert response.status_code == 503, response.text
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"


def test_a_statement_over_its_time_is_503(small: TestClient, threaded: Database) -> None:
    with variant(address(threaded), db_statement_timeout=0.1):
        assert_unavailable(small.get("/slow"))
        assert small.get("/read").status_code == 200


@on_a_server
def test_a_server_that_becomes_silent_is_not_waited_for(
    small: TestClient, threaded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT", 0.2)
    with variant(address(threaded), db_statement_timeout=0.1):
        started = time.monotonic()
        assert_unavailable(small.get("/silent"))
        assert time.monotonic() - started < 5
        assert small.get("/read").status_code == 200


@on_a_server
def test_a_statement_may_take_longer_than_connecting(
    threaded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT", 0.2)
    slow = text("SELECT pg_sleep(0.4)" if BACKEND == "postgresql" else "SELECT SLEEP(0.4)")
    with variant(address(threaded)) as hasty:
        for engine in (hasty.engine, hasty.read_engine):
            with engine.connect() as connection:
                assert connection.execute(slow).all()


def test_a_lock_that_is_not_free_in_time_is_503_after_three_tries(
    small: TestClient, threaded: Database
) -> None:
    make_user()
    # Zero is no waiting on MySQL, and endless waiting on PostgreSQL.
    patience = 0 if BACKEND == "mysql" else 0.05
    waits = "BEGIN" if BACKEND == "sqlite" else "UPDATE"
    with variant(address(threaded), db_lock_timeout=patience) as hasty:
        with threaded.engine.begin() as other:
            other.execute(text("UPDATE users SET bio = 'first'"))
            with failing(hasty, waits, times=0) as attempts:
                assert_unavailable(small.post("/write"))
            assert len(attempts) == 3
            assert small.get("/read").json() == 1
        assert small.post("/write").status_code == 200
    assert stored(User)[0].bio == "written"


def test_no_free_connection_in_time_is_503(small: TestClient, threaded: Database) -> None:
    limits = {"db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 0.05}
    with variant(address(threaded), **limits) as tight:
        with tight.read_engine.connect(), tight.engine.connect():
            assert_unavailable(small.get("/read"))
            assert_unavailable(small.post("/write"))
        assert small.get("/read").status_code == 200
        assert small.post("/write").status_code == 200


# --- Away ------------------------------------------------------------------------------------


def nowhere(tmp_path: Path) -> str:
    """The URL of a database that does not answer."""
    if BACKEND == "sqlite":
        return f"sqlite:///{tmp_path / 'missing' / 'app.db'}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = make_url(address(database_module.database)).set(host="127.0.0.1", port=port)
    return url.render_as_string(hide_password=False)


def test_a_database_that_is_away_is_503_until_it_is_back(
    small: TestClient, threaded: Database, tmp_path: Path
) -> None:
    with variant(nowhere(tmp_path)):
        assert_unavailable(small.get("/read"))
        assert_unavailable(small.post("/write"))
    assert small.get("/read").status_code == 200
    assert small.post("/write").status_code == 200


@on_a_server
def test_a_database_that_was_dropped_is_503(small: TestClient, threaded: Database) -> None:
    url = threaded.engine.url.set(database="no_such_test")
    with variant(url.render_as_string(hide_password=False)):
        assert_unavailable(small.get("/read"))


@pytest.mark.skipif(BACKEND != "sqlite", reason="it is about a file")
def test_a_file_that_may_be_written_again_is_written(small: TestClient, threaded: Database) -> None:
    def let(version: int) -> None:
        """What a writer must know to write the file; nobody knows 3. Rights do not stop root."""
        with threaded.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with Path(str(threaded.engine.url.database)).open("r+b") as file:
            file.seek(18)
            file.write(bytes([version]))

    let(3)
    with variant(address(threaded)):
        for _ in range(2):
            assert_unavailable(small.post("/write"))
            assert small.get("/read").status_code == 200
        let(2)
        assert small.post("/write").status_code == 200


def kill_connections(database: Database, engine: Engine) -> None:
    """End the idle connections of `engine` from outside, as a restart of the server does."""
    query = "SELECT pg_backend_pid()" if BACKEND == "postgresql" else "SELECT CONNECTION_ID()"
    with engine.connect() as connection:
        number = value(connection, query)
    kill = f"SELECT pg_terminate_backend({number})" if BACKEND == "postgresql" else f"KILL {number}"
    with database.engine.connect() as other:
        other.exec_driver_sql(kill)
    if BACKEND == "postgresql":
        left = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {number}"
    else:
        left = f"SELECT count(*) FROM information_schema.processlist WHERE id = {number}"
    with database.read_engine.connect() as other:
        eventually(lambda: value(other, left) == 0)


@on_a_server
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_that_died_is_replaced_unseen(
    method: str, small: TestClient, threaded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PING_AFTER", 0.0)
    path = "/read" if method == "GET" else "/write"
    with variant(address(threaded), db_pool_size=1, db_max_overflow=0) as own:
        kill_connections(threaded, own.read_engine if method == "GET" else own.engine)
        assert small.request(method, path).status_code == 200


@on_a_server
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_died_just_now_costs_one_503(
    method: str, small: TestClient, threaded: Database
) -> None:
    path = "/read" if method == "GET" else "/write"
    with variant(address(threaded), db_pool_size=1, db_max_overflow=0) as own:
        kill_connections(threaded, own.read_engine if method == "GET" else own.engine)
        assert_unavailable(small.request(method, path))
        assert small.request(method, path).status_code == 200


# --- Start -----------------------------------------------------------------------------------


def test_a_start_waits_for_the_database(tmp_path: Path) -> None:
    path = tmp_path / "late" / "app.db"
    with variant(f"sqlite:///{path}"):
        threading.Timer(0.1, path.parent.mkdir).start()
        wait_for_database(10)
    assert path.exists()


def test_a_start_does_not_wait_for_ever(tmp_path: Path) -> None:
    with variant(nowhere(tmp_path)), pytest.raises(DBAPIError):
        wait_for_database(0)


def test_a_new_sqlite_file_that_another_process_sets_up_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.1, other.rollback).start()
    with variant(f"sqlite:///{path}") as database:
        database.check()
    other.close()
