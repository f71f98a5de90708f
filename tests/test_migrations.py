"""The migrations that are there: up, down, at once, and the same as the models."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Inspector, inspect
from sqlalchemy.exc import DBAPIError

from app.core.columns import utcnow
from app.core.config import ROOT, get_settings
from app.core.database import Database
from app.models import Base
from app.models.token import Token, TokenKind
from app.models.user import User
from tests.databases import BACKEND, scratch
from tests.support import alembic_config

MIGRATOR = """
import sys
from alembic import command
from alembic.config import Config
from app.models import Base
print("ready", flush=True)
sys.stdin.readline()
command.upgrade(Config("alembic.ini"), "head")
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with scratch(tmp_path) as address:
        yield address


@pytest.fixture
def config(url: str) -> Config:
    return alembic_config(url=url)


@pytest.fixture
def own(url: str) -> Iterator[Database]:
    database = Database(url, get_settings())
    yield database
    database.dispose()


def revisions() -> list[Script]:
    return list(ScriptDirectory.from_config(alembic_config()).walk_revisions())


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def fill(database: Database) -> None:
    """A row in every table."""
    with database.writing() as db:
        user = User(username="ana", email="ana@example.com", hashed_password="-")
        user.tokens = [Token(kind=TokenKind.REFRESH, token_hash="x", expires_at=utcnow())]
        db.add(user)
        db.commit()


def test_up_down_to_base_and_up_again_with_rows_present(config: Config, own: Database) -> None:
    command.upgrade(config, "head")
    assert tables(own) == {*Base.metadata.tables, "alembic_version"}
    fill(own)
    command.downgrade(config, "base")
    assert tables(own) == {"alembic_version"}
    command.upgrade(config, "head")
    command.check(config)
    fill(own)


def test_each_step_goes_down_and_up(config: Config, own: Database) -> None:
    command.upgrade(config, "head")
    fill(own)
    for _ in revisions():
        command.downgrade(config, "-1")
        command.upgrade(config, "+1")
        command.downgrade(config, "-1")
    assert tables(own) == {"alembic_version"}
    for _ in revisions():
        command.upgrade(config, "+1")
    command.check(config)


def names(inspector: Inspector, table: str) -> set[str | None]:
    """Every name that the database keeps of a table's indexes and constraints."""
    found: list[Any] = [
        *inspector.get_indexes(table),
        *inspector.get_unique_constraints(table),
        *inspector.get_foreign_keys(table),
        *inspector.get_check_constraints(table),
        inspector.get_pk_constraint(table),
    ]
    return {each["name"] for each in found}


def test_the_migrated_database_is_the_one_of_the_models(config: Config, own: Database) -> None:
    command.upgrade(config, "head")
    command.check(config)
    inspector = inspect(own.engine)
    for name, table in Base.metadata.tables.items():
        assert {column["name"] for column in inspector.get_columns(name)} == set(table.c.keys())
        expected = {str(each.name) for each in (*table.constraints, *table.indexes)}
        if BACKEND != "postgresql":
            # MySQL names none, and SQLite none that never gives an id again.
            expected.discard(f"pk_{name}")
        assert expected <= names(inspector, name)
        pattern = re.compile(rf"(ix|uq|ck|fk|pk)_{name}(_\w+)?")
        assert all(pattern.fullmatch(each) for each in expected)


def test_the_sql_can_be_written_to_a_file_and_run_by_hand(
    config: Config, url: str, own: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    own.check()
    if getattr(own.read_engine.dialect, "is_mariadb", False):
        # Without a connection, the URL alone tells the two apart: MariaDB has a UUID type.
        config.attributes["url"] = url.replace("mysql", "mariadb", 1)
    changed = re.compile(r"batch_op\.(?!f\b|create_index|drop_index)")
    texts = [Path(script.path).read_text("utf-8") for script in revisions()]
    if BACKEND == "sqlite" and any(map(changed.search, texts)):
        pytest.skip("SQLite changes a table by copying it, which needs a connection")
    command.upgrade(config, "head", sql=True)
    sql = capsys.readouterr().out
    with own.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        for statement in sql.split(";\n"):
            if statement.strip() and statement.strip() not in ("BEGIN", "COMMIT"):
                with closing(driver.cursor()) as cursor:
                    cursor.execute(statement)
        driver.commit()
    command.check(config)
    fill(own)
    command.downgrade(config, "head:base", sql=True)
    assert "DROP TABLE users" in capsys.readouterr().out


ALTERING = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "altering", None

def upgrade():
    op.create_table(
        "notes",
        *(sa.Column(name, sa.String(20), nullable=False) for name in ("one", "two", "three")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("four", "five")),
    )
    op.alter_column("notes", "one", existing_type=sa.String(20), nullable=True)
    op.alter_column("notes", "two", existing_type=sa.String(20), type_=sa.String(30))
    op.alter_column("notes", "three", existing_type=sa.String(20), new_column_name="third")
    op.alter_column("notes", "four", existing_type=sa.Text(), nullable=True)
    op.alter_column("notes", "five", existing_type=sa.Text(), type_=sa.String(30))
"""


@pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite compares bytes and has no other way")
def test_text_that_is_altered_is_compared_by_code_point_as_before(
    config: Config, own: Database, tmp_path: Path
) -> None:
    (tmp_path / "altering.py").write_text(ALTERING)
    config.set_main_option("version_locations", str(tmp_path))
    command.upgrade(config, "head")
    columns = inspect(own.engine).get_columns("notes")
    assert len(columns) == 5
    assert {each["type"].collation for each in columns} == {
        "C" if BACKEND == "postgresql" else "utf8mb4_bin"
    }


@pytest.mark.skipif(BACKEND != "mysql", reason="DDL is undone with its transaction")
def test_what_a_migration_left_behind_is_passed_over_by_its_next_run(
    config: Config, own: Database
) -> None:
    command.upgrade(config, "head")
    last = revisions()[0].down_revision
    with own.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = %s", (last,))
    for _ in range(2):
        with pytest.raises(DBAPIError, match=r"already exists|Duplicate"):
            command.upgrade(config, "head")  # these tables may be anybody's
    with own.engine.begin() as connection:  # as while migrations run
        connection.exec_driver_sql("CREATE TABLE alembic_unfinished (id INT)")
    command.upgrade(config, "head")
    command.check(config)
    assert tables(own) == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.thorough
def test_two_migrators_at_once_do_no_harm(config: Config, url: str, own: Database) -> None:
    environment = os.environ | {"DATABASE_URL": url, "ENVIRONMENT": "test"}
    migrators = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATOR],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for migrator in migrators:
        assert migrator.stdout
        assert migrator.stdout.readline() == "ready\n"
    for migrator in migrators:
        assert migrator.stdin
        migrator.stdin.write("\n")
        migrator.stdin.flush()
    errors = [migrator.communicate(timeout=60)[1] for migrator in migrators]
    assert [migrator.returncode for migrator in migrators] == [0, 0], errors
    command.check(config)
    fill(own)


def test_every_migration_is_dated_and_says_what_it_does() -> None:
    scripts = revisions()
    assert {Path(script.path) for script in scripts} == set(
        (ROOT / "alembic" / "versions").glob("*.py")
    )
    for script in scripts:
        file = Path(script.path)
        assert re.fullmatch(r"\d{4}_\d\d_\d\d_\d{4}(\d\d)?_[a-z0-9_]+\.py", file.name), file.name
        assert script.doc, file.name
        source = file.read_text("utf-8")
        created = re.search(r"^Created: (\d{4})-(\d\d)-(\d\d) ", source, re.MULTILINE)
        assert created, file.name
        assert file.name.startswith("_".join(created.groups())), file.name
