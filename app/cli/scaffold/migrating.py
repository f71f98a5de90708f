"""Writes a migration from the models; in the workshop, where they are those of the copy."""

from typing import Any

from alembic import command
from alembic.config import Config
from alembic.operations.ops import CreateTableOp
from sqlalchemy import create_engine
from sqlalchemy.orm import configure_mappers

import app.models  # noqa: F401 - all of them
from app.core.root import ROOT


def write_migration(message: str, tables: set[str], *, drops: bool) -> None:
    """Compare the models with an empty database: `tables` are made, or dropped as they are now."""
    configure_mappers()  # a relationship without its other side is told here
    config = Config(str(ROOT / "alembic.ini"))
    with create_engine("sqlite://").connect() as connection:
        config.attributes["connection"] = connection
        # As if all migrations had run: what these tables need of the others is no difference.
        command.stamp(config, "head")

        def keep_tables(_context: Any, _revision: Any, directives: list[Any]) -> None:
            script = directives[0]
            made = [each for each in script.upgrade_ops.ops if each.table_name in tables]
            dropped = [each.reverse() for each in reversed(made) if isinstance(each, CreateTableOp)]
            script.upgrade_ops.ops = dropped if drops else made
            script.downgrade_ops.ops = made if drops else dropped

        command.revision(
            config,
            message,
            autogenerate=True,
            process_revision_directives=keep_tables,
        )
