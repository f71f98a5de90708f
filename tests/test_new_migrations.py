"""Migrations to come: what autogenerate writes, and what happens when one of them fails."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Column,
    Enum,
    ForeignKey,
    Integer,
    String,
    Table,
    Uuid,
    func,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError

from app.core.columns import UtcDateTime, utcnow
from app.core.config import ROOT, get_settings
from app.core.database import Database
from app.models import Base
from app.models.token import Token, TokenKind
from app.models.user import Role, User
from tests.databases import BACKEND, scratch
from tests.support import alembic_config

transactional = pytest.mark.skipif(BACKEND == "mysql", reason="MySQL commits each DDL statement")
on_sqlite = pytest.mark.skipif(BACKEND != "sqlite", reason="the others alter tables in place")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with scratch(tmp_path) as address:
        yield address


@pytest.fixture
def own(url: str) -> Iterator[Database]:
    database = Database(url, get_settings())
    yield database
    database.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the test's own migrations lie."""
    path = tmp_path / "versions"
    path.mkdir()
    return path


@pytest.fixture
def config(url: str, folder: Path) -> Config:
    """The newest schema, with a place for migrations after it."""
    config = alembic_config(url=url)
    real = ROOT / "alembic" / "versions"
    config.set_main_option("version_locations", f"{real}{os.pathsep}{folder}")
    command.upgrade(config, "head")
    return config


@pytest.fixture
def migrate(config: Config, folder: Path) -> Callable[[str], None]:
    """`migrate(code)` applies a new migration whose `upgrade()` is `code`."""
    before = command.ScriptDirectory.from_config(config).get_current_head()

    def write_and_apply(code: str) -> None:
        lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
        (folder / "next.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n\n"
            f"revision = 'next'\ndown_revision = {before!r}\n\n\ndef upgrade():\n{lines}"
        )
        command.upgrade(config, "head")

    return write_and_apply


def fill(database: Database) -> None:
    with database.writing() as db:
        user = User(username="ana", email="ana@example.com", hashed_password="-")
        user.tokens = [Token(kind=TokenKind.REFRESH, token_hash="x", expires_at=utcnow())]
        db.add(user)
        db.commit()


def names(database: Database, table: str) -> dict[str, set[Any]]:
    inspector = inspect(database.engine)
    return {
        kind: {each["name"] for each in getattr(inspector, f"get_{kind}")(table)}
        for kind in ("indexes", "unique_constraints", "foreign_keys", "check_constraints")
    }


@transactional
def test_a_migration_that_fails_half_way_is_undone_and_can_run_again(
    migrate: Callable[[str], None], own: Database
) -> None:
    fill(own)
    half = "op.create_table('half', sa.Column('id', sa.Integer))\nop.execute('DELETE FROM tokens')"
    with pytest.raises(DBAPIError):
        migrate(f"{half}\nop.execute('SELECT nothing FROM nowhere')")
    with own.read_engine.connect() as connection:
        assert "half" not in inspect(connection).get_table_names()
        assert connection.scalar(text("SELECT count(*) FROM tokens")) == 1
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) != "next"
    migrate(half)
    assert "half" in inspect(own.engine).get_table_names()


def test_a_parent_that_is_altered_keeps_its_children_and_its_constraints(
    migrate: Callable[[str], None], own: Database
) -> None:
    fill(own)
    before = names(own, "users")
    migrate("""
with op.batch_alter_table("users") as batch:
    batch.alter_column("bio", type_=sa.String(3000), existing_type=sa.Text(), nullable=True)
    batch.add_column(sa.Column("motto", sa.String(50), nullable=True))
""")
    assert names(own, "users") == before
    with own.engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM tokens")) == 1
        assert connection.scalar(text("SELECT motto FROM users")) is None
        # The default of created_at is still there, and foreign keys are enforced again.
        connection.execute(
            text(
                "INSERT INTO users (username, email, hashed_password, role, is_active, settings,"
                " version, search_text) VALUES ('eva', 'e@x.com', '-', 'user', TRUE, '{}', 1, '')"
            )
        )
        connection.execute(text("DELETE FROM users WHERE username = 'ana'"))
        assert connection.scalar(text("SELECT count(*) FROM tokens")) == 0


def test_no_id_is_given_again_though_the_table_was_altered(
    migrate: Callable[[str], None], own: Database
) -> None:
    with own.writing() as db:
        first = User(username="ana", email="ana@example.com", hashed_password="-")
        db.add(first)
        db.flush()
        last = first.id
        db.delete(first)
        db.commit()
    migrate("""
with op.batch_alter_table("users") as batch:
    batch.alter_column("bio", type_=sa.String(3000), existing_type=sa.Text(), nullable=True)
op.create_table("snow", sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False))
""")
    fill(own)
    with own.engine.begin() as connection:
        assert connection.scalar(text("SELECT id FROM users")) > last
        connection.execute(text("INSERT INTO snow VALUES (8000000000)"))


@on_sqlite
def test_a_migration_that_leaves_broken_foreign_keys_is_refused(
    migrate: Callable[[str], None], own: Database
) -> None:
    fill(own)
    with pytest.raises(RuntimeError, match="broken foreign keys"):
        migrate("op.execute('UPDATE tokens SET user_id = 99')")
    with own.engine.connect() as connection:
        assert connection.scalar(text("SELECT user_id FROM tokens")) != 99


@pytest.fixture
def gadgets() -> Iterator[Table]:
    """A new table of the models."""
    table = Table(
        "gadgets",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True, nullable=False),
        Column("code", String(20), unique=True),
        Column("token", Uuid, nullable=False),
        Column("details", JSON, nullable=False),
        Column("role", Enum(Role, native_enum=False, length=20), nullable=False),
        Column("built_at", UtcDateTime(), server_default=func.now(), index=True, nullable=False),
    )
    yield table
    if table.name in Base.metadata.tables:
        Base.metadata.remove(table)


def test_autogenerate_writes_plain_types_that_go_up_and_down(
    config: Config, folder: Path, own: Database, gadgets: Table
) -> None:
    def write(message: str) -> str:
        command.revision(config, message, autogenerate=True, version_path=str(folder), head="head")
        (path,) = folder.glob(f"*_{message.replace(' ', '_')}.py")
        return path.read_text("utf-8")

    added = write("add gadgets")
    assert added.startswith('"""add gadgets\n')
    assert "app" not in added.replace("mapped", "")
    assert 'sa.Column("built_at", sa.DateTime(timezone=True)' in added.replace("'", '"')
    assert 'sa.Column("role", sa.String(length=20)' in added.replace("'", '"')
    assert "sa.func.now()" in added
    assert "drop_index" not in added
    assert added.index("drop_table") > added.index("def downgrade")
    command.upgrade(config, "head")
    command.check(config)

    Base.metadata.remove(gadgets)
    removed = write("remove gadgets")
    assert "drop_index" not in removed
    command.upgrade(config, "head")
    assert "gadgets" not in inspect(own.engine).get_table_names()
    command.check(config)
    command.downgrade(config, "-2")
    assert "gadgets" not in inspect(own.engine).get_table_names()


def test_a_migration_written_by_hand_starts_empty_and_dated(config: Config, folder: Path) -> None:
    command.revision(config, "by hand", version_path=str(folder), head="head")
    (path,) = folder.glob("[0-9]*_by_hand.py")
    code = path.read_text("utf-8")
    compile(code, path, "exec")
    assert code.startswith('"""by hand\n')
    assert "None" in code
    assert code.count("    pass") == 2
