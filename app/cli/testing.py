"""`python run.py test --database URL`: a database that tests may empty."""

import re
from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.cli.console import CommandError
from app.cli.schema import reason
from app.core.config import MEMORY, Settings, get_settings

FOR_TESTS = re.compile(r"(?<![a-z])(tests?|testdb|testing)(?![a-z])")  # `latest` is somebody's


def prepare(database: str) -> str:
    """Make the database if there is none, and refuse one that may be somebody's."""
    try:
        # Adds the driver, and a good message for what is no URL.
        checked = Settings.name_the_driver(database)
    except ValueError as error:
        raise CommandError(f"--database {error}") from None
    url = make_url(checked)
    if url.get_backend_name() == "sqlite" and url.database in MEMORY:
        return checked
    try:
        create_if_missing(url)
        with engine(url).connect() as connection:
            tables = inspect(connection).get_table_names()
    except DBAPIError as error:
        raise CommandError(f"The test database does not answer: {reason(error)}") from None
    name = Path(str(url.database)).name  # of a file, its folders say nothing
    if tables and not FOR_TESTS.search(name.lower()):
        raise CommandError(
            f"{name} has tables and is not named for tests: the suite would empty it. "
            "Give it a database of its own, such as app_test; it is made if it is missing."
        )
    return checked


def create_if_missing(url: URL) -> None:
    try:
        engine(url).connect().close()
        return
    except DBAPIError as error:
        if "does not exist" not in str(error.orig) and "Unknown database" not in str(error.orig):
            raise
    # One that is always there: without any, PostgreSQL takes the one named like the user.
    always = "postgres" if url.get_backend_name() == "postgresql" else "information_schema"
    with engine(url.set(database=always)).connect() as connection:
        name = connection.dialect.identifier_preparer.quote_identifier(str(url.database))
        # check: R50 because a name is no parameter; it is quoted
        connection.execute(text(f"CREATE DATABASE {name}"))


def engine(url: URL) -> Engine:
    seconds = "timeout" if url.get_backend_name() == "sqlite" else "connect_timeout"
    arguments = {seconds: get_settings().db_lock_timeout}
    return create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments
    )
