"""What the database refuses is answered by its code, the same on each database."""

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from app.api.deps import SessionDep
from app.core.database import Database, database
from app.core.db_errors import is_transient, to_app_error
from app.core.errors import AppError
from app.core.routing import APIRouter
from app.models.base import NAMING
from app.models.user import User
from tests.databases import BACKEND, serve
from tests.factories import make_user
from tests.support import at_once, stored, writing

metadata = MetaData(naming_convention=NAMING)
shelves = Table(
    "shelves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(5), nullable=False),
    Column("room", Integer),
    Column("height", Integer),
    CheckConstraint("height > 0", name="height"),
    UniqueConstraint("name", "room"),
)
books = Table(
    "shelf_books",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shelf_id", Integer, ForeignKey(shelves.c.id), nullable=False),
)


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    metadata.create_all(database.engine)
    yield
    metadata.drop_all(database.engine)


@pytest.fixture(autouse=True)
def one_row() -> Iterator[None]:
    with database.engine.begin() as connection:
        connection.execute(insert(shelves).values(id=1, name="a", room=1, height=1))
        connection.execute(insert(books).values(id=1, shelf_id=1))
    yield
    with database.engine.begin() as connection:
        connection.execute(delete(books))
        connection.execute(delete(shelves))


def failure(*work: Any) -> Exception:
    """What is raised when rows are added or statements run."""
    try:
        with writing() as db:
            for each in work:
                db.add(each) if isinstance(each, User) else db.execute(each)
            db.commit()
    except Exception as error:
        return error
    raise AssertionError("the database accepted it")


def answer(*work: Any) -> AppError | None:
    error = failure(*work)
    assert not is_transient(error)
    return to_app_error(error)


def shelf(**values: Any) -> Any:
    return insert(shelves).values({"id": 2, "name": "b", "room": 2, "height": 1} | values)


REFUSED = {
    "unique": (shelf(name="a", room=1), 409, "There is one with this name and room already."),
    "primary key": (shelf(id=1), 409, "This already exists."),
    "foreign key of a child": (insert(books).values(id=2, shelf_id=9), 422, "does not exist"),
    "foreign key by an update": (update(books).values(shelf_id=9), 422, "does not exist"),
    "foreign key of a parent": (delete(shelves), 409, "still refers to this"),
    "foreign key of a parent in written SQL": (
        text("\n delete from shelves"),
        409,
        "still refers to this",
    ),
    "not null": (shelf(name=None), 422, "does not accept"),
    "no value": (text("INSERT INTO shelves (id) VALUES (2)"), 422, "does not accept"),
    "check": (shelf(height=0), 422, "does not accept"),
    "a number of 70 bits": (shelf(room=2**70), 422, ""),
}
REFUSED_BY_SERVERS = {
    "a number of 40 bits": (shelf(room=2**40), 422, "does not accept"),
    "length": (shelf(name="abcdef"), 422, "does not accept"),
}


@pytest.mark.parametrize("case", REFUSED | (REFUSED_BY_SERVERS if BACKEND != "sqlite" else {}))
def test_what_the_database_refuses_is_the_clients_error(case: str) -> None:
    statement, status, detail = (REFUSED | REFUSED_BY_SERVERS)[case]
    error = answer(statement)
    assert error is not None
    assert error.status == status
    assert detail in error.detail


@pytest.mark.skipif(BACKEND != "postgresql", reason="the others store it")
def test_a_nul_character_is_the_clients_error() -> None:
    error = answer(shelf(name="a\x00b"))
    assert error is not None
    assert error.status == 422


def test_a_lookup_beyond_the_columns_range_is_no_bug() -> None:
    for number in (2**40, 2**70):
        try:
            with writing() as db:
                assert db.scalar(select(shelves.c.id).where(shelves.c.id == number)) is None
        except Exception as raised:
            error = to_app_error(raised)
            assert error is not None
            assert error.status == 422


def user(**values: str) -> User:
    return User(**{"username": "eva", "email": "eva@example.com", "hashed_password": "-"} | values)


@pytest.mark.parametrize(("field", "value"), [("username", "ANA"), ("email", "ANA@EXAMPLE.COM")])
def test_a_taken_value_is_named_by_its_field_and_never_shown(field: str, value: str) -> None:
    make_user(username="ana", email="ana@example.com")
    for change in (user(**{field: value}), update(User).values({f"{field}_key": value.lower()})):
        make_user(username=f"other-{field}-{type(change).__name__}")
        error = answer(change)
        assert error is not None
        assert (error.status, error.detail) == (409, f"This {field} is already taken.")


def test_a_value_cannot_pose_as_the_name_of_a_constraint() -> None:
    name = "for key 'uq_users_secret'"
    error = answer(user(username=name), user(username=name, email="other@example.com"))
    assert error is not None
    assert error.detail == "This username is already taken."


def test_a_mistake_in_sql_is_a_bug_and_not_the_clients_error() -> None:
    assert answer(text("SELEC 1")) is None


@pytest.mark.parametrize("query", ["SELECT 1 FROM nowhere", "SELECT no_column FROM users"])
def test_a_database_that_was_not_migrated_is_503_and_says_so(query: str) -> None:
    error = answer(text(query))
    assert error is not None
    assert (error.status, "migrate it" in error.detail) == (503, True)


def sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.lookup("53300")("too many connections"),
        psycopg.errors.lookup("57P03")("the server starts"),
        psycopg.errors.lookup("25006")("the server is a standby"),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        pymysql.err.OperationalError(1040, "too many connections"),
        pymysql.err.OperationalError(2013, "lost connection"),
        pymysql.err.InterfaceError(0, ""),
        sqlite_error("SQLITE_FULL"),
        sqlite_error("SQLITE_IOERR_FSYNC"),
        sqlite_error("SQLITE_BUSY_RECOVERY"),
    ],
    ids=repr,
)
def test_what_cannot_be_provoked_here_is_told_by_its_code(error: Exception) -> None:
    answer = to_app_error(DBAPIError("SELECT 1", {}, error))
    assert answer is not None
    assert answer.status == 503


@pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite has one writer and so no deadlocks")
def test_of_two_requests_in_a_deadlock_both_succeed(threaded: Database) -> None:
    first, second = make_user(), make_user()
    both, router, attempts = threading.Barrier(2), APIRouter(), list[int]()

    @router.post("/both/{one}/{other}")
    def rename(db: SessionDep, one: int, other: int) -> None:
        attempts.append(one)
        rename = text("UPDATE users SET bio = CONCAT(COALESCE(bio, ''), 'x') WHERE id = :id")
        db.execute(rename, {"id": one})
        if attempts.count(one) == 1:
            both.wait(10)
        db.execute(rename, {"id": other})
        db.commit()

    client = serve(router)
    paths = [f"/both/{first.id}/{second.id}", f"/both/{second.id}/{first.id}"]
    statuses = at_once(2, lambda number: client.post(paths[number]).status_code)
    assert statuses == [200, 200]
    assert len(attempts) > 2
    assert [user.bio for user in stored(User)] == ["xx", "xx"]
