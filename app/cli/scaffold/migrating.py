"""Writes a migration of some tables, in the workshop: `python -m ...migrating MESSAGE TABLE...`

A process of its own, because it imports the models of the copy.
"""

import sys
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations.ops import CreateTableOp, DropTableOp, ModifyTableOps
from sqlalchemy.orm import configure_mappers

from app.core.config import ROOT
from app.core.database import database
from app.models import Base


def main() -> None:
    message, *tables = sys.argv[1:]
    configure_mappers()  # a relationship without its other side is told here
    write_migration(message, set(tables))


def write_migration(message: str, tables: set[str]) -> None:
    """Compare the models with the migrations, and write down how `tables` differ."""
    config = Config(str(ROOT / "alembic.ini"))
    with database.engine.connect() as connection:  # SQLite in memory: see Workshop.python
        config.attributes["connection"] = connection
        # Tables that are all new need no others to compare with, which saves applying them.
        if not _is_new(tables):
            command.upgrade(config, "head")
        else:
            command.stamp(config, "head")

        def keep_tables(_context: Any, _revision: Any, directives: list[Any]) -> None:
            script = directives[0]
            for way in (script.upgrade_ops, script.downgrade_ops):
                way.ops = [each for each in way.ops if _table_of(each) in tables]
            if script.upgrade_ops.is_empty():
                directives[:] = []

        command.revision(
            config,
            message,
            autogenerate=True,
            process_revision_directives=keep_tables,
        )


def _is_new(tables: set[str]) -> bool:
    sources = [path.read_text("utf-8") for path in (ROOT / "alembic/versions").glob("*.py")]
    created = any(f'"{table}"' in source for table in tables for source in sources)
    return not created and tables <= set(Base.metadata.tables)


def _table_of(operation: Any) -> str | None:
    if isinstance(operation, CreateTableOp | DropTableOp | ModifyTableOps):
        return operation.table_name
    return getattr(operation, "table_name", None)


if __name__ == "__main__":
    main()
