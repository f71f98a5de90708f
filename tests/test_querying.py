"""SQL that only reads: the database refuses the rest, on each of the three."""

import time
from pathlib import Path

import pytest

from app.cli import querying
from app.cli.console import CommandError
from app.cli.querying import describe_database, run_query
from app.core.config import get_settings
from app.core.database import Database
from app.models.user import User
from tests.databases import BACKEND, address
from tests.factories import make_user
from tests.support import stored

SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT count(*) FROM information_schema.columns a, information_schema.columns b,"
    " information_schema.columns c, information_schema.columns d",
}
MANY = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
    " SELECT i FROM n",
    "postgresql": "SELECT generate_series(1, 100000000)",
    "mysql": "SELECT a.ordinal_position FROM information_schema.columns a,"
    " information_schema.columns b LIMIT 9999",
}
# What the database says of a write, and of two statements at once.
READ_ONLY = {"sqlite": "readonly", "postgresql": "read-only", "mysql": "READ ONLY"}
ONE_ONLY = {"sqlite": "one statement", "postgresql": "multiple commands", "mysql": "SQL syntax"}


@pytest.fixture(autouse=True)
def file(threaded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are of the database of the test."""
    here = get_settings().model_copy(update={"database_url": address(threaded)})
    monkeypatch.setattr(querying, "get_settings", lambda: here)


def refusal(sql: str) -> str:
    with pytest.raises(CommandError) as refused:
        run_query(sql)
    return str(refused.value)


def test_it_reads() -> None:
    user = make_user(username="ana")
    told = run_query("SELECT id, username, created_at, bio FROM users;")
    assert told["columns"] == ["id", "username", "created_at", "bio"]
    assert told["truncated"] is False
    (row,) = told["rows"]
    assert row[:2] == [user.id, "ana"]
    assert row[2].startswith("20")
    assert row[3] is None
    assert run_query("SELECT id FROM users WHERE id < 0")["columns"] == ["id"]


def test_it_reads_after_comments_with_common_tables_and_plans() -> None:
    assert run_query("-- one\n/* two */ SELECT 1")["rows"] == [[1]]
    assert run_query("WITH one AS (SELECT 1 AS n) SELECT n FROM one")["rows"] == [[1]]
    plan = "EXPLAIN QUERY PLAN" if BACKEND == "sqlite" else "EXPLAIN"
    assert run_query(f"{plan} SELECT * FROM users WHERE id = 1")["rows"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE users SET username = 'taken'",
        "DELETE FROM users",
        "INSERT INTO users (username) VALUES ('x')",
        pytest.param("WITH x AS (SELECT 1) UPDATE users SET username = 'taken'", id="with"),
    ],
)
def test_the_database_refuses_to_write(sql: str) -> None:
    if BACKEND == "mysql" and sql.startswith("WITH"):
        pytest.skip("MariaDB has no WITH before UPDATE")
    make_user(username="ana")
    said = refusal(sql)
    assert said.startswith("The database refuses it: ")
    assert READ_ONLY[BACKEND] in said
    assert [user.username for user in stored(User)] == ["ana"]


def test_it_takes_one_statement() -> None:
    assert ONE_ONLY[BACKEND] in refusal("SELECT 1; UPDATE users SET username = 'taken'")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "There is no statement."),
        ("-- nothing", "There is no statement."),
        ("SET TRANSACTION READ WRITE", "SET is no query."),
        ("/* x */ COMMIT", "COMMIT is no query."),
        ("COPY users TO '/tmp/x'", "COPY is no query."),
        ("DROP TABLE users", "DROP is no query."),
        ("SELECT 1 INTO OutFile '/tmp/x'", "A query writes no files."),
        ("SELECT titel FROM users", "The database refuses it: "),
    ],
)
def test_what_is_no_query_is_told(sql: str, said: str) -> None:
    assert refusal(sql).startswith(said)


@pytest.mark.skipif(BACKEND != "sqlite", reason="it is about a file")
def test_no_way_leads_around_the_read_only_file(tmp_path: Path) -> None:
    assert "authorized" in refusal("PRAGMA query_only = OFF")
    assert "authorized" in refusal("PRAGMA journal_mode = DELETE")
    assert "ATTACH is no query" in refusal(f"ATTACH '{tmp_path}/other.db' AS other")
    assert "VACUUM is no query" in refusal(f"VACUUM INTO '{tmp_path}/other.db'")
    assert "authorized" in refusal(f"EXPLAIN ATTACH '{tmp_path}/other.db' AS other")
    assert run_query("PRAGMA table_info(users)")["rows"]


def test_rows_texts_and_time_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run_query(MANY[BACKEND], limit=3)
    assert (len(told["rows"]), told["truncated"]) == (3, True)
    (row,) = run_query(f"SELECT '{'x' * 5000}'")["rows"]
    assert row[0].endswith("x… (5,000 characters)")
    monkeypatch.setattr(querying, "SECONDS", 0.1)
    started = time.monotonic()
    assert refusal(SLOW[BACKEND]).startswith("The database refuses it: ")
    assert time.monotonic() - started < 10
    for limit in (0, 1001):
        with pytest.raises(CommandError, match="limit is from 1 to 1000"):
            run_query("SELECT 1", limit)


def test_it_tells_the_tables_as_they_are() -> None:
    told = describe_database()
    assert {"users", "tokens", "alembic_version"} <= told.keys()
    assert told["users"]["columns"]["username"].startswith("VARCHAR(")
    assert "NOT NULL" in told["users"]["columns"]["username"]
    assert "NOT NULL" not in told["users"]["columns"]["bio"]
    assert told["users"]["primary_key"] == ["id"]
    assert told["tokens"]["foreign_keys"] == ["user_id → users (CASCADE)"]
    assert "user_id" in told["tokens"]["indexes"].values()


def test_a_database_that_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, said in (
        ("sqlite://", "in the memory of another process"),
        (f"sqlite:///{tmp_path}/app.db", "There is no app.db yet. Run: python run.py migrate"),
        ("postgresql+psycopg://127.0.0.1:1/app", "The database does not answer: "),
    ):
        elsewhere = get_settings().model_copy(update={"database_url": url})
        monkeypatch.setattr(querying, "get_settings", lambda there=elsewhere: there)
        assert said in refusal("SELECT 1")
    assert not (tmp_path / "app.db").exists()
