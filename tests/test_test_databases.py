"""`python run.py test --database URL`: makes the database, and refuses one that is somebody's."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.cli.main import cli
from app.cli.testing import engine
from tests.test_cli import Capture, complaint, words


@pytest.fixture(params=["postgresql://postgres@127.0.0.1", "mysql://root@127.0.0.1"])
def new_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that is not there, and not named for what it is for."""
    name = f"cli_{uuid.uuid4().hex[:12]}"
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    url = make_url(f"{request.param}/{name}")
    url = url.set(drivername=driver[url.drivername])
    always = "postgres" if url.get_backend_name() == "postgresql" else "information_schema"
    try:
        with engine(url.set(database=always)).connect() as connection:
            yield f"{request.param}/{name}"
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
    except OperationalError as error:
        pytest.skip(f"{request.param} does not answer: {error.orig}")


def test_a_missing_database_is_made_and_pytest_started(
    new_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli(["test", "--database", new_url, "--version"]) == 0
    assert "pytest" in words(capfd)


def test_a_database_with_tables_is_refused(new_url: str, capsys: Capture) -> None:
    assert cli(["test", "--database", new_url, "--version"]) == 0
    url = make_url(new_url.replace("mysql:", "mysql+pymysql:"))
    with engine(url).connect() as connection:
        connection.execute(text("CREATE TABLE precious (id INTEGER)"))
    capsys.readouterr()
    assert cli(["test", "--database", new_url]) == 1
    assert f"{url.database} has tables and is not named for tests" in complaint(capsys)


@pytest.mark.parametrize(("name", "code"), [("app.db", 1), ("latest.db", 1), ("app_test.db", 0)])
def test_a_file_with_tables_is_refused_unless_named_for_tests(
    name: str, code: int, tmp_path: Path, capsys: Capture
) -> None:
    file = create_engine(f"sqlite:///{tmp_path}/{name}")
    with file.begin() as connection:
        connection.execute(text("CREATE TABLE precious (id INTEGER)"))
    file.dispose()
    assert cli(["test", "--database", f"sqlite:///{tmp_path}/{name}", "--version"]) == code
    assert ("not named for tests" in words(capsys)) is (code == 1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nonsense", "--database is not a database URL"),
        ("postgresql://127.0.0.1", "--database names no database"),
        ("postgresql://me:hunter2@127.0.0.1:1/x", "The test database does not answer: "),
        ("mysql://me:hunter2@127.0.0.1:1/x", "The test database does not answer: Can't connect"),
    ],
)
def test_a_wrong_test_database_is_told_in_one_line(
    url: str, expected: str, capsys: Capture
) -> None:
    assert cli(["test", "--database", url]) == 1
    said = complaint(capsys)
    assert expected in said
    assert "hunter2" not in said
