"""The tests talk HTTP to the app, and the app to a real database.

SQLite in memory by default, or what `python run.py test --database URL` names. The schema is made
by the migrations, once; every test finds empty tables.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import MetaData, event, exists, select, text
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.pool import StaticPool

from app.cli.testing import prepare
from app.core import database as database_module
from app.core.config import get_settings
from app.core.database import Database, database
from app.main import create_app
from app.models import Base
from app.models.user import Role, User
from tests import DATABASE_URL
from tests.beside import is_beside, running
from tests.factories import make_user, sign_in
from tests.parallel import LOOKS_BACK, configure, is_worker, send, start
from tests.plans import PLANNERS, find_full_scans
from tests.recording import Recorder, save
from tests.support import Counter, alembic_config

Headers = dict[str, str]


@pytest.fixture(scope="session", autouse=True)
def others(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The tests that run beside these."""
    with running(request.session.items, tmp_path_factory):
        yield


@pytest.fixture(scope="session", autouse=True)
def schema(others: None) -> None:
    """Bring the database to the newest schema, by the migrations."""
    if DATABASE_URL != "sqlite://":
        prepare(DATABASE_URL)  # refuses a database that may be somebody's
        leftovers = MetaData()
        with database.engine.begin() as connection:
            leftovers.reflect(connection)
            leftovers.drop_all(connection)
    with database.engine.connect() as connection:
        command.upgrade(alembic_config(connection=connection), "head")


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    empty(database)


# Asked first, in one statement: a test leaves rows in few of the tables, or in none.
TABLES = Base.metadata.sorted_tables[::-1]
ANY_ROWS = select(*(exists(select(text("1")).select_from(table)) for table in TABLES))
DELETES = [table.delete() for table in TABLES]


def empty(target: Database) -> None:
    with target.engine.begin() as connection:
        for filled, delete in zip(connection.execute(ANY_ROWS).one(), DELETES, strict=True):
            if filled:
                connection.execute(delete)


@pytest.fixture(scope="session", autouse=True)
def no_lazy_loads() -> Iterator[None]:
    """A relationship that is loaded when somebody looks at it costs a query for each row."""

    def refuse(state: ORMExecuteState) -> None:
        if state.is_select and state.lazy_loaded_from is not None:
            owner = state.lazy_loaded_from.class_.__name__
            raise AssertionError(f"{owner}: {state.loader_strategy_path} was not loaded before.")

    event.listen(Session, "do_orm_execute", refuse)
    yield
    event.remove(Session, "do_orm_execute", refuse)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app()


@pytest.fixture(scope="session", autouse=True)
def recorder(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    recorder = Recorder(request.session.items)
    yield recorder
    recorder.close()
    if is_worker(request.config):
        send(recorder.seen(), request.config)
    else:
        save(recorder.seen(), request.session)


@pytest.fixture(scope="session")
def session_client(app: FastAPI, recorder: Recorder) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://testserver/api/v1") as client:
        client.event_hooks["response"].append(recorder.note)
        yield client


@pytest.fixture
def client(session_client: TestClient, app: FastAPI) -> Iterator[TestClient]:
    """Talks to the app, relative to /api/v1."""
    yield session_client
    session_client.cookies.clear()
    app.dependency_overrides.clear()


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def auth_headers(user: User) -> Headers:
    """Signed in as `user`."""
    return sign_in(user)


@pytest.fixture
def admin() -> User:
    return make_user(role=Role.ADMIN)


@pytest.fixture
def admin_headers(admin: User) -> Headers:
    """Signed in as `admin`."""
    return sign_in(admin)


@pytest.fixture
def staff_headers() -> Headers:
    """Signed in as a moderator."""
    return sign_in(make_user(role=Role.MODERATOR))


@pytest.fixture
def count_statements() -> Callable[[], Counter]:
    """`with count_statements() as statements:` lists the SQL that ran in the block."""
    return lambda: Counter(database_module.database)


@pytest.fixture
def full_scans(client: TestClient) -> Callable[..., list[str]]:
    """`full_scans("/users?role=admin", headers)`: what a GET reads without the help of an index."""
    if database.engine.dialect.name not in PLANNERS:
        pytest.skip("MariaDB reads small tables whole, whatever indexes they have")
    return lambda path, headers=None: find_full_scans(client, path, headers or {})


@pytest.fixture
def threaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that many threads can use at once.

    SQLite in memory is one connection, so a file with the same schema takes its place for the test.
    """
    if not isinstance(database.engine.pool, StaticPool):
        yield database
        return
    path = tmp_path / "threaded.db"
    with database.engine.connect() as connection, sqlite3.connect(path) as copy:
        source: Any = connection.connection.driver_connection
        source.backup(copy)
    copy.close()
    file = Database(f"sqlite:///{path}", get_settings())
    monkeypatch.setattr(database_module, "database", file)
    yield file
    file.dispose()


# What a person at work does not wait for. `.ci/run` is thorough, and runs a part of what is slow.
EXTRA = {"thorough": "hundreds of cases, or processes of its own", "slow": "takes minutes"}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, what in EXTRA.items():
        parser.addoption(f"--{name}", action="store_true", help=f"also what is {name}: {what}")


pytest_cmdline_main = pytest.hookimpl(start, tryfirst=True)
pytest_configure = configure


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs beside the others is asked after them; what looks back at the whole run, last."""
    for name, what in EXTRA.items():
        if not config.getoption(name):
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(f"{what}: python run.py test --{name}"))
    if is_worker(config):
        items[:] = [item for item in items if item.nodeid != LOOKS_BACK]
    items.sort(key=lambda item: (item.get_closest_marker("last") is not None, is_beside(item)))
